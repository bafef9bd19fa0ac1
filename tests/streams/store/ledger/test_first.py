"""A large first ledger goes straight into the tables: they say the same as by the way through the staging table."""

import asyncio
from typing import Any

import psycopg
import pytest

from analytics.domain.ledger import Ledger, build_ledger
from streams.ports import StoreRejected
from streams.rows.layout import StoredLedger
from streams.store.ledger import first, load_ledger, read_ledger
from tests.streams.store.conftest import connected, emptied

pytestmark = pytest.mark.integration

UNITS, POINTS = 12, 1_000
OTHER = "ZZ"
"""A unit that is there before, so that the tables are not empty."""


def row(unit: int, i: int) -> list[dict[str, Any]]:
    """Rows of the i-th point of a unit: most have a meter, some two one after the other, some none."""
    point: dict[str, Any] = {
        "unit_code": f"U{unit:02d}",
        "unit_name": f"第{unit}用能单位",
        "longitude": None if unit == 1 else 118.5 + unit / 8,
        "latitude": None if unit == 1 else 32.25 - unit / 16,
        "level": "unit" if i < 20 else "sub_unit" if i < 100 else "equipment",
        "sub_unit": None if i < 20 or (i % 11 == 0 and i >= 100) else f"车间{i % 7}",
        "equipment": None if i < 100 else f'泵,"{i % 500}"',
        "point": f"P{i:04d}",
        "parent_point": None if i < 20 else f"P{i % 20:04d}" if i < 100 else f"P{20 + i % 80:04d}",
        "parent_complete": "yes" if i % 3 else None,
        "carrier": "electricity" if i % 5 else "natural_gas",
        "rated_power_kw": 110.5 + i if i >= 100 else None,
        "annual_use": 1e6 / (i + 1) if i < 100 else None,
    }
    if i % 97 == 96:
        return [{**point, "required": "no", "exemption": "seasonal"}]
    meter: dict[str, Any] = {
        "meter_no": f"M{i:04d}",
        "serial_no": f"S{unit}/{i}" if i % 13 else None,
        "model": "a'b\\c",
        "instrument": "electricity" if i % 5 else "gas_flow",
        "unit": "MWh" if i % 5 and i % 4 == 0 else "kWh" if i % 5 else "m3",
        "accuracy_class": "0.5S" if i % 5 else "1.5",
        "status": "qualified" if i % 2 else None,
        "multiplier": i % 40 + 1,
        "full_scale": 1e6 if i % 3 else None,
        "interval_s": 900,
        "installed_from": "2024-03-01 08:00",
        "first_reading": i / 7,
        "verified_on": f"2025-{i % 12 + 1:02d}-{i % 28 + 1:02d}" if i % 9 else None,
        "cycle_months": 72 if i % 9 and i % 4 else None,
        "verification_due": "2031-01-01" if i % 4 == 0 else None,
    }
    if i % 10 != 7:
        return [{**point, **meter}]
    later = {**meter, "meter_no": f"N{i:04d}", "serial_no": f"T{unit}/{i}", "installed_from": "2025-05-01 00:00"}
    return [{**point, **meter, "installed_to": "2025-05-01 00:00", "last_reading": 5000.25}, {**point, **later}]


def ledger_of(rows: list[dict[str, Any]]) -> Ledger:
    names = list(dict.fromkeys(name for one in rows for name in one))
    ledger, faults = build_ledger({name: [one.get(name) for one in rows] for name in names})
    assert faults == [], faults[:5]
    return ledger


LARGE = ledger_of([one for unit in range(UNITS) for i in range(POINTS) for one in row(unit, i)])
SMALL = ledger_of([{**row(0, 1)[0], "unit_code": OTHER}])

PLACE = """
select u.code, s.name, e.name from main_equipment e
join unit u on u.id = e.unit_id left join sub_unit s on s.id = e.sub_unit_id
"""
ASKED = {
    "units": "select code, name, longitude, latitude from unit u",
    "versions": "select u.code from ledger_version_unit v join unit u on u.id = v.unit_id",
    "sub_units": "select u.code, s.name from sub_unit s join unit u on u.id = s.unit_id",
    "equipment": PLACE,
    "points": "select u.code, q.code, s.name, e.name, to_jsonb(p) - array['id', 'unit_id', 'parent_id', 'sub_unit_id', "
    "'equipment_id'] from metering_point p join unit u on u.id = p.unit_id left join sub_unit s on s.id = p.sub_unit_id"
    " left join main_equipment e on e.id = p.equipment_id left join metering_point q on q.id = p.parent_id",
    "exemptions": "select u.code, p.code, x.reason from exemption x join metering_point p on p.id = x.point_id "
    "join unit u on u.id = x.unit_id and u.id = p.unit_id",
    "meters": "select u.code, r.name, m.meter_no, m.serial_no from meter m join unit u on u.id = m.unit_id "
    "join register r on r.meter_id = m.id and r.unit_id = u.id",
    "installations": "select u.code, p.code, m.meter_no, to_jsonb(i) - array['id', 'unit_id', 'point_id', 'meter_id'] "
    "from installation i join unit u on u.id = i.unit_id join metering_point p on p.id = i.point_id "
    "join meter m on m.id = i.meter_id",
    "verifications": "select u.code, m.meter_no, to_jsonb(v) - array['meter_id', 'unit_id'] from verification v "
    "join meter m on m.id = v.meter_id join unit u on u.id = v.unit_id",
}
SCHEMA = """
select c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid), c.convalidated from pg_constraint c
where c.conrelid = any('{unit,sub_unit,main_equipment,metering_point,exemption,meter,register,installation,
                         verification}'::regclass[])
union all
select tablename, indexname, indexdef, true from pg_indexes where schemaname = 'public' order by 1, 2, 3
"""


def said(dsn: str) -> dict[str, list[tuple[Any, ...]]]:
    """What the tables say of the large ledger, without the ids."""
    with psycopg.connect(dsn) as connection:
        return {
            name: connection.execute(
                f"select t::text from ({query} where u.code <> '{OTHER}') t order by 1".encode()
            ).fetchall()
            for name, query in ASKED.items()
        }


def schema(dsn: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(SCHEMA.encode()).fetchall()


async def loaded(dsn: str, *ledgers: Ledger) -> StoredLedger:
    async with connected(dsn) as connection:
        for ledger in ledgers:
            report = await load_ledger(connection, ledger, "test")
            assert report.loaded, report.faults
        return await read_ledger(connection)


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each load went straight into the tables."""
    asked: list[bool] = []
    taken_alone = first.taken_alone

    async def noted(connection: psycopg.AsyncConnection, ledger: Ledger) -> bool:
        asked.append(await taken_alone(connection, ledger))
        return asked[-1]

    monkeypatch.setattr(first, "taken_alone", noted)
    return asked


def test_tables_keys_and_ids_are_as_by_the_way_of_staging(
    module_database: str, other_module_database: str, staged: list[bool]
) -> None:
    straight, other = emptied(module_database), emptied(other_module_database)
    before = schema(straight)
    stored = asyncio.run(loaded(straight, LARGE))
    asyncio.run(loaded(other, SMALL, LARGE))
    assert staged == [True, False, False]
    assert schema(straight) == before  # every key and index is back, and valid
    for name, rows in said(other).items():
        assert said(straight)[name] == rows, name
    with psycopg.connect(straight) as connection:
        codes: dict[int, object] = dict(connection.execute("select id, code from metering_point").fetchall())
        numbers: dict[int, object] = dict(connection.execute("select id, meter_no from meter").fetchall())
        owners: dict[int, object] = dict(connection.execute("select id, meter_id from register").fetchall())
        units: dict[int, object] = dict(connection.execute("select id, code from unit").fetchall())
    assert [codes[i] for i in stored.point_ids.tolist()] == list(LARGE.point_codes)
    assert [numbers[i] for i in stored.meter_ids.tolist()] == list(LARGE.meter_nos)
    assert [owners[i] for i in stored.register_ids.tolist()] == stored.meter_ids.tolist()
    assert [units[i] for i in stored.unit_ids.tolist()] == list(LARGE.unit_codes)


def test_the_next_load_goes_on_with_ids_that_nothing_has(module_database: str, staged: list[bool]) -> None:
    dsn = emptied(module_database)
    stored = asyncio.run(loaded(dsn, LARGE))
    after = asyncio.run(loaded(dsn, SMALL))
    assert staged == [True, False]
    for name in ("unit_ids", "point_ids", "meter_ids", "register_ids"):
        assert set(getattr(stored, name).tolist()) < set(getattr(after, name).tolist())


def test_who_reads_the_tables_is_not_waited_for(module_database: str, staged: list[bool]) -> None:
    dsn = emptied(module_database)
    with psycopg.connect(dsn) as reader:
        reader.execute("select count(*) from meter")
        stored = asyncio.run(loaded(dsn, LARGE))
    assert staged == [False]
    assert len(stored.meter_ids) == len(LARGE.meter_nos)


def test_a_load_that_breaks_off_leaves_keys_and_nothing_else(
    module_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = emptied(module_database)
    before = schema(dsn)
    certificates = first._Rows._verifications

    def twice(rows: Any) -> dict[str, Any]:
        return {name: [*column, column[0]] for name, column in certificates(rows).items()}

    monkeypatch.setattr(first._Rows, "_verifications", twice)
    with pytest.raises(StoreRejected, match=r"23505.*unique"):
        asyncio.run(loaded(dsn, LARGE))
    assert schema(dsn) == before
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select (select count(*) from unit), (select count(*) from meter)").fetchone() == (
            0,
            0,
        )


def test_a_row_without_an_owner_is_refused(module_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dsn = emptied(module_database)
    installations = first._Rows._installations

    def strange(rows: Any) -> dict[str, Any]:
        columns = installations(rows)
        return {**columns, "meter_id": columns["meter_id"] + 10_000_000}

    monkeypatch.setattr(first._Rows, "_installations", strange)
    with pytest.raises(StoreRejected, match="foreign key"):
        asyncio.run(loaded(dsn, LARGE))
