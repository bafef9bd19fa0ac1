"""Main sub-units and main equipment (tables 1 and 2), and thereby the points that count in the theoretical need Nl.

Declared and measured use are each held against the limit of the energy (≥, any one of the quantities used, made or
passed on). Neither is guessed: a sum that is not whole can reach a limit, but cannot stay below it. An hour's measured
use says the power; water counts one tonne a cubic metre; gas counts at standard state only.

Of the points that the ledger does not exempt, those at the unit's edge count, and below it those that reach a limit, or
that have a meter and are not ruled out; where nothing says whether one without a meter reaches it, a person has to. One
that the ledger exempts does not count while its reason holds; where the ledger itself refutes the reason it does, and
where nobody can tell it is undecided.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.domain.finding import Finding, Verdict
from analytics.domain.ledger import Level
from analytics.domain.severity import Severity
from analytics.domain.words import Phrase
from analytics.standards.editions import Edition, Limit
from analytics.standards.exemptions import EXEMPTIONS, Exemption, exemption_of, reasons_text
from analytics.standards.scene import Scene, levels
from analytics.standards.words import carrier_name, listing

__all__ = ["MainUse", "main_use"]

Floats = NDArray[np.float64]
Int8s = NDArray[np.int8]
Int32s = NDArray[np.int32]
Mask = NDArray[np.bool_]

YES: Final = 1
NO: Final = 0
UNKNOWN: Final = -1
_HOURS_A_YEAR: Final = 8760.0
_WHOLE_YEAR_DAYS: Final = 360
_GJ_A_MWH: Final = 3.6
_DIRECTIONS: Final = 3


_CHOICE: Final = reasons_text()


class _Owner(NamedTuple):
    """Sub-unit or device and energy: (o,) arrays; `of_point` (p,) is -1 for points of the unit's own level."""

    of_point: Int32s
    first: NDArray[np.int64]
    declared: Int8s
    measured: Int8s
    declared_amount: Floats
    measured_amount: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MainUse:
    """Points of the theoretical need, and findings on the way.

    Attributes
    ----------
    counted : (p,) bool
        Points that count in the theoretical need Nl.
    undecided : (p,) bool
        Points for which a person has to decide whether they count.
    declared, measured : (p,) int8
        Whether the point's sub-unit or device is a main one by what is declared and by what is measured: 1 yes, 0 no,
        -1 not known; -1 at the unit's own level.
    findings : tuple of Finding
    """

    counted: Mask
    undecided: Mask
    declared: Int8s
    measured: Int8s
    findings: tuple[Finding, ...]


def main_use(scene: Scene) -> MainUse:
    """Decide which points count; findings where ledger, limits and meters disagree.

    Parameters
    ----------
    scene : Scene
    """
    owner = _owners(scene)
    below = owner.of_point >= 0
    place = np.maximum(owner.of_point, 0)
    unknown = np.full(len(below), UNKNOWN, np.int8)
    declared = np.where(below, owner.declared[place], unknown) if len(owner.first) else unknown
    measured = np.where(below, owner.measured[place], unknown) if len(owner.first) else unknown
    main = np.maximum(declared, measured)
    other = _main_by_another(scene, main)
    required = scene.ledger.point_required
    counted = required & ((scene.ledger.point_level == Level.UNIT) | (main != NO))
    undecided = counted & (scene.ledger.point_level != Level.UNIT) & (main == UNKNOWN) & ~scene.stands
    counted &= ~undecided
    findings: list[Finding] = list(_nothing_known(scene, undecided))
    covered = _covered(scene) if not required.all() else np.zeros(len(counted), np.int8)
    for point in np.flatnonzero(~required).tolist():
        finding = _exemption(scene, point, int(main[point]), other=bool(other[point]), metered=int(covered[point]))
        if finding is not None and scene.in_use[point]:
            counted[point] = True  # it has its meter: whatever the reason is worth, nothing is lacking
        elif finding is not None:
            counted[point] = finding.verdict is Verdict.FAIL
            undecided[point] = finding.verdict is Verdict.PERSON
            findings.append(finding)
    for point in np.flatnonzero(required & (main == NO) & other).tolist():
        if scene.in_use[point]:
            counted[point] = True
        else:
            undecided[point] = True
            findings.append(_by_another(scene, point))
    findings += _disagreements(scene, owner)
    return MainUse(counted=counted, undecided=undecided, declared=declared, measured=measured, findings=tuple(findings))


def _main_by_another(scene: Scene, main: Int8s) -> Mask:
    """Points below the unit's level whose sub-unit or device is a main one by another of its energies; (p,) bool.

    Tables 1 and 2 ask for one or more kinds of energy (4.3.3, 4.3.4): what is main by one is main.
    """
    ledger = scene.ledger
    found = np.zeros(len(main), np.bool_)
    reached = np.flatnonzero((main == YES) & (ledger.point_level != Level.UNIT))
    low = np.flatnonzero((main == NO) & (ledger.point_level != Level.UNIT))
    if not len(reached) or not len(low):
        return found
    units = {*ledger.point_unit[low].tolist()}
    reached = reached[np.isin(ledger.point_unit[reached], list(units))]

    def holders(points: NDArray[np.int64]) -> Iterator[tuple[int, int, str, str]]:
        at = points.tolist()
        yield from zip(
            ledger.point_unit[points].tolist(), ledger.point_level[points].tolist(),
            (ledger.point_sub_unit[p] for p in at), (ledger.point_equipment[p] for p in at), strict=True,
        )  # fmt: skip

    mains = set(holders(reached))
    found[low] = [holder in mains for holder in holders(low)]
    return found


def _owners(scene: Scene) -> _Owner:
    ledger = scene.ledger
    point = np.flatnonzero(ledger.point_level != Level.UNIT)
    names: dict[tuple[int, int, str, str, str], int] = {}
    of_point = np.full(len(ledger.point_codes), -1, np.int32)
    at = point.tolist()
    columns = (ledger.point_sub_unit, ledger.point_equipment, ledger.point_carrier)
    keys = zip(
        ledger.point_unit[point].tolist(), ledger.point_level[point].tolist(),
        *([column[p] for p in at] for column in columns), strict=True,
    )  # fmt: skip
    setdefault = names.setdefault
    of_point[point] = [setdefault(key, len(names)) for key in keys]
    first = np.full(len(names), -1, np.int64)
    first[of_point[point[::-1]]] = point[::-1]
    declared_amount, whole, hourly = _declared(scene, of_point, len(names))
    declared_amount = np.maximum(declared_amount, _of_devices(scene, names, declared_amount))
    limit, divisor = _limits(scene, first)
    declared_amount = declared_amount / divisor
    # a yearly use gives only the mean of an hour; table 2 is about the largest
    below = np.where(whole & ((divisor != _HOURS_A_YEAR) | hourly), NO, UNKNOWN)
    declared = np.where(declared_amount >= limit, YES, below).astype(np.int8)
    measured, measured_amount = _measured(scene, names)
    return _Owner(of_point, first, declared, measured, declared_amount, measured_amount)


def _of_devices(scene: Scene, names: Mapping[tuple[int, int, str, str, str], int], amount: Floats) -> Floats:
    """What the devices of a sub-unit are declared to take together, 0 for other owners: it takes no less itself."""
    total = np.zeros(len(names))
    if not scene.ledger.point_required.all():  # it matters where a sub-unit says that it is small
        equipment, sub = int(Level.EQUIPMENT), int(Level.SUB_UNIT)
        known = amount > 0
        for ((unit, level, sub_unit, _, carrier), o), some in zip(names.items(), known.tolist(), strict=True):
            if some and level == equipment:
                above = names.get((unit, sub, sub_unit, "", carrier))
                if above is not None:
                    total[above] += amount[o]
    return total


def _limits(scene: Scene, first: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Limit of each owner, and what its declared amount is divided by to be in the limit's unit (per hour)."""
    ledger = scene.ledger
    editions = {id(applied.edition): applied.edition for applied in scene.applied}
    number = {key: i for i, key in enumerate(editions)}
    of_unit = np.array([number[id(applied.edition)] for applied in scene.applied], np.int64)
    kind = (of_unit[ledger.point_unit[first]] * len(levels) + ledger.point_level[first]) * len(scene.carriers)
    distinct, which = np.unique(kind + scene.carrier[first], return_inverse=True)
    found = np.ones((len(distinct), 2))
    chosen = tuple(editions.values())
    for i, one in enumerate(distinct.tolist()):
        rest, carrier = divmod(one, len(scene.carriers))
        row = chosen[rest // len(levels)].limit_of(scene.carriers[carrier], levels[rest % len(levels)])
        found[i] = (np.inf, 1.0) if row is None else (row.value, _divisor(row.unit))
    return found[which, 0], found[which, 1]


def _divisor(unit: str) -> float:
    """Divisor of an amount a year (or a power in kW) to be in the limit's unit."""
    return {"kW": 1.0, "MW": 1000.0, "t/h": _HOURS_A_YEAR, "m3/h": _HOURS_A_YEAR, "GJ/h": _HOURS_A_YEAR}.get(unit, 1.0)


def _declared(scene: Scene, of_point: Int32s, owners: int) -> tuple[Floats, Mask, Mask]:
    """The greatest of an owner's inputs, outputs and own production, and whether all its points state theirs.

    Of equipment, the most in an hour counts where it is stated, as what it comes to in a year; the third is whether all
    points state that.
    """
    ledger = scene.ledger
    parent = ledger.point_parent
    top = (of_point >= 0) & ((parent < 0) | (of_point[parent] != of_point))
    point = np.flatnonzero(top)
    power = ledger.point_rated_power_kw
    mean_kw = np.where(scene.carrier_is("electricity"), ledger.point_annual_use / _HOURS_A_YEAR, np.nan)
    stated_kw = np.where(np.isnan(power), mean_kw, power)
    by_power = _limited_by_power(scene)
    of_hour = np.where(ledger.point_level == Level.EQUIPMENT, ledger.point_hourly_use * _HOURS_A_YEAR, np.nan)
    use = np.where(np.isnan(of_hour), ledger.point_annual_use, of_hour)
    amount = np.where(by_power, stated_kw, use)[point]
    whole = ~np.isnan(np.where(by_power, power, use)[point])
    known = ~np.isnan(amount)
    group = of_point[point].astype(np.int64) * _DIRECTIONS + ledger.point_direction[point]
    total = np.bincount(group, np.where(known, amount, 0.0), minlength=owners * _DIRECTIONS)
    lacking = np.bincount(of_point[point], ~whole, minlength=owners)
    unstated = np.bincount(of_point[point], np.isnan(of_hour[point]), minlength=owners)
    greatest = total.reshape(owners, _DIRECTIONS).max(axis=1) if owners else np.empty(0)
    return greatest, np.asarray(lacking[:owners] == 0, np.bool_), np.asarray(unstated[:owners] == 0, np.bool_)


def _limited_by_power(scene: Scene) -> Mask:
    """Points whose level and energy have a limit in kW or MW; (p,) bool."""
    found = np.zeros(len(scene.ledger.point_codes), np.bool_)
    for edition in {id(applied.edition): applied.edition for applied in scene.applied}.values():
        for carrier in scene.carriers:
            for level in (Level.SUB_UNIT, Level.EQUIPMENT):
                row = edition.limit_of(carrier, levels[level])
                if row is not None and row.unit in {"kW", "MW"}:
                    found |= scene.carrier_is(carrier) & (scene.ledger.point_level == level)
    return found


def _measured(scene: Scene, names: Mapping[tuple[int, int, str, str, str], int]) -> tuple[Int8s, Floats]:
    place = {level: i for i, level in enumerate(levels)}
    editions = [id(applied.edition) for applied in scene.applied]
    held: dict[tuple[int, str, str, str], _Held | None] = {}
    owners: list[int] = []
    uses: list[tuple[float, float, float, float]] = []
    for (unit, scope, sub_unit, name, carrier), use in scene.evidence.uses.items():
        if scope == "unit":
            continue
        kind = editions[unit], carrier, scope, use.symbol
        if kind not in held:
            held[kind] = _held(scene.applied[unit].edition.limit_of(carrier, scope), carrier, use.symbol)
        against = held[kind]
        if against is None:
            continue
        o = names.get((unit, place[scope], sub_unit, name if scope == "equipment" else "", carrier))
        if o is not None:
            owners.append(o)
            amount = use.amount if against.of_year else use.most_in_an_hour
            uses.append((amount, use.days, against.limit, against.divisor))
    verdict, amounts = np.full(len(names), UNKNOWN, np.int8), np.full(len(names), np.nan)
    used, days, limit, divisor = np.array(uses, np.float64).reshape(-1, 4).T
    used, at = used / divisor, np.array(owners, np.int64)
    known = ~np.isnan(used)
    below = np.where(days >= _WHOLE_YEAR_DAYS, NO, UNKNOWN)
    verdict[at[known]] = np.where(used >= limit, YES, below)[known]
    amounts[at[known]] = used[known]
    return verdict, amounts


class _Held(NamedTuple):
    """A limit that measured use is held against, of a year or an hour, and what brings the use into its unit."""

    limit: float
    of_year: bool
    divisor: float


def _held(limit: Limit | None, carrier: str, symbol: str) -> _Held | None:
    """None where there is no limit, or the unit of measurement does not convert to its own."""
    if limit is None:
        return None
    quantity, _, per = limit.unit.partition("/")
    stated = "t" if carrier == "water" and symbol == "m3" else symbol
    expected = "GJ" if limit.unit == "MW" else {"kW": "kWh", "m3": "Nm3", "t": "t", "GJ": "GJ"}[quantity]
    if stated != expected:
        return None
    return _Held(limit.value, per == "a", _GJ_A_MWH if limit.unit == "MW" else 1.0)


def _covered(scene: Scene) -> Int8s:
    """Whether a meter in use stands above a point, or counts its whole sub-unit; (p,) 1 yes, 0 no, -1 in part."""
    ledger = scene.ledger
    parent, in_use = ledger.point_parent, scene.in_use
    covered = np.zeros(len(parent), np.bool_)
    above = parent.copy()
    while (above >= 0).any():
        at = np.maximum(above, 0)
        same = scene.carrier[at] == scene.carrier
        covered |= (above >= 0) & in_use[at] & same & (ledger.point_level[at] != Level.UNIT)
        above = np.where(above >= 0, parent[at], -1).astype(np.int32)
    state = covered.astype(np.int8)
    feeds: dict[tuple[int, str, int], list[bool]] = {}
    units, carriers = ledger.point_unit.tolist(), scene.carrier.tolist()
    for point in np.flatnonzero((ledger.point_level == Level.SUB_UNIT) & (ledger.point_direction == 0)).tolist():
        key = units[point], ledger.point_sub_unit[point], carriers[point]
        feeds.setdefault(key, []).append(bool(in_use[point]))
    for point in np.flatnonzero(~ledger.point_required & (ledger.point_level == Level.EQUIPMENT) & ~covered).tolist():
        lines = feeds.get((units[point], ledger.point_sub_unit[point], carriers[point]), [])
        state[point] = 1 if lines and all(lines) else UNKNOWN if any(lines) else 0
    return state


def _exemption(  # noqa: PLR0911 - one answer a note
    scene: Scene, point: int, main: int, *, other: bool, metered: int
) -> Finding | None:
    """Finding on a point's exemption; None if its reason holds."""
    ledger = scene.ledger
    level, carrier = levels[ledger.point_level[point]], ledger.point_carrier[point]
    reason = exemption_of(ledger.point_exemption[point])
    applies = reason is not None and reason.applies(level, carrier)
    if level == "unit":
        return _at_the_edge(scene, point, reason if applies else None, named=reason is not None)
    if reason is not None and applies and reason.code == "heating":
        return None
    if reason is not None and applies and reason.code in {"assessable", "group"}:
        if metered != NO:
            return None if metered == YES else _open(scene, point)
        return _refuted(scene, point, "no meter in use stands above it", "其上级没有在用的计量器具")
    if main == NO:
        return _by_another(scene, point) if other and not _auxiliary(reason, applies) else None
    if main == YES and reason is not None:
        if not applies:
            return _refuted(scene, point, "that note is not about such a point", "该附注不适用于此类计量点")
        return _refuted(scene, point, "its use reaches the limit", "其用能量（或功率）达到限定值")
    return _open(scene, point)


def _auxiliary(reason: Exemption | None, applies: bool) -> bool:
    return applies and reason is not None and reason.code == "auxiliary"


def _at_the_edge(scene: Scene, point: int, reason: Exemption | None, *, named: bool) -> Finding | None:
    """At the unit's boundary only note 1 of table 3 exempts: seasonal heating by steam or hot water."""
    if reason is not None:
        return None
    if scene.ledger.point_carrier[point] in EXEMPTIONS["heating"].carriers and not named:
        return _open(scene, point)
    return _refuted(
        scene,
        point,
        "at the unit's edge only steam and hot water for seasonal heating are let off (table 3, note 1)",
        "进出用能单位仅季节性采暖用蒸汽、热水可不直接计量（表3注1）",
    )


def _by_another(scene: Scene, point: int) -> Finding:
    """Question for a person: the sub-unit or device is a main one by another energy."""
    ledger = scene.ledger
    unit, level = int(ledger.point_unit[point]), levels[ledger.point_level[point]]
    edition = scene.applied[unit].edition
    find = scene.finder(unit, "main_by_another", _clause(edition, level))
    name = ledger.point_codes[point]
    who = ledger.point_equipment[point] or ledger.point_sub_unit[point]
    carrier = carrier_name(ledger.point_carrier[point])
    return find(
        verdict=Verdict.PERSON,
        severity=Severity.WARNING,
        required=Phrase(
            en="what reaches the limit by one or more kinds of energy is a main one, and its energies are metered",
            zh="一种或多种能源达到限定值的即为主要用能单位（设备），其各种能源均应计量",
        ),
        found=Phrase(
            en=f"{who} is a main one by another energy; its {carrier.en} is below the limit and has no meter",
            zh=f"{who}因其他能源达到限定值；其{carrier.zh}低于限定值，未配备计量器具",
        ),
        next_step=Phrase(
            en=f"Install a meter at {name}, or decide that none is needed and record why.",
            zh=f"请在计量点 {name} 加装计量器具，或由人工确认可不配备并记录依据。",
        ),
        level=level,
        carrier=ledger.point_carrier[point],
        point=name,
        points=(name,),
    )


def _nothing_known(scene: Scene, points: Mask) -> Iterator[Finding]:
    """Points without a meter of which neither a figure nor data say whether they are of a main sub-unit or device."""
    ledger = scene.ledger
    groups: dict[tuple[int, int, int], list[int]] = {}
    for point in np.flatnonzero(points).tolist():
        key = int(ledger.point_unit[point]), int(ledger.point_level[point]), int(scene.carrier[point])
        groups.setdefault(key, []).append(point)
    for (unit, level, carrier), group in groups.items():
        edition = scene.applied[unit].edition
        find = scene.finder(unit, "main_unknown", _clause(edition, levels[level]))
        names = scene.point_names(np.array(group, np.int64))
        alone = {"point": names[0]} if len(names) == 1 else {}
        energy = carrier_name(scene.carriers[carrier])
        yield find(
            verdict=Verdict.PERSON,
            severity=Severity.WARNING,
            required=Phrase(
                en="what reaches the limit of table 1 or 2 has a meter", zh="达到表1、表2限定值的应配备计量器具"
            ),
            found=Phrase(
                en=f"{energy.en} of {len(names)} points without a meter: no figure says whether it reaches the limit",
                zh=f"{energy.zh}：{len(names)} 个计量点未配备计量器具，台账数据不足以判断是否达到限定值",
            ),
            next_step=Phrase(
                en=f"Enter power or use of {listing(names)}, or install meters.",
                zh=f"请补录 {listing(names, chinese=True)} 的功率或用能量，或加装计量器具。",
            ),
            level=levels[level],
            carrier=scene.carriers[carrier],
            points=names,
            **alone,
        )


def _said(cell: str) -> Phrase:
    """A reason as people read it: a note's words for its code, else what the ledger holds."""
    known = EXEMPTIONS.get(cell)
    return Phrase(en=cell, zh=cell) if known is None else known.name


def _refuted(scene: Scene, point: int, why: str, why_zh: str) -> Finding:
    ledger = scene.ledger
    level, carrier = levels[ledger.point_level[point]], ledger.point_carrier[point]
    edition = scene.applied[ledger.point_unit[point]].edition
    find = scene.finder(int(ledger.point_unit[point]), "exemption", _clause(edition, level))
    said, name = _said(ledger.point_exemption[point]), ledger.point_codes[point]
    return find(
        verdict=Verdict.FAIL,
        severity=scene.rules.severity["other", level],
        required=Phrase(en="an exempt point has a reason that holds", zh="免配的采集点须有成立的理由"),
        found=Phrase(en=f"exempt for {said.en!r}, but {why}", zh=f"免配原因为“{said.zh}”，但{why_zh}"),
        next_step=Phrase(
            en=f"Install a meter at {name}, or give a reason that holds.",
            zh=f"在计量点 {name} 加装计量器具，或更正免配原因。",
        ),
        level=level,
        carrier=carrier,
        point=name,
        points=(name,),
    )


def _open(scene: Scene, point: int) -> Finding:
    ledger = scene.ledger
    level, carrier = levels[ledger.point_level[point]], ledger.point_carrier[point]
    edition = scene.applied[ledger.point_unit[point]].edition
    find = scene.finder(int(ledger.point_unit[point]), "exemption", _clause(edition, level))
    said, name = _said(ledger.point_exemption[point]), ledger.point_codes[point]
    return find(
        verdict=Verdict.PERSON,
        required=Phrase(en="an exemption that the standard's notes name", zh="符合标准附注的免配原因"),
        found=Phrase(en=f"exempt for {said.en!r}", zh=f"免配原因为“{said.zh}”"),
        severity=Severity.WARNING,
        next_step=Phrase(
            en=f"Choose a reason of the standard's notes for {name}, or decide on it: {_CHOICE.en}.",
            zh=f"请为计量点 {name} 从标准附注中选择免配原因，或由人工判定：{_CHOICE.zh}。",
        ),
        level=level,
        carrier=carrier,
        point=name,
        points=(name,),
    )


def _clause(edition: Edition, level: str) -> str:
    return edition.clauses["rate"] if level == "unit" else edition.clauses[f"main_{level}"]


def _disagreements(scene: Scene, owner: _Owner) -> Iterator[Finding]:
    """Findings where declared and measured use disagree, by unit, level and energy."""
    for declared, measured in ((NO, YES), (YES, NO)):
        owners = np.flatnonzero((owner.declared == declared) & (owner.measured == measured))
        groups: dict[tuple[int, int, int], list[int]] = {}
        for o, p in zip(owners.tolist(), owner.first[owners].tolist(), strict=True):
            key = int(scene.ledger.point_unit[p]), int(scene.ledger.point_level[p]), int(scene.carrier[p])
            groups.setdefault(key, []).append(o)
        for (unit, level, carrier), group in groups.items():
            hidden = declared == NO
            yield _disagreement(scene, owner, group, unit, levels[level], scene.carriers[carrier], hidden=hidden)


def _disagreement(
    scene: Scene, owner: _Owner, group: Sequence[int], unit: int, level: str, carrier: str, *, hidden: bool
) -> Finding:
    ledger, edition = scene.ledger, scene.applied[unit].edition
    limit = edition.limit_of(carrier, level)
    assert limit is not None, "what has no limit is not held against one"
    find = scene.finder(unit, "main" if hidden else "main_shrunk", _clause(edition, level))
    points = owner.first[np.array(group, np.int64)]
    who = [ledger.point_equipment[p] or ledger.point_sub_unit[p] for p in points.tolist()]
    name, at = carrier_name(carrier), f"{limit.value:g} {limit.unit}"
    sides = ("below", "at or above") if hidden else ("at or above", "below")
    sides_zh = ("低于", "不低于") if hidden else ("不低于", "低于")
    return find(
        verdict=Verdict.FAIL if hidden else Verdict.PERSON,
        severity=scene.rules.severity["other", level] if hidden else Severity.INFO,
        required=Phrase(
            en=f"{name.en} declared on the side of {at} on which it is measured",
            zh=f"申报的{name.zh}消费量与实测在限定值 {at} 的同一侧",
        ),
        found=Phrase(
            en=f"declared {sides[0]} the limit, measured {sides[1]} it: {listing(who)}",
            zh=f"申报{sides_zh[0]}限定值，实测{sides_zh[1]}限定值：{listing(who, chinese=True)}",
        ),
        next_step=Phrase(
            en=f"Correct in the ledger what is declared for {listing(who)}, or explain the difference.",
            zh=f"请更正台账中 {listing(who, chinese=True)} 的申报消费量，或说明差异原因。",
        ),
        level=level,
        carrier=carrier,
        points=scene.point_names(points),
        evidence={
            "limit": limit.value,
            "unit": limit.unit,
            "declared": [round(float(owner.declared_amount[o]), 3) for o in group],
            "measured": [round(float(owner.measured_amount[o]), 3) for o in group],
        },
    )
