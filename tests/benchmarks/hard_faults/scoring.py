"""What counts, for each kind: found in time, found at all, told right, called something else, told of nothing.

* *recall*: faults that a detection of their kind tells, in time (one interval after the first reading that can show
  it; a stuck dial 24 h after the first move that is missing; a gap from the reading that ends it, a silence from when
  the first missing reading was due, at the first look at our clock after that interval) and ever;
* *precision*: of all detections of a kind among spoilt registers, the share that tells a fault, or a real event, of
  that kind. It depends on how often faults come: here one a register each 30 days, which is often. *Rare* is what it
  would be with one fault of the kind a meter and year, from recall and false alarms alone;
* *false alarms*: everything told of clean registers that is neither a real gap, repeat, fall or outage of the data nor
  inside a stretch of unexplained stillness, by all days from the first reading to the last; 95 % by Poisson;
* *chance*: what saying something at random at this rate would find in that time.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from analytics.domain.quality import DetectionKind
from tests.benchmarks.hard_faults.faults import Fault
from tests.benchmarks.hard_faults.registers import Register
from tests.benchmarks.hard_faults.run import LOOK_US, LOOKED_AT

__all__ = ["Found", "Noise", "Saying", "found", "noise_of", "rate_interval"]

_S = 1_000_000
_H = 3600 * _S
_D = 24 * _H
_SLACK = 180 * _S
_AFTERMATH = 2 * _D
_K = DetectionKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """One detection of any method: of which register, what, since when, told when, how big."""

    register: int
    kind: DetectionKind
    started_us: int
    decided_us: int
    size: float = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Faults of one recipe or kind, scored.

    Attributes
    ----------
    faults : int
    in_time, ever : float
        Recall. [1]
    precision : float
        NaN where nothing was told. [1]
    median_h, p90_h : float
        Delay of those found. [h]
    named : Counter
        What else was told of these faults, by kind: faults of which it was.
    missed_as : Counter
        The same of those not found; ``nothing`` where nothing was told.
    size_error : float
        Median of the error of the magnitude relative to the true one. [1]
    """

    faults: int
    in_time: float
    ever: float
    precision: float
    median_h: float
    p90_h: float
    named: Counter[str]
    missed_as: Counter[str]
    size_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """False alarms on clean registers.

    Attributes
    ----------
    days : float
        Meter-days.
    false : Counter
        By kind.
    unexplained : int
        Stuck dials told in stretches of unexplained stillness.
    real : int
        Told of real events.
    """

    days: float
    false: Counter[str]
    unexplained: int
    real: int

    @property
    def rate(self) -> float:
        """Per 1,000 meter-days."""
        return 1000.0 * self.false.total() / self.days if self.days else float("nan")

    def __add__(self, other: "Noise") -> "Noise":
        return Noise(
            days=self.days + other.days,
            false=self.false + other.false,
            unexplained=self.unexplained + other.unexplained,
            real=self.real + other.real,
        )


def rate_interval(count: int, days: float) -> tuple[float, float]:
    """95 % interval of a rate of events that come independently of each other. [per 1,000 meter-days].

    Examples
    --------
    >>> low, high = rate_interval(0, 100_000.0)
    >>> low, round(high, 4)
    (0.0, 0.0369)
    """
    low = float(chi2.ppf(0.025, 2 * count)) / 2 if count else 0.0
    return 1000.0 * low / days, 1000.0 * float(chi2.ppf(0.975, 2 * count + 2)) / 2 / days


def _due(fault: Fault, register: Register) -> tuple[int, int]:
    """From when a fault's delay counts, and how long it may be. [us]"""
    interval = register.interval_s * _S
    if fault.kind is _K.STUCK:
        return fault.start_us, _D
    if fault.kind is _K.GAP:
        return fault.end_us, interval
    if fault.kind is _K.SILENCE:
        due = fault.start_us + interval
        return due, interval + (LOOKED_AT - due - interval) % LOOK_US
    return fault.start_us, interval


def _is_real(saying: Saying, register: Register) -> bool:
    slack = register.interval_s * _S + _SLACK
    kinds = {saying.kind.name.lower(), "gap" if saying.kind is _K.SILENCE else ""}
    return any(
        span.kind in kinds and saying.started_us <= span.end_us + slack and saying.decided_us >= span.start_us - slack
        for span in register.real
    )


def _is_still(saying: Saying, register: Register) -> bool:
    return saying.kind is _K.STUCK and any(
        span.start_us - 2 * _H <= saying.started_us <= span.end_us for span in register.still
    )


def noise_of(registers: Sequence[Register], sayings: Iterable[Saying]) -> Noise:
    """What is told of registers that nothing was put into."""
    false: Counter[str] = Counter()
    real = unexplained = 0
    for saying in sayings:
        register = registers[saying.register]
        if _is_real(saying, register):
            real += 1
        elif _is_still(saying, register):
            unexplained += 1
        else:
            false[saying.kind.name.lower()] += 1
    return Noise(days=sum(r.days for r in registers), false=false, unexplained=unexplained, real=real)


def _at(fault: Fault, saying: Saying, interval_us: int) -> bool:
    return (
        saying.register == fault.register
        and saying.started_us <= fault.end_us + _AFTERMATH
        and saying.decided_us >= fault.start_us - interval_us
        and saying.started_us >= fault.start_us - 3 * interval_us - _D * (saying.kind is _K.STUCK)
    )


def found(
    registers: Sequence[Register], faults: Sequence[Fault], sayings: Sequence[Saying], *, of: Sequence[Fault]
) -> Found:
    """Score the faults `of` among all `faults` of the same spoilt registers.

    Parameters
    ----------
    registers : sequence of Register
        As they were spoilt.
    faults : sequence of Fault
        All that was put in.
    sayings : sequence of Saying
        All that was told.
    of : sequence of Fault
        Which to score; precision is that of their kinds, among all that was told.
    """
    told: dict[int, list[Saying]] = {}
    for saying in sayings:
        told.setdefault(saying.register, []).append(saying)
    delays, in_time, errors = [], 0, []
    named: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for fault in of:
        register = registers[fault.register]
        interval = register.interval_s * _S
        here = [s for s in told.get(fault.register, []) if _at(fault, s, interval)]
        own = [s for s in here if s.kind is fault.kind]
        others = {s.kind.name.lower() for s in here if s.kind is not fault.kind}
        named.update(others)
        if not own:
            missed.update(others or {"nothing"})
            continue
        since, limit = _due(fault, register)
        delay = min(s.decided_us for s in own) - since
        delays.append(max(delay, 0) / _H)
        in_time += delay <= limit + _SLACK
        if np.isfinite(fault.size) and np.isfinite(own[0].size):
            errors.append(abs(own[0].size - fault.size) / abs(fault.size))
    kinds = {fault.kind for fault in of}
    put_in: dict[tuple[int, DetectionKind], list[Fault]] = {}
    for fault in faults:
        put_in.setdefault((fault.register, fault.kind), []).append(fault)
    right = wrong = 0
    for saying in sayings:
        if saying.kind in kinds:
            register = registers[saying.register]
            hit = _is_real(saying, register) or any(
                _at(fault, saying, register.interval_s * _S) for fault in put_in.get((saying.register, saying.kind), ())
            )
            right += hit
            wrong += not hit and not _is_still(saying, register)
    n = len(of)
    return Found(
        faults=n,
        in_time=in_time / n if n else float("nan"),
        ever=len(delays) / n if n else float("nan"),
        precision=right / (right + wrong) if right + wrong else float("nan"),
        median_h=_quantile(delays, 0.5),
        p90_h=_quantile(delays, 0.9),
        named=named,
        missed_as=missed,
        size_error=_quantile(errors, 0.5),
    )


def _quantile(values: Sequence[float], share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else float("nan")
