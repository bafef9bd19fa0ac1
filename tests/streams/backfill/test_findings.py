"""`findings` of a backfill: judged by what its readings say."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingest.result_files import read_results
from ingest.standard_files import read_factors
from streams.backfill import backfill
from tests.analytics.standards.judged import day_of, metered
from tests.ledgers import ledger_of
from tests.streams.backfill.test_run import Memory

SHANGHAI = ZoneInfo("Asia/Shanghai")


def installed(point: str, **facts: object) -> Mapping[str, object]:
    start = (day_of("2026-11-18") * 24 - 8) * 3_600_000_000
    return metered(point, multiplier=1.0, full_scale=1e6, max_rate=1000.0, installed_from=start, purpose="dc", **facts)


def readings(meter: str, hours: range) -> list[tuple[str, str, str, float, str]]:
    return [
        ("U", meter, f"{18 + hour // 24:02d}T{hour % 24:02d}:{minute:02d}:00", 10.0 * hour + minute / 6, "kWh")
        for hour in hours
        for minute in (0, 15, 30, 45)
    ]


@pytest.fixture
def found(tmp_path: Path) -> Sequence[Mapping[str, object]]:
    ledger = ledger_of(
        installed("A"),
        installed("B", verification_due=day_of("2026-11-18")),
        {"point": "C"},
    )
    sent = readings("M-A", range(72)) + readings("M-B", range(30))  # the second falls silent on 2026-11-19 at 06:00
    done = backfill(
        ledger,
        [Memory(sent)],
        tmp_path / "out",
        zone=SHANGHAI,
        factors=read_factors(),
        as_of=date(2026, 11, 20),
    )
    assert done.rows["findings"] > 0
    return read_results(tmp_path / "out", "findings").to_pylist()


def test_findings_of_a_backfill(found: Sequence[Mapping[str, object]]) -> None:
    failed = {(row["rule"], row["point"]): row for row in found if row["verdict"] == "fail"}
    assert set(failed) == {("rate", None), ("verification", "B"), ("silent", "B"), ("completeness", "B")}
    rate = failed["rate", None]
    assert (rate["clause"], rate["level"], rate["carrier"]) == ("4.3.5", "unit", "electricity")
    assert rate["found"] == "66.7 % (2 of 3); 1 within a valid verification"
    assert (rate["meters"], rate["points"]) == ([], ["C"])
    assert rate["as_of"] == date(2026, 11, 20)
    assert rate["edition"] == "GB 17167-2006 (stands in for GB 17167-2025)"
    assert failed["verification", "B"]["next_step_zh"]


def test_files_of_a_backfill_without_readings_judge_the_ledger(tmp_path: Path) -> None:
    ledger = ledger_of(installed("A"), {"point": "C"})
    done = backfill(
        ledger, [Memory([])], tmp_path / "out", zone=SHANGHAI, factors=read_factors(), as_of=date(2026, 11, 20)
    )
    rows = read_results(tmp_path / "out", "findings").to_pylist()
    assert done.sent == 0
    assert {row["rule"] for row in rows if row["verdict"] == "fail"} == {"rate"}
