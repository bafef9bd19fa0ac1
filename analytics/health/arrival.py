"""Stuck dials and wrong clocks, found in readings as they arrive, against what is usual for this very meter.

**Stuck.** For each hour of the working day and of the weekend a point keeps how often its dial moved. An hour without a
move is as surprising as moves were usual, ``-ln(1 - share)``; the surprises of a stillness add up. Beyond a limit that
is higher for meters which stand still often, and beyond what they have ever done before, the dial is told as stuck. So
a meter that is honestly idle at night surprises nobody, and one that has always moved is told within hours.

**Silence.** The first reading of an upload says how long readings are kept back on their way. So long a silence is
waited out (`usual_wait_us`): a gateway that sends four hours at once is not silent in between.

**Clock.** The last reading of each upload says how late readings arrive. That lateness is learnt; when it settles at
another level something shifted: readings that arrive before they were measured prove a clock that is ahead; a dial that
goes on while its times go back proves one that fell behind; a lateness that grows without any jump is a clock that
drifts. A jump by more than an interval without such a proof is taken for a slower way to us, and learnt anew.

**Astray.** While a clock is behind, readings come whose time was told before while the dial is further on. Where they
come in the place of ordinary ones, from a meter known to be punctual, their time cannot be right: they are marked and
left out of the hours; the dial's total is not touched.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.columns._kernel import EVENT_ROW, NEVER
from analytics.columns.register import RegisterTable
from analytics.health import _kernel
from analytics.health._kernel import AHEAD, BEHIND, DRIFTS, HEALTH_STATE, UNSURE

__all__ = [
    "AHEAD",
    "BEHIND",
    "DRIFTS",
    "HEALTH_STATE",
    "UNSURE",
    "Arrived",
    "HealthRules",
    "arrive",
    "empty_health",
    "hours_until_told",
    "neutral_factors",
    "usual_wait_us",
]

_US = 1_000_000
_HOUR_US = 3600 * _US
_WEEK_H = 168


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRules:
    """Thresholds of stuck dials and clocks. Engineering choices, not figures of a standard.

    Parameters
    ----------
    utc_offset_h : int
        Hours by which local days are ahead of UTC; habits go by local hours. [h]
    stuck_surprise : float
        Surprise beyond which a dial that always moves is stuck. [nat]
    idle_weight : float
        How much more it takes for one that is still at times: 1 + weight x idle x (1 - idle), where idle is the share
        of still hours less `idle_free`. [1]
    idle_free : float
        Share of still hours that is put down to chance and to what a slot can tell. [1]
    longest_weight : float
        Times the most surprising stillness that ended by itself; one that was told counts no more than its limit. [1]
    flat_h : float
        A shorter stillness is never told. [h]
    clock_tolerance_s : float
        Lateness that may vary between two uploads, and earliness that is nobody's fault. [s]
    clock_shift_s : float
        A smaller shift of a clock is not told. [s]
    clock_confirm : int
        Uploads in a row that must agree. [1]
    clock_home : int
        Uploads in a row after which a lateness is usual. [1]
    """

    utc_offset_h: int = 8
    stuck_surprise: float = 38.0
    idle_weight: float = 14.0
    idle_free: float = 0.05
    longest_weight: float = 1.25
    flat_h: float = 6.0
    clock_tolerance_s: float = 30.0
    clock_shift_s: float = 120.0
    clock_confirm: int = 8
    clock_home: int = 32

    def row(self) -> NDArray[Any]:
        """The same in the shape the compiled core takes."""
        row = np.zeros(1, _kernel.HEALTH_RULES)
        row["offset_h"] = self.utc_offset_h
        row["flat_us"] = self.flat_h * _HOUR_US
        row["catch_slack"] = 60 * _US
        row["surprise"] = self.stuck_surprise
        row["idle_weight"] = self.idle_weight
        row["idle_free"] = self.idle_free
        row["longest_weight"] = self.longest_weight
        row["tolerance_s"] = self.clock_tolerance_s
        row["shift_s"] = self.clock_shift_s
        row["confirm"] = self.clock_confirm
        row["home_after"] = self.clock_home
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What a run of readings gave.

    Attributes
    ----------
    astray : (n,) bool
        Readings whose time cannot be right.
    punctual : (n,) bool
        Readings that came about one interval after the one before, by our clock; see `received_to_go_by`.
    events : (e,) EVENT_ROW
        Stuck dials and wrong clocks; `ended` is `NEVER` while one lasts, and one that ended has the same start again.
        Stuck: `before` the dial, `at` the most surprising stillness known, `after` the surprise, then the dial that
        ended it; `amount` what is usually used in that time. Clock: `before` and `at` the lateness as usual and now in
        seconds, `scale` one of `UNSURE`, `AHEAD`, `BEHIND` and `DRIFTS`.
    """

    astray: NDArray[np.bool_]
    punctual: NDArray[np.bool_]
    events: NDArray[Any]


def empty_health(n_points: int) -> NDArray[Any]:
    """Habits of points of which nothing was read yet.

    Returns
    -------
    (n_points,) HEALTH_STATE

    Examples
    --------
    >>> int(empty_health(1)["meter"][0]), HEALTH_STATE.itemsize
    (-1, 180)
    """
    state = np.zeros(n_points, HEALTH_STATE)
    for name in ("seen_at", "last_received", "astray_at", "astray_received"):
        state[name] = NEVER
    state["home"] = np.nan
    state["wait"] = _kernel.UNKNOWN
    state["meter"] = -1
    return state


def usual_wait_us(state: NDArray[Any]) -> NDArray[np.int64]:
    """How long readings of each point are usually kept back on their way; 0 where it is not known. [us].

    Parameters
    ----------
    state : (p,) HEALTH_STATE

    Returns
    -------
    (p,) int64

    Examples
    --------
    >>> state = empty_health(2)
    >>> state["wait"][1] = 240
    >>> usual_wait_us(state).tolist()
    [0, 14400000000]
    """
    wait = state["wait"].astype(np.int64)
    return np.where(wait == _kernel.UNKNOWN, 0, wait * 60 * _US)


def hours_until_told(
    state: NDArray[Any], rules: NDArray[Any], factors: NDArray[np.float32] | None = None
) -> NDArray[np.float64]:
    """How long a dial that jams now may stand still before it is told, at the worst hour of the week to begin.

    Infinite for a meter of which nothing is known yet, or whose stillness surprises nobody.

    Parameters
    ----------
    state : (p,) HEALTH_STATE
    rules : (1,) HEALTH_RULES
    factors : (p, 2) float32, optional
        As in `arrive`. [1]

    Returns
    -------
    (p,) float64
        Whole hours. [h]

    Examples
    --------
    >>> state = empty_health(2)
    >>> state["slots"][1], state["learnt_work"][1] = 255, 24 * 60
    >>> hours_until_told(state, HealthRules().row()).tolist()
    [inf, 14.0]
    """
    factors = neutral_factors(state.size) if factors is None else factors
    limit = _kernel.limits(state, state["slots"], factors[:, 0], rules[0])
    odd = -np.log1p(-np.minimum(state["slots"] / 255.0, _kernel.MOST_SURE))
    two_weeks = np.concatenate([odd[:, :24]] * 5 + [odd[:, 24:]] * 2, axis=1)
    so_far = np.cumsum(np.concatenate([np.zeros((state.size, 1)), two_weeks, two_weeks], axis=1), axis=1)
    a_week = so_far[:, _WEEK_H]
    hours = np.full(state.size, np.inf)
    for p in np.flatnonzero(a_week > 0.0).tolist():
        weeks, rest = divmod(float(limit[p]), float(a_week[p]))
        ends = np.searchsorted(so_far[p], so_far[p, :_WEEK_H] + rest - 1e-9)
        hours[p] = _WEEK_H * weeks + float((ends - np.arange(_WEEK_H)).max())
    shortest = float(rules["flat_us"][0]) / _HOUR_US
    told: NDArray[np.float64] = np.maximum(hours, shortest)
    return told


def neutral_factors(n_points: int) -> NDArray[np.float32]:
    """Factors where nobody has found anything: (n_points, 3) float32, for stuck dials, clocks and ratios."""
    return np.ones((n_points, 3), np.float32)


def arrive(
    state: NDArray[Any],
    table: RegisterTable,
    rules: NDArray[Any],
    *,
    point: NDArray[np.int32],
    installation: NDArray[np.int32],
    at_us: NDArray[np.int64],
    received_us: NDArray[np.int64],
    value: NDArray[np.float64],
    future: NDArray[np.bool_] | None = None,
    factors: NDArray[np.float32] | None = None,
) -> Arrived:
    """Advance `state` in place by readings in the order in which they arrived.

    Parameters
    ----------
    state : (p,) HEALTH_STATE
    table : RegisterTable
        Of the same installations.
    rules : (1,) HEALTH_RULES
        `HealthRules.row`.
    point, installation : (n,) int32
    at_us, received_us : (n,) int64
        When measured and when received. [us since 1970-01-01 UTC]
    value : (n,) float64
        [dial unit]
    future : (n,) bool, optional
        Readings that were refused because they are measured in the future: they speak of the clock only.
    factors : (p, 3) float32, optional
        By which thresholds are raised at a point, for stuck dials, for clocks, and for ratios (not used here). [1]
    """
    n = point.size
    future = np.zeros(n, np.bool_) if future is None else future
    factors = neutral_factors(state.size) if factors is None else factors
    astray = np.zeros(n, np.bool_)
    punctual = np.zeros(n, np.bool_)
    events = np.empty(256, EVENT_ROW)
    cursor = np.zeros(1, np.int64)
    done = 0
    while done < n:
        done = _kernel.arrive(
            state,
            state["slots"],
            table.table,
            factors,
            rules[0],
            point,
            installation,
            at_us,
            received_us,
            value,
            future,
            astray,
            punctual,
            events,
            cursor,
            done,
        )
        if done < n:
            grown = np.empty(2 * events.size, EVENT_ROW)
            grown[: cursor[0]] = events[: cursor[0]]
            events = grown
    return Arrived(astray=astray, punctual=punctual, events=events[: cursor[0]].copy())
