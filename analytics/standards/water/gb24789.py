"""Water metering (GB 24789): equipping rate, metering rate Km = Vmi / Vi, and the class of water meters.

Vmi is what the meters of a level measured over the last year, or as much of it as there is (28 days at least); Vi adds
what the ledger declares for the points of that level without a meter. Where such a point declares nothing, Km has only
an upper bound: that can fail, but not pass. Without measured water Km is not judged.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.domain.accuracy import AccuracyClass, AccuracyClassError, parse_accuracy_class
from analytics.domain.finding import Finding, Verdict
from analytics.domain.ledger import Direction
from analytics.domain.severity import Severity
from analytics.domain.words import Phrase
from analytics.standards.accuracy import accuracy_verdict, installed_class
from analytics.standards.edition_tables import LEVEL_OF_EDITION
from analytics.standards.equipping import Rate, next_step, rate_verdict, shown_rate
from analytics.standards.scene import Scene, levels
from analytics.standards.tables import TableRow, mapping, raise_faults
from analytics.standards.words import level_name, listing

__all__ = ["WaterStandard", "load_water", "water_findings"]

_WATER: Final = "water"
_YEAR_DAYS: Final = 365
_KNOWN_DAYS: Final = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterStandard:
    """Requirements on water metering.

    Attributes
    ----------
    equipping, metering : mapping of level to Fraction
        Rates at least. [%]
    required : AccuracyClass
        Class required of meters of water taken in or used.
    confidence : str
        How sure its numbers are: ``two`` or ``one`` sources, ``general`` knowledge.
    replaced_by : str
        Standard that has replaced it, empty where it holds.
    superseded_day : int or None
        From which day. [d since 1970-01-01]
    """

    number: str
    equipping: Mapping[str, Fraction]
    metering: Mapping[str, Fraction]
    required: AccuracyClass
    confidence: str
    source: str
    replaced_by: str = ""
    superseded_day: int | None = None

    def named_on(self, day: int) -> str:
        """Its number, with the standard it substitutes for if that has replaced it by the day."""
        if not self.replaced_by or self.superseded_day is None or day < self.superseded_day:
            return self.number
        return f"{self.number} (stands in for {self.replaced_by}, which has replaced it)"

    def basis(self, day: int) -> Phrase:
        """Note in findings on a standard that was replaced; empty if it is in force."""
        if self.named_on(day) == self.number:
            return Phrase(zh="", en="")
        return Phrase(
            zh=f"（{self.number} 已由 {self.replaced_by} 代替，其数据未录入，结果供参考）",
            en=f" ({self.number}, replaced by {self.replaced_by}, whose tables are not entered)",
        )


def load_water(document: Mapping[str, object]) -> WaterStandard:
    """Check a standard of water metering in the form of ``gb24789_2009.toml``.

    Raises
    ------
    ConfigurationError
        With every fault.
    """
    faults: list[str] = []
    faults += [f"[{name}]: must be [water]" for name in document if name != "water"]
    head = TableRow("[water]", mapping(document.get("water", {}), "[water]", faults), faults)
    head.only(
        "number",
        "title_zh",
        "confidence",
        "source",
        "equipping",
        "metering",
        "accuracy",
        "replaced_by",
        "superseded_from",
    )
    made = WaterStandard(
        number=head.name("number"),
        equipping=_rates(head.table("equipping")),
        metering=_rates(head.table("metering")),
        required=_class(head.table("accuracy")),
        confidence=head.choice("confidence", ("two", "one", "general")),
        source=head.name("source"),
        replaced_by=head.text("replaced_by", ""),
        superseded_day=head.day("superseded_from") if head.has("superseded_from") else None,
    )
    raise_faults(faults, f"the standard of water metering {made.number}")
    return made


def _rates(table: TableRow) -> Mapping[str, Fraction]:
    table.only(*LEVEL_OF_EDITION)
    return {level: Fraction(repr(table.share(name))) for name, level in LEVEL_OF_EDITION.items()}


def _class(table: TableRow) -> AccuracyClass:
    table.only("class")
    try:
        return parse_accuracy_class(table.text("class"))
    except AccuracyClassError as error:
        table.fault(f"class: {error}")
        return parse_accuracy_class("1")


def water_findings(scene: Scene, rates: Sequence[Rate], standard: WaterStandard) -> Iterator[Finding]:
    """What the standard asks of every unit that has a point of water."""
    for rate in rates:
        if rate.carrier == _WATER:
            yield _equipping(scene, rate, standard)
    here = scene.carrier_is(_WATER)
    if here.any():
        yield from _metering(scene, here, standard)
        yield from _classes(scene, here, standard)


def _equipping(scene: Scene, rate: Rate, standard: WaterStandard) -> Finding:
    required = standard.equipping[rate.level]
    verdict = rate_verdict(rate.present, rate.unknown, rate.needed, required)
    basis = standard.basis(scene.day)
    level, share = level_name(rate.level), f"{float(required):g} %"
    shown = "–" if rate.rate is None else f"{shown_rate(rate.rate, required)} %"
    return Finding(
        unit=rate.unit,
        edition=standard.named_on(scene.day),
        clause=f"{standard.number} Rp",
        rule="water_rate",
        level=rate.level,
        carrier=_WATER,
        verdict=verdict,
        severity=scene.rules.severity["rate", rate.level] if verdict is Verdict.FAIL else Severity.INFO,
        required=Phrase(
            en=f"water meters, {level.en}: equipping rate at least {share}{basis.en}",
            zh=f"{level.zh}水计量器具配备率不低于 {share}{basis.zh}",
        ),
        found=Phrase(
            en=f"{shown} ({rate.present} of {rate.needed})",
            zh=f"{shown}（应配 {rate.needed}，实配 {rate.present}）",
        ),
        next_step=next_step(verdict, rate.bare, rate.unfit),
        meters=rate.unfit,
        points=rate.missing,
        evidence={"confidence": standard.confidence},
    )


class _Volume(NamedTuple):
    """Water of a level of a unit: measured, and declared for points without a meter, over the same days. [m3]"""

    metered: float
    declared: float
    undeclared: tuple[int, ...]
    bare: tuple[int, ...]


def _metering(scene: Scene, here: NDArray[np.bool_], standard: WaterStandard) -> Iterator[Finding]:
    measured: dict[tuple[int, str], tuple[float, int]] = {}
    for key, use in scene.evidence.uses.items():
        if key.carrier == _WATER and use.symbol in {"m3", "t"}:
            amount, days = measured.get((key.unit, key.scope), (0.0, 0))
            measured[key.unit, key.scope] = amount + use.amount, max(days, use.days)
    bare: dict[tuple[int, str], list[int]] = {}
    ledger = scene.ledger
    lacking = here & ~scene.stands & (ledger.point_direction == Direction.IN) & ~_metered_above(scene, here)
    for point in np.flatnonzero(lacking).tolist():
        bare.setdefault((int(ledger.point_unit[point]), levels[ledger.point_level[point]]), []).append(point)
    for (unit, level), (amount, days) in sorted(measured.items()):
        if days >= _KNOWN_DAYS:
            yield _metering_rate(
                scene, unit, level, _volume(scene, amount, days, bare.get((unit, level), ())), standard
            )


def _metered_above(scene: Scene, here: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(p,) Points whose water a meter of their own level measures already."""
    parent = scene.ledger.point_parent
    above = np.maximum(parent, 0)
    same = (parent >= 0) & here[above] & (scene.ledger.point_level[above] == scene.ledger.point_level)
    return np.asarray(same & scene.stands[above], np.bool_)


def _volume(scene: Scene, amount: float, days: int, bare: Sequence[int]) -> _Volume:
    declared = scene.ledger.point_annual_use[list(bare)] if bare else np.empty(0)
    known = ~np.isnan(declared)
    return _Volume(
        metered=amount,
        declared=float(declared[known].sum()) * days / _YEAR_DAYS,
        undeclared=tuple(point for point, stated in zip(bare, known.tolist(), strict=True) if not stated),
        bare=tuple(bare),
    )


def _metering_rate(scene: Scene, unit: int, level: str, volume: _Volume, standard: WaterStandard) -> Finding:
    required, total = standard.metering[level], volume.metered + volume.declared
    share = Fraction(volume.metered) / Fraction(total) * 100 if total > 0 else Fraction(100)
    below = share < required
    verdict = Verdict.FAIL if below else Verdict.PERSON if volume.undeclared else Verdict.PASS
    basis = standard.basis(scene.day)
    words, percent = level_name(level), f"{float(required):g} %"
    at_most = ("at most ", "不高于 ") if volume.undeclared else ("", "")
    shown = shown_rate(share, required)
    names = scene.point_names(np.array(volume.bare, np.int64))
    silent = scene.point_names(np.array(volume.undeclared, np.int64))
    step = Phrase(en="", zh="")
    if verdict is Verdict.FAIL:
        step = Phrase(
            en=f"Install water meters at {listing(names)}.", zh=f"请在 {listing(names, chinese=True)} 加装水表。"
        )
    elif verdict is Verdict.PERSON:
        step = Phrase(
            en=f"Enter the yearly use of {listing(silent)}, or meter it.",
            zh=f"请录入 {listing(silent, chinese=True)} 的年用水量，或加装水表。",
        )
    return Finding(
        unit=unit,
        edition=standard.named_on(scene.day),
        clause=f"{standard.number} Km",
        rule="water_metering",
        level=level,
        carrier=_WATER,
        verdict=verdict,
        severity=scene.rules.severity["other", level] if verdict is Verdict.FAIL else Severity.INFO,
        required=Phrase(
            en=f"water, {words.en}: metering rate at least {percent}{basis.en}",
            zh=f"{words.zh}水计量率不低于 {percent}{basis.zh}",
        ),
        found=Phrase(en=f"{at_most[0]}{shown} %", zh=f"{at_most[1]}{shown} %"),
        next_step=step,
        points=names,
        evidence={
            "metered_m3": round(volume.metered, 3),
            "declared_m3": round(volume.declared, 3),
            "confidence": standard.confidence,
        },
    )


def _classes(scene: Scene, here: NDArray[np.bool_], standard: WaterStandard) -> Iterator[Finding]:
    """Meters of water that are coarser than the class, by unit; one finding for all that are not."""
    column = scene.column("accuracy_class")
    asked = here & scene.stands & (scene.ledger.point_direction != Direction.OUT)
    by_value = [_verdict(value, standard) for value in column.values]
    verdicts: dict[int, dict[Verdict, list[int]]] = {}
    for point in np.flatnonzero(asked).tolist():
        code = int(column.codes[point])
        verdict = by_value[code]
        if not column.values[code]:
            verdict = accuracy_verdict(installed_class(scene, point), [standard.required])
        verdicts.setdefault(int(scene.ledger.point_unit[point]), {}).setdefault(verdict, []).append(point)
    for unit, found in verdicts.items():
        for verdict, points in found.items():
            yield _class_finding(scene, unit, verdict, np.array(points, np.int64), standard)


def _verdict(value: str, standard: WaterStandard) -> Verdict:
    return accuracy_verdict(parse_accuracy_class(value), [standard.required]) if value else Verdict.PERSON


def _class_finding(
    scene: Scene, unit: int, verdict: Verdict, points: NDArray[np.int64], standard: WaterStandard
) -> Finding:
    meters, text = scene.meter_nos(points), standard.required.text
    basis = standard.basis(scene.day)
    failed, passed = verdict is Verdict.FAIL, verdict is Verdict.PASS
    steps = {
        Verdict.FAIL: Phrase(
            en=f"Replace {listing(meters)} by class {text} or better.",
            zh=f"请将 {listing(meters, chinese=True)} 更换为 {text} 级或更高等级的水表。",
        ),
        Verdict.PERSON: Phrase(
            en=f"Enter the class of {listing(meters)}.", zh=f"请补录 {listing(meters, chinese=True)} 的准确度等级。"
        ),
    }
    count = len(meters)
    said = {
        Verdict.FAIL: Phrase(en=f"{count} meters are coarser", zh=f"{count} 台低于要求"),
        Verdict.PERSON: Phrase(en=f"{count} meters without a class that compares", zh=f"{count} 台准确度等级不明"),
    }
    rules = {Verdict.FAIL: "water_class", Verdict.PERSON: "water_class_unknown"}
    return Finding(
        unit=unit,
        edition=standard.named_on(scene.day),
        clause=standard.number,
        rule=rules.get(verdict, "water_class_met"),
        carrier=_WATER,
        verdict=verdict,
        severity=scene.rules.severity["other", "unit"] if failed else Severity.INFO,
        required=Phrase(
            en=f"water meters of class {text} or better{basis.en}", zh=f"水表准确度等级不低于 {text} 级{basis.zh}"
        ),
        found=said.get(verdict, Phrase(en=f"{count} meters are", zh=f"{count} 台符合")),
        next_step=steps.get(verdict, Phrase(en="", zh="")),
        meters=() if passed else meters,
        points=() if passed else scene.point_names(points),
        evidence={"confidence": standard.confidence},
    )
