"""The ledger in the database: a version for each load, all or nothing, read back as of any of them."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg
import pytest

from analytics.domain.errors import RegistryError
from analytics.domain.ledger import Ledger, build_ledger
from streams.ports import StoreRejected
from streams.rows.layout import StoredLedger
from streams.store.ledger import LoadReport, load_ledger, read_ledger
from tests.streams.store.conftest import connected, opened

pytestmark = pytest.mark.integration

START = datetime(2025, 12, 31, 16, tzinfo=UTC)
POINT = {
    "unit_code": "U1",
    "unit_name": "First",
    "level": "unit",
    "point": "P1",
    "carrier": "electricity",
    "meter_no": "M1",
    "instrument": "electricity",
    "unit": "kWh",
    "multiplier": 40.0,
    "installed_from": "2026-01-01",
    "verified_on": "2025-12-01",
    "cycle_months": 72,
    "accuracy_class": "0.5S",
    "status": "qualified",
}


def ledger_of(*changes: Mapping[str, Any]) -> Ledger:
    rows = [{**POINT, **change} for change in changes]
    for row in rows:
        row.setdefault("serial_no", f"S{row['meter_no']}" if row["meter_no"] else None)
    names = sorted({name for row in rows for name in row})
    ledger, faults = build_ledger({name: [row.get(name) for row in rows] for name in names})
    assert faults == []
    return ledger


U1: tuple[Mapping[str, Any], ...] = (
    {},
    {"point": "P2", "meter_no": "M2", "level": "sub_unit", "sub_unit": "一车间", "parent_point": "P1"},
    {
        "point": "P3",
        "meter_no": "M3",
        "level": "equipment",
        "sub_unit": "一车间",
        "equipment": "pump",
        "parent_point": "P2",
        "max_rate": 100.5,
        "full_scale": 1e6,
    },
)
U2 = ({"unit_code": "U2", "unit_name": "二", "unit": "MWh"},)
BARE = {
    "point": "P9",
    "meter_no": None,
    "unit": None,
    "instrument": None,
    "installed_from": None,
    "required": "no",
    "exemption": "seasonal",
    "multiplier": None,
    "verified_on": None,
    "cycle_months": None,
    "accuracy_class": None,
    "status": None,
}


async def loaded(dsn: str, *ledgers: Ledger, correct: bool = False) -> list[LoadReport]:
    async with connected(dsn) as connection:
        return [await load_ledger(connection, ledger, f"file {i}", correct=correct) for i, ledger in enumerate(ledgers)]


def load(dsn: str, *ledgers: Ledger, correct: bool = False) -> list[LoadReport]:
    return asyncio.run(loaded(dsn, *ledgers, correct=correct))


def read(dsn: str, version: int | None = None, units: Any = None) -> StoredLedger:
    async def scenario() -> StoredLedger:
        async with connected(dsn) as connection:
            return await read_ledger(connection, version, units)

    return asyncio.run(scenario())


def asked(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def same(a: Ledger, b: Ledger) -> bool:
    return (
        all(list(a.rows.values(name)) == list(b.rows.values(name)) for name in a.rows.columns)
        and a.installations.factor.tolist() == b.installations.factor.tolist()
    )


def test_before_the_first_load_the_ledger_is_empty(empty: str) -> None:
    stored = read(empty)
    assert stored.version == 0
    assert len(stored.ledger.unit_codes) == 0


def test_a_ledger_comes_back_as_it_was_loaded(empty: str) -> None:
    ledger = ledger_of(*U1, *U2, BARE)
    (report,) = load(empty, ledger)
    assert (report.version, report.loaded, report.units, report.points, report.meters) == (1, True, 2, 5, 4)
    stored = read(empty)
    assert same(stored.ledger, ledger)
    codes = dict(asked(empty, "select id, code from metering_point"))
    assert [codes[i] for i in stored.point_ids.tolist()] == list(ledger.point_codes)
    meters = dict(asked(empty, "select id, meter_no from meter"))
    assert [meters[i] for i in stored.meter_ids.tolist()] == list(ledger.meter_nos)
    registers = dict(asked(empty, "select id, meter_id from register"))
    assert [registers[i] for i in stored.register_ids.tolist()] == stored.meter_ids.tolist()
    units = dict(asked(empty, "select id, code from unit"))
    assert [units[i] for i in stored.unit_ids.tolist()] == ["U1", "U2"]


def test_the_tables_say_what_the_file_says(empty: str) -> None:
    load(empty, ledger_of(*U1, *U2, BARE))
    assert asked(
        empty,
        "select p.code, q.code, p.level, s.name, e.name, p.required, x.reason, m.symbol from metering_point p "
        "join unit u on u.id = p.unit_id left join metering_point q on q.id = p.parent_id "
        "left join sub_unit s on s.id = p.sub_unit_id left join main_equipment e on e.id = p.equipment_id "
        "left join exemption x on x.point_id = p.id join measure_unit m on m.code = p.amount_unit "
        "where u.code = 'U1' order by 1",
    ) == [
        ("P1", None, "unit", None, None, True, None, "kWh"),
        ("P2", "P1", "sub_unit", "一车间", None, True, None, "kWh"),
        ("P3", "P2", "equipment", "一车间", "pump", True, None, "kWh"),
        ("P9", None, "unit", None, None, False, "seasonal", "kWh"),
    ]
    assert asked(
        empty,
        "select p.code, t.meter_no, t.serial_no, i.installed_from, i.installed_to = 'infinity', i.multiplier, "
        "m.symbol, i.full_scale, i.max_rate, i.first_reading, i.accuracy_class, i.status from installation i "
        "join metering_point p on p.id = i.point_id join meter t on t.id = i.meter_id "
        "join measure_unit m on m.code = i.measure_unit where i.installed_from = '2026-01-01 00:00+08' "
        "and p.code in ('P1', 'P3') order by i.unit_id, 1",
    ) == [
        ("P1", "M1", "SM1", START, True, 40.0, "kWh", None, None, None, "0.5S", "qualified"),
        ("P3", "M3", "SM3", START, True, 40.0, "kWh", 1e6, 100.5, None, "0.5S", "qualified"),
        ("P1", "M1", "SM1", START, True, 40.0, "MWh", None, None, None, "0.5S", "qualified"),
    ]
    assert len(asked(empty, "select from verification where verified_on = '2025-12-01' and cycle_months = 72")) == 4


def test_a_unit_is_where_its_newest_ledger_puts_it(empty: str) -> None:
    where = "select unit_code, longitude, latitude from unit_list order by 1"
    here, there = {"longitude": "118.7969", "latitude": 32.0603}, {"longitude": -0.5, "latitude": -33.9}
    load(empty, ledger_of(here, *U2))
    assert asked(empty, where) == [("U1", 118.7969, 32.0603), ("U2", None, None)]
    (report,) = load(empty, ledger_of(there))
    assert report.loaded
    assert asked(empty, where) == [("U1", -0.5, -33.9), ("U2", None, None)]
    assert read(empty).ledger.unit_longitude.tolist()[0] == -0.5
    (report,) = load(empty, ledger_of({}))
    assert report.loaded
    assert asked(empty, where) == [("U1", None, None), ("U2", None, None)]


def test_the_same_ledger_again_is_no_new_version(empty: str) -> None:
    ledger = ledger_of(*U1)
    first, second = load(empty, ledger, ledger)
    assert (first.loaded, second.loaded, second.version) == (True, False, 1)


def test_a_newer_ledger_replaces_its_units_and_keeps_ids_and_others(empty: str) -> None:
    before = ledger_of(*U1, *U2)
    load(empty, before)
    was = read(empty)
    replaced = (
        {**U1[0], "installed_to": "2026-06-01", "last_reading": 900.0},
        {"meter_no": "M4", "installed_from": "2026-06-01", "first_reading": 0.0, "verified_on": "2026-05-01"},
        *U1[1:],
    )
    after = ledger_of(*replaced)
    (report,) = load(empty, after)
    assert (report.version, report.changes.added, report.changes.changed) == (2, 1, 1)
    now = read(empty)
    assert same(now.ledger, ledger_of(*replaced, *U2))
    assert now.point_ids.tolist() == was.point_ids.tolist()
    assert set(was.meter_ids.tolist()) < set(now.meter_ids.tolist())
    assert same(read(empty, 1).ledger, before)
    assert read(empty, 1).register_ids.tolist() == was.register_ids.tolist()
    ended = asked(empty, "select count(*) from installation where installed_to = '2026-06-01 00:00+08'")
    assert ended == [(1,)]


def test_what_is_missing_is_a_fault_and_nothing_is_loaded(empty: str) -> None:
    load(empty, ledger_of(*U1))
    before = asked(empty, "select (select count(*) from installation), (select max(id) from ledger_version)")
    (report,) = load(empty, ledger_of(U1[0], U1[1], {**U1[2], "meter_no": "M30"}))
    assert not report.loaded
    assert report.version == 1
    assert len(report.faults) == 1
    assert "'M3'" in report.faults[0].required
    assert asked(empty, "select (select count(*) from installation), (select max(id) from ledger_version)") == before


def test_a_correction_moves_a_start_and_withdraws_what_never_was(empty: str) -> None:
    before = ledger_of(
        {"installed_to": "2026-03-01", "last_reading": 9.0},
        {"meter_no": "M4", "installed_from": "2026-03-01"},
        *U1[1:],
    )
    load(empty, before)
    rows = (
        "select p.code, m.meter_no, i.installed_from, i.id from installation i"
        " join metering_point p on p.id = i.point_id join meter m on m.id = i.meter_id"
    )
    was = {(point, meter): (start, key) for point, meter, start, key in asked(empty, rows)}
    after = ledger_of({"installed_from": "2026-02-01"}, {**U1[1], "meter_no": "M20"}, U1[2])
    (report,) = load(empty, after, correct=True)
    assert (report.version, report.loaded) == (2, True)
    assert len(report.changes.withdrawn) == 3
    now = {(point, meter): (start, key) for point, meter, start, key in asked(empty, rows)}
    assert set(now) == {("P1", "M1"), ("P2", "M20"), ("P3", "M3")}
    assert now["P1", "M1"] == (datetime(2026, 1, 31, 16, tzinfo=UTC), was["P1", "M1"][1]), "the same row, put right"
    assert now["P3", "M3"] == was["P3", "M3"]
    assert same(read(empty).ledger, after)
    assert same(read(empty, 1).ledger, before), "what was loaded before can still be read"


def test_a_load_that_breaks_off_leaves_nothing(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("alter table verification add constraint never check (meter_id is null)")
    try:
        with pytest.raises(StoreRejected):
            load(empty, ledger_of(*U1))
        assert asked(empty, "select count(*) from unit") == [(0,)]
        assert asked(empty, "select count(*) from metering_point") == [(0,)]
        assert read(empty).version == 0
    finally:
        with psycopg.connect(empty, autocommit=True) as connection:
            connection.execute("alter table verification drop constraint never")


def test_an_exemption_that_is_withdrawn_is_gone(empty: str) -> None:
    load(empty, ledger_of(*U1, BARE), ledger_of(*U1, {**BARE, "required": "yes", "exemption": None}))
    assert asked(empty, "select count(*) from exemption") == [(0,)]
    assert len(read(empty, 1).ledger.point_exemption) == 4
    assert "seasonal" in read(empty, 1).ledger.point_exemption


def test_some_units_can_be_read_alone(empty: str) -> None:
    load(empty, ledger_of(*U1), ledger_of(*U2), ledger_of({"unit_code": "U0"}))
    both = read(empty, units=lambda code: code != "U1")
    assert both.ledger.unit_codes == ("U0", "U2")
    assert len(both.register_ids) == 2
    whole = read(empty)
    assert whole.ledger.unit_codes == ("U0", "U1", "U2")
    assert same(whole.ledger, ledger_of(*U1, *U2, {"unit_code": "U0"}))
    assert read(empty, units=lambda _: False).ledger.unit_codes == ()


def test_partitions_that_ask_for_their_units_share_what_is_read(empty: str) -> None:
    load(empty, ledger_of(*U1), ledger_of(*U2))

    async def scenario() -> None:
        async with opened(empty) as store:
            first, second = await asyncio.gather(
                store.ledger(2, lambda code: code == "U1"), store.ledger(2, lambda code: code == "U2")
            )
            assert same(first.ledger, ledger_of(*U1))
            assert same(second.ledger, ledger_of(*U2))
            assert set(first.point_ids.tolist()).isdisjoint(second.point_ids.tolist())
            assert (await store.ledger(1, lambda _: True)).ledger.unit_codes == ("U1",)
            assert (await store.ledger(2, lambda _: False)).ledger.unit_codes == ()
            with pytest.raises(RegistryError, match="up to 2"):
                await store.ledger(3, lambda _: True)

    asyncio.run(scenario())


def test_versions_that_were_never_loaded_are_told_apart(empty: str) -> None:
    load(empty, ledger_of(*U1))
    assert read(empty, 0).ledger.unit_codes == ()
    with pytest.raises(RegistryError, match="up to 1"):
        read(empty, 2)


def test_text_that_is_hard_to_quote_comes_back(empty: str) -> None:
    nasty = '",\\N\\.;\'  ½"'
    ledger = ledger_of({"place": nasty, "name": "\\.", "model": "\\N"})
    load(empty, ledger)
    assert same(read(empty).ledger, ledger)
    assert asked(empty, "select place, name, model from installation") == [
        (ledger.rows.text("place").values[0], "\\.", "\\N")
    ]


def test_two_loads_at_once_do_not_lose_each_other(empty: str) -> None:
    ledgers = [ledger_of({"unit_code": f"U{i}"}) for i in range(4)]

    async def scenario() -> None:
        reports = await asyncio.gather(*(loaded(empty, ledger) for ledger in ledgers))
        assert sorted(report.version for (report,) in reports) == [1, 2, 3, 4]

    asyncio.run(scenario())
    assert read(empty).ledger.unit_codes == ("U0", "U1", "U2", "U3")


def test_a_ledger_of_some_thousand_rows_keeps_row_and_id_together(empty: str) -> None:
    rows = [
        {"unit_code": f"U{u:02d}", "point": f"P{p:03d}", "meter_no": f"M{p:03d}", "serial_no": f"S{u}/{p}"}
        for u in range(20)
        for p in range(100)
    ]
    load(empty, ledger_of(*rows))
    stored = read(empty, units=lambda code: code in {"U03", "U17"})
    serials = dict(asked(empty, "select id, serial_no from meter"))
    assert [serials[i] for i in stored.meter_ids.tolist()] == [f"S{u}/{p}" for u in (3, 17) for p in range(100)]
    assert np.unique(stored.point_ids).size == 200
