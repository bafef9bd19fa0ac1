"""Verification of the meters in use (GB 17167 5.3.6), energy at risk after it lapsed, completeness of the ledger.

Readings of a meter past its cycle keep counting as data; the finding says how much energy they carry (JJF 1356 6.4.5:
were past data at risk?).
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.domain.accuracy import parse_accuracy_class
from analytics.domain.finding import Finding, Verdict
from analytics.domain.ledger import COLUMNS, NO_DAY
from analytics.domain.severity import Severity
from analytics.domain.units import unit_of
from analytics.domain.words import Phrase
from analytics.standards.factors import EPOCH_ORDINAL
from analytics.standards.mandatory import mandatory_points, service_life_findings
from analytics.standards.purpose import purpose_of
from analytics.standards.rules import Cycle, Rules
from analytics.standards.scene import Scene, VerificationState, levels
from analytics.standards.words import listing

__all__ = ["VerificationCount", "verification_counts", "verification_findings"]

_MONTH_DAYS: Final = 30.4375
_LEAP_DAYS: Final = 3
"""Tolerance on the end of a cycle: certificates that end a day or two later are not questioned. [d]"""
_MANY_CYCLES: Final = 20
"""Above this many meters of a unit with the same limit they share one finding."""
_LEDGER_COLUMNS: Final = (
    "name",
    "model",
    "accuracy_class",
    "range",
    "manufacturer",
    "serial_no",
    "place",
    "status",
)
"""Columns that 5.3.1 requires in every line of the ledger, beside the management number."""


class VerificationCount(NamedTuple):
    """Meters of a unit that stand somewhere and are in use; the mandatory ones again by themselves."""

    meters: int
    valid: int
    due_90: int
    due_30: int
    overdue: int
    unknown: int
    mandatory: int
    mandatory_valid: int

    @property
    def rate(self) -> float | None:
        """Share of the mandatory instruments within their verification; None where there are none. [%]"""
        return 100.0 * self.mandatory_valid / self.mandatory if self.mandatory else None


def verification_counts(scene: Scene) -> tuple[VerificationCount, ...]:
    """Counts of each unit."""
    units = len(scene.ledger.unit_codes)
    in_use = scene.in_use
    unit = scene.ledger.point_unit

    def count(mask: NDArray[np.bool_]) -> list[int]:
        return [int(n) for n in np.bincount(unit[mask], minlength=units)]

    state = scene.verification
    mandatory = in_use & mandatory_points(scene)
    holds = (state != VerificationState.UNKNOWN) & (state != VerificationState.OVERDUE)
    columns = [count(in_use), count(in_use & holds)]
    columns += [
        count(in_use & (state == one))
        for one in (
            VerificationState.DUE_90,
            VerificationState.DUE_30,
            VerificationState.OVERDUE,
            VerificationState.UNKNOWN,
        )
    ]
    columns += [count(mandatory), count(mandatory & holds)]
    return tuple(VerificationCount(*row) for row in zip(*columns, strict=True))


def verification_findings(scene: Scene) -> Iterator[Finding]:
    """Findings on verifications overdue, due, unknown or contradictory; and on gaps of the ledger."""
    in_use, state, mandatory = scene.in_use, scene.verification, mandatory_points(scene)
    for point in np.flatnonzero(in_use & (state == VerificationState.OVERDUE)).tolist():
        yield _overdue(scene, point, "overdue_mandatory" if mandatory[point] else "overdue")
    for point in np.flatnonzero(
        in_use & (state >= VerificationState.DUE_90) & (state < VerificationState.OVERDUE)
    ).tolist():
        yield _due(scene, point)
    for point in np.flatnonzero(in_use & scene.twice).tolist():
        yield _contradiction(scene, point)
    holds = in_use & (state != VerificationState.UNKNOWN) & (state != VerificationState.OVERDUE)
    yield from (_valid(scene, points) for points in _by_group(scene, holds))
    unknown = in_use & (state == VerificationState.UNKNOWN)
    for points in _by_group(scene, unknown):
        yield from _unknown(scene, points)
    yield from _long_cycles(scene, in_use)
    yield from service_life_findings(scene)
    yield from _ledger_gaps(scene)


def _by_group(scene: Scene, mask: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
    """Points of a mask by unit and level."""
    point = np.flatnonzero(mask)
    key = scene.ledger.point_unit[point].astype(np.int64) * len(levels) + scene.ledger.point_level[point]
    order = np.argsort(key, kind="stable")
    point, key = point[order], key[order]
    cuts = np.flatnonzero(key[1:] != key[:-1]) + 1
    yield from (group for group in np.split(point, cuts) if len(group))


def _written(day: int) -> str:
    return date.fromordinal(day + EPOCH_ORDINAL).isoformat()


class _Place(NamedTuple):
    unit: int
    level: str
    point: str
    meter: str
    carrier: str

    @classmethod
    def of(cls, scene: Scene, point: int) -> "_Place":
        ledger = scene.ledger
        return cls(
            int(ledger.point_unit[point]),
            levels[ledger.point_level[point]],
            ledger.point_codes[point],
            scene.meter_no(point),
            ledger.point_carrier[point],
        )


def _clause(scene: Scene, unit: int, name: str) -> str:
    return scene.applied[unit].edition.clauses[name]


_WITHIN: Final = Phrase(
    en="a meter in use is within its verification; one past its cycle must not be used",
    zh="在用计量器具应在检定有效期内，超过检定周期的不得使用",
)


def _about(place: _Place) -> dict[str, object]:
    return {
        "level": place.level,
        "carrier": place.carrier,
        "point": place.point,
        "meter_no": place.meter,
        "meters": (place.meter,),
        "points": (place.point,),
    }


def _overdue(scene: Scene, point: int, question: str) -> Finding:
    place = _Place.of(scene, point)
    find = scene.finder(place.unit, "verification", _clause(scene, place.unit, "verification"))
    until = _written(int(scene.due[point]))
    failed = bool(scene.verified_on[point] > scene.due[point])
    since = _written(int(scene.verified_on[point])) if failed else until
    at_risk = float(scene.evidence.at_risk[point])
    symbol = unit_of(int(scene.ledger.point_canonical[point])).symbol
    evidence: dict[str, object] = {"due": until}
    if not np.isnan(at_risk):
        evidence |= {"at_risk": round(at_risk, 3), "unit": symbol}
    return find(
        verdict=Verdict.FAIL,
        severity=scene.rules.severity[question, place.level],
        required=_WITHIN,
        found=Phrase(en=f"it failed its verification on {since}", zh=f"{since} 检定/校准不合格，仍在使用")
        if failed
        else Phrase(en=f"verification ran out on {until}", zh=f"检定/校准有效期已于 {until} 届满"),
        next_step=Phrase(
            en=f"Have {place.meter} {'repaired' if failed else 'verified'} or replaced, and judge whether data since "
            f"{until} are at risk (JJF 1356 6.4.5).",
            zh=f"请将 {place.meter} {'停用修理' if failed else '送检'}或更换，并评估 {until} 以来的数据是否受影响"
            "（JJF 1356 6.4.5）。",
        ),
        evidence=evidence,
        **_about(place),
    )


def _due(scene: Scene, point: int) -> Finding:
    place = _Place.of(scene, point)
    find = scene.finder(place.unit, "verification_due", _clause(scene, place.unit, "verification"))
    until = _written(int(scene.due[point]))
    soon = scene.verification[point] == VerificationState.DUE_30
    return find(
        verdict=Verdict.PASS,
        severity=Severity.WARNING if soon else Severity.INFO,
        required=_WITHIN,
        found=Phrase(en=f"verification holds until {until}", zh=f"检定有效期至 {until}"),
        next_step=Phrase(
            en=f"Have {place.meter} verified before {until}.", zh=f"请在 {until} 前安排 {place.meter} 检定。"
        ),
        evidence={"due": until, "within_days": scene.rules.due_now_days if soon else scene.rules.due_soon_days},
        **_about(place),
    )


def _contradiction(scene: Scene, point: int) -> Finding:
    place = _Place.of(scene, point)
    find = scene.finder(place.unit, "certificates", _clause(scene, place.unit, "verification"))
    since = _written(int(scene.verified_on[point]))
    return find(
        verdict=Verdict.PERSON,
        severity=Severity.WARNING,
        required=Phrase(en="one certificate of a day", zh="同一检定日期只有一份有效证书"),
        found=Phrase(
            en=f"two valid certificates of {since} name different ends; the later one counts",
            zh=f"检定日期 {since} 有两份有效期不同的证书，暂按较晚者计",
        ),
        next_step=Phrase(
            en=f"Correct the certificate of {place.meter} in the ledger.",
            zh=f"请在台账中更正 {place.meter} 的检定证书信息。",
        ),
        **_about(place),
    )


def _valid(scene: Scene, points: NDArray[np.int64]) -> Finding:
    place = _Place.of(scene, int(points[0]))
    find = scene.finder(place.unit, "verification", _clause(scene, place.unit, "verification"))
    return find(
        verdict=Verdict.PASS,
        required=_WITHIN,
        found=Phrase(en=f"{len(points)} meters are", zh=f"{len(points)} 台在有效期内"),
        level=place.level,
        evidence={"meters": len(points)},
    )


def _unknown(scene: Scene, points: NDArray[np.int64]) -> Iterator[Finding]:
    """Meters without a known end of their verification, or whose only verification lies in the future."""
    future = _verified_later(scene)
    for point in points[future[points] != NO_DAY].tolist():
        yield _not_yet(scene, point, int(future[point]))
    silent = points[future[points] == NO_DAY]
    if not len(silent):
        return
    place = _Place.of(scene, int(silent[0]))
    find = scene.finder(place.unit, "verification_unknown", _clause(scene, place.unit, "verification"))
    meters = scene.meter_nos(silent)
    alone = {"point": place.point, "meter_no": place.meter} if len(silent) == 1 else {}
    yield find(
        verdict=Verdict.PERSON,
        severity=Severity.WARNING,
        required=_WITHIN,
        found=Phrase(
            en=f"of {len(silent)} meters neither cycle nor end of the verification is entered",
            zh=f"{len(silent)} 台检定（校准）信息不全，有效期无法确定",
        ),
        next_step=Phrase(
            en=f"Enter the verification of {listing(meters)}.",
            zh=f"请补录 {listing(meters, chinese=True)} 的检定/校准信息。",
        ),
        level=place.level,
        meters=meters,
        points=scene.point_names(silent),
        **alone,
    )


def _verified_later(scene: Scene) -> NDArray[np.int32]:
    """The first day after the one that is judged on which the meter of a point is stated as verified; (p,)."""
    if not len(scene.ledger.installations):
        return np.full(len(scene.installation), NO_DAY, np.int32)
    stated = scene.ledger.rows.day("verified_on")[scene.ledger.installations.row[scene.installation]]
    return np.where(scene.stands & (stated > scene.day), stated, NO_DAY).astype(np.int32)


def _not_yet(scene: Scene, point: int, verified_day: int) -> Finding:
    place = _Place.of(scene, point)
    find = scene.finder(place.unit, "verification_unknown", _clause(scene, place.unit, "verification"))
    on = _written(verified_day)
    return find(
        verdict=Verdict.PERSON,
        severity=Severity.WARNING,
        required=_WITHIN,
        found=Phrase(
            en=f"the verification entered is of {on}, later than the day judged; no certificate holds on that day",
            zh=f"所填检定日期 {on} 晚于判定日，判定日无有效证书",
        ),
        next_step=Phrase(
            en=f"Correct the date of {place.meter}, or enter the certificate before it.",
            zh=f"请更正 {place.meter} 的检定/校准日期，或录入此前的证书。",
        ),
        **_about(place),
    )


def _long_cycles(scene: Scene, in_use: NDArray[np.bool_]) -> Iterator[Finding]:
    """Meters whose stated cycle, or the time that their certificate holds, is longer than the regulation's longest.

    A finding a meter; one for all meters of a unit, level and carrier with the same limit where they are many, since a
    ledger that enters one cycle everywhere is one question for a person, not hundreds.
    """
    months = np.fmax(scene.number("cycle_months"), _months_held(scene))
    shortest = min((one.months for one in scene.rules.cycles), default=np.inf)
    asked = np.flatnonzero(in_use & (months > shortest))
    limits, kind = _limits_of(scene, asked)
    longest = np.array([np.inf if limit is None else limit.months for limit in limits] or [np.inf])
    beyond = months[asked] > longest[kind]
    alike: dict[tuple[int, int, str, Cycle], list[int]] = {}
    ledger = scene.ledger
    for point, limit in zip(asked[beyond].tolist(), kind[beyond].tolist(), strict=True):
        fits = limits[limit]
        assert fits is not None, "what has no limit is not beyond it"
        group = int(ledger.point_unit[point]), int(ledger.point_level[point]), ledger.point_carrier[point], fits
        alike.setdefault(group, []).append(point)
    many: dict[tuple[int, int, str], list[tuple[Cycle, list[int]]]] = {}
    for (unit, level, carrier, limit), points in alike.items():
        if len(points) > _MANY_CYCLES:
            many.setdefault((unit, level, carrier), []).append((limit, points))
        else:
            yield from (_long_cycle(scene, [(limit, [point])], months) for point in points)
    yield from (_long_cycle(scene, groups, months) for groups in many.values())


def _limits_of(scene: Scene, points: NDArray[np.int64]) -> tuple[list[Cycle | None], NDArray[np.int64]]:
    """Longest cycle of each kind of instrument among points, and the kind of each point."""
    columns = [scene.column(name) for name in ("instrument", "accuracy_class", "purpose")]
    key = np.zeros(len(points), np.int64)
    for column in columns:
        key = key * (len(column.values) + 1) + column.codes[points]
    _, first, kind = np.unique(key, return_index=True, return_inverse=True)
    examples = points[first].tolist()
    return [_longest(scene.rules, *(column.of(point) for column in columns)) for point in examples], kind


def _months_held(scene: Scene) -> NDArray[np.float64]:
    """Whole months from the verification to its end, by the certificate that counts; NaN where either is not known."""
    known = (scene.verified_on != NO_DAY) & (scene.due != NO_DAY)
    days = np.where(known, scene.due.astype(np.int64) - scene.verified_on, 0)
    return np.where(known, np.floor((days - _LEAP_DAYS) / _MONTH_DAYS), np.nan)


def _longest(rules: Rules, instrument: str, accuracy_class: str, purpose: str) -> Cycle | None:
    pipe = purpose_of(purpose).pipe_mm if instrument == "water_flow" else None
    stated = str(parse_accuracy_class(accuracy_class)) if accuracy_class else ""
    fitting = [one for one in rules.cycles if one.instrument == instrument and one.fits(stated, pipe)]
    return max(fitting, key=lambda one: one.months, default=None)


def _long_cycle(scene: Scene, groups: Sequence[tuple[Cycle, list[int]]], months: NDArray[np.float64]) -> Finding:
    """The question about meters of one unit, level and carrier, by the limit that holds for each."""
    points = [point for _, of in groups for point in of]
    place = _Place.of(scene, points[0])
    find = scene.finder(place.unit, "cycle", _clause(scene, place.unit, "verification"))
    meters = scene.meter_nos(np.array(points))
    longest = [max(float(months[point]) for point in of) for _, of in groups]
    about = _about(place)
    if len(points) > 1:
        about |= {
            "point": "",
            "meter_no": "",
            "meters": tuple(meters),
            "points": tuple(scene.ledger.point_codes[point] for point in points),
        }
    return find(
        verdict=Verdict.PERSON,
        severity=Severity.WARNING,
        required=Phrase(
            en="; ".join(_limit(limit)[0] for limit, _ in groups), zh="；".join(_limit(limit)[1] for limit, _ in groups)
        ),
        found=Phrase(
            en="; ".join(f"{one:g} months" for one in longest), zh="；".join(f"{one:g} 个月" for one in longest)
        ),
        next_step=Phrase(
            en=f"Check the cycle of {listing(meters)} against the certificate.",
            zh=f"请对照证书核对 {listing(meters, chinese=True)} 的检定周期/校准间隔。",
        ),
        evidence={"months": max(longest), "limit": min(limit.months for limit, _ in groups)},
        **about,
    )


def _limit(limit: Cycle) -> tuple[str, str]:
    sure = {"two": ("", ""), "one": ("", "")}.get(limit.confidence, (" (to be confirmed)", "（待核实）"))
    return (
        f"a cycle of at most {limit.months:g} months, {limit.source}{sure[0]}",
        f"检定周期/校准间隔不超过 {limit.months:g} 个月，{limit.source}{sure[1]}",
    )


def _ledger_gaps(scene: Scene) -> Iterator[Finding]:
    """Completeness of the ledger by 5.3.1: one finding a unit, also if it is complete."""
    units = len(scene.ledger.unit_codes)
    stands, unit = scene.stands, scene.ledger.point_unit
    lacking: dict[int, list[str]] = {}
    meters: dict[int, list[str]] = {}
    for name in _LEDGER_COLUMNS:
        column = scene.column(name)
        empty = column.values.index("") if "" in column.values else -2
        points = np.flatnonzero(stands & (column.codes == empty))
        for group in np.split(points, np.flatnonzero(np.diff(unit[points])) + 1):
            if len(group):
                lacking.setdefault(int(unit[group[0]]), []).append(name)
                meters.setdefault(int(unit[group[0]]), []).extend(scene.meter_nos(group))
    with_meters = np.bincount(unit[stands], minlength=units) > 0
    for i in np.flatnonzero(with_meters).tolist():
        yield _ledger_gap(scene, i, lacking.get(i, ()), tuple(dict.fromkeys(meters.get(i, ()))))


def _ledger_gap(scene: Scene, unit: int, columns: Sequence[str], meters: tuple[str, ...]) -> Finding:
    find = scene.finder(unit, "ledger", _clause(scene, unit, "ledger"))
    names, names_zh = ", ".join(columns), "、".join(COLUMNS[name].chinese for name in columns)
    whole = not columns
    return find(
        verdict=Verdict.PASS if whole else Verdict.FAIL,
        severity=Severity.INFO if whole else scene.rules.severity["other", "unit"],
        required=Phrase(en="a complete ledger of all meters", zh="建立完整的能源计量器具一览表"),
        found=Phrase(en="complete", zh="完整")
        if whole
        else Phrase(en=f"{len(meters)} meters lack {names}", zh=f"{len(meters)} 台缺少：{names_zh}"),
        next_step=Phrase(en="", zh="")
        if whole
        else Phrase(
            en=f"Fill in {names} for {listing(meters)}.", zh=f"请补全 {listing(meters, chinese=True)} 的{names_zh}。"
        ),
        meters=meters,
    )
