"""Tables `worker_sample` and `partition_sample`: writing samples and deleting old ones."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import psycopg

__all__ = ["KEPT_DAYS", "PartitionSample", "WorkerSample", "add"]

KEPT_DAYS: Final = 30

_WORKER: Final = """
insert into worker_sample (at, worker, span_s, readings, rejected, transactions, transaction_s, database_wait_s,
                           disk_free_bytes, database_bytes)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, pg_database_size(current_database()))
on conflict (at, worker) do nothing
"""
_PARTITION: Final = """
insert into partition_sample (at, worker, partition, lag, fence_age_s, snapshot_age_s) values (%s, %s, %s, %s, %s, %s)
on conflict (at, partition, worker) do nothing
"""
_GUARD: Final = "select board.guard()"  # viewers' limits: a role may change its own settings, so they are kept here
_OLD: Final = (
    "delete from worker_sample where at < %s::timestamptz - %s * interval '1 day'",
    "delete from partition_sample where at < %s::timestamptz - %s * interval '1 day'",
)


# of before the clock was set back: as the newest ones they would hide all that come, until their time has come again
_AHEAD: Final = (
    "delete from worker_sample where at > %s::timestamptz + interval '10 minutes'",
    "delete from partition_sample where at > %s::timestamptz + interval '10 minutes'",
)


class WorkerSample(NamedTuple):
    """What one worker did in a span of time."""

    span_s: float
    readings: int
    rejected: int
    transactions: int
    transaction_s: float
    database_wait_s: float
    disk_free_bytes: int | None = None
    """Where the database lies; None where that is another machine."""


class PartitionSample(NamedTuple):
    """How one partition is now; None where the worker has not reported it."""

    partition: int
    lag: int | None
    fence_age_s: float | None
    snapshot_age_s: float | None


async def add(
    connection: psycopg.AsyncConnection,
    at: datetime,
    worker: str,
    done: WorkerSample,
    partitions: Sequence[PartitionSample],
) -> None:
    """Store a sample, and drop those of more than `KEPT_DAYS` before it and those ahead of it; keep viewers' limits."""
    async with connection.transaction():
        await connection.execute(_WORKER, (at, worker, *done))
        async with connection.cursor() as cursor:
            await cursor.executemany(
                _PARTITION,
                [(at, worker, one.partition, one.lag, one.fence_age_s, one.snapshot_age_s) for one in partitions],
            )
        for statement in _OLD:
            await connection.execute(statement, (at, KEPT_DAYS))
        for statement in _AHEAD:
            await connection.execute(statement, (at,))
    await connection.execute(_GUARD)
