"""Sheet on the coverage of mandatory verification."""

from collections.abc import Callable, Sequence

from openpyxl import Workbook

from analytics.domain.words import Phrase
from analytics.standards.mandatory import Coverage
from analytics.standards.words import carrier_name
from dashboards.reports.sheet import add_sheet, heads_of

__all__ = ["add_coverage"]


def add_coverage(book: Workbook, rows: Sequence[Coverage], target: float, say: Callable[[Phrase], str]) -> None:
    """How far verification by law is, by energy and by body, and in total."""
    heads = heads_of(
        say,
        ("energy", "能源种类"),
        ("body that verified last", "检定机构（最近一次）"),
        ("instruments verified by law", "强制检定器具"),
        ("of them valid", "其中有效"),
        ("rate, %", "受检率 %"),
        ("target, %", "目标 %"),
        ("meets it", "是否达到"),
    )
    both = Phrase(zh="是", en="yes"), Phrase(zh="否", en="no")
    nobody = say(Phrase(zh="未录入证书", en="no certificate entered"))
    lines = [
        *((say(carrier_name(one.carrier)), one.body or nobody, one.instruments, one.valid) for one in rows),
        *(
            (say(carrier_name(carrier)), say(Phrase(zh="小计", en="all bodies")), *_sum(rows, carrier))
            for carrier in sorted({one.carrier for one in rows})
        ),
        *([(say(Phrase(zh="合计", en="total")), "", *_sum(rows))] if rows else []),
    ]
    cells = (
        (*line, round(100 * line[3] / line[2], 4), target, say(both[100 * line[3] < target * line[2]]))
        for line in lines
    )
    add_sheet(book, say(Phrase(en="verification by law", zh="强制检定")), heads, cells)


def _sum(rows: Sequence[Coverage], carrier: str = "") -> tuple[int, int]:
    taken = [one for one in rows if carrier in {"", one.carrier}]
    return sum(one.instruments for one in taken), sum(one.valid for one in taken)
