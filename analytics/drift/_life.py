"""Life cycle of a detection: opened, tracked, revised and closed; and whether the meter is still within its class."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import DetectionKind
from analytics.drift._batch import Batch, Standing
from analytics.drift._evidence import ANEW, LEARNT, shift, sides
from analytics.drift._levels import HONEST, gain_of
from analytics.drift._shape import Ended, Revised, Shape, direction, look_back
from analytics.drift._sums import EXTRA, DaySums
from analytics.drift.change import PARENT, UNMETERED, UNNAMED, Accused, ChangeState, Ending, GainChange
from analytics.drift.groups import BalanceGroups

__all__ = [
    "collapse",
    "concluded",
    "follow",
    "forget",
    "gain_by",
    "opened",
    "outside",
    "released",
    "report",
    "settle",
    "settled",
    "superseded",
]

Floats = NDArray[np.float64]
Halves = tuple[list[DaySums], list[DaySums]]

_HOURS = 24
_TELL_DAYS = 7
_EARLY_DAYS = (2, 4)
"""A change is re-estimated after this many days, when its size is known much better."""
_SETTLE_DAYS = 14
_TELL_APART_DAYS = 63
"""A change reported without a name may still get one for this many days."""
_REVISE_DAYS = 63
"""For this many days a step may be reclassified as a ramp, and a ramp is tracked by its fitted shape."""
_RELEARNT_DAYS = 77
"""From this day on a ramp's size is the gain re-estimated after `_REVISE_DAYS`."""
_LIKELY = 0.5
"""Weight from which on a load that no meter counts is the likely explanation."""
_BACK = 0.35
_NOTHING = 0.3
"""A change below this multiple of the limit of error counts as gone."""
_UNLIKE = 2.0
"""Misfit, over the most of a gain change, from which on a detection keeps its size."""
_KNOWN = 0.25
"""A gain is taken to be learnt anew when its standard deviation is less than this share of the change."""
_Z95 = 1.96
_ROUGH = 0.02
"""Least relative uncertainty of a size: without it, 95 % intervals of lost phases covered 48 % on development data."""


def opened(
    batch: Batch,
    row: int,
    which: int,
    top: int,
    shape: Shape,
    candidates: list[tuple[int, float, float]],
    score: float,
    halves: Halves,
    day: int,
) -> Standing:
    """Open a detection: keep the gain before the change, and begin to estimate the new one."""
    n = batch.mask.shape[1]
    p = n + EXTRA
    d = direction(top, n, p, batch.mask[row])
    before = halves[0][shape.block]
    sigma2 = float(batch.sigma2[row])
    information = before.a[row] / sigma2 + batch.prior.information[row]
    mean = np.linalg.solve(information, (before.b[row] + before.q[row] * batch.prior.hourly_noise[row]) / sigma2)
    along = information @ d
    weights = along / float(d @ along)
    drift = shape.ramp_days > 0.0
    flow = float(batch.numbers["usual"][row]) if top == n + 1 else shape.exposure / max(shape.hours, 1.0)
    standing = Standing(
        row=row,
        which=which,
        kind=int(
            DetectionKind.BALANCE_CHANGE
            if which < 0
            else DetectionKind.GAIN_DRIFT
            if drift
            else DetectionKind.GAIN_STEP
        ),
        start_day=shape.start,
        low_day=shape.low,
        high_day=shape.high,
        detected_day=day,
        told_day=day,
        weights=weights.tolist(),
        anchor=float(weights @ mean),
        spare=1.0 / float(d @ along),
        drifts=batch.rules.own * _limit(batch, row, top),
        size=shape.size,
        deviation=shape.deviation,
        exposure=shape.exposure,
        score=score,
        share=candidates[0][1] if candidates else 1.0,
        candidates=candidates,
        since_day=batch.bank.first[shape.block] if which >= 0 else -1,
        lacks=shape.size * flow,
        first=shape.size,
    )
    if which >= 0:
        forget(batch, row, shape.block, [which], halves, day)
        if drift:
            batch.loosen(row, which, since=standing.since_day, until=day + _RELEARNT_DAYS)
    return standing


def _limit(batch: Batch, row: int, which: int) -> float:
    n = batch.mask.shape[1]
    return float(batch.parent_limit[row] if which >= n else batch.limits[row, which])


def outside(batch: Batch, standing: Standing) -> bool:
    """Whether a meter's error exceeds what its class allows in service, beyond its uncertainty.

    What was an alarm stays one until the error itself is back inside.
    """
    if standing.which < 0:
        return False
    n, rules = batch.mask.shape[1], batch.rules
    row, which = standing.row, standing.which
    band = float(batch.parent_band[row] if which == n else batch.bands[row, which])
    error = abs(gain_by(standing.offset + standing.size, parent=which == n))
    unsure = rules.sure * float(np.hypot(HONEST * standing.deviation, standing.drifts))
    return error > band if standing.alarm else error - unsure > band


def forget(batch: Batch, row: int, at: int, accused: list[int], halves: Halves, day: int) -> None:
    """Discard what is known of the gains of suspected meters before a block."""
    collapse(batch, row, at, accused, halves)
    since = batch.bank.first[at] if at < len(batch.bank.first) else day + 1
    for j in accused:
        batch.loosen(row, j, since=since, until=day + batch.rules.anew_days)


def collapse(batch: Batch, row: int, at: int, places: list[int], halves: Halves) -> None:
    """Remove what blocks before `at` know of some meters (n the parent, n + 1 the constant load); keep the rest.

    They become part of the base, but for days that the shape of another meter's change is still looked for in.
    """
    bank, n = batch.bank, batch.mask.shape[1]
    directions = [direction(j, n, n + EXTRA, batch.mask[row]) for j in places]
    at = min(at, len(bank.first))
    kept = _first_looked_at(batch, row, at, places)
    past = halves[0][kept] if kept < len(bank.first) else batch.total()
    _replace(bank.base, row, past, directions)
    for block in bank.blocks[kept:at]:
        _replace(block, row, block, directions)
    for block in bank.blocks[:kept]:
        for part in (block.a, block.b, block.c, block.n, block.q, block.e):
            part[row] = 0.0


def _first_looked_at(batch: Batch, row: int, at: int, places: list[int]) -> int:
    """First block before `at` in which the shape of another meter's change is still looked for, else `at`."""
    bank = batch.bank
    since = [
        one.since_day
        for one in batch.standing
        if one.row == row
        and one.which not in places
        and one.since_day >= 0
        and bank.first[-1] - one.detected_day <= _REVISE_DAYS
    ]
    ends = [first + days for first, days in zip(bank.first[:at], bank.days, strict=False)]
    return next((i for i, end in enumerate(ends) if since and end > min(since)), at)


def _replace(sums: DaySums, row: int, by: DaySums, directions: list[Floats]) -> None:
    """Put the sums of a group in the place of others, without what they know along some directions."""
    a, b, c = by.a[row].astype(np.float64), by.b[row].astype(np.float64), float(by.c[row])
    q = by.q[row].copy()
    for d in directions:
        along = a @ d
        strength = float(d @ along)
        if strength > 1e-12:
            t = float(d @ b)
            a -= np.outer(along, along) / strength
            b -= along * (t / strength)
            c -= t * t / strength
        q *= 1.0 - np.minimum(np.abs(d), 1.0)
    sums.a[row], sums.b[row], sums.c[row] = a, b, c
    sums.n[row], sums.q[row], sums.e[row] = by.n[row], q, by.e[row]


def settle(batch: Batch, day: int) -> None:
    """Treat re-estimated gains as those of sound meters again, so that the next shift is a change.

    What came before the detection may be of the old gain in part, and would look like one.
    """
    rows = np.argwhere((batch.numbers["loose"] == ANEW) & (batch.numbers["anew_until"] <= day)).tolist()
    if not rows:
        return
    halves = sides(batch.bank, batch.prior.together, batch.sigma2 / batch.prior.level)
    settled = -1
    for row, which in rows:
        if row == settled:  # what was forgotten of one meter is not in the sums before; of other groups they still hold
            halves = sides(batch.bank, batch.prior.together, batch.sigma2 / batch.prior.level)
        settled = row
        told = [one.detected_day for one in batch.standing if one.row == row and one.which == which]
        at = sum(first <= told[-1] for first in batch.bank.first) if told else 0
        if at:
            collapse(batch, row, at, [which], halves)
        batch.numbers["loose"][row, which] = LEARNT
    batch.renew()


def follow(batch: Batch, groups: BalanceGroups, standing: Standing, day: int) -> Iterator[GainChange]:
    """Daily update of an open detection."""
    row, n = standing.row, batch.mask.shape[1]
    age = day - standing.detected_day
    counted = batch.bank.blocks[-1].e[row] if batch.bank.first[-1] == day else np.zeros(n + 1)
    standing.exposure += float(counted[n] if standing.which == n else counted[max(standing.which, 0)])
    if standing.which < 0:
        yield from _follow_unnamed(batch, groups, standing, day)
        return
    if not standing.weights or (age % _TELL_DAYS and age not in _EARLY_DAYS) or _disturbed(batch, standing):
        return
    looked = _looked_back(batch, standing, day) if age <= _REVISE_DAYS else None
    seen = looked if age % _TELL_DAYS == 0 else None
    if seen is not None and seen.ended is not None:
        yield _over(batch, groups, standing, seen.ended, day)
        return
    if looked is not None and looked.misfit > _UNLIKE * batch.rules.misfit:
        return  # something else has happened since, and would be taken for this meter's
    if seen is not None and standing.kind != DetectionKind.GAIN_DRIFT and seen.lead > 0.0:
        yield from _as_drift(batch, groups, standing, seen, day)
        return
    _resize(batch, standing, seen, age)
    standing.told_day = day
    if age >= _SETTLE_DAYS and _gone(batch, standing):
        batch.standing.remove(standing)
        _goes_on(batch, standing)
        batch.loosen(row, standing.which, loose=False)
        _was_wrong(batch, row)
        yield report(batch, groups, standing, ChangeState.CLOSED, day, Ending.WITHDRAWN)
        return
    before, standing.alarm = standing.alarm, outside(batch, standing)
    if before and not standing.alarm:
        _was_wrong(batch, row)
    yield report(batch, groups, standing, ChangeState.UPDATED, day)


def _as_drift(batch: Batch, groups: BalanceGroups, standing: Standing, seen: Revised, day: int) -> Iterator[GainChange]:
    """Close a step, and open it as the ramp that it was found to be."""
    yield report(batch, groups, standing, ChangeState.CLOSED, day, Ending.RETOLD)
    _take_over(standing, seen)
    standing.kind = int(DetectionKind.GAIN_DRIFT)
    standing.start_day, standing.low_day, standing.high_day = seen.start, seen.low, seen.high
    until = standing.detected_day + _RELEARNT_DAYS
    batch.loosen(standing.row, standing.which, since=standing.since_day, until=until)
    standing.alarm = outside(batch, standing)
    yield report(batch, groups, standing, ChangeState.OPEN, day)


def _disturbed(batch: Batch, standing: Standing) -> bool:
    """Whether something that no meter explains has changed since, and would be taken for a change of this meter."""
    return any(
        one.row == standing.row and one.which < 0 and one.detected_day > standing.detected_day for one in batch.standing
    )


def _resize(batch: Batch, standing: Standing, seen: Revised | None, age: int) -> None:
    """Size of a ramp by its shape, of a step by the gain that was learnt since; of an old ramp as of a step."""
    drift = standing.kind == DetectionKind.GAIN_DRIFT
    if seen is not None and drift:
        _take_over(standing, seen)
    elif not drift or not _REVISE_DAYS < age < _RELEARNT_DAYS:
        _take_learnt(batch, standing, age, 0.0 if seen is None else seen.spread)
    if drift and age == _REVISE_DAYS:
        halves = sides(batch.bank, batch.prior.together, batch.sigma2 / batch.prior.level)
        collapse(batch, standing.row, len(batch.bank.first), [standing.which], halves)


def _over(batch: Batch, groups: BalanceGroups, standing: Standing, ended: Ended, day: int) -> GainChange:
    """Close a detection whose gain is back: what was known of it before the change holds again."""
    row = standing.row
    standing.size, standing.deviation, standing.exposure = ended.size, ended.deviation, ended.exposure
    halves = sides(batch.bank, batch.prior.together, batch.sigma2 / batch.prior.level)
    collapse(batch, row, batch.bank.first.index(ended.day), [standing.which], halves)
    weights, worth = np.array(standing.weights), float(batch.sigma2[row]) / standing.spare
    base = batch.bank.base
    base.a[row] += worth * np.outer(weights, weights)
    base.b[row] += worth * standing.anchor * weights
    base.c[row] += worth * standing.anchor**2
    batch.standing.remove(standing)
    batch.loosen(row, standing.which, loose=False)
    return report(batch, groups, standing, ChangeState.CLOSED, day, Ending.BACK)


def _gone(batch: Batch, standing: Standing) -> bool:
    """Whether the remaining size of a change is negligible."""
    left, limit = abs(standing.size), _limit(batch, standing.row, standing.which)
    small = left < _BACK * abs(standing.first) and left < _Z95 * standing.deviation
    return small or left < _NOTHING * limit


def _was_wrong(batch: Batch, row: int) -> None:
    """Raise the threshold of a group after a false alarm."""
    batch.numbers["wrong"][row] += 1.0


def settled(batch: Batch, standing: Standing) -> None:
    """Take an unnamed change for the normal state: a load that no meter counts may be in the balance from now on.

    It varies as it likes and looks like errors of this meter and that, so the group must be louder until it is metered,
    which makes it another group, or somebody has looked.
    """
    standing.settled = True
    batch.numbers["unmetered"][standing.row] = 1.0
    n = batch.mask.shape[1]
    if sum(share for j, share, _ in standing.candidates if j > n) >= _LIKELY:
        batch.numbers["unmetered_loss"][standing.row] = 1.0
        batch.renew()


def _take_learnt(batch: Batch, standing: Standing, age: int, spread: float) -> None:
    """Take the size from the re-estimated gain, once that is about as certain as the fitted one."""
    size, variance = _now_learnt(batch, standing, batch.total(slice(standing.row, standing.row + 1)))
    known = max(2.0 * standing.deviation, _KNOWN * abs(standing.size) if age >= _SETTLE_DAYS else 0.0)
    if variance < known**2:
        if standing.kind == DetectionKind.GAIN_DRIFT and abs(size) > 1e-6:
            standing.exposure *= min(abs(standing.size / size), 1.0)
        standing.size, standing.deviation = size, (variance + spread**2) ** 0.5


def _now_learnt(batch: Batch, standing: Standing, sums: DaySums) -> tuple[float, float]:
    """Size of a change by sums of its group, and its variance."""
    if not standing.weights:
        return standing.size, standing.deviation**2
    take = np.array([standing.row])
    mean, covariance = shift(sums, batch.prior, batch.sigma2[take], take)
    weights = np.array(standing.weights)
    size = float(weights @ mean[0]) - standing.anchor
    variance = float(weights @ covariance[0] @ weights) + standing.spare
    for other in batch.standing:
        if _after(other, standing):
            part = _part(batch, standing, other.which)
            size -= part * other.size
            variance += (part * other.deviation) ** 2
    return size, variance


def _after(other: Standing, standing: Standing) -> bool:
    """Whether another meter of the balance changed after what `standing` is measured against was estimated."""
    if other.row != standing.row or other.which < 0 or other.which == standing.which:
        return False
    return other.detected_day > standing.detected_day or other.start_day >= standing.start_day


def _part(batch: Batch, standing: Standing, which: int) -> float:
    """By how much a meter's change shifts the combination of coefficients that `standing` is measured by. [1]."""
    n = batch.mask.shape[1]
    return float(np.array(standing.weights) @ direction(which, n, n + EXTRA, batch.mask[standing.row]))


def _goes_on(batch: Batch, gone: Standing) -> None:
    """Keep what a meter's change shifts at the others after its detection has ended and it counts as before that."""
    for one in batch.standing:
        if one.weights and _after(gone, one):
            one.anchor += _part(batch, one, gone.which) * gone.size


def superseded(
    batch: Batch, groups: BalanceGroups, fresh: Standing, block: int, halves: Halves, day: int
) -> tuple[list[GainChange], bool]:
    """Close the open detections of a meter whose gain changed again.

    Returns
    -------
    closed : list of GainChange
    back : bool
        Whether the gain is back where it was before the first: a repair, no new detection.
    """
    closed, back = [], False
    for old in [one for one in batch.standing if one.row == fresh.row and one.which == fresh.which >= 0]:
        batch.standing.remove(old)
        size, variance = _now_learnt(batch, old, halves[0][block].of(slice(old.row, old.row + 1)))
        if variance < (2.0 * old.deviation) ** 2:
            old.size = size
        fresh.offset = old.offset + old.size
        left = fresh.offset + fresh.size
        unsure = _Z95 * HONEST * float(np.hypot(old.deviation, fresh.deviation))
        back = abs(left) < max(_BACK * abs(fresh.offset), min(unsure, 0.5 * abs(fresh.offset)))
        _goes_on(batch, old)
        if back:
            _goes_on(batch, fresh)
        closed.append(report(batch, groups, old, ChangeState.CLOSED, day, Ending.BACK if back else Ending.AGAIN))
    return closed, back


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
        loose=float(batch.numbers["loose"][standing.row, standing.which]) > LEARNT,
    )


def _take_over(standing: Standing, seen: Revised) -> None:
    """Update size and exposure of a ramp."""
    standing.size, standing.deviation = seen.size, float(np.hypot(seen.deviation, seen.spread))
    standing.exposure = seen.exposure


def _follow_unnamed(batch: Batch, groups: BalanceGroups, standing: Standing, day: int) -> Iterator[GainChange]:
    """Daily update of an unnamed change: it may still be named, for a limited time."""
    age = day - standing.detected_day
    if age == _TELL_APART_DAYS and not standing.settled:
        halves = sides(batch.bank, batch.prior.together, batch.sigma2 / batch.prior.level)
        starts = [i for i, first in enumerate(batch.bank.first) if first <= standing.start_day]
        accused = [j for j, share, _ in standing.candidates if share > 0.02 and j <= batch.mask.shape[1]]
        forget(batch, standing.row, max(starts, default=0), accused, halves, day)
        settled(batch, standing)
    if age >= _TELL_APART_DAYS + batch.rules.anew_days:
        batch.standing.remove(standing)
        yield report(batch, groups, standing, ChangeState.CLOSED, day, Ending.LEARNT)
    elif age >= _SETTLE_DAYS and age % _TELL_DAYS == 0:
        yield report(batch, groups, standing, ChangeState.UPDATED, day)


def released(batch: Batch, groups: BalanceGroups, row: int, which: int, day: int) -> list[GainChange]:
    """Close the open detections of a meter that was replaced or inspected, and discard its gain."""
    n = batch.mask.shape[1]
    halves = sides(batch.bank, batch.prior.together, batch.sigma2 / batch.prior.level)
    collapse(batch, row, len(batch.bank.first), [which], halves)
    batch.loosen(row, which, loose=False)
    out = []
    for standing in [s for s in batch.standing if s.row == row and s.which in {which, -1}]:
        batch.standing.remove(standing)
        unnamed = [j for j, _, _ in standing.candidates if j <= n] if standing.settled else []
        for j in [standing.which] if standing.which >= 0 else unnamed:
            batch.loosen(row, j, loose=False)
        out.append(report(batch, groups, standing, ChangeState.CLOSED, day, Ending.REPLACED))
    return out


def concluded(batch: Batch, groups: BalanceGroups, row: int, which: int, day: int, *, sound: bool) -> list[GainChange]:
    """Close the open detections of a meter (or unnamed ones, -1) after an inspection.

    What the gain of a sound meter was learnt to be goes on to hold, and the group must be louder next time; that of a
    faulty one, which will be mended, is learnt anew from now on.
    """
    out = []
    for standing in [s for s in batch.standing if s.row == row and s.which == which]:
        batch.standing.remove(standing)
        if which < 0:
            batch.numbers["unmetered"][row] = batch.numbers["unmetered_loss"][row] = 0.0
            batch.renew()
        if sound:
            _goes_on(batch, standing)
            _was_wrong(batch, row)
        elif which >= 0:
            _goes_on(batch, standing)
            halves = sides(batch.bank, batch.prior.together, batch.sigma2 / batch.prior.level)
            collapse(batch, row, len(batch.bank.first), [which], halves)
            batch.loosen(row, which, since=day + 1, until=day + batch.rules.anew_days)
        out.append(report(batch, groups, standing, ChangeState.CLOSED, day, Ending.VERDICT))
    return out


def gain_by(coefficient: float, *, parent: bool) -> float:
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
    ends = [gain_by(standing.size + sign * wide, parent=parent) for sign in (-1.0, 1.0)]
    return _Interval(value=gain_by(standing.size, parent=parent), low=min(ends), high=max(ends))


def _energy(standing: Standing, gain: _Interval, day: int) -> tuple[float, float]:
    """Energy counted too much, and half its 95 % interval: of the gain, and of the day on which it began."""
    ends = [g / (1.0 + g) * abs(standing.exposure) for g in (gain.low, gain.value, gain.high)]
    a_day = abs(ends[1]) / max(day + 1 - standing.start_day, 1)
    unsure = a_day * max((standing.high_day - standing.low_day) / 2.0, 1.0)
    return ends[1], float(np.hypot(abs(ends[2] - ends[0]) / 2.0, unsure))


def report(
    batch: Batch,
    groups: BalanceGroups,
    standing: Standing,
    state: ChangeState,
    day: int,
    ending: Ending | None = None,
) -> GainChange:
    """An open detection as the public type."""
    n = batch.mask.shape[1]
    group = int(batch.group[standing.row])

    def child(which: int) -> int:
        if which >= n:
            return PARENT if which == n else UNMETERED
        return int(batch.column[standing.row, which])

    def point(which: int) -> int:
        return int(groups.parent[group] if which >= n or which == -1 else groups.child[child(which)])

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
        watched=not standing.alarm,
        ending=ending,
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
        lacks=standing.lacks if unnamed else 0.0,
        score=standing.score,
        confidence=standing.share,
        candidates=tuple(
            Accused(child=child(j), point=point(j), share=share, magnitude=size)
            for j, share, size in standing.candidates
        ),
    )
