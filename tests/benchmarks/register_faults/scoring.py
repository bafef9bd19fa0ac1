"""What was counted, held against the truth hour by hour."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analytics.columns.register import RegisterTable, advance, empty_state
from analytics.domain.ledger import OPEN_END, Installations
from analytics.domain.quality import DetectionKind, HourFlag
from tests.benchmarks.register_faults.worlds import World

__all__ = ["Score", "ledger_for", "score", "score_amounts"]

_H = 3_600_000_000
_PLAIN = {DetectionKind.GAP, DetectionKind.SILENCE, DetectionKind.STUCK}
_LATE_US = 24 * _H


@dataclass(slots=True, kw_only=True)
class Score:
    """Sums over dials. [shares are of `energy`, summed dial by dial so that each counts alike]

    Attributes
    ----------
    dials, days : float
    silent, flagged, missing, unexplained : float
        Sums of shares of each dial's energy: wrong in hours of quality 0, wrong in others, in hours without a value,
        set apart.
    events : int
        Detections that accuse, other than gaps.
    sound : float
        Sum of shares of energy of quality 0, and of estimated hours where readings are far apart.
    stopped : list of str
        Dials whose surprise was not counted in time, or ever.
    """

    dials: int = 0
    days: float = 0.0
    silent: float = 0.0
    flagged: float = 0.0
    missing: float = 0.0
    unexplained: float = 0.0
    sound: float = 0.0
    events: int = 0
    stopped: list[str] = field(default_factory=list)

    def __iadd__(self, other: Self) -> Self:
        for name in ("dials", "days", "silent", "flagged", "missing", "unexplained", "sound", "events", "stopped"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


def ledger_for(worlds: Sequence[World], knows: str) -> Installations:
    """What the ledger says of each dial."""
    n = len(worlds)
    peak = np.array([w.peak * 1.5 for w in worlds])
    rate = {"max_rate": peak, "both": peak, "rate / 10": peak / 10, "rate x 10": peak * 10}.get(knows)
    full = np.array([w.full_scale for w in worlds]) if knows in {"full_scale", "both"} else np.full(n, np.nan)
    one = np.ones(n)
    return Installations(
        point=np.arange(n, dtype=np.int32), meter=np.arange(n, dtype=np.int32), row=np.arange(n, dtype=np.int32),
        installed_from=np.zeros(n, np.int64), installed_to=np.full(n, OPEN_END), multiplier=one,
        unit=np.ones(n, np.int16), factor=one, full_scale=full, max_rate=np.full(n, np.nan) if rate is None else rate,
        interval_us=np.array([w.interval_s * 1_000_000 for w in worlds], np.int64),
        first_reading=np.full(n, np.nan), last_reading=np.full(n, np.nan), serial=np.full(n, -1, np.int32),
    )  # fmt: skip


def _truth(w: World, hour: NDArray[np.int64]) -> NDArray[np.float64]:
    """What was used in each hour between the first reading and the last."""
    at = np.concatenate((hour, hour + 1)) * _H
    used = np.interp(np.clip(at, w.at[0], w.at[-1]), w.at, w.true)
    n = len(hour)
    part: NDArray[np.float64] = used[n:] - used[:n]
    return part


def score(worlds: Sequence[World], knows: str) -> Score:
    """Take dials through the core, in one go and up to the deadline of each surprise."""
    total = Score()
    table = RegisterTable(ledger_for(worlds, knows))
    point = np.concatenate([np.full(len(w.at), i, np.int32) for i, w in enumerate(worlds)])
    columns = {"at_us": np.concatenate([w.at for w in worlds]), "value": np.concatenate([w.value for w in worlds])}
    state = empty_state(len(worlds))
    done = advance(state, table, point=point, installation=point, **columns)
    due = np.array([_deadline(w) for w in worlds])
    before = columns["at_us"] <= due[point]
    then = empty_state(len(worlds))
    chosen = {name: column[before] for name, column in columns.items()}
    advance(then, table, point=point[before], installation=point[before], **chosen)
    starts = np.searchsorted(done.hours["point"], np.arange(len(worlds) + 1))
    for i, w in enumerate(worlds):
        hours = done.hours[starts[i] : starts[i + 1]]
        mine = done.events[done.events["point"] == i]
        keys = {(int(e["kind"]), int(e["started"])): e for e in mine}
        one = score_amounts(w, hours["hour"], hours["amount"] / 1e6, hours["flags"], float(state["amount"][i]) / 1e6)
        energy = max(float(w.true[-1] - w.true[0]), 1e-9)
        one.unexplained = sum(int(e["amount"]) / 1e6 for e in keys.values() if e["kind"] == DetectionKind.JUMP) / energy
        one.events = len({k for k in keys if k[0] < 100 and DetectionKind(k[0]) not in _PLAIN})
        if w.surprise >= 0 and then["good_at"][i] < w.at[min(w.surprise, len(w.at) - 1)]:
            one.stopped.append(w.name)
        total += one
    return total


def _deadline(w: World) -> int:
    """24 h or three readings after a surprise, whichever is later."""
    if w.surprise < 0:
        return int(w.at[-1])
    return max(int(w.at[min(w.surprise + 3, len(w.at) - 1)]), int(w.at[w.surprise]) + _LATE_US)


def score_amounts(
    w: World,
    hour: NDArray[np.int64],
    amount: NDArray[np.float64],
    flags: NDArray[np.integer],
    pending: float = 0.0,
) -> Score:
    """Score of hours counted; `pending` is what the open hour holds."""
    energy = max(float(w.true[-1] - w.true[0]), 1e-9)
    truth = _truth(w, hour)
    wrong = np.abs(amount - truth)
    wrong[wrong <= 2.1 * w.step + 1e-5] = 0.0
    clean = (flags & ~int(HourFlag.ROLLOVER)) == 0
    if w.interval_s > 3600:  # an hour of a day's reading is estimated by nature
        clean = (flags & ~int(HourFlag.ROLLOVER | HourFlag.ESTIMATED)) == 0
    silent = float(wrong[clean].sum())
    if w.interval_s > 3600:  # its hours are spread: what counts is their sum between readings
        silent = _by_reading(w, hour, amount, truth, clean)
    return Score(
        dials=1,
        days=float(w.at[-1] - w.at[0]) / (24 * _H),
        silent=silent / energy,
        flagged=float(wrong[~clean].sum()) / energy,
        missing=max(0.0, energy - float(truth.sum()) - pending) / energy,
        sound=float(truth[clean].sum()) / energy,
    )


def _by_reading(
    w: World, hour: NDArray[np.int64], amount: NDArray[np.float64], truth: NDArray[np.float64],
    clean: NDArray[np.bool_],
) -> float:  # fmt: skip
    """The same summed from reading to reading, as far as hours lie between two."""
    place = np.searchsorted(w.at, hour[clean] * _H, side="right")
    off = np.bincount(place, weights=(amount - truth)[clean], minlength=len(w.at) + 1)
    wrong = np.abs(off)
    return float(wrong[wrong > 2.1 * w.step + 1e-3].sum())
