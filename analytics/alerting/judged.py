"""What a person has judged and closed, and when it is an alert again.

The rule: once a case was closed with a verdict, what was behind its alert raises none any more, however its figures
change: the same record, or another of the same lasting fault on the same meter (an onset found anew) that had begun
when the verdict was given. It is an alert again

- where it has grown beyond what was judged: a worse severity, or an error `GROWN` times as large or of the other sign;
- where it began after the verdict: that is another fault.

Durations and counts grow with time by themselves, so they are no growth; an event that happens at an instant is each
time another one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from analytics.alerting.signal import Signal
from analytics.domain.severity import Severity, worse

__all__ = ["GROWN", "Judged", "settled"]

GROWN: Final = 1.5
"""An error of this many times the judged one is another matter. [1]"""
_ERRORS: Final = frozenset({"ratio", "scale", "clock", "gain_step", "gain_drift", "balance_change"})
"""Kinds whose magnitude is the size of an error, neither a duration nor a count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was known of a signal when the verdict was given on it.

    Attributes
    ----------
    identity : tuple of str and int
        Of the signal.
    at : datetime
        When the verdict was given.
    severity : Severity
    magnitude : float or None
        None where it had none.
    """

    identity: tuple[str, int]
    at: datetime
    severity: Severity
    magnitude: float | None = None

    def covers(self, signal: Signal) -> bool:
        """Whether a signal of the same meter and kind is what was judged."""
        same = signal.identity == self.identity or (signal.standing and not signal.instant)
        return same and signal.started_at <= self.at

    def outgrown(self, signal: Signal) -> bool:
        """Whether a signal is more than what was judged."""
        if worse(signal.severity, self.severity) is not self.severity:
            return True
        if signal.kind not in _ERRORS or signal.magnitude is None or not self.magnitude:
            return False
        return signal.magnitude * self.magnitude < 0 or abs(signal.magnitude) >= GROWN * abs(self.magnitude)


def settled(signal: Signal, judged: Iterable[Judged]) -> bool:
    """Whether a signal is nothing but what was judged and closed.

    Parameters
    ----------
    signal : Signal
    judged : iterable of Judged
        Of the same record, and of the same kind on the same meter, whose cases are closed.
    """
    return any(one.covers(signal) and not one.outgrown(signal) for one in judged)
