"""Recomputation of stale totals, and publication of the hours behind them.

Every transaction of a lane marks the hours it wrote. Here the marks of the units of this worker's partitions are
claimed, days and totals of these units are replaced, their hours are published, and the marks go with the commit: after
a crash all of it is done again, so an hour is published at least once with each of its revisions that lasted.

The first time a worker meets a unit's day it makes all of its hourly totals, for it does not know by which ledger and
which factors they were made; from then on only those of the hours that are stale.
"""

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import numpy as np
from aiokafka.errors import KafkaError
from numpy.typing import NDArray

from analytics.domain.units import unit_of
from ingest.wire import CONTENT_TYPE, CONTENT_TYPE_JSON
from streams.agents.courtesy import Courtesy, units_at_once
from streams.agents.relay import Publisher
from streams.lanes.workshop import Workshop
from streams.patience import AWAY, in_rounds
from streams.ports import LedgersInUse, TotalsTransaction
from streams.rows.layout import Hours, Int32s, Int64s, StoredLedger
from streams.steps.totals import Spans, TotalsMaker
from streams.store.factors import factors_of

__all__ = ["HourMessages", "TotalsAgent"]

log = logging.getLogger("metering.totals")

_LONGEST_WAIT_S = 60.0
"""Totals are made at least this often, however far readings lag behind. [s]"""
_UNITS_AT_ONCE = 50
_POINTS_AT_ONCE = 2_500
"""Points per piece of work, some tenths of a second's worth."""
_ROWS_A_MESSAGE = 2000
_HEADERS = [(CONTENT_TYPE, CONTENT_TYPE_JSON.encode())]


class Marks(Protocol):
    """Where stale units are claimed."""

    def totals(
        self, unit_ids: Int32s | None = None, *, limit: int = 100
    ) -> AbstractAsyncContextManager[TotalsTransaction]:
        """Some of them, in a transaction."""


class HourMessages:
    """Hours of units as messages: columns of the interchange file ``consumption_hour``, as JSON, keyed by unit."""

    def __init__(self, stored: StoredLedger) -> None:
        self._stored = stored
        self._by_id = np.argsort(stored.point_ids)

    def of(self, rows: Hours) -> Iterator[tuple[str, bytes]]:
        """Key and value of each message.

        Parameters
        ----------
        rows : (n,) STORED_HOUR
        """
        ids = self._stored.point_ids[self._by_id]
        point = self._by_id[np.searchsorted(ids, rows["point_id"])]
        unit = self._stored.ledger.point_unit[point]
        for i in np.unique(unit).tolist():
            mine = np.flatnonzero(unit == i)
            for start in range(0, len(mine), _ROWS_A_MESSAGE):
                part = mine[start : start + _ROWS_A_MESSAGE]
                yield self._stored.ledger.unit_codes[i], self._message(i, point[part].tolist(), rows[part])

    def _message(self, unit: int, points: list[int], rows: Hours) -> bytes:
        ledger = self._stored.ledger
        columns = {
            "unit_code": ledger.unit_codes[unit],
            "point": [ledger.point_codes[p] for p in points],
            "carrier": [ledger.point_carrier[p] for p in points],
            "start": np.datetime_as_string(rows["hour"].astype("datetime64[h]").astype("datetime64[s]")).tolist(),
            "amount": (rows["amount"] / 1e6).tolist(),
            "unit": [unit_of(int(ledger.point_canonical[p])).symbol for p in points],
            "completeness": rows["completeness"].tolist(),
            "quality": rows["quality"].tolist(),
            "revision": rows["revision"].tolist(),
        }
        columns["start"] = [start + "Z" for start in columns["start"]]
        return json.dumps(columns, ensure_ascii=False).encode()


class _Making:
    """Totals of one ledger's units, and which of their days have all hourly totals as they are made now."""

    def __init__(self, stored: StoredLedger, maker: TotalsMaker) -> None:
        self.stored = stored
        self.maker = maker
        self._known: dict[int, tuple[int, int]] = {}

    def stale(self, spans: Spans, first_hour: Int64s, last_hour: Int64s) -> tuple[Int64s, Int64s]:
        """First and last hour to make anew of each span: whole days, or what is marked of a unit of known days."""
        days = zip(spans.unit_ids.tolist(), spans.first_day.tolist(), spans.last_day.tolist(), strict=True)
        strange = {unit_id for unit_id, first, last in days if not self._knows(unit_id, first, last)}
        known = np.array([unit_id not in strange for unit_id in spans.unit_ids.tolist()], bool)
        return np.where(known, first_hour, spans.first_hour), np.where(known, last_hour, spans.last_hour)

    def know(self, spans: Spans) -> None:
        """Note that the days of these spans were stored as a whole."""
        days = zip(spans.unit_ids.tolist(), spans.first_day.tolist(), spans.last_day.tolist(), strict=True)
        for unit_id, first, last in days:
            before, after = self._known.get(unit_id, (first, last))
            apart = first > after + 1 or last < before - 1
            self._known[unit_id] = (first, last) if apart else (min(first, before), max(last, after))

    def _knows(self, unit_id: int, first: int, last: int) -> bool:
        before, after = self._known.get(unit_id, (0, -1))
        return before <= first and last <= after


class TotalsAgent:
    """See the module's docstring."""

    def __init__(
        self, shop: Workshop, marks: Marks, ledgers: LedgersInUse, publisher: Publisher, courtesy: Courtesy
    ) -> None:
        self._shop = shop
        self._courtesy = courtesy
        self._marks = marks
        self._ledgers = ledgers
        self._publisher = publisher
        self._makers: dict[int, _Making] = {}
        self._factors = shop.config.factors
        self._factors_number = 0
        self._done_at = time.monotonic()

    async def run(self, every_s: float) -> None:
        """Until cancelled."""
        away = (KafkaError, *AWAY)
        await in_rounds(self._round, every_s, "totals wait", log=log, away=away, failed=self._publisher.close)

    async def _round(self) -> None:
        """All that is stale of all ledgers; while readings pile up, only after a long wait."""
        if self._ledgers.behind() and time.monotonic() - self._done_at < _LONGEST_WAIT_S:
            return
        self._done_at = time.monotonic()
        for stored in self._ledgers.ledgers():
            while await self._turn(stored):
                pass

    async def _turn(self, stored: StoredLedger) -> bool:
        """Some units, when it is their turn; whether there may be more."""
        units = len(stored.unit_ids)
        if not units:
            return False
        limit = units_at_once(len(stored.point_ids), units, most=_UNITS_AT_ONCE, points_at_once=_POINTS_AT_ONCE)
        async with self._courtesy.turn():
            return await self.once(stored, limit=limit) >= limit

    async def once(self, stored: StoredLedger, *, limit: int = _UNITS_AT_ONCE) -> int:
        """Work out what is stale of the units of a ledger, some at most; how many units."""
        async with self._marks.totals(stored.unit_ids, limit=limit) as tx:
            if not len(tx.unit_ids):
                return 0
            aside = self._shop.in_thread_aside
            await self._refresh_factors(tx)
            making = await self._making(stored)
            maker = making.maker
            spans = await aside(maker.spans, tx.unit_ids, tx.first_hour, tx.last_hour)
            rows = await tx.read_hours(*maker.windows(spans))
            hours = await aside(maker.point_hours, rows)
            days = await aside(maker.point_days, hours)
            await tx.replace_point_days(days, spans.unit_ids, spans.first_day, spans.last_day)
            first, last = making.stale(spans, tx.first_hour, tx.last_hour)
            by_hour = await aside(lambda: maker.by_hour(maker.point_hours(_within(rows, spans.unit_ids, first, last))))
            await tx.replace_unit_hours(by_hour, spans.unit_ids, first, last)
            by_day = await aside(maker.by_day, hours)
            changed = await tx.replace_unit_days(by_day, spans.unit_ids, spans.first_day, spans.last_day)
            self._shop.metrics.totals.inc(changed)
            await self._publish(stored, await aside(_within, rows, tx.unit_ids, tx.first_hour, tx.last_hour))
        making.know(spans)
        return len(np.unique(spans.unit_ids))

    async def _refresh_factors(self, tx: TotalsTransaction) -> None:
        """Go by the factors in force, which stay in force until the transaction ends."""
        if self._factors is None:
            return
        number = await tx.newest_factors()
        if number != self._factors_number:
            self._factors = await self._shop.in_thread_aside(factors_of, await tx.factor_documents())
            self._factors_number = number
            self._makers.clear()

    async def _making(self, stored: StoredLedger) -> "_Making":
        known = self._makers.get(id(stored))
        if known is None:
            in_use = {id(one) for one in self._ledgers.ledgers()}
            self._makers = {key: value for key, value in self._makers.items() if key in in_use}
            zone = self._shop.config.zone
            maker = await self._shop.in_thread_aside(TotalsMaker, stored, zone=zone, factors=self._factors)
            known = self._makers[id(stored)] = _Making(stored, maker)
        return known

    async def _publish(self, stored: StoredLedger, rows: Hours) -> None:
        topic = self._shop.config.hours_topic
        messages = await self._shop.in_thread_aside(lambda: list(HourMessages(stored).of(rows)))
        if not messages:
            return
        producer = await self._publisher.producer()
        sent = [await producer.send(topic, value, key=key.encode(), headers=_HEADERS) for key, value in messages]
        await asyncio.gather(*sent)
        self._shop.metrics.published.labels(topic).inc(len(sent))


def _within(rows: Hours, unit_ids: Int32s, first_hour: Int64s, last_hour: Int64s) -> Hours:
    """The rows that lie in spans of hours of their units, both ends inclusive.

    Parameters
    ----------
    unit_ids, first_hour, last_hour : (k,)
        Ascending; of spans of a unit that overlap, each ends no sooner than those before it.
    """
    begins = _keys(unit_ids, first_hour)
    mine = _keys(rows["unit_id"], rows["hour"])
    span = np.searchsorted(begins, mine, side="right") - 1
    inside: NDArray[np.bool_] = (span >= 0) & (mine <= _keys(unit_ids, last_hour)[span])
    return rows[inside]


def _keys(unit_id: NDArray[np.integer], hour: NDArray[np.integer]) -> Int64s:
    return (unit_id.astype(np.int64) << 32) + hour
