"""From evidence to what is said: thresholds, naming or refusing, and the life of a detection."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import DetectionKind
from analytics.drift._batch import Batch, Standing
from analytics.drift._evidence import Evidence, evidence, shift, sides
from analytics.drift._levels import HONEST, Place, Twins, agreement, gain_of
from analytics.drift._shape import Revised, Shape, direction, look_back, look_closely
from analytics.drift._sums import EXTRA, DaySums
from analytics.drift.change import PARENT, UNNAMED, Accused, ChangeState, GainChange
from analytics.drift.groups import BalanceGroups
from analytics.drift.rules import BalanceRules

__all__ = ["closing", "decide", "longer", "released", "thresholds"]

Floats = NDArray[np.float64]

_HOURS = 24
_TELL_DAYS = 7
_RESTLESS_DAYS = 90.0
_RESTLESS = 0.6745
"""Median of a standard normal's absolute value."""
_MOST_RESTLESS = 1.1
"""A fault makes all of a group's meters look restless, so this must not silence it."""
_SURE_HOURS, _SURE = 36.0, 2.5
"""A change is said once so many hours show it, or sooner where it is so many times the threshold."""
_YOUNG = 0.2
"""So much higher is the threshold while a group is young; it falls over four learning times."""
_QUIET_DAYS, _QUIET = 14, 1.6
"""So long after a detection another in the same group must be so many times louder than the threshold."""
_USUAL_GROUP = 10.0
_LONGEST = 3.0
"""So many times `scan_days` is the longest span that is told from others by its length."""
_UNCLOSED_DAYS, _MISFIT_HOURS = 7, 72.0
"""So long a balance is held not to close after days that no gain change explains, once there are enough of them."""
_CONSTANT_DAYS = 7
"""A load that is always on must have been there so long before it is taken for one."""
_SETTLE_DAYS = 14
_TELL_APART_DAYS = 63
"""So long after a change was told without a name it may still get one."""
_HASTE_HOURS = 48.0
"""The lead a meter needs to be named is twice as large where only so many hours show the change."""
_REVISE_DAYS = 63
"""So long a change that was said for a step may be found to be a ramp, and a ramp is followed by its shape."""
_RELEARNT_DAYS = 77
"""From here on what a ramp came to is what was learnt after `_REVISE_DAYS`."""
_BACK = 0.35
_REFUTED = 9.0
"""Twice the log likelihood by which another level must speak against a parent."""
_CANDIDATES = 5
_Z95 = 1.96
_ROUGH = 0.02
"""No change is known better than to this share of itself: intervals of lost phases held 0.48 in development without."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Heard:
    """What a batch says of a day that closed.

    Attributes
    ----------
    strength : (k, g, n + 2) float64
        Standard deviations by block; 0 for what is known to be off.
    best, loud : (g, n + 2) float64
        The most of them, as it is, and by how well the gain is known, how long ago it changed and how restless it has
        been since; with what another level says of the same meter.
    limit : (g,) float64
    closes : (g,) bool
    refuted : (g,) bool
        The parent explains best what was seen, but another level says that it did not change: a load is unmetered.
    loose : (g, n + 1) float64
        1 for meters whose gain was known to be off then.
    """

    halves: tuple[list[DaySums], list[DaySums]]
    seen: Evidence
    strength: Floats
    best: Floats
    loud: Floats
    limit: Floats
    closes: NDArray[np.bool_]
    refuted: NDArray[np.bool_]
    loose: Floats


def decide(batches: Sequence[Batch], levels: Twins, groups: BalanceGroups, day: int) -> list[GainChange]:
    """Look at a day that has closed; changes that opened, were updated, or closed.

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
        for standing in list(batch.standing):
            told = list(_follow(batch, groups, standing, day))
            out += told
            if told and told[-1].state is ChangeState.CLOSED and standing.which >= 0:
                _twin_of(batches, levels, Place(b, standing.row, standing.which), loose=False)
    heard = [_hear(batch, day) for batch in batches]
    _compare(levels, heard, groups, batches)
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
    strength[:, :, : n + 1][:, now["loose"] > 0] = 0.0
    strength[:, now["loose"][:, n] > 0, n + 1] = 0.0
    _calibrate(batch, seen, day)
    blurred = np.maximum(seen.deviation / rules.sharp, 1.0) ** rules.blur
    blurred *= np.sqrt(np.clip(seen.noise, 1.0, rules.unrest))[:, :, None]
    blurred *= longer(np.asarray(day + 1 - seen.day, np.float64), rules)[:, None, None]
    limit = thresholds(batch)
    for standing in batch.standing:
        if standing.which >= 0 and day - standing.detected_day < _QUIET_DAYS:
            limit[standing.row] = max(limit[standing.row], _QUIET * float(thresholds(batch)[standing.row]))
    return _Heard(
        halves=halves,
        seen=seen,
        strength=strength,
        best=(strength / np.sqrt(np.clip(seen.noise, 1.0, rules.unrest))[:, :, None]).max(axis=0),
        loud=(strength / blurred).max(axis=0),
        limit=limit,
        closes=closing(batch),
        refuted=np.zeros(len(batch.group), np.bool_),
        loose=now["loose"].copy(),
    )


def _compare(levels: Twins, heard: Sequence[_Heard | None], groups: BalanceGroups, batches: Sequence[Batch]) -> None:
    """Let each of two balances hear what the other says of the meter between them."""
    found = []
    for here, there in levels.items():
        mine, other = heard[here.batch], heard[there.batch]
        if mine is None or other is None or not (mine.closes[here.row] and other.closes[there.row]):
            continue
        known = batches[there.batch].numbers
        learnt = known["days"][there.row] >= batches[there.batch].rules.learning_days
        if learnt and groups.complete[batches[there.batch].group[there.row]] and not known["loose"][there.row].any():
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
            # it may decide between meters, but must not make a whisper loud: another load below looks much the same
            bonus = min(says, 2.0 * batches[here.batch].rules.margin)
            ratio = float(np.sqrt(max(1.0 + bonus / float(mine.best[at]) ** 2, 0.0)))
            mine.best[at] *= ratio
            mine.loud[at] *= min(ratio, 1.0)


def _twin_of(batches: Sequence[Batch], levels: Twins, place: Place, *, loose: bool, since: int = 0) -> None:
    """Tell the other balance of a meter that its gain changed, or that all is well again."""
    twin = levels.get(place)
    if twin is None:
        return
    batch = batches[twin.batch]
    if loose and batch.bank.first:
        halves = sides(batch.bank, batch.prior.together, batch.sigma2 / batch.prior.level)
        at = max((i for i, first in enumerate(batch.bank.first) if first <= since), default=0)
        _forget(batch, twin.row, at, [twin.which], halves)
    else:
        batch.loosen(twin.row, twin.which, loose=loose)


def _judge(
    b: int, batch: Batch, groups: BalanceGroups, heard: _Heard, day: int
) -> Iterator[tuple[GainChange, Place | None]]:
    """Changes of a batch, and which meter's gain is newly known to be off."""
    now, n = batch.numbers, batch.mask.shape[1]
    loudest = heard.loud[:, : n + 1].max(axis=1)
    ripe = (loudest > heard.limit) & (now["days"] >= batch.rules.learning_days) & groups.complete[batch.group]
    ripe &= (now["unclosed_until"] < day) | (loudest > _SURE * heard.limit)
    now["pending"][~ripe] = -1.0
    for row in np.flatnonzero(ripe & heard.closes & ~heard.refuted).tolist():
        for change in _rule(batch, groups, row, heard, day):
            fresh = change.state is ChangeState.OPEN and change.child != UNNAMED
            yield change, Place(b, row, batch.standing[-1].which) if fresh else None


def thresholds(batch: Batch) -> Floats:
    """Standard deviations at which each group is heard: more where many children, or where it is never quiet; (g,)."""
    now = batch.numbers
    many = np.log(np.maximum(batch.mask.sum(axis=1), 1) / _USUAL_GROUP)
    plain = np.sqrt(np.maximum(batch.rules.alarm**2 + 2.0 * many, 9.0))
    restless = now["restless"] / _RESTLESS
    young = 1.0 + _YOUNG * np.clip(2.0 - now["days"] / (2.0 * batch.rules.learning_days), 0.0, 1.0)
    return np.asarray(plain * young * np.clip(restless, 1.0, _MOST_RESTLESS), np.float64)


def longer(days: Floats | float, rules: BalanceRules) -> Floats:
    """What the threshold of a change that has lasted so many days is, over that of one of `scan_days`; (k,).

    Examples
    --------
    >>> longer(np.array([1.0, 7.0, 28.0, 84.0, 200.0]), BalanceRules()).round(2)
    array([1.62, 1.3 , 1.  , 0.91, 0.91])
    """
    part = np.log(rules.scan_days / np.clip(days, 1.0, _LONGEST * rules.scan_days))
    part = np.where(part > 0.0, rules.brief * part, part)
    return np.asarray(np.sqrt(np.maximum(1.0 + 2.0 * part / rules.alarm**2, 0.25)), np.float64)


def closing(batch: Batch) -> NDArray[np.bool_]:
    """Whether each group's balance closes: quiet enough, and not too much unexplained; (g,) bool."""
    total = batch.total()
    inside = total.e[:, :-1].sum(axis=1)
    lost = (total.e[:, -1] - inside) / np.maximum(inside, 1e-12)
    rules = batch.rules
    share = total.e[:, :-1] / np.maximum(inside, 1e-12)[:, None]
    expected = rules.hiss * np.sqrt(batch.parent_limit**2 + ((share * batch.limits) ** 2).sum(axis=1))
    quiet = batch.numbers["sigma"] < rules.open_noise * expected
    return np.asarray(quiet & (np.abs(lost) < rules.open_loss), np.bool_)


def _calibrate(batch: Batch, seen: Evidence, day: int) -> None:
    """How restless each group is: the median over meters and days of what should be standard normal, slowly."""
    now = batch.numbers
    n = batch.mask.shape[1]
    age = day - seen.day + 1
    middle = (age >= 5) & (age <= 60)
    if not middle.any():
        return
    z = np.abs(seen.z[middle][:, :, :n])
    z[:, ~(batch.mask & (now["loose"][:, :n] == 0))] = np.nan
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
    """What to make of a group in which something is louder than its threshold."""
    now, rules = batch.numbers, batch.rules
    n = batch.mask.shape[1]
    halves, seen, strength, best = heard.halves, heard.seen, heard.strength, heard.best[row]
    loud = heard.loud[row] * (rules.alarm / heard.limit[row])
    top = int(best.argmax())
    if (now["loose"][row] != heard.loose[row]).any():  # another level has told a meter of this balance today
        return []
    second = float(np.delete(best, top).max())
    if now["pending"][row] < 0:
        now["pending"][row] = day
    ahead = best[top] ** 2 - second**2
    named = ahead >= rules.margin
    if top == n + 1:  # a constant load came or went: learn it, accuse nobody
        block = 1 + int(strength[:, row, top].argmax())
        if named and day - batch.bank.first[block] >= _CONSTANT_DAYS:
            _collapse(batch, row, block, [direction(top, n, n + EXTRA, batch.mask[row])], halves)
        return []
    shape = (
        None
        if loud[top] <= rules.alarm
        else look_closely(
            batch.bank,
            batch.prior,
            row,
            top,
            float(batch.sigma2[row]),
            today=day,
            memory=rules.memory_days,
            least_before=_HOURS * rules.learning_days,
            fits=rules.misfit,
        )
    )
    limit = float(batch.parent_limit[row] if top == n else batch.limits[row, top])
    unsure = shape is None or (shape.hours < _SURE_HOURS and best[top] < _SURE * rules.alarm)
    if shape is None or unsure or abs(shape.size) < rules.least * limit:
        return []
    if shape.misfit > rules.misfit:
        if shape.hours >= _MISFIT_HOURS:  # not the half day of a fault that began at noon
            now["unclosed_until"][row] = day + _UNCLOSED_DAYS
        return []
    weight = np.exp(np.clip((best[: n + 1] ** 2 - best[top] ** 2) / 2.0, -700.0, 0.0))
    weight[:n] *= batch.mask[row]
    weight /= weight.sum() + np.exp(np.clip((best[n + 1] ** 2 - best[top] ** 2) / 2.0, -700.0, 0.0))
    sizes = [seen.size[int(strength[:, row, j].argmax()), row, j] for j in range(n + 1)]
    order = np.argsort(-weight)[:_CANDIDATES].tolist()
    candidates = [(j, float(weight[j]), _gain(sizes[j], parent=j == n)) for j in order if weight[j] > 0.01]
    named = ahead >= rules.margin * (1.0 + _HASTE_HOURS / shape.hours)
    waiting = [one for one in batch.standing if one.row == row and one.which < 0 and not one.settled]
    if not named and (waiting or day - now["pending"][row] < rules.patience_days):
        return []
    out = []
    for one in waiting if named else ():  # told without a name before, now it has one
        batch.standing.remove(one)
        out.append(_told(batch, groups, one, ChangeState.CLOSED, day))
    now["pending"][row] = -1.0
    standing = _open(batch, row, top if named else -1, top, shape, candidates, float(loud[top]), halves, day)
    batch.standing.append(standing)
    return [*out, _told(batch, groups, standing, ChangeState.OPEN, day)]


def _open(
    batch: Batch,
    row: int,
    which: int,
    top: int,
    shape: Shape,
    candidates: list[tuple[int, float, float]],
    score: float,
    halves: tuple[list[DaySums], list[DaySums]],
    day: int,
) -> Standing:
    """Keep what the meter's gain was before, and begin to learn what it is now."""
    n = batch.mask.shape[1]
    p = n + EXTRA
    d = direction(top, n, p, batch.mask[row])
    before = halves[0][shape.block]
    sigma2 = float(batch.sigma2[row])
    information = before.a[row] / sigma2 + batch.prior.information[row]
    mean = np.linalg.solve(information, (before.b[row] + before.q[row] * batch.prior.hiss[row]) / sigma2)
    along = information @ d
    weights = along / float(d @ along)
    drift = shape.ramp_days > 0.0
    if which >= 0:
        _forget(batch, row, shape.block, [which], halves)
    return Standing(
        row=row,
        which=which,
        kind=int(DetectionKind.GAIN_DRIFT if drift else DetectionKind.GAIN_STEP),
        start_day=shape.start,
        low_day=shape.low,
        high_day=shape.high,
        detected_day=day,
        told_day=day,
        weights=weights.tolist(),
        anchor=float(weights @ mean),
        spare=1.0 / float(d @ along),
        drifts=batch.rules.own * float(batch.parent_limit[row] if top == n else batch.limits[row, top]),
        size=shape.size,
        deviation=shape.deviation,
        exposure=shape.exposure,
        score=score,
        share=candidates[0][1] if candidates else 1.0,
        candidates=candidates,
        since_day=batch.bank.first[shape.block] if which >= 0 else -1,
    )


def _forget(batch: Batch, row: int, at: int, accused: list[int], halves: tuple[list[DaySums], list[DaySums]]) -> None:
    """Learn the gain of accused meters anew from a block on."""
    n = batch.mask.shape[1]
    _collapse(batch, row, at, [direction(j, n, n + EXTRA, batch.mask[row]) for j in accused], halves)
    for j in accused:
        batch.loosen(row, j)


def _collapse(
    batch: Batch, row: int, at: int, directions: list[Floats], halves: tuple[list[DaySums], list[DaySums]]
) -> None:
    """Forget what blocks before `at` say along some directions; the rest of what they say stays."""
    bank = batch.bank
    past = halves[0][at] if at < len(bank.first) else batch.total()
    a, b, c = past.a[row].astype(np.float64), past.b[row].copy(), float(past.c[row])
    for d in directions:
        along = a @ d
        strength = float(d @ along)
        if strength > 1e-12:
            t = float(d @ b)
            a -= np.outer(along, along) / strength
            b -= along * (t / strength)
            c -= t * t / strength
    base = bank.base
    base.a[row], base.b[row], base.c[row] = a, b, c
    base.n[row], base.q[row], base.e[row] = past.n[row], past.q[row], past.e[row]
    for d in directions:
        base.q[row] *= 1.0 - np.minimum(np.abs(d), 1.0)
    for i in range(min(at, len(bank.first))):
        block = bank.blocks[i]
        for part in (block.a, block.b, block.c, block.n, block.q, block.e):
            part[row] = 0.0


def _follow(batch: Batch, groups: BalanceGroups, standing: Standing, day: int) -> Iterator[GainChange]:
    """A standing detection a day later."""
    row, n = standing.row, batch.mask.shape[1]
    age = day - standing.detected_day
    counted = batch.bank.blocks[-1].e[row] if batch.bank.first[-1] == day else np.zeros(n + 1)
    standing.exposure += float(counted[n] if standing.which == n else counted[max(standing.which, 0)])
    if standing.which < 0:
        yield from _follow_unnamed(batch, groups, standing, day)
        return
    if age % _TELL_DAYS:
        return
    first = standing.size
    drift = standing.kind == DetectionKind.GAIN_DRIFT
    seen = _looked_back(batch, standing, day) if age <= _REVISE_DAYS else None
    if seen is not None and not drift and seen.lead > 0.0:
        yield _told(batch, groups, standing, ChangeState.CLOSED, day)
        _take_over(standing, seen)
        standing.kind = int(DetectionKind.GAIN_DRIFT)
        standing.start_day, standing.low_day, standing.high_day = seen.start, seen.low, seen.high
        yield _told(batch, groups, standing, ChangeState.OPEN, day)
        return
    if seen is not None and drift:
        _take_over(standing, seen)
    elif not drift or not _REVISE_DAYS < age < _RELEARNT_DAYS:
        _take_learnt(batch, standing, age, 0.0 if seen is None else seen.spread)
    if drift and age == _REVISE_DAYS:
        halves = sides(batch.bank, batch.prior.together, batch.sigma2 / batch.prior.level)
        d = direction(standing.which, n, n + EXTRA, batch.mask[row])
        _collapse(batch, row, len(batch.bank.first), [d], halves)
    standing.told_day = day
    back = abs(standing.size) < _BACK * abs(first) and abs(standing.size) < _Z95 * standing.deviation
    if back and age >= _SETTLE_DAYS:
        standing.size = first
        batch.standing.remove(standing)
        batch.loosen(row, standing.which, loose=False)
        yield _told(batch, groups, standing, ChangeState.CLOSED, day)
        return
    yield _told(batch, groups, standing, ChangeState.UPDATED, day)


def _take_learnt(batch: Batch, standing: Standing, age: int, spread: float) -> None:
    """Size by what was learnt of the gain since, once that is about as good as what was known."""
    take = np.array([standing.row])
    mean, covariance = shift(_only(batch.total(), take), batch.prior, batch.sigma2[take], take)
    weights = np.array(standing.weights)
    size = float(weights @ mean[0]) - standing.anchor
    variance = float(weights @ covariance[0] @ weights) + standing.spare
    if variance < (2.0 * standing.deviation) ** 2 or age >= _SETTLE_DAYS:
        if standing.kind == DetectionKind.GAIN_DRIFT and abs(size) > 1e-6:
            standing.exposure *= min(abs(standing.size / size), 1.0)
        standing.size, standing.deviation = size, (variance + spread**2) ** 0.5


def _looked_back(batch: Batch, standing: Standing, day: int) -> Revised | None:
    if standing.since_day < 0:
        return None
    return look_back(
        batch.bank,
        batch.prior,
        standing.row,
        standing.which,
        float(batch.sigma2[standing.row]),
        since=standing.since_day,
        today=day,
        memory=batch.rules.memory_days,
        before=(np.array(standing.weights), standing.anchor, standing.spare),
        ramp=standing.kind == DetectionKind.GAIN_DRIFT,
    )


def _take_over(standing: Standing, seen: Revised) -> None:
    """Size and exposure of a ramp as it looks today."""
    standing.size, standing.deviation = seen.size, float(np.hypot(seen.deviation, seen.spread))
    standing.exposure = seen.exposure


def _follow_unnamed(batch: Batch, groups: BalanceGroups, standing: Standing, day: int) -> Iterator[GainChange]:
    """A change without a name a day later: what tells its meters apart may still come, but not for ever."""
    age = day - standing.detected_day
    if age == _TELL_APART_DAYS:
        halves = sides(batch.bank, batch.prior.together, batch.sigma2 / batch.prior.level)
        starts = [i for i, first in enumerate(batch.bank.first) if first <= standing.start_day]
        accused = [j for j, share, _ in standing.candidates if share > 0.02]
        _forget(batch, standing.row, max(starts, default=0), accused, halves)
        standing.settled = True
    if age >= _SETTLE_DAYS and age % _TELL_DAYS == 0:
        yield _told(batch, groups, standing, ChangeState.UPDATED, day)


def released(batch: Batch, groups: BalanceGroups, row: int, which: int, day: int) -> list[GainChange]:
    """Close what stands against a meter that was replaced, and forget its gain."""
    n = batch.mask.shape[1]
    halves = sides(batch.bank, batch.prior.together, batch.sigma2 / batch.prior.level)
    _collapse(batch, row, len(batch.bank.first), [direction(which, n, n + EXTRA, batch.mask[row])], halves)
    batch.loosen(row, which, loose=False)
    out = []
    for standing in [s for s in batch.standing if s.row == row and s.which in {which, -1}]:
        batch.standing.remove(standing)
        unnamed = [j for j, _, _ in standing.candidates] if standing.settled else []
        for j in [standing.which] if standing.which >= 0 else unnamed:
            batch.loosen(row, j, loose=False)
        out.append(_told(batch, groups, standing, ChangeState.CLOSED, day))
    return out


def _only(sums: DaySums, take: NDArray[np.int64]) -> DaySums:
    return DaySums(a=sums.a[take], b=sums.b[take], c=sums.c[take], n=sums.n[take], q=sums.q[take], e=sums.e[take])


def _gain(coefficient: float, *, parent: bool) -> float:
    """A parent that counts 2 % too much looks like children that lost 2 %: its gain moves with the coefficient."""
    return float(coefficient if parent else gain_of(coefficient))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Interval:
    value: float
    low: float
    high: float


def _interval(standing: Standing, n: int) -> _Interval:
    parent = standing.which == n
    rough = _ROUGH * standing.size
    wide = _Z95 * float(np.sqrt((HONEST * standing.deviation) ** 2 + standing.drifts**2 + rough**2))
    ends = [_gain(standing.size + sign * wide, parent=parent) for sign in (-1.0, 1.0)]
    return _Interval(value=_gain(standing.size, parent=parent), low=min(ends), high=max(ends))


def _energy(standing: Standing, gain: _Interval, day: int) -> tuple[float, float]:
    """Energy counted too much, and half its 95 % interval: of the gain, and of the day on which it began."""
    ends = [g / (1.0 + g) * standing.exposure for g in (gain.low, gain.value, gain.high)]
    a_day = abs(ends[1]) / max(day + 1 - standing.start_day, 1)
    unsure = a_day * max((standing.high_day - standing.low_day) / 2.0, 1.0)
    return ends[1], float(np.hypot(abs(ends[2] - ends[0]) / 2.0, unsure))


def _told(batch: Batch, groups: BalanceGroups, standing: Standing, state: ChangeState, day: int) -> GainChange:
    """A standing detection in the words of the public type."""
    n = batch.mask.shape[1]
    group = int(batch.group[standing.row])

    def child(which: int) -> int:
        return PARENT if which == n else int(batch.column[standing.row, which])

    def point(which: int) -> int:
        return int(groups.parent[group] if which in {n, -1} else groups.child[child(which)])

    gain = _interval(standing, n)
    unnamed = standing.which < 0
    energy, spread = _energy(standing, gain, day)
    nan = float("nan")
    return GainChange(
        group=group,
        child=UNNAMED if unnamed else child(standing.which),
        point=point(standing.which),
        kind=DetectionKind(standing.kind),
        state=state,
        started_hour=_HOURS * standing.start_day,
        started_low=_HOURS * standing.low_day,
        started_high=_HOURS * standing.high_day,
        detected_hour=_HOURS * (standing.detected_day + 1),
        as_of_hour=_HOURS * (day + 1),
        magnitude=nan if unnamed else gain.value,
        magnitude_low=nan if unnamed else gain.low,
        magnitude_high=nan if unnamed else gain.high,
        energy=nan if unnamed else energy,
        energy_low=nan if unnamed else energy - spread,
        energy_high=nan if unnamed else energy + spread,
        score=standing.score,
        confidence=standing.share,
        candidates=tuple(
            Accused(child=child(j), point=point(j), share=share, magnitude=size)
            for j, share, size in standing.candidates
        ),
    )
