"""From test statistics to detections: thresholds, and naming the meter or declining to.

References
----------
The threshold falls with the length of the change, for there are fewer long spans than short ones to be wrong about:
L. Dümbgen and V. G. Spokoiny, "Multiscale testing of qualitative hypotheses", Annals of Statistics 29 (2001) 124-152.
Its correction for overdispersion divides by the median of |z| over that of a standard normal, as the MAD does: F. R.
Hampel, "The influence curve and its role in robust estimation", J. Am. Stat. Assoc. 69 (1974) 383-393.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.drift._batch import Batch
from analytics.drift._evidence import ANEW, Evidence, evidence, sides
from analytics.drift._history import calm, own, remember, set_aside
from analytics.drift._levels import Place, Twins, agreement
from analytics.drift._life import (
    collapse,
    follow,
    forget,
    gain_by,
    opened,
    outside,
    report,
    settle,
    settled,
    superseded,
)
from analytics.drift._shape import Shape, look_closely
from analytics.drift._sums import DaySums
from analytics.drift.change import UNNAMED, ChangeState, Ending, GainChange
from analytics.drift.groups import BalanceGroups
from analytics.drift.rules import BalanceRules

__all__ = ["closing", "decide", "explains", "longer", "naming_margin", "noisiness", "thresholds"]

Floats = NDArray[np.float64]

_HOURS = 24
_RESTLESS_DAYS = 90.0
_RESTLESS = 0.6745
"""Median of a standard normal's absolute value."""
_MOST_RESTLESS = 1.6
"""Cap of the correction for overdispersion: meters of a group may wander so much more than those of others."""
_SURE_HOURS, _SURE = 36.0, 2.5
"""A change is reported after this many hours of evidence, or sooner if it exceeds the threshold by this factor."""
_YOUNG = 0.2
"""Share by which the threshold is raised for a new group; it falls to zero over a second learning period."""
_QUIET_DAYS, _QUIET = 14, 1.6
"""For this many days after a detection, or a load that was learnt, another in the group must be louder by this factor.
"""
_APART_DAYS = 7
"""For this many days after a meter was accused no other of its balance is: what it counts now is hardly known yet."""
_OPEN_DAYS, _SETTLED_NOISE = 28, 14.0
"""A balance that has not closed for so many days is learnt from the beginning; days before its noise is known."""
_HALF_A_YEAR = 0.5 ** (1.0 / 180.0)
_USUAL_GROUP = 10.0
_LONGEST = 3.0
"""Spans longer than `_LONGEST * scan_days` share one threshold."""
_UNCLOSED_DAYS, _MISFIT_HOURS = 7, 72.0
"""A misfit over this many hours that no gain change explains: the balance counts as not closing for some days."""
_CONSTANT_DAYS = 7
"""Days that an always-on load must have lasted before it is accepted as an explanation."""
_HASTE_HOURS, _LATE_HOURS = 120.0, 360.0
"""With so many hours of evidence, naming a meter takes twice the early, or the late margin; with more, less, by the
square."""
_REFUTED = 9.0
"""Twice the log-likelihood by which a balance at another level must contradict a parent's change."""
_FAR_OFF, _FAR_HOURS, _FAR_MISFIT = 0.1, 14 * _HOURS, 1.5
"""A larger loss of gain must last for so many hours and fit better than other changes, unless it is a phase's."""
_PHASES, _PHASE_ABOUT = (1.0 / 3.0, 0.5, 2.0 / 3.0), 0.02
_CANDIDATES = 5
_LEAST_SHARE = 0.01


@dataclass(slots=True, kw_only=True, eq=False)
class _Heard:
    """Test statistics of a batch after a day has closed.

    Attributes
    ----------
    strength : (k, g, n + 2) float64
        Test statistic of each block, in standard deviations; 0 for meters whose gain is unknown.
    best, statistic : (g, n + 2) float64
        Largest of them, plain; and corrected for uncertainty of the gain, length of the change and overdispersion,
        combined with the balance at another level.
    plain, limit : (g,) float64
        Thresholds without and with the group's own past.
    closes : (g,) bool
    refuted : (g,) bool
        The parent is the best explanation, but a balance at another level contradicts it: an unmetered load.
    loose : (g, n + 1) float64
        1 for meters whose gain was unknown on that day.
    """

    halves: tuple[list[DaySums], list[DaySums]]
    seen: Evidence
    strength: Floats
    best: Floats
    statistic: Floats
    plain: Floats
    limit: Floats
    closes: NDArray[np.bool_]
    refuted: NDArray[np.bool_]
    loose: Floats


def decide(batches: Sequence[Batch], levels: Twins, groups: BalanceGroups, day: int) -> list[GainChange]:
    """Test a closed day; returns detections that were opened, updated or closed.

    Parameters
    ----------
    batches : sequence of Batch
        Changed in place.
    levels : Twins
        Meters that stand in two of the balances.
    groups : BalanceGroups
    day : int
        The day that closed. [d since 1970-01-01 UTC]
    """
    out = []
    for b, batch in enumerate(batches):
        settle(batch, day)
        batch.numbers["wrong"] *= _HALF_A_YEAR
        for standing in list(batch.standing):
            told = list(follow(batch, groups, standing, day))
            out += told
            if told and told[-1].state is ChangeState.CLOSED and standing.which >= 0:
                _twin_of(batches, levels, Place(b, standing.row, standing.which), loose=False)
    for batch in batches:
        _begin_anew(batch)
    heard = [_hear(batch, day) for batch in batches]
    _compare(levels, heard, groups, batches)
    for batch, what in zip(batches, heard, strict=True):
        if what is not None:
            _remember(batch, what, day)
    for b, (batch, what) in enumerate(zip(batches, heard, strict=True)):
        for change, place in _judge(b, batch, groups, what, day) if what is not None else ():
            out.append(change)
            if place is not None:
                _twin_of(batches, levels, place, loose=True, since=change.started_hour // _HOURS)
    return out


def _hear(batch: Batch, day: int) -> _Heard | None:
    now, rules = batch.numbers, batch.rules
    if not (now["days"] >= rules.learning_days).any() or len(batch.bank.first) < 2:
        return None
    halves = sides(batch.bank, batch.prior.together, batch.sigma2 / batch.prior.level)
    seen = evidence(
        batch.bank,
        halves,
        batch.prior,
        batch.sigma2,
        today=day,
        memory=rules.memory_days,
        least_before=_HOURS * rules.learning_days,
    )
    n = batch.mask.shape[1]
    strength = np.abs(seen.z)
    strength[:, :, : n + 1][:, now["loose"] == ANEW] = 0.0
    strength[:, now["loose"][:, n] == ANEW, n + 1] = 0.0
    _calibrate(batch, seen, day)
    strength[:, :, n + 1] = np.sqrt(np.maximum(strength[:, :, n + 1] ** 2 - rules.constant, 0.0))
    blurred = np.maximum(seen.deviation / rules.sharp, 1.0) ** rules.blur
    blurred *= np.sqrt(np.clip(seen.noise, 1.0, rules.unrest))[:, :, None]
    blurred *= longer(np.asarray(day + 1 - seen.day, np.float64), rules)[:, None, None]
    spoken = strength / blurred
    loudest = spoken[:, :, : n + 1].max(axis=2)
    begun = seen.day[loudest.argmax(axis=0)]
    total = batch.total()
    plain = _plain(batch, total, np.minimum(batch.numbers["restless"], calm(batch, begun)))
    waiting = batch.numbers["pending"]
    limit = plain * _by_its_past(batch, np.where(waiting >= 0.0, np.minimum(begun, waiting), begun).astype(np.int64))
    fresh = {
        one.row for one in batch.standing if (one.which >= 0 or one.settled) and day - one.detected_day < _QUIET_DAYS
    }
    limit[sorted(fresh)] *= _QUIET
    return _Heard(
        halves=halves,
        seen=seen,
        strength=strength,
        best=(strength / np.sqrt(np.clip(seen.noise, 1.0, rules.unrest))[:, :, None]).max(axis=0),
        statistic=spoken.max(axis=0),
        plain=plain,
        limit=limit,
        closes=closing(batch, total),
        refuted=np.zeros(len(batch.group), np.bool_),
        loose=now["loose"].copy(),
    )


def _begin_anew(batch: Batch) -> None:
    """Forget what groups sum while they do not close: it is no reference once they do, and hides that they do."""
    now = batch.numbers
    closes = noisiness(batch, batch.total()) < batch.rules.open_noise
    again = closes & (now["open_days"] > 0.0) & (now["was_open"] > 0.0)
    now["open_days"] = np.where(closes | (now["days"] < _SETTLED_NOISE), 0.0, now["open_days"] + 1.0)
    now["was_open"][closes & (now["days"] >= batch.rules.learning_days)] = 0.0
    named = {one.row for one in batch.standing if one.which >= 0}
    for row in np.flatnonzero(again | (now["open_days"] >= _OPEN_DAYS)).tolist():
        if row not in named:
            batch.forget_all(row)


def _remember(batch: Batch, heard: _Heard, day: int) -> None:
    """Keep how loud the day was in each group that has learnt and closes."""
    n = batch.mask.shape[1]
    loudest = heard.statistic[:, : n + 1].max(axis=1) / heard.plain
    remember(batch, np.where(heard.closes & (batch.numbers["days"] >= batch.rules.learning_days), loudest, 0.0), day)


def _compare(levels: Twins, heard: Sequence[_Heard | None], groups: BalanceGroups, batches: Sequence[Batch]) -> None:
    """Combine the statistics of two balances about the meter that they share."""
    found = []
    for here, there in levels.items():
        mine, other = heard[here.batch], heard[there.batch]
        if mine is None or other is None or not (mine.closes[here.row] and other.closes[there.row]):
            continue
        known = batches[there.batch].numbers
        learnt = known["days"][there.row] >= batches[there.batch].rules.learning_days
        if (
            learnt
            and groups.complete[batches[there.batch].group[there.row]]
            and not (known["loose"][there.row] == ANEW).any()
        ):
            found.append((mine, here, other, there))
    said = [
        agreement(mine.seen, here, other.seen, there, mine.strength[:, here.row, here.which])
        for mine, here, other, there in found
    ]
    for (mine, here, _, _), says in zip(found, said, strict=True):
        at = (here.row, here.which)
        if mine.best[at] > 0.0:
            parent = here.which == batches[here.batch].mask.shape[1]
            first = mine.best[at] ** 2 + batches[here.batch].rules.margin >= mine.best[here.row].max() ** 2
            mine.refuted[here.row] |= parent and first and says < -_REFUTED
            # it may decide between meters, but must not raise a weak statistic: another load below looks much the same
            bonus = min(says, 2.0 * batches[here.batch].rules.margin)
            ratio = float(np.sqrt(max(1.0 + bonus / float(mine.best[at]) ** 2, 0.0)))
            mine.best[at] *= ratio
            mine.statistic[at] *= min(ratio, 1.0)


def _twin_of(batches: Sequence[Batch], levels: Twins, place: Place, *, loose: bool, since: int = 0) -> None:
    """Mark a meter's gain as unknown, or as sound again, in the other balance that it belongs to."""
    twin = levels.get(place)
    if twin is None:
        return
    batch = batches[twin.batch]
    if loose and batch.bank.first:
        halves = sides(batch.bank, batch.prior.together, batch.sigma2 / batch.prior.level)
        at = max((i for i, first in enumerate(batch.bank.first) if first <= since), default=0)
        forget(batch, twin.row, at, [twin.which], halves, batch.bank.first[-1])
    else:
        batch.loosen(twin.row, twin.which, loose=loose)


def _judge(
    b: int, batch: Batch, groups: BalanceGroups, heard: _Heard, day: int
) -> Iterator[tuple[GainChange, Place | None]]:
    """Changes of a batch, and which meter's gain is newly known to be off."""
    now, n = batch.numbers, batch.mask.shape[1]
    loudest = heard.statistic[:, : n + 1].max(axis=1)
    ripe = (loudest > heard.limit) & (now["days"] >= batch.rules.learning_days) & groups.complete[batch.group]
    ripe &= (now["unclosed_until"] < day) | (loudest > _SURE * heard.limit)
    now["pending"][~ripe] = -1.0
    # a pending change inflates the noise until the balance seems not to close: report it, without naming a meter
    closes = heard.closes | (now["pending"] >= 0.0)
    for row in np.flatnonzero(ripe & closes & ~heard.refuted).tolist():
        for change in _rule(batch, groups, row, heard, day):
            fresh = change.state is ChangeState.OPEN and change.child != UNNAMED
            yield change, Place(b, row, batch.standing[-1].which) if fresh else None


def thresholds(batch: Batch) -> Floats:
    """Detection threshold of each group; (g,). [std. dev.]"""
    return np.asarray(_plain(batch, batch.total(), batch.numbers["restless"]) * _by_its_past(batch), np.float64)


def _by_its_past(batch: Batch, since: NDArray[np.int64] | None = None) -> Floats:
    """Factor of the threshold by what the group has said before the day `since`; (g,)."""
    now, rules = batch.numbers, batch.rules
    wary = 1.0 + np.minimum(rules.wary * now["wrong"] + rules.most_wary * now["unmetered"], rules.most_wary)
    return np.asarray(own(batch, since) * wary, np.float64)


def _plain(batch: Batch, total: DaySums, restless: Floats) -> Floats:
    """Threshold of a group without a past, given the typical size of its statistics; (g,).

    Higher for many children, overdispersed statistics, and noise that is more than that of meters: it is then what the
    model leaves out.
    """
    now = batch.numbers
    many = np.log(np.maximum(batch.mask.sum(axis=1), 1) / _USUAL_GROUP)
    plain = np.sqrt(np.maximum(batch.rules.alarm**2 + 2.0 * many, 9.0))
    overdispersion = restless / _RESTLESS
    young = 1.0 + _YOUNG * np.clip(2.0 - now["days"] / batch.rules.learning_days, 0.0, 1.0)
    noise = noisiness(batch, total)
    misfitting = np.where(np.isfinite(noise), np.maximum(noise / batch.rules.noisy, 1.0), 1.0)
    return np.asarray(plain * young * misfitting * np.clip(overdispersion, 1.0, _MOST_RESTLESS), np.float64)


def longer(days: Floats | float, rules: BalanceRules) -> Floats:
    """Threshold of a change that has lasted `days`, relative to one that has lasted `scan_days`; (k,).

    Examples
    --------
    >>> longer(np.array([1.0, 7.0, 28.0, 84.0, 200.0]), BalanceRules()).round(2)
    array([1.62, 1.3 , 1.  , 0.91, 0.91])
    """
    part = np.log(rules.scan_days / np.clip(days, 1.0, _LONGEST * rules.scan_days))
    part = np.where(part > 0.0, rules.brief * part, part)
    return np.asarray(np.sqrt(np.maximum(1.0 + 2.0 * part / rules.alarm**2, 0.25)), np.float64)


def naming_margin(rules: BalanceRules, hours: float) -> float:
    """Twice the log-likelihood ratio by which a meter must lead to be named, after so many hours of evidence."""
    early = rules.margin * (1.0 + (_HASTE_HOURS / hours) ** 2)
    return min(early, rules.late_margin * (1.0 + (_LATE_HOURS / hours) ** 2))


def closing(batch: Batch, total: DaySums | None = None) -> NDArray[np.bool_]:
    """Whether each group's balance closes: noise and unexplained share are small enough; (g,) bool."""
    total = batch.total() if total is None else total
    used = np.maximum(total.e[:, :-1], 0.0).sum(axis=1)
    lost = (total.e[:, -1] - total.e[:, :-1].sum(axis=1)) / np.maximum(used, 1e-12)
    return np.asarray((noisiness(batch, total) < batch.rules.open_noise) & (np.abs(lost) < batch.rules.open_loss))


def noisiness(batch: Batch, total: DaySums) -> Floats:
    """Noise of each balance relative to what the classes of its meters let expect, infinite before any; (g,). [1]"""
    used = np.maximum(total.e[:, :-1], 0.0).sum(axis=1)
    share = total.e[:, :-1] / np.maximum(used, 1e-12)[:, None]
    expected = batch.rules.hourly_noise * np.sqrt(batch.parent_limit**2 + ((share * batch.limits) ** 2).sum(axis=1))
    ratio = batch.numbers["sigma"] / np.maximum(expected, 1e-12)
    return np.asarray(np.where(used > 0.0, ratio, np.inf), np.float64)


def _calibrate(batch: Batch, seen: Evidence, day: int) -> None:
    """Update each group's overdispersion: the median of |z| over meters and days, smoothed."""
    now = batch.numbers
    n = batch.mask.shape[1]
    age = day - seen.day + 1
    middle = (age >= 5) & (age <= 60)
    if not middle.any():
        return
    z = np.abs(seen.z[middle][:, :, :n])
    z[:, ~(batch.mask & (now["loose"][:, :n] != ANEW))] = np.nan
    z[z == 0.0] = np.nan
    known = np.asarray(np.isfinite(z).any(axis=(0, 2)), np.bool_).reshape(len(batch.group))
    if not known.any():
        return
    typical = np.zeros(len(known))
    typical[known] = np.nanmedian(z[:, known], axis=(0, 2))
    now["restless_days"] += known
    part = 1.0 / np.clip(now["restless_days"], 1.0, _RESTLESS_DAYS)
    now["restless"] += np.where(known, part * (typical - now["restless"]), 0.0)


def _rule(
    batch: Batch,
    groups: BalanceGroups,
    row: int,
    heard: _Heard,
    day: int,
) -> list[GainChange]:
    """Decide on a group above its threshold: report with or without a name, or wait."""
    now, rules = batch.numbers, batch.rules
    n = batch.mask.shape[1]
    best = np.sqrt(_plausible(batch, row, heard))
    statistic = heard.statistic[row] * (rules.alarm / heard.limit[row])
    top = int(best.argmax())
    if (now["loose"][row] != heard.loose[row]).any():  # another level has reported a meter of this balance today
        return []
    if now["pending"][row] < 0:
        now["pending"][row] = day
    ahead = best[top] ** 2 - float(np.delete(best, top).max()) ** 2
    if top == n + 1 and ahead >= rules.margin:
        return _constant(batch, groups, row, heard, day)
    shape = _closely(batch, row, top, day) if statistic[top] > rules.alarm else None
    if shape is None or not _worth(batch, row, top, shape, float(best[top])) or _misfit(batch, row, shape, day):
        return []
    leads = ahead >= naming_margin(rules, shape.hours) and _weights(batch, row, best)[top] >= rules.likely
    named = leads and _nameable(batch, heard, row, top, shape, day)
    unnamed = [one for one in batch.standing if one.row == row and one.which < 0]
    if not named and (unnamed or day - now["pending"][row] < rules.patience_days):
        return []
    out = []
    for one in [one for one in unnamed if named and not one.settled]:  # reported without a name, now it has one
        batch.standing.remove(one)
        out.append(report(batch, groups, one, ChangeState.CLOSED, day, Ending.RETOLD))
    now["pending"][row] = -1.0
    set_aside(batch, row, shape.start)
    candidates = _candidates(batch, row, heard, best, named=named)
    which, score = top if named else -1, float(statistic[top])
    standing = opened(batch, row, which, top, shape, candidates, score, heard.halves, day)
    closed, back = superseded(batch, groups, standing, shape.block, heard.halves, day)
    if not back:
        standing.alarm = outside(batch, standing)
        batch.standing.append(standing)
        closed.append(report(batch, groups, standing, ChangeState.OPEN, day))
    return [*out, *closed]


def _closely(batch: Batch, row: int, which: int, day: int) -> Shape | None:
    rules = batch.rules
    return look_closely(
        batch.bank,
        batch.prior,
        row,
        which,
        float(batch.sigma2[row]),
        today=day,
        memory=rules.memory_days,
        least_before=_HOURS * rules.learning_days,
        fits=rules.misfit,
    )


def _misfit(batch: Batch, row: int, shape: Shape, day: int) -> bool:
    """Whether no gain change explains the data; the balance then counts as not closing for some days."""
    misfit = shape.misfit > batch.rules.misfit
    if misfit and shape.hours >= _MISFIT_HOURS:  # not the half day of a fault that began at noon
        batch.numbers["unclosed_until"][row] = day + _UNCLOSED_DAYS
    return misfit


def _worth(batch: Batch, row: int, top: int, shape: Shape, best: float) -> bool:
    """Whether there are enough hours of evidence, and the change is large enough to matter."""
    rules = batch.rules
    limit = float(batch.parent_limit[row] if top >= batch.mask.shape[1] else batch.limits[row, top])
    sure = shape.hours >= _SURE_HOURS or best >= _SURE * rules.alarm
    return sure and abs(shape.size) >= rules.least * limit


def _nameable(batch: Batch, heard: _Heard, row: int, top: int, shape: Shape, day: int) -> bool:
    """Whether the best explanation is a meter that may be accused today."""
    n = batch.mask.shape[1]
    if top > n or not heard.closes[row]:
        return False
    told = [one.detected_day for one in batch.standing if one.row == row and one.which >= 0]
    apart = all(day - one >= _APART_DAYS for one in told)
    return apart and _on_whole_days(heard, row, top, batch.rules.margin) and explains(shape, parent=top == n)


def _on_whole_days(heard: _Heard, row: int, top: int, margin: float) -> bool:
    """Whether no other meter explains a change better by `margin` without the day on which it seems to begin.

    Of that day some hours are of the old gain, which looks like a meter whose load comes in the other hours.
    """
    said = heard.strength[:, row, : heard.strength.shape[2] - 1]
    after = int(said[:, top].argmax()) + 1
    return after < len(said) and bool(0.0 < said[after].max() ** 2 <= said[after, top] ** 2 + margin)


def explains(shape: Shape, *, parent: bool) -> bool:
    """Whether a change is rather one of a meter than a load that was connected without one and looks like the meter's.

    Meters seldom lose a tenth of what they count but by phases; where one seems to, it must fit for two weeks.
    """
    gain = gain_by(shape.size, parent=parent)
    lost = gain if parent else -gain
    if lost < _FAR_OFF or any(abs(lost - share) < _PHASE_ABOUT for share in _PHASES):
        return True
    return shape.hours >= _FAR_HOURS and shape.misfit <= _FAR_MISFIT


def _sizes(heard: _Heard, row: int) -> Floats:
    """Change of each coefficient at its most likely day; (n + 2,)."""
    at = heard.strength[:, row].argmax(axis=0)
    return np.asarray(heard.seen.size[at, row, np.arange(len(at))], np.float64)


def _plausible(batch: Batch, row: int, heard: _Heard) -> Floats:
    """Twice the log-posterior of each explanation, with the prior on sizes of errors; (n + 2,).

    Errors beyond the class are the rarer the larger they are. That decides between children only: what
    speaks against the likeliest of them is taken off all.
    """
    n = batch.mask.shape[1]
    said = heard.best[row] ** 2
    excess = _sizes(heard, row)[:n] / np.maximum(batch.limits[row], 1e-4)
    rare = np.where(batch.mask[row], batch.rules.rare * np.log1p(excess**2), 0.0)
    said[:n] -= rare - rare[int((said[:n] - rare).argmax())]
    return np.asarray(np.maximum(said, 0.0), np.float64)


def _weights(batch: Batch, row: int, best: Floats) -> Floats:
    """Weight of each explanation among all; (n + 2,)."""
    n = batch.mask.shape[1]
    weight = np.exp(np.clip((best**2 - best.max() ** 2) / 2.0, -700.0, 0.0))
    weight[:n] *= batch.mask[row]
    return np.asarray(weight / weight.sum(), np.float64)


def _candidates(batch: Batch, row: int, heard: _Heard, best: Floats, *, named: bool) -> list[tuple[int, float, float]]:
    """Explanations by their weight among all: place, weight, and the gain change if it is this meter.

    A constant load is one of them where no meter is named; its size is a share of the usual flow.
    """
    n = batch.mask.shape[1]
    weight = _weights(batch, row, best)
    sizes = _sizes(heard, row)
    order = np.argsort(-weight[: n + 1] if named else -weight)[:_CANDIDATES].tolist()
    found = [
        (j, float(weight[j]), gain_by(sizes[j], parent=j == n) if j <= n else float(sizes[j]))
        for j in order
        if weight[j] > _LEAST_SHARE
    ]
    if named or heard.closes[row]:
        return found
    unmetered = (n + 1, 0.5, float(sizes[n + 1]))  # a balance that does not close has a load that no meter counts
    return sorted([unmetered, *((j, share / 2.0, size) for j, share, size in found if j <= n)], key=lambda one: -one[1])


def _constant(batch: Batch, groups: BalanceGroups, row: int, heard: _Heard, day: int) -> list[GainChange]:
    """A constant load came or went, or a meter of a flat load changed: re-estimate, report it, and name no meter."""
    n = batch.mask.shape[1]
    block = 1 + int(heard.strength[:, row, n + 1].argmax())
    if day - batch.bank.first[block] < _CONSTANT_DAYS:
        return []
    shape = _closely(batch, row, n + 1, day)
    best = np.sqrt(_plausible(batch, row, heard))
    candidates, score = _candidates(batch, row, heard, best, named=False), float(heard.best[row, n + 1])
    seen = shape is not None and abs(shape.size) >= batch.rules.least * float(batch.parent_limit[row])
    standing = opened(batch, row, -1, n + 1, shape, candidates, score, heard.halves, day) if shape and seen else None
    set_aside(batch, row, batch.bank.first[block])
    collapse(batch, row, block, [n + 1], heard.halves)
    if standing is None or any(one.row == row and one.which < 0 for one in batch.standing):
        return []  # while an unnamed change is open, new data only refine it
    settled(batch, standing)
    batch.standing.append(standing)
    return [report(batch, groups, standing, ChangeState.OPEN, day)]
