"""Uploads to official platforms that are late or refused: when people are told, and in which words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal
from zoneinfo import ZoneInfo

from analytics.alerting.rules import UploadRule
from analytics.alerting.words import LINKS, LetterText

__all__ = ["UploadFacts", "UploadStage", "is_upload_told", "upload_stage", "upload_text"]

UploadStage = Literal["", "late", "refused"]
"""Nothing; not all was acknowledged for so long; the platform refuses data."""

_RANK: Final[Mapping[str, int]] = MappingProxyType({"": 0, "late": 1, "refused": 2})


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadFacts:
    """What is known of the uploads of a unit to a platform.

    Attributes
    ----------
    platform : str
        Host of its address.
    first_at : datetime
        First run.
    tried_at : datetime
        Last run.
    done_at : datetime or None
        Last run that left nothing waiting or refused; None before the first such.
    refused, waiting : int
        Data that the platform refuses, and without an answer.
    answer : str
        What the platform answered, or why there is no answer.
    """

    unit_code: str
    platform: str
    first_at: datetime
    tried_at: datetime
    done_at: datetime | None = None
    refused: int = 0
    waiting: int = 0
    answer: str = ""


def upload_stage(facts: UploadFacts, now: datetime, rule: UploadRule) -> UploadStage:
    """How an upload stands; one that began a moment ago is not late yet.

    Examples
    --------
    >>> from datetime import UTC, timedelta
    >>> now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    >>> def of(days, **more):
    ...     at = now - timedelta(days=days)
    ...     facts = UploadFacts(unit_code="U1", platform="p", first_at=at, tried_at=at, **more)
    ...     return upload_stage(facts, now, UploadRule())
    >>> of(1), of(3), of(3, done_at=now), of(1, refused=2)
    ('', 'late', '', 'refused')
    """
    if not rule.after:
        return ""
    if facts.refused:
        return "refused"
    return "late" if now - (facts.done_at or facts.first_at) > rule.after else ""


def is_upload_told(before: str, stage: UploadStage, *, refused: int, told_refused: int) -> bool:
    """Whether people are told of a stage after another: what gets worse, more that is refused, and when it is over.

    Examples
    --------
    >>> is_upload_told("late", "refused", refused=1, told_refused=0)
    True
    >>> is_upload_told("refused", "late", refused=0, told_refused=3)
    False
    >>> is_upload_told("refused", "refused", refused=5, told_refused=3)
    True
    """
    if stage == before:
        return stage == "refused" and refused > told_refused
    return not stage or _RANK[stage] > _RANK.get(before, 0)


def upload_text(
    facts: UploadFacts, stage: UploadStage, now: datetime, *, language: str, zone: ZoneInfo, ref: str
) -> LetterText:
    """A message about an upload.

    Parameters
    ----------
    stage : UploadStage
        '' for one that is acknowledged again.

    Examples
    --------
    >>> from datetime import UTC, timedelta
    >>> at = datetime(2026, 11, 30, 4, tzinfo=UTC)
    >>> facts = UploadFacts(unit_code="U1", platform="platform.example", first_at=at, tried_at=at, refused=7)
    >>> upload_text(facts, "refused", at, language="en", zone=ZoneInfo("Asia/Shanghai"), ref="R").title
    'Upload of U1 to platform.example: 7 data refused'
    """
    zh = language == "zh"

    def said(name: str, what: str) -> str:
        return f"{name}：{what}" if zh else f"{name}: {what}"

    lines = [
        said("用能单位" if zh else "Unit", facts.unit_code),
        said("官方平台" if zh else "Official platform", facts.platform),
        said("最近一次上传" if zh else "Last run", _time(facts.tried_at, zone)),
    ]
    if facts.done_at is not None:
        lines.append(said("最近一次全部确认" if zh else "All was acknowledged last", _time(facts.done_at, zone)))
    for name, count in (("被拒数据" if zh else "Data refused", facts.refused),
                        ("待确认数据" if zh else "Data without an answer", facts.waiting)):  # fmt: skip
        if count:
            lines.append(said(name, f"{count:,}"))
    if stage:
        if facts.answer:
            lines.append(said("平台答复" if zh else "What the platform answered", facts.answer))
        lines.append(said("建议" if zh else "What to do", _advice(facts, stage, now, zh=zh)))
    lines.append(LINKS)
    return LetterText(
        title=_headline(facts, stage, now, zh=zh), body="\n".join([*lines, said("编号" if zh else "Ref", ref)])
    )


def _time(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def _days(facts: UploadFacts, now: datetime) -> int:
    return (now - (facts.done_at or facts.first_at)).days


def _headline(facts: UploadFacts, stage: UploadStage, now: datetime, *, zh: bool) -> str:
    about = f"{facts.unit_code} 向 {facts.platform} 上传" if zh else f"Upload of {facts.unit_code} to {facts.platform}"
    if stage == "refused":
        return f"{about}：{facts.refused:,} 条数据被拒" if zh else f"{about}: {facts.refused:,} data refused"
    if stage == "late":
        days = _days(facts, now)
        return f"{about}：已 {days} 天未全部确认" if zh else f"{about}: not acknowledged for {days} days"
    return f"{about}：已全部确认" if zh else f"{about}: all is acknowledged again"


def _advice(facts: UploadFacts, stage: UploadStage, now: datetime, *, zh: bool) -> str:
    if stage == "refused":
        return (
            "用 meterwarden upload status FILE --state refused 查看每条数据及原因，改正后重新上传"
            if zh
            else "see each of them and why with `meterwarden upload status FILE --state refused`, mend it, upload again"
        )
    if (now - facts.tried_at).days >= 1:
        return (
            "上传程序一天以上未运行：检查 meterwarden upload run --daily"
            if zh
            else "it has not run for a day or more: look at `meterwarden upload run --daily`"
        )
    return (
        "检查到平台的网络和平台答复；未确认的数据保存在本地，会再次上传"
        if zh
        else "look at the network and at what the platform answers; what waits is kept and sent again"
    )
