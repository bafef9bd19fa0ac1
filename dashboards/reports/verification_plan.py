"""The year's plan of verification and calibration (JJF 1356, item 31): what is due, when, and who did it last."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Final

from openpyxl import Workbook

from analytics.domain.errors import RegistryError
from analytics.domain.words import STATUSES, Phrase
from analytics.standards.factors import EPOCH_ORDINAL
from analytics.standards.words import carrier_name
from dashboards.reports.content import MeterRow
from dashboards.reports.gathering import meter_rows, reading
from dashboards.reports.sheet import add_sheet, empty_book
from streams.compliance.evidence import Moment
from streams.compliance.judge import judge
from streams.compliance.standards import read_standards

__all__ = ["Plan", "Planned", "read_plan", "write_plan"]

_LAST: Final = """
select meter_no, kind, body, number, verified_on, due from certificate_list where unit_code = %s and cycle = 1
"""
_NOTHING: Final = Phrase(zh="尚无证书信息", en="nothing is known of a certificate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """An instrument of the plan.

    Attributes
    ----------
    until : date or None
        Last day of what it is certified for; None where nothing is known.
    body, number, kind : str
        Of the last certificate; empty where none was entered.
    """

    meter_no: str
    name: str
    model: str
    serial_no: str
    accuracy_class: str
    place: str
    carrier: str
    mandatory: bool
    cycle_months: float | None
    verified_on: date | None
    until: date | None
    status: str
    kind: str
    body: str
    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A unit's year.

    Attributes
    ----------
    day : date
        On which it is made.
    lead_days : int
        An instrument is sent so many days before it is due.
    """

    code: str
    name: str
    year: int
    day: date
    lead_days: int
    instruments: Sequence[Planned]

    def month(self, one: Planned) -> date | None:
        """First day of the month in which an instrument is sent; None where it is not due in the year.

        What is overdue, or of which nothing is known, is sent in the month of the plan, or the first of its year.
        """
        earliest = max(date(self.year, 1, 1), self.day.replace(day=1))
        if one.until is None:
            return earliest
        sent = max((one.until - timedelta(days=self.lead_days)).replace(day=1), earliest)
        return sent if sent.year == self.year else None


def read_plan(dsn: str, code: str, year: int, zone: tzinfo, *, lead_days: int = 30) -> Plan:
    """The plan of a unit, out of its ledger, its certificates and what was entered of form B.7.

    Raises
    ------
    RegistryError
        If the ledger does not have the unit, or the year is over.
    """
    day = datetime.now(zone).date()
    if year < day.year:
        raise RegistryError(f"a plan is of this year or a later one (got {year}, today is {day})")
    return asyncio.run(_read(dsn, code, year, day, zone, lead_days))


async def _read(dsn: str, code: str, year: int, day: date, zone: tzinfo, lead_days: int) -> Plan:
    async with reading(dsn) as connection:
        standards = await read_standards(connection)
        moment = Moment.of(day, now=datetime.now(UTC), zone=zone)
        judgement = await judge(connection, standards, moment, code.__eq__)
        if not judgement.stored.unit_ids.size:
            raise RegistryError(f"the ledger must have the unit (it has none with the code {code})")
        rows = await (await connection.execute(_LAST, (code,))).fetchall()
    last = {row[0]: _Last(*row[1:]) for row in rows}
    metered = [_of_meter(row, last) for row in meter_rows(judgement) if row.meter_no and row.status != "out_of_use"]
    others = [
        Planned(
            meter_no=number,
            name=one.name,
            model=one.model,
            serial_no=one.serial_no,
            accuracy_class=one.accuracy,
            place=one.place,
            carrier="",
            mandatory=False,
            cycle_months=one.cycle_months,
            verified_on=_date(one.verified_day),
            until=_date(one.due_day),
            status=one.status,
            **_of(last, number),
        )
        for number, one in standards.facts.instruments_of(code).items()
        if one.status != "out_of_use"
    ]
    found = sorted([*metered, *others], key=lambda one: (one.until or date.min, one.meter_no))
    name = judgement.stored.ledger.unit_names[0]
    return Plan(code=code, name=name, year=year, day=day, lead_days=lead_days, instruments=found)


@dataclass(frozen=True, slots=True)
class _Last:
    kind: str
    body: str
    number: str
    verified_on: date
    due: date | None


def _of(last: Mapping[str, _Last], meter_no: str) -> dict[str, str]:
    one = last.get(meter_no)
    return {name: "" if one is None else str(getattr(one, name)) for name in ("kind", "body", "number")}


def _of_meter(row: MeterRow, last: Mapping[str, _Last]) -> Planned:
    return Planned(
        meter_no=row.meter_no,
        name=row.name,
        model=row.model,
        serial_no=row.serial_no,
        accuracy_class=row.accuracy_class,
        place=row.place,
        carrier=row.carrier,
        mandatory=row.mandatory,
        cycle_months=row.cycle_months,
        verified_on=row.verified_on,
        until=row.verification_due,
        status=row.status,
        **_of(last, row.meter_no),
    )


def _date(day: int | None) -> date | None:
    return None if day is None else date.fromordinal(day + EPOCH_ORDINAL)


_HEADS: Final = (
    Phrase(zh="序号", en="no."),
    Phrase(zh="计划送检月份", en="month"),
    Phrase(zh="用能单位管理编号", en="management number"),
    Phrase(zh="计量器具名称", en="name"),
    Phrase(zh="型号规格", en="model"),
    Phrase(zh="出厂编号", en="serial number"),
    Phrase(zh="准确度等级", en="accuracy class"),
    Phrase(zh="安装使用地点", en="place"),
    Phrase(zh="能源种类", en="energy"),
    Phrase(zh="强制检定", en="verified by law"),
    Phrase(zh="检定/校准", en="verification or calibration"),
    Phrase(zh="检定周期/校准间隔（月）", en="cycle, months"),
    Phrase(zh="上次检定/校准日期", en="last verified on"),
    Phrase(zh="有效期至", en="valid until"),
    Phrase(zh="状态", en="status"),
    Phrase(zh="上次检定（校准）机构", en="last body"),
    Phrase(zh="上次证书编号", en="last certificate"),
    Phrase(zh="备注", en="remark"),
)
_KIND: Final = {
    "verification": Phrase(zh="检定", en="verification"),
    "calibration": Phrase(zh="校准", en="calibration"),
    "": Phrase(zh="", en=""),
}


def write_plan(plan: Plan, path: Path, *, language: str = "zh") -> None:
    """Write the plan as a workbook: what is sent in the year, how much of it by month, and what is not due."""

    def say(phrase: Phrase) -> str:
        return phrase.of(language)

    book = empty_book()
    months = {one.meter_no: plan.month(one) for one in plan.instruments}
    due = sorted(
        (one for one in plan.instruments if months[one.meter_no]),
        key=lambda one: (months[one.meter_no] or date.min, one.until or date.min, one.meter_no),
    )
    heads = [say(head) for head in _HEADS]
    title = say(
        Phrase(
            zh=f"{plan.name} {plan.year} 年计量器具检定（校准）计划",
            en=f"{plan.name}: plan of verification and calibration, {plan.year}",
        )
    )
    foot = say(
        Phrase(
            zh=f"编制日期：{plan.day}    编制人：________    审核人：________    批准人：________（盖章）",
            en=f"made on {plan.day}    by ________    checked by ________    approved by ________ (seal)",
        )
    )
    rows = [_line(plan, one, i, months[one.meter_no], say) for i, one in enumerate(due, 1)]
    add_sheet(book, say(Phrase(zh="检定（校准）计划", en="plan")), heads, rows, title=title, foot=foot)
    _by_month(book, plan, months, say)
    rest = [one for one in plan.instruments if not months[one.meter_no]]
    later = [_line(plan, one, i, None, say) for i, one in enumerate(rest, 1)]
    add_sheet(book, say(Phrase(zh="本年度不到期", en="not due in the year")), heads, later)
    book.save(path)


def _line(plan: Plan, one: Planned, number: int, month: date | None, say: object) -> Sequence[object]:
    assert callable(say)
    left = None if one.until is None else (one.until - plan.day).days
    remark = _NOTHING if left is None else Phrase(zh="", en="")
    if left is not None and left < 0:
        remark = Phrase(zh=f"检定/校准已超期 {-left} 天，不得使用", en=f"{-left} days overdue, must not be used")
    return (
        number,
        f"{month:%Y-%m}" if month else "",
        one.meter_no,
        one.name,
        one.model,
        one.serial_no,
        one.accuracy_class,
        one.place,
        say(carrier_name(one.carrier)) if one.carrier else "",
        say(Phrase(zh="是", en="yes")) if one.mandatory else "",
        say(_KIND[one.kind]),
        one.cycle_months,
        one.verified_on,
        one.until,
        say(STATUSES[one.status]) if one.status in STATUSES else "",
        one.body,
        one.number,
        say(remark),
    )


def _by_month(book: Workbook, plan: Plan, months: Mapping[str, date | None], say: object) -> None:
    assert callable(say)
    sent = Counter(month for month in months.values() if month)
    by_law = Counter(months[one.meter_no] for one in plan.instruments if one.mandatory and months[one.meter_no])
    heads = [
        say(Phrase(zh="月份", en="month")),
        say(Phrase(zh="计划台数", en="instruments")),
        say(Phrase(zh="其中强制检定", en="of them verified by law")),
    ]
    rows: list[Sequence[object]] = [(f"{month:%Y-%m}", sent[month], by_law[month]) for month in sorted(sent)]
    rows.append((say(Phrase(zh="合计", en="total")), sent.total(), by_law.total()))
    add_sheet(book, say(Phrase(zh="按月汇总", en="by month")), heads, rows)
