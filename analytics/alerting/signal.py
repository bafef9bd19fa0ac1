"""What can make an alert: a detection, a standing finding, or a verification that falls due."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from analytics.domain.severity import Severity

__all__ = ["FINDING", "INSTANT_KINDS", "KINDS", "VERIFICATION", "Signal", "Source"]


class Source(StrEnum):
    """Kind of record that a signal was made from."""

    DETECTION = "detection"
    FINDING = "finding"
    VERIFICATION = "verification"


FINDING: Final = "finding"
VERIFICATION: Final = "verification"

INSTANT_KINDS: Final = frozenset(
    {
        "spike",
        "rollback",
        "reset",
        "zero_dip",
        "sentinel",
        "scale",
        "duplicate",
        "undeclared_replacement",
        "jump",
    }
)
"""Kinds that happen at an instant: their end does not mean that the problem is over."""

KINDS: Final = frozenset(
    {
        "gap",
        "silence",
        "stuck",
        "ratio",
        "clock",
        "gain_step",
        "gain_drift",
        "balance_change",
        FINDING,
        VERIFICATION,
        *INSTANT_KINDS,
    }
)
"""Every kind that can make an alert; a rollover or a declared replacement is no fault and never does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Current state of something that may raise an alert.

    Attributes
    ----------
    source, source_id
        Kind of record and its id; both stay the same for the signal's whole life.
    unit_code, point, meter_no
        Unit, metering point and meter; the latter two are '' if it concerns the unit as a whole.
    kind : str
        One of `KINDS`.
    started_at, seen_at : datetime
        When it began, and when it was first known here.
    ended_at : datetime or None
        When it ended; None while it lasts, and if it was withdrawn.
    standing : bool
        Whether it lasts.
    withdrawn : bool
        Whether it turned out to be false.
    energy : float or None
        Energy affected so far; None if unknown. [`energy_unit`]
    unit_meters : int
        Meters of the unit, to state what share of them an alert concerns; 0 if unknown. [1]
    """

    source: Source
    source_id: int
    unit_code: str
    unit_name: str = ""
    point: str = ""
    meter_no: str = ""
    place: str = ""
    carrier: str = ""
    kind: str
    severity: Severity
    started_at: datetime
    seen_at: datetime
    ended_at: datetime | None = None
    standing: bool = True
    withdrawn: bool = False
    magnitude: float | None = None
    confidence: float | None = None
    energy: float | None = None
    energy_unit: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    unit_meters: int = 0

    @property
    def identity(self) -> tuple[str, int]:
        """What stays the same while it changes."""
        return self.source.value, self.source_id

    @property
    def instant(self) -> bool:
        """Whether it happened at an instant."""
        return self.kind in INSTANT_KINDS
