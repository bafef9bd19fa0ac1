"""The alerting engine: signals and actions of people go in, letters come out, changed state can be stored.

A desk holds as much of the world as its events need: a store lays out the alerts, members and mailboxes concerned,
feeds it what came, and keeps what `changed`; a rehearsal keeps everything in one desk. It is deterministic: the same
events in the same order give the same letters.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from analytics.alerting.judged import Judged, settled
from analytics.alerting.lifecycle import (
    Acknowledged,
    Alert,
    Cleared,
    Event,
    Notice,
    Phase,
    Policy,
    Purpose,
    SignalJoined,
    SignalLeft,
    Tick,
    next_at,
    step,
)
from analytics.alerting.mailbox import AddressedNotice, Letter, Mailbox, deliver
from analytics.alerting.rules import Person, Recipient, Rule, Rules, audience
from analytics.alerting.signal import Signal, Source
from analytics.domain.severity import SEVERITIES, Severity

__all__ = ["AddressedLetter", "AlertCard", "Desk", "SignalState", "Silence"]

_EXAMPLES = 8
"""An alert's message quotes at most this many of its signals; of the others it gives the number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCard:
    """An alert with the facts that its messages need.

    Attributes
    ----------
    key : str
        Unique identity: subject, creation time and the signal that raised it.
    examples : tuple of Signal
        The worst of those behind it, as they are known now.
    energy : mapping of str to float
        Energy affected by the faults behind it, counted too much or too little, by unit of measurement. [unit given by
        the key]
    heard : frozenset of str
        Recipients that were sent anything about it.
    last_start : datetime
        When the latest signal behind it began.
    """

    key: str
    subject: str
    rule: str
    unit_code: str
    alert: Alert
    examples: tuple[Signal, ...]
    kinds: Mapping[str, int] = field(default_factory=dict)
    energy: Mapping[str, float] = field(default_factory=dict)
    heard: frozenset[str] = frozenset()
    last_start: datetime

    @property
    def single(self) -> bool:
        """Whether it is about one point of metering."""
        return len({(signal.point, signal.meter_no) for signal in self.examples}) == 1 and self.alert.ever == len(
            self.examples
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalState:
    """Last known state of a signal and the alert it belongs to."""

    key: str
    standing: bool
    energy: float = 0.0
    energy_unit: str = ""
    severity: Severity = Severity.INFO
    magnitude: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Planned work: no messages about what it covers. An empty `unit_code`, `point` or `kind` covers all."""

    starts_at: datetime
    ends_at: datetime
    unit_code: str = ""
    point: str = ""
    kind: str = ""

    def covers(self, card: AlertCard, now: datetime) -> bool:
        """Whether an alert is covered now; one of several points only by a silence of the whole unit."""
        signals = card.examples
        return (
            self.starts_at <= now < self.ends_at
            and self.unit_code in {"", card.unit_code}
            and (not self.point or (card.single and signals[0].point == self.point))
            and (not self.kind or set(card.kinds) == {self.kind})
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressedLetter:
    """A letter and its recipient."""

    recipient: Recipient
    letter: Letter


class Desk:
    """See the module's docstring.

    Parameters
    ----------
    rules : Rules
    people : sequence of Person
        Everybody active.
    zone
        Of quiet hours.
    silences : sequence of Silence
    """

    def __init__(
        self,
        rules: Rules,
        *,
        people: Sequence[Person] = (),
        audience_of: Callable[[Sequence[str], str], tuple[Recipient, ...]] | None = None,
        silences: Sequence[Silence] = (),
        zone: object = None,
    ) -> None:
        self.rules = rules
        self.people = tuple(people)
        self.silences = tuple(silences)
        self._audience = audience_of or (
            lambda names, unit: audience(names, unit_code=unit, rules=rules, people=people, zone=zone)  # type: ignore[arg-type]  # ZoneInfo wherever there are people
        )
        self.cards: dict[str, AlertCard] = {}
        self.members: dict[tuple[str, int], SignalState] = {}
        self.judged: dict[tuple[str, int], tuple[Judged, ...]] = {}
        self.mailboxes: dict[str, Mailbox] = {}
        self.changed: set[str] = set()
        self.moved: set[tuple[str, int]] = set()
        self.posted: set[str] = set()
        self.opened: list[str] = []
        self._by_subject: dict[str, set[str]] = {}
        self._posts: dict[str, list[AddressedNotice]] = {}
        self._recipients: dict[str, Recipient] = {}
        self._clock: list[tuple[datetime, str]] = []  # a heap; an alert may stand in it more than once

    def lay(
        self,
        cards: Iterable[AlertCard] = (),
        members: Mapping[tuple[str, int], SignalState] | None = None,
        mailboxes: Mapping[str, Mailbox] | None = None,
        judged: Mapping[tuple[str, int], tuple[Judged, ...]] | None = None,
    ) -> None:
        """Load alerts, members, mailboxes and what was judged of coming signals, by their identity."""
        for card in cards:
            self.cards[card.key] = card
            self._by_subject.setdefault(card.subject, set()).add(card.key)
            self._wind(card)
        self.members.update(members or {})
        self.mailboxes.update(mailboxes or {})
        self.judged.update(judged or {})

    def signal(self, signal: Signal, now: datetime) -> str | None:
        """Process the current state of a signal. Returns the key of its alert, None if no rule wants one.

        Parameters
        ----------
        signal : Signal
            New, or one that was taken before and has changed.
        now : datetime
        """
        known = self.members.get(signal.identity)
        if known is not None and known.key in self.cards and not self.cards[known.key].alert.phase.over:
            return self._again(signal, known, now)
        if known is not None and (signal.instant or not signal.standing):
            return None  # the alert is over, so the signal is dropped with it
        if signal.withdrawn or (not signal.standing and not self._worth(signal, now)):
            return None
        rule = self.rules.rule_of(signal)
        if rule is None or not rule.tell or settled(signal, self.judged.get(signal.identity, ())):
            return None
        return self._join(signal, rule, now)

    def tick(self, now: datetime) -> None:
        """Advance every alert that has a timer due at `now`: holds, escalations, clearing."""
        due = set()
        while self._clock and self._clock[0][0] <= now:
            due.add(heapq.heappop(self._clock)[1])
        for key in sorted(due):
            at = self.due_at(self.cards[key])
            if at is None or at > now:
                continue  # the timer was reset by an event since it was queued
            self._step(key, Tick(at=now, silenced_until=self._silenced_until(self.cards[key], now)))

    def acknowledge(self, key: str, now: datetime) -> None:
        """Acknowledge an alert; raises `AlertIsOver` if it is cleared or dropped."""
        self._step(key, Acknowledged(at=now, silenced_until=self._silenced_until(self.cards[key], now)))

    def clear(self, key: str, now: datetime) -> None:
        """Clear an alert by hand; raises `AlertIsOver` if it is cleared or dropped already."""
        self._step(key, Cleared(at=now, silenced_until=self._silenced_until(self.cards[key], now)))

    def letters(self, now: datetime, *, waiting: Iterable[Recipient] = ()) -> list[AddressedLetter]:
        """What leaves now: posts since the last call, and mailboxes that are due, whose owners `waiting` has."""
        for recipient in waiting:
            self._recipients.setdefault(recipient.name, recipient)
        for name in self._recipients:
            at = self.mailboxes.get(name, Mailbox()).next_at
            if at is not None and at <= now:
                self._posts.setdefault(name, [])
        out = []
        for name, posts in self._posts.items():
            recipient = self._recipients[name]
            mailbox, letters = deliver(self.mailboxes.get(name, Mailbox()), posts, now, recipient.habits)
            self.mailboxes[name] = mailbox
            self.posted.add(name)
            out += [AddressedLetter(recipient=recipient, letter=letter) for letter in letters]
        self._posts = {}
        return out

    def next_at(self) -> datetime | None:
        """Earliest time at which a timer of any loaded alert or mailbox is due; None if none is."""
        while self._clock and self.due_at(self.cards[self._clock[0][1]]) != self._clock[0][0]:
            heapq.heappop(self._clock)
        times = [at for at, _ in self._clock[:1]] + [mailbox.next_at for mailbox in self.mailboxes.values()]
        return min((time for time in times if time is not None), default=None)

    def due_at(self, card: AlertCard) -> datetime | None:
        """Time at which the next timer of one alert is due; None if it has none."""
        return next_at(card.alert, self.policy(card))

    def policy(self, card: AlertCard) -> Policy:
        """The times of an alert's rule; the plain ones where the rule is gone."""
        rule = self.rules.named(card.rule)
        return rule.policy if rule else Policy()

    def _wind(self, card: AlertCard) -> None:
        at = self.due_at(card)
        if at is not None:
            heapq.heappush(self._clock, (at, card.key))

    def _worth(self, signal: Signal, now: datetime) -> bool:
        """Whether a signal that has already ended is recent enough to be reported."""
        rule = self.rules.rule_of(signal)
        if rule is None:
            return False
        ended = signal.ended_at or signal.started_at
        lasted = ended - signal.started_at
        return now - ended <= rule.newest and (signal.instant or lasted >= rule.policy.hold)

    def _join(self, signal: Signal, rule: Rule, now: datetime) -> str:
        subject = rule.subject(signal)
        card = self._standing(subject, signal, rule)
        event = SignalJoined(
            at=now,
            severity=signal.severity,
            started_at=signal.started_at,
            instant=not signal.standing or signal.instant,
        )
        if card is None:
            key = f"{subject}@{now.isoformat()}#{signal.source}-{signal.source_id}"
            born = Alert(phase=Phase.HELD, severity=signal.severity, since=signal.started_at, seen_at=now, ever=1)
            blank = AlertCard(
                key=key,
                subject=subject,
                rule=rule.name,
                unit_code=signal.unit_code,
                alert=born,
                examples=(),
                last_start=signal.started_at,
            )
            self.lay([self._with(blank, signal, None)])
            self._step(key, event, new=True)
        else:
            key = card.key
            self.cards[key] = self._with(card, signal, None)
            self._step(key, event)
        self._remember(signal, key)
        return key

    def _standing(self, subject: str, signal: Signal, rule: Rule) -> AlertCard | None:
        cards = [self.cards[key] for key in self._by_subject.get(subject, ())]
        near = [
            card
            for card in cards
            if not card.alert.phase.over
            and (
                rule.group == "point"
                or card.alert.since - rule.window <= signal.started_at <= card.last_start + rule.window
            )
        ]
        return min(near, key=lambda card: (abs(card.last_start - signal.started_at), card.key), default=None)

    def _again(self, signal: Signal, known: SignalState, now: datetime) -> str:
        key = known.key
        stands = signal.standing and not signal.withdrawn and not signal.instant
        self.cards[key] = self._with(self.cards[key], signal, known)
        self.changed.add(key)
        if stands and not known.standing:
            self._step(
                key,
                SignalJoined(at=now, severity=signal.severity, started_at=signal.started_at, new=False),
            )
        elif not stands and known.standing:
            self._step(key, SignalLeft(at=now, withdrawn=signal.withdrawn))
        elif signal.withdrawn and not known.standing:
            self._step(key, SignalLeft(at=now, withdrawn=True))
        self._remember(signal, key)
        return key

    def _remember(self, signal: Signal, key: str) -> None:
        self.members[signal.identity] = SignalState(
            key=key,
            standing=signal.standing and not signal.withdrawn and not signal.instant,
            energy=abs(signal.energy or 0.0),
            energy_unit=signal.energy_unit if signal.energy else "",
            severity=signal.severity,
            magnitude=signal.magnitude,
        )
        self.moved.add(signal.identity)

    @staticmethod
    def _with(card: AlertCard, signal: Signal, known: SignalState | None) -> AlertCard:
        """The card with a signal's latest facts."""
        others = [example for example in card.examples if example.identity != signal.identity]
        listed = len(others) < len(card.examples)
        examples = card.examples
        if listed or len(others) < _EXAMPLES:
            examples = tuple(
                sorted([*others, signal], key=lambda one: (-SEVERITIES.index(one.severity), one.started_at))
            )
        energy = {} if card.alert.ever <= 1 and known is not None else dict(card.energy)
        if known is not None and known.energy_unit and card.alert.ever > 1:
            energy[known.energy_unit] = energy.get(known.energy_unit, 0.0) - abs(known.energy)
        if signal.energy and signal.energy_unit:
            energy[signal.energy_unit] = energy.get(signal.energy_unit, 0.0) + abs(signal.energy)
        kinds = dict(card.kinds)
        if known is None:
            kinds[signal.kind] = kinds.get(signal.kind, 0) + 1
        return replace(
            card,
            examples=examples,
            kinds=kinds,
            energy={unit: amount for unit, amount in energy.items() if amount > 1e-9},
            last_start=max(card.last_start, signal.started_at),
        )

    def _silenced_until(self, card: AlertCard, now: datetime) -> datetime | None:
        return max((silence.ends_at for silence in self.silences if silence.covers(card, now)), default=None)

    def _step(self, key: str, event: Event, *, new: bool = False) -> None:
        card = self.cards[key]
        until = self._silenced_until(card, event.at)
        alert, notices = step(None if new else card.alert, replace(event, silenced_until=until), self.policy(card))
        self.cards[key] = replace(card, alert=alert)
        self.changed.add(key)
        self._wind(self.cards[key])
        for notice in notices:
            self._post(key, notice)
            if notice.purpose is Purpose.RAISE:
                self.opened.append(key)

    def _post(self, key: str, notice: Notice) -> None:
        card = self.cards[key]
        rule = self.rules.named(card.rule)
        if rule is None:
            return
        tiers = (rule.tell, *rule.escalate)
        names = (
            tiers[notice.level : notice.level + 1] if notice.purpose is Purpose.ESCALATE else tiers[: notice.level + 1]
        )
        told = self._audience([name for tier in names for name in tier], card.unit_code)
        for recipient in told:
            first = recipient.name not in card.heard
            if first and notice.purpose is Purpose.CLEAR:
                continue
            self._recipients[recipient.name] = recipient
            self._posts.setdefault(recipient.name, []).append(
                AddressedNotice(
                    alert=key,
                    purpose=notice.purpose,
                    severity=card.alert.severity,
                    level=notice.level,
                    at=notice.at,
                    first=first,
                    urgent=card.alert.severity is Severity.SERIOUS and card.examples[0].source is Source.DETECTION,
                )
            )
        self.cards[key] = replace(card, heard=card.heard | {recipient.name for recipient in told})
