"""Detections are kept by point, kind and start, and withdrawn when what is known does not support them."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from analytics.domain.quality import DetectionKind
from streams.ports import DetectionRow, TopicPartition
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
    )


def within(
    dsn: str, topic: TopicPartition, *steps: Callable[[Transaction], Awaitable[None]]
) -> list[tuple[object, ...]]:
    async def scenario() -> None:
        async with opened(dsn) as store:
            assigned = await store.assign(topic)
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

    async def withdraw(tx: Transaction) -> None:
        assert await tx.withdraw_detections(1, T0, T0 + 100, [DetectionKind.GAP]) == 1
        assert await tx.withdraw_detections(1, T0, T0 + 100, [DetectionKind.GAP]) == 0

    found = within(world, topic, write, withdraw)
    assert [row[2] for row in found] == ["withdrawn", "open", "open", "open"]


def test_without_kinds_all_are_withdrawn(world: str, topic: TopicPartition) -> None:
    async def write(tx: Transaction) -> None:
        await tx.write_detections([detection(1, DetectionKind.GAP), detection(1, DetectionKind.STUCK)])
        assert await tx.withdraw_detections(1, T0, T0 + 1) == 2

    assert [row[2] for row in within(world, topic, write)] == ["withdrawn", "withdrawn"]


def test_one_that_is_found_again_is_open_again(world: str, topic: TopicPartition) -> None:
    async def write(tx: Transaction) -> None:
        await tx.write_detections([detection()])
        await tx.withdraw_detections(1, T0, T0 + 1)
        assert await tx.write_detections([detection()]) == 1

    assert within(world, topic, write) == [(1, "gap", "open", None, 1)]


def test_evidence_is_json_that_can_be_asked(world: str, topic: TopicPartition) -> None:
    async def write(tx: Transaction) -> None:
        await tx.write_detections([detection()])

    within(world, topic, write)
    with psycopg.connect(world) as connection:
        row = connection.execute("select evidence->>'表', (evidence->>'hours')::int from detection").fetchone()
    assert row == ("é", 3)
