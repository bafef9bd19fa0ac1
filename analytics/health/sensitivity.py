"""Inspection results as threshold factors: raised for meters found sound, lowered for faulty ones."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from analytics.domain.quality import DetectionKind

__all__ = ["LEARNING_KINDS", "SiteVerdict", "StandingVerdict", "factor_of"]

LEARNING_KINDS = (DetectionKind.STUCK, DetectionKind.CLOCK, DetectionKind.RATIO)
"""Kinds whose thresholds can move, in the order of the columns of `analytics.health.arrival.neutral_factors`."""


class SiteVerdict(Enum):
    """Result of an inspection; table `meter_verdict` uses the same values."""

    FAULTY = "faulty"
    SOUND = "sound"
    LOAD_CHANGED = "load_changed"
    """The meter is correct: the load itself changed."""
    DATA_PATH = "data_path"
    """The meter is correct but its data path is faulty: a true detection, which may be repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingVerdict:
    """The newest verdict on one detection, or on a meter as a whole.

    Attributes
    ----------
    kind : DetectionKind or None
        None speaks of every kind.
    """

    kind: DetectionKind | None
    verdict: SiteVerdict


# each false alarm raises the threshold by half, up to four times; each true one lowers it by a fifth, down to a half
_RAISE, _LOWER = 1.5, 0.8
_MOST, _LEAST = 4.0, 0.5


def factor_of(kind: DetectionKind, verdicts: Iterable[StandingVerdict]) -> float:
    """Factor of the threshold of a kind of detection at a point. [1].

    Parameters
    ----------
    kind : DetectionKind
    verdicts : iterable of StandingVerdict
        Of this point; those of other kinds are passed over.

    Examples
    --------
    >>> sound = StandingVerdict(kind=DetectionKind.STUCK, verdict=SiteVerdict.SOUND)
    >>> factor_of(DetectionKind.STUCK, [sound, sound]), factor_of(DetectionKind.CLOCK, [sound])
    (2.25, 1.0)
    """
    count = Counter(v.verdict for v in verdicts if v.kind is None or v.kind is kind)
    wrong = count[SiteVerdict.SOUND] + count[SiteVerdict.LOAD_CHANGED]
    factor = _RAISE**wrong * _LOWER ** count[SiteVerdict.FAULTY]
    return float(min(max(factor, _LEAST), _MOST))
