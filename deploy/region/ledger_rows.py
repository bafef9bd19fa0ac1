"""The region's ledger in the columns of the interchange file: one row an installation, one a point without a meter."""

import csv
import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from openpyxl import Workbook

from analytics.domain.instants import US_PER_SECOND
from analytics.domain.ledger import COLUMNS
from analytics.domain.units import conversion_factor, parse_unit
from deploy.region.model import LedgerRow, Meter, Point, Segment, Unit

__all__ = ["ledger_rows", "write_csv", "write_xlsx"]

_MAKERS = ("云澜仪表有限公司", "云澜华测电气有限公司", "云澜流体计量有限公司")
_LEVEL_PLACE: Final = {"unit": "总进线处", "sub_unit": "配电间", "equipment": "设备旁"}
_CYCLE_MONTHS: Final = {
    "electricity": 72,
    "gas_flow": 24,
    "steam_flow": 24,
    "water_flow": 24,
    "heat": 36,
    "weighing": 12,
}
_STEAM_GJ_PER_T: Final = 2.9  # the ledger declares steam in GJ, as table 1 does
_HEADROOM: Final = 1.5  # a quarter hour may exceed the rated hourly flow by as much


def ledger_rows(
    seed: int,
    units: Sequence[Unit],
    points: Sequence[Point],
    segments: Mapping[int, Sequence[Segment]],
    last_dials: Mapping[tuple[int, int], float],
    *,
    start_us: int,
    zone: ZoneInfo,
) -> tuple[LedgerRow, ...]:
    """Rows of every point: one for each declared installation, or one without a meter.

    Parameters
    ----------
    seed : int
        Of the region; decides makers, places and dates of verification.
    units, points : sequences
        Of the region.
    segments : mapping of int to sequence of Segment
        By point; undeclared ones are left out.
    last_dials : mapping of (int, int) to float
        Dial at the end of a declared segment, by point and place in its list. [register unit]
    start_us : int
        Meters stood before it. [us since 1970-01-01 UTC]
    zone : ZoneInfo
        In which times are written.
    """
    today = dt.datetime.fromtimestamp(start_us / 1e6, zone).date()
    rows: list[LedgerRow] = []
    for point in points:
        base = _point_columns(units[point.unit], point, points)
        declared = [(k, s) for k, s in enumerate(segments.get(point.index, ())) if s.declared]
        if not declared:
            rows.append(base)
        for place, (k, segment) in enumerate(declared):
            rng = np.random.default_rng([seed, *point.stream, 6])
            columns = base | _meter_columns(rng, point, segment.meter, today)
            columns["installed_from"] = (
                _written(segment.start_us, zone)
                if place
                else str(today - dt.timedelta(days=int(rng.integers(300, 1800))))
            )
            if place and _told(declared[place - 1][1], segment):
                columns["first_reading"] = _number(
                    _first_reading(segment, last_dials[point.index, k - 1], declared[place - 1][1])
                )
            if place + 1 < len(declared):
                following = declared[place + 1][1]
                columns["installed_to"] = _written(following.start_us, zone)
                if _told(segment, following):
                    columns["last_reading"] = _number(last_dials[point.index, k])
            if segment.meter.meter_no.endswith("R"):  # a fresh meter comes with a fresh certificate
                on = dt.datetime.fromtimestamp(segment.start_us / 1e6, zone).date() - dt.timedelta(days=20)
                columns["verified_on"] = str(on)
            rows.append(columns)
    return tuple(rows)


def _told(before: Segment, after: Segment) -> bool:
    """Whether the ledger tells the dial at a change: at a replacement always, at other transformers by half of them."""
    return before.meter.meter_no != after.meter.meter_no or after.start_us % (2 * US_PER_SECOND) == 0


def _first_reading(segment: Segment, last_dial: float, before: Segment) -> float:
    return last_dial if before.meter.meter_no == segment.meter.meter_no else segment.first


def _point_columns(unit: Unit, point: Point, points: Sequence[Point]) -> dict[str, str]:
    columns = dict.fromkeys(COLUMNS, "")
    mean = (
        point.rated
        * point.load
        * 8_760.0
        * (_STEAM_GJ_PER_T if (point.carrier, point.amount_unit) == ("steam", "t") else 1.0)
    )
    columns |= {
        "unit_code": unit.code,
        "unit_name": unit.name,
        "sub_unit": point.sub_unit,
        "equipment": point.equipment,
        "level": point.level,
        "point": point.code,
        "parent_point": points[point.parent].code if point.parent >= 0 else "",
        "parent_complete": "yes" if point.complete else "no",
        "carrier": point.carrier,
        "direction": point.direction,
        "annual_use": _number(float(f"{mean:.3g}")),
        "required": "no" if point.metered == "exempt" else "yes",
    }
    if point.carrier == "electricity":
        columns["rated_power_kw"] = _number(round(point.rated, 1))
    if point.metered == "exempt":
        columns["exemption"] = "辅助用能，低于主要用能设备限定值"
    return columns


def _meter_columns(rng: np.random.Generator, point: Point, meter: Meter, today: dt.date) -> dict[str, str]:
    to_register = conversion_factor(parse_unit(point.amount_unit), parse_unit(meter.register_unit))
    columns = {
        "meter_no": meter.meter_no,
        "serial_no": meter.serial_no,
        "name": meter.name,
        "model": meter.model,
        "range": "3×1.5(6)A"
        if meter.instrument == "electricity"
        else f"0~{_number(float(f'{point.rated:.2g}'))}{point.amount_unit}/h",
        "manufacturer": str(rng.choice(_MAKERS)),
        "place": f"{point.sub_unit}{_LEVEL_PLACE[point.level]}",
        "instrument": meter.instrument,
        "purpose": meter.purpose,
        "accuracy_class": meter.accuracy_class,
        "status": "limited" if rng.uniform() < 0.03 else "qualified",
        "unit": meter.register_unit,
        "multiplier": _number(meter.multiplier),
        "full_scale": "" if np.isnan(meter.full_scale) else _number(meter.full_scale),
        "max_rate": _number(float(f"{_HEADROOM * point.rated * to_register:.4g}")),
        "interval_s": str(meter.interval_s),
    }
    months = _CYCLE_MONTHS[meter.instrument]
    overdue = rng.uniform() < 0.06
    age = rng.uniform(1.02, 1.4) if overdue else rng.uniform(0.02, 0.85)
    verified = today - dt.timedelta(days=round(months * 30.44 * age))
    columns["verified_on"] = str(verified)
    columns["cycle_months"] = str(months)
    return columns


def _written(us: int, zone: ZoneInfo) -> str:
    return dt.datetime.fromtimestamp(us // 1_000_000, zone).isoformat()


def _number(value: float) -> str:
    """Shortest decimal that is the number, without an exponent."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return text or "0"


def write_csv(rows: Sequence[LedgerRow], path: Path) -> None:
    """Write the ledger as UTF-8 with English headers."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(COLUMNS))
        writer.writeheader()
        writer.writerows(rows)


def write_xlsx(rows: Sequence[LedgerRow], path: Path) -> None:
    """Write the ledger as the units keep it: a sheet with Chinese headers, everything as text."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("能源计量器具一览表")
    sheet.append([spec.chinese for spec in COLUMNS.values()])
    for row in rows:
        sheet.append([row[name] or None for name in COLUMNS])
    book.save(path)
