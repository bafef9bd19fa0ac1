"""Detection of stuck dials and wrong clocks in readings as they arrive, relative to the meter's own usual behaviour.

**Stuck.** For each hour of the working day and of the weekend a point keeps how often its dial moved. An hour without
a move has the surprise (self-information) ``-ln(1 - share)``; the surprises of a standstill add up, which is minus its
log-likelihood if hours are independent. Beyond a limit, and beyond the most surprising standstill of the meter so far,
the dial is reported as stuck. So a meter that is normally idle at night is not reported, and one that has always moved
is reported within hours. If a dial stands still for some hours now and then, nothing runs by itself and its users may
travel: a jam looks like an absence, and is reported after four weeks. A meter that rests by the clock, like a machine
with shifts, is idle over holidays: a jam of it is reported after two weeks. The usage profile (the habit) is frozen
during a standstill and updated when that has ended by itself. The time to detect a jam is output once a day
(`HABIT_ROW`).

**Silence.** The first reading of an upload says how long readings are kept back on their way. So long a silence is
waited out (`usual_wait_us`): a gateway that sends four hours at once is not silent in between.

**Clock.** The last reading of each upload says how late readings arrive. That lateness is learnt; when it settles at
another level something shifted: readings that arrive before they were measured prove a clock that is ahead; a dial
that goes on while its times go back proves one that fell behind; a lateness that grows without any jump is a clock
that drifts. A jump by more than an interval without such a proof is taken for a slower way to us, and learnt anew.

**Astray.** While a clock is behind, readings come whose time came before while the dial is further on. Where they
come in the place of ordinary ones, from a meter known to be punctual, their time cannot be right: they are marked and
left out of the hours; the dial's total is not touched.

References
----------
Averaging of the profile and of the lateness: S. W. Roberts, "Control chart tests based on geometric moving averages",
Technometrics 1 (1959) 239-250.
Time until the sum of surprises passes the limit, a first passage time: D. Siegmund, *Sequential Analysis: Tests and
Confidence Intervals*, Springer 1985.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.columns._layout import NEVER
from analytics.columns.events import EVENT_ROW
from analytics.columns.register import RegisterTable
from analytics.domain.instants import US_PER_HOUR, US_PER_SECOND
from analytics.health import _kernel
from analytics.health._kernel import AHEAD, BEHIND, DRIFTS, HABIT_ROW, HEALTH_STATE, SLOTS, UNSURE

__all__ = [
    "AHEAD",
    "BEHIND",
    "DRIFTS",
    "HABIT_ROW",
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

_WEEK_H = 168


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRules:
    """Thresholds of stuck dials and clocks. Engineering choices, not figures of a standard.

    Parameters
    ----------
    utc_offset_h : int
        Hours by which local days are ahead of UTC; habits go by local hours. [h]
    stuck_surprise : float
        Sum of surprises beyond which a standing dial is stuck. [nat]
    longest_weight : float
        The limit is at least this multiple of the most surprising normal standstill so far. [1]
    away_h : float
        Longest absence of the users of a meter that rests at times; a shorter standstill of it is not reported. [h]
    away_from, away_over : float
        Share of still hours up to which that is not so, and how much more of it until it is so wholly. [1]
    closed_h : float
        The same where a meter rests by the clock, as machines with shifts do: they too are closed over holidays. [h]
    chance_from, chance_over : float
        Share of still hours, among the hours of the day in which it moves, up to which a meter rests by the clock, and
        how much more of it until it does not at all. [1]
    flat_h : float
        A shorter standstill is never reported. [h]
    clock_tolerance_s : float
        Lateness that may vary between two uploads, and earliness that is nobody's fault. [s]
    clock_shift_s : float
        A smaller shift of a clock is not reported. [s]
    clock_confirm : int
        Uploads in a row that must agree. [1]
    clock_home : int
        Uploads in a row after which a lateness is usual. [1]
    """

    utc_offset_h: int = 8
    stuck_surprise: float = 38.0
    longest_weight: float = 1.25
    away_h: float = 28 * 24.0
    away_from: float = 0.05
    away_over: float = 0.05
    closed_h: float = 14 * 24.0
    chance_from: float = 0.06
    chance_over: float = 0.04
    flat_h: float = 6.0
    clock_tolerance_s: float = 30.0
    clock_shift_s: float = 120.0
    clock_confirm: int = 8
    clock_home: int = 32

    def row(self) -> NDArray[Any]:
        """The same in the shape the compiled core takes."""
        row = np.zeros(1, _kernel.HEALTH_RULES)
        row["offset_h"] = self.utc_offset_h
        row["flat_us"] = self.flat_h * US_PER_HOUR
        row["catch_slack"] = 60 * US_PER_SECOND
        row["surprise"] = self.stuck_surprise
        row["longest_weight"] = self.longest_weight
        row["away_us"] = self.away_h * US_PER_HOUR
        row["away_from"] = self.away_from
        row["away_over"] = self.away_over
        row["closed_us"] = self.closed_h * US_PER_HOUR
        row["chance_from"] = self.chance_from
        row["chance_over"] = self.chance_over
        row["tolerance_s"] = self.clock_tolerance_s
        row["shift_s"] = self.clock_shift_s
        row["confirm"] = self.clock_confirm
        row["home_after"] = self.clock_home
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """Result of `arrive`.

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
    habits : (h,) HABIT_ROW
        Detection times of a jam at a point, one row after each UTC day of its readings.
    """

    astray: NDArray[np.bool_]
    punctual: NDArray[np.bool_]
    events: NDArray[Any]
    habits: NDArray[Any]


def empty_health(n_points: int) -> NDArray[Any]:
    """Initial state of points without readings.

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
    return np.where(wait == _kernel.UNKNOWN, 0, wait * 60 * US_PER_SECOND)


def hours_until_told(
    state: NDArray[Any],
    rules: NDArray[Any],
    interval_us: NDArray[np.int64],
    factors: NDArray[np.float32] | None = None,
) -> NDArray[np.float64]:
    """Time until a jam that begins now would be reported, median and worst case over the hours of the week.

    Infinite for a meter of which nothing is known yet, or whose stillness surprises nobody.

    Parameters
    ----------
    state : (p,) HEALTH_STATE
    rules : (1,) HEALTH_RULES
    interval_us : (p,) int64
        Between two readings. [us]
    factors : (p, 3) float32, optional
        As in `arrive`. [1]

    Returns
    -------
    (p, 2) float64
        [h]

    Examples
    --------
    >>> state = empty_health(2)
    >>> state["slots"][1], state["learnt_work"][1], state["learnt_rest"][1] = 255, 24 * 60, 24 * 20
    >>> hours_until_told(state, HealthRules().row(), np.full(2, 900_000_000)).tolist()
    [[inf, inf], [14.625, 15.25]]
    """
    factors = neutral_factors(state.size) if factors is None else factors
    said: NDArray[np.float64] = _kernel.hidden_hours(state, state["slots"], interval_us, factors[:, 0], rules[0])
    return said


def neutral_factors(n_points: int) -> NDArray[np.float32]:
    """Threshold factors without any inspection result: (n_points, 3) float32, for stuck dials, clocks and ratios."""
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
    habits = np.empty(64, HABIT_ROW)
    room = np.empty(SLOTS)
    cursor = np.zeros(2, np.int64)
    alone = _kernel.alone_in_upload(point, received_us, state.size)
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
            alone,
            astray,
            punctual,
            events,
            habits,
            room,
            cursor,
            done,
        )
        if done < n:
            events, habits = _grown(events, int(cursor[0])), _grown(habits, int(cursor[1]))
    return Arrived(
        astray=astray, punctual=punctual, events=events[: cursor[0]].copy(), habits=habits[: cursor[1]].copy()
    )


def _grown(rows: NDArray[Any], used: int) -> NDArray[Any]:
    """Room for twice as many, where that may soon be needed."""
    if used < rows.size // 2:
        return rows
    grown = np.empty(4 * rows.size, rows.dtype)
    grown[:used] = rows[:used]
    return grown
