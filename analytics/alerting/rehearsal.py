"""Replay of past signals through the alerting engine: the messages that given rules would have sent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from analytics.alerting.desk import AddressedLetter, Desk, Silence
from analytics.alerting.rules import Person, Rules
from analytics.alerting.signal import Signal
from analytics.alerting.words import compose

__all__ = ["Rehearsed", "rehearse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """A message that would have been sent."""

    at: datetime
    recipient: str
    channel: str
    purpose: str
    severity: str
    title: str
    body: str


def rehearse(
    rules: Rules,
    signals: Sequence[Signal],
    *,
    people: Sequence[Person],
    zone: ZoneInfo,
    since: datetime,
    until: datetime,
    silences: Sequence[Silence] = (),
) -> list[Rehearsed]:
    """Messages that these rules would have sent, assuming that nobody acknowledged or cleared anything.

    Each signal comes when it was seen and goes when it ended; how it looked in between is not known any more, so its
    facts are those of its end.

    Parameters
    ----------
    signals : sequence of Signal
        As they are known at `until`.
    people : sequence of Person
        As they are now.
    since, until : datetime
        What was seen before `since` and still stood comes at `since`.
    """
    desk = Desk(rules, people=people, zone=zone, silences=silences)
    events: list[tuple[datetime, Signal]] = []
    for signal in signals:
        if signal.withdrawn:
            continue
        seen = max(signal.seen_at, since)
        ends = signal.ended_at if not signal.standing else None
        lasted = ends is not None and ends > seen and not signal.instant
        if seen <= until:
            events.append((seen, replace(signal, standing=True, ended_at=None) if lasted else signal))
        if lasted and ends is not None and ends <= until:
            events.append((ends, signal))
    sent: list[Rehearsed] = []
    for at, signal in sorted(events, key=lambda event: (event[0], event[1].identity)):
        sent += _run(desk, at, zone)
        desk.signal(signal, at)
        sent += _written(desk, desk.letters(at), zone)
    return sent + _run(desk, until, zone)


def _run(desk: Desk, until: datetime, zone: ZoneInfo) -> list[Rehearsed]:
    sent: list[Rehearsed] = []
    at = desk.next_at()
    while at is not None and at <= until:
        desk.tick(at)
        sent += _written(desk, desk.letters(at), zone)
        at = desk.next_at()
    return sent


def _written(desk: Desk, letters: Sequence[AddressedLetter], zone: ZoneInfo) -> list[Rehearsed]:
    written = []
    for one in letters:
        text = compose(
            one.letter, desk.cards, language=one.recipient.language, role=one.recipient.role, zone=zone, ref="–"
        )
        posts = one.letter.posts
        written.append(
            Rehearsed(
                at=one.letter.at,
                recipient=one.recipient.name,
                channel=one.recipient.channel,
                purpose=posts[0].purpose.value if len(posts) == 1 else "digest",
                severity=posts[0].severity.value,
                title=text.title,
                body=text.body,
            )
        )
    return written
