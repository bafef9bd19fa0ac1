"""From the readings of registers to hours in one call, for a notebook: frames of pandas, polars or pyarrow in and out.

What a worker does with a ledger and a database, without either: no installation changes here, and nothing is refused.
For replacements, multipliers that change and several units there is ``meterwarden backfill``.
"""

from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from analytics.columns.register import Advanced, RegisterTable, advance, empty_state
from analytics.domain.errors import InvalidReading
from analytics.domain.instants import US_PER_HOUR, US_PER_MINUTE
from analytics.domain.ledger import OPEN_END, Installations
from analytics.domain.quality import DetectionKind, hour_flag_names
from analytics.domain.units import canonical_unit, conversion_factor, parse_unit

__all__ = ["Followed", "register_hours"]

_MICRO = 1e6


class Followed(NamedTuple):
    """What registers gave, as frames of the kind that the readings came in.

    Attributes
    ----------
    hours
        Columns ``meter, start, amount, unit, completeness, quality``: consumption of each whole or begun hour. `start`
        is UTC; `amount` is in the carrier's unit (kWh of electricity); `completeness` the share of the hour that was
        measured or estimated; `quality` names of `analytics.domain.quality.HourFlag`, or ``measured``.
    events
        Columns ``meter, kind, started_at, ended_at, unexplained``: what is wrong or notable about a register.
        `ended_at` is missing while one lasts; `unexplained` is a rise that nobody can explain and that is in no hour.
    """

    hours: Any
    events: Any


def register_hours(
    readings: Any,
    *,
    unit: str = "kWh",
    carrier: str = "electricity",
    multiplier: float = 1.0,
    interval_min: float = 0.0,
    full_scale: float | None = None,
    max_rate: float | None = None,
) -> Followed:
    """Hourly consumption of cumulative registers, and what is wrong with them.

    Parameters
    ----------
    readings
        Frame of pandas, polars or pyarrow with the columns ``meter`` (text; may be missing where there is one),
        ``measured_at`` (instants with a time zone) and ``value`` (what the dial shows), in any order.
    unit : str
        Of the dial.
    carrier : str
        Decides the unit of amounts.
    multiplier : float
        Current ratio times voltage ratio. [1]
    interval_min : float
        Time between readings as agreed; 0 where unknown. [min]
    full_scale : float, optional
        Smallest value that the dial cannot show. [dial unit]
    max_rate : float, optional
        Most that the register can count. [dial unit/h]

    Raises
    ------
    InvalidReading
        If a column is missing, an instant has no time zone or is missing, or a value is no finite number.
    UnitError
        If the unit is not known or does not fit the carrier.

    Examples
    --------
    >>> import datetime, pyarrow
    >>> day = datetime.datetime(2026, 11, 21, tzinfo=datetime.timezone.utc)
    >>> at = [day + datetime.timedelta(minutes=30 * i) for i in range(5)]
    >>> frame = pyarrow.table({"measured_at": at, "value": [99990.0, 99995.0, 1.0, 6.0, 12.0]})
    >>> hours, events = register_hours(frame, full_scale=100_000)
    >>> hours["amount"].to_pylist(), hours["quality"].to_pylist(), events["kind"].to_pylist()
    ([11.0, 11.0], ['rollover', 'measured'], ['rollover'])
    """
    frame = nw.from_native(readings, eager_only=True)
    names, point, at_us, value = _columns(frame)
    dial = parse_unit(unit)
    counted = canonical_unit(carrier, dial)
    table = RegisterTable(
        _installations(
            len(names),
            factor=conversion_factor(dial, counted) * multiplier,
            multiplier=multiplier,
            unit=dial.code,
            interval_us=round(interval_min * US_PER_MINUTE),
            full_scale=np.nan if full_scale is None else full_scale,
            max_rate=np.nan if max_rate is None else max_rate,
        )
    )
    result = advance(empty_state(len(names)), table, point=point, installation=point, at_us=at_us, value=value)
    backend = frame.implementation
    return Followed(
        hours=_frame(_hours(result, names, counted.symbol), ("start",), backend),
        events=_frame(_events(result, names), ("started_at", "ended_at"), backend),
    )


def _columns(frame: "nw.DataFrame[Any]") -> tuple[list[str], NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]:
    """Names of meters, and of each reading the meter, the instant [µs since 1970 UTC] and the value."""
    missing = {"measured_at", "value"}.difference(frame.columns)
    if missing:
        raise InvalidReading(
            f"readings must have the columns measured_at and value (missing: {', '.join(sorted(missing))})"
        )
    instants = frame["measured_at"]
    if not isinstance(instants.dtype, nw.Datetime) or instants.dtype.time_zone is None:
        raise InvalidReading(f"measured_at must be instants with a time zone (got {instants.dtype})")
    if instants.is_null().any():
        raise InvalidReading(f"each reading must have a time (row {int(instants.is_null().arg_true()[0])} has none)")
    if not frame["value"].dtype.is_numeric():
        raise InvalidReading(f"value must be numbers (got {frame['value'].dtype})")
    value = np.array(frame["value"].cast(nw.Float64).to_numpy(), np.float64)
    bad = np.flatnonzero(~np.isfinite(value))
    if bad.size:
        raise InvalidReading(f"each value must be a finite number (row {bad[0]} is {value[bad[0]]}, {bad.size} in all)")
    at_us = np.array(instants.dt.timestamp("us").to_numpy(), np.int64)
    if "meter" not in frame.columns:
        return [""], np.zeros(value.size, np.int32), at_us, value
    names, point = np.unique(frame["meter"].cast(nw.String).to_numpy().astype(str), return_inverse=True)
    return names.tolist(), point.astype(np.int32), at_us, value


def _installations(meters: int, **facts: float) -> Installations:
    def every(name: str, dtype: type[np.generic]) -> NDArray[Any]:
        return np.full(meters, facts[name], dtype)

    index = np.arange(meters, dtype=np.int32)
    unknown = np.full(meters, np.nan)
    return Installations(
        point=index, meter=index, row=index, serial=np.full(meters, -1, np.int32),
        installed_from=np.full(meters, -OPEN_END, np.int64), installed_to=np.full(meters, OPEN_END, np.int64),
        multiplier=every("multiplier", np.float64), unit=every("unit", np.int16), factor=every("factor", np.float64),
        full_scale=every("full_scale", np.float64), max_rate=every("max_rate", np.float64),
        interval_us=every("interval_us", np.int64), first_reading=unknown, last_reading=unknown,
    )  # fmt: skip


def _hours(result: Advanced, names: list[str], unit: str) -> dict[str, Any]:
    hours = result.hours
    return {
        "meter": [names[i] for i in hours["point"]],
        "start": (hours["hour"] * US_PER_HOUR).astype("datetime64[us]"),
        "amount": hours["amount"] / _MICRO,
        "unit": [unit] * hours.size,
        "completeness": (hours["covered"] / US_PER_HOUR).astype(np.float64),
        "quality": [hour_flag_names(int(flags)) for flags in hours["flags"]],
    }


def _events(result: Advanced, names: list[str]) -> dict[str, Any]:
    events = result.events
    jump = events["kind"] == DetectionKind.JUMP
    return {
        "meter": [names[i] for i in events["point"]],
        "kind": [DetectionKind(int(kind)).name.lower() for kind in events["kind"]],
        "started_at": events["started"].astype("datetime64[us]"),
        "ended_at": events["ended"].astype("datetime64[us]"),  # NEVER is NaT, and so missing
        "unexplained": np.where(jump, events["amount"] / _MICRO, 0.0),
    }


def _frame(columns: dict[str, Any], instants: tuple[str, ...], backend: Any) -> Any:
    frame = nw.from_dict(columns, backend=backend)
    utc = (nw.col(name).cast(nw.Datetime("us")).dt.replace_time_zone("UTC") for name in instants)
    return frame.with_columns(*utc).to_native()
