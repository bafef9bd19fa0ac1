"""Evaluations of missing data as a sheet of their own, beside the measured amounts."""

from collections.abc import Callable, Sequence
from typing import Final

from openpyxl import Workbook

from analytics.domain.words import Phrase
from analytics.review.gaps import METHODS
from analytics.standards.words import carrier_name
from dashboards.reports.content import FilledGap
from dashboards.reports.sheet import add_sheet, table_of

__all__ = ["add_gaps"]

_STATES: Final = {
    "proposed": Phrase(zh="待批准", en="waits for approval"),
    "approved": Phrase(zh="已批准", en="approved"),
}


def add_gaps(book: Workbook, gaps: Sequence[FilledGap], say: Callable[[Phrase], str]) -> None:
    """Each evaluation with method, procedure, reliability, who made it and who approved it (JJF 1356, 7.2)."""
    table = table_of(
        say,
        gaps,
        ("point", "计量点", lambda one: one.point),
        ("energy", "能源种类", lambda one: say(carrier_name(one.carrier))),
        ("from", "缺失起", lambda one: f"{one.started_at:%Y-%m-%d %H:%M}"),
        ("to", "缺失止", lambda one: f"{one.ended_at:%Y-%m-%d %H:%M}"),
        ("evaluated amount (in no total)", "评估量（不计入合计）", lambda one: one.amount),
        ("unit", "计量单位", lambda one: one.symbol),
        ("method", "方法", lambda one: say(METHODS[one.method])),
        ("procedure", "程序", lambda one: one.procedure),
        ("reliability", "可靠性依据", lambda one: one.reliability),
        ("evaluated by", "评估人", lambda one: one.evaluated_by),
        ("approved by", "批准人", lambda one: one.approved_by),
        ("state", "状态", lambda one: say(_STATES[one.state])),
    )
    name = say(Phrase(zh="缺失数据评估", en="missing data"))
    add_sheet(book, name, *table, title=say(Phrase(zh="缺失数据评估（JJF 1356 7.2）", en="evaluation of missing data")))
