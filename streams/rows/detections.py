"""Detections and events of the compiled rules as fields of the interchange files: magnitude, unit, evidence."""

import json
import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.columns.events import facts_of
from analytics.columns.register import NEVER
from analytics.domain.instants import US_PER_HOUR
from analytics.domain.ledger import Ledger
from analytics.domain.quality import DetectionKind
from analytics.domain.units import unit_of
from analytics.domain.words import Phrase
from analytics.health.arrival import AHEAD, BEHIND, DRIFTS, UNSURE
from analytics.health.redundancy import Cause, Check, unpack

__all__ = [
    "contradiction",
    "energy_affected",
    "evidence",
    "evidence_json",
    "last_of_each_event",
    "likely_ratios",
    "magnitude",
    "magnitude_range",
    "magnitude_unit",
    "ratio_of",
    "ratio_range",
]


_REFERENCE: Final = {
    Check.POWER: Phrase(zh="功率对时间的积分", en="the integral of its power"),
    Check.PRIMARY_POWER: Phrase(zh="一次侧功率对时间的积分", en="the integral of the primary power"),
    Check.PHASES: Phrase(zh="各相功率", en="the powers of its phases"),
    Check.HEAT: Phrase(zh="流量×密度×焓差", en="volume x density x difference of enthalpies"),
}
_SENSOR: Final = {
    Cause.EXCHANGED: Phrase(
        zh="有流量时回水温度持续高于供水温度：供回水温度传感器接反",
        en="the return is warmer while water flows: sensors exchanged",
    ),
    Cause.SUPPLY_STUCK: Phrase(
        zh="有流量、回水温度在变化，供水温度始终不变：供水温度传感器失效",
        en="the supply temperature stands still while water flows and the return moves: sensor failed",
    ),
    Cause.RETURN_STUCK: Phrase(
        zh="有流量、供水温度在变化，回水温度始终不变：回水温度传感器失效",
        en="the return temperature stands still while water flows and the supply moves: sensor failed",
    ),
}
_TYPICAL: Final = (
    (1 / 3, Phrase(zh="两相缺失，或倍率为三分之一", en="two of three phases lost, or a third of the ratio")),
    (1 / math.sqrt(3), Phrase(zh="电压互感器线电压与相电压混淆（1/√3）", en="line and phase voltage confused (1/√3)")),
    (math.sqrt(3), Phrase(zh="电压互感器线电压与相电压混淆（√3）", en="line and phase voltage confused (√3)")),
    (2 / 3, Phrase(zh="三相缺一相，或倍率为三分之二", en="one of three phases lost, or two thirds of the ratio")),
    (0.5, Phrase(zh="倍率少一半，或两元件电能表缺一相", en="half of the ratio, or one of two elements lost")),
    (2.0, Phrase(zh="倍率多一倍", en="twice the ratio")),
    (1.5, Phrase(zh="倍率为一倍半", en="one and a half times the ratio")),
    (3.0, Phrase(zh="倍率为三倍", en="three times the ratio")),
    (0.2, Phrase(zh="电流互感器二次 1 A 与 5 A 混淆", en="current transformers of 1 A and 5 A confused")),
    (5.0, Phrase(zh="电流互感器二次 5 A 与 1 A 混淆", en="current transformers of 5 A and 1 A confused")),
    *(
        (10.0**n, Phrase(zh=f"小数点或脉冲常数相差 10^{n}", en=f"decimal point or pulse constant, 10^{n}"))
        for n in (-3, -2, -1, 1, 2, 3)
    ),
)
_NEAR: Final = 0.04
_PHASE: Final = ("L1", "L2", "L3")


def ratio_of(event: np.void) -> float | None:
    """Counted energy over what it should have been by the other registers; None where a sensor is at fault. [1].

    Parameters
    ----------
    event : EVENT_ROW
        Of kind `RATIO`.
    """
    _, cause, _ = unpack(int(event["scale"]))
    facts = facts_of(event)
    if cause in _SENSOR or facts["expected"] <= 0.0:
        return None
    return max(facts["counted"], 0.0) / facts["expected"]


def ratio_range(event: np.void) -> tuple[float, float] | None:
    """The 95 % interval of `ratio_of`, by the scatter of the windows behind it."""
    ratio, half = ratio_of(event), facts_of(event)["half_interval"]
    if ratio is None or not math.isfinite(half):
        return None
    return ratio * math.exp(-half), ratio * math.exp(half)


def likely_ratios(ratio: float, multiplier: float = 1.0) -> list[Phrase]:
    """Known causes with a ratio like this one, the nearest first; empty if there are none.

    Examples
    --------
    >>> likely_ratios(0.66)[0].en
    'one of three phases lost, or two thirds of the ratio'
    >>> likely_ratios(0.93)
    []
    """
    known = list(_TYPICAL)
    if multiplier != 1.0:
        known.append((multiplier, Phrase(zh="倍率被乘了两次", en="the multiplier is applied twice")))
        known.append((1 / multiplier, Phrase(zh="倍率未乘", en="the multiplier is not applied")))
    found = [(abs(math.log(ratio / one)), said) for one, said in known if ratio > 0.0]
    return [said for off, said in sorted(found, key=lambda pair: pair[0]) if off <= _NEAR][:2]


def contradiction(event: np.void, ledger: Ledger) -> dict[str, Any]:
    """Evidence for a person to read, in Chinese and (`…_en`) in English.

    Parameters
    ----------
    event : EVENT_ROW
        Of kind `RATIO`.
    ledger : Ledger
        That its installation is an index into.
    """
    check, cause, primary = unpack(int(event["scale"]))
    said = _SENSOR.get(cause) or _phase(cause) or _energy(event, check)
    found: dict[str, Any] = {"what": said.zh, "what_en": said.en}
    ratio, facts = ratio_of(event), facts_of(event)
    if ratio is None:
        return found | {"readings": int(facts["windows"]), "check": check.name.lower()}
    installation = int(event["installation"])
    multiplier = float(ledger.installations.multiplier[installation]) if installation >= 0 else 1.0
    likely = likely_ratios(ratio, multiplier) if cause is Cause.ENERGY else []
    if likely:
        found |= {"likely": ";".join(one.zh for one in likely), "likely_en": "; or ".join(one.en for one in likely)}
    found |= {
        "counted_kwh": round(facts["counted"], 3),
        "expected_kwh": round(facts["expected"], 3),
        "ratio": round(ratio, 4),
        "windows": int(facts["windows"]),
    }
    limits = ratio_range(event)
    if limits is not None:
        found |= {"ratio_low": round(limits[0], 4), "ratio_high": round(limits[1], 4)}
    if primary:
        found |= {"power": "按一次侧功率理解", "power_en": "taken for primary"}
    return found | {"check": check.name.lower()}


def _energy(event: np.void, check: Check) -> Phrase:
    reference, ratio = _REFERENCE[check], ratio_of(event) or 0.0
    return Phrase(
        zh=f"电能增量是{reference.zh}的 {ratio:.3f} 倍，二者必有一错",
        en=f"the energy is {ratio:.3f} times {reference.en}: one of the two is wrong",
    )


def _phase(cause: Cause) -> Phrase | None:
    if cause in (Cause.DEAD_L1, Cause.DEAD_L2, Cause.DEAD_L3):
        name = _PHASE[cause - Cause.DEAD_L1]
        return Phrase(
            zh=f"{name} 相无功率，其余两相有负荷：缺相", en=f"phase {name} is dead while the others carry load"
        )
    if cause in (Cause.REVERSED_L1, Cause.REVERSED_L2, Cause.REVERSED_L3):
        name = _PHASE[cause - Cause.REVERSED_L1]
        return Phrase(
            zh=f"{name} 相功率为负，其余两相为正：电流互感器反接",
            en=f"phase {name} counts backwards: its transformer is reversed",
        )
    return None


_MICRO = 1_000_000
_TIMES = frozenset({DetectionKind.GAP, DetectionKind.SILENCE, DetectionKind.STUCK})
_COUNTS = frozenset({DetectionKind.DUPLICATE})
_CLOCKS = {
    UNSURE: (
        "读数比以往晚到：时钟变慢，或传输变慢",
        "readings arrive later than they used to: the clock fell behind, or the way to us became slower",
    ),
    AHEAD: ("读数时间在收到之后：时钟超前", "readings arrive before they were measured: the clock is ahead"),
    BEHIND: ("示值继续增加而时间倒退：时钟落后", "times went back while the dial went on: the clock fell behind"),
    DRIFTS: (
        "读数越来越晚到且无跳变：时钟走慢",
        "readings arrive later and later without a jump: the clock loses time",
    ),
}
_WHATS = {
    DetectionKind.GAP: (
        "缺少读数；前后示值之差是其间的总消费量",
        "readings are missing; what was used meanwhile is known in total",
    ),
    DetectionKind.SILENCE: (
        "超过该表通常间隔仍无读数",
        "nothing has come for longer than readings of this meter are apart and on their way",
    ),
    DetectionKind.STUCK: (
        "示值不变，而该表在这些时段通常在走",
        "the dial stands still, which this meter does not do at these hours",
    ),
    DetectionKind.SPIKE: (
        "示值超出该时间内可能达到的范围；未计入",
        "a reading that the register cannot have reached; set aside",
    ),
    DetectionKind.ROLLBACK: (
        "示值倒走后从较低处继续；倒走的部分无法得知",
        "the dial went back and counts on from there; what was used around it is not known",
    ),
    DetectionKind.RESET: (
        "示值清零后重新计数；其间消费量无法得知",
        "the dial began again near zero; what was used around it is not known",
    ),
    DetectionKind.ZERO_DIP: ("正常示值之间出现零；未计入", "readings of zero between sound ones; set aside"),
    DetectionKind.SENTINEL: (
        "设备在无数据时给出的数值；未计入",
        "a value that devices send where they have none; set aside",
    ),
    DetectionKind.DUPLICATE: ("同一时刻的读数重复到达", "readings of the same instant came more than once"),
    DetectionKind.UNDECLARED_REPLACEMENT: (
        "示值从另一处继续，如同换表；台账中没有换表",
        "the dial goes on elsewhere, as another meter's would; the ledger declares none",
    ),
    DetectionKind.JUMP: (
        "示值突增，之后按原来的速度继续；差值无法解释，未计入消费量",
        "the dial jumped up and goes on at its former rate; the difference is not explained, and not counted as use",
    ),
    DetectionKind.INTERVAL: (
        "读数间隔与台账不符（单位：分钟）",
        "readings keep to another interval than the ledger gives [min]",
    ),
}


def magnitude(event: np.void) -> float | None:
    """Magnitude of an event: duration in hours, decades of an error, number of repeats, else the dial's jump.

    Of a clock it is by how many seconds it is ahead, negative behind; of a wrong ratio the share that is counted too
    much, negative too little.

    Parameters
    ----------
    event : EVENT_ROW
        One event.

    Returns
    -------
    float or None
        [h], [s], [1] or [dial unit] by kind, see `magnitude_unit`; None while it is not known.

    Examples
    --------
    >>> from analytics.columns.register import EVENT_ROW
    >>> event = np.zeros(1, EVENT_ROW)[0]
    >>> event["kind"], event["started"], event["ended"] = DetectionKind.GAP, 0, 9_000_000_000
    >>> magnitude(event)
    2.5
    >>> event["kind"], event["before"], event["at"] = DetectionKind.SPIKE, 100.0, 175.0
    >>> magnitude(event)
    75.0
    """
    kind = DetectionKind(int(event["kind"]))
    if kind in _TIMES:
        until = event["decided"] if event["ended"] == NEVER and kind is DetectionKind.STUCK else event["ended"]
        return None if until == NEVER else float(until - event["started"]) / US_PER_HOUR
    if kind is DetectionKind.CLOCK:
        facts = facts_of(event)
        return facts["usual_lateness"] - facts["lateness"]
    if kind is DetectionKind.RATIO:
        ratio = ratio_of(event)
        return None if ratio is None else ratio - 1.0
    if kind is DetectionKind.SCALE:
        return -facts_of(event)["decades"]
    if kind in _COUNTS:
        return facts_of(event)["repeats"]
    jump = float(event["at"]) - float(event["before"])
    return jump if math.isfinite(jump) else None


def magnitude_unit(event: np.void, ledger: Ledger) -> str:
    """What `magnitude` is counted in: ``h``, ``s``, ``share``, ``decades``, ``readings`` or the unit of the dial."""
    kind = DetectionKind(int(event["kind"]))
    if kind in _TIMES:
        return "h"
    if kind in _COUNTS:
        return "readings"
    fixed = {DetectionKind.CLOCK: "s", DetectionKind.RATIO: "share", DetectionKind.SCALE: "decades"}
    return fixed.get(kind) or _dial_unit(event, ledger) or ""


def magnitude_range(event: np.void) -> tuple[float | None, float | None]:
    """The 95 % interval of `magnitude` of a wrong ratio; nothing for other kinds, of which nobody has measured it."""
    limits = ratio_range(event) if event["kind"] == DetectionKind.RATIO else None
    return (None, None) if limits is None else (limits[0] - 1.0, limits[1] - 1.0)


def energy_affected(event: np.void) -> float | None:
    """Energy affected: usual consumption while a dial was stuck, or energy overcounted by a wrong ratio.

    None for other kinds. [the point's canonical unit]
    """
    if event["kind"] == DetectionKind.RATIO:
        return None if ratio_of(event) is None else facts_of(event)["counted_too_much"]
    if event["kind"] != DetectionKind.STUCK:
        return None
    usual = facts_of(event)["usually_used"]
    return usual if usual > 0 else None


def _dial_unit(event: np.void, ledger: Ledger) -> str | None:
    installation = int(event["installation"])
    return unit_of(int(ledger.installations.unit[installation])).symbol if installation >= 0 else None


def _rounded(value: float, digits: int = 1) -> float | None:
    return round(float(value), digits) if math.isfinite(float(value)) else None


def _what(words: tuple[str, str]) -> dict[str, str]:
    """What it is, in Chinese and in English, as alerts take it."""
    return {"what": words[0], "what_en": words[1]}


def _scaled(decades: int) -> tuple[str, str]:
    """In words, how far readings are off that times ten to the `decades` would continue the register."""
    size = f"{10 ** abs(decades):,}"
    if decades < 0:
        return f"示值放大了 {size} 倍；未计入", f"readings are {size} times too large; set aside"
    return f"示值缩小为 1/{size}；未计入", f"readings are {size} times too small; set aside"


def _stuck(event: np.void, ledger: Ledger) -> dict[str, Any]:
    lasts, facts = event["ended"] == NEVER, facts_of(event)
    found: dict[str, Any] = {
        **_what(_WHATS[DetectionKind.STUCK]),
        "dial": facts["dial"],
        "unit": _dial_unit(event, ledger),
        "readings_at_that_value": int(facts["readings"]),
        "usual_use_in_that_time": facts["usually_used"],
        "most_surprising_before": _rounded(facts["highest_surprise"]),
    }
    after = facts["surprise_or_dial_after"]
    found["surprise" if lasts else "dial_afterwards"] = _rounded(after, 1 if lasts else 6)
    return found


def _clock(event: np.void) -> dict[str, Any]:
    facts = facts_of(event)
    how = int(facts["how"])
    return {
        **_what(_CLOCKS[how]),
        "usual_lateness_s": _rounded(facts["usual_lateness"]),
        "lateness_s": _rounded(facts["lateness"]),
        "uploads_that_agree": int(facts["uploads"]),
        "proven": how in {AHEAD, BEHIND},
    }


def evidence(event: np.void, ledger: Ledger) -> dict[str, Any]:
    """Evidence of an event for a person.

    What it is in words (`what` in Chinese, `what_en` in English). Of a register: the dial before, at and after, in its
    unit; how many readings; the amount where one is known.

    Parameters
    ----------
    event : EVENT_ROW
        One event; its `installation` is an index into `ledger`.
    ledger : Ledger
    """
    if event["kind"] == DetectionKind.STUCK:
        return _stuck(event, ledger)
    if event["kind"] == DetectionKind.CLOCK:
        return _clock(event)
    if event["kind"] == DetectionKind.RATIO:
        return contradiction(event, ledger)
    if event["kind"] == DetectionKind.INTERVAL:
        facts = facts_of(event)
        stated, kept = facts["interval_of_ledger"], facts["interval_found"]
        return _what(_WHATS[DetectionKind.INTERVAL]) | {"ledger_min": stated, "readings_min": kept}
    kind = DetectionKind(int(event["kind"]))
    words = _scaled(int(event["scale"])) if kind is DetectionKind.SCALE else _WHATS.get(kind)
    found: dict[str, Any] = _what(words) if words else {}
    found |= {name: float(event[name]) for name in ("before", "at", "after") if math.isfinite(float(event[name]))}
    if event["n"]:
        found["n"] = int(event["n"])
    if event["scale"]:
        found["scale"] = -int(event["scale"])
    if event["amount"] and kind is DetectionKind.JUMP:
        found["unexplained"] = int(event["amount"]) / _MICRO
    elif event["amount"]:
        found["amount"] = int(event["amount"]) / _MICRO
    unit = _dial_unit(event, ledger)
    if unit is not None:
        found["unit"] = unit
    return found


def evidence_json(event: np.void, ledger: Ledger) -> bytes:
    """`evidence` as a JSON object."""
    return json.dumps(evidence(event, ledger), ensure_ascii=False).encode()


def last_of_each_event(events: NDArray[Any]) -> NDArray[Any]:
    """Of events of the same point, kind and start only the last: an open one that ended in the same batch is ended.

    Examples
    --------
    >>> from analytics.columns.register import EVENT_ROW
    >>> events = np.zeros(3, EVENT_ROW)
    >>> events["point"], events["ended"] = [1, 2, 1], [NEVER, 5, 7]
    >>> last_of_each_event(events)["ended"].tolist()
    [5, 7]
    """
    seen: dict[tuple[int, int, int], int] = {}
    for i, key in enumerate(zip(*(events[name].tolist() for name in ("point", "kind", "started")), strict=True)):
        seen.pop(key, None)
        seen[key] = i
    return events[list(seen.values())]
