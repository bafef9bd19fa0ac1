"""Faults detected by redundancy between registers of one meter: two measurements of one quantity that disagree.

**Energy against power.** The main register's rise against the integral of a power register over the same time. A
constant factor is a wrong ratio or a wrong unit; one that begins on a date, a lost phase or an exchanged transformer.
`power` is before the multiplier as the main register is: it tells of the counter, the gateway and the pulse constant,
and nothing of the transformers, which feed both. `power_primary` is what really flows: it tells of the ledger's
multiplier too, and of the transformers where it was measured with others. A `power` that was larger than the energy by
just the multiplier from the beginning is taken for primary and learnt as such.

**Phases.** A phase that carried load and is dead while the others carry it, or that counts backwards.

**Heat.** The energy of a heat meter against volume x density x difference of enthalpies (`analytics.domain.water`),
temperatures that are exchanged, and one that stands still.

**How sure.** A power that is sampled now and then is a noisy integral. The noise is taken from the scatter of the
windows about their ratio, from that of earlier days, and from the changes of the power between two samples, whichever
says most; where whole days scatter more than their hours let expect, by that. An error must exceed what classes and
digits explain by `z` such deviations, and most windows must be nearer to it than to agreement: bursts between samples
that meet one window, and spikes of one reading, are no ratio. What is asked for grows with the noise, and a sight says
how small an error would be found.

References
----------
Variance of a ratio of sums: W. G. Cochran, *Sampling Techniques*, 3rd ed., Wiley 1977, chapter 6.
Start of a change where the cumulative sum turns: E. S. Page, "Continuous inspection schemes", Biometrika 41 (1954)
100-115.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.columns.events import EVENT_ROW
from analytics.domain.instants import US_PER_SECOND
from analytics.domain.registers import FurtherRegister
from analytics.health.redundancy import _kernel as kernel
from analytics.health.redundancy import _state_kernel as layout
from analytics.health.redundancy._state_kernel import CHECK_STATE, NEWEST, SIGHT_ROW

__all__ = [
    "CHECK_STATE",
    "NEWEST",
    "SIGHT_ROW",
    "Cause",
    "Check",
    "Checks",
    "Facts",
    "Followed",
    "RedundancyRules",
    "checks_of",
    "unpack",
]

_R = FurtherRegister


class Check(IntEnum):
    """Pair of quantities that is compared."""

    POWER = layout.POWER
    PRIMARY_POWER = layout.PRIMARY
    PHASES = layout.PHASES
    HEAT = layout.HEAT


class Cause(IntEnum):
    """Cause of a contradiction."""

    ENERGY = layout.ENERGY
    EXCHANGED = layout.SWAPPED
    SUPPLY_STUCK = layout.STUCK_SENSOR
    RETURN_STUCK = layout.STUCK_SENSOR + 1
    DEAD_L1 = layout.DEAD
    DEAD_L2 = layout.DEAD + 1
    DEAD_L3 = layout.DEAD + 2
    REVERSED_L1 = layout.REVERSED
    REVERSED_L2 = layout.REVERSED + 1
    REVERSED_L3 = layout.REVERSED + 2


_SLOTS: dict[Check, dict[FurtherRegister, int]] = {
    Check.POWER: {_R.POWER: 1},
    Check.PRIMARY_POWER: {_R.POWER_PRIMARY: 1},
    Check.PHASES: {_R.POWER_L1: 1, _R.POWER_L2: 2, _R.POWER_L3: 3},
    Check.HEAT: {
        _R.SUPPLY_TEMPERATURE: 1,
        _R.RETURN_TEMPERATURE: 2,
        _R.VOLUME: layout.FLOW_RETURN,
        _R.VOLUME_SUPPLY: layout.FLOW_SUPPLY,
    },
}
_NONE = -1


def _slot_table() -> NDArray[np.int8]:
    """(checks, registers) slot of each register in each check, -1 where it has none; register 0 is the energy."""
    table = np.full((len(Check), max(_R) + 1), _NONE, np.int8)
    for check, slots in _SLOTS.items():
        for register, slot in slots.items():
            table[check, register] = slot
        if check is not Check.PHASES:
            table[check, 0] = 0
    return table


_TABLE = _slot_table()


@dataclass(frozen=True, slots=True, kw_only=True)
class RedundancyRules:
    """Thresholds of the redundancy checks. Engineering choices, not figures of a standard.

    Parameters
    ----------
    lag_s : float
        Time that a reading is held for others measured before it. [s]
    gap_s : float
        Longest time between two samples over which a power is integrated. [s]
    window_s : float
        Shortest stretch of time that is compared by itself. [s]
    z : float
        Standard deviations by which a contradiction must exceed accuracy classes and digits. [1]
    fast_z, fast_ratio : float
        The same for the last eight windows, and the least log-ratio that is reported so early. [1]
    agree : float
        Share of the windows, or of the days, that must be nearer to the ratio than to agreement. [1]
    learn_blocks : int
        Blocks of 24 windows before anything is reported.
    floor_digits : float
        Least energy of a window, in steps of its register. [1]
    other_share : float
        Error of the other measurement, in addition to the meter's class. [1]
    delta_t_k : float
        Differences of temperature below this are not used. [K]
    dead_share : float
        A phase is dead below this share of the mean of the others. [1]
    habit_h, dead_h, loose_h, reversed_h : int
        Loaded hours until the habit of phases is known; in a row that one must be dead where all carried about the
        same, and where they did not; and that one must count backwards. [h]
    still_h : float
        For how long a temperature stands still while the other moves; half as long for exchanged ones. [h]
    """

    lag_s: float = 3600.0
    gap_s: float = 7500.0
    window_s: float = 3600.0
    z: float = 4.0
    fast_z: float = 6.0
    fast_ratio: float = 0.2
    agree: float = 0.7
    learn_blocks: int = 4
    floor_digits: float = 5.0
    other_share: float = 0.01
    delta_t_k: float = 3.0
    dead_share: float = 0.02
    habit_h: int = 168
    dead_h: int = 8
    loose_h: int = 72
    reversed_h: int = 48
    still_h: float = 48.0

    def row(self) -> NDArray[Any]:
        """The same in the shape the compiled core takes."""
        row = np.zeros(1, layout.RULES_ROW)
        row["lag"], row["gap"], row["window"] = (
            self.lag_s * US_PER_SECOND,
            self.gap_s * US_PER_SECOND,
            self.window_s * US_PER_SECOND,
        )
        row["z"], row["fast_z"], row["fast"], row["agree"] = self.z, self.fast_z, self.fast_ratio, self.agree
        row["learn"], row["floor"], row["delta_t"] = self.learn_blocks, self.floor_digits, self.delta_t_k
        row["dead"], row["habit_hours"], row["dead_hours"] = self.dead_share, self.habit_h, self.dead_h
        row["other"] = self.other_share
        row["loose_hours"], row["reversed_hours"] = self.loose_h, self.reversed_h
        row["still"] = self.still_h * 3600.0 * US_PER_SECOND
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Ledger facts of the installation of each of n readings.

    Attributes
    ----------
    scale : (n,) float64
        kWh that one unit of the main register's dial is, before the multiplier. [kWh/dial unit]
    multiplier : (n,) float64
        [1]
    amount : (n,) float64
        What one kWh before the multiplier stands for at the point. [canonical unit/kWh]
    most : (n,) float64
        kWh before the multiplier that an hour can bring at the most, infinite where nobody knows. [kWh/h]
    limit : (n,) float64
        Share that the meter's class allows. [1]
    """

    scale: NDArray[np.float64]
    multiplier: NDArray[np.float64]
    amount: NDArray[np.float64]
    most: NDArray[np.float64]
    limit: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """Result of `Checks.follow`.

    Attributes
    ----------
    events : (e,) EVENT_ROW
        Contradictions of kind `RATIO`; `ended` is `NEVER` while one lasts, and one that is better known has the same
        start again. `before` is what the other registers say in kWh, `at` what was counted, `after` half a 95 %
        interval of the logarithm of their ratio, `n` the windows behind them, `amount` what was counted too much,
        `scale` what `unpack` takes apart; `installation` is -1.
    sights : (s,) SIGHT_ROW
        How a check stands and what it could see, one a day of load.
    """

    events: NDArray[Any]
    sights: NDArray[Any]


def checks_of(register: FurtherRegister) -> Sequence[Check]:
    """Checks that a register takes part in.

    Examples
    --------
    >>> checks_of(FurtherRegister.POWER), checks_of(FurtherRegister.FLOW)
    ([<Check.POWER: 0>], [])
    """
    return [check for check, slots in _SLOTS.items() if register in slots]


def unpack(scale: int) -> tuple[Check, Cause, bool]:
    """Check, cause, and whether the power was taken for primary, of an event's `scale`.

    Examples
    --------
    >>> unpack(0)
    (<Check.POWER: 0>, <Cause.ENERGY: 0>, False)
    """
    check, rest = divmod(scale, 32)
    return Check(check), Cause(rest % 16), rest >= 16


@dataclass(slots=True, eq=False)
class Checks:
    """State of the redundancy checks of all points that have further registers.

    Attributes
    ----------
    state : (k,) CHECK_STATE
        In the order in which they began.
    """

    state: NDArray[Any] = field(default_factory=lambda: np.zeros(0, CHECK_STATE))
    _place: dict[tuple[int, int], int] = field(default_factory=dict)
    _has: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        keys = zip(self.state["point"].tolist(), self.state["check"].tolist(), strict=True)
        self._place = {key: i for i, key in enumerate(keys)}

    def __len__(self) -> int:
        return len(self.state)

    def copy(self) -> "Checks":
        """The same, to be put back where a step is undone."""
        return Checks(self.state.copy())

    def watched(self, n_points: int) -> NDArray[np.bool_]:
        """Points that have a check: (n_points,) bool."""
        if self._has is None or len(self._has) != n_points:
            self._has = np.zeros(n_points, np.bool_)
            self._has[self.state["point"]] = True
        return self._has

    def begin(self, pairs: Sequence[tuple[int, Check]]) -> None:
        """Make room for checks that are new, each a (point, check)."""
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._place]
        if not new:
            return
        fresh = np.zeros(len(new), CHECK_STATE)
        fresh["meter"] = -1
        fresh["point"] = [point for point, _ in new]
        fresh["check"] = [int(check) for _, check in new]
        self.state = np.concatenate([self.state, fresh])
        for point, check in new:
            self._place[point, int(check)] = len(self._place)
        self._has = None

    def follow(
        self,
        rules: NDArray[Any],
        *,
        point: NDArray[np.int32],
        meter: NDArray[np.int32],
        register: NDArray[np.int16],
        at_us: NDArray[np.int64],
        value: NDArray[np.float64],
        facts: Facts,
        factor: NDArray[np.float32],
    ) -> Followed:
        """Advance by readings in the order in which they arrived; checks must have begun.

        Parameters
        ----------
        rules : (1,) RULES_ROW
            `RedundancyRules.row`.
        point, meter : (n,) int32
        register : (n,) int16
            `FurtherRegister`, 0 for the main register.
        at_us : (n,) int64
            When measured. [us since 1970-01-01 UTC]
        value : (n,) float64
            Dial of the main register, others in their canonical unit.
        facts : Facts
        factor : (n,) float32
            By which the threshold is raised at the point. [1]
        """
        events, sights = [np.empty(0, EVENT_ROW)], [np.empty(0, SIGHT_ROW)]
        for check in Check:
            row_of = np.full(int(point.max(initial=0)) + 1, _NONE, np.int32)
            mine = np.flatnonzero(self.state["check"] == check)
            mine = mine[self.state["point"][mine] < len(row_of)]
            if not mine.size:
                continue
            row_of[self.state["point"][mine]] = mine
            slot = _TABLE[check][register]
            chosen = np.flatnonzero((slot >= 0) & (row_of[point] >= 0))
            if not chosen.size:
                continue
            primary = check is Check.PRIMARY_POWER
            by = facts.multiplier[chosen] if primary else np.ones(len(chosen))
            done = _run(
                self.state,
                rules,
                (
                    row_of[point[chosen]],
                    meter[chosen],
                    slot[chosen],
                    at_us[chosen],
                    value[chosen],
                    facts.scale[chosen] * by,
                    facts.amount[chosen] / by,
                    facts.most[chosen] * by,
                    2.0 * facts.limit[chosen] + float(rules["other"][0]),
                    factor[chosen].astype(np.float64),
                    np.ones(len(chosen)) if primary else facts.multiplier[chosen],
                ),
            )
            events.append(done[0])
            sights.append(done[1])
        return Followed(events=np.concatenate(events), sights=np.concatenate(sights))


def _run(
    state: NDArray[Any], rules: NDArray[Any], columns: tuple[NDArray[Any], ...]
) -> tuple[NDArray[Any], NDArray[Any]]:
    events, sights = [], []
    done = 0
    size = len(columns[0])
    while True:
        told, seen = np.empty(1024, EVENT_ROW), np.zeros(1024, SIGHT_ROW)
        cursor, count = np.zeros(1, np.int64), np.zeros(1, np.int64)
        parts = state, state["buffer"], state["window"], state["block"]
        done = kernel.follow(*(*parts, *columns, rules[0], told, cursor, seen, count, done))
        events.append(told[: cursor[0]])
        sights.append(seen[: count[0]])
        if done == size:
            return np.concatenate(events), np.concatenate(sights)
