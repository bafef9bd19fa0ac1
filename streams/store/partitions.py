"""The store of partitions: results and position in one transaction, refused to who does not own the partition."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

import numpy as np
import psycopg

from analytics.domain.errors import StoreUnavailable
from analytics.domain.quality import DetectionKind
from analytics.health.sensitivity import StandingVerdict
from streams.ports import FenceLost
from streams.rows.layout import (
    Assigned,
    DetectionRow,
    DeviceStatus,
    HourCounts,
    Hours,
    Incident,
    IncidentKind,
    Int32s,
    Int64s,
    Left,
    ObservabilityRow,
    PartitionReport,
    PassedOn,
    Readings,
    RegisterName,
    RejectedRow,
    SeriesName,
    Snapshot,
    StoredLedger,
    StoredReadings,
    TopicPartition,
)
from streams.store import (
    balances,
    detections,
    device_status,
    fence,
    hours,
    logs,
    marks,
    observability,
    readings,
    registers,
    rejected,
    samples,
    since,
    snapshots,
    totals,
    verdicts,
)
from streams.store.layers import Layers, LayersPolicy
from streams.store.ledger import rework
from streams.store.ledger.reading import LedgerShelf
from streams.store.postgres.connections import Connections

__all__ = ["TimescaleStore"]

_LEDGER_VERSION: Final = "select coalesce(max(id), 0) from ledger_version"


class TimescaleStore:
    """`streams.ports.PartitionStore` on PostgreSQL with TimescaleDB.

    Parameters
    ----------
    dsn : str
        Database that `deploy.migrate` has migrated.
    group : str
        Consumer group whose fences these are.
    owner : str
        Name of this worker, for people who look at the fences.
    connections : int
        How many transactions may run at once.
    """

    def __init__(self, dsn: str, *, group: str, owner: str, connections: int = 2) -> None:
        self._group = group
        self._owner = owner
        self._chunks = readings.Chunks()
        self._frontiers: dict[TopicPartition, tuple[int, hours.Frontier]] = {}
        self._connections = Connections(
            dsn,
            size=connections,
            name=f"meterwarden {owner}",
            session=(hours.TEMPORARY, detections.TEMPORARY, rejected.TEMPORARY, *totals.TEMPORARY),
        )

        self._series: dict[SeriesName, int] = {}
        self._shelf = LedgerShelf(self._connections)

    async def assign(self, partition: TopicPartition, *, partitions: int) -> Assigned:
        """Take a partition over; see `streams.ports.PartitionStore.assign`."""
        async with self._connections.connection() as connection, connection.transaction():
            layout = await logs.of_topic(connection, self._group, partition, partitions)
            if layout.partitions != partitions:
                return Assigned(
                    partition=partition, epoch=0, next_offset=0, snapshot=None, partitions=layout.partitions
                )
            taken = await fence.take_over(connection, self._connections.extra, self._group, partition, self._owner)
            snapshot = await snapshots.load(connection, self._group, partition)
            left: Sequence[Left] = ()
            if snapshot is None:
                await fence.end_others(connection, self._group, partition)
                left = await snapshots.left_behind(connection, self._group, partition, layout.partitions)
        return Assigned(
            partition=partition,
            epoch=taken.epoch,
            next_offset=taken.next_offset,
            snapshot=snapshot,
            partitions=layout.partitions,
            former=layout.former,
            marks=taken.marks,
            reread_until=taken.reread_until,
            reread_before_us=taken.reread_before_us,
            left=left,
        )

    @asynccontextmanager
    async def regrowing(self, topic: str, topic_id: UUID) -> AsyncIterator["Regrowth"]:
        """Hold all partitions of a topic while its units are spread anew; nobody stores anything meanwhile."""
        async with self._connections.connection() as connection, connection.transaction():
            layout = await logs.hold(connection, self._group, topic_id)
            fences = await fence.hold_all(connection, self._group, topic_id)
            left = await snapshots.of_layout(connection, self._group, topic, topic_id, layout.partitions, only=None)
            yield Regrowth(connection, self._group, TopicPartition(topic, topic_id, 0), layout.partitions, fences, left)

    @asynccontextmanager
    async def relay_passed_on(self, topic: str, limit: int = 500) -> AsyncIterator[list[tuple[int, str, bytes]]]:
        """Readings that another partition has to take; leaving the block says that they were sent."""
        async with self._connections.connection() as connection, connection.transaction():
            rows = await logs.passed_on(connection, topic, limit)
            yield rows
            await logs.forget_passed_on(connection, [one for one, _, _ in rows])

    async def report(self, reports: Sequence[PartitionReport]) -> None:
        """Tell how partitions do; see `streams.ports.PartitionStore.report`."""
        async with self._connections.connection() as connection:
            await logs.report(connection, self._group, self._owner, reports)

    @asynccontextmanager
    async def stored_since(
        self, stored: StoredLedger, after: TopicPartition | None
    ) -> AsyncIterator[AsyncIterator[StoredReadings]]:
        """Readings stored since a snapshot; see `streams.ports.PartitionStore.stored_since`."""
        async with self._connections.extra() as connection, connection.transaction():
            names = await registers.of_meters(connection, stored.meter_ids)
            yield since.read(connection, self._group, names, after)

    async def readings_of(self, register_ids: Int32s, from_us: Int64s, to_us: Int64s) -> Readings:
        """Stored readings of half-open windows, outside any transaction on a partition."""
        async with self._connections.connection() as connection:
            return await readings.of_registers(connection, register_ids, from_us, to_us)

    def transaction(self, assigned: Assigned, *, at: int) -> AbstractAsyncContextManager["Transaction"]:
        """Open a transaction on a partition; see `streams.ports.PartitionStore.transaction`."""
        return self._transaction(assigned, at)

    @asynccontextmanager
    async def _transaction(self, assigned: Assigned, at: int) -> AsyncIterator["Transaction"]:
        frontier = self._frontier(assigned)
        async with self._connections.connection() as connection:
            async with connection.transaction():
                await fence.lock(connection, self._group, assigned.partition, assigned.epoch, at)
                transaction = Transaction(connection, self._group, assigned.partition, at, frontier, self._chunks)
                yield transaction
            transaction.committed()

    def _frontier(self, assigned: Assigned) -> hours.Frontier:
        """What this owner has stored; a new epoch knows nothing, for another may have written in between."""
        epoch, frontier = self._frontiers.get(assigned.partition, (0, hours.Frontier()))
        if epoch != assigned.epoch:
            frontier = hours.Frontier()
            self._frontiers[assigned.partition] = assigned.epoch, frontier
        return frontier

    async def fence(self, assigned: Assigned) -> int:
        """The fence now; see `streams.ports.PartitionStore.fence`."""
        async with self._connections.connection() as connection:
            return await fence.look(connection, self._group, assigned.partition, assigned.epoch)

    async def ensure_registers(self, names: Sequence[RegisterName]) -> Int32s:
        """Ids of registers; see `streams.ports.PartitionStore.ensure_registers`."""
        async with self._connections.connection() as connection, connection.transaction():
            return await registers.ensure(connection, names)

    async def ledger_version(self) -> int:
        """The newest ledger version, 0 before the first load."""
        async with self._connections.connection() as connection:
            cursor = await connection.execute(_LEDGER_VERSION)
            row = await cursor.fetchone()
        return 0 if row is None else int(row[0])

    async def first_reading(self) -> int:
        """When the first of all stored readings was measured. [us since 1970-01-01 UTC]"""
        async with self.connections.connection() as connection:
            return await since.first_us(connection)

    async def asked_again(self, after: int, until: int, point_ids: Int32s) -> Mapping[int, int]:
        """Points that a person asked to be worked out again with some versions of the ledger, and since when."""
        async with self._connections.connection() as connection:
            return await rework.asked(connection, after, until, point_ids)

    async def newest_verdict(self) -> int:
        """Id of the newest of inspectors' verdicts, 0 before the first."""
        async with self._connections.connection() as connection:
            return await verdicts.newest(connection)

    async def verdicts(self, unit_ids: Int32s) -> Mapping[int, Sequence[StandingVerdict]]:
        """Verdicts that count, by the id of the point, of some units."""
        async with self._connections.connection() as connection:
            return await verdicts.standing(connection, unit_ids)

    async def add_sample(
        self, at: datetime, done: samples.WorkerSample, partitions: Sequence[samples.PartitionSample]
    ) -> None:
        """Store how this worker does; see `streams.agents.sampler.Samples`."""
        async with self._connections.connection() as connection:
            await samples.add(connection, at, self._owner, done, partitions)

    async def ledger(self, version: int, units: Callable[[str], bool]) -> StoredLedger:
        """The ledger as of a version; see `streams.ports.PartitionStore.ledger`."""
        return await self._shelf.ledger(version, units)

    @asynccontextmanager
    async def totals(self, unit_ids: Int32s | None = None, *, limit: int = 100) -> AsyncIterator[totals.TotalsClaim]:
        """Claim units with stale hours; see `streams.ports.PartitionStore.totals`."""
        async with self._connections.connection() as connection:
            try:
                async with connection.transaction():
                    claim = await totals.claim(connection, unit_ids, limit, self._series)
                    yield claim
            except BaseException:
                self._series.clear()  # one of them may be why
                raise
        self._series.update(claim.met)

    @property
    def connections(self) -> Connections:
        """The connections that this store works over, for what is stored beside it."""
        return self._connections

    @asynccontextmanager
    async def balance(self, unit_id: int) -> AsyncIterator[balances.BalanceTransaction | None]:
        """Hold a unit's balances in a transaction; None where another worker does."""
        async with self._connections.connection() as connection, connection.transaction():
            yield await balances.claim(connection, unit_id)

    @asynccontextmanager
    async def relay(self, limit: int = 1000) -> AsyncIterator[Sequence[rejected.RejectedRecord]]:
        """The oldest refused records that are not on their topic yet; leaving the block says that they are.

        No other relay gets the same ones meanwhile. After a crash they come again: their ids tell.
        """
        async with self._connections.connection() as connection, connection.transaction():
            rows = await rejected.unrelayed(connection, limit)
            yield rows
            await rejected.mark_relayed(connection, [row.id for row in rows])

    @asynccontextmanager
    async def relay_detections(
        self, limit: int = 1000, *, held_s: float = 60.0
    ) -> AsyncIterator[Sequence[detections.DetectionRecord]]:
        """The oldest detections whose newest revision is not on their topic yet; leaving the block says that it is.

        No other relay gets the same ones meanwhile, and none of them changes. After a crash they come again: id and
        revision tell.
        """
        async with self._connections.connection() as connection, connection.transaction():
            rows = await detections.unrelayed(connection, limit, held_s=held_s)
            yield rows
            await detections.mark_relayed(connection, [row.id for row in rows])

    def layers(self, policy: LayersPolicy) -> Layers:
        """What keeps the layers of readings in order on this store's connections; keep one and ask it now and then."""
        return Layers(self._connections, policy)

    async def close(self) -> None:
        """Give the connections back."""
        self._shelf.clear()
        await self._connections.close()


class Regrowth:
    """A topic whose units are being spread over another number of partitions, in one transaction.

    Attributes
    ----------
    partitions : int
        Over how many they are spread now.
    fences : mapping of int to int
        Where each partition's fence stands.
    left : sequence of Left
        The states as they were saved.
    """

    def __init__(
        self,
        connection: psycopg.AsyncConnection,
        group: str,
        first: TopicPartition,
        partitions: int,
        fences: Mapping[int, int],
        left: Sequence[Left],
    ) -> None:
        self._connection = connection
        self._group = group
        self._first = first
        self.partitions = partitions
        self.fences = fences
        self.left = left

    async def take(self, partition: int, ledger_version: int, state: bytes) -> None:
        """Give a partition its new state, at its fence."""
        here = self._first._replace(partition=partition)
        at = self.fences.get(partition, 0)
        await fence.begin(self._connection, self._group, here)
        snapshot = Snapshot(next_offset=at, ledger_version=ledger_version, state=state)
        await snapshots.save(self._connection, self._group, here, snapshot, at)

    async def lay(self, partitions: int, detail: str) -> None:
        """Record over how many partitions the units are spread now."""
        await logs.lay_anew(self._connection, self._group, self._first.topic_id, partitions)
        incident = Incident(kind=IncidentKind.REGROWN, from_offset=self.partitions, to_offset=partitions, detail=detail)
        await logs.note(self._connection, self._group, self._first, incident)


class Transaction:
    """`streams.ports.PartitionTransaction`: one database transaction that holds the partition's fence."""

    def __init__(
        self,
        connection: psycopg.AsyncConnection,
        group: str,
        partition: TopicPartition,
        at: int,
        frontier: hours.Frontier,
        chunks: readings.Chunks,
    ) -> None:
        self._connection = connection
        self._chunks = chunks
        self._frontier = frontier
        self._hours: list[Hours] = []
        self._group = group
        self._partition = partition
        self._found = at
        self._fence = at
        self._staged: set[str] = set()

    @property
    def next_offset(self) -> int:
        """The fence as this transaction found it."""
        return self._found

    async def readings_of(self, register_ids: Int32s, from_us: Int64s, to_us: Int64s) -> Readings:
        """Stored readings of half-open windows, sorted by register and time."""
        return await readings.of_registers(self._connection, register_ids, from_us, to_us)

    async def write_readings(self, rows: Readings) -> int:
        """Append readings; how many."""
        return await readings.append(self._connection, rows, self._chunks)

    async def read_hours(self, point_ids: Int32s, from_hour: Int64s, to_hour: Int64s) -> Hours:
        """Stored hours of half-open windows, sorted by point and hour."""
        return await hours.in_windows(self._connection, point_ids, from_hour, to_hour)

    async def write_hours(self, rows: Hours) -> HourCounts:
        """Insert or revise hours."""
        if self._again("hours"):
            await hours.clear(self._connection)
        fresh = np.zeros(len(rows), np.bool_) if self._hours else await self._frontier.is_new(self._connection, rows)
        self._hours.append(rows)
        try:
            inserted = await hours.insert(self._connection, rows[fresh])
        except psycopg.errors.UniqueViolation as error:
            self._frontier.forget()
            raise StoreUnavailable("hours must be written by their partition's owner alone; asking anew") from error
        counts = await hours.upsert(self._connection, rows[~fresh])
        return counts._replace(inserted=counts.inserted + inserted)

    async def remove_hours(self, point_ids: Int32s, hours_: Int64s) -> int:
        """Remove hours that have no evidence any more."""
        return await hours.remove(self._connection, point_ids, hours_)

    async def write_detections(self, rows: Sequence[DetectionRow]) -> int:
        """Insert or replace detections."""
        if self._again("detections"):
            await detections.clear(self._connection)
        return await detections.upsert(self._connection, rows)

    async def replace_detections(
        self,
        rows: Sequence[DetectionRow],
        point_ids: Int32s,
        from_us: Int64s,
        standing_us: Int64s,
        kinds: Sequence[DetectionKind],
    ) -> int:
        """Write detections and withdraw what else started in the points' windows."""
        if self._again("detections"):
            await detections.clear(self._connection)
        return await detections.replace(self._connection, rows, point_ids, from_us, standing_us, kinds)

    async def write_rejected(self, rows: Sequence[RejectedRow]) -> int:
        """Keep refused records and readings; how many are new."""
        if self._again("rejected"):
            await rejected.clear(self._connection)
        return await rejected.insert(self._connection, self._partition, rows)

    async def write_device_statuses(self, rows: Sequence[DeviceStatus]) -> None:
        """Keep the state of devices, as their gateways report it."""
        await device_status.write(self._connection, rows)

    async def write_observability(self, rows: Sequence[ObservabilityRow]) -> None:
        """Store what could be seen at points, where nothing sees better."""
        await observability.write(self._connection, rows)

    async def mark_dirty(self, unit_ids: Int32s, first_hour: Int64s, last_hour: Int64s) -> None:
        """Mark totals of units as stale for some hours."""
        await marks.add(self._connection, unit_ids, first_hour, last_hour)

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Replace the partition's snapshot."""
        await snapshots.save(self._connection, self._group, self._partition, snapshot, self._fence)

    async def note(self, incident: Incident) -> None:
        """Keep what happened to the log."""
        await logs.note(self._connection, self._group, self._partition, incident)

    async def pass_on(self, rows: Sequence[PassedOn]) -> None:
        """Keep readings that another partition has to take."""
        await logs.pass_on(self._connection, self._partition.topic, rows)

    async def count_repeated(self, readings: int) -> None:
        """Count readings that were read again and are stored already."""
        await logs.repeated(self._connection, self._group, self._partition, readings)

    async def rewind(self, to: int, marks: bytes, *, until: int, before_us: int) -> None:
        """Move the fence to where the log parts from what is stored."""
        await fence.rewind(self._connection, self._group, self._partition, to, marks, until=until, before_us=before_us)
        self._fence = to

    async def move_fence(self, next_offset: int, marks: bytes) -> None:
        """Record that everything below `next_offset` is stored with this transaction."""
        if next_offset < self._fence:
            raise FenceLost(
                f"{self._partition.topic}/{self._partition.partition}: the fence must not move backwards from "
                f"{self._fence} (got {next_offset})"
            )
        await fence.move(self._connection, self._group, self._partition, next_offset, marks)
        self._fence = next_offset

    def committed(self) -> None:
        """Record that all of it is stored."""
        for rows in self._hours:
            self._frontier.pass_on(rows)

    def _again(self, what: str) -> bool:
        """Whether rows of this kind were staged in this transaction before."""
        if what in self._staged:
            return True
        self._staged.add(what)
        return False
