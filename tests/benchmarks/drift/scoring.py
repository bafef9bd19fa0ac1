"""How well a method finds faults whose truth is known: recall, naming, delay, false alarms, gain error, and chance.

A scenario is a run of simulated groups with one fault each, or none. A method gives alarms; what counts:

* *seen*: an alarm in the group within so many days of the fault, whomever it names;
* *recall*: one that names the meter at fault;
* *naming*: of the groups in which a first alarm after the fault names a meter, the share that names the right one;
* *precision*: of all alarms of the scenario, also those before the fault, the share that names the right meter;
* *false alarms*: all alarms of clean groups, by the meter-days of their children after the days of learning.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import chi2

from analytics.drift.change import PARENT, UNNAMED, ChangeState, GainChange
from analytics.drift.groups import BalanceGroups
from tests.benchmarks.drift.simulation import Fault, FaultKind, Simulated

__all__ = [
    "Alarm",
    "FalseAlarms",
    "Found",
    "alarm_rate",
    "alarms_of",
    "always_fire",
    "chance_recall",
    "false_alarms",
    "found",
    "one_meter",
    "wilson",
]

_HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm of any method.

    Attributes
    ----------
    group : int
    child : int
        Index among all children, `PARENT` or `UNNAMED`.
    hour : int
        When it was said, from the first hour of the simulation. [h]
    gain : float
        Gain change 60 days after the start of the fault, or as of the last word before; NaN where none is given. [1]
    low, high : float
        Its 95 % interval. [1]
    drift : bool
        Whether it was called slow.
    start, start_low, start_high : float
        When it is said to have begun, and the 95 % interval, from the first hour of the simulation. [h]
    watched : bool
        It never left the band of the meter's class: found, but no alarm.
    """

    group: int
    child: int
    hour: int
    gain: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    drift: bool = False
    start: float = float("nan")
    start_low: float = float("nan")
    start_high: float = float("nan")
    watched: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A faulty scenario scored.

    Attributes
    ----------
    groups : int
    seen, recall : tuple of float
        By each of the days asked for. [1]
    median_days : float
        From the fault to the alarm that names it, infinite where fewer than half are. [d]
    naming, refused, precision : float
        NaN where there is nothing to divide by. [1]
    gain_error : float
        Median of the absolute error of the gain. [1]
    coverage : float
        Share of 95 % intervals that hold the true gain. [1]
    called_drift : float
        Share of the meters found that were called slow in the end. [1]
    start_error : float
        Median of the absolute error of the start, of the first right alarm. [d]
    start_coverage : float
        Share of 95 % intervals of the start that hold the true one. [1]
    told : float
        Right alarms for each meter that was found: 1 where none is told twice. [1]
    """

    groups: int
    seen: tuple[float, ...]
    recall: tuple[float, ...]
    median_days: float
    naming: float
    refused: float
    precision: float
    gain_error: float
    coverage: float
    called_drift: float
    start_error: float
    start_coverage: float
    told: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseAlarms:
    """Alarms of clean groups.

    Attributes
    ----------
    alarms : int
    meter_days : int
    rate, low, high : float
        And its exact 95 % interval. [alarms per 1,000 meter-days]
    """

    alarms: int
    meter_days: int
    rate: float
    low: float
    high: float


def alarms_of(changes: Iterable[GainChange], simulated: Simulated) -> tuple[Alarm, ...]:
    """Alarms of the balance engine: opened detections, their gain as it is known 60 days after the fault."""
    first = int(simulated.hours.hour[0])
    opened: dict[tuple[int, int, int], Alarm] = {}
    sent: set[tuple[int, int, int]] = set()
    for change in changes:
        key = (change.group, change.child, change.detected_hour)  # a step that is found to be a ramp keeps this
        start = simulated.faults[change.group].start
        hour = change.as_of_hour - first
        if not change.watched and change.state is not ChangeState.CLOSED:
            sent.add(key)
        if hour <= start + 61 * _HOURS if key in opened else change.state is ChangeState.OPEN:
            opened[key] = Alarm(
                group=change.group,
                child=change.child,
                hour=change.detected_hour - first,
                gain=change.magnitude,
                low=change.magnitude_low,
                high=change.magnitude_high,
                drift=change.kind.name == "GAIN_DRIFT",
                start=change.started_hour - first,
                start_low=change.started_low - first,
                start_high=change.started_high - first,
            )
    return tuple(replace(alarm, watched=key not in sent) for key, alarm in opened.items())


def one_meter(alarms: Iterable[Alarm], groups: BalanceGroups) -> tuple[Alarm, ...]:
    """Alarms of several levels: one that names the parent of a lower balance in the upper one counts for the lower."""
    below = {int(point): group for group, point in enumerate(groups.parent.tolist())}
    out = []
    for alarm in alarms:
        group = below.get(int(groups.child[alarm.child])) if alarm.child >= 0 else None
        out.append(alarm if group is None else replace(alarm, group=group, child=PARENT))
    return tuple(out)


def _target(fault: Fault) -> int | None:
    if fault.kind in {FaultKind.STEP, FaultKind.RAMP}:
        return fault.child
    return PARENT if fault.kind is FaultKind.PARENT_STEP else None


def _gain_then(fault: Fault) -> float:
    return fault.size


def found(simulated: Simulated, alarms: Sequence[Alarm], *, days: Sequence[int]) -> Found:
    """Score a scenario in which every group has a fault of one meter.

    Parameters
    ----------
    simulated : Simulated
    alarms : sequence of Alarm
    days : sequence of int
        After the fault, by which it should be found. [d]
    """
    delays, seen, named, refused, right_alarms, last, told = [], [], [], [], [], [], 0
    for fault in simulated.faults:
        target = _target(fault)
        after = sorted((a for a in alarms if a.group == fault.group and a.hour > fault.start), key=lambda a: a.hour)
        right = [a for a in after if a.child == target]
        seen.append((after[0].hour - fault.start) / _HOURS if after else np.inf)
        delays.append((right[0].hour - fault.start) / _HOURS if right else np.inf)
        if after:
            refused.append(after[0].child == UNNAMED)
            if after[0].child != UNNAMED:
                named.append(after[0].child == target)
        if right:
            right_alarms.append((right[0], fault))
            last.append(right[-1].drift)
            told += len(right)
    loud = [a for a in alarms if not a.watched]
    sent = sum(not a.watched for a, _ in right_alarms)
    begun = [(a, f.start) for a, f in right_alarms if np.isfinite(a.start)]
    errors = [abs(a.gain - _gain_then(f)) for a, f in right_alarms if np.isfinite(a.gain)]
    held = [a.low <= _gain_then(f) <= a.high for a, f in right_alarms if np.isfinite(a.low)]
    return Found(
        groups=len(simulated.faults),
        seen=tuple(float(np.mean(np.array(seen) <= d)) for d in days),
        recall=tuple(float(np.mean(np.array(delays) <= d)) for d in days),
        median_days=float(np.median(delays)),
        naming=_mean(named),
        refused=_mean(refused),
        precision=_mean([True] * sent + [False] * (len(loud) - sent)),
        gain_error=float(np.median(errors)) if errors else float("nan"),
        coverage=_mean(held),
        called_drift=_mean(last),
        start_error=float(np.median([abs(a.start - s) / _HOURS for a, s in begun])) if begun else float("nan"),
        start_coverage=_mean([a.start_low <= s <= a.start_high for a, s in begun]),
        told=told / len(right_alarms) if right_alarms else float("nan"),
    )


def _mean(values: Sequence[bool]) -> float:
    return float(np.mean(values)) if values else float("nan")


def false_alarms(simulated: Simulated, alarms: Sequence[Alarm], *, learning_days: int) -> FalseAlarms:
    """Score clean groups.

    Parameters
    ----------
    simulated : Simulated
        Without faults of meters.
    alarms : sequence of Alarm
    learning_days : int
        Not counted as meter-days; alarms in them count all the same, what is only watched never. [d]

    Examples
    --------
    >>> from analytics.drift.groups import BalanceGroups
    >>> import numpy as np
    >>> chi = chi2.ppf(0.975, 2) / 2  # no alarm in 1,000 meter-days says no more than: below 3.7
    >>> round(float(chi), 1)
    3.7
    """
    days = len(simulated.hours) // _HOURS - learning_days
    meter_days = days * len(simulated.groups.child)
    loud = sum(not alarm.watched for alarm in alarms)
    rate, low, high = alarm_rate(loud, meter_days)
    return FalseAlarms(alarms=loud, meter_days=meter_days, rate=rate, low=low, high=high)


def alarm_rate(alarms: int, meter_days: int) -> tuple[float, float, float]:
    """Rate of alarms, and its exact 95 % interval. [alarms per 1,000 meter-days]."""
    low = float(chi2.ppf(0.025, 2 * alarms)) / 2.0 if alarms else 0.0
    high = float(chi2.ppf(0.975, 2 * (alarms + 1))) / 2.0
    scale = 1000.0 / meter_days
    return alarms * scale, low * scale, high * scale


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of n.

    Examples
    --------
    >>> low, high = wilson(0.9, 120)
    >>> round(low, 3), round(high, 3)
    (0.833, 0.942)
    """
    z2 = 1.96**2
    middle, wide = (share + z2 / (2 * n)), 1.96 * float(np.sqrt(share * (1 - share) / n + z2 / (4 * n * n)))
    return (middle - wide) / (1 + z2 / n), (middle + wide) / (1 + z2 / n)


def chance_recall(rate: float, days: int) -> float:
    """Recall of a method that names meters at random at this rate of false alarms.

    Parameters
    ----------
    rate : float
        [alarms per 1,000 meter-days]
    days : int
        [d]

    Examples
    --------
    >>> round(chance_recall(0.1, 45), 4)
    0.0045
    """
    return float(-np.expm1(-rate / 1000.0 * days))


def always_fire(simulated: Simulated, *, learning_days: int) -> tuple[Alarm, ...]:
    """An alarm on every meter every day: perfect recall, and what it costs."""
    days = len(simulated.hours) // _HOURS
    return tuple(
        Alarm(group=int(group), child=child, hour=_HOURS * (day + 1))
        for child, group in enumerate(simulated.groups.group_of.tolist())
        for day in range(learning_days, days)
    )
