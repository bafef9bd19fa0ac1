"""Units of this worker's partitions are judged again when what they are judged by or from has changed."""

import logging

from analytics.domain.errors import ConfigurationError
from streams.agents.courtesy import Courtesy, units_at_once
from streams.compliance.stale import ComplianceStore
from streams.patience import AWAY, in_rounds
from streams.ports import LedgersInUse
from streams.rows.layout import StoredLedger

__all__ = ["ComplianceAgent"]

log = logging.getLogger("metering.compliance")

_UNITS_AT_ONCE = 20
_POINTS_AT_ONCE = 2_500
"""Points per piece of work, some tenths of a second's worth."""


class ComplianceAgent:
    """Judges what is stale, round after round.

    Parameters
    ----------
    store : ComplianceStore
    ledgers : LedgersInUse
    courtesy : Courtesy
        Whose turn it is.
    """

    def __init__(self, store: ComplianceStore, ledgers: LedgersInUse, courtesy: Courtesy) -> None:
        self._store = store
        self._courtesy = courtesy
        self._ledgers = ledgers

    async def run(self, every_s: float) -> None:
        """Until cancelled; a fault is logged and tried again."""
        await in_rounds(self._round, every_s, "compliance waits", log=log, away=(ConfigurationError, *AWAY))

    async def _round(self) -> None:
        for stored in self._ledgers.ledgers():
            await self.once(stored)

    async def once(self, stored: StoredLedger) -> int:
        """Judge what is stale of a ledger's units; how many. While readings pile up, one batch at a time."""
        total, units = 0, len(stored.unit_ids)
        limit = units_at_once(len(stored.point_ids), units, most=_UNITS_AT_ONCE, points_at_once=_POINTS_AT_ONCE)
        while units:
            async with self._courtesy.turn():
                judged = await self._store.judge_stale(stored, limit=limit)
            if judged is None:
                break
            total += judged.units
            written = judged.written
            log.info(
                "judged %d units: findings opened %d, closed %d, changed %d",
                judged.units,
                written.opened,
                written.closed,
                written.changed,
            )
            if self._ledgers.behind():
                break
        return total
