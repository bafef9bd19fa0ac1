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

__all__ = ["evidence", "evidence_json", "last_of_each_event", "magnitude"]

_HOUR_US = 3_600_000_000
_MICRO = 1_000_000
_TIMES = frozenset({DetectionKind.GAP, DetectionKind.SILENCE, DetectionKind.STUCK})
_COUNTS = frozenset({DetectionKind.DUPLICATE})


def magnitude(event: np.void) -> float | None:
    """How big it is: hours for what lasts, the exponent of ten for a scale slip, repeats, else the dial's jump.

    Parameters
    ----------
    event : EVENT_ROW
        One event.

    Returns
    -------
    float or None
        [h], [1] or [dial unit] by kind; None while it is not known.

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
        return None if event["ended"] == NEVER else float(event["ended"] - event["started"]) / _HOUR_US
    if kind is DetectionKind.SCALE:
        return float(event["scale"])
    if kind in _COUNTS:
        return float(event["n"])
    jump = float(event["at"]) - float(event["before"])
    return jump if math.isfinite(jump) else None


def evidence(event: np.void, ledger: Ledger) -> dict[str, Any]:
    """What was seen: the dial before, at and after, in its unit; how many readings; the amount where one is known.

    Parameters
    ----------
    event : EVENT_ROW
        One event; its `installation` is an index into `ledger`.
    """
    found: dict[str, Any] = {
        name: float(event[name]) for name in ("before", "at", "after") if math.isfinite(float(event[name]))
    }
    if event["n"]:
        found["n"] = int(event["n"])
    if event["scale"]:
        found["scale"] = int(event["scale"])
    if event["amount"]:
        found["amount"] = int(event["amount"]) / _MICRO
    if event["installation"] >= 0:
        found["unit"] = unit_of(int(ledger.installations.unit[event["installation"]])).symbol
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
