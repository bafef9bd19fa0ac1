"""Data of reports, read from the database: a unit's month, or all units on its last day."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

import numpy as np
import psycopg

from analytics.domain.errors import RegistryError
from analytics.domain.finding import Verdict
from analytics.domain.ledger import NO_DAY, Direction, Ledger
from analytics.domain.severity import Severity
from analytics.domain.words import Phrase
from analytics.standards.change import changes
from analytics.standards.documents import Standards
from analytics.standards.energy import EnergyDays, UnitEnergy, key_unit, unit_energy
from analytics.standards.factors import EPOCH_ORDINAL
from analytics.standards.facts import Facts
from analytics.standards.facts.allocations import allocations_in
from analytics.standards.facts.products import Assignment, assignments_in
from analytics.standards.mandatory import coverage, mandatory_points
from analytics.standards.months import MonthPart, month_parts
from analytics.standards.products import Parts, ProductEnergy, product_energy
from analytics.standards.scene import VerificationState, levels
from dashboards.reports.content import (
    Difference,
    FilledGap,
    MeterRow,
    OwnEnergy,
    RegionReport,
    RegionRow,
    StockRow,
    UnitReport,
)
from streams.compliance.evidence import Moment, read_energy, read_point_energy
from streams.compliance.judge import Judgement, judge, review_of
from streams.compliance.standards import read_standards
from streams.rows.layout import StoredLedger
from streams.store.ledger import read_ledger
from streams.store.postgres.connections import connected

__all__ = ["Months", "meter_rows", "month_days", "reading", "region_report", "unit_products", "unit_report"]


def month_days(month: str) -> tuple[date, date]:
    """First and last day of a month such as ``2026-10``.

    Examples
    --------
    >>> month_days("2024-02")[1].isoformat()
    '2024-02-29'
    """
    first = date.fromisoformat(f"{month}-01")
    return first, (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


class Months(NamedTuple):
    """Months in a row, as far as they are over.

    Attributes
    ----------
    names : sequence of str
        Such as ``2026-10``.
    first, last : date
        Last is today in the month under way.
    """

    names: Sequence[str]
    first: date
    last: date

    @classmethod
    def of(cls, since: str, until: str, today: date) -> "Months":
        """From one month to another, both included.

        Raises
        ------
        RegistryError
            If the first comes after the last, or has not begun.

        Examples
        --------
        >>> Months.of("2025-12", "2026-02", date(2026, 2, 3)).text
        '2025-12/2026-02'
        """
        first, last = month_days(since)[0], month_days(until)[1]
        if first > last:
            raise RegistryError(f"the first month must not come after the last (got {since} and {until})")
        if first > today:
            raise RegistryError(f"a report is of a month that has begun (got {since}, today is {today})")
        last = min(last, today)
        count = 12 * (last.year - first.year) + last.month - first.month + 1
        places = (divmod(12 * first.year + first.month - 1 + i, 12) for i in range(count))
        return cls([f"{year}-{month + 1:02d}" for year, month in places], first, last)

    @property
    def text(self) -> str:
        """One month, or the first and the last."""
        return self.names[0] if len(self.names) == 1 else f"{self.names[0]}/{self.names[-1]}"

    def days(self, month: str) -> tuple[date, date]:
        """First and last day of one of them."""
        first, last = month_days(month)
        return first, min(last, self.last)


def unit_report(dsn: str, code: str, month: str, zone: tzinfo, *, until: str = "") -> UnitReport:
    """A unit's month, or its months until another one; of the month under way what is over of it.

    Raises
    ------
    RegistryError
        If the ledger does not have the unit, or the months have not begun or are in the wrong order.
    """
    return asyncio.run(_unit_report(dsn, code, month, until or month, zone))


async def unit_products(
    connection: psycopg.AsyncConnection, code: str, month: str, today: date
) -> Sequence[ProductEnergy]:
    """Energy for each unit of product of a unit's month, as its report has it; nothing is judged for it.

    Raises
    ------
    RegistryError
        As `unit_report`.
    """
    months = Months.of(month, month, today)
    standards, stored = await read_standards(connection), await read_ledger(connection, units=code.__eq__)
    if not stored.unit_ids.size:
        raise RegistryError(f"the ledger must have the unit (it has none with the code {code})")
    measured = await _metered(connection, standards, stored, months)
    return _of_month(standards, stored, measured, month, months.days(month)).products


def region_report(dsn: str, month: str, zone: tzinfo, *, until: str = "") -> RegionReport:
    """All units on the last day of a month, or of the months until another one; or now."""
    return asyncio.run(_region_report(dsn, month, until or month, zone))


@asynccontextmanager
async def reading(dsn: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection to read a report by."""
    async with connected(dsn, "report") as connection:
        await connection.execute("select set_config('timezone', 'UTC', false), set_config('jit', 'off', false)")
        yield connection


async def _unit_report(dsn: str, code: str, month: str, until: str, zone: tzinfo) -> UnitReport:
    now = datetime.now(UTC)
    months = Months.of(month, until, now.astimezone(zone).date())
    async with reading(dsn) as connection:
        standards = await read_standards(connection)
        judgement = await judge(connection, standards, Moment.of(months.last, now=now, zone=zone), code.__eq__)
        if not judgement.stored.unit_ids.size:
            raise RegistryError(f"the ledger must have the unit (it has none with the code {code})")
        before_day = months.first - timedelta(days=1)
        before = await judge(connection, standards, Moment.of(before_day, now=now, zone=zone), stored=judgement.stored)
        measured = await _measured(connection, standards, judgement.stored, months)
        own = await _own(connection, judgement, months.first, months.last)
        bodies = await _bodies(connection, [code])
        gaps = await _gaps(connection, code, months.first, months.last, zone)
    report = _assembled(judgement, before, measured, months)
    return replace(report, own=own, gaps=gaps, coverage=coverage(judgement.assessment.scene, bodies))


async def _bodies(connection: psycopg.AsyncConnection, codes: Sequence[str] | None) -> Mapping[tuple[str, str], str]:
    """Who verified each instrument last, by unit and management number."""
    cursor = await connection.execute(_BODIES, (codes, codes))
    return {(code, number): body for code, number, body in await cursor.fetchall()}


async def _gaps(
    connection: psycopg.AsyncConnection, code: str, first: date, last: date, zone: tzinfo
) -> Sequence[FilledGap]:
    """Evaluations of missing data that stand, of spans that begin in some days; in local time."""
    since = datetime(first.year, first.month, first.day, tzinfo=zone)
    until = datetime(last.year, last.month, last.day, tzinfo=zone) + timedelta(days=1)
    rows = await (await connection.execute(_GAPS, (code, since, until))).fetchall()
    made = [FilledGap(*row) for row in rows]
    return [
        one._replace(started_at=one.started_at.astimezone(zone), ended_at=one.ended_at.astimezone(zone)) for one in made
    ]


async def _own(
    connection: psycopg.AsyncConnection, judgement: Judgement, first: date, last: date
) -> Sequence[OwnEnergy]:
    """What a unit made for itself, by energy: points of that direction that are part of no other one of them."""
    ledger = judgement.stored.ledger
    codes = [ledger.point_codes[p] for p in np.flatnonzero(ledger.point_direction == Direction.OWN).tolist()]
    if not codes:
        return ()
    below = set(_nested(ledger, codes))
    days = await read_point_energy(
        connection, judgement.stored, [one for one in codes if one not in below], first, last
    )
    found: dict[tuple[str, str], list[str]] = {}
    for point, one in days.items():
        found.setdefault((one.carrier, one.symbol), []).append(point)
    return [
        OwnEnergy(carrier, symbol, float(sum(days[point].amount.sum() for point in points)), sorted(points))
        for (carrier, symbol), points in sorted(found.items())
    ]


async def _measured(
    connection: psycopg.AsyncConnection, standards: Standards, stored: StoredLedger, months: Months
) -> "_Measured":
    span = months.first, months.last
    return replace(
        await _metered(connection, standards, stored, months),
        years=await _years(connection, standards, stored),
        differences=await _differences(connection, stored.unit_ids.tolist(), *span),
    )


async def _metered(
    connection: psycopg.AsyncConnection, standards: Standards, stored: StoredLedger, months: Months
) -> "_Measured":
    """What energy for each product is computed from."""
    code, span = stored.ledger.unit_codes[0], (months.first, months.last)
    assigned = {month: assignments_in(month, code, standards.facts.assignments) for month in months.names}
    codes = sorted({point for held in assigned.values() for one in held.values() for point in one.points})
    return _Measured(
        series=await read_energy(connection, stored.unit_ids.tolist(), *span, ("unit", "sub_unit")),
        points=await read_point_energy(connection, stored, codes, *span) if codes else {},
        assigned=assigned,
    )


_DIFFERENCES: Final = """
select day, point, meter_no, carrier, unit, unexplained, dial_before, dial_after from unexplained_difference
where unit_id = any(%s) and day between %s and %s order by day, point
"""


async def _differences(
    connection: psycopg.AsyncConnection, unit_ids: Sequence[int], first: date, last: date
) -> Sequence[Difference]:
    cursor = await connection.execute(_DIFFERENCES, (list(unit_ids), first, last))
    return [Difference(*row) for row in await cursor.fetchall()]


async def _years(
    connection: psycopg.AsyncConnection, standards: Standards, stored: StoredLedger
) -> Sequence[EnergyDays]:
    """Daily totals of a unit over the calendar years for which stocks were entered."""
    years = [year for of_code, _, year in standards.facts.stocks if of_code == stored.ledger.unit_codes[0]]
    if not years:
        return ()
    span = date(min(years), 1, 1), date(max(years), 12, 31)
    found = await read_energy(connection, stored.unit_ids.tolist(), *span)
    return next(iter(found.values()), ())


_GAPS: Final = """
select point, carrier, started_at, ended_at, amount, coalesce(unit, ''), method, state, evaluated_by,
       coalesce(approved_by, ''), procedure, reliability
from gap_fill_list where unit_code = %s and state <> 'withdrawn' and started_at >= %s and started_at < %s
order by point, started_at
"""
_BODIES: Final = """
select unit_code, meter_no, body from certificate_list where cycle = 1 and (%s::text[] is null or unit_code = any(%s))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """Measured data of a unit.

    Attributes
    ----------
    series : mapping of (unit id, scope, sub-unit, name) to sequence of EnergyDays
    points : mapping of point to EnergyDays
        Those that are assigned to a product.
    assigned : mapping of month to mapping of product to Assignment
    years : sequence of EnergyDays
        Of the calendar years for which stocks were entered.
    differences : sequence of Difference
    """

    series: Mapping[tuple[int, str, str, str], tuple[EnergyDays, ...]]
    points: Mapping[str, EnergyDays]
    assigned: Mapping[str, Mapping[str, Assignment]]
    years: Sequence[EnergyDays] = ()
    differences: Sequence[Difference] = ()

    @property
    def whole(self) -> Sequence[EnergyDays]:
        """Of the unit."""
        return next((days for (_, scope, _, _), days in self.series.items() if scope == "unit"), ())

    @property
    def sub_units(self) -> Mapping[str, Sequence[EnergyDays]]:
        """Of each sub-unit."""
        return {name: days for (_, scope, _, name), days in sorted(self.series.items()) if scope == "sub_unit"}


def _assembled(judgement: Judgement, before: Judgement, measured: _Measured, months: Months) -> UnitReport:
    code, facts, standards = judgement.stored.ledger.unit_codes[0], judgement.standards.facts, judgement.standards
    span = months.first, months.last
    stored = judgement.stored
    used = [_of_month(standards, stored, measured, month, months.days(month)) for month in months.names]
    return UnitReport(
        judgement=judgement,
        month=months.text,
        first_day=months.first,
        last_day=months.last,
        energy=_energy(measured.whole, standards, code, *span),
        days=measured.whole,
        sub_units={name: _energy(days, standards, code, *span) for name, days in measured.sub_units.items()},
        products=[one for month in used for one in month.products],
        changes=changes(before.assessment.findings, judgement.assessment.findings),
        meters=meter_rows(judgement),
        review=review_of(judgement, 0),
        self_checks={year: one for (of_code, year), one in facts.self_checks.items() if of_code == code},
        staff=facts.staff_of(code),
        instruments=facts.instruments_of(code),
        stocks=_stocks(facts, code, measured.years),
        parts=[part for month in used for part in month.parts],
        differences=measured.differences,
    )


class _OfMonth(NamedTuple):
    products: Sequence[ProductEnergy]
    parts: Sequence[MonthPart]


def _of_month(
    standards: Standards, stored: StoredLedger, measured: _Measured, month: str, span: tuple[date, date]
) -> _OfMonth:
    ledger = stored.ledger
    code = ledger.unit_codes[0]
    whole = _energy(measured.whole, standards, code, *span)
    sub_units = {name: _energy(days, standards, code, *span) for name, days in measured.sub_units.items()}
    points = {name: _energy((days,), standards, code, *span) for name, days in measured.points.items()}
    where = dict(zip(ledger.point_codes, ledger.point_sub_unit, strict=True))
    parts = Parts(
        whole=whole,
        sub_units=sub_units,
        points=points,
        point_sub_unit={point: where[point] for point in points},
        nested=frozenset(_nested(ledger, points)),
    )
    outputs = {
        product: (one.amount, one.unit)
        for (of_code, product, of_month), one in standards.facts.outputs.items()
        if (of_code, of_month) == (code, month)
    }
    products = product_energy(outputs, measured.assigned[month], parts)
    allocations = allocations_in(month, code, standards.facts.allocations)
    return _OfMonth([replace(one, month=month) for one in products], month_parts(month, whole, sub_units, allocations))


def _stocks(facts: Facts, code: str, series: Sequence[EnergyDays]) -> Sequence[StockRow]:
    """Stocks that were entered, the newest year first, with what was metered in that calendar year."""
    rows = []
    for (of_code, energy, year), stock in facts.stocks.items():
        if of_code == code:
            first, end = (date(of, 1, 1).toordinal() - EPOCH_ORDINAL for of in (year, year + 1))
            metered = [
                one.amount[(one.day >= first) & (one.day < end)]
                for one in series
                if (one.carrier, one.symbol) == (energy, stock.unit)
            ]
            amounts = np.concatenate(metered) if metered else np.empty(0)
            total = float(amounts.sum()) if len(amounts) else None
            rows.append(StockRow(energy=energy, year=year, stock=stock, metered=total, days=len(amounts)))
    return sorted(rows, key=lambda row: (-row.year, row.energy))


def _nested(ledger: Ledger, codes: Collection[str]) -> Iterator[str]:
    """Those of some points of a unit that lie below another one of them."""
    for point, code in enumerate(ledger.point_codes):
        above = int(ledger.point_parent[point]) if code in codes else -1
        while above >= 0:
            if ledger.point_codes[above] in codes:
                yield code
                break
            above = int(ledger.point_parent[above])


def _energy(series: Sequence[EnergyDays], standards: Standards, code: str, first: date, last: date) -> UnitEnergy:
    return unit_energy(
        series,
        first_day=first.toordinal() - EPOCH_ORDINAL,
        last_day=last.toordinal() - EPOCH_ORDINAL,
        unit_code=code,
        factors=standards.factors,
        equal_value=standards.equal_value,
    )


def meter_rows(judgement: Judgement) -> list[MeterRow]:
    """Every point of the ledger with the meter that stands there on the day."""
    scene, ledger = judgement.assessment.scene, judgement.stored.ledger
    columns = {name: scene.column(name) for name in _TEXTS}
    cycle, share = scene.number("cycle_months"), scene.evidence.completeness
    mandatory = mandatory_points(scene)
    return [
        MeterRow(
            level=levels[ledger.point_level[p]],
            point=ledger.point_codes[p],
            carrier=ledger.point_carrier[p],
            sub_unit=ledger.point_sub_unit[p],
            equipment=ledger.point_equipment[p],
            required=bool(ledger.point_required[p]),
            exemption=ledger.point_exemption[p],
            meter_no=scene.meter_no(p),
            cycle_months=_known(cycle[p]),
            verified_on=_date(int(scene.verified_on[p])),
            verification_due=_date(int(scene.due[p])),
            state=VerificationState(int(scene.verification[p])).name,
            mandatory=bool(mandatory[p]),
            completeness=_known(share[p]),
            annual_use=_known(ledger.point_annual_use[p]),
            hourly_use=_known(ledger.point_hourly_use[p]),
            rated_power_kw=_known(ledger.point_rated_power_kw[p]),
            **{name: column.of(p) for name, column in columns.items()},
        )
        for p in range(len(ledger.point_codes))
    ]


_TEXTS = (
    "serial_no",
    "name",
    "model",
    "accuracy_class",
    "range",
    "manufacturer",
    "place",
    "instrument",
    "purpose",
    "status",
)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _date(day: int) -> date | None:
    return None if day == NO_DAY else date.fromordinal(day + EPOCH_ORDINAL)


async def _region_report(dsn: str, month: str, until: str, zone: tzinfo) -> RegionReport:
    now = datetime.now(UTC)
    months = Months.of(month, until, now.astimezone(zone).date())
    first, day = months.first, months.last
    async with reading(dsn) as connection:
        standards = await read_standards(connection)
        judgement = await judge(connection, standards, Moment.of(day, now=now, zone=zone))
        series = await read_energy(connection, judgement.stored.unit_ids.tolist(), first, day)
        bodies = await _bodies(connection, None)
    rows = [
        _row(judgement, unit, series.get((unit_id, "unit", "", ""), ()), first, day)
        for unit, unit_id in enumerate(judgement.stored.unit_ids.tolist())
    ]
    rows.sort(key=lambda row: (-row.standing.serious, -row.standing.failed, -row.standing.person, row.code))
    applied = standards.book.applied(judgement.moment.number)
    return RegionReport(
        as_of=day,
        month=months.text,
        edition=Phrase(en=applied.text, zh=applied.text_zh),
        rows=rows,
        mandatory_target=standards.rules.mandatory_rate,
        coverage=coverage(judgement.assessment.scene, bodies),
    )


def _row(judgement: Judgement, unit: int, series: Sequence[EnergyDays], first: date, day: date) -> RegionRow:
    ledger, standards = judgement.stored.ledger, judgement.standards
    code, year = ledger.unit_codes[unit], judgement.energy_year[unit]
    urgent = (
        one
        for one in judgement.assessment.findings
        if one.unit == unit and one.verdict is not Verdict.PASS and one.severity is not Severity.INFO
    )
    step = next((one.next_step for one in urgent if one.next_step.zh), Phrase(en="", zh=""))
    return RegionRow(
        code=code,
        name=ledger.unit_names[unit],
        standing=judgement.assessment.standings[unit],
        key_unit=key_unit(standards.rules, year, named=standards.facts.of(code).named),
        tce_year=year.tce,
        tce_month=_energy(series, standards, code, first, day).tce,
        first_step=step,
    )
