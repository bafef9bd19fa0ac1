"""Detections are kept by point, kind and start, and withdrawn when what is known does not support them."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import numpy as np
import psycopg
import pytest

from analytics.domain.quality import DetectionKind
from analytics.health.severity import severity_of
from streams.rows.layout import DetectionRow, TopicPartition
from streams.store.partitions import Transaction
from tests.streams.store.conftest import opened

pytestmark = pytest.mark.integration

T0 = 1_790_000_000_000_000


def detection(
    point: int = 1,
    kind: DetectionKind = DetectionKind.GAP,
    started_at: int = T0,
    *,
    ended_at: int | None = None,
    magnitude: float | None = None,
    meter: int | None = 1,
) -> DetectionRow:
    return DetectionRow(
        point_id=point,
        unit_id=(point + 1) // 2,
        meter_id=meter,
        kind=kind,
        started_at=started_at,
        ended_at=ended_at,
        detected_at=started_at + 1,
        magnitude=magnitude,
        confidence=0.5,
        evidence=json.dumps({"hours": 3, "表": "é"}).encode(),
        severity=severity_of(kind).value,
    )


def within(
    dsn: str, topic: TopicPartition, *steps: Callable[[Transaction], Awaitable[None]]
) -> list[tuple[object, ...]]:
    async def scenario() -> None:
        async with opened(dsn) as store:
            assigned = await store.assign(topic, partitions=1)
            for step in steps:
                async with store.transaction(assigned, at=0) as tx:
                    await step(tx)

    asyncio.run(scenario())
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "select point_id, kind, state, magnitude, meter_id from detection order by point_id, kind, started_at"
        ).fetchall()


def test_what_lasts_is_open_and_what_ended_is_closed(world: str, topic: TopicPartition) -> None:
    async def write(tx: Transaction) -> None:
        assert await tx.write_detections([detection(1), detection(2, ended_at=T0 + 5, magnitude=0.1, meter=None)]) == 2

    assert within(world, topic, write) == [(1, "gap", "open", None, 1), (2, "gap", "closed", 0.1, None)]


def test_the_same_detection_is_replaced_not_repeated(world: str, topic: TopicPartition) -> None:
    async def open_it(tx: Transaction) -> None:
        await tx.write_detections([detection()])
        assert await tx.write_detections([detection()]) == 0

    async def close_it(tx: Transaction) -> None:
        assert await tx.write_detections([detection(), detection(ended_at=T0 + 9, magnitude=2.0)]) == 1
        assert await tx.write_detections([]) == 0

    assert within(world, topic, open_it, close_it) == [(1, "gap", "closed", 2.0, 1)]


def test_detections_are_withdrawn_by_window_and_kind(world: str, topic: TopicPartition) -> None:
    async def write(tx: Transaction) -> None:
        await tx.write_detections(
            [
                detection(1, DetectionKind.GAP, T0),
                detection(1, DetectionKind.GAP, T0 + 100),
                detection(1, DetectionKind.STUCK, T0),
                detection(2, DetectionKind.GAP, T0),
            ]
        )

    async def work_out_anew(tx: Transaction) -> None:
        assert await anew(tx, detection(1, DetectionKind.GAP, T0 + 100)) == 1
        assert await anew(tx, detection(1, DetectionKind.GAP, T0 + 100)) == 0

    found = within(world, topic, write, work_out_anew)
    assert [row[1:3] for row in found] == [("gap", "open"), ("stuck", "open"), ("gap", "open")]


def test_a_gap_that_was_said_is_withdrawn_and_kept_until_that_is_said_too(world: str, topic: TopicPartition) -> None:
    async def write(tx: Transaction) -> None:
        await tx.write_detections([detection(1, DetectionKind.GAP, T0)])

    async def said() -> list[str]:
        async with opened(world) as store, store.relay_detections(held_s=0.0) as rows:
            return [row.state for row in rows]

    async def work_out_anew(tx: Transaction) -> None:
        assert await anew(tx) == 1

    within(world, topic, write)
    assert asyncio.run(said()) == ["open"]
    assert [row[2] for row in within(world, topic, work_out_anew)] == ["withdrawn"]
    assert asyncio.run(said()) == ["withdrawn"]
    assert within(world, topic) == []


def test_repeats_that_overlap_are_one_summary(world: str, topic: TopicPartition) -> None:
    def repeats(since: int, until: int, count: float) -> DetectionRow:
        return detection(1, DetectionKind.DUPLICATE, since, ended_at=until, magnitude=count)

    async def write(tx: Transaction) -> None:
        await tx.write_detections([repeats(T0, T0 + 50, 3.0)])

    async def after_a_crash(tx: Transaction) -> None:
        await tx.write_detections([repeats(T0 + 10, T0 + 60, 4.0), repeats(T0 + 90, T0 + 95, 1.0)])

    found = within(world, topic, write, after_a_crash)
    assert [(row[2], row[3]) for row in found] == [("closed", 4.0), ("closed", 1.0)]


async def anew(tx: Transaction, *rows: DetectionRow, standing: int = T0 + 1000) -> int:
    """Point 1 was worked out anew from T0 on, and this is what came of it."""
    return await tx.replace_detections(
        rows,
        np.array([1], np.int32),
        np.array([T0]),
        np.array([standing]),
        [DetectionKind.GAP, DetectionKind.SILENCE],
    )


def test_one_that_is_found_again_is_open_again_and_no_other_kind_is_touched(world: str, topic: TopicPartition) -> None:
    async def write(tx: Transaction) -> None:
        await tx.write_detections([detection(), detection(1, DetectionKind.CLOCK)])
        assert await anew(tx) == 1
        assert await tx.write_detections([detection()]) == 1

    assert within(world, topic, write) == [(1, "clock", "open", None, 1), (1, "gap", "open", None, 1)]


def test_a_silence_that_still_lasts_is_not_withdrawn(world: str, topic: TopicPartition) -> None:
    async def write(tx: Transaction) -> None:
        await tx.write_detections([detection(1, DetectionKind.SILENCE)])
        assert await anew(tx, standing=T0) == 0
        assert await anew(tx, standing=T0 + 1) == 1

    assert within(world, topic, write) == [(1, "silence", "withdrawn", None, 1)]


def test_a_revision_is_relayed_once_and_the_next_one_again(world: str, topic: TopicPartition) -> None:
    seen: list[tuple[int, str, int, str]] = []

    async def scenario() -> None:
        async with opened(world) as store:
            assigned = await store.assign(topic, partitions=1)

            async def relay() -> None:
                async with store.relay_detections(held_s=0.0) as rows:
                    seen.extend((row.revision, row.state, len(row.evidence), row.unit_code) for row in rows)

            for rows in ([detection()], [detection()], [detection(ended_at=T0 + 9)]):
                async with store.transaction(assigned, at=0) as tx:
                    await tx.write_detections(rows)
                await relay()
                await relay()

    asyncio.run(scenario())
    assert [row[:2] for row in seen] == [(0, "open"), (1, "closed")]
    with psycopg.connect(world) as connection:
        row = connection.execute("select severity, revision, updated_at > opened_at from detection_list").fetchone()
    assert row == ("info", 1, True)


def test_evidence_is_json_that_can_be_asked(world: str, topic: TopicPartition) -> None:
    async def write(tx: Transaction) -> None:
        await tx.write_detections([detection()])

    within(world, topic, write)
    with psycopg.connect(world) as connection:
        row = connection.execute("select evidence->>'表', (evidence->>'hours')::int from detection").fetchone()
    assert row == ("é", 3)
