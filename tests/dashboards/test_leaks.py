"""The counters of plans, the planner's estimates and the statistics tell an enterprise nothing of others' values."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql

from streams.store.layers import LayersPolicy
from tests.dashboards import leaks
from tests.dashboards.conftest import login
from tests.dashboards.leaks import Column, Probe
from tests.dashboards.world import World, fill
from tests.streams.store.conftest import opened

pytestmark = pytest.mark.integration

MINE, OTHER = 1, 2

# B's rows made unlike A's in every column that its table allows to be anything
_BASE = """
select c.relname, a.attname, t.typname, case when c.relname = 'unit' then 'id' else 'unit_id' end
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
join pg_type t on t.oid = a.atttypid
where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
    and (c.relname = 'unit' or exists (select from pg_attribute u where u.attrelid = c.oid and u.attname = 'unit_id'))
    and a.attname !~ '(^|_)id$' and a.attname not in ('version', 'installed_from', 'installed_to')
"""
_OTHERWISE = {
    "text": "{c} || ' B'", "int2": "{c} + 7", "int4": "{c} + 7", "int8": "{c} + 7", "float4": "{c} + 0.03125",
    "float8": "{c} + 0.03125", "date": "{c} + 3000", "timestamptz": "{c} + interval '1 hour 7 minutes 0.25 s'",
    "jsonb": "jsonb_build_object('b', {c})", "bool": "not {c}",
}  # fmt: skip
_EMPTY = {
    "text": "'B'",
    "int4": "7",
    "float8": "0.03125",
    "date": "'2031-03-03'",
    "timestamptz": "'2031-03-03 03:03:03+00'",
}

TELL = {"reading.measured_at", "reading.day"}
"""Decision 0014 says what they tell: how many readings all others together have in a span of time."""

WORLD = World(days=8, hours_days=8, samples=10, end=datetime.now(UTC).replace(minute=0, second=0, microsecond=0))


@pytest.fixture(scope="module")
def unlike(module_database: str) -> str:
    """A small region, B unlike A, with a day of packed readings."""
    region = module_database
    fill(region, WORLD)
    with psycopg.connect(region, autocommit=True) as owner:
        owner.execute("alter table case_event disable trigger history_stands")
        owner.execute(
            "insert into installation_past (installation_id, unit_id, held_until, status, accuracy_class, version) "
            "select id, unit_id, now(), 'out_of_use', '2', 1 from installation"
        )
        owner.execute(
            "update reading_hot set value = value + 0.03125, measured_at = measured_at + interval '0.25 s' "
            "where register_id in (select id from register where unit_id = %s)", (OTHER,),
        )  # fmt: skip
        for table, column, type_, key in owner.execute(_BASE).fetchall():
            names = {"t": sql.Identifier(table), "c": sql.Identifier(column), "k": sql.Identifier(key)}
            for values, what in ((_OTHERWISE, "is not null"), (_EMPTY, "is null")):
                if type_ in values:
                    text = sql.SQL("update {t} set {c} = " + values[type_] + " where {k} = 2 and {c} " + what)
                    with suppress(psycopg.errors.IntegrityError, psycopg.errors.RaiseException):
                        owner.execute(text.format(**names))
        owner.execute("analyze")
    asyncio.run(_packed(region))
    with psycopg.connect(region, autocommit=True) as owner:
        row = owner.execute("select count(*) from reading_history").fetchone()
        assert row is not None
        assert row[0] > 0
        owner.execute("vacuum analyze")
    return region


async def _packed(dsn: str) -> None:
    """Seal what is at rest, and pack all but the last day."""
    async with opened(dsn) as store:
        await store.layers(LayersPolicy(rest_s=0.0, pack_after_h=24)).maintain(WORLD.end)
        await store.layers(LayersPolicy(rest_s=0.0)).maintain(datetime.now(UTC))


@pytest.fixture(scope="module")
def viewer(unlike: str) -> Iterator[psycopg.Connection]:
    with closing(psycopg.connect(login(unlike, MINE), autocommit=True)) as connection:
        yield connection


@pytest.fixture(scope="module")
def owner(unlike: str) -> Iterator[psycopg.Connection]:
    with closing(psycopg.connect(unlike, autocommit=True)) as connection:
        yield connection


@pytest.fixture(scope="module")
def matrix(owner: psycopg.Connection) -> dict[Column, list[Probe]]:
    """All probes of each column."""
    return leaks.probes(owner, mine=MINE, other=OTHER)


def some(rng: random.Random, probes: list[Probe]) -> list[Probe]:
    """One probe of what a column holds of others, and one of whether it holds anything."""
    kinds = [[probe for probe in probes if probe.inner is inner] for inner in (False, True)]
    return [rng.choice(kind) for kind in kinds if kind]


def test_no_column_of_any_view_tells(viewer: psycopg.Connection, matrix: dict[Column, list[Probe]]) -> None:
    """Each column with a value that only another enterprise has, by a plan each; all of both by `make soak`."""
    rng = random.Random(11)
    found: dict[str, str] = {}
    asked: set[Column] = set()
    for column, probes in matrix.items():
        for probe in some(rng, probes):
            plan = rng.choice(list(leaks.PLANS))
            asked.add(column)
            told = leaks.tells(viewer, probe, leaks.PLANS[plan])
            if told is not None and str(column) not in TELL:
                found.setdefault(str(column), f"{plan}: {told}")
    assert found == {}
    assert len(asked) > 250
    assert sum(any(not probe.inner for probe in probes) for probes in matrix.values()) > 130


@pytest.mark.soak
def test_no_column_of_any_view_tells_by_any_plan(viewer: psycopg.Connection, matrix: dict[Column, list[Probe]]) -> None:
    found = {
        str(column)
        for column, probes in matrix.items()
        for probe in probes
        for off in leaks.PLANS.values()
        if leaks.tells(viewer, probe, off) is not None
    }
    assert found <= TELL


def test_the_matrix_sees_what_one_wall_tells(
    unlike: str, viewer: psycopg.Connection, owner: psycopg.Connection, matrix: dict[Column, list[Probe]]
) -> None:
    """The barrier by itself, as it was for everybody before there were two: hundreds of columns tell."""
    owner.execute("grant usage on schema lens to meterwarden_enterprise_viewer")
    role = psycopg.conninfo.conninfo_to_dict(login(unlike, MINE))["user"]
    owner.execute(sql.SQL("grant select on all tables in schema lens to {}").format(sql.Identifier(str(role))))
    try:
        tell = 0
        for probes in list(matrix.values())[::5]:
            outer = [probe for probe in probes if not probe.inner]
            tell += any(leaks.tells(viewer, probe, (), schema="lens") is not None for probe in outer)
    finally:
        owner.execute("revoke usage on schema lens from meterwarden_enterprise_viewer")
        owner.execute(sql.SQL("revoke all on all tables in schema lens from {}").format(sql.Identifier(str(role))))
    assert tell >= 20


def estimates_differ(viewer: psycopg.Connection, probe: Probe) -> bool:
    here, there = (
        leaks.estimates(viewer, f'select count(*) from enterprise."{probe.column.view}" v where {condition}')
        for condition in (probe.here, probe.there)
    )
    return here != there


def judged_by_values(owner: psycopg.Connection, matrix: dict[Column, list[Probe]]) -> dict[Column, list[Probe]]:
    """Probes of closed columns with values of others."""
    views = leaks.views(owner)
    return {
        column: [probe for probe in probes if not probe.inner]
        for column, probes in matrix.items()
        if column.name in views[column.view].closed
    }


def test_estimates_do_not_depend_on_values(
    viewer: psycopg.Connection, owner: psycopg.Connection, matrix: dict[Column, list[Probe]]
) -> None:
    """The statistics of a table are of everybody's rows; a plain `explain` asks them without reading any."""
    rng = random.Random(12)
    chosen = [rng.choice(probes) for probes in judged_by_values(owner, matrix).values() if probes]
    assert len(chosen) > 130
    assert [f"{probe.column}: {probe.here}" for probe in chosen if estimates_differ(viewer, probe)] == []


@pytest.mark.soak
def test_no_estimate_depends_on_values(
    viewer: psycopg.Connection, owner: psycopg.Connection, matrix: dict[Column, list[Probe]]
) -> None:
    every = (probe for probes in judged_by_values(owner, matrix).values() for probe in probes)
    assert [f"{probe.column}: {probe.here}" for probe in every if estimates_differ(viewer, probe)] == []


def test_each_closed_column_goes_through_what_is_not_leakproof(owner: psycopg.Connection) -> None:
    """Whatever views a later version brings: the outer view's columns, one by one, as the server has them."""
    bare = []
    for name, view in leaks.views(owner).items():
        row = owner.execute("select pg_get_viewdef(('enterprise.' || quote_ident(%s))::regclass)", (name,)).fetchone()
        assert row is not None
        text = row[0]
        bare += [
            f"{name}.{column}"
            for column in view.closed
            if f"\n    {column}," in text or text.startswith(f" SELECT {column},")
        ]
    assert bare == []


def test_what_columns_go_through_is_not_leakproof(owner: psycopg.Connection) -> None:
    leakproof = owner.execute(
        "select oid::regprocedure from pg_proc where proleakproof and oid in ("
        "'int2mi'::regproc, 'int4mi'::regproc, 'int8mi'::regproc, 'float4mi'::regproc, 'float8mi'::regproc, "
        "'numeric_sub'::regproc, 'date_mii'::regproc, 'timestamptz_pl_interval'::regproc, "
        "'timestamp_pl_interval'::regproc, 'interval_pl'::regproc, "
        "'textcat'::regproc, 'byteacat'::regproc, 'jsonb_extract_path'::regproc, "
        "'trim_array'::regproc)"
    ).fetchall()
    assert leakproof == []


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("int2", "-32768"), ("int4", "2147483647"), ("int8", "-9223372036854775808"), ("float4", "NaN"),
        ("float8", "-0"), ("float8", "Infinity"), ("numeric", "1.500"), ("numeric(10,2)", "1.50"),
        ("boolean", "false"), ("date", "-infinity"), ("date", "4713-01-01 BC"), ("timestamptz", "infinity"),
        ("timestamp", "2026-01-01 00:00:00.000001"), ("time", "24:00"), ("interval", "1 mon -3 days"),
        ("text", "a  "), ("varchar(3)", "a  "), ("char(3)", "a"), ("bytea", "\\x00ff"),
        ("json", '{"b": 1,  "a": 2}'), ("jsonb", "[1, null]"), ("jsonb", "null"), ("jsonb", '"x"'),
        ("text[]", "{}"), ("int4[]", "{{1,2},{3,NULL}}"), ("text[]", '{a,"b c",NULL}'),
        ("uuid", "00000000-0000-0000-0000-000000000001"), ("inet", "10.0.0.1/8"), ("name", "x"), ("xid", "7"),
        ("daterange", "[2026-01-01,2026-02-01)"), ("mood", "sad"), ("positive", "3"), ("bit(3)", "101"),
        ("pair", "(1,a)"), ("money", "$1.50"),
    ],
)  # fmt: skip
def test_a_column_comes_out_as_it_went_in(owner: psycopg.Connection, type_: str, value: str) -> None:
    with owner.transaction(force_rollback=True):
        owner.execute("create type mood as enum ('sad', 'merry')")
        owner.execute("create domain positive as int4 check (value > 0)")
        owner.execute("create type pair as (a int4, b text)")
        owner.execute(f"create temporary table t (v {type_})".encode())
        owner.execute(f"insert into t values (%s::{type_}), (null)".encode(), (value,))
        row = owner.execute(
            "select board.opaque('v', atttypid, format_type(atttypid, atttypmod)) from pg_attribute "
            "where attrelid = 't'::regclass and attname = 'v'"
        ).fetchone()
        assert row is not None
        owner.execute(f"create temporary view seen as select {row[0]} as v from t".encode())
        before, after = (
            owner.execute(f"select v::text, pg_typeof(v)::text from {name}".encode()).fetchall()
            for name in ("t", "seen")
        )
    assert before == after


def test_what_was_read_below_is_not_counted_for_a_viewer(viewer: psycopg.Connection) -> None:
    for statement in (
        "select seq_tup_read from pg_stat_xact_all_tables",
        "select pg_stat_get_xact_tuples_returned('public.unit'::regclass)",
        "select pg_stat_get_tuples_inserted('public.reading_hot'::regclass)",
        "select * from pg_stat_all_indexes",
        "select * from pg_statio_all_tables",
        "select * from pg_stat_activity",
        "select * from pg_locks",
        "select * from timescaledb_information.chunks",
        "select * from _timescaledb_catalog.chunk",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            viewer.execute(statement.encode())


def test_open_columns_are_keys_and_times(owner: psycopg.Connection) -> None:
    with owner.transaction(force_rollback=True):
        owner.execute("update board.view set open = '{start,amount}' where view = 'point_hour'")
        with pytest.raises(psycopg.errors.RaiseException, match="amount"):
            owner.execute("call board.views()")


def test_a_view_that_comes_later_has_both_walls(owner: psycopg.Connection) -> None:
    """Nobody has to remember anything but to list it."""
    with owner.transaction(force_rollback=True):
        owner.execute("create view later as select u.id as unit_id, u.name, length(u.name) as n from unit u")
        owner.execute("insert into board.view (view, shared) values ('later', true)")
        owner.execute("call board.views()")
        row = owner.execute("select pg_get_viewdef('enterprise.later'::regclass)").fetchone()
        assert row is not None
        assert "||" in row[0]
        assert "lens.later" in row[0]
        assert Column("later", "name", "text") in leaks.columns(owner)


def test_views_are_left_alone_while_they_are_as_they_were(unlike: str, viewer: psycopg.Connection) -> None:
    """`board.views()` needs no lock that waits for a viewer's open transaction, where nothing has changed."""
    viewer.execute("begin")
    viewer.execute("select count(*) from unit_list")
    try:
        with psycopg.connect(unlike, autocommit=True) as other:
            other.execute("set lock_timeout = '500ms'")
            other.execute("call board.views()")
    finally:
        viewer.execute("rollback")
