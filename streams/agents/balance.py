"""Energy balances followed live: closed days of each unit through the engine, its state kept in the database.

Days are taken whole, once every hour of them is settled, so the engine sees what a backfill of the same readings would.
State, detections, balances and what could be seen are committed together: after a crash a day is taken again as if for
the first time. A unit is one worker's at a time.
"""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Protocol

import numpy as np

from analytics.columns.aggregation import MICRO, PointHours
from analytics.domain.accuracy import in_service_factors
from analytics.domain.instants import US_PER_HOUR
from analytics.domain.ledger import Ledger
from analytics.drift.groups import BalanceGroups
from analytics.drift.observability import PointVerdict, judge
from analytics.drift.rules import BalanceRules
from analytics.drift.state import BalanceState, StateMismatch
from analytics.health.sensitivity import StandingVerdict, factor_of
from streams.agents.courtesy import Courtesy
from streams.lanes.workshop import Workshop
from streams.patience import in_rounds
from streams.ports import LedgersInUse
from streams.rows.layout import DetectionRow, Hours, Int32s, KeptBalance, ObservabilityRow, StoredLedger
from streams.steps.balance import (
    HOURS,
    Taken,
    balance_rows,
    gain_detections,
    gain_rows,
    settled_end,
    take,
    unit_part,
    verdicts_taken,
)
from streams.store.balances import BalanceTransaction

__all__ = ["ENGINE", "BalanceAgent"]

log = logging.getLogger("metering.balance")

ENGINE = 1
"""Format of the stored state; a state of another format is discarded."""
_EPOCH = date(1970, 1, 1)
_LONGEST_H = 92 * HOURS
"""Most hours processed in one transaction."""


class Balances(Protocol):
    """Where balances are kept."""

    def balance(self, unit_id: int) -> AbstractAsyncContextManager[BalanceTransaction | None]:
        """A unit's balances in a transaction."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """One unit of a ledger, by itself."""

    stored: StoredLedger
    id: int
    ledger: Ledger
    points: slice
    meters: slice
    groups: BalanceGroups

    @property
    def point_ids(self) -> Int32s:
        """Ids of its points, in the order of its own ledger."""
        return self.stored.point_ids[self.points]

    def index_of(self, point_id: int) -> int:
        """A point by its id, in the unit's own ledger; -1 where it is not of it."""
        return int(next(iter(np.flatnonzero(self.point_ids == point_id)), -1))

    def hours(self, rows: Hours) -> PointHours:
        """Stored hours by the indices of its own ledger."""
        order = np.argsort(self.point_ids)
        return PointHours.from_stored(
            point=order[np.searchsorted(self.point_ids[order], rows["point_id"])],
            hour=rows["hour"],
            amount=rows["amount"] / MICRO,
            completeness=rows["completeness"],
            measured=rows["measured"],
            quality=rows["quality"],
        )


def _unit(stored: StoredLedger, index: int, in_service: Mapping[str, float]) -> _Unit:
    ledger, points = unit_part(stored, index)
    meters = slice(*stored.ledger.unit_meter_start[index : index + 2].tolist())
    groups = BalanceGroups.from_ledger(ledger, in_service)
    return _Unit(stored, int(stored.unit_ids[index]), ledger, points, meters, groups)


class BalanceAgent:
    """See the module's docstring."""

    def __init__(
        self,
        shop: Workshop,
        balances: Balances,
        ledgers: LedgersInUse,
        courtesy: Courtesy,
        *,
        rules: BalanceRules | None = None,
    ) -> None:
        self._courtesy = courtesy
        self._shop = shop
        self._balances = balances
        self._ledgers = ledgers
        self._rules = rules or BalanceRules()
        self._in_service = in_service_factors(shop.config.in_service)
        self._units: dict[int, tuple[StoredLedger, list[_Unit]]] = {}

    async def run(self, every_s: float) -> None:
        """Until cancelled."""
        await in_rounds(self._round, every_s, "balances wait", log=log)

    async def _round(self) -> None:
        if self._ledgers.behind():
            return
        for stored in self._ledgers.ledgers():
            await self.once(stored)

    async def once(self, stored: StoredLedger) -> int:
        """Take all settled days of the units of a ledger; how many units went on."""
        went_on = 0
        for unit in await self._units_of(stored):
            moved = False
            while await self._turn(unit):
                moved = True
            went_on += moved
        return went_on

    async def _units_of(self, stored: StoredLedger) -> list[_Unit]:
        known = self._units.get(id(stored))
        if known is None:
            in_use = {id(one) for one in self._ledgers.ledgers()}
            self._units = {key: value for key, value in self._units.items() if key in in_use}
            units = await self._shop.in_thread_aside(
                lambda: [_unit(stored, i, self._in_service) for i in range(len(stored.unit_ids))]
            )
            known = self._units[id(stored)] = (stored, units)
        return known[1]

    async def _turn(self, unit: _Unit) -> bool:
        async with self._courtesy.turn():
            return await self._go_on(unit)

    async def _go_on(self, unit: _Unit) -> bool:
        """Take the next settled days of a unit, up to a season; whether there were any."""
        async with self._balances.balance(unit.id) as tx:
            if tx is None:
                return False
            firsts, newest = await tx.span(unit.point_ids)
            settled = settled_end(newest, now_hour=int(self._shop.now()) // 3600, lag_h=self._shop.config.balance_lag_h)
            kept = await tx.kept()
            first = kept.next_hour if kept is not None else int(firsts.min(initial=settled))
            end = min(settled, (first + _LONGEST_H) // HOURS * HOURS + 1)
            if end <= first:
                return False
            state = await self._state(unit, kept)
            since = first - HOURS
            hours = unit.hours(await tx.read_hours(unit.point_ids, since, end))
            looked_at = [(unit.index_of(point), kind, found) for point, kind, found in await tx.verdicts()]
            ended = verdicts_taken(state, looked_at)
            taken = await self._shop.in_thread_aside(take, state, unit.ledger, hours, first=first, end=end)
            taken = replace(taken, changes=(*ended, *taken.changes))
            verdicts = await self._shop.store.verdicts(np.array([unit.id], np.int32))
            await tx.write_detections(self._detections(unit, taken, verdicts))
            if len(unit.groups):
                await tx.write_balances(balance_rows(taken, unit.groups, hours, unit.point_ids, first=since, end=end))
            sight = await self._shop.in_thread_aside(judge, unit.ledger, unit.groups, state)
            as_of_us = (end - 1) * US_PER_HOUR
            await tx.write_observability([_sight_row(one, unit, as_of_us) for one in sight])
            told = await self._shop.in_thread_aside(state.to_bytes)
            after = KeptBalance(engine=ENGINE, ledger_version=unit.stored.version, next_hour=end, state=told)
            await tx.keep(after, point_id=int(unit.point_ids[0]))
        return True

    async def _state(self, unit: _Unit, kept: KeptBalance | None) -> BalanceState:
        """The kept state for the groups as they are now; groups that changed begin anew."""
        if kept is None or kept.engine != ENGINE:
            return BalanceState.empty(unit.groups, self._rules)
        try:
            return await self._shop.in_thread_aside(BalanceState.from_bytes, kept.state, unit.groups, self._rules)
        except StateMismatch:
            code = unit.stored.ledger.unit_codes[unit.stored.unit_ids.tolist().index(unit.id)]
            before = await self._shop.store.ledger(kept.ledger_version, lambda other: other == code)
            try:
                groups = BalanceGroups.from_ledger(before.ledger)
                old = await self._shop.in_thread_aside(BalanceState.from_bytes, kept.state, groups, self._rules)
            except StateMismatch as error:
                log.warning("balances of %s begin anew: %s", code, error)
                fresh = BalanceState.empty(unit.groups, self._rules)
                fresh.last_hour = kept.next_hour - 1
                return fresh
            return await self._shop.in_thread_aside(old.carry, unit.groups)

    def _detections(
        self, unit: _Unit, taken: Taken, verdicts: Mapping[int, Sequence[StandingVerdict]]
    ) -> list[DetectionRow]:
        """Detections to be reported; those of meters found sound on inspection have a raised threshold."""
        rows = gain_detections(gain_rows(taken.changes, unit.ledger), unit.stored, unit.points, unit.meters, unit.id)
        told = []
        for row in rows:
            factor = factor_of(row.kind, verdicts.get(row.point_id, ()))
            if (
                row.ended_at is not None
                or factor <= 1
                or json.loads(row.evidence)["score"] >= self._rules.alarm * factor
            ):
                told.append(row)
        return told


def _sight_row(sight: PointVerdict, unit: _Unit, as_of_us: int) -> ObservabilityRow:
    share = None if math.isnan(sight.share) else sight.share
    return ObservabilityRow(
        point_id=int(unit.point_ids[sight.point]),
        question=sight.question.value,
        verdict=sight.verdict.value,
        reason=sight.reason.value,
        smallest_30d=None if math.isnan(sight.smallest_30d) else sight.smallest_30d,
        smallest_90d=None if math.isnan(sight.smallest_90d) else sight.smallest_90d,
        detail=json.dumps({"share_of_parent": share} | _learnt_anew(sight)),
        unit_id=unit.id,
        as_of_us=as_of_us,
    )


def _learnt_anew(sight: PointVerdict) -> dict[str, str]:
    """Span in which the gain of a suspected meter is re-estimated."""
    span = {"learnt_since": sight.learnt_since, "learnt_until": sight.learnt_until}
    return {name: (_EPOCH + timedelta(days=day)).isoformat() for name, day in span.items() if day is not None}
