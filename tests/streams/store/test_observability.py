"""What could be seen is kept of whoever sees best; late further readings are held against what is stored."""

import asyncio
from dataclasses import replace

import numpy as np
import psycopg
import pytest

from analytics.domain.quality import RejectReason
from ingest.wire import Record, encode_readings_json
from streams.lanes.batch import Batch
from streams.lanes.past import write_late_further
from streams.rows.layout import HOUR_ROW, ObservabilityRow, TopicPartition
from streams.rows.of_results import reading_rows
from streams.steps.state import PartitionState
from streams.steps.step import step
from tests.streams.steps.test_further import LEDGER, QUARTER_US, START, block_of
from tests.streams.store.conftest import opened

pytestmark = pytest.mark.integration

DAY_US = 86_400_000_000
BALANCE = ObservabilityRow(
    point_id=1, question="ratio", verdict="not_observable", reason="balance", smallest_30d=None, smallest_90d=None,
    detail='{"share_of_parent": null}', unit_id=1, as_of_us=START,
)  # fmt: skip
CHECK = replace(BALANCE, verdict="weak", reason="check", smallest_30d=0.05, detail='{"check": "power"}')


HABIT = replace(
    BALANCE, question="stuck", reason="habit", hours_typical=15.0, hours_worst=16.0, verdict="observable",
    detail='{"check": "habit"}',
)  # fmt: skip
UNREAD = replace(BALANCE, question="stuck", reason="unread")


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([BALANCE, CHECK], "check"),
        ([CHECK, BALANCE], "check"),
        ([CHECK, replace(BALANCE, verdict="weak")], "check"),
        ([replace(BALANCE, verdict="weak"), CHECK], "check"),
        ([CHECK, replace(BALANCE, verdict="observable")], "balance"),
        ([replace(BALANCE, verdict="observable"), CHECK], "balance"),
        ([CHECK, replace(BALANCE, as_of_us=START + 8 * DAY_US)], "balance"),
        ([CHECK, replace(CHECK, verdict="not_observable", reason="newer")], "newer"),
        ([UNREAD, HABIT], "habit"),
        ([HABIT, UNREAD], "habit"),
        ([UNREAD, replace(HABIT, verdict="not_observable")], "habit"),
        ([replace(HABIT, verdict="not_observable"), UNREAD], "habit"),
        ([HABIT, replace(UNREAD, as_of_us=START + 8 * DAY_US)], "unread"),
    ],
)
def test_who_sees_best_keeps_the_row(
    world: str, topic: TopicPartition, rows: list[ObservabilityRow], kept: str
) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            assigned = await store.assign(topic, partitions=1)
            for row in rows:
                async with store.transaction(assigned, at=0) as tx:
                    await tx.write_observability([row])

    asyncio.run(scenario())
    with psycopg.connect(world) as connection:
        assert connection.execute("select reason from observability").fetchall() == [(kept,)]


def test_the_hours_of_a_jam_are_stored_and_shown(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            assigned = await store.assign(topic, partitions=1)
            for row in (HABIT, replace(HABIT, verdict="weak", hours_typical=30.0, hours_worst=None)):
                async with store.transaction(assigned, at=0) as tx:
                    await tx.write_observability([row])

    asyncio.run(scenario())
    with psycopg.connect(world) as connection:
        shown = connection.execute("select question, verdict, hours_typical, hours_worst from observability_list")
        assert shown.fetchall() == [("stuck", "weak", 30.0, None)]


def test_late_readings_of_a_further_register_are_stored_once(world: str, topic: TopicPartition) -> None:
    state = PartitionState.empty(LEDGER)
    first = step(state, [block_of([("M1\x1fpower", START + i * QUARTER_US, float(i), "kW") for i in (0, 2, 3)])])
    again = [(0, 0.0), (0, 7.0), (1, 1.0), (1, 1.0)]
    block = block_of([("M1\x1fpower", START + i * QUARTER_US, value, "kW") for i, value in again])
    result = step(state, [block])
    assert len(result.late_further) == 4
    payload = b"[" + b",".join(encode_readings_json(block, slice(0, 4))) + b"]"
    batch = Batch(
        0, 1, result.readings, result.late, state.register_names, np.empty(0, HOUR_ROW), [], [],
        late_further=result.late_further, blocks=[block], records=[Record(offset=0, timestamp_us=0, value=payload)],
    )  # fmt: skip

    async def scenario() -> None:
        async with opened(world) as store:
            async with store.transaction(await store.assign(topic, partitions=1), at=0) as tx:
                await tx.write_readings(reading_rows(first.readings, np.full(3, 1, np.int32)))
                stored, refused = await write_late_further(tx, batch, np.full(4, 1, np.int32), state)
            assert stored == 1
            assert {row.reason: row.readings for row in refused} == {
                RejectReason.DUPLICATE: 2,
                RejectReason.CONFLICT: 1,
            }

    asyncio.run(scenario())
    with psycopg.connect(world) as connection:
        rows = connection.execute("select value, quality from reading_hot order by measured_at").fetchall()
    assert [value for value, _ in rows] == [0.0, 1.0, 2.0, 3.0]
    assert [quality & 0x0800 != 0 for _, quality in rows] == [False, True, False, False]
