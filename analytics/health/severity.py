"""Severity of a detection by its kind; table `detection` uses the same values."""

from analytics.domain.quality import DetectionKind
from analytics.domain.severity import Severity

__all__ = ["severity_of"]


_KINDS = DetectionKind
_SERIOUS = frozenset(
    {
        _KINDS.STUCK,
        _KINDS.SCALE,
        _KINDS.RATIO,
        _KINDS.RESET,
        _KINDS.ROLLBACK,
        _KINDS.UNDECLARED_REPLACEMENT,
        _KINDS.JUMP,
        _KINDS.GAIN_STEP,
        _KINDS.GAIN_DRIFT,
    }
)
_INFO = frozenset({_KINDS.GAP, _KINDS.DUPLICATE, _KINDS.BALANCE_CHANGE})


def severity_of(kind: DetectionKind) -> Severity:
    """Severity of a kind; an event that is no fault is always `INFO`.

    Examples
    --------
    >>> severity_of(DetectionKind.STUCK), severity_of(DetectionKind.ROLLOVER)
    (<Severity.SERIOUS: 'serious'>, <Severity.INFO: 'info'>)
    """
    if kind in _SERIOUS:
        return Severity.SERIOUS
    return Severity.INFO if kind in _INFO or not kind.is_fault else Severity.WARNING
