"""What a report needs, out of the database: a unit's month, or all units on its last day."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
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
from analytics.standards.facts.products import Assignment, assignments_in
from analytics.standards.mandatory import coverage, mandatory_points
from analytics.standards.products import Parts, ProductEnergy, product_energy
from analytics.standards.scene import VerificationState, levels
from dashboards.reports.content import FilledGap, MeterRow, OwnEnergy, RegionReport, RegionRow, StockRow, UnitReport
from streams.compliance.evidence import Moment, read_energy, read_point_energy
from streams.compliance.judge import Judgement, judge, review_of
from streams.compliance.standards import read_standards
from streams.store.postgres.connections import understood

__all__ = ["connected", "meter_rows", "month_days", "region_report", "unit_report"]


def month_days(month: str) -> tuple[date, date]:
    """First and last day of a month such as ``2026-10``.

    Examples
    --------
    >>> month_days("2024-02")[1].isoformat()
    '2024-02-29'
    """
    first = date.fromisoformat(f"{month}-01")
    return first, (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def unit_report(dsn: str, code: str, month: str, zone: tzinfo) -> UnitReport:
    """A unit's month; of the month under way what is over of it.

    Raises
    ------
    RegistryError
        If the ledger does not have the unit, or the month has not begun.
    """
    return asyncio.run(_unit_report(dsn, code, month, zone))


def region_report(dsn: str, month: str, zone: tzinfo) -> RegionReport:
    """All units on a month's last day, or now."""
    return asyncio.run(_region_report(dsn, month, zone))


async def connected(dsn: str) -> psycopg.AsyncConnection:
    """A connection to read a report by."""
    connection = await psycopg.AsyncConnection.connect(
        dsn, autocommit=True, connect_timeout=10, application_name="meterwarden report"
    )
    await connection.execute("select set_config('timezone', 'UTC', false), set_config('jit', 'off', false)")
    return connection


def _span(month: str, now: datetime, zone: tzinfo) -> tuple[date, date]:
    """First day of a month, and its last or today."""
    first, last = month_days(month)
    today = now.astimezone(zone).date()
    if first > today:
        raise RegistryError(f"a report is of a month that has begun (got {month}, today is {today})")
    return first, min(last, today)


async def _unit_report(dsn: str, code: str, month: str, zone: tzinfo) -> UnitReport:
    now = datetime.now(UTC)
    first, day = _span(month, now, zone)
    async with understood():
        connection = await connected(dsn)
        async with connection:
            standards = await read_standards(connection)
            judgement = await judge(connection, standards, Moment.of(day, now=now, zone=zone), code.__eq__)
            if not judgement.stored.unit_ids.size:
                raise RegistryError(f"the ledger must have the unit (it has none with the code {code})")
            before_day = first - timedelta(days=1)
            before = await judge(
                connection, standards, Moment.of(before_day, now=now, zone=zone), stored=judgement.stored
            )
            series = await read_energy(connection, judgement.stored.unit_ids.tolist(), first, day, ("unit", "sub_unit"))
            assigned = assignments_in(month, code, standards.facts.assignments)
            codes = sorted({point for one in assigned.values() for point in one.points})
            points = await read_point_energy(connection, judgement.stored, codes, first, day) if codes else {}
            own = await _own(connection, judgement, first, day)
            bodies = await _bodies(connection, [code])
            gaps = await _gaps(connection, code, first, day, zone)
            years = await _years(connection, judgement, code)
    measured = _Measured(series, points, assigned, years)
    report = _assembled(judgement, before, measured, month, first, day)
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


async def _years(connection: psycopg.AsyncConnection, judgement: Judgement, code: str) -> Sequence[EnergyDays]:
    """Daily totals of a unit over the calendar years for which stocks were entered."""
    years = [year for of_code, _, year in judgement.standards.facts.stocks if of_code == code]
    if not years:
        return ()
    span = date(min(years), 1, 1), date(max(years), 12, 31)
    found = await read_energy(connection, judgement.stored.unit_ids.tolist(), *span)
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


class _Measured(NamedTuple):
    """Daily totals by scope, of assigned points, of whole years; and which energy is assigned to which product."""

    series: Mapping[tuple[int, str, str, str], tuple[EnergyDays, ...]]
    points: Mapping[str, EnergyDays]
    assigned: Mapping[str, Assignment]
    years: Sequence[EnergyDays]


def _assembled(
    judgement: Judgement,
    before: Judgement,
    measured: _Measured,
    month: str,
    first: date,
    day: date,
) -> UnitReport:
    code, facts = judgement.stored.ledger.unit_codes[0], judgement.standards.facts
    whole = next((days for (_, scope, _, _), days in measured.series.items() if scope == "unit"), ())
    energy = _energy(whole, judgement.standards, code, first, day)
    sub_units = {
        name: _energy(days, judgement.standards, code, first, day)
        for (_, scope, _, name), days in sorted(measured.series.items())
        if scope == "sub_unit"
    }
    return UnitReport(
        judgement=judgement,
        month=month,
        first_day=first,
        last_day=day,
        energy=energy,
        days=whole,
        sub_units=sub_units,
        products=_products(judgement, measured, energy, sub_units, (first, day)),
        changes=changes(before.assessment.findings, judgement.assessment.findings),
        meters=meter_rows(judgement),
        review=review_of(judgement, 0),
        self_checks={year: one for (of_code, year), one in facts.self_checks.items() if of_code == code},
        staff=facts.staff_of(code),
        instruments=facts.instruments_of(code),
        stocks=_stocks(facts, code, measured.years),
    )


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


def _products(
    judgement: Judgement,
    measured: _Measured,
    whole: UnitEnergy,
    sub_units: Mapping[str, UnitEnergy],
    span: tuple[date, date],
) -> Sequence[ProductEnergy]:
    ledger, facts = judgement.stored.ledger, judgement.standards.facts
    code, month = ledger.unit_codes[0], span[0].strftime("%Y-%m")
    outputs = {
        product: (one.amount, one.unit)
        for (of_code, product, of_month), one in facts.outputs.items()
        if (of_code, of_month) == (code, month)
    }
    points = {name: _energy((days,), judgement.standards, code, *span) for name, days in measured.points.items()}
    where = dict(zip(ledger.point_codes, ledger.point_sub_unit, strict=True))
    parts = Parts(
        whole=whole,
        sub_units=sub_units,
        points=points,
        point_sub_unit={point: where[point] for point in points},
        nested=frozenset(_nested(ledger, points)),
    )
    return product_energy(outputs, measured.assigned, parts)


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


async def _region_report(dsn: str, month: str, zone: tzinfo) -> RegionReport:
    now = datetime.now(UTC)
    first, day = _span(month, now, zone)
    async with understood():
        connection = await connected(dsn)
        async with connection:
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
        month=month,
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
