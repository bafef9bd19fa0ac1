"""Two regions, an instance each, and one view over both: what its staff sees of them, and nobody else."""

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from analytics.domain.errors import ConfigurationError, StoreUnavailable
from deploy import regions
from deploy.cli import cli
from tests.dashboards.conftest import login
from tests.dashboards.world import World, fill

pytestmark = pytest.mark.integration

PLACE = "postgresql://{user}:{password}@{host}:{port}/{dbname}"


@pytest.fixture(scope="module")
def north(module_database: str) -> str:
    return filled(module_database, "N")


@pytest.fixture(scope="module")
def south(other_module_database: str) -> Iterator[str]:
    yield filled(other_module_database, "S")
    with psycopg.connect(other_module_database, autocommit=True) as connection:
        role = connection.execute("select rolname from pg_roles where rolname = current_database() || '_region'")
        for (name,) in role.fetchall():
            for said in ("drop owned by {}", "drop role {}"):
                connection.execute(sql.SQL(said).format(sql.Identifier(name)))


def filled(dsn: str, mark: str) -> str:
    """A region whose units' codes begin with a mark."""
    fill(dsn, World(end=datetime.now(UTC).replace(minute=0, second=0, microsecond=0)))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("update unit set code = %s || code", (mark,))
    return dsn


def address(dsn: str) -> str:
    """Where another instance finds this one, with a new login."""
    user, password = regions.login(dsn)
    facts = {"host": "127.0.0.1", **conninfo_to_dict(dsn), "user": user, "password": password}
    return PLACE.format(**facts)


@pytest.fixture(scope="module")
def both(north: str, south: str) -> str:
    """The northern one, which sees itself and the southern one."""
    regions.join(north, "north", "here")
    regions.join(north, "south", address(south))
    return north


@pytest.mark.parametrize("view", regions.SHARED)
def test_a_view_over_both_shows_what_each_has(both: str, south: str, view: str) -> None:
    query = "select coalesce(md5(string_agg(v::text, '|' order by v::text)), ''), count(*) from ({}) v"
    with psycopg.connect(login(both, None)) as staff, psycopg.connect(south) as there, psycopg.connect(both) as here:
        of = sql.SQL("select (to_jsonb(r) - 'region') from {} r where region = {}")
        for name, own in (("north", here), ("south", there)):
            seen = staff.execute(sql.SQL(query).format(of.format(sql.Identifier("region", view), name))).fetchone()
            whole = sql.SQL("select to_jsonb(r) from {} r").format(sql.Identifier("public", view))
            assert seen == own.execute(sql.SQL(query).format(whole)).fetchone()
            assert seen is not None
            assert seen[1] > 0 or view in {"case_list", "compliance_list", "equipping_rate_list"}


def test_an_enterprise_sees_nothing_of_it_and_a_viewer_no_login(both: str) -> None:
    for unit in (1, None):
        with psycopg.connect(login(both, unit), autocommit=True) as viewer:
            viewer.execute("set default_transaction_read_only = off")  # nothing but a default
            for said in (
                *(["select * from region.unit_list", "select * from region.member"] if unit else []),
                "select * from region_south.unit_list",
                "select umoptions from pg_user_mapping",
                "create foreign table public.t (a int) server region_south",
                "create user mapping for current_user server region_south",
                "select postgres_fdw_disconnect_all()",
                "select * from postgres_fdw_get_connections()",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    viewer.execute(said.encode())
            options = viewer.execute("select umoptions::text from pg_user_mappings").fetchall()
            assert options == [(None,)]


@pytest.fixture
def joined_again(both: str, south: str) -> Iterator[None]:
    """For tests that change the password by which the southern one is asked."""
    yield
    regions.join(both, "south", address(south))


@pytest.mark.usefixtures("joined_again")
def test_the_login_of_a_region_reads_what_its_staff_reads_and_changes_nothing(south: str) -> None:
    there = address(south)
    with psycopg.connect(there, autocommit=True) as viewer:
        assert viewer.execute("select count(*) > 0 from unit_day").fetchone() == (True,)
        for said in (
            "select * from unit",
            "select from person",
            "update unit_list set unit_code = ''",
            "create table x ()",
        ):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
                viewer.execute(said.encode())
    address(south)
    with pytest.raises(psycopg.OperationalError):  # a new password ends the old one
        psycopg.connect(there)


@pytest.mark.usefixtures("joined_again")
def test_a_region_that_left_is_gone_and_one_that_is_away_is_named(
    both: str, south: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERWARDEN_DATABASE", both)
    monkeypatch.setenv("METERWARDEN_KAFKA", "127.0.0.1:1")
    joined = CliRunner().invoke(cli, ["regions", "join", "west", address(south)])
    assert joined.exit_code == 0, joined.output
    regions.login(south)  # now both of its names have a password that no longer holds
    states = {one["name"]: one["answers"] for one in regions.regions(both)}
    assert states == {"north": True, "south": False, "west": False}
    regions.join(both, "south", address(south))
    regions.leave(both, "west")
    assert {one["name"]: one["answers"] for one in regions.regions(both)} == {"north": True, "south": True}
    with pytest.raises(ConfigurationError, match="a region that joined is required"):
        regions.leave(both, "west")


def test_regions_of_two_versions_show_the_columns_that_both_have(both: str) -> None:
    with psycopg.connect(both, autocommit=True) as connection:
        regions.put_away(connection)
        connection.execute("alter view finding_list rename column found_zh to found_in_chinese")  # as a version may
        try:
            regions.bring_back(connection)
            columns = connection.execute(
                "select column_name from information_schema.columns where table_schema = 'region' "
                "and table_name = 'finding_list'"
            ).fetchall()
            assert ("found",) in columns
            assert not {("found_zh",), ("found_in_chinese",)} & set(columns)
        finally:
            regions.put_away(connection)
            connection.execute("alter view finding_list rename column found_in_chinese to found_zh")
            regions.bring_back(connection)
    with psycopg.connect(login(both, None)) as staff:
        assert staff.execute("select count(*) > 0 from region.unit_day").fetchone() == (True,)


@pytest.mark.parametrize(
    ("name", "where", "fault"),
    [
        ("Süd", "here", ConfigurationError),
        ("region", "here", ConfigurationError),
        ("east", "postgresql://127.0.0.1/x", ConfigurationError),
        ("east", "postgresql://a:b@127.0.0.1:1/x", StoreUnavailable),
    ],
)
def test_what_is_no_region_is_refused(north: str, name: str, where: str, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        regions.join(north, name, where)
