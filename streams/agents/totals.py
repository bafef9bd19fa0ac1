"""Stale totals are worked out anew, and the hours behind them go out to the topic of hours.

Every transaction of a lane marks the hours it wrote. Here the marks of the units of this worker's partitions are
claimed, days and totals of these units are replaced, their hours are published, and the marks go with the commit: after
a crash all of it is done again, so an hour is published at least once with each of its revisions that lasted.
"""

import asyncio
import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import numpy as np
from aiokafka.errors import KafkaError

from analytics.domain.errors import StoreUnavailable
from analytics.domain.units import unit_of
from ingest.wire import CONTENT_TYPE, CONTENT_TYPE_JSON
from streams.agents.relay import Publisher
from streams.agents.workshop import Workshop
from streams.ports import Hours, Int32s, StoredLedger, StoreRejected, TotalsTransaction
from streams.totals import TotalsMaker

__all__ = ["HourMessages", "TotalsAgent"]

log = logging.getLogger("metering.totals")

_LONGEST_WAIT_S = 60.0
"""Totals are made at least this often, however far readings lag behind. [s]"""
_UNITS_AT_ONCE = 50
_ROWS_A_MESSAGE = 2000
_HEADERS = [(CONTENT_TYPE, CONTENT_TYPE_JSON.encode())]


class Marks(Protocol):
    """Where stale units are claimed."""

    def totals(
        self, unit_ids: Int32s | None = None, *, limit: int = 100
    ) -> AbstractAsyncContextManager[TotalsTransaction]:
        """Some of them, in a transaction."""


class Ledgers(Protocol):
    """Who knows the ledgers in use."""

    def ledgers(self) -> Sequence[StoredLedger]:
        """One for each partition that this worker has."""

    def behind(self) -> bool:
        """Whether readings pile up: then totals wait, for they can be made later as well."""


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


class TotalsAgent:
    """See the module's docstring."""

    def __init__(self, shop: Workshop, marks: Marks, ledgers: Ledgers, publisher: Publisher) -> None:
        self._shop = shop
        self._marks = marks
        self._ledgers = ledgers
        self._publisher = publisher
        self._makers: dict[int, tuple[StoredLedger, TotalsMaker]] = {}
        self._done_at = time.monotonic()

    async def run(self, every_s: float) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            if self._ledgers.behind() and time.monotonic() - self._done_at < _LONGEST_WAIT_S:
                continue
            self._done_at = time.monotonic()
            try:
                for stored in self._ledgers.ledgers():
                    while len(stored.unit_ids) and await self.once(stored) >= _UNITS_AT_ONCE:
                        pass
            except (KafkaError, StoreUnavailable, StoreRejected) as error:
                log.warning("totals wait: %s", error)
                await self._publisher.close()
            except Exception:
                log.exception("totals wait")
                await self._publisher.close()

    async def once(self, stored: StoredLedger) -> int:
        """Work out what is stale of the units of a ledger, some at most; how many units."""
        async with self._marks.totals(stored.unit_ids, limit=_UNITS_AT_ONCE) as tx:
            if not len(tx.unit_ids):
                return 0
            maker = await self._maker(stored)
            spans = await self._shop.in_thread(maker.spans, tx.unit_ids, tx.first_hour, tx.last_hour)
            rows = await tx.read_hours(*maker.windows(spans))
            hours = await self._shop.in_thread(maker.point_hours, rows)
            days = await self._shop.in_thread(maker.point_days, hours)
            await tx.replace_point_days(days, spans.unit_ids, spans.first_day, spans.last_day)
            by_hour = await self._shop.in_thread(maker.by_hour, hours)
            await tx.replace_unit_hours(by_hour, spans.unit_ids, spans.first_hour, spans.last_hour)
            by_day = await self._shop.in_thread(maker.by_day, hours)
            changed = await tx.replace_unit_days(by_day, spans.unit_ids, spans.first_day, spans.last_day)
            self._shop.metrics.totals.inc(changed)
            await self._publish(stored, _stale(rows, tx))
            return len(np.unique(tx.unit_ids))

    async def _maker(self, stored: StoredLedger) -> TotalsMaker:
        known = self._makers.get(id(stored))
        if known is None:
            in_use = {id(one) for one in self._ledgers.ledgers()}
            self._makers = {key: value for key, value in self._makers.items() if key in in_use}
            config = self._shop.config
            maker = await self._shop.in_thread(TotalsMaker, stored, zone=config.zone, factors=config.factors)
            known = self._makers[id(stored)] = (stored, maker)
        return known[1]

    async def _publish(self, stored: StoredLedger, rows: Hours) -> None:
        topic = self._shop.config.hours_topic
        messages = await self._shop.in_thread(lambda: list(HourMessages(stored).of(rows)))
        if not messages:
            return
        producer = await self._publisher.producer()
        sent = [await producer.send(topic, value, key=key.encode(), headers=_HEADERS) for key, value in messages]
        await asyncio.gather(*sent)
        self._shop.metrics.published.labels(topic).inc(len(sent))


def _stale(rows: Hours, tx: TotalsTransaction) -> Hours:
    """Of whole days just the hours that were marked."""
    wanted = np.zeros(len(rows), bool)
    for unit_id, first, last in zip(tx.unit_ids.tolist(), tx.first_hour.tolist(), tx.last_hour.tolist(), strict=True):
        wanted |= (rows["unit_id"] == unit_id) & (rows["hour"] >= first) & (rows["hour"] <= last)
    return rows[wanted]
