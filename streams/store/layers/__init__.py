"""The layers of readings are kept in order: chunks at rest are indexed, old ones packed, empty ones dropped.

A chunk in use has no index by register, which COPY would feel, so who asks for one meter's readings of today reads all
of it; it is therefore no longer than what can be looked through in a fifth of a second.

One worker at a time does this, a chunk a transaction, and writers wait for no more than a moment: a chunk is packed
from a snapshot, then locked, and if readings came into it meanwhile it is left alone and done again under lock.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
import psycopg
from psycopg import sql

from analytics.domain.errors import StoreUnavailable
from streams.rows.layout import READING_ROW, Int64s, Readings
from streams.store.layers import packing
from streams.store.postgres.columns import decode
from streams.store.postgres.connections import Connections
from streams.store.readings import KINDS
from streams.store.site import CHUNK, CHUNK_IS

__all__ = ["Layers", "LayersPolicy", "Maintained", "chunk_hours"]

log = logging.getLogger("metering.store")

_ALONE: Final = "select pg_try_advisory_xact_lock(x'6d770004'::int4)"
_COLUMNSTORE: Final = "select current_setting('timescaledb.license', true) = 'timescale'"
_IMPATIENT: Final = "set local lock_timeout = '3s'"
_CHUNKS: Final = """
select c.chunk_schema, c.chunk_name, c.range_start, c.range_end, pg_relation_size(k.oid) = 0 as empty,
       coalesce(pg_stat_get_tuples_inserted(k.oid), 0) as inserted,
       exists (select from pg_class i where i.relnamespace = k.relnamespace and i.relname = c.chunk_name || %(suffix)s)
           as sealed
from timescaledb_information.chunks c
join pg_class k on k.oid = format('%%I.%%I', c.chunk_schema, c.chunk_name)::regclass
where c.hypertable_name = 'reading_hot' and c.range_end <= %(before)s
order by c.range_start
"""
# what only a table's owner may do is done by functions of schema upkeep: a worker owns nothing
_SEAL: Final = "select upkeep.seal(%s::regclass, %s)"
_SEALED: Final = "_register"
_COUNT: Final = sql.SQL("select count(*) from {}")
_LOCK: Final = "select upkeep.lock(%s::regclass, everybody => %s)"
_CLEAR: Final = "select upkeep.clear(%s::regclass)"
_DROP: Final = "select upkeep.drop_empty(%s::regclass, since => %s, until => %s)"
_REGISTERS: Final = sql.SQL("""
select register_id, array_send(array_agg(measured_at)), array_send(array_agg(received_at)),
       array_send(array_agg(value)), array_send(array_agg(quality)), array_send(array_agg(unit)),
       array_send(array_agg(writer))
from (
    select measured_at, received_at, value, register_id, quality, unit, xmin as writer from {}
    order by register_id, measured_at
) r
group by register_id order by register_id
""")
_COMMITTED: Final = """
select array_send(array_agg(coalesce(stored_at(w.writer::text::xid), '-infinity') order by w.ordinal))
from unnest(%s::int8[]) with ordinality as w (writer, ordinal)
"""
_RETAIN: Final = "select upkeep.retain(%s)"
_NEWEST: Final = """
select max(range_end) from timescaledb_information.chunks where hypertable_name in ('reading_hot', 'reading_history')
"""

_PACE: Final = """
select coalesce(sum(3600 / interval_s) filter (where interval_s > 0), 0)::float8,
       count(*) filter (where interval_s is null)
from installation where installed_from <= %(now)s and installed_to > %(now)s
"""
_LENGTHS_H: Final = (24, 12, 8, 6, 4, 3, 2)  # whole numbers of them make a day
_IN_USE: Final = 1_200_000  # readings of a chunk in use: some 150 ns each to look through as an enterprise
_USUAL_S: Final = 900.0  # taken for a meter whose interval the ledger does not say

_AT_ONCE: Final = 2_000_000  # readings packed in one piece, of whole registers
_DTYPE: Final = np.dtype([*READING_ROW.descr, ("stored_at", "<i8")])


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersPolicy:
    """What is done when.

    Attributes
    ----------
    by_ledger : bool
        Chunks are as long as `chunk_hours` says of the ledger's meters; else they stay as the site has settled.
    rest_s : float
        A chunk is at rest when its time is over and nothing came into it for this long. [s]
    pack_after_h : float, optional
        Chunks that ended this long ago are packed; None never. A server whose license gives it the columnstore packs by
        that, and not by this. [h]
    retain_days : float, optional
        Readings older than this are dropped, packed or not; None never. Counted back from now, or from the newest
        reading where the clock is ahead of it. [d]
    """

    by_ledger: bool = False
    rest_s: float = 600.0
    pack_after_h: float | None = None
    retain_days: float | None = None


@dataclass(slots=True, kw_only=True)
class Maintained:
    """What was done."""

    sealed: list[str] = field(default_factory=list)
    packed: list[str] = field(default_factory=list)
    readings_packed: int = 0
    dropped: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.sealed or self.packed or self.dropped)


class _Chunk(NamedTuple):
    schema: str
    name: str
    start: datetime
    end: datetime
    empty: bool
    inserted: int
    sealed: bool

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    @property
    def quoted(self) -> str:
        """Its name as a value."""
        return self.identifier.as_string()


class _GrewError(Exception):
    """Readings came into a chunk while it was packed."""


class Layers:
    """Keeps the layers in order. Remembers when it saw which chunk change, so keep one of it.

    Parameters
    ----------
    connections : Connections
    policy : LayersPolicy
    """

    def __init__(self, connections: Connections, policy: LayersPolicy) -> None:
        self._connections = connections
        self._policy = policy
        self._seen: dict[str, tuple[int, float]] = {}
        self._columnstore = False

    async def maintain(self, now: datetime) -> Maintained:
        """Do what is due; what cannot be locked now is left for the next time.

        Parameters
        ----------
        now : datetime
            Wall clock, aware.
        """
        done = Maintained()
        await self._cut(now)
        await self._retain(now)
        for chunk in await self._chunks(now):
            old = self._old(chunk, now)
            try:
                if chunk.empty:
                    if old and self._rested(chunk) and await self._drop(chunk):
                        done.dropped.append(chunk.name)
                elif old and self._rested(chunk):
                    done.readings_packed += await self._pack(chunk)
                    done.packed.append(chunk.name)
                elif not chunk.sealed and self._rested(chunk) and await self._seal(chunk):
                    done.sealed.append(chunk.name)
            except StoreUnavailable as error:
                log.info("chunk %s is left for later: %s", chunk.name, error)
        return done

    async def _cut(self, now: datetime) -> None:
        """Let chunks from now on be as long as the ledger's meters fill them."""
        if not self._policy.by_ledger:
            return
        async with self._connections.connection() as connection:
            row = await (await connection.execute(_PACE, {"now": now})).fetchone()
            assert row is not None, "such a query always has a row"
            interval = f"{chunk_hours(row[0] + row[1] * 3600 / _USUAL_S)} hours"
            if not await _scalar(connection, CHUNK_IS, (interval,)):
                await connection.execute(CHUNK, (interval,))
                log.info("chunks of readings are %s long from now on", interval)

    async def _chunks(self, now: datetime) -> Sequence[_Chunk]:
        async with self._connections.connection() as connection:
            self._columnstore = bool(await _scalar(connection, _COLUMNSTORE))
            cursor = await connection.execute(_CHUNKS, {"suffix": _SEALED, "before": now})
            return [_Chunk(*row) for row in await cursor.fetchall()]

    def _old(self, chunk: _Chunk, now: datetime) -> bool:
        """Whether it is time to pack it."""
        after_h = self._policy.pack_after_h
        return after_h is not None and not self._columnstore and chunk.end <= now - timedelta(hours=after_h)

    def _rested(self, chunk: _Chunk) -> bool:
        """Whether nothing came into it for long enough."""
        clock = time.monotonic()
        inserted, since = self._seen.get(chunk.name, (-1, clock))
        if inserted != chunk.inserted:
            since = clock
        self._seen[chunk.name] = (chunk.inserted, since)
        return clock - since >= self._policy.rest_s

    async def _seal(self, chunk: _Chunk) -> bool:
        async with self._connections.connection() as connection, connection.transaction():
            if not await _alone(connection):
                return False
            await connection.execute(_IMPATIENT)
            await connection.execute(_SEAL, (chunk.quoted, chunk.name + _SEALED))
        return True

    async def _drop(self, chunk: _Chunk) -> bool:
        async with self._connections.connection() as connection, connection.transaction():
            if not await _alone(connection):
                return False
            await connection.execute(_IMPATIENT)
            await connection.execute(_LOCK, (chunk.quoted, True))
            if not await _scalar(connection, _DROP, (chunk.quoted, chunk.start, chunk.end)):
                return False
        self._seen.pop(chunk.name, None)
        return True

    async def _retain(self, now: datetime) -> None:
        if self._policy.retain_days is None:
            return
        async with self._connections.connection() as connection:
            newest = await _scalar(connection, _NEWEST)
            if newest is None:
                return
            # by a clock that is years ahead everything would be old, and what is dropped does not come back
            before = min(now, newest) - timedelta(days=self._policy.retain_days)
            await connection.execute(_RETAIN, (before,))

    async def _pack(self, chunk: _Chunk) -> int:
        try:
            return await self._move(chunk, locked=False)
        except _GrewError:
            log.info("chunk %s grew while it was packed; again, under lock", chunk.name)
            return await self._move(chunk, locked=True)

    async def _move(self, chunk: _Chunk, *, locked: bool) -> int:
        """Move a chunk's readings into history, all or none; how many."""
        async with self._connections.connection() as connection, connection.transaction():
            if not await _alone(connection):
                return 0
            await connection.execute(_IMPATIENT)
            if locked:
                await connection.execute(_LOCK, (chunk.quoted, False))
            moved = 0
            async with self._connections.extra() as reader:
                async for rows in _pieces(reader, chunk):
                    moved += len(rows)
                    await _append(connection, rows)
            await connection.execute(_LOCK, (chunk.quoted, True))
            if await _count(connection, chunk) != moved:
                raise _GrewError
            await connection.execute(_CLEAR, (chunk.quoted,))
        return moved


def chunk_hours(readings_per_h: float) -> int:
    """Length of a chunk that so many readings fill, such that one in use can be looked through.

    Parameters
    ----------
    readings_per_h : float
        Of all meters together. [1/h]

    Returns
    -------
    int
        A whole part of a day. [h]

    Examples
    --------
    >>> [chunk_hours(meters * 4) for meters in (1_000, 100_000, 10_000_000)]
    [24, 3, 1]
    """
    return next((hours for hours in _LENGTHS_H if hours * readings_per_h <= _IN_USE), 1)


async def _alone(connection: psycopg.AsyncConnection) -> bool:
    return bool(await _scalar(connection, _ALONE))


async def _count(connection: psycopg.AsyncConnection, chunk: _Chunk) -> int:
    return int(await _scalar(connection, _COUNT.format(chunk.identifier)))


async def _scalar(connection: psycopg.AsyncConnection, query: Any, parameters: Sequence[Any] = ()) -> Any:
    row = await (await connection.execute(query, parameters)).fetchone()
    assert row is not None, "such a query always has a row"
    return row[0]


async def _pieces(reader: psycopg.AsyncConnection, chunk: _Chunk) -> AsyncIterator[Readings]:
    """A chunk's readings by register and time, some whole registers at a time; `stored_at` is the writer's id."""
    async with reader.transaction(), reader.cursor("pieces", binary=True) as cursor:
        await cursor.execute(_REGISTERS.format(chunk.identifier))
        piece: list[Readings] = []
        async for register_id, *sent in cursor:
            piece.append(_rows(register_id, sent))
            if sum(map(len, piece)) >= _AT_ONCE:
                yield np.concatenate(piece)
                piece = []
        if piece:
            yield np.concatenate(piece)


def _rows(register_id: int, sent: Sequence[bytes]) -> Readings:
    columns = [name for name in KINDS if name != "register_id"]
    first = decode(sent[0], KINDS[columns[0]])
    rows = np.empty(len(first), _DTYPE)
    rows["register_id"] = register_id
    rows[columns[0]] = first
    for name, column in zip(columns[1:], sent[1:], strict=False):
        rows[name] = decode(column, KINDS[name])
    rows["stored_at"] = decode(sent[-1], "xid")
    return rows


async def _append(connection: psycopg.AsyncConnection, rows: Readings) -> None:
    """Add runs; readings that came late make runs of their own beside those of their day."""
    stored = await _stored_at(connection, rows["stored_at"])
    packed = await asyncio.to_thread(packing.pack, rows, stored)
    async with connection.cursor() as cursor, cursor.copy(packing.COPY_IN) as copy:
        await copy.write(packed)


async def _stored_at(connection: psycopg.AsyncConnection, writers: Int64s) -> Int64s:
    """When transactions were committed, the smallest int64 where the server does not know (any more)."""
    distinct, place = np.unique(writers, return_inverse=True)
    sent = await _scalar(connection, _COMMITTED, (distinct,))
    return np.asarray(decode(bytes(sent), "timestamptz"), np.int64)[place]
