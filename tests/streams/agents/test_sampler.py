"""A worker's samples are its Prometheus page's numbers, as differences, and the database keeps them for a while."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from analytics.domain.errors import StoreUnavailable
from analytics.domain.quality import RejectReason
from streams.agents.sampler import Sampler
from streams.metrics import WorkerMetrics
from streams.store.partitions import TimescaleStore
from streams.store.samples import KEPT_DAYS, PartitionSample, WorkerSample

AT = datetime(2026, 11, 20, tzinfo=UTC)


class Kept:
    def __init__(self) -> None:
        self.rows: list[tuple[WorkerSample, Sequence[PartitionSample]]] = []
        self.away = False

    async def add_sample(self, at: datetime, done: WorkerSample, partitions: Sequence[PartitionSample]) -> None:  # noqa: ARG002 - the port's
        if self.away:
            raise StoreUnavailable("away")
        self.rows.append((done, partitions))


def work(metrics: WorkerMetrics, readings: int) -> None:
    metrics.readings.inc(readings)
    metrics.reject(RejectReason.FUTURE, 2)
    metrics.reject(RejectReason.DUPLICATE, 1)
    metrics.transaction.observe(0.25)
    metrics.lag.labels(3).set(17)


def test_a_sample_is_what_was_done_since_the_one_before() -> None:
    metrics, kept = WorkerMetrics(), Kept()
    metrics.readings.inc(1000)
    sampler = Sampler(metrics, kept)
    work(metrics, 40)
    asyncio.run(sampler.once(AT))
    work(metrics, 2)
    asyncio.run(sampler.once(AT))
    assert [(done.readings, done.rejected, done.transactions, done.transaction_s) for done, _ in kept.rows] == [
        (40, 3, 1, 0.25),
        (2, 3, 1, 0.25),
    ]
    assert kept.rows[0][1] == [PartitionSample(partition=3, lag=17, fence_age_s=None, snapshot_age_s=None)]


def test_a_sample_that_could_not_be_stored_is_part_of_the_next() -> None:
    metrics, kept = WorkerMetrics(), Kept()
    sampler = Sampler(metrics, kept)
    work(metrics, 40)
    kept.away = True
    with pytest.raises(StoreUnavailable):
        asyncio.run(sampler.once(AT))
    kept.away = False
    asyncio.run(sampler.once(AT))
    assert kept.rows[0][0].readings == 40


@pytest.mark.integration
def test_after_the_clock_was_set_back_the_sample_of_now_is_the_newest(database: str) -> None:
    async def store() -> None:
        place = TimescaleStore(database, group="g", owner="w")
        for at, lag in ((AT + timedelta(days=1), 4), (AT, 7)):
            await place.add_sample(at, WorkerSample(30.0, 5, 1, 2, 0.1, 0.0), [PartitionSample(0, lag, 0.5, None)])
        await place.close()

    asyncio.run(store())
    with psycopg.connect(database) as connection:
        assert connection.execute("select max(at) from worker_samples").fetchone() == (AT,)
        assert connection.execute("select lag from partition_samples").fetchall() == [(7,)]


@pytest.mark.integration
def test_samples_are_kept_for_a_month(database: str) -> None:
    async def store() -> None:
        place = TimescaleStore(database, group="g", owner="w")
        for at in (AT, AT + timedelta(days=1), AT + timedelta(days=KEPT_DAYS + 1)):
            done = WorkerSample(30.0, 5, 1, 2, 0.1, 0.0, disk_free_bytes=10**9)
            await place.add_sample(at, done, [PartitionSample(0, 4, 0.5, None)])
        await place.close()

    asyncio.run(store())
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*), min(database_bytes) > 0 from worker_samples").fetchone() == (
            2,
            True,
        )
        assert connection.execute("select sum(lag) from partition_samples").fetchone() == (8,)
