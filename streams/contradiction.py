"""What further registers reveal, in words: two ways of saying the same, by how much they differ, what it looks like."""

import math
from typing import Any, Final, NamedTuple

import numpy as np

from analytics.domain.ledger import Ledger
from analytics.health.redundancy import Cause, Check, unpack

__all__ = ["contradiction", "likely_ratios", "ratio_of", "ratio_range"]


class _Said(NamedTuple):
    zh: str
    en: str


_REFERENCE: Final = {
    Check.POWER: _Said("功率对时间的积分", "the integral of its power"),
    Check.PRIMARY_POWER: _Said("一次侧功率对时间的积分", "the integral of the primary power"),
    Check.PHASES: _Said("各相功率", "the powers of its phases"),
    Check.HEAT: _Said("流量×密度×焓差", "volume x density x difference of enthalpies"),
}
_SENSOR: Final = {
    Cause.EXCHANGED: _Said(
        "有流量时回水温度持续高于供水温度:供回水温度传感器接反",
        "the return is warmer while water flows: sensors exchanged",
    ),
    Cause.SUPPLY_STUCK: _Said(
        "有流量、回水温度在变化,供水温度始终不变:供水温度传感器失效",
        "the supply temperature stands still while water flows and the return moves: sensor failed",
    ),
    Cause.RETURN_STUCK: _Said(
        "有流量、供水温度在变化,回水温度始终不变:回水温度传感器失效",
        "the return temperature stands still while water flows and the supply moves: sensor failed",
    ),
}
_TYPICAL: Final = (
    (1 / 3, _Said("两相缺失,或倍率为三分之一", "two of three phases lost, or a third of the ratio")),
    (1 / math.sqrt(3), _Said("电压互感器线电压与相电压混淆(1/√3)", "line and phase voltage confused (1/√3)")),
    (math.sqrt(3), _Said("电压互感器线电压与相电压混淆(√3)", "line and phase voltage confused (√3)")),
    (2 / 3, _Said("三相缺一相,或倍率为三分之二", "one of three phases lost, or two thirds of the ratio")),
    (0.5, _Said("倍率少一半,或两元件电能表缺一相", "half of the ratio, or one of two elements lost")),
    (2.0, _Said("倍率多一倍", "twice the ratio")),
    (1.5, _Said("倍率为一倍半", "one and a half times the ratio")),
    (3.0, _Said("倍率为三倍", "three times the ratio")),
    (0.2, _Said("电流互感器二次 1 A 与 5 A 混淆", "current transformers of 1 A and 5 A confused")),
    (5.0, _Said("电流互感器二次 5 A 与 1 A 混淆", "current transformers of 5 A and 1 A confused")),
    *(
        (10.0**n, _Said(f"小数点或脉冲常数相差 10^{n}", f"decimal point or pulse constant, 10^{n}"))
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
    before = float(event["before"])
    return None if cause in _SENSOR or before <= 0.0 else max(float(event["at"]), 0.0) / before


def ratio_range(event: np.void) -> tuple[float, float] | None:
    """The 95 % interval of `ratio_of`, by the scatter of the windows behind it."""
    ratio, half = ratio_of(event), float(event["after"])
    if ratio is None or not math.isfinite(half):
        return None
    return ratio * math.exp(-half), ratio * math.exp(half)


def likely_ratios(ratio: float, multiplier: float = 1.0) -> list[_Said]:
    """What a ratio looks like, the nearest first; nothing where it looks like nothing known.

    Examples
    --------
    >>> likely_ratios(0.66)[0].en
    'one of three phases lost, or two thirds of the ratio'
    >>> likely_ratios(0.93)
    []
    """
    known = list(_TYPICAL)
    if multiplier != 1.0:
        known.append((multiplier, _Said("倍率被乘了两次", "the multiplier is applied twice")))
        known.append((1 / multiplier, _Said("倍率未乘", "the multiplier is not applied")))
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
    ratio = ratio_of(event)
    if ratio is None:
        return found | {"readings": int(event["n"]), "check": check.name.lower()}
    installation = int(event["installation"])
    multiplier = float(ledger.installations.multiplier[installation]) if installation >= 0 else 1.0
    likely = likely_ratios(ratio, multiplier) if cause is Cause.ENERGY else []
    if likely:
        found |= {"likely": ";".join(one.zh for one in likely), "likely_en": "; or ".join(one.en for one in likely)}
    found |= {
        "counted_kwh": round(float(event["at"]), 3),
        "expected_kwh": round(float(event["before"]), 3),
        "ratio": round(ratio, 4),
        "windows": int(event["n"]),
    }
    limits = ratio_range(event)
    if limits is not None:
        found |= {"ratio_low": round(limits[0], 4), "ratio_high": round(limits[1], 4)}
    if primary:
        found |= {"power": "按一次侧功率理解", "power_en": "taken for primary"}
    return found | {"check": check.name.lower()}


def _energy(event: np.void, check: Check) -> _Said:
    reference, ratio = _REFERENCE[check], ratio_of(event) or 0.0
    return _Said(
        f"电能增量是{reference.zh}的 {ratio:.3f} 倍,二者必有一错",
        f"the energy is {ratio:.3f} times {reference.en}: one of the two is wrong",
    )


def _phase(cause: Cause) -> _Said | None:
    if cause in (Cause.DEAD_L1, Cause.DEAD_L2, Cause.DEAD_L3):
        name = _PHASE[cause - Cause.DEAD_L1]
        return _Said(f"{name} 相无功率,其余两相有负荷:缺相", f"phase {name} is dead while the others carry load")
    if cause in (Cause.REVERSED_L1, Cause.REVERSED_L2, Cause.REVERSED_L3):
        name = _PHASE[cause - Cause.REVERSED_L1]
        return _Said(
            f"{name} 相功率为负,其余两相为正:电流互感器反接",
            f"phase {name} counts backwards: its transformer is reversed",
        )
    return None
