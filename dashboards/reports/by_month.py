"""Sheets of what was used by workshop and month, and of differences that nobody could explain."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from openpyxl import Workbook

from analytics.domain.words import Phrase
from analytics.standards.months import MonthPart
from analytics.standards.words import carrier_name
from dashboards.reports.content import UnitReport
from dashboards.reports.sheet import SheetCell, add_sheet, table_of

__all__ = ["DIFFERENCES", "KINDS", "by_month", "differences", "part_rows"]

KINDS: Final = {
    "unit": Phrase(zh="用能单位合计", en="total of the unit"),
    "metered": Phrase(zh="计量", en="metered"),
    "assigned": Phrase(zh="按录入比例归属", en="assigned as entered"),
    "rest": Phrase(zh="未归属（含损耗）", en="belongs to none, losses included"),
}
DIFFERENCES: Final = Phrase(zh="未解释差额（不计入消费量）", en="unexplained differences (not in the amounts)")
Say = Callable[[Phrase], str]
_ORDER: Final = tuple(KINDS)
_WHOLE: Final = Phrase(zh="用能单位", en="unit")

Key = tuple[str, str, str, str]
"""Energy, unit of the amounts, kind, sub-unit."""


def part_rows(parts: Sequence[MonthPart]) -> Iterator[tuple[Key, Mapping[str, MonthPart]]]:
    """Lines of the table: an energy's sub-units, then what belongs to none, then the unit; each by month."""
    lines: dict[Key, dict[str, MonthPart]] = {}
    for part in parts:
        lines.setdefault((part.carrier, part.symbol, part.kind, part.sub_unit), {})[part.month] = part
    place = {"metered": 0, "assigned": 0, "rest": 1, "unit": 2}
    for key in sorted(lines, key=lambda k: (k[0], k[1], place[k[2]], k[3], _ORDER.index(k[2]))):
        yield key, lines[key]


def by_month(book: Workbook, report: UnitReport, say: Say) -> None:
    """Workshop × month: every column of an energy adds up to the unit's total."""
    months = list(dict.fromkeys(part.month for part in report.parts))

    def of_month(month: str) -> Column:
        return month, month, lambda line: line.amounts.get(month)

    table = table_of(
        say,
        _lines(report, months, say),
        ("energy", "能源种类", lambda line: line.carrier),
        ("unit", "计量单位", lambda line: line.symbol),
        ("sub-unit", "次级用能单位", lambda line: line.sub_unit),
        ("what", "口径", lambda line: line.what),
        *map(of_month, months),
        ("total", "合计", lambda line: line.total),
        ("tce, equivalent value", "折标量 tce（当量值）", lambda line: line.tce),
    )
    add_sheet(book, say(Phrase(en="by sub-unit and month", zh="车间分月消费量")), *table)


class _Line(NamedTuple):
    """A line of the sheet: amounts by month, in the unit of the energy."""

    carrier: str
    symbol: str
    sub_unit: str
    what: str
    amounts: Mapping[str, float | None]
    total: float | None
    tce: float | None = None


Column = tuple[str, str, Callable[[_Line], SheetCell]]


def _lines(report: UnitReport, months: Sequence[str], say: Say) -> Iterator[_Line]:
    for (carrier, symbol, kind, sub_unit), held in part_rows(report.parts):
        tce = [part.tce for part in held.values()]
        known = [one for one in tce if one is not None]
        yield _Line(
            carrier=say(carrier_name(carrier)),
            symbol=symbol,
            sub_unit=sub_unit or say(_WHOLE),
            what=say(KINDS[kind]),
            amounts={month: part.amount for month, part in held.items()},
            total=sum(part.amount for part in held.values()),
            tce=sum(known) if len(known) == len(tce) else None,
        )
    for carrier, symbol in sorted({(one.carrier, one.symbol) for one in report.differences}):
        amounts = {month: _of_month(report, carrier, symbol, month) for month in months}
        total = report.unexplained(carrier, symbol)
        yield _Line(say(carrier_name(carrier)), symbol, say(_WHOLE), say(DIFFERENCES), amounts, total)


def _of_month(report: UnitReport, carrier: str, symbol: str, month: str) -> float | None:
    found = [
        one.amount
        for one in report.differences
        if (one.carrier, one.symbol) == (carrier, symbol) and f"{one.day:%Y-%m}" == month
    ]
    return sum(found) if found else None


def differences(book: Workbook, report: UnitReport, say: Say) -> None:
    """Each difference that waits for a person's decision."""
    table = table_of(
        say,
        report.differences,
        ("day", "日期", lambda one: one.day),
        ("point", "计量点", lambda one: one.point),
        ("meter", "用能单位管理编号", lambda one: one.meter_no),
        ("energy", "能源种类", lambda one: say(carrier_name(one.carrier))),
        ("dial before", "突变前示值", lambda one: one.dial_before),
        ("dial after", "突变后示值", lambda one: one.dial_after),
        ("difference, not in the amounts", "差额（不计入消费量）", lambda one: one.amount),
        ("unit", "计量单位", lambda one: one.symbol),
    )
    add_sheet(book, say(Phrase(en="unexplained differences", zh="未解释差额")), *table)
