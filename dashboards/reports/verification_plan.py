"""The year's plan of verification and calibration (JJF 1356, item 31): what is due, when, and who did it last."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Final

from openpyxl import Workbook

from analytics.domain.errors import RegistryError
from analytics.domain.words import STATUSES, Phrase
from analytics.review.certificates import KINDS
from analytics.standards.factors import EPOCH_ORDINAL
from analytics.standards.words import carrier_name
from dashboards.reports.content import MeterRow
from dashboards.reports.gathering import meter_rows, reading
from dashboards.reports.sheet import SheetCell, add_sheet, empty_book, table_of
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


def write_plan(plan: Plan, path: Path, *, language: str = "zh") -> None:
    """Write the plan as a workbook: what is sent in the year, how much of it by month, and what is not due."""

    def say(phrase: Phrase) -> str:
        return phrase.of(language)

    book = empty_book()
    due = sorted(
        (one for one in plan.instruments if plan.month(one)),
        key=lambda one: (plan.month(one) or date.min, one.until or date.min, one.meter_no),
    )
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
    add_sheet(book, say(Phrase(zh="检定（校准）计划", en="plan")), *_table(plan, due, say), title=title, foot=foot)
    _by_month(book, plan, say)
    rest = [one for one in plan.instruments if not plan.month(one)]
    beyond = Phrase(
        zh=f"{plan.name} {plan.year} 年不到期的计量器具", en=f"{plan.name}: instruments not due in {plan.year}"
    )
    later = say(Phrase(zh="本年度不到期", en="not due in the year"))
    add_sheet(book, later, *_table(plan, rest, say), title=say(beyond))
    book.save(path)


def _table(
    plan: Plan, instruments: Sequence[Planned], say: Callable[[Phrase], str]
) -> tuple[list[str], list[list[SheetCell]]]:
    yes = Phrase(zh="是", en="yes")
    return table_of(
        say,
        list(enumerate(instruments, 1)),
        ("no.", "序号", lambda row: row[0]),
        ("month", "计划送检月份", lambda row: _written(plan.month(row[1]))),
        ("management number", "用能单位管理编号", lambda row: row[1].meter_no),
        ("name", "计量器具名称", lambda row: row[1].name),
        ("model", "型号规格", lambda row: row[1].model),
        ("serial number", "出厂编号", lambda row: row[1].serial_no),
        ("accuracy class", "准确度等级", lambda row: row[1].accuracy_class),
        ("place", "安装使用地点", lambda row: row[1].place),
        ("energy", "能源种类", lambda row: say(carrier_name(row[1].carrier)) if row[1].carrier else ""),
        ("verified by law", "强制检定", lambda row: say(yes) if row[1].mandatory else ""),
        ("verification or calibration", "检定/校准", lambda row: say(KINDS[row[1].kind]) if row[1].kind else ""),
        ("cycle, months", "检定周期/校准间隔（月）", lambda row: row[1].cycle_months),
        ("last verified on", "上次检定/校准日期", lambda row: row[1].verified_on),
        ("valid until", "有效期至", lambda row: row[1].until),
        ("status", "状态", lambda row: say(STATUSES[row[1].status]) if row[1].status in STATUSES else ""),
        ("last body", "上次检定（校准）机构", lambda row: row[1].body),
        ("last certificate", "上次证书编号", lambda row: row[1].number),
        ("remark", "备注", lambda row: say(_remark(plan, row[1]))),
    )


def _written(month: date | None) -> str:
    return f"{month:%Y-%m}" if month else ""


def _remark(plan: Plan, one: Planned) -> Phrase:
    if one.until is None:
        return _NOTHING
    left = (one.until - plan.day).days
    if left < 0:
        return Phrase(zh=f"检定/校准已超期 {-left} 天，不得使用", en=f"{-left} days overdue, must not be used")
    return Phrase(zh="", en="")


def _by_month(book: Workbook, plan: Plan, say: Callable[[Phrase], str]) -> None:
    months = [(month, one.mandatory) for one in plan.instruments if (month := plan.month(one))]
    sent = Counter(month for month, _ in months)
    by_law = Counter(month for month, mandatory in months if mandatory)
    rows = [(_written(month), sent[month], by_law[month]) for month in sorted(sent)]
    table = table_of(
        say,
        [*rows, (say(Phrase(zh="合计", en="total")), sent.total(), by_law.total())],
        ("month", "月份", lambda row: row[0]),
        ("instruments", "计划台数", lambda row: row[1]),
        ("of them verified by law", "其中强制检定", lambda row: row[2]),
    )
    title = Phrase(zh=f"{plan.year} 年检定（校准）计划按月汇总", en=f"plan of {plan.year} by month")
    add_sheet(book, say(Phrase(zh="按月汇总", en="by month")), *table, title=say(title))
