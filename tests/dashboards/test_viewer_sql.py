"""Whatever a viewer sends: nobody's rows are fewer or more afterwards, and the server goes on."""

import itertools
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dashboards.conftest import login
from tests.dashboards.world import World, fill

pytestmark = pytest.mark.integration

COUNTED = (
    "unit",
    "reading_hot",
    "reading_history",
    "consumption_hour",
    "consumption_day",
    "unit_energy_hour",
    "unit_energy_day",
    "detection",
    "finding",
    "alert",
    "case_event",
    "rejected",
    "person",
    "board.role",
)


@pytest.fixture(scope="module")
def world(module_database: str) -> str:
    fill(
        module_database,
        World(
            days=8,
            hours_days=8,
            reading_days=1,
            samples=5,
            end=datetime.now(UTC).replace(minute=0, second=0, microsecond=0),
        ),
    )
    login(module_database, 2)
    return module_database


@pytest.fixture(scope="module")
def owner(world: str) -> Iterator[psycopg.Connection]:
    with closing(psycopg.connect(world, autocommit=True)) as connection:
        yield connection


@pytest.fixture(scope="module")
def viewer(world: str) -> str:
    return login(world, 1)


def rows(owner: psycopg.Connection) -> dict[str, int]:
    """How many rows each table has, and what the database has of chunks, views, roles and functions."""
    names = (*COUNTED, "pg_class", "pg_roles", "pg_proc", "pg_db_role_setting", "_timescaledb_catalog.chunk")
    asked = ", ".join(f"(select count(*) from {name})" for name in names)
    row = owner.execute(f"select {asked}".encode()).fetchone()
    assert row is not None
    return dict(zip(names, row, strict=True))


ARGUMENTS = {
    "regclass": "'{chunk}'", "oid": "'{chunk}'::regclass::oid", "text": "'{chunk}'", "name": "'{bare}'",
    "cstring": "'{chunk}'", "int4": "1", "int8": "1", "int2": "1::int2", "bool": "true", "float8": "1",
    "interval": "interval '1 hour'", "date": "'2030-01-01'", "timestamptz": "'2030-01-01'",
    "timestamp": "'2030-01-01'", "regrole": "current_user::regrole", "json": "'{}'", "jsonb": "'{}'",
    "_text": "'{}'", "anyelement": "'2030-01-01'::timestamptz", "any": "'2030-01-01'::timestamptz",
    "regproc": "'now'", "bytea": "''", "_regclass": "array['{chunk}'::regclass]", "anyarray": "array[1]",
    "numeric": "1", "xid8": "'1'", "pg_lsn": "'0/0'", "xml": "'<a/>'", "refcursor": "'c'",
    "regtype": "'int4'", "uuid": "'00000000-0000-0000-0000-000000000001'", "char": "'a'", "xid": "'1'",
}  # fmt: skip
ROUTINES = """
select n.nspname, p.proname, p.prokind::text,
       (select coalesce(array_agg(t.typname::text order by a.n), '{}')
        from unnest(p.proargtypes::oid[]) with ordinality a (type, n) join pg_type t on t.oid = a.type)
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where has_function_privilege(%s, p.oid, 'execute') and has_schema_privilege(%s, n.oid, 'usage')
    and p.prokind in ('f', 'p') and (p.provolatile <> 'i' or n.nspname ~ 'timescaledb')
    and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype)
    and not ('internal'::regtype = any (p.proargtypes))
    and p.proname !~ '^pg_sleep|^pg_terminate_backend|^pg_cancel_backend'
order by 1, 2
"""


def test_no_routine_that_a_viewer_may_call_does_harm(owner: psycopg.Connection, viewer: str) -> None:
    """The server's and the extensions', with the name of a chunk wherever one fits."""
    row = owner.execute("select c::text from show_chunks('consumption_hour') c limit 1").fetchone()
    assert row is not None
    chunk, bare = row[0], row[0].rpartition(".")[2]
    role = psycopg.conninfo.conninfo_to_dict(viewer)["user"]
    before, called = rows(owner), 0
    with closing(psycopg.connect(viewer, autocommit=True)) as session:
        session.execute("set default_transaction_read_only = off")
        session.execute("set statement_timeout = '2s'")
        backend = session.info.backend_pid
        for schema, name, kind, types in owner.execute(ROUTINES, (role, role)).fetchall():
            assert not schema.startswith(("board", "upkeep", "lens")), f"{schema}.{name}"
            given_ = [ARGUMENTS.get(type_, "null") for type_ in types]
            for values in {tuple(given_), tuple("null" for _ in given_)}:
                text = ", ".join(values).replace("{chunk}", chunk).replace("{bare}", bare)
                verb = "call" if kind == "p" else "select"
                try:
                    session.execute(f'{verb} "{schema}"."{name}"({text})'.encode())
                except psycopg.Error:
                    if session.closed:
                        pytest.fail(f"{schema}.{name}({text}) ended the session")
                called += 1
        assert session.info.backend_pid == backend
    after = rows(owner)
    assert called > 300
    assert after == before


def test_a_role_and_every_database_of_the_server(owner: psycopg.Connection, viewer: str) -> None:
    """It gets into its own and no other of ours; a database that somebody else makes is named by `board.elsewhere`."""
    own = psycopg.conninfo.conninfo_to_dict(viewer)["dbname"]
    open_ = {row[0] for row in owner.execute("select database from board.elsewhere").fetchall()}
    names = {row[0] for row in owner.execute("select datname from pg_database where datallowconn").fetchall()}
    for name in names - {own} - open_:
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(psycopg.conninfo.make_conninfo(viewer, dbname=name))
    assert not {"postgres", "template1", "meterwarden"} & open_


def test_listening_hears_nothing_of_others(world: str, viewer: str) -> None:
    """Nothing of ours is ever announced, so there is nothing to hear; and a viewer cannot announce by the function."""
    with closing(psycopg.connect(viewer, autocommit=True)) as session:
        session.execute("set default_transaction_read_only = off")
        session.execute("listen alert")
        with psycopg.connect(world, autocommit=True) as owner:
            owner.execute("update unit set name = name || '.' where id = 2")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("select pg_notify('alert', 'x')")
        assert list(session.notifies(timeout=0.5)) == []


# --- a grammar of what a viewer may send -----------------------------------------------------------------------------

RELATIONS = st.sampled_from(
    [
        "unit_list",
        "reading",
        "point_hour",
        "point_day",
        "unit_day",
        "alert_list",
        "detection_list",
        "case_history",
        "lens.reading",
        "lens.unit_list",
        "public.unit",
        "public.reading_hot",
        "public.reading",
        "public.consumption_hour",
        "public.alert",
        "board.role",
        "pg_class",
        "pg_roles",
        "pg_stat_activity",
        "_timescaledb_catalog.chunk",
        "{chunk}",
    ]
)
VALUES = st.sampled_from(
    ["1", "2", "'U2'", "null", "now()", "true", "unit_id", "value", "v", "(select 2)", "'infinity'"]
)
CONDITIONS = st.sampled_from(
    ["unit_id = 2", "unit_id <> 1", "true", "value > 0", "start < now()", "v is not null", "1 / 0 = 1"]
)
NAMES = st.sampled_from(["unit_id", "value", "name", "unit_code", "*", "v", "amount", "start", "id"])
CALLS = st.sampled_from(
    [
        "drop_chunks('public.consumption_hour', older_than => now())",
        "show_chunks('public.consumption_hour')",
        "_timescaledb_functions.drop_chunk('{chunk}')",
        "delete_job(1)",
        "board.enrol(2)",
        "board.guard()",
        "upkeep.clear('{chunk}')",
        "set_config('role', '{other}', false)",
        "pg_terminate_backend(1)",
        "lo_create(0)",
        "enterprise.readings('-infinity', 'infinity')",
        "readings('2020-01-01', '2030-01-01')",
        "pg_advisory_lock(1)",
        "set_chunk_time_interval('public.reading_hot', interval '1 h')",
        "compress_chunk('{chunk}')",
        "pg_notify('a', 'b')",
        "query_to_xml('delete from public.unit', true, true, '')",
        "pg_switch_wal()",
        "pg_reload_conf()",
        "txid_current()",
    ]
)
SETTINGS = st.sampled_from(
    [
        "default_transaction_read_only = off",
        "search_path = public",
        "role = '{other}'",
        "work_mem = '64kB'",
        "row_security = off",
        "session_authorization = '{other}'",
        "enable_seqscan = off",
        "statement_timeout = '1s'",
        "lock_timeout = '1ms'",
        "session_replication_role = replica",
        "zero_damaged_pages = on",
        "temp_file_limit = -1",
        "jit = on",
    ]
)


def selects() -> st.SearchStrategy[str]:
    return st.builds(lambda n, r, c: f"select {n} from {r} v where {c} limit 5", NAMES, RELATIONS, CONDITIONS)


def statements() -> st.SearchStrategy[str]:
    select = selects()
    return st.one_of(
        select,
        st.builds("explain (analyze) {}".format, select),
        st.builds("copy ({}) to stdout".format, select),
        st.builds("with w as ({}) delete from public.unit where id in (select 2 from w)".format, select),
        st.builds("insert into {} {}".format, RELATIONS, select),
        st.builds("update {} set {} = {} where {}".format, RELATIONS, NAMES, VALUES, CONDITIONS),
        st.builds("delete from {} v where {}".format, RELATIONS, CONDITIONS),
        st.builds("merge into {} v using ({}) w on true when matched then delete".format, RELATIONS, select),
        st.builds("truncate {}".format, RELATIONS),
        st.builds("drop table {}".format, RELATIONS),
        st.builds("drop view {} cascade".format, RELATIONS),
        st.builds("lock table {} in access exclusive mode nowait".format, RELATIONS),
        st.builds("alter table {} disable row level security".format, RELATIONS),
        st.builds(
            "create {} table t_{} as {}".format, st.sampled_from(["", "temporary", "unlogged"]), st.just("x"), select
        ),
        st.builds("create view x as {}".format, select),
        st.builds(
            "create function x() returns int4 language {} as 'select 1'".format,
            st.sampled_from(["sql", "plpgsql", "c"]),
        ),
        st.builds("do $$ begin perform 1 from {}; end $$".format, RELATIONS),
        st.builds("select {}".format, CALLS),
        st.builds("select * from {}".format, CALLS),
        st.builds(
            "call {}".format,
            st.sampled_from(
                [
                    "merge_chunks('{chunk}', '{chunk}')",
                    "board.views()",
                    "board.shut()",
                    "run_job(1)",
                    "refresh_continuous_aggregate('x', null, null)",
                    "_timescaledb_functions.policy_retention(1, '{}')",
                ]
            ),
        ),
        st.builds("set {}".format, SETTINGS),
        st.builds("set local {}".format, SETTINGS),
        st.builds(
            "alter role {} {}".format,
            st.sampled_from(["{other}", "current_user", "meterwarden_lens"]),
            st.sampled_from(["superuser", "bypassrls", "nologin", "connection limit 100", "rename to x"]),
        ),
        st.builds(
            "grant {} to current_user".format,
            st.sampled_from(
                ["{other}", "meterwarden_lens", "meterwarden_service", "select on public.unit", "all on schema public"]
            ),
        ),
        st.sampled_from(
            [
                "begin",
                "commit",
                "rollback",
                "savepoint a",
                "rollback to a",
                "reset all",
                "discard all",
                "vacuum public.unit",
                "analyze public.unit",
                "reindex table public.unit",
                "checkpoint",
                "cluster",
                "listen a",
                "notify a, 'b'",
                "declare c cursor with hold for select 1",
                "fetch all from c",
                "prepare p as select 1",
                "execute p",
                "refresh materialized view x",
                "drop owned by current_user",
                "reassign owned by current_user to {other}",
                "drop database postgres",
                "load 'plpgsql'",
            ]
        ),
    )


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(program=st.lists(statements(), min_size=1, max_size=12))
def test_no_program_of_a_viewer_changes_anything_of_others(
    owner: psycopg.Connection, world: str, viewer: str, program: list[str]
) -> None:
    run(owner, world, viewer, program)


@pytest.mark.soak
@settings(max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=st.lists(statements(), min_size=1, max_size=30))
def test_no_program_of_a_viewer_changes_anything_of_others_for_long(
    owner: psycopg.Connection, world: str, viewer: str, program: list[str]
) -> None:
    run(owner, world, viewer, program)


def run(owner: psycopg.Connection, world: str, viewer: str, program: list[str]) -> None:
    row = owner.execute(
        "select (select c::text from show_chunks('consumption_hour') c limit 1), board.role_name(2)"
    ).fetchone()
    assert row is not None
    started = owner.execute("select pg_postmaster_start_time()").fetchone()
    before = rows(owner)
    with closing(psycopg.connect(viewer, autocommit=True)) as session:
        session.execute("set default_transaction_read_only = off")
        session.execute("set statement_timeout = '5s'")
        for statement in itertools.chain(program, ["rollback"]):
            text = statement.replace("{chunk}", row[0]).replace("{other}", row[1])
            session.pgconn.send_query(text.encode())
            while (result := session.pgconn.get_result()) is not None:
                while result.status == psycopg.pq.ExecStatus.COPY_OUT and session.pgconn.get_copy_data(0)[0] > 0:
                    pass
    assert rows(owner) == before
    assert owner.execute("select pg_postmaster_start_time()").fetchone() == started
    psycopg.connect(world).close()
