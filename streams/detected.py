"""Detections and events in the words of the interchange files, out of what the register core says of them."""

import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.columns.register import NEVER
from analytics.domain.ledger import Ledger
from analytics.domain.quality import DetectionKind
from analytics.domain.units import unit_of
from analytics.health.arrival import AHEAD, BEHIND, DRIFTS, UNSURE
from streams.contradiction import contradiction, ratio_of, ratio_range

__all__ = [
    "energy_affected",
    "evidence",
    "evidence_json",
    "last_of_each_event",
    "magnitude",
    "magnitude_range",
    "magnitude_unit",
]

_HOUR_US = 3_600_000_000
_MICRO = 1_000_000
_TIMES = frozenset({DetectionKind.GAP, DetectionKind.SILENCE, DetectionKind.STUCK})
_COUNTS = frozenset({DetectionKind.DUPLICATE})
_CLOCKS = {
    UNSURE: (
        "读数比以往晚到:时钟变慢,或传输变慢",
        "readings arrive later than they used to: the clock fell behind, or the way to us became slower",
    ),
    AHEAD: ("读数时间在收到之后:时钟超前", "readings arrive before they were measured: the clock is ahead"),
    BEHIND: ("示值继续增加而时间倒退:时钟落后", "times went back while the dial went on: the clock fell behind"),
    DRIFTS: (
        "读数越来越晚到且无跳变:时钟走慢",
        "readings arrive later and later without a jump: the clock loses time",
    ),
}
_WHATS = {
    DetectionKind.GAP: (
        "缺少读数;前后示值之差是其间的总用量",
        "readings are missing; what was used meanwhile is known in total",
    ),
    DetectionKind.SILENCE: (
        "超过该表通常间隔仍无读数",
        "nothing has come for longer than readings of this meter are apart and on their way",
    ),
    DetectionKind.STUCK: (
        "示值不变,而该表在这些时段通常在走",
        "the dial stands still, which this meter does not do at these hours",
    ),
    DetectionKind.SPIKE: (
        "示值超出该时间内可能达到的范围;未计入",
        "a reading that the register cannot have reached; set aside",
    ),
    DetectionKind.ROLLBACK: (
        "示值倒退后从较低处继续;倒退的部分无法得知",
        "the dial went back and counts on from there; what was used around it is not known",
    ),
    DetectionKind.RESET: (
        "示值归零后重新计数;其间用量无法得知",
        "the dial began again near zero; what was used around it is not known",
    ),
    DetectionKind.ZERO_DIP: ("正常示值之间出现零;未计入", "readings of zero between sound ones; set aside"),
    DetectionKind.SENTINEL: (
        "设备在无数据时给出的数值;未计入",
        "a value by which devices say that they have none; set aside",
    ),
    DetectionKind.DUPLICATE: ("同一时刻的读数重复到达", "readings of the same instant came more than once"),
    DetectionKind.UNDECLARED_REPLACEMENT: (
        "示值从另一处继续,如同换表;台账中没有换表",
        "the dial goes on elsewhere, as another meter's would; the ledger declares none",
    ),
}


def magnitude(event: np.void) -> float | None:
    """How big it is: hours for what lasts, powers of ten that a reading is too large, repeats, else the dial's jump.

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
        return None if until == NEVER else float(until - event["started"]) / _HOUR_US
    if kind is DetectionKind.CLOCK:
        return float(event["before"]) - float(event["at"])
    if kind is DetectionKind.RATIO:
        ratio = ratio_of(event)
        return None if ratio is None else ratio - 1.0
    if kind is DetectionKind.SCALE:
        return -float(event["scale"])
    if kind in _COUNTS:
        return float(event["n"])
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
    """What is usually used in the time of a stuck dial, and what a wrong ratio counted too much, negative too little.

    None for other kinds. [the point's canonical unit]
    """
    if event["kind"] == DetectionKind.RATIO:
        return None if ratio_of(event) is None else int(event["amount"]) / _MICRO
    stuck = event["kind"] == DetectionKind.STUCK
    return int(event["amount"]) / _MICRO if stuck and event["amount"] > 0 else None


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
        return f"示值放大了 {size} 倍;未计入", f"readings are {size} times too large; set aside"
    return f"示值缩小为 1/{size};未计入", f"readings are {size} times too small; set aside"


def _stuck(event: np.void, ledger: Ledger) -> dict[str, Any]:
    lasts = event["ended"] == NEVER
    found: dict[str, Any] = {
        **_what(_WHATS[DetectionKind.STUCK]),
        "dial": float(event["before"]),
        "unit": _dial_unit(event, ledger),
        "readings_at_that_value": int(event["n"]),
        "usual_use_in_that_time": int(event["amount"]) / _MICRO,
        "most_surprising_before": _rounded(event["at"]),
    }
    found["surprise" if lasts else "dial_afterwards"] = _rounded(event["after"], 1 if lasts else 6)
    return found


def _clock(event: np.void) -> dict[str, Any]:
    return {
        **_what(_CLOCKS[int(event["scale"])]),
        "usual_lateness_s": _rounded(event["before"]),
        "lateness_s": _rounded(event["at"]),
        "uploads_that_agree": int(event["n"]),
        "proven": int(event["scale"]) in {AHEAD, BEHIND},
    }


def evidence(event: np.void, ledger: Ledger) -> dict[str, Any]:
    """What was seen, for a person to read.

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
    kind = DetectionKind(int(event["kind"]))
    words = _scaled(int(event["scale"])) if kind is DetectionKind.SCALE else _WHATS.get(kind)
    found: dict[str, Any] = _what(words) if words else {}
    found |= {name: float(event[name]) for name in ("before", "at", "after") if math.isfinite(float(event[name]))}
    if event["n"]:
        found["n"] = int(event["n"])
    if event["scale"]:
        found["scale"] = -int(event["scale"])
    if event["amount"]:
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
