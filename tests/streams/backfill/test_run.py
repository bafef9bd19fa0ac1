"""Runs from readings in memory to result files, against values worked out by hand and against the stream's steps."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.domain.errors import ConfigurationError
from analytics.domain.ledger import Ledger
from analytics.domain.quality import RejectReason
from ingest.readings import FilePart, RowFault
from ingest.result_files import read_results
from ingest.standard_files import read_factors
from ingest.wire import Block, MeterList
from streams.backfill import Report, backfill
from tests.ledgers import ledger_of

ZONE = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 11, 20)
Reading = tuple[str, str, str, float, str]
"""unit_code, meter_no, local time on 2026-11-…, value, unit."""


def us(text: str) -> int:
    return round(datetime.fromisoformat(f"2026-11-{text}+08:00").timestamp()) * 1_000_000


@dataclass
class Memory:
    """A file of readings that lies in memory; every reading is a block of its own."""

    readings: Sequence[Reading]
    faults: Sequence[RowFault] = ()
    name: str = "memory.csv"

    @property
    def likely_readings(self) -> int:
        return len(self.readings)

    def parts(self) -> Iterator[FilePart]:
        for row, (unit_code, meter, at, value, unit) in enumerate(self.readings, 2):
            yield FilePart(blocks=[block_of(row, unit_code, meter, us(at), value, unit)], faults=[], share=0.5)
        yield FilePart(blocks=[], faults=self.faults, share=1.0)


def block_of(row: int, unit_code: str, meter: str, at_us: int, value: float, unit: str) -> Block:
    zero = np.zeros(1, np.int32)
    return Block(
        unit_code=unit_code, meters=MeterList.of([meter]), meter=zero, measured_at=np.array([at_us]),
        value=np.array([value]), units=(unit,), unit=zero.astype(np.uint8), received_at=np.array([at_us + 1_000_000]),
        quality=zero.astype(np.int16), message=zero + row, position=zero,
    )  # fmt: skip


LEDGER = ledger_of(
    {"unit_code": "A", "point": "in", "meter_no": "M1", "multiplier": 10.0, "interval_s": 3600.0, "full_scale": 1e6},
    {"unit_code": "A", "point": "sub", "meter_no": "M2", "parent_point": "in", "level": "sub_unit", "sub_unit": "W"},
    {"unit_code": "B", "point": "gas", "meter_no": "M1", "carrier": "natural_gas", "unit": "Nm3"},
)
READINGS: list[Reading] = [
    ("A", "M1", "20 02:00", 104.0, "kWh"),
    ("A", "M1", "20 00:00", 100.0, "kWh"),
    ("A", "M1", "20 01:00", 101.5, "kWh"),
    ("A", "M1", "20 01:00", 101.5, "kWh"),  # once more
    ("A", "M1", "20 02:00", 105.0, "kWh"),  # another value for the same time
    ("A", "M2", "20 00:00", 0.007, "MWh"),
    ("A", "M2", "20 02:00", 13.0, "kWh"),
    ("B", "M1", "20 00:00", 5.0, "Nm3"),
    ("B", "M1", "20 03:00", 11.0, "Nm3"),
    ("B", "M1", "20 03:30", 1.0, "GJ"),
    ("B", "M9", "20 03:30", 1.0, "Nm3"),
    ("C", "M1", "20 03:30", 1.0, "Nm3"),
]


def run(out: Path, readings: Sequence[Reading] = READINGS, ledger: Ledger = LEDGER, **options: Any) -> Report:
    return backfill(ledger, [Memory(readings)], out, zone=ZONE, factors=read_factors(), **options)


def rows_of(out: Path, name: str, *columns: str) -> list[tuple[Any, ...]]:
    table = read_results(out, name).select(columns).to_pylist()
    return [tuple(row.values()) for row in table]


def local(start: datetime) -> str:
    return f"{start.astimezone(ZONE):%d %H:%M}"


def test_two_units_give_the_hours_worked_out_by_hand(tmp_path: Path) -> None:
    report = run(tmp_path / "out")
    hours = rows_of(
        tmp_path / "out", "consumption_hour", "unit_code", "point", "carrier", "start", "amount", "unit", "completeness"
    )
    assert [(*row[:3], local(row[3]), *row[4:]) for row in hours] == [
        ("A", "in", "electricity", "20 00:00", 15.0, "kWh", 1.0),
        ("A", "in", "electricity", "20 01:00", 25.0, "kWh", 1.0),
        ("A", "sub", "electricity", "20 00:00", 3.0, "kWh", 1.0),
        ("A", "sub", "electricity", "20 01:00", 3.0, "kWh", 1.0),
        ("B", "gas", "natural_gas", "20 00:00", 2.0, "Nm3", 1.0),
        ("B", "gas", "natural_gas", "20 01:00", 2.0, "Nm3", 1.0),
        ("B", "gas", "natural_gas", "20 02:00", 2.0, "Nm3", 1.0),
    ]
    assert (report.sent, report.accepted, report.rejected) == (12, 7, 5)


def test_totals_of_a_day_carry_coal_equivalent_completeness_and_the_factor(tmp_path: Path) -> None:
    run(tmp_path / "out")
    columns = ("unit_code", "scope", "name", "sub_unit", "carrier", "day", "amount", "unit", "tce", "completeness")
    assert rows_of(tmp_path / "out", "unit_energy_day", *columns) == [
        ("A", "unit", "", "", "electricity", DAY, 40.0, "kWh", pytest.approx(0.004916), np.float32(2 / 24)),
        ("A", "sub_unit", "W", "", "electricity", DAY, 6.0, "kWh", pytest.approx(0.0007374), np.float32(2 / 24)),
        ("B", "unit", "", "", "natural_gas", DAY, 6.0, "Nm3", None, 0.125),
    ]  # fmt: skip
    factors = [factor for (factor,) in rows_of(tmp_path / "out", "unit_energy_day", "factor")]
    assert "0.1229 kgce/kWh; GB/T 2589-2020" in factors[0]
    assert factors[2].startswith("unknown: natural_gas is 1.1 to 1.33")


def test_every_rejected_reading_has_a_row_with_its_place_its_reason_and_itself(tmp_path: Path) -> None:
    run(tmp_path / "out")
    rows = rows_of(tmp_path / "out", "rejected", "row", "reason", "unit_code", "meter_no", "value", "file", "reading")
    assert sorted(row[:5] for row in rows) == [
        (5, "duplicate", "A", "M1", 101.5),
        (6, "conflict", "A", "M1", 105.0),
        (11, "unit_mismatch", "B", "M1", 1.0),
        (12, "unknown_meter", "B", "M9", 1.0),
        (13, "unknown_unit_code", "C", "M1", 1.0),
    ]
    for row in rows:
        sent = json.loads(row[6])
        assert (sent["unit_code"], sent["meter_no"], sent["value"], row[5]) == (*row[2:5], "memory.csv")


def test_a_row_that_gives_no_reading_is_sent_and_rejected(tmp_path: Path) -> None:
    broken = RowFault(
        row=7, column="measured_at", reason=RejectReason.BAD_TIME, required="a time", got="noon",
        payload='{"unit_code":"A","measured_at":"正午"}'.encode(), readings=3, unit_code="A",
    )  # fmt: skip
    source = Memory(READINGS[:3], [broken])
    report = backfill(LEDGER, [source], tmp_path / "out", zone=ZONE, factors=read_factors())
    assert (report.sent, report.accepted, report.rejected) == (6, 3, 3)
    rows = rows_of(tmp_path / "out", "rejected", "row", "reason", "required", "got", "reading", "readings", "file")
    assert rows == [(7, "bad_time", "a time", "noon", '{"unit_code":"A","measured_at":"正午"}', 3, "memory.csv")]


def test_a_day_to_stop_at_leaves_out_what_came_later_but_for_its_closing_midnight(tmp_path: Path) -> None:
    readings: list[Reading] = [
        ("A", "M1", "20 23:00", 100.0, "kWh"),
        ("A", "M1", "21 00:00", 102.0, "kWh"),
        ("A", "M1", "21 01:00", 107.0, "kWh"),
    ]
    report = run(tmp_path / "out", readings, as_of=date(2026, 11, 20))
    assert (report.sent, report.accepted, report.later, report.until_us) == (2, 2, 1, us("21 00:00"))
    assert rows_of(tmp_path / "out", "consumption_hour", "amount", "completeness") == [(20.0, 1.0)]


@pytest.mark.parametrize(("as_of", "silent"), [(date(2026, 11, 20), ["in"]), (None, [])])
def test_silence_is_judged_at_the_end_of_the_day_asked_for_else_at_the_newest_reading(
    tmp_path: Path, as_of: date | None, silent: list[str]
) -> None:
    readings: list[Reading] = [("A", "M1", f"20 0{hour}:00", 100.0 + hour, "kWh") for hour in range(6)]
    run(tmp_path / "out", readings, as_of=as_of)
    found = rows_of(tmp_path / "out", "detections", "point", "kind", "meter_no")
    assert [(point, meter) for point, kind, meter in found if kind == "silence"] == [(point, "M1") for point in silent]


def test_the_hour_that_the_last_reading_reached_is_written_half_full(tmp_path: Path) -> None:
    run(tmp_path / "out", [("A", "M1", "20 00:00", 100.0, "kWh"), ("A", "M1", "20 01:15", 101.0, "kWh")])
    hours = rows_of(tmp_path / "out", "consumption_hour", "amount", "completeness")
    assert hours == [(8.0, 1.0), (2.0, 0.25)]


def test_a_rollover_is_an_event_and_no_detection(tmp_path: Path) -> None:
    readings: list[Reading] = [
        ("A", "M1", "20 00:00", 999_998.0, "kWh"),
        ("A", "M1", "20 01:00", 999_999.0, "kWh"),
        ("A", "M1", "20 02:00", 1.0, "kWh"),
    ]
    report = run(tmp_path / "out", readings)
    assert rows_of(tmp_path / "out", "events", "unit_code", "point", "meter_no", "kind") == [
        ("A", "in", "M1", "rollover")
    ]
    assert rows_of(tmp_path / "out", "detections", "kind") == []
    assert rows_of(tmp_path / "out", "consumption_hour", "amount") == [(10.0,), (20.0,)]
    assert report.detections == {"rollover": 1}


def test_the_order_of_the_files_changes_nothing_but_which_of_two_contradictions_counts(tmp_path: Path) -> None:
    run(tmp_path / "one", READINGS[:4] + READINGS[5:])
    run(tmp_path / "other", (READINGS[:4] + READINGS[5:])[::-1])
    for name in ("consumption_hour", "unit_energy_day", "detections", "events"):
        assert read_results(tmp_path / "one", name).equals(read_results(tmp_path / "other", name)), name


def test_readings_in_pieces_give_what_the_whole_gives(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    pieces = run(tmp_path / "pieces", slice_size=1)
    assert (whole.sent, whole.accepted, whole.reasons) == (pieces.sent, pieces.accepted, pieces.reasons)
    for name in ("consumption_hour", "unit_energy_day", "detections", "events"):
        assert read_results(tmp_path / "whole", name).equals(read_results(tmp_path / "pieces", name)), name


def test_no_readings_give_empty_files(tmp_path: Path) -> None:
    report = run(tmp_path / "out", [])
    assert (report.sent, report.rejected) == (0, 0)
    assert {rows for name, rows in report.rows.items() if name != "observability"} == {0}


def test_nothing_is_left_behind_when_a_file_breaks_off(tmp_path: Path) -> None:
    class Broken(Memory):
        def parts(self) -> Iterator[FilePart]:
            yield next(super().parts())
            raise ConfigurationError("the file ends in the middle")

    with pytest.raises(ConfigurationError, match="in the middle"):
        backfill(LEDGER, [Broken(READINGS)], tmp_path / "out", zone=ZONE, factors=read_factors())
    assert list(tmp_path.iterdir()) == []
