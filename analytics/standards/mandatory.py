"""Instruments under mandatory verification (强制检定): coverage, and service life of those verified only once.

Which instruments these are is stated by the rules and by facts about single meters, with a source; nothing is taken
for verified by law because of what it looks like.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.domain.finding import Finding, Verdict
from analytics.domain.instants import US_PER_DAY
from analytics.domain.ledger import NO_DAY, NO_INSTANT
from analytics.domain.verification import add_months
from analytics.domain.words import Phrase
from analytics.standards.factors import EPOCH_ORDINAL
from analytics.standards.purpose import purpose_of
from analytics.standards.rules import ServiceLife
from analytics.standards.scene import Scene, VerificationState, levels

__all__ = ["Coverage", "coverage", "mandatory_basis", "mandatory_points", "service_life_findings"]

_BY_PURPOSE: Final = Phrase(zh="监管规则：用于{}", en="the rules: used for {}")
_TRADE: Final = Phrase(zh="贸易结算", en="trade settlement")


class Coverage(NamedTuple):
    """Instruments verified by law of one energy that one body verified last; `body` is empty where none is known."""

    carrier: str
    body: str
    instruments: int
    valid: int

    @property
    def rate(self) -> float:
        """Within their verification. [%]"""
        return 100.0 * self.valid / self.instruments


def mandatory_points(scene: Scene) -> NDArray[np.bool_]:
    """(p,) Points whose instrument is verified by law."""
    named = scene.rules.mandatory_purposes
    purpose, instrument = scene.column("purpose"), scene.column("instrument")
    said = [_purposes(value) for value in purpose.values]
    found = np.array([bool(named & one) for one in said] + [False], np.bool_)[purpose.codes]
    for rule in scene.rules.by_law:
        used = np.array([not rule.purposes or bool(rule.purposes & one) for one in said] + [False], np.bool_)
        kind = np.array([value == rule.instrument for value in instrument.values] + [False], np.bool_)
        found |= used[purpose.codes] & kind[instrument.codes]
    for point in _decided(scene):
        found[point] = scene.facts.mandatory[_key(scene, point)].by_law
    return np.asarray(found & scene.stands, np.bool_)


def _key(scene: Scene, point: int) -> tuple[str, str]:
    return scene.ledger.unit_codes[scene.ledger.point_unit[point]], scene.meter_no(point)


def _decided(scene: Scene) -> list[int]:
    """Points of whose meter somebody entered whether it is verified by law."""
    codes = {code for code, _ in scene.facts.mandatory} & set(scene.ledger.unit_index)
    units = [scene.ledger.unit_index[code] for code in codes]
    spans = [range(*scene.ledger.unit_point_start[i : i + 2].tolist()) for i in units]
    return [point for span in spans for point in span if _key(scene, point) in scene.facts.mandatory]


def mandatory_basis(scene: Scene, point: int) -> Phrase:
    """Why the instrument at a point is verified by law."""
    fact = scene.facts.mandatory.get(_key(scene, point))
    if fact is not None:
        return Phrase(zh=fact.source, en=fact.source)
    purposes = _purposes(scene.column("purpose").of(point))
    instrument = scene.column("instrument").of(point)
    for rule in scene.rules.by_law:
        if rule.instrument == instrument and (not rule.purposes or rule.purposes & purposes):
            return Phrase(zh=rule.source, en=rule.source)
    named = sorted(scene.rules.mandatory_purposes & purposes)
    zh, en = (_TRADE.zh, _TRADE.en) if named == ["trade"] else ("、".join(named), ", ".join(named))
    return Phrase(zh=_BY_PURPOSE.zh.format(zh), en=_BY_PURPOSE.en.format(en))


def _purposes(text: str) -> frozenset[str]:
    """Words of the rules that a purpose cell contains."""
    facts = purpose_of(text)
    said = {text, *(("trade",) if facts.trade else ()), *((facts.motion,) if facts.motion else ())}
    return frozenset(said)


def coverage(scene: Scene, bodies: Mapping[tuple[str, str], str]) -> Sequence[Coverage]:
    """Instruments verified by law that are in use, by energy and by the body that verified them last.

    Parameters
    ----------
    bodies : mapping of (unit code, management number) to str
        Of the last certificate.
    """
    holds = (scene.verification != VerificationState.UNKNOWN) & (scene.verification != VerificationState.OVERDUE)
    count: dict[tuple[str, str], list[int]] = {}
    for point in np.flatnonzero(mandatory_points(scene) & scene.in_use).tolist():
        key = scene.ledger.point_carrier[point], bodies.get(_key(scene, point), "")
        both = count.setdefault(key, [0, 0])
        both[0] += 1
        both[1] += bool(holds[point])
    return [Coverage(*key, *both) for key, both in sorted(count.items())]


def service_life_findings(scene: Scene) -> Iterator[Finding]:
    """Instruments that are verified once, before they are installed, and are in use past the years they may serve.

    The years count from the earliest day that is known of the instrument: its first certificate, or its installation.
    """
    if not scene.rules.service_lives or not len(scene.ledger.installations):
        return
    columns = [scene.column(name) for name in ("instrument", "purpose", "name")]
    named = {one.instrument for one in scene.rules.service_lives}
    may = np.array([value in named for value in columns[0].values] + [False], np.bool_)[columns[0].codes]
    lives: dict[tuple[str, ...], ServiceLife | None] = {}
    first = _first_known(scene)
    shortest = min(one.months for one in scene.rules.service_lives)
    old = scene.in_use & may & (first != NO_DAY) & (scene.day - first.astype(np.int64) > 28 * shortest)
    for point in np.flatnonzero(old).tolist():
        kind = tuple(column.of(point) for column in columns)
        if kind not in lives:
            lives[kind] = _life(scene.rules.service_lives, *kind)
        life = lives[kind]
        if life is None:
            continue
        end = int(add_months(first[[point]], np.array([float(life.months)]))[0]) - 1
        if end < scene.day:
            yield _over(scene, point, life, int(first[point]), end)


def _life(lives: Sequence[ServiceLife], instrument: str, purpose: str, name: str) -> ServiceLife | None:
    """Longest service life that may apply; None if nothing indicates such an instrument."""
    facts = purpose_of(purpose)
    fitting = [one for one in lives if one.fits(instrument, name, facts.pipe_mm, trade=facts.trade)]
    return max(fitting, key=lambda one: one.months, default=None)


def _first_known(scene: Scene) -> NDArray[np.int32]:
    """(p,) First day that is known of the meter of each point, `NO_DAY` where none is. [d since 1970-01-01]"""
    ledger = scene.ledger
    never = np.iinfo(np.int32).max
    by_meter = np.full(len(ledger.meter_nos) + 1, never, np.int64)
    made = ledger.installations
    begun = made.installed_from != NO_INSTANT
    np.minimum.at(by_meter, made.meter[begun], made.installed_from[begun] // US_PER_DAY)
    stated = ledger.rows.day("verified_on")[made.row]
    np.minimum.at(by_meter, made.meter[stated != NO_DAY], stated[stated != NO_DAY])
    more = scene.evidence.certificates
    if more is not None:
        said = more.verified_on != NO_DAY
        np.minimum.at(by_meter, more.meter[said], more.verified_on[said])
    found = by_meter[np.where(scene.stands, scene.meter, len(ledger.meter_nos))]
    return np.where(found == never, NO_DAY, found).astype(np.int32)


def _over(scene: Scene, point: int, life: ServiceLife, since: int, end: int) -> Finding:
    ledger, unit = scene.ledger, int(scene.ledger.point_unit[point])
    level, meter = levels[ledger.point_level[point]], scene.meter_no(point)
    find = scene.finder(unit, "service_life", scene.applied[unit].edition.clauses["verification"])
    years = f"{life.months / 12:g}"
    since_text, end_text = (date.fromordinal(day + EPOCH_ORDINAL).isoformat() for day in (since, end))
    return find(
        verdict=Verdict.FAIL if life.sure else Verdict.PERSON,
        severity=scene.rules.severity["overdue_mandatory", level],
        required=Phrase(
            en=f"an instrument that is verified once is replaced after {years} years ({life.source})",
            zh=f"首次检定、限期使用的计量器具，使用 {years} 年到期更换（{life.source}）",
        ),
        found=Phrase(
            en=f"known since {since_text}, its service life ended on {end_text}",
            zh=f"已知自 {since_text} 起使用，使用期限已于 {end_text} 届满",
        ),
        next_step=Phrase(en=f"Replace {meter}.", zh=f"请更换 {meter}。")
        if life.sure
        else Phrase(
            en=f"Find out whether {meter} is verified once only, and replace it if so.",
            zh=f"请核实 {meter} 是否属首次检定、限期使用的器具，属于的应予更换。",
        ),
        evidence={"since": since_text, "ended": end_text, "months": life.months, "source": life.source},
        level=level,
        carrier=ledger.point_carrier[point],
        point=ledger.point_codes[point],
        meter_no=meter,
        meters=(meter,),
        points=(ledger.point_codes[point],),
    )
