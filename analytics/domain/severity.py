"""Severity: one scale for detections, findings and alerts."""

from enum import StrEnum
from typing import Final

__all__ = ["SEVERITIES", "Severity", "worse"]


class Severity(StrEnum):
    """How urgent something is; tables and messages hold the same words."""

    INFO = "info"
    """Information: consumption is counted correctly."""
    WARNING = "warning"
    """Needs attention."""
    SERIOUS = "serious"
    """Consumption is unreliable, or a mandatory clause is violated."""


SEVERITIES: Final = tuple(Severity)
"""From the least to the worst."""


def worse(one: Severity, other: Severity) -> Severity:
    """The worse of two.

    Examples
    --------
    >>> worse(Severity.WARNING, Severity.INFO)
    <Severity.WARNING: 'warning'>
    """
    return max(one, other, key=SEVERITIES.index)
