"""Migrations: each file once, in order, unedited; on an empty database and on a filled one."""

from collections.abc import Sequence
from importlib.resources import files
from zoneinfo import ZoneInfo

import psycopg
import pytest

from analytics.domain.errors import ConfigurationError, StoreUnavailable
from analytics.domain.units import unit_of
from deploy import migrate as module
from deploy.migrate import Migration, migrate, migrations, pending
from deploy.roles import service_address
from streams.ports import StoreRejected
from streams.store.site import Site
from streams.store.views import VIEWS

SHANGHAI = Site(zone=ZoneInfo("Asia/Shanghai"))


def asked(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def only(monkeypatch: pytest.MonkeyPatch, known: Sequence[Migration]) -> None:
    monkeypatch.setattr(module, "migrations", lambda: tuple(known))


def test_each_migration_has_a_number_of_its_own_and_they_rise() -> None:
    numbers = [migration.number for migration in migrations()]
    assert numbers[0] == 1
    assert numbers == sorted(set(numbers))
    assert len({migration.name for migration in migrations()}) == len(migrations())


@pytest.mark.integration
def test_a_file_with_a_lower_number_than_the_newest_applied_is_still_applied(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = migrations()
    later = Migration(9002, "9002_later.sql", "create table later (id int)")
    only(monkeypatch, [*whole, later])
    migrate(empty_database)
    only(monkeypatch, [*whole, Migration(9001, "9001_earlier.sql", "create table earlier (id int)"), later])
    assert migrate(empty_database) == ["9001_earlier.sql"]
    assert pending(empty_database) == []


@pytest.mark.integration
def test_an_empty_database_is_migrated_once(empty_database: str) -> None:
    names = [migration.name for migration in migrations()]
    assert pending(empty_database) == names
    assert migrate(empty_database) == names
    assert pending(empty_database) == []
    assert migrate(empty_database) == []
    tables = asked(empty_database, "select table_name from information_schema.views where table_schema = 'public'")
    assert {name for (name,) in tables} >= set(VIEWS)


@pytest.mark.integration
def test_a_filled_database_keeps_what_it_has(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = migrations()
    only(monkeypatch, whole[:4])
    assert len(migrate(empty_database)) == 4
    asked(
        empty_database,
        "insert into reading_hot "
        "select now() - i * interval '1 minute', now(), i, 1, 0, 1 from generate_series(1, 9999) i",
    )
    only(monkeypatch, whole)
    assert migrate(empty_database) == [migration.name for migration in whole[4:]]
    assert asked(empty_database, "select count(*), sum(value) from reading_hot") == [(9999, 49995000.0)]


@pytest.mark.integration
def test_a_file_that_was_edited_is_refused(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(empty_database)
    whole = migrations()
    only(monkeypatch, [whole[0]._replace(text=whole[0].text + "-- "), *whole[1:]])
    with pytest.raises(ConfigurationError, match=r"0001_ledger\.sql must be what was applied"):
        migrate(empty_database)


@pytest.mark.integration
def test_a_database_of_a_newer_version_is_refused(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(empty_database)
    only(monkeypatch, migrations()[:-1])
    with pytest.raises(ConfigurationError, match="must not be newer"):
        migrate(empty_database)


@pytest.mark.integration
def test_a_service_s_login_sees_whether_the_schema_is_there_and_changes_nothing(database: str) -> None:
    worker = service_address(database, "worker", secret="of the tests")
    assert migrate(worker, site=SHANGHAI) == []
    newest = "(select max(number) from schema_migration)"
    gone = asked(database, f"delete from schema_migration where number = {newest} returning name")
    assert pending(worker) == [name for (name,) in gone]
    with pytest.raises(ConfigurationError, match=r"must be of this version: `meterwarden migrate` by its owner"):
        migrate(worker)


def test_a_file_that_fails_leaves_the_ones_before_it(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Migration(3, "0003_broken.sql", "create table half (id int); select 1 / 0;")
    only(monkeypatch, [*migrations()[:2], broken])
    with pytest.raises(StoreRejected, match="division by zero"):
        migrate(empty_database)
    assert asked(empty_database, "select max(number) from schema_migration") == [(2,)]
    assert asked(empty_database, "select to_regclass('half') is null") == [(True,)]


@pytest.mark.integration
def test_a_database_that_is_not_there_is_told() -> None:
    with pytest.raises(StoreUnavailable, match="must answer"):
        migrate("postgresql://nobody@127.0.0.1:1/nothing")


@pytest.mark.integration
def test_units_of_measurement_are_in_the_database(database: str) -> None:
    assert asked(database, "select code, symbol from measure_unit where code in (1, 8, 30) order by 1") == [
        (code, unit_of(code).symbol) for code in (1, 8, 30)
    ]


@pytest.mark.integration
def test_a_site_is_settled_and_a_new_zone_makes_days_stale(database: str) -> None:
    migrate(database, site=SHANGHAI)
    asked(
        database,
        "insert into ledger_version (source, row_count, sha256, blob) values ('', 0, sha256(''), '');"
        "insert into unit (code, name, version) values ('U', 'U', 1);"
        "insert into consumption_hour (start, amount, point_id, unit_id, completeness, measured, quality) "
        "select '2026-01-01 00:00Z'::timestamptz + h * interval '1 hour', 1, 1, 1, 1, 1, 0 "
        "from generate_series(0, 9) h",
    )
    migrate(database, site=SHANGHAI)
    assert asked(database, "select count(*) from dirty_hour") == [(0,)]
    migrate(database, site=Site(zone=ZoneInfo("Europe/Berlin"), chunk_h=4, retain_days=30))
    assert asked(database, "select local_zone(), extract(hour from last_hour - first_hour)::int from dirty_hour") == [
        ("Europe/Berlin", 9)
    ]
    assert asked(
        database,
        "select extract(epoch from time_interval)::int from timescaledb_information.dimensions "
        "where hypertable_name = 'reading_hot'",
    ) == [(4 * 3600,)]
    assert asked(database, "select value from store_setting where name = 'retain_days'") == [("30",)]
    migrate(database)
    assert asked(database, "select local_zone()") == [("Europe/Berlin",)]
    migrate(database, site=SHANGHAI)
    assert asked(database, "select count(*) from store_setting where name = 'retain_days'") == [(0,)]


@pytest.mark.integration
def test_the_apache_edition_has_no_columnstore_and_its_view_can_be_made_ready_for_one(database: str) -> None:
    assert asked(database, "select current_setting('timescaledb.license')") == [("apache",)]
    text = (files("deploy.migrations") / module.EDITION_FILE).read_text("utf-8")
    blocks = [block + "$$;" for block in text.split("$$;") if "create or replace view" in block]
    (rewrite,) = blocks
    asked(database, rewrite[rewrite.index("do $$") :])
    ((definition,),) = asked(database, "select pg_get_viewdef('reading'::regclass)")
    assert "xmin" not in str(definition)
    assert asked(database, "select stored_at from reading") == []
