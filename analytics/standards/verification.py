"""Verification of the meters in use (GB 17167 5.3.6), what its lapse puts at risk, and whether the ledger is whole.

Readings of a meter past its cycle keep counting as data; the finding says how much energy they carry (JJF 1356 6.4.5:
were past data at risk?).
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.domain.finding import Finding, Verdict
from analytics.domain.ledger import COLUMNS
from analytics.domain.severity import Severity
from analytics.domain.units import unit_of
from analytics.domain.words import Phrase
from analytics.standards.factors import EPOCH_ORDINAL
from analytics.standards.scene import Scene, VerificationState, levels
from analytics.standards.words import listing

__all__ = ["VerificationCount", "verification_counts", "verification_findings"]

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
"""What 5.3.1 asks of every line of the ledger, beside the management number, which a meter cannot be without."""


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
    mandatory = in_use & _mandatory(scene)
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


def _mandatory(scene: Scene) -> NDArray[np.bool_]:
    purpose = scene.column("purpose")
    fits = np.array([value in scene.rules.mandatory_purposes for value in purpose.values] + [False], np.bool_)
    return fits[purpose.codes]


def verification_findings(scene: Scene) -> Iterator[Finding]:
    """What is overdue, due, unknown or contradictory; and what the ledger lacks."""
    in_use, state, mandatory = scene.in_use, scene.verification, _mandatory(scene)
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
    yield from (_unknown(scene, points) for points in _by_group(scene, unknown))
    yield from _long_cycles(scene, in_use)
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
    at_risk = float(scene.evidence.at_risk[point])
    symbol = unit_of(int(scene.ledger.point_canonical[point])).symbol
    evidence: dict[str, object] = {"due": until}
    if not np.isnan(at_risk):
        evidence |= {"at_risk": round(at_risk, 3), "unit": symbol}
    return find(
        verdict=Verdict.FAIL,
        severity=scene.rules.severity[question, place.level],
        required=_WITHIN,
        found=Phrase(en=f"verification ran out on {until}", zh=f"检定有效期已于 {until} 届满"),
        next_step=Phrase(
            en=f"Have {place.meter} verified or replaced, and judge whether data since {until} are at risk "
            "(JJF 1356 6.4.5).",
            zh=f"请将 {place.meter} 送检或更换，并评估 {until} 以来的数据是否受影响（JJF 1356 6.4.5）。",
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


def _unknown(scene: Scene, points: NDArray[np.int64]) -> Finding:
    place = _Place.of(scene, int(points[0]))
    find = scene.finder(place.unit, "verification_unknown", _clause(scene, place.unit, "verification"))
    meters = scene.meter_nos(points)
    return find(
        verdict=Verdict.PERSON,
        severity=Severity.WARNING,
        required=_WITHIN,
        found=Phrase(en=f"{len(points)} meters without a verification date", zh=f"{len(points)} 台未填检定有效期"),
        next_step=Phrase(
            en=f"Enter the verification of {listing(meters)}.",
            zh=f"请补录 {listing(meters, chinese=True)} 的检定信息。",
        ),
        level=place.level,
        meters=meters,
        points=scene.point_names(points),
    )


def _long_cycles(scene: Scene, in_use: NDArray[np.bool_]) -> Iterator[Finding]:
    instrument, months = scene.column("instrument"), scene.number("cycle_months")
    limits = np.array(
        [scene.rules.cycles[value].months if value in scene.rules.cycles else np.inf for value in instrument.values]
        + [np.inf]
    )
    long = in_use & (months > limits[instrument.codes])
    for points in _by_group(scene, long):
        place = _Place.of(scene, int(points[0]))
        kinds = sorted({instrument.of(point) for point in points.tolist()})
        sources = "; ".join(f"{kind}: {scene.rules.cycles[kind].source}" for kind in kinds)
        find = scene.finder(place.unit, "cycle", _clause(scene, place.unit, "verification"))
        meters = scene.meter_nos(points)
        yield find(
            verdict=Verdict.PERSON,
            required=Phrase(
                en=f"a cycle as the regulation has it ({sources})", zh=f"检定周期符合检定规程（{sources}）"
            ),
            found=Phrase(en=f"{len(points)} meters have a longer one", zh=f"{len(points)} 台检定周期偏长"),
            next_step=Phrase(
                en=f"Check the cycle of {listing(meters)} against the certificate.",
                zh=f"请对照证书核对 {listing(meters, chinese=True)} 的检定周期。",
            ),
            level=place.level,
            meters=meters,
        )


def _ledger_gaps(scene: Scene) -> Iterator[Finding]:
    """Units whose ledger leaves out what 5.3.1 asks for; one finding a unit, also where it is whole."""
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
