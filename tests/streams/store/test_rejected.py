"""What was refused is kept once, with its bytes, and relayed until somebody has it."""

import asyncio
from datetime import UTC, datetime

import pytest

from analytics.domain.quality import RejectReason
from streams.rows.layout import RejectedRow, TopicPartition
from streams.store import rejected
from streams.store.partitions import TimescaleStore
from tests.streams.store.conftest import connected, opened

pytestmark = pytest.mark.integration


def refused(
    offset: int,
    position: int = 0,
    *,
    reason: RejectReason = RejectReason.UNKNOWN_METER,
    got: str = "M99",
    unit_code: str | None = "U1",
    payload: bytes = b"{}",
) -> RejectedRow:
    return RejectedRow(
        kafka_offset=offset,
        position=position,
        reason=reason,
        required="a meter of the ledger",
        got=got,
        unit_code=unit_code,
        payload=payload,
        readings=1,
    )


async def keep(store: TimescaleStore, topic: TopicPartition, *rows: RejectedRow) -> int:
    async with store.transaction(await store.assign(topic, partitions=1), at=0) as tx:
        return await tx.write_rejected(rows)


async def listed(dsn: str, **wanted: object) -> list[rejected.RejectedRecord]:
    async with connected(dsn) as connection:
        return await rejected.select(connection, **wanted)  # type: ignore[arg-type]  # what a test asks for


def test_a_refused_reading_keeps_its_bytes_and_place(world: str, topic: TopicPartition) -> None:
    payload = bytes(range(256))

    async def scenario() -> None:
        async with opened(world) as store:
            assert await keep(store, topic, refused(7, 3, payload=payload), refused(8, -1, unit_code=None)) == 2
        first, second = await listed(world)
        assert (first.topic_id, first.partition, first.kafka_offset, first.position) == (topic.topic_id, 0, 7, 3)
        assert (first.reason, first.got, first.payload, first.readings) == ("unknown_meter", "M99", payload, 1)
        assert (second.position, second.unit_code, second.relayed, second.replayed_at) == (-1, None, False, None)

    asyncio.run(scenario())


def test_the_same_one_is_kept_once(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            assert await keep(store, topic, refused(1), refused(1), refused(1, 1)) == 2
            assert await keep(store, topic, refused(1), refused(2)) == 1
        assert len(await listed(world)) == 3

    asyncio.run(scenario())


def test_text_that_postgresql_refuses_is_made_storable(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            await keep(store, topic, refused(1, got="a\x00b\ud800" + "x" * 5000, unit_code="\x00" * 5000))
        (found,) = await listed(world)
        assert found.got.startswith("a\ufffdb\ufffdx")
        assert len(found.got) == 2000
        assert found.unit_code is not None
        assert len(found.unit_code) == 200

    asyncio.run(scenario())


def test_what_was_relayed_is_not_relayed_again_and_what_failed_is(world: str, topic: TopicPartition) -> None:
    async def fail(store: TimescaleStore) -> None:
        async with store.relay() as rows:
            assert [row.kafka_offset for row in rows] == [1, 2, 3]
            raise ConnectionError

    async def scenario() -> None:
        async with opened(world) as store:
            await keep(store, topic, *(refused(offset) for offset in (1, 2, 3)))
            with pytest.raises(ConnectionError):
                await fail(store)
            async with store.relay(limit=2) as rows:
                assert [row.kafka_offset for row in rows] == [1, 2]
                async with store.relay() as others:
                    assert [row.kafka_offset for row in others] == [3]
            async with store.relay() as rows:
                assert list(rows) == []

    asyncio.run(scenario())


def test_rows_are_found_by_reason_unit_and_time_and_by_page(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            await keep(
                store,
                topic,
                refused(1),
                refused(2, reason=RejectReason.FUTURE),
                refused(3, reason=RejectReason.FUTURE, unit_code="U2"),
            )
        assert [row.kafka_offset for row in await listed(world, reason="future")] == [2, 3]
        assert [row.kafka_offset for row in await listed(world, unit_code="U2")] == [3]
        first = await listed(world, limit=2)
        assert [row.kafka_offset for row in await listed(world, after=first[-1].id)] == [3]
        assert await listed(world, since=datetime(2999, 1, 1, tzinfo=UTC)) == []

    asyncio.run(scenario())


def test_what_was_replayed_is_no_longer_pending(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            await keep(store, topic, refused(1), refused(2))
        ids = [row.id for row in await listed(world)]
        async with connected(world) as connection:
            assert await rejected.mark_replayed(connection, ids[:1]) == 1
        assert [row.id for row in await listed(world, pending=True)] == ids[1:]
        assert (await listed(world))[0].replayed_at is not None

    asyncio.run(scenario())
