"""Observability: which faults could be detected at each metering point, and what limits it."""

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from analytics.domain.ledger import Ledger
from analytics.domain.units import QuantityKind
from analytics.drift._batch import Batch
from analytics.drift._decide import closing, longer, naming_margin, thresholds
from analytics.drift._evidence import ANEW, shift
from analytics.drift._shape import direction
from analytics.drift._sums import DaySums
from analytics.drift.groups import BalanceGroups
from analytics.drift.state import BalanceState

__all__ = [
    "PointVerdict",
    "Question",
    "Reason",
    "Verdict",
    "children_seen",
    "judge",
    "smallest_change",
    "without_noise",
]

Floats = NDArray[np.float64]

_OBSERVABLE_30D, _OBSERVABLE_90D, _WEAK_90D = 0.05, 0.02, 0.05
"""Observable: 5 % within 30 days or 2 % within 90; weak: 5 % within 90 days."""
_RATIO = 0.15
"""A lost phase or wrong ratio changes the gain by a third or more; half of that must be detectable within 30 days."""
_HOURS = 24
_TWIN = 0.6
"""Above this share of a meter's uncertainty due to siblings with similar loads (collinearity) that is the reason."""


class Question(Enum):
    """Kind of fault whose observability is judged."""

    DRIFT = "drift"
    """A gain change of some percent, sudden or slow."""
    RATIO = "ratio"
    """A wrong ratio or a lost phase: a third of the flow or more."""
    STUCK = "stuck"
    """A dial that stands still while the load goes on; `analytics.health.habit` answers."""
    RISE = "rise"
    """An impossible rise of the register; `analytics.health.rises` answers."""


class Verdict(Enum):
    """Whether a fault would be detected."""

    OBSERVABLE = "observable"
    WEAK = "weak"
    NOT_OBSERVABLE = "not_observable"


class Reason(Enum):
    """Reason that decides the verdict."""

    SEEN = "the balance shows it"
    NO_REFERENCE = "no complete balance and no second meter holds this one to account"
    DECLARED_INCOMPLETE = "the ledger does not declare that the children cover the parent wholly"
    NOT_METERED = "the parent or a child has no meter"
    FOUND_INCOMPLETE = "the balance does not close: something unmetered uses energy too"
    LEARNING = "too few measured days so far"
    DECLARED_RATE = "the ledger gives the highest rate of the register"
    LEARNT = "the highest rate is learnt from the register's own rises"
    FEW_RISES = "too few rises so far to learn a highest rate from"
    NO_DATA = "hours are missing at the parent or a child"
    SMALL_SHARE = "the meter's share of the parent is too small for the noise of the balance"
    ANEW = "an error was found, and what the meter counts now is being learnt"
    TWIN = "the load hardly varies, or follows that of others too closely to be told apart"
    POWER = "its power register shows an error of the counter, not of the transformers, which feed both"
    PRIMARY_POWER = "a power that is measured or set as primary shows it, the ledger's multiplier included"
    PHASES = "the powers of its phases show a phase that is lost or reversed, and no other ratio"
    HEAT = "volume and temperatures of the heat meter show it"
    NOISY_POWER = "the power varies too much between its samples, or the registers are too coarse"
    SMALL_DIFFERENCE = "the difference of supply and return temperature is too small"
    UNREAD = "nothing was read of it for a week, or hardly anything yet"
    MOVES = "its dial moves in nearly every hour"
    ABSENCE = "it stands still for hours now and then: a jam looks as if its users were away"
    RESTED = "it has stood still as long before, and went on by itself"
    SELDOM = "its dial moves too seldom, or is read too seldom"


@dataclass(frozen=True, slots=True, kw_only=True)
class PointVerdict:
    """Whether a question can be answered at a metering point.

    Attributes
    ----------
    point : int
        Index into the ledger's points.
    question : Question
    verdict : Verdict
    reason : Reason
    share : float
        Of the parent's flow, NaN without a balance. [1]
    smallest_30d, smallest_90d : float
        Smallest gain step detected with probability 1/2 within 30 and 90 days; NaN if none is. [1]
    hours_typical, hours_worst : float
        Time from a jam of the dial to its report, median and worst case; NaN if unknown, and for other questions.
        [h]
    learnt_since, learnt_until : int or None
        Span in which the gain of a meter that was accused is learnt anew; nothing else can be seen of it meanwhile.
        [d since 1970-01-01 UTC]
    """

    point: int
    question: Question
    verdict: Verdict
    reason: Reason
    share: float = float("nan")
    smallest_30d: float = float("nan")
    smallest_90d: float = float("nan")
    hours_typical: float = float("nan")
    hours_worst: float = float("nan")
    learnt_since: int | None = None
    learnt_until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sight:
    """Detectability of one meter's gain change by one balance."""

    share: float
    smallest_30d: float
    smallest_90d: float
    reason: Reason
    learnt_since: int | None = None
    learnt_until: int | None = None


def judge(ledger: Ledger, groups: BalanceGroups, state: BalanceState | None = None) -> tuple[PointVerdict, ...]:
    """Verdict of every counted point of a ledger and each question, in the order of points.

    A point may be a child in one balance and the parent of another; the better sight counts. Of stuck dials a balance
    says nothing: that verdict stands until the meter's habit gives one.

    Parameters
    ----------
    ledger : Ledger
    groups : BalanceGroups
        Of this ledger.
    state : BalanceState, optional
        Of these groups; without it everything that has a declared complete balance is still learning.
    """
    sights = _without_balance(ledger, groups)
    for group, point, sight in _of_state(groups, state) if state is not None else _unlearnt(groups):
        del group
        old = sights.get(point)
        if old is None or _better(sight, old):
            sights[point] = sight
    counted = np.array([QuantityKind(kind).is_counted for kind in range(len(QuantityKind))])[ledger.point_kind]
    return tuple(
        _verdict(point, question, sights.get(point, _blind(Reason.NO_REFERENCE)))
        for point in np.flatnonzero(counted).tolist()
        for question in Question
    )


def children_seen(groups: BalanceGroups, state: BalanceState) -> NDArray[np.bool_]:
    """Whether a drift of each child can be seen in the balance it is part of; (c,) bool."""
    seen = np.zeros(len(groups.child), np.bool_)
    place = {
        (int(group), int(point)): i for i, (group, point) in enumerate(zip(groups.group_of, groups.child, strict=True))
    }
    for group, point, sight in _of_state(groups, state):
        if (group, point) in place:
            verdict = _verdict(point, Question.DRIFT, sight).verdict
            seen[place[group, point]] = verdict is Verdict.OBSERVABLE
    return seen


def _blind(reason: Reason, share: float = float("nan")) -> _Sight:
    return _Sight(share=share, smallest_30d=float("nan"), smallest_90d=float("nan"), reason=reason)


def _better(new: _Sight, old: _Sight) -> bool:
    if np.isnan(new.smallest_90d):
        return np.isnan(old.smallest_90d) and old.reason is Reason.NO_REFERENCE
    return bool(np.isnan(old.smallest_90d) or new.smallest_90d < old.smallest_90d)


def _verdict(point: int, question: Question, sight: _Sight) -> PointVerdict:
    if question is Question.STUCK:
        return PointVerdict(point=point, question=question, verdict=Verdict.NOT_OBSERVABLE, reason=Reason.UNREAD)
    month, season = sight.smallest_30d, sight.smallest_90d
    if question is Question.RATIO:
        seen, weak = month <= _RATIO, season <= _RATIO
    else:
        seen, weak = month <= _OBSERVABLE_30D or season <= _OBSERVABLE_90D, season <= _WEAK_90D
    verdict = Verdict.OBSERVABLE if seen else Verdict.WEAK if weak else Verdict.NOT_OBSERVABLE
    reason = sight.reason
    if seen:
        reason = Reason.SEEN
    elif reason is Reason.SEEN:
        reason = Reason.SMALL_SHARE
    return PointVerdict(
        point=point,
        question=question,
        verdict=verdict,
        reason=reason,
        share=sight.share,
        smallest_30d=month,
        smallest_90d=season,
        learnt_since=sight.learnt_since,
        learnt_until=sight.learnt_until,
    )


def _without_balance(ledger: Ledger, groups: BalanceGroups) -> dict[int, _Sight]:
    """Points that hang below or above others without making a balance: the parent or a sibling has no meter."""
    inside = {*groups.parent.tolist(), *groups.child.tolist()}
    out = {}
    for point, parent in enumerate(ledger.point_parent.tolist()):
        for one in (point, parent):
            if parent >= 0 and one not in inside:
                out[one] = _blind(Reason.NOT_METERED)
    return out


def _unlearnt(groups: BalanceGroups) -> list[tuple[int, int, _Sight]]:
    out = []
    for group in range(len(groups)):
        sight = _blind(Reason.LEARNING if groups.complete[group] else Reason.DECLARED_INCOMPLETE)
        members = groups.child[groups.start[group] : groups.start[group + 1]].tolist()
        out += [(group, int(point), sight) for point in [groups.parent[group], *members]]
    return out


def _of_state(groups: BalanceGroups, state: BalanceState) -> list[tuple[int, int, _Sight]]:
    out = []
    for batch in state.batches:
        closes, limits = closing(batch), thresholds(batch)
        total = batch.total()
        _, covariance = shift(total, batch.prior, batch.sigma2)
        for row, group in enumerate(batch.group.tolist()):
            members = groups.child[groups.start[group] : groups.start[group + 1]].tolist()
            points = [*members, int(groups.parent[group])]
            counted = total.e[row]
            shares = np.append(np.abs(counted[: len(members)]) / max(float(counted[-1]), 1e-12), 1.0)
            good = (bool(groups.complete[group]), bool(closes[row]))
            reason = _hindrance(batch, row, *good, state.closed_day)
            if reason is not None:
                out += [(group, p, _blind(reason, float(s))) for p, s in zip(points, shares, strict=True)]
                continue
            hours, limit = float(total.n[row]), float(limits[row])
            loads = without_noise(batch, row, total)
            month = smallest_change(batch, row, loads, hours, covariance[row], 30.0, limit)
            season = smallest_change(batch, row, loads, hours, covariance[row], 90.0, limit)
            where = [*range(len(members)), batch.mask.shape[1]]
            for j, point, share in zip(where, points, shares.tolist(), strict=True):
                if batch.numbers["loose"][row, j] == ANEW:
                    out.append((group, point, _being_learnt(batch, row, j, float(share))))
                    continue
                twin = season[2][j] > _TWIN and share > 0.02
                sight = _Sight(
                    share=float(share),
                    smallest_30d=float(month[0][j]),
                    # what is detectable within a month is so within a season
                    smallest_90d=float(np.fmin(month[0][j], season[0][j])),
                    reason=Reason.TWIN if twin else Reason.SMALL_SHARE,
                )
                out.append((group, point, sight))
    return out


def _being_learnt(batch: Batch, row: int, which: int, share: float) -> _Sight:
    """Verdict of a suspected meter: its gain is unknown until it is re-estimated."""
    since, until = (int(batch.numbers[name][row, which]) for name in ("anew_since", "anew_until"))
    return replace(_blind(Reason.ANEW, share), learnt_since=since, learnt_until=until)


def _hindrance(batch: Batch, row: int, complete: bool, closes: bool, day: int) -> Reason | None:
    """Reason why a balance can detect nothing, if there is one."""
    now = batch.numbers
    if not complete:
        return Reason.DECLARED_INCOMPLETE
    if now["was_open"][row] and not closes:
        return Reason.FOUND_INCOMPLETE
    if now["days"][row] < batch.rules.learning_days:
        seen = now["days"][row] + now["scale_days"][row]
        asked = sum(batch.bank.days) + now["scale_days"][row]
        return Reason.NO_DATA if asked > 2.0 * batch.rules.learning_days and seen < asked / 2.0 else Reason.LEARNING
    if not closes or now["unclosed_until"][row] >= day:
        return Reason.FOUND_INCOMPLETE
    return None


def without_noise(batch: Batch, row: int, total: DaySums) -> Floats:
    """Normal equations of a group's loads without what the meters' own noise adds, which tells no meters apart."""
    return np.asarray(total.a[row] - np.diag(total.q[row] * batch.prior.hourly_noise[row]), np.float64)


def smallest_change(
    batch: Batch, row: int, a: Floats, hours: float, covariance: Floats, days: float, limit: float
) -> tuple[Floats, Floats, Floats]:
    """Gain change found and named with probability 1/2 after `days`; its deviation; how far siblings obscure it.

    The information of the days to come is taken to be that of as many past days. The threshold rises with the deviation
    and falls with the days, as it does for alarms; and the meter must explain the change better than any other by the
    margin, so a sibling of the same load, between which nothing decides, hides it whatever its size.
    """
    n, rules = batch.mask.shape[1], batch.rules
    sigma2 = float(batch.sigma2[row])
    fresh = a * (days * _HOURS / max(hours, 1.0)) / sigma2
    r = covariance + batch.prior.wander[row] * min(1.0, days / rules.memory_days)
    p = len(fresh)
    w = np.linalg.solve(np.eye(p) + fresh @ r, fresh)
    info = np.append(np.diagonal(w)[:n], w[:n, :n].sum())
    alone = np.append(np.diagonal(fresh)[:n], fresh[:n, :n].sum())
    good = info > 1e-9
    deviation = np.where(good, 1.0 / np.sqrt(np.where(good, info, 1.0)), np.inf)
    confused = np.where(good, 1.0 - np.sqrt(np.clip(info / np.maximum(alone, 1e-12), 0.0, 1.0)), 1.0)
    blurred = np.maximum(deviation / rules.sharp, 1.0) ** rules.blur
    seen = limit * longer(days, rules) * blurred * deviation
    named = np.sqrt(naming_margin(rules, days * _HOURS)) / np.sqrt(np.maximum(_lead(w, batch, row), 1e-12))
    confused = np.maximum(confused, 1.0 - np.minimum(seen / named, 1.0))
    return np.where(good, np.maximum(seen, named), np.nan), deviation, confused


def _lead(w: Floats, batch: Batch, row: int) -> Floats:
    """By how much a meter's unit change is explained better by itself than by the likeliest other; (n + 1,)."""
    n = batch.mask.shape[1]
    directions = np.array([direction(j, n, len(w), batch.mask[row]) for j in range(n + 2)])
    said = directions @ w @ directions.T
    size = np.diagonal(said)
    there = (size > 1e-9) & np.concatenate((batch.mask[row], [True, True]))
    other = np.where(there[None, :], said**2 / np.where(there, size, 1.0)[None, :], 0.0)
    np.fill_diagonal(other, 0.0)
    return np.asarray((size - other.max(axis=1))[: n + 1], np.float64)
