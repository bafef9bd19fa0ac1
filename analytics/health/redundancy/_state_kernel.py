"""State of a redundancy check, and what all checks share: reporting, counting, resetting."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.columns._events_kernel import write_event
from analytics.columns._layout import NEVER
from analytics.compiled import compiled_plain
from analytics.domain.quality import DetectionKind

__all__ = [
    "AGREES",
    "BEYOND",
    "BLOCKS",
    "BUFFER",
    "CHECK_STATE",
    "DEAD",
    "ENERGY",
    "FAULTY",
    "FLOW_RETURN",
    "FLOW_SUPPLY",
    "HEAT",
    "HOUR",
    "LEARNS",
    "NEWEST",
    "PHASES",
    "POWER",
    "PRIMARY",
    "REVERSED",
    "RULES_ROW",
    "SIGHT_ROW",
    "SLOTS",
    "STUCK_SENSOR",
    "SWAPPED",
    "WINDOWS",
    "Given",
    "count_off",
    "forget",
    "start_again",
    "tell",
]

POWER, PRIMARY, PHASES, HEAT = 0, 1, 2, 3
"""Checks: energy against power before the multiplier, against primary power, phases, heat against volume and ΔT."""

LEARNS, AGREES, FAULTY = 0, 1, 2

ENERGY, SWAPPED, STUCK_SENSOR, DEAD, REVERSED = 0, 1, 2, 4, 7
"""Causes. A stuck sensor has its slot added (supply, return), a dead and a reversed phase the phase's number."""

SLOTS = 4
"""Registers of a check: the energy and up to three others."""
FLOW_RETURN, FLOW_SUPPLY = 3, 4
"""Slots of a heat meter's volume; the last one stands for 3 with the flow sensor in the supply."""

BUFFER, WINDOWS, BLOCKS = 48, 24, 16

CHECK_STATE = np.dtype(
    [
        # whose, and how far it is
        ("point", "<i4"), ("meter", "<i4"), ("check", "i1"), ("begun", "i1"), ("status", "i1"), ("cause", "<i2"),
        ("primary", "i1"), ("agreed", "i1"), ("in_supply", "i1"),
        ("buffered", "<i4"), ("windows", "<i4"), ("blocks", "<i4"), ("refused", "<i4"), ("told_windows", "<i4"),
        ("settled", "<f8"), ("begin", "<f8"), ("newest", "<f8", (SLOTS,)), ("first", "<f8"),
        # newest settled value and time of each register; energy that waits for the next other reading
        ("value", "<f8", (SLOTS,)), ("at", "<f8", (SLOTS,)), ("pending_at", "<f8"), ("pending", "<f8"),
        ("pending_scale", "<f8"), ("pending_most", "<f8"),
        # the energy reading that opened the running cell, and what the other registers read since
        ("edge_at", "<f8"), ("edge", "<f8"), ("edge_scale", "<f8"), ("cell", "<f8"), ("cell_noise", "<f8"),
        ("cell_ok", "i1"), ("stood", "i1"), ("heat", "<f8"),
        # the running window, and the digits of the registers
        ("open_at", "<f8"), ("open_e", "<f8"), ("open_i", "<f8"), ("open_v", "<f8"), ("open_s", "<f8"),
        ("digit", "<f8", (SLOTS,)), ("amount_scale", "<f8"),
        # heat: windows in a row with the return warmer; readings in a row at which a temperature stood still
        ("negative", "<i4"), ("still", "<i4", (2,)), ("moved", "<i4", (2,)), ("warm", "<f8"),
        # phases: the running hour, what is usual, and how long each is dead or reversed
        ("sum", "<f8", (3,)), ("count", "<i4", (3,)), ("hour", "<i8"), ("share", "<f8", (3,)), ("load", "<f8"),
        ("hours", "<i4"), ("alive", "<i4", (3,)), ("dead", "<i4", (3,)), ("run", "<i4", (3,)), ("longest", "<i4", (3,)),
        ("against", "<i4", (3,)), ("low", "<f8", (3,)), ("pair", "<i4", (3,)), ("run_at", "<f8", (3,)),
        # what is reported: since when, what was counted, what should have been
        ("since", "<f8"), ("off_k", "<f8"), ("told", "<f8"),
        ("off_n", "<f8"), ("off_e", "<f8"), ("off_i", "<f8"), ("off_ee", "<f8"), ("off_ei", "<f8"), ("off_ii", "<f8"),
        # sums of the block that is being filled
        ("fill", "<f8", (8,)),
        # readings not settled yet: time, value, scale, slot, most that can be
        ("buffer", "<f8", (BUFFER, 5)),
        # newest windows: begin, energy, what the others say, variance of that
        ("window", "<f8", (WINDOWS, 4)),
        # blocks of windows: begin, windows, E, I, EE, EI, II, variance
        ("block", "<f8", (BLOCKS, 8)),
    ]
)  # fmt: skip
"""One check of one meter between two batches."""

RULES_ROW = np.dtype(
    [
        ("lag", "<f8"), ("gap", "<f8"), ("window", "<f8"), ("z", "<f8"), ("fast_z", "<f8"), ("fast", "<f8"),
        ("agree", "<f8"), ("learn", "<i8"), ("floor", "<f8"), ("delta_t", "<f8"),
        ("dead", "<f8"), ("habit_hours", "<i8"), ("dead_hours", "<i8"), ("loose_hours", "<i8"),
        ("reversed_hours", "<i8"), ("still", "<f8"), ("other", "<f8"),
    ]
)  # fmt: skip

SIGHT_ROW = np.dtype(
    [
        ("at", "<i8"), ("ratio", "<f8"), ("deviation", "<f8"), ("smallest", "<f8"), ("tolerance", "<f8"),
        ("n", "<i4"), ("point", "<i4"), ("check", "i1"), ("status", "i1"), ("refused", "i1"),
        ("primary", "i1"),
    ]
)  # fmt: skip

NEWEST = np.dtype([("key", "<i8"), ("at", "<i8"), ("value", "<f8")])
"""A register by a number of the caller's, and its newest reading."""

_RATIO = int(DetectionKind.RATIO)
HOUR = 3.6e9
BEYOND = 20.0  # multiple of the largest possible load beyond which a value is invalid, whatever the ratio


class Given(NamedTuple):
    """Inputs of a check beside its state, and its output arrays."""

    windows: NDArray[np.float64]
    blocks: NDArray[np.float64]
    limits: float
    factor: float
    multiplier: float
    rules: Any
    events: NDArray[Any]
    cursor: NDArray[np.int64]
    sights: NDArray[Any]
    seen: NDArray[np.int64]


@compiled_plain
def tell(s, now, ended, events, cursor):
    """Write an event of the open contradiction; its fields are those of `RATIO` in `analytics.columns.events`."""
    scale = s.check * 32 + s.cause + (16 if s.primary != 0 else 0)
    # so that two checks of one point are two detections
    started = np.int64(s.since) + s.check
    until = np.int64(ended) if ended >= 0.0 else NEVER
    too_much = np.int64(min(max((s.off_e - s.off_i) * s.amount_scale * 1e6, -4e18), 4e18))
    n = np.int32(min(s.off_n, 2e9))
    write_event(
        events[cursor[0]], s.point, -1, _RATIO, scale, started, until, np.int64(now), s.off_i, s.off_e, 1.96 * s.told,
        n, too_much,
    )  # fmt: skip
    cursor[0] += 1


@compiled_plain
def start_again(s):
    s.off_n = 0.0
    s.off_e = 0.0
    s.off_i = 0.0
    s.off_ee = 0.0
    s.off_ei = 0.0
    s.off_ii = 0.0


@compiled_plain
def count_off(s, e, i):
    s.off_n += 1.0
    s.off_e += e
    s.off_i += i
    s.off_ee += e * e
    s.off_ei += e * i
    s.off_ii += i * i


@compiled_plain
def forget(s):
    """Reset everything that was learnt."""
    s.windows = 0
    s.blocks = 0
    s.fill[:] = 0.0
    s.status = LEARNS
    s.cause = ENERGY
    s.told_windows = 0
