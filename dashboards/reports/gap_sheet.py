"""Evaluations of missing data as a sheet of their own, beside the measured amounts."""

from collections.abc import Callable, Sequence
from typing import Final

from openpyxl import Workbook

from analytics.domain.words import Phrase
from analytics.review.gaps import METHODS
from analytics.standards.words import carrier_name
from dashboards.reports.content import FilledGap
from dashboards.reports.sheet import add_sheet, heads_of

__all__ = ["add_gaps"]

_STATES: Final = {
    "proposed": Phrase(zh="待批准", en="waits for approval"),
    "approved": Phrase(zh="已批准", en="approved"),
}


def add_gaps(book: Workbook, gaps: Sequence[FilledGap], say: Callable[[Phrase], str]) -> None:
    """Each evaluation with method, procedure, reliability, who made it and who approved it (JJF 1356, 7.2)."""
    heads = heads_of(
        say,
        ("point", "计量点"),
        ("energy", "能源种类"),
        ("from", "缺失起"),
        ("to", "缺失止"),
        ("evaluated amount (in no total)", "评估量（不计入合计）"),
        ("unit", "计量单位"),
        ("method", "方法"),
        ("procedure", "程序"),
        ("reliability", "可靠性依据"),
        ("evaluated by", "评估人"),
        ("approved by", "批准人"),
        ("state", "状态"),
    )
    rows = (
        (
            one.point,
            say(carrier_name(one.carrier)),
            f"{one.started_at:%Y-%m-%d %H:%M}",
            f"{one.ended_at:%Y-%m-%d %H:%M}",
            one.amount,
            one.symbol,
            say(METHODS[one.method]),
            one.procedure,
            one.reliability,
            one.evaluated_by,
            one.approved_by,
            say(_STATES[one.state]),
        )
        for one in gaps
    )
    name = say(Phrase(zh="缺失数据评估", en="missing data"))
    add_sheet(
        book, name, heads, rows, title=say(Phrase(zh="缺失数据评估（JJF 1356 7.2）", en="evaluation of missing data"))
    )
