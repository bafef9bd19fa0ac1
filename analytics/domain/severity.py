"""How much it matters: one scale for detections, findings and alerts."""

from enum import StrEnum
from typing import Final

__all__ = ["SEVERITIES", "Severity", "worse"]


class Severity(StrEnum):
    """How urgent something is; tables and messages hold the same words."""

    INFO = "info"
    """Worth knowing: nothing is wrong with what is counted."""
    WARNING = "warning"
    """Somebody should look."""
    SERIOUS = "serious"
    """What is counted cannot be trusted, or a mandatory clause is broken."""


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
