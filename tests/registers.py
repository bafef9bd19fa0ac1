"""Single registers for tests: installations from plain facts, readings from clock times."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.columns.register import Advanced, RegisterRules, RegisterTable, advance, empty_state
from analytics.domain.ledger import OPEN_END, Installations

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
DAY = 20_458  # 2026-01-05


def clock(text: str) -> int:
    """Instant of a time of the day. [µs since 1970 UTC]"""
    hours, minutes, *seconds = (int(part) for part in text.split(":"))
    return DAY * DAY_US + hours * HOUR_US + minutes * MINUTE_US + (seconds[0] * 1_000_000 if seconds else 0)


def installations(facts: Sequence[Mapping[str, Any]]) -> Installations:
    """Installations of one point or, with `point`, of several; facts as in tests/golden/registers.toml."""

    def column(name: str, default: float) -> NDArray[np.float64]:
        return np.array([float(f.get(name, default)) for f in facts])

    unit_factor, multiplier = column("unit_factor", 1), column("multiplier", 1)
    return Installations(
        point=np.array([f.get("point", 0) for f in facts], np.int32),
        meter=np.array([f.get("meter", f.get("point", 0)) for f in facts], np.int32),
        row=np.arange(len(facts), dtype=np.int32),
        installed_from=np.array([clock(f["from"]) if "from" in f else 0 for f in facts], np.int64),
        installed_to=np.array([clock(f["to"]) if "to" in f else OPEN_END for f in facts], np.int64),
        multiplier=multiplier,
        unit=np.ones(len(facts), np.int16),
        factor=unit_factor * multiplier,
        full_scale=column("full_scale", 1e6),
        max_rate=column("max_rate", 100),
        interval_us=(column("interval_min", 15) * MINUTE_US).astype(np.int64),
        first_reading=column("first_reading", np.nan),
        last_reading=column("last_reading", np.nan),
        serial=column("serial", -1).astype(np.int32),
    )


def in_force(inst: Installations, meter: NDArray[np.int32], at: NDArray[np.int64]) -> NDArray[np.int32]:
    """The installation in force, by looking at all of them: what the compiled search must agree with."""
    found = np.full(len(meter), -1, np.int32)
    for k in range(len(inst)):
        holds = (inst.meter[k] == meter) & (inst.installed_from[k] <= at) & (at <= inst.installed_to[k])
        found[holds] = k
    return found


def follow(
    inst: Installations,
    at: NDArray[np.int64],
    value: NDArray[np.float64],
    *,
    meter: NDArray[np.int32] | None = None,
    cuts: Sequence[int] = (),
    rules: RegisterRules | None = None,
) -> tuple[NDArray[Any], list[Advanced]]:
    """State and outputs of readings given in one go, or in pieces cut at `cuts`."""
    table = RegisterTable(inst, rules)
    state = empty_state(int(inst.point.max()) + 1)
    meter = np.zeros(len(at), np.int32) if meter is None else meter
    installation = in_force(inst, meter, at)
    edges = [0, *sorted(cuts), len(at)]
    return state, [
        advance(
            state,
            table,
            point=inst.point[installation[a:b]],
            installation=installation[a:b],
            at_us=at[a:b],
            value=value[a:b],
        )
        for a, b in pairwise(edges)
    ]
