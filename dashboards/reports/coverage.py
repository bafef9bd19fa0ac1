"""Sheet on the coverage of mandatory verification."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from openpyxl import Workbook

from analytics.domain.words import Phrase
from analytics.standards.mandatory import Coverage
from analytics.standards.words import carrier_name
from dashboards.reports.sheet import add_sheet, table_of

__all__ = ["add_coverage"]


def add_coverage(book: Workbook, rows: Sequence[Coverage], target: float, say: Callable[[Phrase], str]) -> None:
    """How far verification by law is, by energy and by body, and in total."""
    both = Phrase(zh="是", en="yes"), Phrase(zh="否", en="no")
    table = table_of(
        say,
        _lines(rows, say),
        ("energy", "能源种类", lambda line: line.carrier),
        ("body that verified last", "检定机构（最近一次）", lambda line: line.body),
        ("instruments verified by law", "强制检定器具", lambda line: line.instruments),
        ("of them valid", "其中有效", lambda line: line.valid),
        ("rate, %", "受检率 %", lambda line: round(100 * line.valid / line.instruments, 4)),
        ("target, %", "目标 %", lambda _line: target),
        ("meets it", "是否达到", lambda line: say(both[100 * line.valid < target * line.instruments])),
    )
    add_sheet(book, say(Phrase(en="verification by law", zh="强制检定")), *table)


class _Line(NamedTuple):
    """Instruments of an energy that a body verified, or a sum of such."""

    carrier: str
    body: str
    instruments: int
    valid: int


def _lines(rows: Sequence[Coverage], say: Callable[[Phrase], str]) -> Iterator[_Line]:
    nobody = say(Phrase(zh="未录入证书", en="no certificate entered"))
    for one in rows:
        yield _Line(say(carrier_name(one.carrier)), one.body or nobody, one.instruments, one.valid)
    for carrier in sorted({one.carrier for one in rows}):
        yield _Line(say(carrier_name(carrier)), say(Phrase(zh="小计", en="all bodies")), *_sum(rows, carrier))
    if rows:
        yield _Line(say(Phrase(zh="合计", en="total")), "", *_sum(rows))


def _sum(rows: Sequence[Coverage], carrier: str = "") -> tuple[int, int]:
    taken = [one for one in rows if carrier in {"", one.carrier}]
    return sum(one.instruments for one in taken), sum(one.valid for one in taken)
