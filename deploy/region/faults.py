"""Faults that are put in: which, where and when, drawn by seed; `spoil` and `gain` apply them to the readings.

A region longer than its horizon gets a fresh set in every further stretch of that length, so that a longer region
begins with the shorter one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_HOUR
from analytics.domain.quality import DetectionKind
from deploy.region.meters import canonical_factor
from deploy.region.model import US_PER_QUARTER, Meter, Point, Segment

__all__ = ["LASTING", "Planned", "break_segments", "gain", "plan_faults"]

Floats = NDArray[np.float64]
_K = DetectionKind
_DAY_US = 24 * US_PER_HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A fault before it is put in.

    Attributes
    ----------
    size : float
        What `spoil`, `gain` or `break_segments` need to know; its meaning is the kind's.
    phase : bool
        Whether a phase of the meter is lost with it.
    """

    kind: DetectionKind
    note: str
    point: int
    start_us: int
    end_us: int
    size: float
    conserves: bool
    phase: bool = False


@dataclass(frozen=True, slots=True)
class _Recipe:
    """One way in which a kind of fault shows.

    `hours` is its length: 0 for one reading's time, infinite for "from then on", negative for "the last hours of
    the stretch". `size` is by kind; for jumps of the dial in hours of mean use.
    """

    kind: DetectionKind
    note: str
    hours: float
    size: float
    conserves: bool
    phase: bool = False
    heat: bool = False


_ALWAYS = float("inf")
_RECIPES: tuple[_Recipe, ...] = (
    _Recipe(_K.GAP, "6 h without readings", 6, 0, conserves=True),
    _Recipe(_K.GAP, "30 h without readings", 30, 0, conserves=True),
    _Recipe(_K.SILENCE, "silent for the last 8 h", -8, 0, conserves=True),
    _Recipe(_K.SILENCE, "silent for the last 50 h", -50, 0, conserves=True),
    _Recipe(_K.STUCK, "dial jammed for 20 h, what was used is lost", 20, 0, conserves=False),
    _Recipe(_K.STUCK, "gateway repeats the last value for 30 h, then the true one", 30, 1, conserves=True),
    _Recipe(_K.SPIKE, "one reading far too high", 0, 1_200, conserves=True),
    _Recipe(_K.SPIKE, "two readings far too high", 0.25, 700, conserves=True),
    _Recipe(_K.ROLLBACK, "dial falls back by 6 h of use", 0, 6, conserves=False),
    _Recipe(_K.ROLLBACK, "dial falls back by 20 h of use", 0, 20, conserves=False),
    _Recipe(_K.RESET, "dial starts again at zero", 0, 0, conserves=False),
    _Recipe(_K.RESET, "dial starts again at zero", 0, 0, conserves=False),
    _Recipe(_K.ZERO_DIP, "one reading of zero", 0, 0, conserves=True),
    _Recipe(_K.ZERO_DIP, "three readings of zero", 0.5, 0, conserves=True),
    _Recipe(_K.SENTINEL, "one 0xFFFFFFFF with three decimals", 0, 4_294_967.295, conserves=True),
    _Recipe(_K.SENTINEL, "three times -1", 0.5, -1.0, conserves=True),
    _Recipe(_K.SCALE, "1000 times too large for 3 h", 3, 1e3, conserves=True),
    _Recipe(_K.SCALE, "10 times too small for 30 h", 30, 0.1, conserves=True),
    _Recipe(_K.RATIO, "one of three phases lost", _ALWAYS, -1 / 3, conserves=False, phase=True),
    _Recipe(_K.RATIO, "current transformers of twice the ratio, not in the ledger", _ALWAYS, -0.5, conserves=False),
    _Recipe(_K.CLOCK, "clock 47 min slow for 36 h", 36, -47 * 60, conserves=False),
    _Recipe(_K.CLOCK, "clock 7 min fast for 20 h", 20, 7 * 60, conserves=True),
    _Recipe(_K.DUPLICATE, "every reading sent twice for 10 h", 10, 0, conserves=True),
    _Recipe(_K.DUPLICATE, "6 h of readings sent again 3 h later", 6, 3, conserves=True),
    _Recipe(_K.UNDECLARED_REPLACEMENT, "another meter that starts lower", 0, 0.3, conserves=False),
    _Recipe(_K.UNDECLARED_REPLACEMENT, "another meter that starts lower", 0, 0.5, conserves=False),
    _Recipe(_K.JUMP, "another meter that starts higher", 0, -2_400, conserves=False),
    _Recipe(_K.JUMP, "chip reset: the dial jumps up and counts on", 0, -20_000, conserves=False),
    _Recipe(_K.GAIN_STEP, "reads 5 % low", _ALWAYS, -0.05, conserves=False),
    _Recipe(_K.GAIN_STEP, "reads 3 % high", _ALWAYS, 0.03, conserves=False),
    _Recipe(_K.GAIN_DRIFT, "drifts to 8 % low", _ALWAYS, -0.08, conserves=False),
    _Recipe(_K.GAIN_DRIFT, "drifts to 6 % high", _ALWAYS, 0.06, conserves=False),
    _Recipe(_K.RATIO, "heat meter's calculator counts 15 % too little", _ALWAYS, -0.15, conserves=False, heat=True),
)
LASTING = frozenset({_K.RATIO, _K.GAIN_STEP, _K.GAIN_DRIFT})
"""Kinds that stay once they have come."""
_WHEN = {**dict.fromkeys(LASTING, (0.2, 0.35)), _K.STUCK: (0.55, 0.75)}
"""In which part of a stretch a fault begins; a jam shows only once it is known how a dial moves, after two weeks."""
_BREAKS = frozenset({_K.ROLLBACK, _K.RESET, _K.UNDECLARED_REPLACEMENT, _K.JUMP})


def plan_faults(
    seed: int,
    points: Sequence[Point],
    segments: Mapping[int, Sequence[Segment]],
    *,
    start_us: int,
    end_us: int,
    horizon_days: float,
) -> list[Planned]:
    """Faults of the whole span: every kind twice in each stretch of `horizon_days`, each at a point of its own.

    Only sound, steadily used points below the unit's incoming ones get one. Where there are too few of them, kinds
    late in the list go without. Those of the last stretch may lie past the region's end.
    """
    stretch = int(horizon_days * _DAY_US)
    able = _able(points, segments)
    heat = _heat_meters(points, segments)
    planned: list[Planned] = []
    for number in range(-(-(end_us - start_us) // stretch)):
        rng = np.random.default_rng([seed, 20, number])
        order = [able[i] for i in rng.permutation(len(able)).tolist()]
        begin = start_us + number * stretch
        made = []
        for recipe in _RECIPES:
            pool = [i for i in heat if i in order or i not in able] if recipe.heat else order
            index = next((i for i in pool if _fits(recipe, points[i], segments[i][0].meter)), None)
            if index is None:
                continue
            if index in order:
                order.remove(index)
            made.append(_place(rng, recipe, index, begin, stretch))
        planned += made
        taken = {p.point for p in made}
        able, heat = [i for i in able if i not in taken], [i for i in heat if i not in taken]
    return planned


def _able(points: Sequence[Point], segments: Mapping[int, Sequence[Segment]]) -> list[int]:
    able = []
    for index, parts in segments.items():
        meter, point = parts[0].meter, points[index]
        hourly = _hourly(point, meter)
        room = np.isnan(meter.full_scale) or parts[0].first + 3_000 * hourly < 0.9 * meter.full_scale
        fine = hourly * 10.0**meter.decimals >= 8.0
        plain = len(parts) == 1 and not meter.float32 and meter.interval_s == 900
        stated_plainly = meter.register_unit == meter.stated_unit
        if point.level != "unit" and point.base >= 0.3 and plain and fine and room and stated_plainly:
            able.append(index)
    return able


def _heat_meters(points: Sequence[Point], segments: Mapping[int, Sequence[Segment]]) -> list[int]:
    """Heat meters with volume and temperatures beside their energy."""
    return [
        index
        for index, parts in segments.items()
        if parts[0].meter.instrument == "heat"
        and len(parts) == 1
        and parts[0].meter.interval_s == 900
        and points[index].amount_unit == "GJ"
        and points[index].base >= 0.3
    ]


def _fits(recipe: _Recipe, point: Point, meter: Meter) -> bool:
    if recipe.heat:
        return True
    if recipe.kind is _K.RATIO:
        return meter.multiplier > 1.0
    return recipe.kind not in LASTING or (point.carrier == "electricity" and point.level == "equipment")


def _hourly(point: Point, meter: Meter) -> float:
    """Mean rise of the dial in an hour. [register unit]"""
    return point.rated * point.load / canonical_factor(point, meter)


def _place(rng: np.random.Generator, recipe: _Recipe, index: int, begin: int, stretch: int) -> Planned:
    hours = min(abs(recipe.hours), 0.15 * stretch / US_PER_HOUR) if np.isfinite(recipe.hours) else _ALWAYS
    if recipe.hours < 0:
        start, end = begin + stretch - _quarters(hours), begin + stretch + US_PER_QUARTER
    else:
        early, late = _WHEN.get(recipe.kind, (0.2, 0.75))
        start = begin + _quarters(stretch / US_PER_HOUR * rng.uniform(early, late))
        end = begin + stretch if np.isinf(hours) else start + _quarters(hours) + US_PER_QUARTER
    return Planned(
        kind=recipe.kind,
        note=recipe.note,
        point=index,
        start_us=start,
        end_us=end,
        size=recipe.size,
        conserves=recipe.conserves,
        phase=recipe.phase,
    )


def _quarters(hours: float) -> int:
    return round(hours * 4) * US_PER_QUARTER


def gain(planned: Planned, edges: NDArray[np.int64]) -> Floats | None:
    """What the fault makes of each quarter hour, as a factor; None where it leaves the counting alone.

    Parameters
    ----------
    planned : Planned
        Any fault.
    edges : (q + 1,) int64
        Quarter hours. [us since 1970-01-01 UTC]

    Returns
    -------
    (q,) float64 or None
        [1]
    """
    at = edges[:-1]
    if planned.kind is _K.GAIN_DRIFT:
        ramp = np.clip((at - planned.start_us) / (planned.end_us - planned.start_us), 0.0, 1.0)
        return 1.0 + planned.size * ramp
    if planned.kind in LASTING:
        return np.where(at >= planned.start_us, 1.0 + planned.size, 1.0)
    if planned.kind is _K.STUCK and not planned.size:
        return np.where((at >= planned.start_us) & (at < planned.end_us - US_PER_QUARTER), 0.0, 1.0)
    return None


def break_segments(planned: Planned, point: Point, segment: Segment, dial: Floats) -> list[Segment]:
    """The point's one segment, broken in two by a fault that makes the register start anew; else left as it is.

    Parameters
    ----------
    planned : Planned
        Any fault.
    point : Point
        Where it is.
    segment : Segment
        Of a sound register.
    dial : (1,) float64
        Its dial when the fault begins. [register unit]
    """
    if planned.kind not in _BREAKS:
        return [segment]
    hourly = _hourly(point, segment.meter)
    first = {
        _K.RESET: 0.0,
        _K.ROLLBACK: float(dial[0]) - planned.size * hourly,
        _K.UNDECLARED_REPLACEMENT: float(dial[0]) * planned.size,
        _K.JUMP: float(dial[0]) - planned.size * hourly,
    }[planned.kind]
    # between two readings, as it happens
    at = planned.start_us + US_PER_QUARTER // 2
    return [
        replace(segment, end_us=at),
        replace(segment, start_us=at, first=round(max(first, 0.0), segment.meter.decimals), declared=False),
    ]
