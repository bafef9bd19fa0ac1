"""As enterprise A's role, by whatever SQL a viewer of boards could send: nothing of enterprise B."""

import re
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from tests.dashboards.conftest import login

pytestmark = pytest.mark.integration

# B is unit 2; whatever is B's says SECRETB or is near 777777000
MARK_B = """
update unit set code = 'SECRETB', name = 'SECRETB works' where id = 2;
update metering_point set code = 'SECRETB-' || code where unit_id = 2;
update meter set meter_no = 'SECRETB-' || meter_no, serial_no = 'SECRETB' where unit_id = 2;
update sub_unit set name = 'SECRETB ' || name where unit_id = 2;
update main_equipment set name = 'SECRETB ' || name where unit_id = 2;
update installation set place = 'SECRETB', model = 'SECRETB' where unit_id = 2;
update energy_series set name = 'SECRETB ' || name where unit_id = 2;
update consumption_hour set amount = amount + 777777000 where unit_id = 2;
update consumption_day set amount = amount + 777777000 where unit_id = 2;
update unit_energy_hour set amount = amount + 777777000, tce = 777777000 where unit_id = 2;
update unit_energy_day set amount = amount + 777777000, tce = 777777000 where unit_id = 2;
update reading_hot set value = value + 777777000
    where register_id in (select id from register where unit_id = 2);
update detection set evidence = '{"who": "SECRETB", "unexplained": 777777000}', magnitude = 777777000 where unit_id = 2;
update finding set found = 'SECRETB', required = 'SECRETB', found_zh = 'SECRETB' where unit_id = 2;
update alert set title_zh = 'SECRETB', title_en = 'SECRETB' where unit_id = 2;
update observability set reason = 'SECRETB' where unit_id = 2;
update meter_verdict set note = 'SECRETB' where unit_id = 2;
update compliance_day set edition = 'SECRETB' where unit_id = 2;
update rejected set unit_code = 'SECRETB', got = 'SECRETB' where unit_code = 'U2';
update tariff set source = 'SECRETB', price = 777777000 where unit_id = 2;
update balance_hour set parent_amount = 777777000 where unit_id = 2;
insert into unit (id, code, name, version) overriding system value values (3, 'U3', 'Third', 1);
"""
SECRET = re.compile(r"SECRETB|77777\d{4}|secret body|do not announce|王检查员")

VIEWS = (
    "ledger_point",
    "ledger_meter",
    "reading",
    "point_hour",
    "point_day",
    "point_month",
    "unit_hour",
    "unit_day",
    "unexplained_difference",
    "certificate_list",
    "mandatory_coverage",
    "mandatory_list",
    "gap_fill_list",
    "tariff_list",
    "review_list",
    "review_fault_list",
    "unit_completeness",
    "unit_data_day",
    "detection_list",
    "rejected_by_reason",
    "unit_list",
    "register_list",
    "verification_list",
    "verification_state",
    "verification_count",
    "finding_list",
    "compliance_list",
    "equipping_rate_list",
    "observability_list",
    "balance_list",
    "meter_verdict_list",
    "alert_list",
    "case_list",
    "case_history",
    "alert_history",
    "alert_source_list",
    "installation_past_list",
    "point_day_flagged",
)

TABLES = (
    "unit",
    "metering_point",
    "meter",
    "register",
    "installation",
    "verification",
    "consumption_hour",
    "consumption_day",
    "unit_energy_hour",
    "unit_energy_day",
    "reading_hot",
    "reading_history",
    "reading_unpacked",
    "detection",
    "finding",
    "alert",
    "alert_aside",
    "alert_event",
    "alert_message",
    "access_log",
    "case_event",
    "gateway",
    "gateway_token",
    "gateway_unit",
    "case_file",
    "person",
    "api_token",
    "rejected",
    "stream_fence",
    "ledger_version",
    "board.role",
    "board.view",
    "compliance_day",
    "installation_past",
    "certificate",
    "certificate_scan",
    "mandatory_instrument",
    "gap_fill",
    "tariff",
    "review",
    "review_draw",
    "review_event",
    "review_item",
    "review_photo",
)

STATEMENTS = {
    # what is there, asked for by B's keys
    "by code": "select * from unit_day where unit_code = 'SECRETB'",
    "by id": "select * from point_hour where unit_id = 2",
    "by point id": "select * from point_hour where point_id between 9 and 16",
    "by not being mine": "select * from unit_list where unit_id <> 1",
    "or true": "select * from unit_list where unit_id = 1 or true",
    "union": "select unit_code from unit_list union all select code from public.unit",
    "staff's view": "select * from public.unit_day",
    "staff's function": "select * from public.readings('2020-01-01', '2030-01-01')",
    "own function": "select * from enterprise.readings('2020-01-01', '2030-01-01')",
    "whole row as text": "select v::text from unit_day v",
    "whole row as json": "select to_jsonb(v) from detection_list v",
    "xml of a query": "select query_to_xml('select * from public.unit', true, true, '')",
    "xml of a table": "select table_to_xml('public.unit', true, true, '')",
    "xml of a schema": "select schema_to_xml('public', true, true, '')",
    "xml of what I may see": "select query_to_xml('select * from unit_list', true, true, '')",
    "a cursor": "declare c cursor for select * from public.unit; fetch all from c",
    "copy": "copy public.unit to stdout",
    "copy of a view": "copy (select * from unit_list) to stdout",
    "copy to a program": "copy (select 1) to program 'cat /etc/passwd'",
    "read a file": "select pg_read_file('postgresql.conf')",
    "list a folder": "select pg_ls_dir('.')",
    "lateral": "select x.* from unit_list u, lateral (select * from public.unit p where p.id <> u.unit_id) x",
    # who I am
    "set role": "set role meterwarden; select * from unit",
    "set role to the lens": "set role meterwarden_lens; select * from public.unit",
    "set role to the group": "set role meterwarden_enterprise_viewer; select * from unit_list",
    "set role to B": "set role {b}; select * from unit_list",
    "session authorization": "set session authorization {b}; select * from unit_list",
    "role by setting": "set session_authorization = {b}; select * from unit_list",
    "set_config role": "select set_config('role', '{b}', false); select * from unit_list",
    "a setting of the policy's kind": "set app.unit_id = '2'; set meterwarden.unit = '2'; select * from unit_list",
    "current_user shadowed": (
        "create temporary table t as select 1; create function pg_temp.current_user() returns name language sql as "
        "$$ select '{b}'::name $$; select * from unit_list"
    ),
    "search_path to public": "set search_path = public; select * from unit_list",
    "a view of mine before theirs": (
        "set search_path = pg_temp, enterprise; create temporary view unit_list as select * from public.unit; "
        "select * from unit_list"
    ),
    "row security off": "set row_security = off; select * from unit_list",
    "replica": "set session_replication_role = replica; select * from unit_list",
    "no read only": "set transaction read write; insert into public.unit (code, name, version) values ('X', 'X', 1)",
    "grant to me": "grant select on public.unit to {a}; table public.unit",
    "grant role to me": "grant {b} to {a}; set role {b}; table unit_list",
    "alter me": "alter role {a} bypassrls; select * from unit_list",
    "make a role": "create role thief; select * from unit_list",
    "drop the policy": "drop policy own_unit on public.unit; table unit_list",
    "replace the view": (
        "create or replace view enterprise.unit_list as "
        "select id as unit_id, code as unit_code, name as unit_name from public.unit; select * from unit_list"
    ),
    "claim B": "update board.role set unit_id = 2; select * from unit_list",
    "enrol": "select board.enrol(2)",
    "say the views again": "call board.views()",
    "make a function": (
        "create function public.f() returns setof public.unit "
        "language sql security definer as 'select * from public.unit'; select * from public.f()"
    ),
    "do block": "do $$ begin raise exception '%', (select string_agg(name, ',') from public.unit); end $$",
    "do block over the view": (
        "do $$ begin raise exception '%', (select string_agg(unit_name, ',') from unit_list); end $$"
    ),
    # functions that would tell while they filter
    "division by zero": "select * from unit_day where 1 / (case when amount > 700000000 then 0 else 1 end) = 1",
    "bad cast": "select * from unit_list where unit_name::int > 0 and unit_id <> 1",
    "bad cast of all": "select * from unit_list where (case unit_id when 1 then '1' else unit_name end)::int > 0",
    "a telling function": (
        "create function pg_temp.tell(t text) returns boolean language plpgsql "
        "cost 0.0000001 as $$ begin raise notice '%', t; return true; end $$; "
        "select * from unit_list where pg_temp.tell(unit_name)"
    ),
    "regular expression": "select * from unit_list where unit_name ~ 'SECRET'",
    "like": "select * from ledger_point where unit_name like 'SECRET%'",
    "sleep on B": "select * from unit_list where unit_id = 2 and pg_sleep(0.5) is not null",
    "json path error": "select * from detection_list where (evidence ->> 'who')::int > 0",
    # catalogues
    "column statistics": "select * from pg_stats where schemaname = 'public'",
    "raw statistics": "select * from pg_statistic",
    "most common values": "select most_common_vals::text from pg_stats",
    "sessions": "select query from pg_stat_activity where usename <> current_user",
    "passwords": "select * from pg_authid",
    "shadow": "select * from pg_shadow",
    "roles": "select rolname, rolpassword from pg_roles",
    "settings of others": "select * from pg_db_role_setting",
    "comments": "select obj_description(oid) from pg_class",
    "view texts": "select definition from pg_views where schemaname = 'enterprise'",
    "chunks": "select * from show_chunks('public.consumption_hour')",
    "a chunk": "select * from _timescaledb_internal._hyper_2_{chunk}_chunk",
    "chunk information": "select * from timescaledb_information.chunks",
    "jobs": "select * from timescaledb_information.jobs",
    "prepared": "select * from pg_prepared_statements",
    "cursors": "select * from pg_cursors",
    "large objects": "select * from pg_largeobject",
    "a dump by pages": "select get_raw_page('public.unit', 0)",
    "tuples by physical place": "select * from public.unit where ctid = '(0,2)'",
    "table sample": "select * from public.unit tablesample system (100)",
    "dblink": "select * from dblink('dbname=postgres', 'select * from public.unit') t (a text)",
    "another database": "select * from postgres.public.unit",
    "listen": "listen anything; select * from unit_list",
    "explain with values": "explain (analyze, verbose) select * from unit_list",
    # what later parts of the program brought
    "where the balance stands": "select convert_from(state, 'UTF8') from public.balance_state",
    "balances by the day": "select * from public.balance_day",
    "what an alert is made of": "select life::text from public.alert a where a.unit_id = 2",
    "who was told": "select recipient, body from public.alert_message",
    "files of cases": "select name, convert_from(content, 'UTF8') from public.case_attachment",
    "rules and links": "select body from public.alert_rules union all select action from public.link_use",
    "documents": "select content from public.standard_document",
    "what was judged from": "select fingerprint from public.compliance_mark where unit_id = 2",
    "samples of workers": "select worker from public.worker_sample union all select worker from worker_samples",
    "snapshots": "select convert_from(state, 'UTF8') from public.stream_snapshot",
    "organizations": "select name from board.organization",
    "all units' state": "select edition from public.compliance_region",
    "messages by channel": "select last_error from public.outbox_state union all select last_error from outbox_state",
    "a copy of the ledger": "select convert_from(blob, 'UTF8') from public.ledger_version",
    "the columns that are hidden": "select acknowledged_by, rule from alert_list where acknowledged_by is not null",
    "notes by the way of facts": "select facts::text from case_history",
    "the end of a range": "select max(v::text) over () from (select v from enterprise.alert_list v) q",
    "a row's comparison": "select * from alert_list v where v > (select w from alert_list w limit 1)",
    "text search of all": "select * from finding_list v where to_tsvector('simple', v::text) @@ 'secretb'",
    "a lock on the view": "lock table enterprise.unit_list in access exclusive mode; select * from unit_list",
    "a lock on the table": "lock table public.unit; select * from public.unit",
    "security definer by me": "alter function enterprise.readings(timestamptz, timestamptz) security definer",
    "the view as invoker": "alter view enterprise.unit_list set (security_invoker = false, security_barrier = false)",
    "the planner told to push": "set enable_partition_pruning = off; select * from point_hour where amount > 700000000",
    "in parallel": (
        "set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0; "
        "set debug_parallel_query = on; select * from point_hour where amount > 700000000"
    ),
    "jobs of the extension": "select public.add_job('pg_sleep', '1s'); select * from timescaledb_information.jobs",
    "rows about": "select public.approximate_row_count('public.unit')",
    "backend activity": "select pg_stat_get_backend_activity(s) from pg_stat_get_backend_idset() s",
    "my settings for good": "alter role {a} set search_path = public; select * from unit_list",
}
"""Statements by what they try; some fail, which is well, and none may tell."""


PAST = """
insert into installation_past (installation_id, unit_id, held_until, status, accuracy_class, version)
select id, unit_id, now(), 'out_of_use', '2', (select max(id) from ledger_version) from installation
"""


@pytest.fixture(scope="module")
def marked(region: str) -> str:
    with psycopg.connect(region, autocommit=True) as connection:
        for statement in MARK_B.strip().split(";\n"):
            connection.execute(statement.rstrip(";").encode())
        connection.execute(PAST)  # every meter was out of use until now, so its days are flagged
        connection.execute("analyze")
    return region


@pytest.fixture(scope="module")
def viewer(marked: str) -> str:
    """How A's data source logs in."""
    login(marked, 2)
    return login(marked, 1)


@pytest.fixture(scope="module")
def names(marked: str, viewer: str) -> dict[str, str]:  # noqa: ARG001 - makes the roles
    with psycopg.connect(marked, autocommit=True) as connection:
        rows = connection.execute("select unit_id, role from board.role where unit_id is not null").fetchall()
        chunk = connection.execute("select max(id) from _timescaledb_catalog.chunk where hypertable_id = 2").fetchone()
    assert chunk is not None
    roles: dict[int, str] = dict(rows)
    return {"a": roles[1], "b": roles[2], "chunk": str(chunk[0])}


@pytest.fixture
def session(viewer: str) -> Iterator[psycopg.Connection]:
    with closing(psycopg.connect(viewer, autocommit=True)) as connection:
        yield connection


def told(session: psycopg.Connection, statement: str) -> str:
    """All that comes back: rows, notices and errors."""
    heard: list[str] = []
    session.add_notice_handler(lambda notice: heard.append(f"{notice.message_primary} {notice.message_detail}"))
    session.pgconn.send_query(statement.encode())
    while (result := session.pgconn.get_result()) is not None:
        heard.append(bytes(result.error_message).decode())
        heard += [
            bytes(result.get_value(row, column) or b"").decode()
            for row in range(result.ntuples)
            for column in range(result.nfields)
        ]
        if result.status == psycopg.pq.ExecStatus.COPY_OUT:
            while (copied := session.pgconn.get_copy_data(0))[0] > 0:
                heard.append(bytes(copied[1]).decode())
    return "\n".join(heard)


def count(dsn: str, statement: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("view", VIEWS)
def test_each_sees_its_own_rows_and_staff_see_all(marked: str, viewer: str, view: str) -> None:
    """B's rows are there to be seen, so that the other tests could fail."""
    key, a, b = ("unit_code", "'U1'", "'SECRETB'") if view == "rejected_by_reason" else ("unit_id", "1", "2")
    staff = login(marked, None)
    mine = count(viewer, f"select count(*) from {view}")
    assert mine > 0
    assert mine == count(staff, f"select count(*) from {view} where {key} = {a}")
    assert count(staff, f"select count(*) from {view} where {key} = {b}") > 0
    assert count(viewer, f"select count(*) from {view} where {key} = {b}") == 0


@pytest.mark.parametrize("view", VIEWS)
def test_a_whole_view_tells_nothing_of_b(session: psycopg.Connection, view: str) -> None:
    assert not SECRET.search(told(session, f"select * from {view}"))


@pytest.mark.parametrize("table", TABLES)
def test_no_table_can_be_read(session: psycopg.Connection, table: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(f"select * from {table if '.' in table else 'public.' + table}".encode())


def test_nothing_but_the_views_of_enterprises_is_granted(marked: str, names: dict[str, str]) -> None:
    """Whatever the tables are called that a later version brings."""
    with psycopg.connect(marked) as owner:
        rows = owner.execute(
            "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and n.nspname !~ '^(pg_|information_schema$)' "
            "and (n.nspname !~ 'timescaledb' or c.relname ~ '^(_hyper|compress_hyper)_') and case c.relkind "
            "when 'S' then has_sequence_privilege(%(a)s, c.oid, 'usage, select, update') "
            "else has_table_privilege(%(a)s, c.oid, 'insert, update, delete, truncate, references, trigger') "
            "or has_any_column_privilege(%(a)s, c.oid, 'select, insert, update, references') end",
            {"a": names["a"]},
        ).fetchall()
        lent = owner.execute(
            "select p.oid::regprocedure::text from pg_proc p where p.prosecdef "
            "and has_function_privilege(%s, p.oid, 'execute') and not exists "
            "(select from pg_depend d where d.objid = p.oid and d.deptype = 'e')",  # an extension's own
            (names["a"],),
        ).fetchall()
    assert set(rows) == {("enterprise", view) for view in VIEWS} | {("public", "store_setting")}
    assert lent == [], "a function with its owner's rights"


def test_row_security_binds_all_that_the_views_read(marked: str) -> None:
    """But hypertables, which cannot have it and where the views alone stand, and what is nobody's."""
    with psycopg.connect(marked) as owner:
        unbound = owner.execute(
            "select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace "
            "and c.relkind in ('r', 'p', 'm', 'f') and has_any_column_privilege('meterwarden_lens', c.oid, 'select') "
            "and not (c.relrowsecurity and exists (select from pg_policy p where p.polrelid = c.oid "
            "and p.polname = 'own_unit' and p.polroles = array['meterwarden_lens'::regrole::oid]))"
        ).fetchall()
    assert {row[0] for row in unbound} == {"consumption_hour", "reading_hot", "measure_unit", "factor"}


@pytest.mark.parametrize("attempt", STATEMENTS)
def test_no_statement_tells_of_b(session: psycopg.Connection, names: dict[str, str], attempt: str) -> None:
    statement = STATEMENTS[attempt]
    for name, value in names.items():
        statement = statement.replace("{" + name + "}", value)
    session.execute("set default_transaction_read_only = off")  # a viewer may
    assert not SECRET.search(told(session, statement))


def test_the_search_finds_what_the_attempts_look_for(marked: str) -> None:
    """The same statements as the owner of everything do tell: most of them are real."""
    telling = 0
    with closing(psycopg.connect(marked, autocommit=True)) as owner:
        for statement in STATEMENTS.values():
            if "{" not in statement and "pg_sleep" not in statement:
                told(owner, "begin; set local transaction_read_only = on; set local search_path = public")
                telling += bool(SECRET.search(told(owner, statement)))
                told(owner, "rollback")
    assert telling >= 15


def test_no_chunk_can_be_read(marked: str, session: psycopg.Connection) -> None:
    with psycopg.connect(marked) as owner:
        chunks = owner.execute("select c::text from show_chunks('consumption_hour') c").fetchall()
    assert chunks
    for (chunk,) in chunks:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(f"select * from {chunk}".encode())


def test_the_role_is_read_only_and_limited(marked: str, session: psycopg.Connection) -> None:
    for setting, value in (("default_transaction_read_only", "on"), ("statement_timeout", "20s")):
        row = session.execute(f"show {setting}".encode()).fetchone()
        assert row == (value,)
    with psycopg.connect(marked) as owner:
        rows = owner.execute(
            "select rolconnlimit, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication from pg_roles "
            "where rolname in (select role from board.role where unit_id is not null)"
        ).fetchall()
    assert rows == [(6, False, False, False, False, False)] * 2


def test_nobody_but_the_owner_can_hold_our_locks_or_fill_the_disk(session: psycopg.Connection) -> None:
    session.execute("set default_transaction_read_only = off")
    for statement in (
        "select pg_advisory_lock(1)",
        "select pg_try_advisory_lock_shared(1)",
        "create temporary table t (a int)",
        "select lo_create(0)",
        "set temp_file_limit = -1",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement.encode())


def test_every_view_of_enterprises_has_its_barrier_where_nobody_may_look(
    marked: str, session: psycopg.Connection
) -> None:
    with psycopg.connect(marked) as owner:
        views = owner.execute(
            "select n.nspname, c.relname, 'security_barrier=true' = any (coalesce(reloptions, '{}')), r.rolname, "
            "r.rolsuper, r.rolbypassrls, r.rolcanlogin from pg_class c join pg_roles r on r.oid = c.relowner "
            "join pg_namespace n on n.oid = c.relnamespace "
            "where n.nspname in ('lens', 'enterprise') and c.relkind = 'v'"
        ).fetchall()
        unbound = owner.execute(
            "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'unit_id' "
            "where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and not c.relrowsecurity "
            "and c.relname not in (select hypertable_name from timescaledb_information.hypertables)"
        ).fetchall()
    for schema in ("lens", "enterprise"):
        assert sorted(view[1] for view in views if view[0] == schema) == sorted(VIEWS)
    assert {view[2:] for view in views if view[0] == "lens"} == {(True, "meterwarden_lens", False, False, False)}
    assert {view[3:] for view in views} == {("meterwarden_lens", False, False, False)}
    assert unbound == []
    for _, view, *_ in views:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(f"select * from lens.{view}".encode())


def test_a_role_goes_with_its_unit(marked: str) -> None:
    address = login(marked, 3)
    with closing(psycopg.connect(address)) as visitor:
        visitor.execute("select 1")
        with psycopg.connect(marked, autocommit=True) as owner:
            role = owner.execute("select role from board.role where unit_id = 3").fetchone()
            assert role is not None
            there = "select count(*) from pg_roles where rolname = %s"  # of this database: others have units, too
            assert owner.execute(there, role).fetchone() == (1,)
            owner.execute("delete from unit where id = 3")
            left = owner.execute(there, role).fetchone()
        with pytest.raises(psycopg.OperationalError):
            visitor.execute("select 1")
    assert left == (0,)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address)


def test_a_role_cannot_connect_to_a_database_that_is_not_its_own(viewer: str, empty_database: str) -> None:
    from deploy.migrate import migrate  # noqa: PLC0415 - as the fixtures do

    migrate(empty_database)
    with psycopg.connect(empty_database, autocommit=True) as owner:
        elsewhere = owner.execute("select datname from pg_database where datallowconn").fetchall()
        owner.execute("select 1")
    other = psycopg.conninfo.make_conninfo(viewer, dbname=empty_database.rpartition("/")[2])
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(other)
    for name in ("postgres", "template1", "meterwarden"):
        assert (name,) in elsewhere
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(psycopg.conninfo.make_conninfo(viewer, dbname=name))
