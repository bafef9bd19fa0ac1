"""Binary COPY from columns: what goes in is what the server reads, bit by bit."""

from typing import Any

import numpy as np
import pytest

from streams.store.postgres.columns import decode
from streams.store.postgres.copy import HEADER, TRAILER, Column, Layout, from_wire

NAN = float("nan")


def test_a_row_is_its_field_count_then_lengths_and_big_endian_bytes() -> None:
    packed = Layout(Column("a", "int2"), Column("b", "int4")).pack({"a": np.array([258]), "b": np.array([-2])})
    assert packed == HEADER + b"\0\2" + b"\0\0\0\2\1\2" + b"\0\0\0\4\xff\xff\xff\xfe" + TRAILER


def test_a_null_is_a_length_of_minus_one_without_bytes() -> None:
    layout = Layout(Column("a", "float8", null=NAN), Column("b", "int2", null=-1))
    packed = layout.pack({"a": np.array([NAN]), "b": np.array([-1])})
    assert packed == HEADER + b"\0\2" + b"\xff" * 4 + b"\xff" * 4 + TRAILER


def test_text_follows_the_fixed_columns_and_may_be_null() -> None:
    layout = Layout(Column("a", "int2"), Column("t", "text"), Column("j", "jsonb"))
    packed = layout.pack({"a": np.array([1, 2]), "t": ["é", None], "j": [b"{}", b"{}"]})
    json = b"\0\0\0\3\1{}"
    assert packed == (
        HEADER
        + (b"\0\3" + b"\0\0\0\2\0\1" + b"\0\0\0\2\xc3\xa9" + json)
        + (b"\0\3" + b"\0\0\0\2\0\2" + b"\xff\xff\xff\xff" + json)
        + TRAILER
    )


def test_no_rows_are_a_header_and_a_trailer() -> None:
    packed = Layout(Column("a", "int4")).pack({"a": np.empty(0, np.int32)})
    assert packed == HEADER + TRAILER


def test_columns_of_text_must_come_last() -> None:
    with pytest.raises(ValueError, match="must come last"):
        Layout(Column("t", "text"), Column("a", "int4"))


def test_rows_with_different_nulls_keep_their_values_together() -> None:
    layout = Layout(Column("id", "int4"), Column("a", "float8", null=NAN))
    packed = layout.pack({"id": np.arange(4), "a": np.array([1.0, NAN, 3.0, NAN])})
    wire = [("n", ">i2"), ("l0", ">i4"), ("id", ">i4"), ("l1", ">i4"), ("a", ">f8")]
    valued = np.frombuffer(packed, wire, 2, len(HEADER))
    assert valued["id"].tolist() == [0, 2]
    assert valued["a"].tolist() == [1.0, 3.0]


def test_infinite_instants_stay_infinite() -> None:
    info = np.iinfo(np.int64)
    packed = Layout(Column("at", "timestamptz")).pack({"at": np.array([info.max, info.min, 0])})
    wire = np.frombuffer(packed[len(HEADER) : -2], [("n", ">i2"), ("l", ">i4"), ("v", ">i8")])
    assert wire["v"].tolist() == [info.max, info.min, -946_684_800_000_000]
    assert from_wire(wire["v"].astype(np.int64), "timestamptz").tolist() == [info.max, info.min, 0]


def sent(values: np.ndarray[Any, Any], oid: int = 20) -> bytes:
    """What array_send makes of whole numbers of eight bytes."""
    body = np.zeros(len(values), [("length", ">i4"), ("value", ">i8")])
    body["length"], body["value"] = 8, values
    return np.array([1, 0, oid, len(values), 1], ">i4").tobytes() + body.tobytes()


def test_an_aggregated_column_is_read_without_a_loop() -> None:
    assert decode(sent(np.array([3, -1, 2**40])), "int8").tolist() == [3, -1, 2**40]
    assert decode(sent(np.array([-946_684_800_000_000])), "timestamptz").tolist() == [0]
    assert decode(sent(np.array([0])), "hour").tolist() == [946_684_800 // 3600]


def test_no_rows_have_no_array() -> None:
    assert decode(None, "float8").tolist() == []
    assert decode(np.array([0, 0, 20], ">i4").tobytes(), "int8").tolist() == []


def test_a_null_in_a_column_is_refused() -> None:
    with pytest.raises(ValueError, match="no NULL"):
        decode(np.array([1, 1, 20, 1, 1, -1], ">i4").tobytes(), "int8")
