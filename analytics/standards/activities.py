"""Clauses on conversion, distribution and production of energy (GB 17167 4.3.6, 4.3.7, 4.3.11).

Whoever converts or passes on energy must be able to tell the efficiency, whoever produces it the own use for each unit
of product: so every collection point that input and output need must be there and have a meter that may be used. The
class at raw material follows the process, not table 4. Which activities there are is entered; where nothing was, a
person has to enter it.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.domain.finding import Finding, Verdict
from analytics.domain.ledger import Direction
from analytics.domain.severity import Severity
from analytics.domain.words import Phrase
from analytics.standards.accuracy import accuracy_verdict, installed_class
from analytics.standards.facts import UnitFacts
from analytics.standards.facts.activities import Activity
from analytics.standards.scene import Scene, levels
from analytics.standards.words import carrier_name, listing

__all__ = ["activity_findings", "raw_material_points"]

_QUESTIONS: Final = {
    "conversion": ("conversion", "transport"),
    "production": ("production",),
    "raw_material": ("raw_material",),
}
"""Kinds of activity that each clause concerns."""
_ASKED: Final = {
    "conversion": Phrase(
        en="where energy is converted or passed on, meters let its efficiency be assessed",
        zh="从事能源加工、转换、输运的，计量器具应满足评价转换（输运）效率的要求",
    ),
    "production": Phrase(
        en="where energy is produced, meters let the own use for each unit of product be assessed",
        zh="能源生产单位的计量器具应满足评价单位产品自耗率的要求",
    ),
    "raw_material": Phrase(
        en="at energy used as raw material the class of meters follows the process",
        zh="能源作为生产原料使用时，计量器具准确度等级应满足生产工艺要求",
    ),
}
_WORDS: Final = {
    "conversion": Phrase(en="converts or passes on energy", zh="从事能源加工、转换、输运"),
    "production": Phrase(en="produces energy", zh="从事能源生产"),
    "raw_material": Phrase(en="uses energy as raw material", zh="将能源作为生产原料"),
}
_FIELD: Final = {"conversion": "converts", "production": "produces", "raw_material": "raw_material"}
_INWARD: Final = (Direction.IN, Direction.OWN)
_OUTWARD: Final = (Direction.OUT, Direction.OWN)


def raw_material_points(scene: Scene) -> NDArray[np.bool_]:
    """Points at which energy is measured as raw material, to which table 4 does not apply; (p,) bool."""
    found = np.zeros(len(scene.ledger.point_codes), np.bool_)
    for unit, activities in _by_unit(scene).items():
        fed = [one for one in activities if one.points]
        place = _places(scene, unit) if fed else {}
        for one in fed:
            found[[place[code] for code in one.points if code in place]] = True
    return found


def activity_findings(scene: Scene) -> Iterator[Finding]:
    """The three questions put to every unit; one finding for each activity that was entered."""
    entered = _by_unit(scene)
    for unit, code in enumerate(scene.ledger.unit_codes):
        clauses, facts = scene.applied[unit].edition.clauses, scene.facts.of(code)
        for question, kinds in _QUESTIONS.items():
            if question not in clauses:
                continue
            about = [one for one in entered.get(unit, ()) if one.kind in kinds]
            yield from (_judged(scene, unit, question, one) for one in about)
            if not about:
                yield _without(scene, unit, question, facts)


def _by_unit(scene: Scene) -> dict[int, list[Activity]]:
    index = scene.ledger.unit_index
    found: dict[int, list[Activity]] = {}
    for (code, _, _), activity in scene.facts.activities.items():
        if code in index:
            found.setdefault(index[code], []).append(activity)
    return found


def _places(scene: Scene, unit: int) -> dict[str, int]:
    first, end = scene.ledger.unit_point_start[unit : unit + 2].tolist()
    return {code: first + i for i, code in enumerate(scene.ledger.point_codes[first:end])}


def _without(scene: Scene, unit: int, question: str, facts: UnitFacts) -> Finding:
    """Finding for a unit without an entered activity: it has none, or it was not entered."""
    find = scene.finder(unit, question, scene.applied[unit].edition.clauses[question])
    said, words = getattr(facts, _FIELD[question]), _WORDS[question]
    if said is False:
        return find(
            verdict=Verdict.NOT_APPLICABLE,
            required=_ASKED[question],
            found=Phrase(en="it is entered that this unit does not", zh=f"已录入：本单位不{words.zh}"),
        )
    if said:
        return find(
            verdict=Verdict.PERSON,
            severity=Severity.WARNING,
            required=_ASKED[question],
            found=Phrase(
                en=f"this unit {words.en}, and which is not recorded", zh=f"本单位{words.zh}，但未录入具体内容"
            ),
            next_step=Phrase(
                en="Enter which energies go in and come out where ([[activity]] in a file of facts).",
                zh="请录入其投入与产出的能源及所在部位（事实文件的 [[activity]]）。",
            ),
        )
    return find(
        verdict=Verdict.PERSON,
        required=_ASKED[question],
        found=Phrase(en=f"not recorded: whether this unit {words.en}", zh=f"未录入本单位是否{words.zh}"),
        next_step=Phrase(
            en=f"Enter whether it does ({_FIELD[question]} of [[unit]] in a file of facts).",
            zh=f"请录入是否{words.zh}（事实文件 [[unit]] 的 {_FIELD[question]}）。",
        ),
    )


def _judged(scene: Scene, unit: int, question: str, activity: Activity) -> Finding:
    if activity.kind == "raw_material":
        return _raw_material(scene, unit, activity)
    sides = [_Side.of(scene, unit, activity, energy, _INWARD, into=True) for energy in activity.inputs]
    if not _output_is_entered(scene, unit, activity):
        sides += [_Side.of(scene, unit, activity, energy, _OUTWARD, into=False) for energy in activity.outputs]
    return _both_sides(scene, unit, question, activity, sides)


def _output_is_entered(scene: Scene, unit: int, activity: Activity) -> bool:
    code = scene.ledger.unit_codes[unit]
    return bool(activity.product) and any(key[:2] == (code, activity.product) for key in scene.facts.outputs)


class _Side(NamedTuple):
    """Points of one energy on one side of an activity: all that are needed, those without a usable meter, unsure."""

    energy: str
    into: bool
    needed: NDArray[np.int64]
    lacking: NDArray[np.int64]
    unsure: NDArray[np.int64]

    @classmethod
    def of(
        cls, scene: Scene, unit: int, activity: Activity, energy: str, ways: Sequence[Direction], *, into: bool
    ) -> "_Side":
        ledger = scene.ledger
        part = slice(*ledger.unit_point_start[unit : unit + 2].tolist())
        fits = np.isin(ledger.point_direction[part], ways) & scene.carrier_is(energy, part)
        fits &= ledger.point_level[part] == levels.index(activity.level)
        here = [
            point
            for point in (part.start + np.flatnonzero(fits)).tolist()
            if (activity.level == "unit" or ledger.point_sub_unit[point] == activity.sub_unit)
            and (activity.level != "equipment" or ledger.point_equipment[point] == activity.equipment)
        ]
        inside = set(here)  # what lies below another point of the same side is measured by that one already
        needed = np.array([point for point in here if int(ledger.point_parent[point]) not in inside], np.int64)
        return cls(
            energy, into, needed, needed[~scene.usable[needed] & ~scene.unsure[needed]], needed[scene.unsure[needed]]
        )

    @property
    def words(self) -> Phrase:
        """An energy and its way."""
        name = carrier_name(self.energy)
        return Phrase(
            en=f"{name.en} {'in' if self.into else 'out'}", zh=f"{name.zh}（{'投入' if self.into else '产出'}）"
        )


def _both_sides(scene: Scene, unit: int, question: str, activity: Activity, sides: Sequence[_Side]) -> Finding:
    find = scene.finder(unit, f"{activity.kind} {activity.name}", scene.applied[unit].edition.clauses[question])
    absent = [side.words for side in sides if not len(side.needed)]
    lacking = np.concatenate([side.lacking for side in sides])
    unsure = np.concatenate([side.unsure for side in sides])
    failed = bool(absent) or len(lacking) > 0
    verdict = Verdict.FAIL if failed else Verdict.PERSON if len(unsure) else Verdict.PASS
    asked = _ASKED[question]
    severity = scene.rules.severity["other", activity.level] if failed else Severity.WARNING
    return find(
        verdict=verdict,
        severity=Severity.INFO if verdict is Verdict.PASS else severity,
        required=Phrase(en=f"{asked.en}: {activity.name}", zh=f"{asked.zh}:{activity.name}"),
        found=_found(scene, absent, lacking, unsure),
        next_step=_next_step(scene, activity, absent, lacking, unsure),
        level=activity.level,
        meters=scene.meter_nos(lacking if failed else unsure),
        points=scene.point_names(lacking if failed else unsure),
        evidence={"inputs": list(activity.inputs), "outputs": list(activity.outputs), "source": activity.source},
    )


def _found(scene: Scene, absent: Sequence[Phrase], lacking: NDArray[np.int64], unsure: NDArray[np.int64]) -> Phrase:
    en, zh = [], []
    if absent:
        en.append("the ledger has no point for " + ", ".join(one.en for one in absent))
        zh.append("台账中没有以下计量点：" + "、".join(one.zh for one in absent))
    if len(lacking):
        names = scene.point_names(lacking)
        en.append(f"no usable meter at {listing(names)}")
        zh.append(f"{listing(names, chinese=True)} 没有可用的计量器具")
    if not en and len(unsure):
        names = scene.point_names(unsure)
        en.append(f"verification of the meters at {listing(names)} is unknown")
        zh.append(f"{listing(names, chinese=True)} 的计量器具检定状态不明")
    if not en:
        return Phrase(en="both sides are metered", zh="投入与产出均已计量")
    return Phrase(en="; ".join(en), zh="；".join(zh))


def _next_step(
    scene: Scene, activity: Activity, absent: Sequence[Phrase], lacking: NDArray[np.int64], unsure: NDArray[np.int64]
) -> Phrase:
    en, zh = [], []
    if absent:
        en.append(f"meter {', '.join(one.en for one in absent)} of {activity.name} and enter it in the ledger")
        zh.append(f"为{activity.name}的{'、'.join(one.zh for one in absent)}配备计量器具并录入台账")
    if len(lacking):
        names = scene.point_names(lacking)
        en.append(f"install, verify or replace the meters at {listing(names)}")
        zh.append(f"在 {listing(names, chinese=True)} 加装计量器具，或将现有器具送检、更换")
    if not en and len(unsure):
        meters = scene.meter_nos(unsure)
        en.append(f"enter the verification of {listing(meters)}")
        zh.append(f"补录 {listing(meters, chinese=True)} 的检定信息")
    text = "; ".join(en)
    return Phrase(en=text[:1].upper() + text[1:] + ".", zh="请" + "；".join(zh) + "。") if en else Phrase(en="", zh="")


def _raw_material(scene: Scene, unit: int, activity: Activity) -> Finding:
    """Installed class against the one that the process asks, at the points that were entered."""
    find = scene.finder(unit, f"raw_material {activity.name}", scene.applied[unit].edition.clauses["raw_material"])
    asked, place = _ASKED["raw_material"], _places(scene, unit)
    required = Phrase(en=f"{asked.en}: {activity.name}", zh=f"{asked.zh}:{activity.name}")
    strangers = [code for code in activity.points if code not in place]
    points = np.array([place[code] for code in activity.points if code in place], np.int64)
    bare = points[~scene.stands[points]]
    if strangers or len(bare):
        names = [*strangers, *scene.point_names(bare)]
        return find(
            verdict=Verdict.FAIL,
            severity=scene.rules.severity["other", "unit"],
            required=required,
            found=Phrase(en=f"no meter at {listing(names)}", zh=f"{listing(names, chinese=True)} 没有计量器具"),
            next_step=Phrase(
                en=f"Install a meter at {listing(names)}, or correct what was entered.",
                zh=f"请在 {listing(names, chinese=True)} 配备计量器具，或更正所录入的内容。",
            ),
            points=tuple(names),
        )
    if activity.required is None:
        return find(
            verdict=Verdict.PERSON,
            required=required,
            found=Phrase(en="the class that the process asks is not entered", zh="未录入生产工艺要求的准确度等级"),
            next_step=Phrase(
                en=f"Enter the class that the process {activity.name} asks.",
                zh=f"请录入{activity.name}工艺要求的准确度等级。",
            ),
            points=scene.point_names(points),
        )
    return find(**_held_against(scene, points, activity, required))


def _held_against(scene: Scene, points: NDArray[np.int64], activity: Activity, required: Phrase) -> dict[str, object]:
    assert activity.required is not None, "asked only where a class was entered"
    held = [accuracy_verdict(installed_class(scene, point), [activity.required]) for point in points.tolist()]
    coarse = points[[one is Verdict.FAIL for one in held]]
    unknown = points[[one is Verdict.PERSON for one in held]]
    about = coarse if len(coarse) else unknown
    meters, text = scene.meter_nos(about), activity.required.text
    if not len(about):
        found, step = Phrase(en=f"class {text} or better", zh=f"均为 {text} 级或更高"), Phrase(en="", zh="")
    elif len(coarse):
        found = Phrase(
            en=f"{listing(meters)} are coarser than {text}", zh=f"{listing(meters, chinese=True)} 低于 {text} 级"
        )
        step = Phrase(
            en=f"Replace {listing(meters)} by class {text} or better.",
            zh=f"请将 {listing(meters, chinese=True)} 更换为 {text} 级或更高等级的器具。",
        )
    else:
        found = Phrase(
            en=f"the class of {listing(meters)} is not known", zh=f"{listing(meters, chinese=True)} 的准确度等级不明"
        )
        step = Phrase(
            en=f"Enter the class of {listing(meters)}.", zh=f"请补录 {listing(meters, chinese=True)} 的准确度等级。"
        )
    return {
        "verdict": Verdict.FAIL if len(coarse) else Verdict.PERSON if len(unknown) else Verdict.PASS,
        "severity": scene.rules.severity["accuracy", "equipment"] if len(coarse) else Severity.INFO,
        "required": required,
        "found": found,
        "next_step": step,
        "meters": meters,
        "points": scene.point_names(about),
        "evidence": {"required": text, "source": activity.source},
    }
