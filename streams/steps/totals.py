"""Totals of units out of stored hours: the pure part, between the store's rows and the core's columns."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.columns.aggregation import (
    MICRO,
    PointHours,
    SeriesTotals,
    consumption_day,
    totals_by_day,
    totals_by_hour,
)
from analytics.columns.intervals import day_bounds, local_day
from analytics.columns.membership import Membership
from analytics.standards.coal import FactorTable, coal_equivalent
from streams.rows.layout import (
    POINT_DAY_ROW,
    TOTAL_ROW,
    Hours,
    Int32s,
    Int64s,
    PointDays,
    SeriesName,
    StoredLedger,
    Totals,
)

__all__ = ["Spans", "TotalsMaker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Whole local days of units, and the hours of their points.

    Attributes
    ----------
    unit_ids : (k,) int32
    first_day, last_day : (k,) int64
        Inclusive. [d since 1970-01-01, local]
    first_hour, last_hour : (k,) int64
        The same in hours, inclusive. [h since 1970-01-01 UTC]
    """

    unit_ids: Int32s
    first_day: Int64s
    last_day: Int64s
    first_hour: Int64s
    last_hour: Int64s


class TotalsMaker:
    """Makes totals of the units of one ledger.

    Parameters
    ----------
    stored : StoredLedger
    zone : ZoneInfo
        Of local days.
    factors : FactorTable or None
        Coal equivalents; without it there are none.
    """

    def __init__(self, stored: StoredLedger, *, zone: ZoneInfo, factors: FactorTable | None) -> None:
        self._stored = stored
        self._zone = zone
        self._membership = Membership.from_ledger(stored.ledger)
        keys = self._membership.keys()
        self._names = [SeriesName(int(stored.unit_ids[key.unit]), *key[1:]) for key in keys]
        codes = stored.ledger.unit_codes
        self._factors = [factors.series(key.carrier, key.symbol, codes[key.unit]) for key in keys] if factors else []
        self._by_id = np.argsort(stored.point_ids)

    @property
    def unit_ids(self) -> Int32s:
        """Units it can make totals of."""
        return self._stored.unit_ids

    def spans(self, unit_ids: Int32s, first_hour: Int64s, last_hour: Int64s) -> Spans:
        """Stale hours widened to whole local days."""
        first_day = local_day(first_hour, self._zone).astype(np.int64)
        last_day = local_day(last_hour, self._zone).astype(np.int64)
        return Spans(
            unit_ids=unit_ids,
            first_day=first_day,
            last_day=last_day,
            first_hour=day_bounds(first_day, self._zone)[0],
            last_hour=day_bounds(last_day, self._zone)[1] - 1,
        )

    def windows(self, spans: Spans) -> tuple[Int32s, Int64s, Int64s]:
        """Half-open windows of hours of all points of the spans' units: ids, from, to."""
        order = np.argsort(self._stored.unit_ids)
        unit = order[np.searchsorted(self._stored.unit_ids[order], spans.unit_ids)]
        start = self._stored.ledger.unit_point_start
        count = start[unit + 1] - start[unit]
        point = np.concatenate([np.arange(start[i], start[i + 1]) for i in unit.tolist()] or [np.empty(0, np.int64)])
        return (
            self._stored.point_ids[point],
            np.repeat(spans.first_hour, count),
            np.repeat(spans.last_hour + 1, count),
        )

    def point_hours(self, rows: Hours) -> PointHours:
        """Stored hours in the ledger's indices.

        Parameters
        ----------
        rows : (n,) HOUR_ROW or STORED_HOUR
        """
        ids = self._stored.point_ids[self._by_id]
        return PointHours.from_stored(
            point=self._by_id[np.searchsorted(ids, rows["point_id"])],
            hour=rows["hour"],
            amount=rows["amount"] / MICRO,
            completeness=rows["completeness"],
            measured=rows["measured"],
            quality=rows["quality"],
        )

    def point_days(self, hours: PointHours) -> PointDays:
        """Local days of points."""
        days = consumption_day(hours, self._zone)
        out = np.empty(len(days.point), POINT_DAY_ROW)
        out["point_id"] = self._stored.point_ids[days.point]
        out["unit_id"] = self._stored.unit_ids[self._stored.ledger.point_unit[days.point]]
        out["day"], out["amount"] = days.day, days.amount_micro
        out["completeness"], out["measured"], out["quality"] = days.completeness, days.measured, days.quality
        return out

    def by_hour(self, hours: PointHours) -> Totals:
        """Hourly totals of series."""
        totals = totals_by_hour(hours, self._membership)
        return self._totals(totals, local_day(totals.at, self._zone))

    def by_day(self, hours: PointHours) -> Totals:
        """Daily totals of series."""
        totals = totals_by_day(hours, self._membership, self._zone)
        return self._totals(totals, totals.at)

    def _totals(self, totals: SeriesTotals, day: NDArray[np.integer]) -> Totals:
        rows = np.empty(len(totals.at), TOTAL_ROW)
        rows["series"], rows["at"], rows["amount"] = totals.series, totals.at, totals.amount_micro
        rows["completeness"], rows["measured"], rows["quality"] = totals.completeness, totals.measured, totals.quality
        rows["tce"], rows["factor"] = np.nan, -1
        texts: tuple[str, ...] = ()
        if self._factors:
            converted = coal_equivalent(totals.amount_micro, day, totals.series, self._factors)
            rows["tce"], rows["factor"], texts = converted.tce, converted.factor, converted.texts
        used, renumbered = np.unique(totals.series, return_inverse=True)
        rows["series"] = renumbered
        return Totals(rows=rows, series=[self._names[i] for i in used.tolist()], factors=texts)
