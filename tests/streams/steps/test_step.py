"""The pure steps, over blocks as they come and a store in memory."""

from collections.abc import Generator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.columns.register import NEVER, POINT_STATE, last_of_each_hour
from analytics.domain.ledger import Ledger
from analytics.domain.quality import DetectionKind, ReadingFlag, RejectReason
from ingest.wire import Block, MeterList, partition_of
from streams.rows.layout import READING
from streams.steps.ledger_change import switch
from streams.steps.recompute import HISTORY, Changed, Recomputed, Windows, recompute, recompute_changed
from streams.steps.state import _FIRST_POINT, PartitionState, SnapshotMismatch
from streams.steps.step import close_hours, step
from tests.ledgers import ledger_of
from tests.registers import DAY, DAY_US, HOUR_US, MINUTE_US, clock

LONG_AGO = (DAY - 400) * DAY_US
METER = {"installed_from": LONG_AGO, "full_scale": 1e6, "max_rate": 100.0, "interval_s": 900.0}
CHANGE = clock("14:05")
LEDGER = ledger_of(
    {**METER, "point": "P1", "meter_no": "M1"},
    {**METER, "point": "P2", "meter_no": "M2", "installed_to": CHANGE, "last_reading": 560.0},
    {**METER, "point": "P2", "meter_no": "M3", "installed_from": CHANGE, "first_reading": 7.0},
    {**METER, "point": "P3", "meter_no": "M4", "unit": "MWh", "max_rate": 1.0},
)


def block_of(rows: list[tuple[str, int, float]], *, unit: str = "kWh", unit_code: str = "U", message: int = 0) -> Block:
    """Block of `(meter, measured_at, value)` rows, received a minute after the newest."""
    names = sorted({row[0] for row in rows})
    n = len(rows)
    at = np.array([row[1] for row in rows], np.int64)
    return Block(
        unit_code=unit_code,
        meters=MeterList.of(names),
        meter=np.array([names.index(row[0]) for row in rows], np.uint16),
        measured_at=at,
        value=np.array([row[2] for row in rows]),
        units=(unit,),
        unit=np.zeros(n, np.uint8),
        received_at=np.full(n, at.max() + MINUTE_US) if n else np.empty(0, np.int64),
        quality=np.zeros(n, np.int16),
        message=np.full(n, message, np.int32),
        position=np.arange(n, dtype=np.int32),
    )


class Memory:
    """What a store holds after the steps' results were written."""

    def __init__(self, ledger: Ledger = LEDGER) -> None:
        self.state = PartitionState.empty(ledger)
        self.readings = np.empty(0, READING)
        self.hours: dict[tuple[int, int], tuple[int, int, int, int]] = {}
        self.events: dict[tuple[int, int, int], tuple[Any, ...]] = {}
        self.refused: list[tuple[RejectReason, int]] = []
        self.answers: list[int] = []

    def take(self, *blocks: Block) -> None:
        result = step(self.state, blocks)
        assert len(result.readings) + len(result.late) + result.refused == sum(len(block) for block in blocks)
        self.refused += [(refusal.reason, len(refusal.rows)) for refusal in result.refusals]
        self.readings = np.concatenate([self.readings, result.readings])
        self._write(result.hours, result.events)
        if len(result.late):
            done = self.answer(recompute(self.state, result.late))
            assert len(done.accepted) + len(done.duplicates) + len(done.conflicts) == len(result.late)
            self.readings = np.concatenate([self.readings, done.accepted])
            for reason, rows in ((RejectReason.DUPLICATE, done.duplicates), (RejectReason.CONFLICT, done.conflicts)):
                self.refused += [(reason, len(rows))] if len(rows) else []

    def answer(self, job: Generator[Windows, NDArray[Any], Recomputed]) -> Recomputed:
        """Give a job the stored readings it asks for, and write what it returns."""
        windows = next(job)
        while True:
            rows = self.history(windows)
            self.answers.append(len(rows))
            try:
                windows = job.send(rows)
            except StopIteration as end_of_job:
                done: Recomputed = end_of_job.value
                break
        for p, start, end, since in zip(done.point, done.from_hour, done.to_hour, done.from_us, strict=True):
            for key in [key for key in self.hours if key[0] == p and start <= key[1] < end]:
                del self.hours[key]
            for event in [key for key in self.events if key[0] == p and key[2] >= since]:
                del self.events[event]
        self._write(done.hours, done.events)
        done.apply(self.state)
        return done

    def history(self, windows: Windows) -> NDArray[Any]:
        """Stored readings of windows."""
        kept = np.zeros(len(self.readings), bool)
        for meter, start, end in zip(windows.meter, windows.from_us, windows.to_us, strict=True):
            at = self.readings["measured_at"]
            kept |= (self.readings["meter"] == meter) & (at >= start) & (at < end)
        rows = np.zeros(int(kept.sum()), HISTORY)
        for name in HISTORY.names or ():
            rows[name] = self.readings[name][kept]
        return rows

    def _write(self, hours: NDArray[Any], events: NDArray[Any]) -> None:
        for row in last_of_each_hour(hours):
            key = int(row["point"]), int(row["hour"])
            self.hours[key] = int(row["amount"]), int(row["covered"]), int(row["estimated"]), int(row["flags"])
        for row in events:
            if row["kind"] != DetectionKind.DUPLICATE:
                key3 = int(row["point"]), int(row["kind"]), int(row["started"])
                self.events[key3] = tuple(row.tolist())


def day_of_readings(rng: np.random.Generator) -> list[tuple[str, int, float]]:
    """A day of all points at 15 minutes: the registers count, with faults, gaps and the replacement."""
    rows: list[tuple[str, int, float]] = []
    for meter, start, first, last in (
        ("M1", 999_900.0, 0, DAY_US),
        ("M2", 500.0, 0, CHANGE - DAY * DAY_US),
        ("M3", 7.0, CHANGE - DAY * DAY_US, DAY_US),
    ):
        value = start
        for t in range(0, DAY_US, 15 * MINUTE_US):
            if not first <= t < last:
                continue
            value = (value + float(rng.integers(0, 200)) / 100) % 1e6
            said = round(value, 2)
            kind = rng.random()
            if kind < 0.05:
                continue
            if kind < 0.10:
                said = float(rng.choice([0.0, 16777215.0, -1.0, said + 30_000, said / 1000]))
            rows.append((meter, DAY * DAY_US + t + int(rng.integers(0, 20)) * 1_000_000, said))
    return rows


@given(st.integers(0, 10_000), st.integers(1, 12), st.floats(0, 1))
@settings(max_examples=60)
def test_readings_in_any_order_and_pieces_give_what_the_sorted_whole_gives(
    seed: int, pieces: int, disorder: float
) -> None:
    rng = np.random.default_rng(seed)
    rows = day_of_readings(rng)
    rows.sort(key=lambda row: row[1])
    whole = Memory()
    whole.take(block_of(rows))
    arrival = np.arange(len(rows)) + rng.normal(0, 1 + disorder * 40, len(rows)) * (rng.random(len(rows)) < disorder)
    mixed = [rows[i] for i in np.argsort(arrival, kind="stable")]
    late = Memory()
    cuts = np.sort(rng.integers(0, len(rows) + 1, pieces - 1)).tolist()
    for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        late.take(block_of(mixed[a:b]))
    assert late.hours == whole.hours
    assert {key for key in late.events if key[1] < 100} == {key for key in whole.events if key[1] < 100}
    assert late.refused == whole.refused == []
    for name in ("good_at", "good_value", "hour", "amount", "covered", "run_n", "seen_at", "installation"):
        assert np.array_equal(late.state.points[name], whole.state.points[name]), name


@pytest.mark.parametrize("others", [2, 3, 40])
def test_a_first_reading_that_was_a_slip_and_comes_late_gives_what_it_gives_in_time(others: int) -> None:
    rows = [("M1", DAY * DAY_US + i * 15 * MINUTE_US, 2000.0 + 2 * i) for i in range(others + 1)]
    rows[0] = ("M1", rows[0][1], 2.0)
    whole, late = Memory(), Memory()
    whole.take(block_of(rows))
    late.take(block_of(rows[1:]))
    late.take(block_of(rows[:1]))
    assert late.hours == whole.hours
    assert late.state.points["good_value"][0] == whole.state.points["good_value"][0]
    assert bool(whole.hours) is (others > 3)


def test_a_late_reading_amid_a_fault_that_lasts_is_worked_out_from_before_the_fault() -> None:
    value = 500.0 + 0.02 * np.arange(6 * 96)
    value[2 * 96 :] *= 100  # for four days, and a late reading's history begins a day before it
    rows = [("M1", DAY * DAY_US + i * 15 * MINUTE_US, round(float(said), 2)) for i, said in enumerate(value)]
    late = rows.pop(-30)
    memory = Memory()
    for i in range(0, len(rows), 50):
        memory.take(block_of(rows[i : i + 50]))
    before = dict(memory.hours)
    memory.take(block_of([late]))
    assert memory.hours == before
    assert memory.state.points["good_value"][0] == pytest.approx(503.82)
    (scale,) = [event for key, event in memory.events.items() if key[1] == DetectionKind.SCALE]
    assert scale[1] == NEVER


def test_a_reading_that_comes_again_is_refused_whether_soon_or_late() -> None:
    memory = Memory()
    rows = [("M1", clock("08:00") + i * 15 * MINUTE_US, 100.0 + i) for i in range(40)]
    memory.take(block_of(rows))
    hours = dict(memory.hours)
    memory.take(block_of(rows[-1:]))
    memory.take(block_of(rows[5:9]))
    memory.take(block_of([("M1", rows[7][1], 999.0)]))
    assert memory.refused == [(RejectReason.DUPLICATE, 1), (RejectReason.DUPLICATE, 4), (RejectReason.CONFLICT, 1)]
    assert memory.hours == hours
    assert len(memory.readings) == 40


def test_a_late_reading_fills_its_gap_with_what_was_measured() -> None:
    memory = Memory()
    rows = [("M1", clock("08:00") + i * 15 * MINUTE_US, 100.0 + (i if i < 8 else i + 10)) for i in range(20)]
    memory.take(block_of(rows[:6] + rows[10:]))
    assert {key[1] for key in memory.events} == {DetectionKind.GAP}
    memory.take(block_of(rows[6:10]))
    whole = Memory()
    whole.take(block_of(rows))
    assert memory.hours == whole.hours
    assert memory.events == {}
    assert (memory.readings["quality"] & int(ReadingFlag.LATE)).astype(bool).sum() == 4


def test_every_reason_is_given_with_what_was_required_and_what_came() -> None:
    state = PartitionState.empty(LEDGER, partition=partition_of("U", 8), partitions=8)
    at = clock("08:00")
    elsewhere = next(code for code in ("A", "B", "C", "D", "E") if partition_of(code, 8) != state.partition)
    stranger = next(f"X{i}" for i in range(100) if partition_of(f"X{i}", 8) == state.partition)
    blocks = [
        block_of([("M1", at, 1.0)], unit_code=elsewhere),
        block_of([("M1", at, 1.0)], unit_code=stranger, message=1),
        block_of([("M9", at, 1.0)], message=2),
        block_of([("M1", at, 1.0)], unit="parsec", message=3),
        block_of([("M1", at, 1.0)], unit="m3", message=4),
        block_of([("M3", at, 1.0)], message=5),
        block_of([("M1", LONG_AGO - 20_000 * DAY_US, 1.0)], message=6),
        block_of([("M1", at + DAY_US, 1.0), ("M1", at, 1.0)], message=7),
    ]
    blocks[7].received_at[:] = at
    result = step(state, blocks)
    got = {refusal.reason: refusal for refusal in result.refusals}
    assert [r.name for r in got] == [
        "WRONG_PARTITION", "UNKNOWN_UNIT_CODE", "UNKNOWN_METER", "NOT_INSTALLED", "UNKNOWN_UNIT", "UNIT_MISMATCH",
        "FUTURE", "TIME_OUT_OF_RANGE",
    ]  # fmt: skip
    assert len(result.readings) == 1
    for refusal in result.refusals:
        assert refusal.required
        assert "M" in refusal.got
        assert "+00:00" in refusal.got


def test_another_unit_of_the_same_kind_is_converted_and_said_so() -> None:
    memory = Memory()
    memory.take(block_of([("M4", clock("08:00"), 1000.0), ("M4", clock("09:00"), 1500.0)], unit="kWh"))
    assert memory.hours[(2, 24 * DAY + 8)][0] == 500 * 10**6
    assert (memory.readings["quality"] == int(ReadingFlag.UNIT_CONVERTED)).all()
    assert memory.readings["value"].tolist() == [1000.0, 1500.0]


def test_other_registers_are_kept_and_not_counted() -> None:
    memory = Memory()
    memory.take(block_of([("M1\x1freverse", clock("08:00"), 1.0), ("M1\x1freverse", clock("10:00"), 5.0)]))
    assert len(memory.readings) == 2
    assert memory.state.register_names[memory.readings["register"][0]] == "reverse"
    assert not memory.hours


def test_a_silent_meter_is_noticed_once_by_the_clock_and_ends_when_it_speaks() -> None:
    memory = Memory()
    memory.take(block_of([("M1", clock("08:00"), 1.0)]), block_of([("M1", clock("08:15"), 2.0)]))
    assert not len(close_hours(memory.state, now_us=clock("08:40")).events)
    told = close_hours(memory.state, now_us=clock("09:20"))
    assert [(e["kind"], e["ended"]) for e in told.events] == [(DetectionKind.SILENCE, NEVER)]
    assert [(row["amount"], row["covered"]) for row in told.hours] == [(1_000_000, HOUR_US // 4)]
    again = close_hours(memory.state, now_us=clock("11:00"))
    assert not len(again.events)
    assert not len(again.hours)
    result = step(memory.state, [block_of([("M1", clock("11:00"), 13.0)])])
    ended = [e for e in result.events if e["kind"] == DetectionKind.SILENCE]
    assert [(e["started"], e["ended"]) for e in ended] == [(clock("08:15"), clock("11:00"))]
    assert result.hours["amount"].sum() == 12_000_000


def test_a_snapshot_goes_on_where_the_state_was() -> None:
    rows = day_of_readings(np.random.default_rng(3))
    rows.sort(key=lambda row: row[1])
    whole, first = Memory(), Memory()
    whole.take(block_of(rows))
    first.take(block_of(rows[:100]))
    first.state = PartitionState.from_bytes(first.state.to_bytes(), LEDGER)
    first.take(block_of(rows[100:]))
    assert first.hours == whole.hours


def test_a_snapshot_of_another_ledger_is_refused() -> None:
    data = PartitionState.empty(LEDGER).to_bytes()
    with pytest.raises(SnapshotMismatch, match=r"1 points \(got 3\)"):
        PartitionState.from_bytes(data, ledger_of({**METER, "point": "P", "meter_no": "M"}))


def corrected(**facts: object) -> Ledger:
    return ledger_of(
        {**METER, "point": "P1", "meter_no": "M1", **facts},
        {**METER, "point": "P2", "meter_no": "M2"},
    )


def test_a_corrected_multiplier_recomputes_the_past_from_the_same_readings() -> None:
    rows = [(m, clock("06:00") + i * 15 * MINUTE_US, 100.0 + i) for i in range(40) for m in ("M1", "M2")]
    memory = Memory(corrected())
    memory.take(block_of(rows))
    before = dict(memory.hours)
    memory.state, changed = switch(memory.state, corrected(multiplier=40.0))
    assert changed.point.tolist() == [0]
    memory.answer(recompute_changed(memory.state, changed))
    assert memory.hours == {key: (v[0] * (40 if key[0] == 0 else 1), *v[1:]) for key, v in before.items()}
    memory.take(block_of([("M1", clock("16:00"), 140.0)]))
    assert memory.hours[(0, 24 * DAY + 15)][0] == 4 * 40 * 10**6


def test_points_that_a_person_asks_for_are_worked_out_again_from_then_on() -> None:
    rows = [(m, clock("06:00") + i * 15 * MINUTE_US, 100.0 + i) for i in range(40) for m in ("M1", "M2")]
    memory = Memory(corrected())
    memory.take(block_of(rows))
    before = dict(memory.hours)
    spoilt = {key: (7, *v[1:]) if key[0] == 1 else v for key, v in before.items()}
    memory.hours.update(spoilt)
    memory.state, changed = switch(memory.state, corrected(), {1: clock("10:00")})
    assert (changed.point.tolist(), changed.since_us.tolist()) == ([1], [clock("10:00")])
    memory.answer(recompute_changed(memory.state, changed))
    first = clock("09:30") // HOUR_US  # the second reading before: the last one may prove a spike yet
    assert memory.hours == {key: before[key] if key[1] >= first else spoilt[key] for key in before}
    memory.state, changed = switch(memory.state, corrected(), {1: clock("23:00")})
    assert not len(changed.point), "nothing was read since"


def test_an_asked_for_period_begins_two_readings_before_it_however_far_back() -> None:
    """The last reading before it may prove a spike yet: hours since the one before that are written anew, no others."""
    rows = [("M2", clock("00:00") + i * 3 * HOUR_US, 100.0 + i) for i in range(12)]
    memory = Memory(corrected())
    memory.take(block_of(rows))
    before = dict(memory.hours)
    spoilt = {key: (7, *v[1:]) for key, v in before.items()}
    memory.hours.update(spoilt)
    memory.state, changed = switch(memory.state, corrected(), {1: clock("10:30")})
    memory.answer(recompute_changed(memory.state, changed))
    first = clock("06:00") // HOUR_US
    assert memory.hours == {key: before[key] if key[1] >= first else spoilt[key] for key in before}


def test_a_past_of_any_length_is_followed_through_short_slices_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And no answer is long: what is asked of the store is bounded, not what it holds."""
    rows = [("M1", clock("06:00") + i * 15 * MINUTE_US, 100.0 + i) for i in range(400) if i % 17]
    memory = Memory(corrected())
    memory.take(block_of(rows))
    before = dict(memory.hours)
    points = memory.state.points.copy()
    monkeypatch.setattr("streams.steps.recompute.READINGS_AT_ONCE", 12)
    memory.state, changed = switch(memory.state, corrected(multiplier=40.0))
    (some,) = changed.portions(rows[0][1])
    memory.answer(recompute_changed(memory.state, some))
    assert len(memory.answers) > 20
    assert max(memory.answers) <= 24
    assert memory.hours == {key: (v[0] * 40, *v[1:]) for key, v in before.items()}
    for name in ("good_at", "good_value", "seen_at", "hour", "covered"):
        assert memory.state.points[name].tolist() == points[name].tolist(), name


def test_a_ledger_that_differs_only_in_the_future_touches_nothing() -> None:
    rows = [("M1", clock("06:00") + i * 15 * MINUTE_US, 100.0 + i) for i in range(20)]
    memory = Memory(corrected())
    memory.take(block_of(rows))
    points = memory.state.points.tobytes()
    memory.state, changed = switch(memory.state, corrected(installed_to=clock("23:00"), last_reading=170.0))
    assert len(changed.point) == 0
    assert memory.state.points.tobytes() == points


def test_a_point_added_before_others_does_not_mix_their_states() -> None:
    memory = Memory(corrected())
    rows = [(m, clock("06:00") + i * 15 * MINUTE_US, 100.0 + i) for i in range(20) for m in ("M1", "M2")]
    memory.take(block_of(rows))
    wider = ledger_of(
        {**METER, "point": "A0", "meter_no": "M0"},
        {**METER, "point": "P1", "meter_no": "M1"},
        {**METER, "point": "P2", "meter_no": "M2"},
    )
    memory.state, changed = switch(memory.state, wider)
    assert len(changed.point) == 0
    result = step(memory.state, [block_of([("M1", clock("11:00"), 120.0), ("M2", clock("11:00"), 120.0)])])
    assert result.hours["point"].tolist() == [1, 2]
    assert result.hours["amount"].tolist() == [4_000_000, 4_000_000]


def test_a_meter_that_stood_at_another_point_all_along_takes_its_readings_with_it() -> None:
    rows = [("M1", clock("06:00") + i * 15 * MINUTE_US, 100.0 + i) for i in range(20)]
    memory = Memory(ledger_of({**METER, "point": "P1", "meter_no": "M1"}))
    memory.take(block_of(rows))
    memory.state, changed = switch(
        memory.state,
        ledger_of(
            {**METER, "point": "P1", "meter_no": "M1", "installed_to": clock("08:00")},
            {**METER, "point": "P2", "meter_no": "M1", "installed_from": clock("08:00")},
        ),
    )
    assert changed.point.tolist() == [0, 1]
    memory.answer(recompute_changed(memory.state, changed))
    hours = {key: v[0] for key, v in memory.hours.items()}
    assert hours == {(p, 24 * DAY + h): 4_000_000 for p, h in ((0, 6), (1, 8), (1, 9))}
    left = close_hours(memory.state, now_us=clock("12:00")).hours  # the reading at 08:00 is P2's now
    assert [(row["point"], row["hour"] - 24 * DAY, row["amount"]) for row in left] == [
        (0, 7, 3_000_000),
        (1, 10, 3_000_000),
    ]


def test_nothing_is_asked_of_nobody() -> None:
    memory = Memory()
    empty = Changed(point=np.empty(0, np.int32), since_us=np.empty(0, np.int64))
    done = memory.answer(recompute_changed(memory.state, empty))
    assert len(done.point) == 0


def test_a_repeat_that_nothing_follows_is_told_by_the_clock() -> None:
    memory = Memory()
    memory.take(block_of([("M1", clock("08:00"), 1.0), ("M1", clock("08:15"), 2.0), ("M1", clock("08:15"), 2.0)]))
    told = close_hours(memory.state, now_us=clock("08:20")).events
    assert [(e["kind"], e["n"]) for e in told] == [(DetectionKind.DUPLICATE, 1)]
    assert not len(close_hours(memory.state, now_us=clock("08:25")).events)


def test_a_thermometer_is_kept_and_not_counted() -> None:
    memory = Memory(
        ledger_of(
            {**METER, "point": "T1", "meter_no": "M1", "unit": "°C", "carrier": "steam", "instrument": "temperature"},
            {**METER, "point": "T2", "meter_no": "M2"},
        )
    )
    memory.take(block_of([("M1", clock("08:00"), 90.0), ("M1", clock("10:00"), 95.0)], unit="°C"))
    memory.take(block_of([("M2", clock("08:00"), 1.0), ("M2", clock("09:00"), 3.0)]))
    assert len(memory.readings) == 4
    assert {key[0] for key in memory.hours} == {1}


def punctual(days: int) -> list[tuple[str, int, float]]:
    """A reading each quarter hour, 20 kWh an hour of the 100 that are possible at most."""
    return [("M1", DAY * DAY_US + i * 15 * MINUTE_US, 1000.0 + 5.0 * i) for i in range(days * 96)]


def live(memory: Memory, rows: list[tuple[str, int, float]], *, slow: range, by_us: int) -> None:
    """Readings as a gateway sends them, one a block, the clock `by_us` behind in some of them."""
    for i, (meter, at, value) in enumerate(rows):
        block = block_of([(meter, at - (by_us if i in slow else 0), value)])
        block.received_at[:] = at + 20 * 1_000_000
        memory.take(block)


def test_a_clock_that_falls_behind_breaks_nothing_off_and_loses_nothing() -> None:
    rows = punctual(2)
    memory = Memory()
    live(memory, rows, slow=range(80, 140), by_us=47 * MINUTE_US)
    kinds = {DetectionKind(kind) for _, kind, _ in memory.events}
    assert kinds <= {DetectionKind.CLOCK, DetectionKind.GAP}
    assert DetectionKind.CLOCK in kinds
    astray = (memory.readings["quality"] & ReadingFlag.ASTRAY) != 0
    assert int(astray.sum()) == 3
    assert memory.refused == []
    total = sum(amount for (point, _), (amount, *_) in memory.hours.items() if point == 0)
    assert total + int(memory.state.points["amount"][0]) == round((rows[-1][2] - rows[0][2]) * 1e6)


def test_an_astray_reading_that_comes_again_is_refused_and_stays_out_of_a_recomputation() -> None:
    rows = punctual(2)
    memory = Memory()
    live(memory, rows[:90], slow=range(80, 90), by_us=47 * MINUTE_US)
    hours = dict(memory.hours)
    again = block_of([("M1", rows[80][1] - 47 * MINUTE_US, rows[80][2])])
    memory.take(again)
    assert memory.refused == [(RejectReason.DUPLICATE, 1)]
    assert memory.hours == hours
    late = block_of([("M1", rows[40][1] + MINUTE_US, rows[40][2])])  # a sound one
    late.received_at[:] = rows[89][1] + 20 * 1_000_000
    memory.take(late)
    assert memory.readings["received_at"][-1] == rows[89][1] + 20 * 1_000_000
    assert sum(row[0] for row in memory.hours.values()) == sum(row[0] for row in hours.values())


def test_habits_are_part_of_the_snapshot_and_an_older_one_opens_without_them() -> None:
    memory = Memory()
    live(memory, punctual(1), slow=range(0), by_us=0)
    state = memory.state
    again = PartitionState.from_bytes(state.to_bytes(), LEDGER)
    assert again.health.tobytes() == state.health.tobytes()
    assert again.points.tobytes() == state.points.tobytes()
    old = np.zeros(len(state.points), _FIRST_POINT)
    for name in set(_FIRST_POINT.names or ()) & set(POINT_STATE.names or ()):
        old[name] = state.points[name]
    data = b"MWS1" + len(old).to_bytes(8, "little") + pa.compress(old.tobytes(), codec="lz4", asbytes=True)
    opened = PartitionState.from_bytes(data, LEDGER)
    assert np.array_equal(opened.points["good_value"], state.points["good_value"])
    assert (opened.points["good_late"] == 0).all()
    assert (opened.points["kept_at"] == NEVER).all()
    assert (opened.health["meter"] == -1).all()


def test_a_new_ledger_leaves_habits_with_their_points() -> None:
    memory = Memory()
    live(memory, punctual(2), slow=range(0), by_us=0)
    wider = ledger_of(
        {**METER, "point": "A0", "meter_no": "A"},
        {**METER, "point": "P1", "meter_no": "M1"},
        {**METER, "point": "P3", "meter_no": "M4", "unit": "MWh", "max_rate": 1.0},
    )
    state, _ = switch(memory.state, wider)
    assert state.health["slots"][1].tobytes() == memory.state.health["slots"][0].tobytes()
    assert state.health["meter"].tolist()[:2] == [-1, wider.meter_index("U")["M1"]]
