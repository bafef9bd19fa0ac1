"""Verdicts on stuck dials from the stream: the same as from files, written when they change and now and then."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np

from analytics.health.arrival import HABIT_ROW
from analytics.health.habit import newest_habits, stuck_verdict
from ingest.result_files import read_results
from ingest.standard_files import read_factors
from ingest.wire import Records, encode_readings_json
from streams.backfill import backfill
from streams.lanes.batch import compute
from streams.rows.layout import ObservabilityRow, StoredLedger
from streams.rows.of_results import habit_rows
from streams.steps.habits import SaidHabits
from streams.steps.state import PartitionState, rules_of
from streams.steps.step import step
from tests.ledgers import ledger_of
from tests.streams.steps.test_further import METER, QUARTER_US, START, ZONE, File, block_of

LEDGER = ledger_of(
    {**METER, "point": "P1", "meter_no": "M1"},
    {**METER, "point": "P2", "meter_no": "M2"},
    {**METER, "point": "P3", "meter_no": "M3"},
)
DAYS = 40


def readings() -> list[tuple[str, int, float, str]]:
    """A dial that moves always, one that rests at night, none of the third."""
    quarter = np.arange(DAYS * 96)
    working = (quarter // 4 + 8) % 24 >= 8
    dials = {"M1": 100.0 + 0.5 * quarter, "M2": 100.0 + np.cumsum(0.5 * working)}
    return [
        (name, START + i * QUARTER_US, float(dial[i]), "kWh") for i in quarter.tolist() for name, dial in dials.items()
    ]


def test_the_stream_says_what_a_file_says(tmp_path: Path) -> None:
    rows = readings()
    state = PartitionState.empty(LEDGER, rules=rules_of(ZONE))
    cuts = [0, 1, *range(313, len(rows), 700), len(rows)]
    results = [step(state, [block_of(rows[a:b])]) for a, b in pairwise(cuts)]
    live = newest_habits(np.concatenate([one.habits for one in results]))
    backfill(LEDGER, [File(rows)], tmp_path / "out", zone=ZONE, factors=read_factors())
    told = {
        row["point"]: (row["verdict"], row["reason"], row["hours_typical"], row["hours_worst"])
        for row in read_results(tmp_path / "out", "observability").to_pylist()
        if row["question"] == "stuck"
    }
    said = [stuck_verdict(row) for row in live]
    assert [told[f"P{one.point + 1}"] for one in said] == [
        (one.verdict.value, one.reason.value, one.hours_typical, one.hours_worst) for one in said
    ]
    assert told["P1"][0] == "observable"
    assert told["P2"][0] == "not_observable"
    assert "away" in told["P2"][1]
    assert told["P3"] == ("not_observable", "nothing was read of it for a week, or hardly anything yet", None, None)


def test_a_verdict_is_written_when_it_changes_and_every_four_days() -> None:
    said = SaidHabits()
    written = []
    for day in range(20):
        habits = np.zeros(2, HABIT_ROW)
        habits["point"], habits["at"], habits["days"] = [0, 2], day * 86_400_000_000, 30
        habits["worst_h"] = [16.0 if day < 9 else 90.0, np.inf]
        written += [(day, int(row["point"])) for row in said.news(habits, 3)]
    assert [day for day, point in written if point == 0] == [0, 4, 8, 9, 12, 16]
    assert [day for day, point in written if point == 2] == [0, 2, 6, 10, 14, 18]
    assert len(said.news(np.zeros(0, HABIT_ROW), 3)) == 0


IDS = np.arange(11, 14, dtype=np.int32)
STORED = StoredLedger(
    version=1, ledger=LEDGER, unit_ids=np.array([7], np.int32), point_ids=IDS, meter_ids=IDS, register_ids=IDS
)


def test_a_batch_of_records_carries_the_verdicts_to_be_stored() -> None:
    block = block_of(readings())
    payload = encode_readings_json(block)
    state = PartitionState.empty(LEDGER, rules=rules_of(ZONE))
    rows: list[ObservabilityRow] = []
    for start in range(0, len(payload), 1000):
        end = min(start + 1000, len(payload))
        records = Records.of(payload[start:end], timestamps_us=block.received_at[start:end])
        batch = compute(state, STORED, records, start=start, end=end, zone=ZONE, max_bytes=1_000_000)
        assert not batch.rejected
        rows += batch.sights
    assert {row.question for row in rows} == {"rise", "stuck"}
    rows = [row for row in rows if row.question == "stuck"]
    newest = {row.point_id: row for row in rows}
    assert [(point, newest[point].verdict) for point in sorted(newest)] == [(11, "observable"), (12, "not_observable")]
    assert len(rows) < 0.8 * 2 * (DAYS - 1)  # what stays as it is is not written each day


def test_a_row_of_the_store_has_hours_where_they_are_known() -> None:
    habits = np.zeros(2, HABIT_ROW)
    habits["point"], habits["at"], habits["days"], habits["still"] = [1, 2], START, 30, [0.01, 1.0]
    habits["worst_h"], habits["typical_h"] = [15.2, np.inf], [14.6, np.inf]
    seen, unseen = habit_rows(habits, STORED)
    assert (seen.point_id, seen.unit_id, seen.question, seen.as_of_us) == (12, 7, "stuck", START)
    assert (seen.verdict, seen.hours_typical, seen.hours_worst, seen.smallest_30d) == ("observable", 15.0, 16.0, None)
    assert json.loads(seen.detail) == {"check": "habit", "still_share": 0.01}
    assert (unseen.point_id, unseen.verdict, unseen.hours_worst) == (13, "not_observable", None)


def test_a_midnight_of_many_meters_is_written_bit_by_bit() -> None:
    said, n = SaidHabits(), 12_000
    habits = np.zeros(n, HABIT_ROW)
    habits["point"], habits["worst_h"] = np.arange(n), 16.0
    first = said.news(habits, n)
    newer = habits[-1:].copy()
    newer["worst_h"] = 90.0
    rest = [said.news(newer, n), *(said.news(newer[:0], n) for _ in range(3))]
    assert [len(part) for part in (first, *rest)] == [5000, 5000, 2000, 0, 0]
    written = np.concatenate([first, *rest])
    assert written["point"].tolist() == list(range(n))
    assert written["worst_h"][-1] == 90.0


def test_what_was_said_of_a_step_that_is_undone_is_said_again() -> None:
    rows = readings()
    state = PartitionState.empty(LEDGER, rules=rules_of(ZONE))
    copied = state.copy_points()
    first = state.said.news(step(state, [block_of(rows)]).habits, 3)
    state.put_back(copied)
    again = state.said.news(step(state, [block_of(rows)]).habits, 3)
    assert first.tobytes() == again.tobytes()
    assert len(again) == 2
