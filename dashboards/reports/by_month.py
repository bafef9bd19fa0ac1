"""Sheets of what was used by workshop and month, and of differences that nobody could explain."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from openpyxl import Workbook

from analytics.domain.words import Phrase
from analytics.standards.months import MonthPart
from analytics.standards.words import carrier_name
from dashboards.reports.content import UnitReport
from dashboards.reports.sheet import SheetCell, add_sheet, heads_of, table_of

__all__ = ["DIFFERENCES", "KINDS", "by_month", "differences", "part_rows"]

KINDS: Final = {
    "unit": Phrase(zh="用能单位合计", en="total of the unit"),
    "metered": Phrase(zh="计量", en="metered"),
    "assigned": Phrase(zh="按录入比例归属", en="assigned as entered"),
    "rest": Phrase(zh="未归属（含损耗）", en="belongs to none, losses included"),
}
DIFFERENCES: Final = Phrase(zh="未解释差额（不计入消费量）", en="unexplained differences (not in the amounts)")
Say = Callable[[Phrase], str]
Cells = Sequence[SheetCell]
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
    heads = heads_of(say, ("energy", "能源种类"), ("unit", "计量单位"), ("sub-unit", "次级用能单位"), ("what", "口径"))
    heads += [*months, *heads_of(say, ("total", "合计"), ("tce, equivalent value", "折标量 tce（当量值）"))]
    rows: list[Cells] = [_line(key, held, months, say) for key, held in part_rows(report.parts)]
    found = {(one.carrier, one.symbol) for one in report.differences}
    for carrier, symbol in sorted(found):
        sums = [_of_month(report, carrier, symbol, month) for month in months]
        name = say(carrier_name(carrier))
        rows.append((name, symbol, say(_WHOLE), say(DIFFERENCES), *sums, report.unexplained(carrier, symbol), None))
    add_sheet(book, say(Phrase(en="by sub-unit and month", zh="车间分月消费量")), heads, rows)


def _line(key: Key, held: Mapping[str, MonthPart], months: Sequence[str], say: Say) -> Cells:
    carrier, symbol, kind, sub_unit = key
    tce = [part.tce for part in held.values()]
    known = [one for one in tce if one is not None]
    return (
        say(carrier_name(carrier)),
        symbol,
        sub_unit or say(_WHOLE),
        say(KINDS[kind]),
        *(held[month].amount if month in held else None for month in months),
        sum(part.amount for part in held.values()),
        sum(known) if len(known) == len(tce) else None,
    )


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
