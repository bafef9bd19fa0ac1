"""Arrays as parameters, against the real server."""

from collections.abc import Iterator

import numpy as np
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st

from streams.store.postgres.arrays import ArrayDumper


@pytest.fixture(scope="module")
def connection(module_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(module_database, autocommit=True) as made:
        yield made


@pytest.mark.integration
@settings(deadline=None)
@given(
    values=st.sampled_from(["<i2", "<i4", "<i8", "<f4", "<f8"]).flatmap(
        lambda kind: np_st.arrays(kind, st.integers(0, 50))
    )
)
def test_an_array_arrives_as_it_was_sent(connection: psycopg.Connection, values: np.ndarray) -> None:
    (came,) = connection.execute("select %s", (values,)).fetchall()[0]
    np.testing.assert_array_equal(np.array(came, values.dtype), values)


@pytest.mark.integration
def test_one_query_takes_arrays_of_different_types(connection: psycopg.Connection) -> None:
    parameters = (np.array([1, 2], np.int32), np.array([2**40, -1]), np.array([0.5, np.inf]))
    rows = connection.execute(
        "select * from unnest(%s::int4[], %s::int8[], %s::float8[]) as w (a, b, c)", parameters
    ).fetchall()
    assert rows == [(1, 2**40, 0.5), (2, -1, np.inf)]


@pytest.mark.integration
def test_a_slice_is_sent_as_what_it_shows(connection: psycopg.Connection) -> None:
    assert connection.execute("select %s", (np.arange(10)[1::3],)).fetchall() == [([1, 4, 7],)]


@pytest.mark.parametrize("values", [np.array(["a"]), np.array([True]), np.zeros(2, np.uint32), np.zeros(1, "M8[us]")])
def test_other_types_are_refused(values: np.ndarray) -> None:
    with pytest.raises(TypeError, match="must be an array of i2, i4, i8, f4, f8"):
        ArrayDumper(np.ndarray).upgrade(values, psycopg.adapt.PyFormat.AUTO)


def test_tables_are_refused() -> None:
    with pytest.raises(TypeError, match="one dimension"):
        ArrayDumper(np.ndarray).dump(np.zeros((2, 2), np.int32))
