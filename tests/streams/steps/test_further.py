"""Further registers through the step: readings accounted for, in their own quantity, held against the main one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.domain.quality import DetectionKind, ReadingFlag, RejectReason
from analytics.health.sensitivity import SiteVerdict, StandingVerdict, factor_of
from ingest.readings import FilePart
from ingest.result_files import read_results
from ingest.standard_files import read_factors
from ingest.wire import Block, MeterList
from streams.backfill import backfill
from streams.rows.detections import (
    energy_affected,
    evidence,
    evidence_json,
    last_of_each_event,
    likely_ratios,
    magnitude,
    magnitude_range,
    magnitude_unit,
)
from streams.steps.ledger_change import switch
from streams.steps.state import PartitionState, rules_of
from streams.steps.step import step
from tests.ledgers import ledger_of

ZONE = ZoneInfo("Asia/Shanghai")
QUARTER_US = 900_000_000
START = 1_767_225_600_000_000
METER = {"installed_from": START - 400 * 86_400_000_000, "multiplier": 40.0, "interval_s": 900.0, "max_rate": 100.0}
LEDGER = ledger_of(
    {**METER, "point": "P1", "meter_no": "M1", "accuracy_class": "1.0"},
    {**METER, "point": "P2", "meter_no": "M2", "multiplier": 1.0},
)


def block_of(rows: list[tuple[str, int, float, str]]) -> Block:
    """Block of `(meter and register, measured_at, value, unit)` rows, each received at once."""
    names, units = sorted({row[0] for row in rows}), sorted({row[3] for row in rows})
    at = np.array([row[1] for row in rows], np.int64)
    return Block(
        unit_code="U",
        meters=MeterList.of(names),
        meter=np.array([names.index(row[0]) for row in rows], np.uint16),
        measured_at=at,
        value=np.array([row[2] for row in rows]),
        units=tuple(units),
        unit=np.array([units.index(row[3]) for row in rows], np.uint8),
        received_at=at + 1_000_000,
        quality=np.zeros(len(rows), np.int16),
        message=np.zeros(len(rows), np.int32),
        position=np.arange(len(rows), dtype=np.int32),
    )


def month(days: int, *, ratio: float = 1.0, from_day: float = 0.0) -> list[tuple[str, int, float, str]]:
    """A meter with power before the multiplier, in W, every quarter hour."""
    rng = np.random.default_rng(1)
    n = days * 96
    power = 3.0 + np.sin(np.arange(n) / 96 * 2 * np.pi) + 0.2 * rng.standard_normal(n)
    gain = np.where(np.arange(n) / 96 >= from_day, ratio, 1.0)
    dial = np.floor((500.0 + np.concatenate(([0.0], np.cumsum(power * gain / 4.0)))) * 1000.0) / 1000.0
    rows: list[tuple[str, int, float, str]] = []
    for i in range(n):
        at = START + i * QUARTER_US
        rows.append(("M1\x1fpower", at, round(float(power[i]) * 1000.0), "W"))
        rows.append(("M1", at, float(dial[i]), "kWh"))
    return rows


def test_a_further_register_has_a_quantity_of_its_own() -> None:
    state = PartitionState.empty(LEDGER)
    rows = [
        ("M1\x1fpower", START, 3.0, "kW"), ("M1\x1fpower_l1", START, 1000.0, "W"),
        ("M1\x1fsupply_temperature", START, 71.5, "°C"), ("M1\x1fflow", START, 5.0, "m³/h"),
        ("M1\x1freactive", START, 1.0, "kvar"), ("M1\x1fanything", START, 4.0, "MPa"),
        ("M1\x1fpower", START + 1, 3.0, "kWh"), ("M1\x1fvolume", START, 3.0, "kW"),
    ]  # fmt: skip
    result = step(state, [block_of(rows)])
    assert len(result.readings) == 6
    assert not len(result.hours)
    assert [(one.reason, len(one.rows)) for one in result.refusals] == [(RejectReason.UNIT_MISMATCH, 2)]
    assert result.refusals[0].required == "a unit of the kind of kW"
    dial = dict(zip(result.readings["value"].tolist(), result.readings["dial"].tolist(), strict=True))
    assert dial[1000.0] == 1.0


def test_repeats_conflicts_and_late_ones_are_told_apart_and_all_accounted_for() -> None:
    state = PartitionState.empty(LEDGER)
    name = "M1\x1fpower"
    rows = [(name, START + i * QUARTER_US, float(i), "kW") for i in (0, 1, 1, 2, 0, 3)]
    rows.append((name, START + 3 * QUARTER_US, 9.0, "kW"))
    result = step(state, [block_of(rows)])
    assert len(result.readings) == 4
    assert {one.reason: len(one.rows) for one in result.refusals} == {
        RejectReason.DUPLICATE: 1,
        RejectReason.CONFLICT: 1,
    }
    assert len(result.late_further) == 1
    assert result.late_further["quality"][0] & ReadingFlag.LATE
    assert len(result.readings) + len(result.late_further) + result.refused == len(rows)


def test_a_lost_phase_is_an_event_with_evidence_in_both_languages() -> None:
    state = PartitionState.empty(LEDGER)
    rows = month(20, ratio=2 / 3, from_day=9.0)
    results = [step(state, [block_of(rows[a : a + 500])]) for a in range(0, len(rows), 500)]
    events = last_of_each_event(np.concatenate([one.events for one in results]))
    event = events[events["kind"] == DetectionKind.RATIO][0]
    told = evidence(event, LEDGER)
    assert told["check"] == "power"
    assert told["ratio"] == pytest.approx(2 / 3, abs=0.01)
    assert "三相缺一相" in told["likely"]
    assert "one of three phases lost" in told["likely_en"]
    assert "倍" in told["what"]
    assert "times" in told["what_en"]
    size, limits = magnitude(event), magnitude_range(event)
    assert size == pytest.approx(-1 / 3, abs=0.01)
    assert size is not None
    assert limits[0] is not None
    assert limits[1] is not None
    assert limits[0] < size < limits[1]
    assert magnitude_unit(event, LEDGER) == "share"
    lost = energy_affected(event)
    assert lost is not None
    assert lost < 0
    assert LEDGER.installations.meter[event["installation"]] == 0


def test_state_is_kept_only_where_there_are_further_registers_and_survives_a_snapshot() -> None:
    rows = month(14, ratio=0.5, from_day=9.0)
    cut = len(rows) // 2 // 2 * 2
    state = PartitionState.empty(LEDGER)
    step(state, [block_of([row for row in rows[:cut] if row[0] == "M1"])])
    assert len(state.further) == len(state.further.checks) == 0
    state = PartitionState.empty(LEDGER)
    step(state, [block_of(rows[:cut])])
    assert len(state.further.checks) == 1
    kept = PartitionState.from_bytes(state.to_bytes(), LEDGER)
    first, second = (step(one, [block_of(rows[cut:])]) for one in (state, kept))
    assert first.events.tobytes() == second.events.tobytes()
    assert len(first.events[first.events["kind"] == DetectionKind.RATIO])
    assert first.sights.tobytes() == second.sights.tobytes()


def test_what_is_undone_is_undone_of_further_registers_too() -> None:
    rows = month(2)
    state = PartitionState.empty(LEDGER)
    step(state, [block_of(rows[:100])])
    before = state.copy_points()
    step(state, [block_of(rows[100:])])
    state.put_back(before)
    again = step(state, [block_of(rows[100:])])
    assert len(again.readings) == len(rows) - 100


def test_another_ledger_carries_what_is_known_of_further_registers() -> None:
    rows = month(14, ratio=0.5, from_day=9.0)
    cut = 10 * 192
    state = PartitionState.empty(LEDGER)
    step(state, [block_of(rows[:cut])])
    other = ledger_of(
        {**METER, "point": "P0", "meter_no": "M0"},
        {**METER, "point": "P1", "meter_no": "M1", "accuracy_class": "1.0"},
    )
    moved, _ = switch(state, other)
    assert other.point_codes[moved.further.checks.state["point"][0]] == "P1"
    assert other.meter_nos[moved.further.checks.state["meter"][0]] == "M1"
    repeat = step(moved, [block_of([rows[cut - 2]])])
    assert repeat.refusals[0].reason is RejectReason.DUPLICATE


def test_what_an_inspector_found_moves_the_threshold_of_ratios() -> None:
    sound = StandingVerdict(kind=DetectionKind.RATIO, verdict=SiteVerdict.SOUND)
    assert factor_of(DetectionKind.RATIO, [sound]) == 1.5
    rows = month(14, ratio=0.93)
    for factor, told in ((1.0, True), (2.25, False)):
        state = PartitionState.empty(LEDGER)
        state.factors[:, 2] = factor
        events = step(state, [block_of(rows)]).events
        assert (events["kind"] == DetectionKind.RATIO).any() == told


def test_factors_are_named_for_what_they_look_like() -> None:
    assert "10^1" in likely_ratios(10.1)[0].en
    assert "multiplier is applied twice" in likely_ratios(40.2, 40.0)[0].en
    assert likely_ratios(0.8) == []


def test_a_stream_out_of_order_within_the_hour_gives_what_a_file_in_order_gives(tmp_path: Path) -> None:
    rows = month(16, ratio=0.5, from_day=9.0)
    rng = np.random.default_rng(6)
    arrival = np.array([row[1] for row in rows]) + rng.integers(0, 2_400_000_000, len(rows))
    mixed = [rows[i] for i in np.argsort(arrival, kind="stable").tolist()]
    state = PartitionState.empty(LEDGER, rules=rules_of(ZONE))
    results = [step(state, [block_of(mixed[a : a + 700])]) for a in range(0, len(mixed), 700)]
    assert sum(len(one.late_further) for one in results)
    live = last_of_each_event(np.concatenate([one.events for one in results]))
    live = live[live["kind"] == DetectionKind.RATIO]
    backfill(LEDGER, [File(rows)], tmp_path / "out", zone=ZONE, factors=read_factors())
    told = [row for row in read_results(tmp_path / "out", "detections").to_pylist() if row["kind"] == "ratio"]
    assert [(row["started_at"], row["detected_at"], row["magnitude"], row["evidence"]) for row in told] == [
        (instant(one["started"]), instant(one["decided"]), magnitude(one), evidence_json(one, LEDGER).decode())
        for one in live
    ]
    assert len(told) == 1
    sight = {
        row["question"]: row
        for row in read_results(tmp_path / "out", "observability").to_pylist()
        if row["point"] == "P1"
    }
    assert sight["ratio"]["verdict"] == "weak"
    assert "not of the transformers" in sight["ratio"]["reason"]
    assert sight["drift"]["verdict"] == "not_observable"


@dataclass
class File:
    """A file of readings that lies in memory."""

    rows: list[tuple[str, int, float, str]]
    name: str = "memory.csv"

    @property
    def likely_readings(self) -> int:
        return len(self.rows)

    def parts(self) -> Iterator[FilePart]:
        yield FilePart(blocks=[block_of(self.rows)], faults=[], share=1.0)


def instant(us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(us))
