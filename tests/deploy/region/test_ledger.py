"""The region's ledger is one that a unit could hand in: no fault in it, and every kind of fact."""

from collections import Counter
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analytics.domain.ledger import COLUMNS, Level
from analytics.domain.ledger.build import build_ledger
from deploy.region import write_csv, write_xlsx
from deploy.region.meters import canonical_factor
from ingest.ledgers import read_ledger
from tests.deploy.region.regions import month

if TYPE_CHECKING:
    from deploy.region.model import Segment


def test_the_ledger_has_no_faults_and_all_installations() -> None:
    rows = month().ledger_rows
    ledger, faults = build_ledger({name: [row[name] or None for row in rows] for name in COLUMNS})
    assert faults == []
    assert len(ledger.installations) == sum(bool(row["meter_no"]) for row in rows)
    assert len(ledger.unit_codes) == 12
    assert len(ledger.point_codes) == len(month().points)


def test_the_ledger_says_what_a_dial_unit_is_as_the_simulation_has_it() -> None:
    region = month()
    rows = region.ledger_rows
    ledger, _ = build_ledger({name: [row[name] or None for row in rows] for name in COLUMNS})
    points = {(region.units[p.unit].code, p.code): p for p in region.points}
    by_point: dict[tuple[str, str], list[Segment]] = {}
    for segment in region.truth.segments:
        if segment.declared:
            point = region.points[segment.meter.point]
            by_point.setdefault((region.units[point.unit].code, point.code), []).append(segment)
    seen = 0
    for index, code in enumerate(ledger.point_codes):
        key = (ledger.unit_codes[ledger.point_unit[index]], code)
        start, stop = ledger.point_installation_start[index : index + 2]
        factors = ledger.installations.factor[start:stop].tolist()
        assert factors == [s.dial_factor for s in by_point.get(key, [])], key
        assert all(
            f == canonical_factor(points[key], s.meter) for f, s in zip(factors, by_point.get(key, []), strict=True)
        )
        seen += len(factors)
    assert seen == len(ledger.installations)


def test_both_files_read_back_as_the_same_ledger(tmp_path: Path) -> None:
    rows = month().ledger_rows
    write_csv(rows, tmp_path / "ledger.csv")
    write_xlsx(rows, tmp_path / "台账.xlsx")
    left, right = (read_ledger(tmp_path / name) for name in ("ledger.csv", "台账.xlsx"))
    assert left.faults == right.faults == []
    for column in (
        "factor",
        "installed_from",
        "installed_to",
        "full_scale",
        "max_rate",
        "first_reading",
        "last_reading",
    ):
        assert np.array_equal(
            getattr(left.ledger.installations, column), getattr(right.ledger.installations, column), equal_nan=True
        )
    assert left.ledger.point_codes == right.ledger.point_codes
    assert left.ledger.meter_nos == right.ledger.meter_nos


def test_the_ledger_has_levels_exemptions_missing_meters_overdue_verifications_and_replacements() -> None:
    rows = month().ledger_rows
    assert Counter(row["level"] for row in rows).keys() == {level.name.lower() for level in Level}
    assert sum(row["required"] == "no" and row["exemption"] != "" for row in rows) >= 2
    assert sum(row["required"] == "yes" and row["meter_no"] == "" for row in rows) >= 2
    assert sum(row["installed_to"] != "" for row in rows) == 5
    assert sum(row["last_reading"] != "" for row in rows) >= 3
    assert {row["parent_complete"] for row in rows} == {"yes", "no"}
    assert {row["direction"] for row in rows} == {"in", "out", "own"}
    start = date(2026, 10, 24)
    overdue = [
        row
        for row in rows
        if row["verified_on"]
        and (start - date.fromisoformat(row["verified_on"])).days > 30.5 * float(row["cycle_months"])
    ]
    assert 5 <= len(overdue) <= 40


def test_a_changed_ratio_keeps_its_meter_and_a_replacement_does_not() -> None:
    rows = [row for row in month().ledger_rows if row["meter_no"]]
    per_point: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        per_point.setdefault((row["unit_code"], row["point"]), []).append(row["meter_no"])
    twice = [numbers for numbers in per_point.values() if len(numbers) == 2]
    assert sorted(len(set(numbers)) for numbers in twice) == [1, 1, 2, 2, 2]
    for row in rows:
        if row["meter_no"].endswith("R"):
            assert row["first_reading"] != ""
