"""The roles of the program's services: what each may do, and what none of them may."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from analytics.domain.errors import ConfigurationError, StoreUnavailable
from deploy.roles import SERVICES, Service, service_address
from deploy.settings import load
from streams.ports import StoreRejected
from streams.store.access.tenancy import as_staff, as_unit
from streams.store.postgres.connections import Connections
from tests.dashboards.world import World, fill

pytestmark = pytest.mark.integration

SECRET = "of the tests"
T = TypeVar("T")
Ask = Callable[[Callable[[Connections], Awaitable[Any]]], Any]


@pytest.fixture(scope="module")
def region(module_database: str) -> str:
    fill(module_database, World(days=3, hours_days=3, reading_days=1, samples=5))
    return module_database


@pytest.fixture(scope="module")
def addresses(region: str) -> dict[Service, str]:
    return {service: service_address(region, service, secret=SECRET) for service in SERVICES}


@pytest.fixture
def ask(addresses: dict[Service, str]) -> Callable[[Callable[[Connections], Awaitable[T]]], T]:
    """Do something with the API's connections."""

    def asked(work: Callable[[Connections], Awaitable[T]]) -> T:
        async def run() -> T:
            connections = Connections(addresses["api"])
            try:
                return await work(connections)
            finally:
                await connections.close()

        return asyncio.run(run())

    return asked


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_is_more_than_it_must_be(region: str, addresses: dict[Service, str], service: Service) -> None:
    login = conninfo_to_dict(addresses[service])["user"]
    with psycopg.connect(region) as owner:
        row = owner.execute(
            "select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication from pg_roles "
            "where rolname = %s",
            (login,),
        ).fetchone()
        owned = owner.execute("select count(*) from pg_class where relowner = %s::regrole", (login,)).fetchone()
    assert row == (False,) * 5
    assert owned == (0,)


def test_the_api_reads_what_is_shown_and_keeps_the_log_of_logins(addresses: dict[Service, str]) -> None:
    with psycopg.connect(addresses["api"], autocommit=True) as api:
        assert api.execute("select count(*) > 0 from board.view where shared").fetchone() == (True,)
        api.execute("insert into access_log (door, event) values ('api', 'login')")
        assert api.execute("select access_log_trim(200)").fetchone() == (0,)
        for statement in ("delete from access_log", "update access_log set who = ''"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                api.execute(statement)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "statement",
    [
        "create table public.mine (a int4)",
        "drop table unit cascade",
        "alter table unit add column x int4",
        "truncate reading_hot",
        "update reading_hot set value = 0",
        "delete from reading_hot",
        "select drop_chunks('reading_hot', older_than => now())",
        "create role thief",
        "alter role current_user superuser",
        "update schema_migration set checksum = checksum",
        "copy unit to program 'cat'",
        "select pg_read_file('postgresql.conf')",
        "call board.views()",
        "create extension dblink",
    ],
)
def test_no_service_may(addresses: dict[Service, str], service: Service, statement: str) -> None:
    with (
        psycopg.connect(addresses[service], autocommit=True) as connection,
        pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.SyntaxError)),
    ):
        connection.execute(statement.encode())


def test_each_service_is_kept_to_its_work(addresses: dict[Service, str]) -> None:
    refused: dict[Service, tuple[str, ...]] = {
        "worker": ("select * from api_token", "update person set name = ''", "select board.enrol(1)",
                   "select upkeep.retain(now())", "select upkeep.clear('unit')", "select upkeep.seal('unit', 'x')"),
        "sender": ("insert into unit (code, name, version) values ('x', 'x', 1)", "select * from api_token",
                   "update alert set state = 'cleared'", "delete from alert_message"),
        "api": ("insert into reading_hot select * from reading_hot", "delete from consumption_hour",
                "update stream_fence set next_offset = 0", "select board.set_password('x', 'y')",
                "select upkeep.lock('unit', true)"),
        "boards": ("select * from reading_hot", "select * from person", "delete from unit",
                   "select board.set_password('postgres', 'SCRAM-SHA-256$x')"),
    }  # fmt: skip
    for service, statements in refused.items():
        with psycopg.connect(addresses[service], autocommit=True) as connection:
            for statement in statements:
                with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.RaiseException,
                                    psycopg.errors.WrongObjectType)):  # fmt: skip
                    connection.execute(statement.encode())


def test_services_see_every_row(region: str, addresses: dict[Service, str]) -> None:
    with psycopg.connect(region) as owner:
        tables = [row[0] for row in owner.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relrowsecurity "
            "and has_table_privilege('meterwarden_api', oid, 'select')").fetchall()]  # fmt: skip
        for table in tables:
            count = owner.execute(f"select count(*) from {table}".encode()).fetchone()
            with psycopg.connect(addresses["api"]) as connection:
                assert connection.execute(f"select count(*) from {table}".encode()).fetchone() == count, table


def test_an_address_is_one_that_settings_take(addresses: dict[Service, str]) -> None:
    for address in addresses.values():
        assert load({"METERWARDEN_DATABASE": address}).database.dsn == address


def test_a_service_enters_its_own_database_alone(addresses: dict[Service, str]) -> None:
    for service in SERVICES:
        for name in ("postgres", "template1", "meterwarden"):
            with pytest.raises(psycopg.OperationalError, match="permission denied"):
                psycopg.connect(make_conninfo(addresses[service], dbname=name))


def test_an_address_again_is_the_same_and_sessions_go_on(region: str, addresses: dict[Service, str]) -> None:
    with psycopg.connect(addresses["worker"], autocommit=True) as connection:
        assert service_address(region, "worker", secret=SECRET) == addresses["worker"]
        connection.execute("select 1")
    assert service_address(region + "?sslmode=prefer", "worker", secret=SECRET).count("sslmode=prefer") == 1
    with pytest.raises(ConfigurationError, match="must be allowed"):
        service_address(addresses["worker"], "worker", secret=SECRET)


def test_an_enterprise_is_answered_in_its_own_name(ask: Ask) -> None:
    async def seen(api: Connections) -> tuple[set[int], set[int], int, str]:
        async with as_unit(api, 2) as connection:
            rows = await (await connection.execute("select unit_id from unit_day")).fetchall()
        async with as_unit(api, 1) as connection:
            hours = await (await connection.execute("select unit_id from point_hour")).fetchall()
        async with as_staff(api) as connection:
            units = await (await connection.execute("select count(*) from unit_list")).fetchone()
        async with api.connection() as connection:  # the same connection, itself again
            row = await (await connection.execute(
                "select current_user, current_setting('transaction_read_only'), "
                "current_setting('search_path')")).fetchone()  # fmt: skip
        assert units is not None
        assert row is not None
        assert row[1:] == ("off", '"$user", public')
        return {one[0] for one in rows}, {one[0] for one in hours}, units[0], row[0]

    days, hours, units, user = ask(seen)
    assert (days, hours, units) == ({2}, {1}, 2)
    assert user.endswith("_api")


def test_in_an_enterprises_name_nothing_else_can_be_read_or_written(ask: Ask) -> None:
    for statement in (
        "select * from public.unit_day",
        "select * from person",
        "select * from lens.unit_list",
        "insert into alert_event (alert_id, unit_id, action) values (1, 1, 'x')",
        "select set_config('transaction_read_only', 'off', true)",
    ):

        async def tried(api: Connections, statement: str = statement) -> None:
            async with as_unit(api, 1) as connection:
                await connection.execute(statement.encode())

        with pytest.raises((StoreRejected, StoreUnavailable)):  # the latter: read-only
            ask(tried)


def test_a_unit_that_is_none_has_no_name_to_ask_in(ask: Ask) -> None:
    async def tried(api: Connections) -> None:
        async with as_unit(api, 4711):
            pass

    with pytest.raises(StoreRejected, match="of the ledger"):
        ask(tried)


def test_the_api_inherits_nothing_of_enterprises(region: str, addresses: dict[Service, str]) -> None:
    login = conninfo_to_dict(addresses["api"])["user"]
    with psycopg.connect(region) as owner:
        owner.execute("select board.enrol(1)")
        rows = owner.execute(
            "select inherit_option, set_option, admin_option from pg_auth_members m join board.role b "
            "on b.role = m.roleid::regrole::text where m.member = %s::regrole", (login,),
        ).fetchall()  # fmt: skip
    assert rows
    assert set(rows) == {(False, True, False)}


def test_a_viewer_that_undid_its_limits_has_them_again_and_long_sessions_end(
    region: str, addresses: dict[Service, str]
) -> None:
    from tests.dashboards.conftest import login  # noqa: PLC0415 - needed here alone

    viewer = login(region, 1)
    with psycopg.connect(viewer, autocommit=True) as session:
        session.execute("set default_transaction_read_only = off")
        session.execute("alter role current_user set statement_timeout = 0")
        with psycopg.connect(addresses["worker"], autocommit=True) as worker:
            worker.execute("select board.guard()")
    with psycopg.connect(viewer, autocommit=True) as session:
        assert session.execute("show statement_timeout").fetchone() == ("20s",)
