"""What else can be had for finding drift, on the same groups: river, ruptures, a CUSUM by hour of week, plain RLS.

Each gets the signal that suits it best and knows nothing of the truth. river's detectors and PELT look at the balance's
daily residual as a share of the load (they cannot name a meter, so every alarm is unnamed) and, as most people use
them, at each meter's own daily use. PELT sees the whole past and future at once, which no live system has.
"""

import warnings
from collections.abc import Callable

import numpy as np
import ruptures
from numpy.typing import NDArray
from river import drift

from analytics.drift.change import UNNAMED
from tests.benchmarks.drift.scoring import Alarm
from tests.benchmarks.drift.simulation import Simulated

__all__ = ["RIVALS"]

Floats = NDArray[np.float64]

LEARNING_DAYS = 60


def _daily(values: Floats) -> Floats:
    days = len(values) // 24
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a day without any hour stays NaN
        return np.asarray(np.nanmean(values[: days * 24].reshape(days, 24, -1), axis=1))


def _standard(daily: Floats) -> Floats:
    """By the mean and deviation of the days of learning; a missing day repeats the one before."""
    out = daily.copy()
    for i in range(1, len(out)):
        out[i] = np.where(np.isfinite(out[i]), out[i], out[i - 1])
    head = out[:LEARNING_DAYS]
    middle = np.nanmedian(head, axis=0)
    width = 1.4826 * np.nanmedian(np.abs(head - middle), axis=0)
    return np.asarray(np.nan_to_num((out - middle) / np.maximum(width, 1e-9)))


def _residual(simulated: Simulated) -> Floats:
    total = np.add.reduceat(simulated.hours.child, simulated.groups.start[:-1], axis=1)
    return _standard(_daily((simulated.hours.parent - total) / np.maximum(total, 1e-9)))


def _river(make: Callable[[], object], signal: Floats) -> list[tuple[int, int]]:
    """(column, hour) of each alarm after learning."""
    out = []
    for column in range(signal.shape[1]):
        detector = make()
        for day, value in enumerate(signal[:, column].tolist()):
            detector.update(value)  # type: ignore[attr-defined]  # river's detectors share this by convention
            if detector.drift_detected and day >= LEARNING_DAYS:  # type: ignore[attr-defined]
                out.append((column, 24 * (day + 1)))
    return out


def _unnamed(found: list[tuple[int, int]]) -> tuple[Alarm, ...]:
    return tuple(Alarm(group=group, child=UNNAMED, hour=hour) for group, hour in found)


def _named(simulated: Simulated, found: list[tuple[int, int]]) -> tuple[Alarm, ...]:
    group = simulated.groups.group_of
    return tuple(Alarm(group=int(group[child]), child=child, hour=hour) for child, hour in found)


def _on_residual(make: Callable[[], object]) -> Callable[[Simulated], tuple[Alarm, ...]]:
    return lambda simulated: _unnamed(_river(make, _residual(simulated)))


def _on_meters(make: Callable[[], object]) -> Callable[[Simulated], tuple[Alarm, ...]]:
    return lambda simulated: _named(simulated, _river(make, _standard(_daily(simulated.hours.child))))


def pelt(simulated: Simulated) -> tuple[Alarm, ...]:
    """PELT with the usual penalty 2 ln n on the daily residual; an alarm at each change after learning."""
    signal = _residual(simulated)
    found = []
    for group in range(signal.shape[1]):
        cuts = (
            ruptures.Pelt(model="l2", min_size=3, jump=1).fit(signal[:, group]).predict(pen=2.0 * np.log(len(signal)))
        )
        found += [(group, 24 * (cut + 1)) for cut in cuts[:-1] if cut >= LEARNING_DAYS]
    return _unnamed(found)


def cusum_hour_of_week(simulated: Simulated) -> tuple[Alarm, ...]:
    """Each meter's use against its own usual hour of the week, summed by day; two-sided, k = 0.5, h = 5."""
    child = simulated.hours.child
    hours = len(child) // 24 * 24
    head = child[: LEARNING_DAYS * 24]
    week = np.arange(len(child)) % 168
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        usual = np.stack([np.nanmean(head[week[: len(head)] == h], axis=0) for h in range(168)])
    signal = _standard(_daily((child - usual[week])[:hours]))
    high, low = np.zeros(signal.shape[1]), np.zeros(signal.shape[1])
    found = []
    for day in range(LEARNING_DAYS, len(signal)):
        high = np.maximum(0.0, high + signal[day] - 0.5)
        low = np.maximum(0.0, low - signal[day] - 0.5)
        fired = np.flatnonzero((high > 5.0) | (low > 5.0))
        found += [(int(i), 24 * (day + 1)) for i in fired]
        high[fired] = low[fired] = 0.0
    return _named(simulated, found)


def plain_rls(simulated: Simulated) -> tuple[Alarm, ...]:
    """Recursive least squares of the parent on its children, forgetting over 30 days; 4.3 deviations from day 60.

    Its own covariance is believed, as the textbook has it; a meter that fired is learnt anew from there.
    """
    out = []
    keep = 1.0 - 1.0 / (30.0 * 24.0)
    for group in range(len(simulated.groups)):
        span = slice(int(simulated.groups.start[group]), int(simulated.groups.start[group + 1]))
        x = simulated.hours.child[:, span]
        y = simulated.hours.parent[:, group] - x.sum(axis=1)
        n = x.shape[1]
        load = np.nanmean(x.sum(axis=1))
        x = np.hstack((x / load, np.ones((len(x), 1))))
        y = y / load
        p, beta, noise = np.eye(n + 1) * 10.0, np.zeros(n + 1), 1e-4
        reference: Floats | None = None
        for hour in np.flatnonzero(np.isfinite(y) & np.isfinite(x).all(axis=1)).tolist():
            row = x[hour]
            px = p @ row
            gain = px / (keep + float(row @ px))
            miss = float(y[hour] - row @ beta)
            beta = beta + gain * miss
            p = (p - np.outer(gain, px)) / keep
            noise = 0.999 * noise + 0.001 * miss * miss
            if hour % 24 == 23 and hour >= LEARNING_DAYS * 24:
                if reference is None:
                    reference = beta.copy()
                away = np.abs(beta - reference)[:n] / np.sqrt(2.0 * noise * np.diag(p)[:n])
                top = int(away.argmax())
                if away[top] > 4.3:
                    out.append(Alarm(group=group, child=span.start + top, hour=hour + 1))
                    reference = beta.copy()
    return tuple(out)


RIVALS: dict[str, Callable[[Simulated], tuple[Alarm, ...]]] = {
    "river ADWIN, balance residual": _on_residual(drift.ADWIN),
    "river PageHinkley, balance residual": _on_residual(drift.PageHinkley),
    "river KSWIN, balance residual": _on_residual(lambda: drift.KSWIN(seed=1)),
    "river ADWIN, each meter alone": _on_meters(drift.ADWIN),
    "river PageHinkley, each meter alone": _on_meters(drift.PageHinkley),
    "river KSWIN, each meter alone": _on_meters(lambda: drift.KSWIN(seed=1)),
    "ruptures PELT, balance residual (offline)": pelt,
    "CUSUM by hour of week, each meter alone": cusum_hour_of_week,
    "plain RLS on the balance": plain_rls,
}
