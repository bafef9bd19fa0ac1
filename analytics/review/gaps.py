"""Evaluation of hours without evidence (JJF 1356, 7.2), by a written method from the hours that were measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from analytics.domain.errors import MeterwardenError
from analytics.domain.words import Phrase, Phrases

__all__ = ["METHODS", "Evaluation", "GapRefused", "like_days", "neighbours"]

_DAY_H: Final = 24
_WEEK_H: Final = 168
_WEEKS: Final = 3
_LONGEST_LINE_H: Final = 2

METHODS: Final[Phrases] = MappingProxyType({
    "neighbours": Phrase(zh="前后小时线性插值", en="straight line between the hours before and after"),
    "like_days": Phrase(zh="同类日同时段平均值", en="mean of the same hours of like days"),
    "check_meter": Phrase(zh="比对表示值", en="check meter"),
    "balance": Phrase(zh="上下级平衡推算", en="balance of the meters above and below"),
    "manual": Phrase(zh="人工评估", en="a person's evaluation"),
})  # fmt: skip


class GapRefused(MeterwardenError):  # noqa: N818 - named after what is the matter
    """The data do not support the evaluation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Result of an evaluation.

    Attributes
    ----------
    amount : float
        Of the whole span. [canonical unit]
    hours : int
        Number of measured hours used.
    procedure, reliability : Phrase
        Method in words, and the grounds for its reliability.
    """

    amount: float
    hours: int
    procedure: Phrase
    reliability: Phrase


def neighbours(measured: Mapping[int, float], start: int, end: int) -> Evaluation:
    """A straight line between the measured hours at both ends of a short gap, of two hours at the most.

    Parameters
    ----------
    measured : mapping of int to float
        Amounts of measured hours. [hour index: canonical unit]
    start, end : int
        Half-open span. [hour index]

    Examples
    --------
    >>> neighbours({9: 10.0, 12: 40.0}, 10, 12).amount
    50.0
    """
    count = end - start
    if count > _LONGEST_LINE_H:
        raise GapRefused(f"a straight line must be over {_LONGEST_LINE_H} hours at the most (got {count})")
    if start - 1 not in measured or end not in measured:
        raise GapRefused("the hours before and after must be measured (they are not)")
    before, after = measured[start - 1], measured[end]
    amount = sum(before + (after - before) * (i + 1) / (count + 1) for i in range(count))
    return Evaluation(
        amount=amount,
        hours=2,
        procedure=Phrase(
            zh=f"以缺失前一小时 {before:g} 与后一小时 {after:g} 线性插值 {count} 小时",
            en=f"{count} hours on a straight line between {before:g} before and {after:g} after",
        ),
        reliability=Phrase(zh="缺失不超过 2 小时，前后小时均为实测", en="no more than 2 hours, both ends are measured"),
    )


def like_days(measured: Mapping[int, float], start: int, end: int) -> Evaluation:
    """The mean of the same hour of the week in the three weeks before, hour by hour.

    An hour that was measured in none of them counts by the same hour of the seven days before; where there is none of
    these either, nothing is evaluated. Parameters as in `neighbours`.

    Examples
    --------
    >>> like_days({0: 3.0, 168: 5.0}, 336, 337).amount
    4.0
    """
    total, used, spread = 0.0, 0, 0.0
    for hour in range(start, end):
        found = [measured[one] for i in range(1, _WEEKS + 1) if (one := hour - i * _WEEK_H) in measured]
        if not found:
            found = [measured[one] for i in range(1, 8) if (one := hour - i * _DAY_H) in measured]
        if not found:
            raise GapRefused(
                f"hour {hour - start + 1} of the span must have a like one that was measured (it has none)"
            )
        mean = sum(found) / len(found)
        total, used, spread = total + mean, used + len(found), spread + max(found) - min(found)
    return Evaluation(
        amount=total,
        hours=used,
        procedure=Phrase(
            zh=f"取前 3 周同一星期、同一小时实测值的平均（缺者取前 7 日同一小时），逐小时相加，共 {end - start} 小时",
            en=f"the mean of the same hour of the week over 3 weeks (else of 7 days), {end - start} hours",
        ),
        reliability=Phrase(
            zh=f"依据 {used} 个实测小时，同类小时最大与最小之差合计 {spread:g}",
            en=f"rests on {used} measured hours, which lie {spread:g} apart in sum",
        ),
    )
