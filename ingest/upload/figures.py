"""Checks before an upload: complete and incomplete periods, and their consistency.

A gap is never sent as 0, nor as anything else: a period that is not complete enough stays out and is listed.
"""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from ingest.upload.codes import parse_code
from ingest.upload.outbox import Datum

__all__ = [
    "COMPLETE",
    "CONSISTENT",
    "DAY",
    "HOUR",
    "MONTH",
    "Amount",
    "Figures",
    "Item",
    "Plan",
    "inconsistent_months",
    "plan_of",
]

HOUR, DAY, MONTH = 0, 1, 2
CONSISTENT: Final = Decimal("0.05")
"""Days may differ so much from their month. [1]"""
COMPLETE: Final = 0.90
"""Share of the periods that a platform asks for. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A collect item: what is uploaded under one data code.

    Attributes
    ----------
    points : mapping of str to Decimal
        Metering points and the sign or factor that each goes in with.
    decimals : int
        Digits behind the point.
    """

    code: str
    name: str
    points: Mapping[str, Decimal]
    scope: int = 0
    input_type: int = 4
    decimals: int = 2
    maximum: Decimal | None = None
    minimum: Decimal | None = None

    @property
    def in_scope(self) -> int:
        """Scope as configured, else the one that the code implies."""
        return self.scope or parse_code(self.code).scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Consumption of a point in a period.

    Attributes
    ----------
    start : datetime
        Of the period, local, without an offset.
    completeness : float
        Share of the period that is known. [1]
    estimated : bool
        Whether an edge was estimated.
    """

    point: str
    start: datetime
    amount: Decimal
    completeness: float
    estimated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Completeness and consistency of an item.

    Attributes
    ----------
    periods, complete : int
        That there are in the span, and that can be sent.
    missing : sequence of datetime
        Starts of those that cannot.
    """

    code: str
    stat_type: int
    periods: int
    complete: int
    missing: Sequence[datetime]

    @property
    def completeness(self) -> float:
        """Share of the periods that can be sent. [1]"""
        return self.complete / self.periods if self.periods else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Data to be sent, with their figures."""

    data: Sequence[Datum]
    figures: Sequence[Figures]


def plan_of(
    items: Sequence[Item],
    hours: Sequence[Amount],
    *,
    since: datetime,
    until: datetime,
    required: float = 1.0,
    stat_types: Sequence[int] = (HOUR, DAY, MONTH),
) -> Plan:
    """Data of all whole periods in a span, from the hours of the points.

    Days and months are sums of hours, so that they agree with them to the last digit.

    Parameters
    ----------
    since, until : datetime
        Half-open span, local; periods that end after it are not over.
    required : float
        Completeness that an hour must have to be sent. [1]
    """
    known: dict[tuple[str, datetime], Amount] = {(one.point, one.start): one for one in hours}
    data: list[Datum] = []
    figures: list[Figures] = []
    for item in items:
        amounts = {
            start: amount
            for start in _steps(since, until, HOUR)
            if (amount := _of_item(item, known, start, required)) is not None
        }
        for stat_type in stat_types:
            periods = [start for start in _steps(since, until, stat_type) if _end(start, stat_type) <= until]
            whole = [
                (start, total)
                for start in periods
                if (total := _sum(amounts, start, _end(start, stat_type))) is not None
            ]
            data += [_datum(item, stat_type, start, *total) for start, total in whole]
            sent = {start for start, _ in whole}
            figures.append(
                Figures(
                    code=item.code,
                    stat_type=stat_type,
                    periods=len(periods),
                    complete=len(whole),
                    missing=[start for start in periods if start not in sent],
                )
            )
    return Plan(data=data, figures=figures)


def inconsistent_months(days: Mapping[date, Decimal], months: Mapping[date, Decimal]) -> list[tuple[date, Decimal]]:
    """Months whose days sum to more than `CONSISTENT` beside them, as they were sent; the difference as a share. [1]

    A month some of whose days are not there says nothing.
    """
    found: list[tuple[date, Decimal]] = []
    for month, amount in sorted(months.items()):
        here = [value for day, value in days.items() if day.replace(day=1) == month]
        if len(here) < monthrange(month.year, month.month)[1]:
            continue
        total = sum(here, Decimal(0))
        share = abs(total - amount) / abs(amount) if amount else Decimal(bool(total))
        if share > CONSISTENT:
            found.append((month, share))
    return found


def _of_item(
    item: Item, known: Mapping[tuple[str, datetime], Amount], start: datetime, required: float
) -> tuple[Decimal, bool] | None:
    total, estimated = Decimal(0), False
    for point, factor in item.points.items():
        amount = known.get((point, start))
        if amount is None or amount.completeness < required:
            return None
        total += amount.amount * factor
        estimated = estimated or amount.estimated
    return total, estimated


def _sum(
    amounts: Mapping[datetime, tuple[Decimal, bool]], start: datetime, end: datetime
) -> tuple[Decimal, bool] | None:
    total, estimated = Decimal(0), False
    while start < end:
        one = amounts.get(start)
        if one is None:
            return None
        total, estimated = total + one[0], estimated or one[1]
        start += timedelta(hours=1)
    return total, estimated


def _steps(since: datetime, until: datetime, stat_type: int) -> list[datetime]:
    start = since.replace(minute=0, second=0, microsecond=0)
    if stat_type >= DAY:
        start = start.replace(hour=0)
    if stat_type >= MONTH:
        start = start.replace(day=1)
    if start < since:
        start = _end(start, stat_type)
    steps = []
    while start < until:
        steps.append(start)
        start = _end(start, stat_type)
    return steps


def _end(start: datetime, stat_type: int) -> datetime:
    if stat_type == HOUR:
        return start + timedelta(hours=1)
    if stat_type == DAY:
        return start + timedelta(days=1)
    return (start + timedelta(days=32)).replace(day=1)


def _datum(item: Item, stat_type: int, start: datetime, total: Decimal, estimated: bool) -> Datum:
    value = f"{total.quantize(Decimal(1).scaleb(-item.decimals)):f}"
    return Datum(item.code, stat_type, f"{start:%Y-%m-%d %H:%M:%S}", item.in_scope, item.input_type, value, estimated)
