"""Gateways that have not delivered: when people are told, and in which words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal
from zoneinfo import ZoneInfo

from analytics.alerting.rules import GatewayRule
from analytics.alerting.words import LINKS, LetterText

__all__ = ["GatewayFacts", "GatewayStage", "gateway_stage", "gateway_text", "is_told"]

GatewayStage = Literal["", "waiting", "full", "silent"]
"""Nothing; readings wait in its spool for longer than they may; its spool is nearly full; nothing came for so long."""

_RANK: Final[Mapping[str, int]] = MappingProxyType({"": 0, "waiting": 1, "full": 2, "silent": 3})
_FULL: Final = 0.8
_HEARD: Final = timedelta(minutes=10)
"""A gateway tells of itself every minute; one that did so within this time reaches Kafka."""
_UNITS_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayFacts:
    """What is known of a gateway.

    Attributes
    ----------
    delivered_at : datetime or None
        When its last readings came; None where none ever did.
    told_at : datetime or None
        When it last told of itself; None for one that never does.
    oldest_at : datetime or None
        When the oldest reading came that waits in its spool.
    waiting_readings, waiting_bytes, max_bytes, dropped_readings : int
        In its spool, and given up since that was made.
    fault : str
        What else is wrong, in its words.
    """

    name: str
    unit_codes: Sequence[str] = ()
    delivered_at: datetime | None = None
    told_at: datetime | None = None
    oldest_at: datetime | None = None
    waiting_readings: int = 0
    waiting_bytes: int = 0
    max_bytes: int = 0
    dropped_readings: int = 0
    fault: str = ""


def gateway_stage(facts: GatewayFacts, now: datetime, rule: GatewayRule) -> GatewayStage:
    """How a gateway stands.

    Examples
    --------
    >>> from datetime import UTC
    >>> now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    >>> long_ago, just_now = now - timedelta(hours=7), now - timedelta(minutes=1)
    >>> gateway_stage(GatewayFacts(name="g", delivered_at=long_ago), now, GatewayRule())
    'silent'
    >>> gateway_stage(GatewayFacts(name="g", delivered_at=just_now, oldest_at=long_ago), now, GatewayRule())
    'waiting'
    >>> patient = GatewayRule(of={"g": timedelta(days=2)})
    >>> gateway_stage(GatewayFacts(name="g"), now, GatewayRule())
    ''
    >>> gateway_stage(GatewayFacts(name="g", delivered_at=long_ago), now, patient)
    ''
    """
    patience = rule.patience(facts.name)
    if not patience:
        return ""
    if facts.delivered_at is not None and now - facts.delivered_at > patience:
        return "silent"
    if facts.max_bytes and facts.waiting_bytes > _FULL * facts.max_bytes:
        return "full"
    return "waiting" if facts.oldest_at is not None and now - facts.oldest_at > patience else ""


def is_told(before: str, stage: GatewayStage) -> bool:
    """Whether people are told of a stage after another: what gets better is told when it is over.

    Examples
    --------
    >>> is_told("", "waiting"), is_told("silent", "waiting"), is_told("waiting", "silent"), is_told("waiting", "")
    (True, False, True, True)
    """
    return stage != before and (not stage or _RANK[stage] > _RANK.get(before, 0))


def gateway_text(
    facts: GatewayFacts, stage: str, now: datetime, *, dropped: int = 0, language: str, zone: ZoneInfo, ref: str
) -> LetterText:
    """A message about a gateway.

    Parameters
    ----------
    stage : str
        Of `GatewayStage`, '' for one that delivers again; or ``dropped``.
    dropped : int
        Readings given up that nobody was told of yet.

    Examples
    --------
    >>> from datetime import UTC
    >>> at = datetime(2026, 11, 30, 4, tzinfo=UTC)
    >>> facts = GatewayFacts(name="boiler", delivered_at=at, unit_codes=["U1"])
    >>> text = gateway_text(
    ...     facts, "silent", at + timedelta(hours=7), language="en", zone=ZoneInfo("Asia/Shanghai"), ref="R"
    ... )
    >>> text.title
    'Gateway boiler: no readings for 7 hours'
    """
    zh = language == "zh"
    about = _headline(facts, stage, now, dropped, zh=zh)
    lines = [_said("网关" if zh else "Gateway", facts.name, zh=zh)]
    if facts.unit_codes:
        more = len(facts.unit_codes) - _UNITS_SHOWN
        codes = " ".join(facts.unit_codes[:_UNITS_SHOWN]) + (f" … +{more}" if more > 0 else "")
        lines.append(_said("用能单位" if zh else "Units", codes, zh=zh))
    for name, at in (
        ("最近一次送达" if zh else "Last delivery", facts.delivered_at),
        ("网关最近一次上报状态" if zh else "Last word of the gateway itself", facts.told_at),
        ("待送最早一条收到于" if zh else "Oldest reading that waits came", facts.oldest_at),
    ):
        if at is not None:
            lines.append(_said(name, f"{at.astimezone(zone):%Y-%m-%d %H:%M}", zh=zh))
    if facts.waiting_readings:
        share = f" ({facts.waiting_bytes / facts.max_bytes:.0%})" if facts.max_bytes else ""
        lines.append(_said("待送读数" if zh else "Readings that wait", f"{facts.waiting_readings:,}{share}", zh=zh))
    if facts.fault:
        lines.append(_said("网关自述故障" if zh else "What it says is wrong", facts.fault, zh=zh))
    if stage:
        lines.append(_said("建议" if zh else "What to do", _advice(facts, stage, now, zh=zh), zh=zh))
    lines.append(LINKS)
    return LetterText(title=about, body="\n".join([*lines, _said("编号" if zh else "Ref", ref, zh=zh)]))


def _said(name: str, what: str, *, zh: bool) -> str:
    return f"{name}：{what}" if zh else f"{name}: {what}"


def _headline(facts: GatewayFacts, stage: str, now: datetime, dropped: int, *, zh: bool) -> str:
    if stage == "silent" and facts.delivered_at is not None:
        hours = int((now - facts.delivered_at).total_seconds() // 3600)
        return (
            f"网关 {facts.name}：已 {hours} 小时无读数送达"
            if zh
            else (f"Gateway {facts.name}: no readings for {hours} hours")
        )
    if stage == "waiting" and facts.oldest_at is not None:
        hours = int((now - facts.oldest_at).total_seconds() // 3600)
        return (
            f"网关 {facts.name}：读数积压，最早一条已等待 {hours} 小时"
            if zh
            else (f"Gateway {facts.name}: readings wait, the oldest for {hours} hours")
        )
    if stage == "full":
        share = f"{facts.waiting_bytes / facts.max_bytes:.0%}" if facts.max_bytes else ""
        return f"网关 {facts.name}：本地存储已用 {share}" if zh else f"Gateway {facts.name}: its spool is {share} full"
    if stage == "dropped":
        return (
            f"网关 {facts.name}：已放弃 {dropped:,} 条读数"
            if zh
            else (f"Gateway {facts.name}: {dropped:,} readings were given up")
        )
    return f"网关 {facts.name}：已恢复送达" if zh else f"Gateway {facts.name}: it delivers again"


def _advice(facts: GatewayFacts, stage: str, now: datetime, *, zh: bool) -> str:
    if stage == "dropped":
        return (
            "存储已满且超过保存期限的读数已丢失：请从表计补读冻结值"
            if zh
            else ("the spool was full and these were older than is kept: read frozen values from the meters")
        )
    if stage == "full":
        return (
            "尽快恢复到 Kafka 的连接，或增大存储上限：存满后网关不再接收"
            if zh
            else ("bring Kafka back to it, or give the spool more room: it takes nothing more when it is full")
        )
    if stage == "waiting":
        return "检查网关到 Kafka 的网络带宽" if zh else "look at the network between the gateway and Kafka"
    if facts.told_at is not None and now - facts.told_at <= _HEARD:
        return (
            "网关在线但没有读数：检查其线路、表计和上游系统"
            if zh
            else ("the gateway is there and has nothing to send: look at its lines, its meters and who sends to it")
        )
    return (
        "检查网关供电、运行状态和网络：已收到的读数保存在网关本地"
        if zh
        else ("look at the gateway's supply, whether it runs, and its network; what it took is kept on its disk")
    )
