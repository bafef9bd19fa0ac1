"""State machine of one alert: ``(state, event) -> (state, notices)``; the time is part of the event.

::

              hold over                 nothing stands        stayed away for `clear`
    held ───────────────► open ───────────────────► clearing ────────────────────────► cleared
      │                    ▲  acknowledge, escalate,    │
      │ ended before       │  update                    │ stands again: a flap, no message
      ▼                    └────────────────────────────┘
    dropped (nobody was notified)

What is behind an alert is counted, not listed: who feeds events knows which signal is new. A cleared or dropped alert
takes no event any more; what comes later is another alert.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from analytics.domain.errors import MeterwardenError
from analytics.domain.severity import Severity, worse

__all__ = [
    "Acknowledged",
    "Alert",
    "AlertIsOver",
    "Cleared",
    "Event",
    "Notice",
    "Phase",
    "Policy",
    "Purpose",
    "SignalJoined",
    "SignalLeft",
    "Tick",
    "next_at",
    "step",
]

_GROWTH: Final = 1.5
"""An update is sent when an alert has this many times as many signals as the last message stated."""


class AlertIsOver(MeterwardenError):  # noqa: N818 - named after what is the matter
    """The alert is cleared or dropped: it accepts no further events."""


class Phase(StrEnum):
    """State of an alert, see the diagram above."""

    HELD = "held"
    OPEN = "open"
    CLEARING = "clearing"
    CLEARED = "cleared"
    DROPPED = "dropped"

    @property
    def over(self) -> bool:
        """Whether it is a final state."""
        return self in {Phase.CLEARED, Phase.DROPPED}


class Purpose(StrEnum):
    """Reason for a notice: a new alert, an update, an escalation, the end."""

    RAISE = "raise"
    UPDATE = "update"
    ESCALATE = "escalate"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Timers of an alert, as its rule sets them.

    Attributes
    ----------
    hold : timedelta
        An alert that ends within this time is never reported.
    clear : timedelta
        All signals must have been over for this long before the alert is cleared.
    update : timedelta
        Shortest time between two messages about growth.
    escalate : tuple of timedelta
        Delay of each further escalation tier, counted from the raise, ascending.
    flaps : int
        An alert that reopens this often within `flap_window` counts as flapping. [1]
    flap_hold : timedelta
        Takes the place of `clear` while the alert is flapping.
    tell_clear : bool
        Whether a message reports the end.
    """

    hold: timedelta = timedelta(0)
    clear: timedelta = timedelta(minutes=30)
    update: timedelta = timedelta(hours=2)
    escalate: tuple[timedelta, ...] = ()
    flaps: int = 3
    flap_window: timedelta = timedelta(hours=6)
    flap_hold: timedelta = timedelta(hours=6)
    tell_clear: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalJoined:
    """A signal became active: a new one, or one that had ended and came back.

    `instant` marks a signal that has already ended and still has to be reported.
    """

    at: datetime
    severity: Severity
    started_at: datetime
    new: bool = True
    instant: bool = False
    silenced_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalLeft:
    """A signal ended; `withdrawn` if it turned out to be false."""

    at: datetime
    withdrawn: bool = False
    silenced_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """A person acknowledged the alert."""

    at: datetime
    silenced_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """A person declared the alert over."""

    at: datetime
    silenced_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A timer of the alert may be due."""

    at: datetime
    silenced_until: datetime | None = None


Event = SignalJoined | SignalLeft | Acknowledged | Cleared | Tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message to be sent to one escalation tier; `level` 0 is the first to be informed."""

    purpose: Purpose
    level: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert's state.

    Attributes
    ----------
    standing, ever
        Signals active now, and signals it ever had. [1]
    told : int
        Value of `ever` that the last message stated; 0 if none was sent. [1]
    told_severity
        Severity that the last message stated.
    told_at
        When the last message about its size was sent.
    level
        Highest escalation tier informed so far. [1]
    returns
        Times at which it reopened while clearing, within the flap window.
    quiet_until
        End of the silence that suppresses its first message; None if that was sent.
    """

    phase: Phase
    severity: Severity
    since: datetime
    seen_at: datetime
    due_at: datetime | None = None
    raised_at: datetime | None = None
    cleared_at: datetime | None = None
    acknowledged_at: datetime | None = None
    standing: int = 0
    ever: int = 0
    told: int = 0
    told_severity: Severity = Severity.INFO
    told_at: datetime | None = None
    level: int = 0
    returns: tuple[datetime, ...] = ()
    flaps: int = 0
    quiet_until: datetime | None = None

    @property
    def state(self) -> str:
        """Phase as one word for display: `acknowledged` for an open alert that somebody has acknowledged."""
        return "acknowledged" if self.phase is Phase.OPEN and self.acknowledged_at else self.phase.value


def step(alert: Alert | None, event: Event, policy: Policy) -> tuple[Alert, tuple[Notice, ...]]:
    """State after an event, and the notices to send.

    Parameters
    ----------
    alert : Alert or None
        None before its first signal, which must be a `SignalJoined`.
    event : Event
        Its `silenced_until` is the end of a silence in force at that time, None without one: nothing is sent then,
        and what still stands afterwards is.
    policy : Policy

    Raises
    ------
    AlertIsOver
        If the alert is cleared or dropped.
    """
    if alert is None:
        if not isinstance(event, SignalJoined):
            raise AlertIsOver(f"an alert must begin with a signal (got a {type(event).__name__} at {event.at})")
        alert = _born(event, policy)
    elif alert.phase.over:
        raise AlertIsOver(
            f"an alert that is {alert.phase} since {alert.cleared_at} takes no {type(event).__name__} (at {event.at})"
        )
    else:
        alert = _changed(alert, event, policy)
    return _settled(alert, event, policy)


def next_at(alert: Alert, policy: Policy) -> datetime | None:
    """Time at which its next timer is due; None if only an event can change it.

    Parameters
    ----------
    alert : Alert
    policy : Policy
    """
    if alert.phase.over:
        return None
    times = [alert.due_at]
    if alert.phase is Phase.OPEN:
        telling = [_escalates_at(alert, policy), _updates_at(alert, policy)] if alert.told else [alert.quiet_until]
        times += [max(time, alert.quiet_until or time) for time in telling if time is not None]
    return min((time for time in times if time is not None), default=None)


def _born(event: SignalJoined, policy: Policy) -> Alert:
    alert = Alert(
        phase=Phase.HELD,
        severity=event.severity,
        since=event.started_at,
        seen_at=event.at,
        due_at=event.at + policy.hold,
        standing=0 if event.instant else 1,
        ever=1,
    )
    return _opened(alert, event.at, policy) if event.instant else alert


def _changed(alert: Alert, event: Event, policy: Policy) -> Alert:
    match event:
        case SignalJoined():
            return _joined(alert, event, policy)
        case SignalLeft():
            return _left(alert, event, policy)
        case Acknowledged():
            return alert if alert.acknowledged_at else replace(alert, acknowledged_at=event.at)
        case Cleared():
            return replace(alert, standing=0, due_at=event.at, phase=Phase.CLEARING)
        case Tick():
            return alert


def _joined(alert: Alert, event: SignalJoined, policy: Policy) -> Alert:
    alert = replace(
        alert,
        severity=worse(alert.severity, event.severity),
        since=min(alert.since, event.started_at),
        ever=alert.ever + event.new,
        standing=alert.standing + (not event.instant),
    )
    if event.instant:
        if alert.phase is Phase.HELD:
            return _opened(alert, event.at, policy)
        return replace(alert, due_at=event.at + _clear(alert, policy)) if alert.phase is Phase.CLEARING else alert
    if alert.phase is not Phase.CLEARING:
        return alert
    returns = (*(at for at in alert.returns if at > event.at - policy.flap_window), event.at)
    return replace(alert, phase=Phase.OPEN, due_at=None, returns=returns[-policy.flaps :], flaps=alert.flaps + 1)


def _left(alert: Alert, event: SignalLeft, policy: Policy) -> Alert:
    alert = replace(alert, standing=max(alert.standing - 1, 0))
    if alert.standing:
        return alert
    if event.withdrawn and alert.ever == 1 and alert.phase in {Phase.OPEN, Phase.CLEARING}:
        return replace(alert, phase=Phase.CLEARING, due_at=event.at)
    if alert.phase is Phase.HELD:
        return replace(alert, phase=Phase.DROPPED, due_at=None, cleared_at=event.at)
    if alert.phase is Phase.OPEN:
        return replace(alert, phase=Phase.CLEARING, due_at=event.at + _clear(alert, policy))
    return alert


def _opened(alert: Alert, at: datetime, policy: Policy) -> Alert:
    if alert.standing:
        return replace(alert, phase=Phase.OPEN, raised_at=at, due_at=None)
    return replace(alert, phase=Phase.CLEARING, raised_at=at, due_at=at + _clear(alert, policy))


def _clear(alert: Alert, policy: Policy) -> timedelta:
    """Clearing time: `flap_hold` for a flapping alert, else `clear`."""
    return max(policy.clear, policy.flap_hold) if len(alert.returns) >= policy.flaps else policy.clear


def _settled(alert: Alert, event: Event, policy: Policy) -> tuple[Alert, tuple[Notice, ...]]:
    """State after the timers that were due before the event."""
    now = event.at
    if alert.phase is Phase.HELD and alert.due_at is not None and now >= alert.due_at:
        alert = _opened(alert, now, policy)
    notices: list[Notice] = []
    silent = event.silenced_until is not None and event.silenced_until > now
    if silent:
        alert = replace(alert, quiet_until=event.silenced_until)
    elif alert.phase in {Phase.OPEN, Phase.CLEARING}:
        alert = _told(alert, now, policy, notices)
    if alert.phase is Phase.CLEARING and alert.due_at is not None and now >= alert.due_at:
        alert = replace(alert, phase=Phase.CLEARED, due_at=None, cleared_at=now)
        if alert.told and policy.tell_clear and not silent:
            notices.append(Notice(purpose=Purpose.CLEAR, level=alert.level, at=now))
    return alert, tuple(notices)


def _told(alert: Alert, now: datetime, policy: Policy, notices: list[Notice]) -> Alert:
    if not alert.told:
        if alert.quiet_until is not None and alert.phase is Phase.CLEARING:
            return alert  # it ended within the silence: no message
        notices.append(Notice(purpose=Purpose.RAISE, level=0, at=now))
        return replace(
            alert, told=alert.ever, told_severity=alert.severity, told_at=now, quiet_until=None, raised_at=now
        )
    if alert.phase is not Phase.OPEN:
        return alert
    updates_at = _updates_at(alert, policy)
    if updates_at is not None and now >= updates_at:
        notices.append(Notice(purpose=Purpose.UPDATE, level=alert.level, at=now))
        alert = replace(alert, told=alert.ever, told_severity=alert.severity, told_at=now)
    escalates_at = _escalates_at(alert, policy)
    if escalates_at is not None and now >= escalates_at:
        alert = replace(alert, level=alert.level + 1)
        notices.append(Notice(purpose=Purpose.ESCALATE, level=alert.level, at=now))
    return alert


def _updates_at(alert: Alert, policy: Policy) -> datetime | None:
    assert alert.told_at is not None, "was sent"
    if worse(alert.severity, alert.told_severity) is not alert.told_severity:
        return alert.told_at
    return alert.told_at + policy.update if alert.ever >= alert.told * _GROWTH else None


def _escalates_at(alert: Alert, policy: Policy) -> datetime | None:
    if alert.acknowledged_at is not None or alert.level >= len(policy.escalate):
        return None
    assert alert.raised_at is not None, "was sent"
    return alert.raised_at + policy.escalate[alert.level]
