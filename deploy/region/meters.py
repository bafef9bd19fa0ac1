"""Which instrument stands at a point: its register, resolution, ratio, class and how it is polled."""

from collections.abc import Sequence

import numpy as np

from analytics.domain.units import conversion_factor, parse_unit
from deploy.region.model import Meter, Point

__all__ = ["canonical_factor", "choose_meter", "stated_factor"]

_CT_PRIMARY = (10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 400, 600, 800, 1000, 1500, 2000, 3000, 4000, 5000)
_MILLION = 1e6

# how the registers of a carrier may look: share of meters, register unit, stated unit, decimals, full scale, float32
_Look = tuple[float, str, str, int, float, bool]
_NAN = float("nan")
_PRIMARY_ELECTRICITY: tuple[_Look, ...] = (
    (0.45, "kWh", "kWh", 2, 1e8, False),
    (0.2, "kWh", "kWh", 1, _NAN, True),  # primary kWh as REAL4, steps once it is large
    (0.2, "MWh", "MWh", 3, _MILLION, False),
    (0.15, "kWh", "MWh", 4, _NAN, False),  # the gateway states another unit than the ledger
)
_LOOKS: dict[str, tuple[_Look, ...]] = {
    "natural_gas": ((0.8, "Nm3", "Nm3", 2, 1e8, False), (0.2, "Nm3", "Nm3", 0, 1e7, False)),
    "other": ((1.0, "Nm3", "Nm3", 1, 1e9, False),),
    "steam": ((0.7, "GJ", "GJ", 2, _MILLION, False), (0.3, "MWh", "MWh", 3, _MILLION, False)),
    "hot_water": ((1.0, "GJ", "GJ", 3, 1e5, False),),
    "recoverable_residual_energy": ((1.0, "GJ", "GJ", 2, _MILLION, False),),
    "water": ((0.6, "m3", "m3", 2, _MILLION, False), (0.2, "m3", "m3", 1, 1e5, False), (0.2, "L", "L", 0, 1e9, False)),
    "coal": ((0.6, "t", "t", 2, _MILLION, False), (0.4, "kg", "kg", 0, 1e9, False)),
}
_STEAM_BY_MASS: tuple[_Look, ...] = ((1.0, "t", "t", 2, _MILLION, False),)

# instrument, purpose, name, model, usual class, share of meters with a worse one, the worse one
_KINDS: dict[str, tuple[str, str, str, str, str, float, str]] = {
    "natural_gas": ("gas_flow", "natural_gas", "气体涡轮流量计", "LWQ-150", "1.0", 0.1, "2.5"),
    "other": ("gas_flow", "", "涡街流量计", "LUGB-200", "1.5", 0.0, ""),
    "steam": ("steam_flow", "steam", "蒸汽流量计", "LUGB-250", "1.5", 0.15, "2.5"),
    "hot_water": ("heat", "", "超声波热量表", "RC-100", "2.0", 0.0, ""),
    "recoverable_residual_energy": ("heat", "", "热量表", "RC-200", "2.0", 0.0, ""),
    "coal": ("weighing", "dynamic", "电子皮带秤", "ICS-17", "0.5", 0.2, "1.0"),
}


def canonical_factor(point: Point, meter: Meter) -> float:
    """What one dial unit is in the point's unit of amounts, multiplier included. [canonical unit/register unit]"""
    return meter.multiplier * conversion_factor(parse_unit(meter.register_unit), parse_unit(point.amount_unit))


def stated_factor(meter: Meter) -> float:
    """What one register unit is in the unit the readings state. [stated unit/register unit]"""
    return conversion_factor(parse_unit(meter.register_unit), parse_unit(meter.stated_unit))


def choose_meter(seed: int, point: Point, serial: int) -> Meter:
    """The instrument at a point that has one; `serial` is its number within the unit."""
    rng = np.random.default_rng([seed, *point.stream, 4])
    multiplier, looks = _ratio_and_looks(rng, point)
    _, register_unit, stated_unit, decimals, full_scale, float32 = _pick(rng, looks)
    instrument, purpose, name, model, accuracy = _kind(rng, point)
    limit = float(accuracy.rstrip("S")) / 100.0
    return Meter(
        point=point.index,
        meter_no=f"{instrument[0].upper()}{point.unit + 1:02d}-{serial:04d}",
        serial_no=f"{20_180_000 + int(rng.integers(70_000))}{serial:04d}",
        name=name,
        model=model,
        instrument=instrument,
        purpose=purpose,
        accuracy_class=accuracy,
        register_unit=register_unit,
        stated_unit=stated_unit,
        multiplier=multiplier,
        decimals=decimals,
        full_scale=full_scale,
        float32=float32,
        interval_s=_interval(rng, point),
        offset_s=int(rng.integers(0, 45)),
        jitter_s=int(rng.integers(1, 6)),
        error=float(np.clip(rng.normal(0.0, limit / 2.5), -0.9 * limit, 0.9 * limit)),
    )


def _pick(rng: np.random.Generator, looks: Sequence[_Look]) -> _Look:
    shares = np.cumsum([look[0] for look in looks])
    return looks[min(int(np.searchsorted(shares, rng.uniform(0.0, shares[-1]))), len(looks) - 1)]


def _ratio_and_looks(rng: np.random.Generator, point: Point) -> tuple[float, Sequence[_Look]]:
    if point.carrier != "electricity":
        by_mass = point.carrier == "steam" and point.amount_unit == "t"
        return 1.0, _STEAM_BY_MASS if by_mass else _LOOKS[point.carrier]
    if rng.uniform() < 0.25:
        return 1.0, _PRIMARY_ELECTRICITY
    volt = 110.0 if point.rated > 15_000 else 35.0 if point.rated > 8_000 else 10.0 if point.rated > 600 else 0.38
    ampere = 1.2 * point.rated / (np.sqrt(3.0) * volt * 0.9)
    primary = next((ct for ct in _CT_PRIMARY if ct >= ampere), _CT_PRIMARY[-1])
    pt = volt * 10.0 if volt > 1.0 else 1.0
    ratio = primary / 5.0 * pt
    # XXXXXX.XX of DL/T 645, or an old counter without decimals where the ratio is small enough for it
    decimals = 0 if ratio <= 80.0 and rng.uniform() < 0.3 else 2
    return ratio, ((1.0, "kWh", "kWh", decimals, _MILLION, False),)


def _kind(rng: np.random.Generator, point: Point) -> tuple[str, str, str, str, str]:
    if point.carrier == "electricity":
        usual = "0.5S" if point.rated > 7_000 else "0.5" if point.rated > 1_400 else "1.0"
        accuracy = "2.0" if rng.uniform() < 0.04 else usual
        return "electricity", "", "三相电子式电能表", "DTSD-3×100V", accuracy
    if point.carrier == "water":
        diameter = 300 if point.rated > 150 else 150 if point.rated > 40 else 80
        accuracy = "2.5" if rng.uniform() < 0.2 else "2.0" if diameter <= 250 else "1.5"
        return "water_flow", str(diameter), "电磁水表", f"LDE-{diameter}", accuracy
    instrument, purpose, name, model, usual, share, worse = _KINDS[point.carrier]
    return instrument, purpose, name, model, worse if rng.uniform() < share else usual


def _interval(rng: np.random.Generator, point: Point) -> int:
    if point.carrier == "coal" and point.level == "unit":
        return 86_400  # weighed up once a day
    if point.carrier == "electricity" and point.level == "unit" and point.direction == "in":
        return 300  # what the grid bills is looked at more often
    if point.carrier in {"water", "natural_gas"} and point.level == "equipment" and rng.uniform() < 0.12:
        return 3_600
    return 900
