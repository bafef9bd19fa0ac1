"""A meter replaced at a point, as the ledger states it: each has its own row with its own dial."""

import math
from dataclasses import dataclass

import numpy as np

from analytics.domain.errors import ConfigurationError
from analytics.domain.ledger.rows import Cells, LedgerRows, TextColumn
from analytics.domain.ledger.schema import NO_DAY, OPEN_END

__all__ = ["Replacement", "replaced"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """What a person enters of it.

    Attributes
    ----------
    at_us : int
        When the old meter was taken out and the new one put in. [µs since 1970 UTC]
    last_reading, first_reading : float
        Of the old meter and of the new one, then. [dial unit]
    meter_no, serial_no : str
        Of the new one; the number may be that of the old one.
    multiplier : float or None
        Of the new one; as before without it. [1]
    accuracy_class : str
        Of the new one; as before where it is empty.
    """

    unit_code: str
    point: str
    at_us: int
    last_reading: float
    first_reading: float
    meter_no: str
    serial_no: str = ""
    multiplier: float | None = None
    accuracy_class: str = ""


def replaced(rows: LedgerRows, one: Replacement) -> LedgerRows:
    """Rows in which a point has another meter from an instant on.

    Of the new meter's verification nothing is known until its certificate is entered; all else is as the old one's.

    Parameters
    ----------
    rows : LedgerRows
        As they are in force.

    Raises
    ------
    ConfigurationError
        If the point has no meter then that is there still, or more than one; for a dial or multiplier that is none;
        and for a meter that is at another point.
    """
    _require(one)
    keys = list(zip(rows.text("unit_code"), rows.text("point"), rows.text("meter_no"), strict=True))
    start, end = rows.instant("installed_from"), rows.instant("installed_to")
    of_point = [
        i for i, (unit, point, meter) in enumerate(keys) if (unit, point) == (one.unit_code, one.point) and meter
    ]
    there = [i for i in of_point if end[i] == OPEN_END]
    if len(there) != 1 or not start[there[0]] < one.at_us:
        raise ConfigurationError(
            f"point {one.point} of {one.unit_code} must have one meter that was put in before then and is there still "
            f"(got {len(there)})"
        )
    old = there[0]
    elsewhere = [
        point
        for i, (unit, point, meter) in enumerate(keys)
        if (unit, meter) == (one.unit_code, one.meter_no) and point != one.point and end[i] > one.at_us
    ]
    if elsewhere:
        raise ConfigurationError(f"meter {one.meter_no} must be at no other point then (it is at {elsewhere[0]})")
    return _with(rows, old, one)


def _require(one: Replacement) -> None:
    if not one.meter_no.strip():
        raise ConfigurationError("meter_no must be given (got nothing)")
    for name in ("last_reading", "first_reading"):
        value = getattr(one, name)
        if not (math.isfinite(value) and value >= 0):
            raise ConfigurationError(f"{name} must be a number of 0 or more (got {value})")
    if one.multiplier is not None and not (math.isfinite(one.multiplier) and one.multiplier > 0):
        raise ConfigurationError(f"multiplier must be more than 0 (got {one.multiplier})")


def _with(rows: LedgerRows, old: int, one: Replacement) -> LedgerRows:
    """The rows with one more, behind the others, in order."""
    new = len(rows)
    longer = rows.take(np.append(np.arange(new), old))
    columns: dict[str, Cells] = dict(longer.columns)
    texts = {"meter_no": one.meter_no.strip(), "serial_no": one.serial_no.strip()}
    if one.accuracy_class:
        texts["accuracy_class"] = one.accuracy_class
    for name, text in texts.items():
        columns[name] = TextColumn.of([*longer.text(name).strings()[:new], text])
    numbers = {"first_reading": {new: one.first_reading}, "last_reading": {old: one.last_reading, new: math.nan}}
    numbers["cycle_months"] = {new: math.nan}
    if one.multiplier is not None:
        numbers["multiplier"] = {new: one.multiplier}
    for name, cells in numbers.items():
        column = longer.number(name).copy()
        for i, value in cells.items():
            column[i] = value
        columns[name] = column
    for name in ("verified_on", "verification_due"):
        days = longer.day(name).copy()
        days[new] = NO_DAY
        columns[name] = days
    for name, at in (("installed_to", old), ("installed_from", new)):
        instants = longer.instant(name).copy()
        instants[at] = one.at_us
        columns[name] = instants
    return LedgerRows.of(columns).in_order()
