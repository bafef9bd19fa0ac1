"""The text of a message: which meter, what is wrong since when, how sure, what it affects, and what to do.

Chinese by default, English on request; an enterprise gets a question, an inspector a statement. Where the
links to answer by belong stands `LINKS`: whoever sends puts them there, so that none is ever stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from analytics.alerting.desk import AlertCard
from analytics.alerting.evidence import evidence_in_words, percent
from analytics.alerting.lifecycle import Purpose
from analytics.alerting.mailbox import AddressedNotice, Letter
from analytics.alerting.signal import FINDING, VERIFICATION, Signal, Source
from analytics.alerting.vocabulary import PURPOSES, advice_on
from analytics.domain.severity import Severity
from analytics.domain.words import CASE_STATES, KINDS, SEVERITIES, Language, Phrase, due_phrase

__all__ = ["LINKS", "CaseFacts", "DutyFacts", "LetterText", "case_text", "compose", "duty_text", "title"]

LINKS: Final = "{{links}}"
_IN_A_TITLE: Final = 3
"""A title names at most this many clauses."""
_LISTED: Final = 12
"""A digest lists at most this many alerts, and counts the others."""
_OF_A_SHARE: Final = frozenset({"ratio", "gain_step", "gain_drift"})
"""Kinds of fault by which a meter counts a share too much or too little."""
_SHOWN: Final = 8
"""A message about several metering points lists at most this many."""
_LONGEST: Final = 200
"""Characters of one sentence of evidence; what a ledger says may be of any length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterText:
    """Subject and body of a message."""

    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFacts:
    """Facts of a case that its reminder states."""

    number: str
    state: str
    unit_name: str
    point: str
    kind: str
    due_on: date
    days_left: int
    assignee: str
    certain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyFacts:
    """What a reminder of a duty speaks of: ``correction``, ``recheck`` or ``self_check``."""

    duty: str
    unit_name: str
    year: int
    due_on: date
    days_left: int
    certain: bool


_DUTIES: Final = {
    "correction": Phrase(zh="能源计量审查不符合项整改", en="correction after the review"),
    "recheck": Phrase(zh="能源计量审查整改复查", en="re-check after the correction"),
    "self_check": Phrase(zh="能源计量年度自查", en="yearly self-check"),
}


def title(card: AlertCard, language: str) -> str:
    """What an alert is about in one line, without its severity.

    Parameters
    ----------
    card : AlertCard
    language : str
        ``zh`` or ``en``.
    """
    zh = language == "zh"
    signal = card.examples[0]
    kinds = sorted(card.kinds, key=lambda kind: -card.kinds[kind])[:3]
    what = ("、" if zh else ", ").join(dict.fromkeys(_kind(kind, card).of(language) for kind in kinds))
    where = signal.unit_name or signal.unit_code
    if card.single:
        about = " ".join(filter(None, (signal.point, signal.meter_no)))
        return f"{where} {about} {what}" if zh else f"{where} {about}: {what}"
    n = card.alert.ever
    share = f"/{signal.unit_meters}" if signal.unit_meters >= n else ""
    return f"{where} {n}{share} 处{what}" if zh else f"{where}: {what} at {n}{share} points"


def _kind(kind: str, card: AlertCard) -> Phrase:
    """A kind's name; of one meter with its size, and of what does not comply with the clauses, where they are few."""
    signal, name = card.examples[0], KINDS[kind]
    days_left = signal.evidence.get("days_left")
    if kind == VERIFICATION and card.single and isinstance(days_left, int):
        return due_phrase(days_left)
    clauses = _clauses(card) if kind == FINDING else []
    if clauses and len(clauses) <= _IN_A_TITLE and card.alert.ever == len(card.examples):
        return Phrase(zh=f"{name.zh}（{'、'.join(clauses)}）", en=f"{name.en} ({', '.join(clauses)})")
    if kind in _OF_A_SHARE and card.single and signal.magnitude is not None:
        return Phrase(zh=f"{name.zh} {percent(signal.magnitude)}", en=f"{name.en} {percent(signal.magnitude)}")
    return name


def compose(
    letter: Letter,
    cards: Mapping[str, AlertCard],
    *,
    language: str,
    role: str,
    zone: ZoneInfo,
    ref: str,
    board: str = "",
) -> LetterText:
    """The words of a letter.

    Parameters
    ----------
    letter : Letter
    cards : mapping of str to AlertCard
        The alerts that its posts name.
    language : str
        ``zh`` or ``en``.
    role : str
        Of the recipient: `enterprise` is asked, others are informed.
    zone : ZoneInfo
        Whose clock times are given in.
    ref : str
        Reference printed in the message, so that a duplicate delivery can be recognised.
    board : str
        Link to the dashboard; '' for none.
    """
    if len(letter.posts) == 1:
        return _one(letter.posts[0], cards, language, role, zone, ref, board, letter.at)
    return _digest(letter, cards, language, zone, ref, board)


def case_text(facts: CaseFacts, *, language: str, ref: str) -> LetterText:
    """A reminder of a case's deadline."""
    words = CASE_STATES[facts.state]
    late = facts.days_left < 0
    if language == "zh":
        when = f"已逾期 {-facts.days_left} 个工作日" if late else f"还剩 {facts.days_left} 个工作日"
        lines = [
            f"核查任务：{facts.number}（{words.zh}）",
            f"单位：{facts.unit_name} {facts.point}",
            f"事由：{KINDS[facts.kind].zh}",
            f"期限：{facts.due_on.isoformat()}，{when}",
            f"承办：{facts.assignee or '未指派'}",
        ]
        lines += [] if facts.certain else ["注：日历中没有该年度的节假日，期限按周末推算"]
        return LetterText(
            title=f"核查任务 {facts.number} {words.zh}：{when}", body="\n".join([*lines, LINKS, f"编号：{ref}"])
        )
    when = f"overdue by {-facts.days_left} working days" if late else f"{facts.days_left} working days left"
    lines = [
        f"Case: {facts.number} ({words.en})",
        f"Unit: {facts.unit_name} {facts.point}",
        f"About: {KINDS[facts.kind].en}",
        f"Due: {facts.due_on.isoformat()}, {when}",
        f"With: {facts.assignee or 'nobody yet'}",
    ]
    lines += [] if facts.certain else ["Note: the calendar has no holidays of that year; weekends alone were counted"]
    return LetterText(title=f"Case {facts.number} {words.en}: {when}", body="\n".join([*lines, LINKS, f"Ref: {ref}"]))


def duty_text(facts: DutyFacts, *, language: str, ref: str) -> LetterText:
    """A reminder of a duty's term.

    Examples
    --------
    >>> facts = DutyFacts(
    ...     duty="recheck", unit_name="U", year=2026, due_on=date(2026, 12, 1), days_left=-1, certain=True
    ... )
    >>> duty_text(facts, language="zh", ref="R").title
    'U 2026年能源计量审查整改复查：已逾期 1 个工作日'
    """
    late, count = facts.days_left < 0, abs(facts.days_left)
    what = _DUTIES[facts.duty]
    if language == "zh":
        when = f"已逾期 {count} 个工作日" if late else f"还剩 {count} 个工作日" if count else "今日到期"
        lines = [
            f"单位：{facts.unit_name}",
            f"事项：{facts.year}年{what.zh}",
            f"期限：{facts.due_on.isoformat()}，{when}",
        ]
        lines += [] if facts.certain else ["注：日历中没有该年度的节假日，期限按周末推算"]
        return LetterText(
            title=f"{facts.unit_name} {facts.year}年{what.zh}：{when}",
            body="\n".join([*lines, LINKS, f"编号：{ref}"]),
        )
    when = f"overdue by {count} working days" if late else f"{count} working days left" if count else "due today"
    lines = [f"Unit: {facts.unit_name}", f"About: {what.en}, {facts.year}", f"Due: {facts.due_on.isoformat()}, {when}"]
    lines += [] if facts.certain else ["Note: the calendar has no holidays of that year; weekends alone were counted"]
    return LetterText(
        title=f"{facts.unit_name}, {what.en} of {facts.year}: {when}", body="\n".join([*lines, LINKS, f"Ref: {ref}"])
    )


def _one(
    post: AddressedNotice,
    cards: Mapping[str, AlertCard],
    language: str,
    role: str,
    zone: ZoneInfo,
    ref: str,
    board: str,
    now: datetime,
) -> LetterText:
    card = cards[post.alert]
    zh = language == "zh"
    gentle = role == "enterprise"
    tag = ("提醒" if zh else "Notice") if gentle else SEVERITIES[card.alert.severity].of(language)
    purpose = PURPOSES[post.purpose].of(language)
    head = "".join(f"【{word}】" if zh else f"[{word}] " for word in (tag, purpose) if word)
    lines = _facts(card, zh=zh, gentle=gentle, zone=zone, now=now)
    if post.purpose is not Purpose.CLEAR:
        lines += _advice(card, zh=zh, gentle=gentle)
    if board:
        lines.append(f"查看：{board}" if zh else f"See: {board}")
    lines += [LINKS, f"编号：{ref}" if zh else f"Ref: {ref}"]
    return LetterText(title=head + title(card, language), body="\n".join(lines))


def _facts(card: AlertCard, *, zh: bool, gentle: bool, zone: ZoneInfo, now: datetime) -> list[str]:
    signal = card.examples[0]
    colon = "：" if zh else ": "

    def line(zh_word: str, en_word: str, text: str) -> str:
        return f"{zh_word if zh else en_word}{colon}{text}"

    lines = [line("单位", "Unit", _whose(signal, zh=zh))]
    if card.single:
        about = filter(None, (signal.point, signal.meter_no, signal.place))
        lines.append(line("计量点/管理编号/位置", "Point, meter, place", " · ".join(about) or "–"))
    else:
        lines += _points(card, zh=zh)
    since = card.alert.since.astimezone(zone)
    over = card.alert.cleared_at
    span = _span((over or now) - card.alert.since, zh=zh)
    around = f"（{span}）" if zh else f" ({span})"
    lines.append(
        line("起止", "From, to", f"{since:%Y-%m-%d %H:%M} – {over.astimezone(zone):%Y-%m-%d %H:%M}{around}")
        if over
        else line("起始", "Since", f"{since:%Y-%m-%d %H:%M}{around}")
    )
    clauses = _clauses(card)
    if clauses and not card.single:
        lines.append(line("条款", "Clauses", ("、" if zh else ", ").join(clauses)))
    if card.single:
        evidence = _evidence(signal, zone, zh=zh)
        lines += [line("证据", "Evidence", evidence)] if evidence else []
    else:
        lines += _of_each(card, zone, zh=zh)
    if signal.source is not Source.DETECTION:
        return lines  # nothing was measured: it has neither a confidence nor an amount
    if not gentle:
        lines.append(line("置信度", "Confidence", _confidence(signal, zh=zh)))
    lines.append(line("受影响能量", "Energy in doubt", _energy(card, zh=zh)))
    return lines


def _energy(card: AlertCard, *, zh: bool) -> str:
    """What was counted wrong, and which way where one meter has an error of a share."""
    amounts = ("、" if zh else ", ").join(f"{amount:,.0f} {unit}" for unit, amount in sorted(card.energy.items()))
    signal = card.examples[0]
    if not amounts:
        return "未知" if zh else "unknown"
    if not card.single or signal.kind not in _OF_A_SHARE or not signal.energy:
        return amounts
    if zh:
        return f"{'少计' if signal.energy < 0 else '多计'} {amounts}"
    return f"{amounts} too {'little' if signal.energy < 0 else 'much'}"


def _clauses(card: AlertCard) -> list[str]:
    """Clauses of the standard that the worst of its findings break, in the order of their numbers."""
    found = {str(signal.evidence["clause"]) for signal in card.examples if signal.evidence.get("clause")}
    return sorted(found, key=lambda clause: [(len(part), part) for part in clause.split(".")])


def _of_each(card: AlertCard, zone: ZoneInfo, *, zh: bool) -> list[str]:
    """What does not hold at each of several points, by clause; of other signals the points alone are listed."""
    colon = "：" if zh else ": "
    return [
        f"- {' '.join(filter(None, (signal.point, signal.meter_no)))}{colon}{_evidence(signal, zone, zh=zh)}"
        for signal in card.examples[:_SHOWN]
        if signal.source is Source.FINDING
    ]


def _whose(signal: Signal, *, zh: bool) -> str:
    if not signal.unit_name:
        return signal.unit_code
    return f"{signal.unit_name}（{signal.unit_code}）" if zh else f"{signal.unit_name} ({signal.unit_code})"


def _points(card: AlertCard, *, zh: bool) -> list[str]:
    named = list(dict.fromkeys(signal.point or signal.meter_no for signal in card.examples))[:_SHOWN]
    rest = card.alert.ever - len(named)
    listed = ("、" if zh else ", ").join(name for name in named if name)
    if zh:
        more = f" 等，另 {rest} 处" if rest > 0 else ""
        return [f"计量点：{listed}{more}；目前仍有 {card.alert.standing} 处"]
    more = f" and {rest} more" if rest > 0 else ""
    return [f"Points: {listed}{more}; {card.alert.standing} still stand"]


def _advice(card: AlertCard, *, zh: bool, gentle: bool) -> list[str]:
    signal = card.examples[0]
    advice = advice_on(signal.kind, signal.carrier)
    if gentle:
        return [f"请协助：{advice.ask.zh}" if zh else f"We ask you: {advice.ask.en}"]
    return [f"建议检查：{advice.check.zh}" if zh else f"Suggested check: {advice.check.en}"]


def _evidence(signal: Signal, zone: ZoneInfo, *, zh: bool) -> str:
    language: Language = "zh" if zh else "en"
    parts = evidence_in_words(signal.kind, signal.evidence, magnitude=signal.magnitude, language=language, zone=zone)
    return ("；" if zh else "; ").join(part[:_LONGEST] for part in parts)


def _confidence(signal: Signal, *, zh: bool) -> str:
    if signal.confidence is not None:
        return f"{signal.confidence:.0%}"
    return "未给出" if zh else "not stated"


def _span(span: timedelta, *, zh: bool) -> str:
    minutes = max(int(span.total_seconds() // 60), 0)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = ((days, " 天", " d"), (hours, " 小时", " h"), (minutes, " 分", " min"))
    shown = [(n, cn, en) for n, cn, en in parts if n][:2] or [(0, " 分", " min")]
    return " ".join(f"{n}{cn if zh else en}" for n, cn, en in shown)


def _digest(
    letter: Letter, cards: Mapping[str, AlertCard], language: str, zone: ZoneInfo, ref: str, board: str
) -> LetterText:
    zh = language == "zh"
    units = {cards[post.alert].unit_code for post in letter.posts}
    n = len(letter.posts)
    worst = SEVERITIES[max((post.severity for post in letter.posts), key=list(Severity).index)].of(language)
    signals = sum(cards[post.alert].alert.ever for post in letter.posts)
    if zh:
        head = f"【{worst}】汇总：{len(units)} 个单位 {n} 条告警"
        lines = [f"共 {n} 条告警，{signals} 处异常，涉及 {len(units)} 个单位；按严重程度列出："]
    else:
        head = f"[{worst}] digest: {n} alerts at {len(units)} units"
        lines = [f"{n} alerts with {signals} faults at {len(units)} units, the worst first:"]
    lines += [_row(post, cards[post.alert], zh=zh, zone=zone) for post in letter.posts[:_LISTED]]
    if n > _LISTED:
        lines.append(f"……另有 {n - _LISTED} 条" if zh else f"... and {n - _LISTED} more")
    if board:
        lines.append(f"查看：{board}" if zh else f"See: {board}")
    lines += [f"编号：{ref}" if zh else f"Ref: {ref}"]
    return LetterText(title=head, body="\n".join(lines))


def _row(post: AddressedNotice, card: AlertCard, *, zh: bool, zone: ZoneInfo) -> str:
    language = "zh" if zh else "en"
    marks = (SEVERITIES[post.severity].of(language), PURPOSES[post.purpose].of(language))
    mark = ("·" if zh else ", ").join(filter(None, marks))
    since = card.alert.since.astimezone(zone)
    clauses = _clauses(card)
    what = title(card, language)
    if clauses and clauses[0] not in what:
        what += f"，条款 {'、'.join(clauses)}" if zh else f", clause {', '.join(clauses)}"
    return f"- [{mark}] {what}" + (f"（{since:%m-%d %H:%M}）" if zh else f" ({since:%m-%d %H:%M})")
