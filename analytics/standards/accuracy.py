"""Required against installed accuracy class (GB 17167 table 4; 4.3.8 at the unit's level, 4.3.9 and 4.3.10 below it).

Which row of the table applies may not be known: a water meter without a pipe diameter, an unknown user category. Then
all rows that may apply are asked: a class that satisfies all of them passes, one that satisfies none fails, and between
these a person has to enter what is missing.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analytics.domain.accuracy import AccuracyClass, AccuracyClassError, parse_accuracy_class
from analytics.domain.finding import Finding, Verdict
from analytics.domain.ledger import Level
from analytics.domain.severity import Severity
from analytics.domain.words import Phrase
from analytics.standards.editions import AccuracyTable, Edition, UserCategory
from analytics.standards.facts import UnitFacts
from analytics.standards.purpose import Purpose, purpose_of
from analytics.standards.rules import Rules
from analytics.standards.scene import Scene, UseKey, levels
from analytics.standards.words import carrier_name, instrument_name, level_name

__all__ = [
    "Requirement",
    "accuracy_findings",
    "accuracy_verdict",
    "combined_class",
    "installed_class",
    "requirement",
    "user_category",
]

_KNOWN_DAYS: Final = 28  # a month's mean use is known from about a month on
_MONTHS: Final = 12.0
_NONE: Final = Phrase(en="", zh="")
_YEAR_DAYS: Final = 365.0
_NARROW_PIPE_MM: Final = 250
_OILS: Final = {
    "refined_oil": "refined_oil",
    "heavy_oil": "heavy_or_residual_oil",
    "residual_oil": "heavy_or_residual_oil",
}
_COLUMNS: Final = ("instrument", "purpose", "accuracy_class")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """Required classes by the rows that may apply, empty if the table has none; and further requirements."""

    classes: tuple[AccuracyClass, ...]
    what: Phrase
    lacking: Phrase
    further: str = ""
    further_zh: str = ""


class Category(NamedTuple):
    """Possible categories of an electricity user, their basis, and the data that would decide between them."""

    possible: tuple[UserCategory, ...]
    why: Phrase
    lacking: Phrase

    @property
    def category(self) -> UserCategory | None:
        """The category if only one is possible, else None."""
        return self.possible[0] if len(self.possible) == 1 else None


def combined_class(parts: Sequence[AccuracyClass]) -> AccuracyClass:
    """Class of a sensor with its secondary instrument, by error synthesis: the root of the sum of squares (note 1).

    Raises
    ------
    AccuracyClassError
        If a part has no number.

    Examples
    --------
    >>> str(combined_class([parse_accuracy_class("1.5"), parse_accuracy_class("0.5")]))
    '1.59'
    """
    total = Decimal(0)
    for part in parts:
        if part.number is None:
            raise AccuracyClassError(f"a part's class must be a number to be combined (got {part})")
        total += part.number**2
    rounded_up = total.sqrt().quantize(Decimal("0.01"), rounding="ROUND_CEILING")
    return parse_accuracy_class(f"{rounded_up:f}")


def accuracy_verdict(installed: AccuracyClass | None, required: Sequence[AccuracyClass]) -> Verdict:
    """Verdict of a class against the classes that may be required.

    Examples
    --------
    >>> asked = [parse_accuracy_class("2.5"), parse_accuracy_class("1.5")]
    >>> [accuracy_verdict(parse_accuracy_class(text), asked).value for text in ("1.5", "2.0", "4.0")]
    ['pass', 'person', 'fail']
    """
    if not required:
        return Verdict.NOT_APPLICABLE
    if installed is None:
        return Verdict.PERSON
    answers = {installed.at_least_as_strict_as(one) for one in required}
    if answers == {True}:
        return Verdict.PASS
    return Verdict.FAIL if answers == {False} else Verdict.PERSON


def user_category(
    table: AccuracyTable, rules: Rules, facts: UnitFacts, monthly_kwh: float, *, whole: bool = True
) -> Category:
    """Categories that an electricity user may be of: those that its use and capacity do not rule out.

    A category is reached by use or by transformer capacity, whichever is the higher: use alone names the lowest one
    that it can be, and a capacity that is not known may make it any higher one. A known capacity decides where no use
    is known.

    Parameters
    ----------
    monthly_kwh : float
        Mean use a month, NaN where not known. [kWh]
    whole : bool
        Whether that is all of it, and not what some of its entries state; it is shown, and decides nothing.
    """
    if facts.single_phase:
        single = tuple(one for one in table.categories if one.single_phase)
        return Category(single, Phrase(en="single-phase supply", zh="单相供电"), _NONE)
    kva = facts.transformer_kva
    possible: list[UserCategory] = []
    for category in table.categories:
        if category.high_voltage and facts.high_voltage is False:
            continue
        if category.single_phase:
            if facts.single_phase is None and possible and _is_lowest(possible[-1]) and kva is None:
                possible.append(category)
            continue
        if _reaches(category, rules, monthly_kwh, kva):
            possible.append(category)
            break
        if kva is None or _is_lowest(category):
            possible.append(category)
    return Category(tuple(possible), _known(monthly_kwh, kva, whole=whole), _asked_for(possible, monthly_kwh, kva))


def _is_lowest(category: UserCategory) -> bool:
    return category.load_kva_lt is not None


def _reaches(category: UserCategory, rules: Rules, monthly_kwh: float, kva: float | None) -> bool:
    """Whether the user reaches this category or a higher one."""
    if category.monthly_kwh_ge is not None and monthly_kwh >= category.monthly_kwh_ge:
        return True
    limit = category.transformer_kva_ge
    return kva is not None and limit is not None and _at_least(kva, limit, rules)


def _at_least(kva: float, limit: float, rules: Rules) -> bool:
    return kva > limit or (kva == limit and not (rules.category_iv_by_review and _is_lowest_limit(limit)))


def _known(monthly_kwh: float, kva: float | None, *, whole: bool) -> Phrase:
    en, zh = [], []
    if not np.isnan(monthly_kwh):
        at_least = "" if whole else "at least "
        shown = f"{math.floor(monthly_kwh * 10) / 10:,.1f}".removesuffix(
            ".0"
        )  # never up to a limit that is not reached
        en.append(f"{at_least}{shown} kWh a month")
        zh.append(f"月均用电{'' if whole else '不少于'} {shown} kWh")
    if kva is not None:
        en.append(f"transformers of {kva:g} kVA")
        zh.append(f"变压器容量 {kva:g} kVA")
    if not en:
        return Phrase(en="neither use nor transformer capacity is known", zh="用电量与变压器容量均不明")
    if kva is None:
        en.append("transformer capacity not entered")
        zh.append("未录入变压器容量")
    return Phrase(en=", ".join(en), zh="，".join(zh))


def _asked_for(possible: Sequence[UserCategory], monthly_kwh: float, kva: float | None) -> Phrase:
    if len(possible) < 2:
        return _NONE
    en, zh = [], []
    if kva is None:
        en.append("transformer capacity")
        zh.append("变压器容量")
    if np.isnan(monthly_kwh) or kva is not None:
        en.append("monthly use")
        zh.append("月均用电量")
    return Phrase(en=" and ".join(en), zh="、".join(zh))


def _is_lowest_limit(limit: float) -> bool:
    return limit == 315.0  # the one boundary on which the two documents differ


def requirement(
    edition: Edition,
    rules: Rules,
    *,
    instrument: str,
    carrier: str,
    purpose: str,
    level: str,
    category: Category | None,
) -> Requirement:
    """Requirement of table 4 for an instrument.

    Parameters
    ----------
    instrument, carrier, purpose, level : str
        As the ledger has them.
    category : Category or None
        Of the unit, for electricity meters; None asks all of them.
    """
    table = edition.accuracy
    facts = purpose_of(purpose)
    kind, keys, lacking = _keys(table, instrument, carrier, facts, category)
    classes = [table.rows[kind, key].required for key in keys if (kind, key) in table.rows]
    if kind == "electricity_meter" and level != "unit":
        classes = [table.relaxed(one) for one in classes]
    trade = table.trade.get((kind, carrier)) if facts.trade and level == "unit" else None
    further = further_zh = ""
    if trade is not None:
        asked = trade.required_review if rules.refined_oil_by_review and trade.required_review else trade.required
        classes = [asked] if asked is not None else classes
        further, further_zh = trade.further, trade.further_zh
    name, fluid = instrument_name(instrument), carrier_name(carrier)
    what = Phrase(en=f"{name.en} meter ({fluid.en})", zh=f"{name.zh}（{fluid.zh}）")
    unique = tuple(dict.fromkeys(classes))
    return Requirement(classes=unique, what=what, lacking=lacking, further=further, further_zh=further_zh)


_Keys: TypeAlias = tuple[str, tuple[str, ...], Phrase]
"""Kind of instrument of the table, keys of the rows that may apply, and what would tell which."""


def _keys(table: AccuracyTable, instrument: str, carrier: str, purpose: Purpose, category: Category | None) -> _Keys:
    if instrument == "electricity":
        return _electricity_keys(table, purpose, category)
    if instrument == "oil_flow":
        return "oil_flow", ((_OILS[carrier],) if carrier in _OILS else ()), _NONE
    if instrument in {"gas_flow", "steam_flow"}:
        return "gas_flow", ((carrier,) if carrier in {"coal_gas", "natural_gas", "steam"} else ()), _NONE
    if instrument in _BY_PURPOSE:
        return instrument, *_BY_PURPOSE[instrument](purpose)
    return instrument, (), _NONE


def _electricity_keys(table: AccuracyTable, purpose: Purpose, category: Category | None) -> _Keys:
    if purpose.direct_current:
        return "electricity_meter", ("dc",), _NONE
    if category is not None:
        return "electricity_meter", tuple(f"user_{one.id}" for one in category.possible), category.lacking
    keys = tuple(f"user_{one.id}" for one in table.categories)
    return "electricity_meter", keys, Phrase(en="transformer capacity or monthly use", zh="变压器容量或月均用电量")


def _water_keys(purpose: Purpose) -> tuple[tuple[str, ...], Phrase]:
    if purpose.pipe_mm is not None:
        return ("dn_le_250" if purpose.pipe_mm <= _NARROW_PIPE_MM else "dn_gt_250",), _NONE
    return ("dn_le_250", "dn_gt_250"), Phrase(en="the pipe's diameter", zh="管径")


def _weighing_keys(purpose: Purpose) -> tuple[tuple[str, ...], Phrase]:
    if purpose.motion is not None:
        return (purpose.motion,), _NONE
    return ("static", "dynamic"), Phrase(en="static or dynamic", zh="静态或动态")


def _auxiliary_keys(purpose: Purpose) -> tuple[tuple[str, ...], Phrase]:
    if purpose.mass is not None:
        return ("mass_calculation" if purpose.mass else "plain",), _NONE
    return ("plain", "mass_calculation"), Phrase(en="whether it serves a mass calculation", zh="是否用于质量计算")


_BY_PURPOSE: Final[Mapping[str, Callable[[Purpose], tuple[tuple[str, ...], Phrase]]]] = {
    "water_flow": _water_keys,
    "weighing": _weighing_keys,
    "temperature": _auxiliary_keys,
    "pressure": _auxiliary_keys,
}


def monthly_kwh(scene: Scene, declared: Mapping[int, tuple[float, bool]], unit: int) -> tuple[float, bool]:
    """Mean electricity use of a unit a month and whether it is all of it: measured where known, else declared. [kWh]"""
    stated, whole = declared.get(unit, (np.nan, False))
    use = scene.evidence.uses.get(UseKey(unit, "unit", "", "", "electricity"))
    if use is not None and use.days >= _KNOWN_DAYS and use.symbol == "kWh":
        measured = use.amount / use.days * _YEAR_DAYS / _MONTHS
        metered = _all_metered(scene, unit)
        if metered or not stated / _MONTHS > measured:
            return measured, metered
    return stated / _MONTHS, whole


def _inputs(scene: Scene) -> NDArray[np.bool_]:
    ledger = scene.ledger
    here = scene.carrier_is("electricity") & (ledger.point_level == Level.UNIT) & (ledger.point_direction == 0)
    return np.asarray(here, np.bool_)


def _all_metered(scene: Scene, unit: int) -> bool:
    first, end = scene.ledger.unit_point_start[unit : unit + 2].tolist()
    ledger, part = scene.ledger, slice(first, end)
    here = scene.carrier_is("electricity", part) & (ledger.point_level[part] == Level.UNIT)
    here &= ledger.point_direction[part] == 0
    return bool((scene.installation[part][here] >= 0).all())


def _declared_kwh(scene: Scene) -> dict[int, tuple[float, bool]]:
    """Declared yearly electricity of units, of their own level's inputs, and whether all of them state theirs. [kWh]"""
    ledger = scene.ledger
    totals: dict[int, tuple[float, bool]] = {}
    for point in np.flatnonzero(_inputs(scene)).tolist():
        unit, use = int(ledger.point_unit[point]), float(ledger.point_annual_use[point])
        total, whole = totals.get(unit, (np.nan, True))
        totals[unit] = (total, False) if np.isnan(use) else (use if np.isnan(total) else total + use, whole)
    return totals


class _Judged(NamedTuple):
    """What meters of one kind come to; their findings share `found` and `evidence`."""

    verdict: Verdict
    asked: Requirement
    installed: AccuracyClass | None
    electric: bool
    found: Phrase
    evidence: Mapping[str, object]


def accuracy_findings(scene: Scene, free: NDArray[np.bool_]) -> Iterator[Finding]:
    """A finding for each meter that does not pass, and one for all that do, by level and energy.

    Parameters
    ----------
    scene : Scene
    free : (p,) bool
        Points of which the table does not ask.
    """
    categories = _categories(scene)
    point = np.flatnonzero(scene.stands & scene.ledger.point_required & ~free)
    kind, first = _kinds(scene, point, categories)
    judged = [_judge(scene, p, categories) for p in point[first].tolist()]
    verdict = np.array([one.verdict is Verdict.PASS for one in judged], np.bool_)
    silent = np.array([one.verdict is Verdict.NOT_APPLICABLE for one in judged], np.bool_)
    told = np.flatnonzero(~verdict[kind] & ~silent[kind]) if len(point) else np.empty(0, np.int64)
    required: dict[tuple[int, int], Phrase] = {}  # of a kind; of electricity a unit's own, which names its use
    units = scene.ledger.point_unit[told_points := point[told]].tolist()
    for p, k, unit in zip(told_points.tolist(), kind[told].tolist(), units, strict=True):
        category = categories.get(unit) if judged[k].electric else None
        asks = k, unit if category is not None else -1
        if asks not in required:
            required[asks] = _required(judged[k].asked, category)
        yield _finding(scene, p, judged[k], required[asks])
    passed = point[verdict[kind]] if len(point) else point
    for group in _by_group(scene, passed):
        yield _all_well(scene, group)


def _kinds(
    scene: Scene, point: NDArray[np.int64], categories: Mapping[int, Category]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Grouping of points that get the same verdict: group of each point, and the first point of each group."""
    ledger = scene.ledger
    editions: dict[int, int] = {}
    names: dict[str, int] = {}
    of_unit = np.zeros((len(ledger.unit_codes), 2), np.int64)
    for u, applied in enumerate(scene.applied):
        category = categories.get(u)
        name = "" if category is None else " ".join(one.id for one in category.possible)
        of_unit[u] = editions.setdefault(id(applied.edition), len(editions)), names.setdefault(name, len(names))
    unit = ledger.point_unit[point]
    parts = [of_unit[unit, 0], of_unit[unit, 1], ledger.point_level[point], scene.carrier[point]]
    parts += [scene.column(name).codes[point] for name in _COLUMNS]
    parts.append(_assembled(scene, point))
    key = np.zeros(len(point), np.int64)
    for part in parts:
        key = key * (int(part.max(initial=0)) + 1) + part
    _, first, kind = np.unique(key, return_index=True, return_inverse=True)
    return kind, first


def _assembled(scene: Scene, point: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each point whose meter's parts were entered, 0 for the others."""
    numbers = np.zeros(len(point), np.int64)
    parts = scene.facts.assemblies
    if parts:
        codes = scene.ledger.unit_codes
        for i, p in enumerate(point.tolist()):
            if (codes[scene.ledger.point_unit[p]], scene.meter_no(p)) in parts:
                numbers[i] = i + 1
    return numbers


def _by_group(scene: Scene, points: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Points by unit, level and energy."""
    ledger = scene.ledger
    key = (ledger.point_unit[points].astype(np.int64) * len(levels) + ledger.point_level[points]) * max(
        len(scene.carriers), 1
    ) + scene.carrier[points]
    order = np.argsort(key, kind="stable")
    points, key = points[order], key[order]
    yield from (group for group in np.split(points, np.flatnonzero(key[1:] != key[:-1]) + 1) if len(group))


def _categories(scene: Scene) -> dict[int, Category]:
    declared = _declared_kwh(scene)
    here = scene.carrier_is("electricity")
    made = {}
    for unit in np.unique(scene.ledger.point_unit[here]).tolist():
        use, whole = monthly_kwh(scene, declared, unit)
        made[unit] = user_category(
            scene.applied[unit].edition.accuracy,
            scene.rules,
            scene.facts.of(scene.ledger.unit_codes[unit]),
            use,
            whole=whole,
        )
    return made


def _judge(scene: Scene, point: int, categories: Mapping[int, Category]) -> _Judged:
    ledger, unit = scene.ledger, int(scene.ledger.point_unit[point])
    row = int(ledger.installations.row[scene.installation[point]])
    instrument, purpose = (_cell(scene, name, row) for name in _COLUMNS[:2])
    category = categories.get(unit)
    asked = requirement(
        scene.applied[unit].edition,
        scene.rules,
        instrument=instrument,
        carrier=ledger.point_carrier[point],
        purpose=purpose,
        level=levels[ledger.point_level[point]],
        category=category,
    )
    installed = _in_numbers(scene.rules, instrument, installed_class(scene, point))
    verdict = accuracy_verdict(installed, asked.classes)
    if verdict is Verdict.PASS and asked.further:
        verdict = Verdict.PERSON
    evidence = {
        "required": [str(one) for one in asked.classes],
        "installed": None if installed is None else str(installed),
    }
    return _Judged(verdict, asked, installed, instrument == "electricity", _found(installed), evidence)


def _in_numbers(rules: Rules, instrument: str, installed: AccuracyClass | None) -> AccuracyClass | None:
    """A class named by a letter as the number that the rules' data give it."""
    if installed is None or installed.number is not None:
        return installed
    return rules.class_equivalents.get((instrument, installed.text), installed)


def installed_class(scene: Scene, point: int) -> AccuracyClass | None:
    """Class of the meter that stands at a point: as stated, else of its parts together; None where neither is known."""
    installation = int(scene.installation[point])
    row = int(scene.ledger.installations.row[installation]) if installation >= 0 else -1
    stated = "" if row < 0 else _cell(scene, "accuracy_class", row)
    unit = scene.ledger.unit_codes[scene.ledger.point_unit[point]]
    parts = scene.facts.assemblies.get((unit, scene.meter_no(point)))
    return parse_accuracy_class(stated) if stated else combined_class(parts) if parts else None


def _cell(scene: Scene, name: str, row: int) -> str:
    column = scene.ledger.rows.text(name)
    return column.values[int(column.codes[row])]


def _clause(edition: Edition, level: str) -> str:
    return edition.clauses[f"accuracy_{level}"]


def _finding(scene: Scene, point: int, judged: _Judged, required: Phrase) -> Finding:
    ledger = scene.ledger
    unit, level = int(ledger.point_unit[point]), levels[ledger.point_level[point]]
    find = scene.finder(unit, "accuracy", _clause(scene.applied[unit].edition, level))
    meter, failed = scene.meter_no(point), judged.verdict is Verdict.FAIL
    return find(
        verdict=judged.verdict,
        severity=scene.rules.severity["accuracy", level] if failed else Severity.INFO,
        required=required,
        found=judged.found,
        next_step=_next_step(judged, meter),
        level=level,
        carrier=ledger.point_carrier[point],
        point=ledger.point_codes[point],
        meter_no=meter,
        meters=(meter,),
        points=(ledger.point_codes[point],),
        evidence=judged.evidence,
    )


def _required(asked: Requirement, category: Category | None) -> Phrase:
    classes = " / ".join(dict.fromkeys(str(one) for one in asked.classes))
    en, zh = f"{asked.what.en}: class {classes} or better", f"{asked.what.zh}准确度等级不低于 {classes} 级"
    if category is not None and category.possible:
        ids, names = (
            " / ".join(one.id for one in category.possible),
            "、".join(dict.fromkeys(one.zh for one in category.possible)),
        )
        en += f" (user category {ids}: {category.why.en})"
        zh += f"（{names}，{category.why.zh}）"
    if asked.further:
        en += f", and {asked.further}"
        zh += f"，并符合 {asked.further_zh}"
    return Phrase(en=en, zh=zh)


def _found(installed: AccuracyClass | None) -> Phrase:
    if installed is None:
        return Phrase(en="no class in the ledger", zh="台账未填准确度等级")
    return Phrase(en=f"class {installed}", zh=f"{installed} 级")


def _next_step(judged: _Judged, meter: str) -> Phrase:
    asked = judged.asked
    if judged.verdict is Verdict.FAIL:
        # required in any case; a stricter one only if the facts call for it
        needed = max(asked.classes, key=lambda one: one.rank)
        en, zh = (
            f"Replace {meter} by a meter of class {needed} or better",
            f"将 {meter} 更换为 {needed} 级或更高等级的器具",
        )
        if len(asked.classes) > 1:
            en += f"; whether a stricter class is needed depends on {asked.lacking.en}: enter it first"
            zh += f"；是否需要更高等级取决于{asked.lacking.zh}，请先补录"
        return Phrase(en=f"{en}.", zh=f"{zh}。")
    if judged.installed is None:
        return Phrase(
            en=f"Enter the class of {meter} from its valid certificate.",
            zh=f"按有效检定证书补录 {meter} 的准确度等级。",
        )
    if asked.lacking.en:
        return Phrase(en=f"Enter for {meter}: {asked.lacking.en}.", zh=f"请补录{asked.lacking.zh}（{meter}）。")
    if asked.further:
        return Phrase(en=f"Check {meter} against {asked.further}.", zh=f"请按 {asked.further_zh} 核查 {meter}。")
    return Phrase(en=f"Compare the class of {meter} by hand.", zh=f"请人工核对 {meter} 的准确度等级。")


def _all_well(scene: Scene, points: NDArray[np.int64]) -> Finding:
    ledger, first = scene.ledger, int(points[0])
    unit, level, carrier = int(ledger.point_unit[first]), levels[ledger.point_level[first]], ledger.point_carrier[first]
    find = scene.finder(unit, "accuracy", _clause(scene.applied[unit].edition, level))
    name, where = carrier_name(carrier), level_name(level)
    return find(
        verdict=Verdict.PASS,
        required=Phrase(
            en=f"{name.en}, {where.en}: classes by table 4", zh=f"{where.zh}{name.zh}计量器具准确度等级符合表4"
        ),
        found=Phrase(en=f"{len(points)} meters are as required", zh=f"{len(points)} 台符合"),
        level=level,
        carrier=carrier,
        evidence={"meters": len(points)},
    )
