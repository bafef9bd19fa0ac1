"""Alert rules as data: which signals make alerts, who is informed, and how soon.

The first rule whose conditions all hold applies to a signal; a signal that no rule matches makes no alert.
The shape of the file stands in ``default_rules.toml``, which is also what is in force until rules are loaded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time, timedelta
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from analytics.alerting.lifecycle import Policy
from analytics.alerting.mailbox import Habits
from analytics.alerting.signal import Signal, Source
from analytics.domain.severity import SEVERITIES, Severity

__all__ = [
    "AUDIENCES",
    "GatewayRule",
    "Person",
    "Recipient",
    "RecipientRule",
    "Rule",
    "Rules",
    "UploadRule",
    "audience",
]

AUDIENCES: Final = frozenset({"inspectors", "staff", "operators", "enterprise"})
"""Recipients by role; `enterprise` means the people of the unit concerned only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Conditions on a signal, and the alert that a match makes. An empty condition always holds.

    Attributes
    ----------
    name : str
        Unique; only signals matched by the same rule can share an alert.
    severity : Severity
        Lowest severity that matches.
    confidence : float
        Lowest confidence that matches; a signal without one matches. [1]
    energy : mapping of str to float
        Lowest energy affected, too much or too little, by unit; a signal of unknown energy or another unit matches.
        [unit given by the key]
    group : str
        `point`: one alert a metering point; `unit`: one a unit and time.
    window : timedelta
        Signals of a unit that began within it of each other share an alert.
    newest : timedelta
        Signals that ended longer ago than this make no alert, so that a backfill does not send messages.
    tell : tuple of str
        Names of recipients, or of `AUDIENCES`.
    escalate : tuple of tuple of str
        Recipients of each escalation tier; the delays are in `policy`.
    case : bool
        Whether an alert opens a case automatically.
    """

    name: str
    source: tuple[Source, ...] = ()
    kind: tuple[str, ...] = ()
    severity: Severity = Severity.INFO
    region: tuple[str, ...] = ()
    unit: tuple[str, ...] = ()
    carrier: tuple[str, ...] = ()
    confidence: float = 0.0
    energy: Mapping[str, float] = field(default_factory=dict)
    group: str = "point"
    window: timedelta = timedelta(minutes=30)
    newest: timedelta = timedelta(days=3)
    tell: tuple[str, ...] = ()
    escalate: tuple[tuple[str, ...], ...] = ()
    policy: Policy = field(default_factory=Policy)
    case: bool = False

    def takes(self, signal: Signal, regions: Mapping[str, Sequence[str]]) -> bool:
        """Whether all conditions hold.

        Parameters
        ----------
        signal : Signal
        regions : mapping
            Patterns of unit codes by region.
        """
        known = signal.energy is not None and signal.energy_unit in self.energy
        return (
            (not self.source or signal.source in self.source)
            and (not self.kind or signal.kind in self.kind)
            and SEVERITIES.index(signal.severity) >= SEVERITIES.index(self.severity)
            and (not self.carrier or signal.carrier in self.carrier)
            and (signal.confidence is None or signal.confidence >= self.confidence)
            and (not known or abs(signal.energy or 0.0) >= self.energy[signal.energy_unit])
            and (not self.unit or _matches(signal.unit_code, self.unit))
            and (not self.region or any(_matches(signal.unit_code, regions.get(name, ())) for name in self.region))
        )

    def subject(self, signal: Signal) -> str:
        """Key by which signals are grouped: those with the same subject can share an alert.

        Examples
        --------
        >>> from datetime import UTC, datetime
        >>> now = datetime(2026, 11, 22, tzinfo=UTC)
        >>> signal = Signal(
        ...     source=Source.DETECTION, source_id=1, unit_code="U1", point="P1", kind="stuck",
        ...     severity=Severity.SERIOUS, started_at=now, seen_at=now,
        ... )
        >>> Rule(name="faults").subject(signal), Rule(name="faults", group="unit").subject(signal)
        ('faults|U1|P1', 'faults|U1')
        """
        if self.group == "unit":
            return f"{self.name}|{signal.unit_code}"
        about = signal.point or signal.meter_no or f"{signal.source}-{signal.source_id}"
        return f"{self.name}|{signal.unit_code}|{about}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person who can receive alerts."""

    login: str
    name: str
    role: str
    unit_code: str = ""
    language: str = "zh"
    channel: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientRule:
    """A recipient that the rules name: a person, or a channel that several read."""

    name: str
    person: str = ""
    channel: str = ""
    address: str = ""
    language: str = ""
    quiet_from: time | None = None
    quiet_to: time | None = None
    passes: Severity = Severity.SERIOUS
    burst: int = 5
    window: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Destination of a message; links in it act in the name of `person`, '' for a shared channel without links."""

    name: str
    channel: str
    address: str
    language: str
    role: str
    habits: Habits
    person: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRule:
    """When people are told of a gateway, and who.

    Attributes
    ----------
    after : timedelta
        For so long nothing may come of it, or wait in its spool; nothing is told where it is 0.
    of : mapping of str to timedelta
        Instead of it, of single gateways: one that delivers once a day.
    tell : sequence of str
        Recipients, as in rules.
    """

    after: timedelta = timedelta(hours=6)
    of: Mapping[str, timedelta] = field(default_factory=lambda: MappingProxyType({}))
    tell: Sequence[str] = ("inspectors", "operators", "enterprise")

    def patience(self, name: str) -> timedelta:
        """How long it may be silent."""
        return self.of.get(name, self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRule:
    """When people are told of an upload to an official platform, and who.

    Attributes
    ----------
    after : timedelta
        For so long something may wait for the platform's acknowledgement; nothing is told where it is 0. Platforms are
        sent to once a day.
    tell : sequence of str
        Recipients, as in rules.
    """

    after: timedelta = timedelta(days=2)
    tell: Sequence[str] = ("staff", "operators", "enterprise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All rules of a site, checked."""

    rules: tuple[Rule, ...]
    regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    recipients: tuple[RecipientRule, ...] = ()
    severities: Mapping[str, Severity] = field(default_factory=dict)
    """Severities by kind that override those of the signals."""
    people: RecipientRule = RecipientRule(name="")
    """Default quiet hours and rate limit of people without a recipient entry."""
    self_check_by: tuple[int, int] | None = None
    """Month and day by which enterprises sign the year's self-check; None reminds nobody."""
    gateways: GatewayRule = field(default_factory=GatewayRule)
    """When people are told that a gateway has not delivered."""
    uploads: UploadRule = field(default_factory=UploadRule)
    """When people are told that an upload to an official platform is late or refused."""

    def rule_of(self, signal: Signal) -> Rule | None:
        """First rule that matches a signal; None if none does."""
        return next((rule for rule in self.rules if rule.takes(signal, self.regions)), None)

    def named(self, name: str) -> Rule | None:
        """The rule of a name."""
        return next((rule for rule in self.rules if rule.name == name), None)


def audience(
    names: Sequence[str], *, unit_code: str, rules: Rules, people: Sequence[Person], zone: ZoneInfo
) -> tuple[Recipient, ...]:
    """Recipients that names stand for, each once; people without a channel are left out.

    Parameters
    ----------
    names : sequence of str
        Recipients of the rules, or of `AUDIENCES`.
    unit_code : str
        Whose enterprise `enterprise` is.
    people : sequence of Person
        Everybody active.
    """
    by_login = {person.login: person for person in people}
    by_name = {recipient.name: recipient for recipient in rules.recipients}
    own = {recipient.person: recipient for recipient in rules.recipients if recipient.person}
    found: dict[str, Recipient] = {}
    for name in names:
        if name in AUDIENCES:
            chosen: list[tuple[RecipientRule, Person | None]] = [
                (own.get(person.login, rules.people), person)
                for person in people
                if name.startswith(person.role) and (person.role != "enterprise" or person.unit_code == unit_code)
            ]
        else:
            chosen = [(by_name[name], by_login.get(by_name[name].person))] if name in by_name else []
        for rule, person in chosen:
            recipient = _recipient(rule, person, zone)
            if recipient.channel and (recipient.role != "enterprise" or _own(person, unit_code)):
                found.setdefault(recipient.name, recipient)
    return tuple(found.values())


def _own(person: Person | None, unit_code: str) -> bool:
    return person is not None and person.unit_code == unit_code


def _recipient(rule: RecipientRule, person: Person | None, zone: ZoneInfo) -> Recipient:
    habits = Habits(
        zone=zone,
        quiet_from=rule.quiet_from,
        quiet_to=rule.quiet_to,
        passes=rule.passes,
        burst=rule.burst,
        window=rule.window,
    )
    return Recipient(
        name=f"person:{person.login}" if person else rule.name,
        channel=rule.channel or (person.channel if person else ""),
        address=rule.address or (person.address if person else ""),
        language=rule.language or (person.language if person else "zh"),
        role=person.role if person else "staff",
        habits=habits,
        person=person.login if person else "",
    )


def _matches(code: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(code, pattern) for pattern in patterns)
