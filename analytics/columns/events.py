"""Detections and events as the compiled rules write them: one record for all kinds, and what its fields mean by kind.

The record has three numbers of the dial and a few counts. Of most kinds they are the dial before, at and after; of
others something else is worth more to the person who decides. `MEANING` says what, and `facts_of` reads an event by
those names, so that nobody else has to know.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from analytics.domain.quality import DetectionKind

__all__ = ["EVENT_ROW", "MEANING", "Fact", "facts_of"]

EVENT_ROW = np.dtype(
    [
        ("started", "<i8"), ("ended", "<i8"), ("decided", "<i8"), ("amount", "<i8"),
        ("before", "<f8"), ("at", "<f8"), ("after", "<f8"),
        ("point", "<i4"), ("installation", "<i4"), ("n", "<i4"), ("kind", "<i2"), ("scale", "<i2"),
    ]
)  # fmt: skip
"""One detection or event: times in µs since 1970 UTC (`ended` is `NEVER` while it lasts, `decided` when it was known),
`point` and `installation` are indices into the ledger, the rest is read by `MEANING`."""


class Fact(NamedTuple):
    """What one field of an event holds.

    Attributes
    ----------
    name : str
        Under which `facts_of` gives it.
    unit : str
        ``dial`` is the register's unit, ``canonical`` the metering point's; ``1`` is a plain number or count.
    """

    name: str
    unit: str


_Meaning = Mapping[str, Fact]
_DIAL: Final = {
    "before": Fact("dial_before", "dial"),  # at the last good reading
    "at": Fact("dial_at", "dial"),  # at the reading that shows it
    "after": Fact("dial_after", "dial"),  # at the reading by which it was decided
}
_RUN: Final = _DIAL | {"n": Fact("readings", "1")}
_USED: Final = Fact("used", "canonical")

MEANING: Final[Mapping[DetectionKind, _Meaning]] = MappingProxyType(
    {
        DetectionKind.GAP: _DIAL | {"n": Fact("missing", "1")},
        DetectionKind.SILENCE: _DIAL,
        DetectionKind.STUCK: {
            "before": Fact("dial", "dial"),
            "at": Fact("highest_surprise", "1"),  # of all times it stood still before and was not stuck
            "after": Fact("surprise_or_dial_after", "1 or dial"),  # the surprise while it lasts, then the dial
            "n": Fact("readings", "1"),
            "amount": Fact("usually_used", "canonical"),  # in that time
        },
        DetectionKind.SPIKE: _RUN,
        DetectionKind.ROLLBACK: _RUN,
        DetectionKind.RESET: _RUN,
        DetectionKind.ZERO_DIP: _RUN,
        DetectionKind.SENTINEL: _RUN,
        DetectionKind.SCALE: _RUN | {"scale": Fact("decades", "1")},  # readings times ten to it continue the register
        DetectionKind.RATIO: {
            "before": Fact("expected", "kWh"),  # by the other registers
            "at": Fact("counted", "kWh"),
            "after": Fact("half_interval", "1"),  # half of the 95 % interval of ln(counted / expected)
            "n": Fact("windows", "1"),
            "scale": Fact("check_and_cause", "1"),  # see `analytics.health.redundancy.unpack`
            "amount": Fact("counted_too_much", "canonical"),
        },
        DetectionKind.CLOCK: {
            "before": Fact("usual_lateness", "s"),
            "at": Fact("lateness", "s"),
            "after": Fact("lateness_after", "s"),
            "n": Fact("uploads", "1"),  # that agree
            "scale": Fact("how", "1"),  # see `analytics.health.arrival`: UNSURE, AHEAD, BEHIND, DRIFTS
        },
        DetectionKind.DUPLICATE: _DIAL | {"n": Fact("repeats", "1")},
        DetectionKind.UNDECLARED_REPLACEMENT: _RUN,
        DetectionKind.JUMP: _RUN | {"amount": Fact("unexplained", "canonical")},
        DetectionKind.ROLLOVER: _DIAL | {"n": Fact("turns", "1"), "amount": _USED},
        DetectionKind.REPLACEMENT: {
            "before": Fact("dial_before", "dial"),
            "at": Fact("declared_last", "dial"),
            "after": Fact("declared_first", "dial"),  # of the next meter
            "n": Fact("meters", "1"),
        },
        DetectionKind.MULTIPLIER_CHANGE: {
            "before": Fact("factor_before", "canonical/dial"),
            "at": Fact("factor_after", "canonical/dial"),
            "after": Fact("dial", "dial"),  # at that instant
            "n": Fact("changes", "1"),
        },
        DetectionKind.CATCH_UP: _RUN | {"amount": _USED},
        DetectionKind.INTERVAL: {
            "before": Fact("interval_of_ledger", "min"),
            "at": Fact("interval_found", "min"),
            "after": Fact("dial", "dial"),
            "n": Fact("spacings", "1"),
        },
    }
)
"""Of each kind that the compiled rules write, what its fields hold; a field that is not named holds nothing."""


def facts_of(event: np.void) -> dict[str, float]:
    """Numbers of an event by their names in `MEANING`, amounts in canonical units.

    Parameters
    ----------
    event : EVENT_ROW
        One event.

    Examples
    --------
    >>> event = np.zeros(1, EVENT_ROW)[0]
    >>> event["kind"], event["before"], event["at"], event["n"] = DetectionKind.INTERVAL, 15.0, 60.0, 6
    >>> facts_of(event)
    {'interval_of_ledger': 15.0, 'interval_found': 60.0, 'dial': 0.0, 'spacings': 6.0}
    """
    meaning = MEANING[DetectionKind(int(event["kind"]))]
    return {fact.name: float(event[field]) / (1e6 if field == "amount" else 1.0) for field, fact in meaning.items()}
