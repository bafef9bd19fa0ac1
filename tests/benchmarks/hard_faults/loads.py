"""Real loads, and which of them may be looked at while rules are chosen.

**The split**, by site and meter, so that no meter is in both parts and, where there are sites, no site either:

| data set | development | held out |
|---|---|---|
| BDG2, buildings' electricity | Fox and Bear (61 meters) | Panther (85) |
| CityLearn, homes' electricity | buildings of odd number (9) | even (8) |
| DAIAD, homes' water registers | the first half by number (23) | the second half (23) |
| SimBench, 15-minute profiles | every second one by name (32) | the others |
| UCI, one home and its sub-meters | all (4): one home cannot be split | - |
| opendsm samples, UK homes' electricity and gas | - | those that are real (4) |

Thresholds are chosen on development alone. Held-out meters are run once, for the table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

__all__ = ["SOURCES", "SPLITS", "UTC_OFFSET_H", "Load", "RealRegister", "data_folder", "loads", "real_registers"]

Floats = NDArray[np.float64]
Instants = NDArray[np.int64]

SPLITS = ("development", "held_out")
SOURCES = ("bdg2", "citylearn", "simbench", "uci", "opendsm", "daiad")
UTC_OFFSET_H = 8
"""All sets say local time; it is taken as that of the zone whose hours the habits go by."""
_US_PER_H = 3_600_000_000
_DEVELOPMENT_SITES = ("Fox", "Bear")
_AGGREGATED = ("lv_", "mv_", "hv_", "time")
_FOLDER = Path(__file__).resolve().parents[4] / "shared" / "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one meter measured, from its first use to its last.

    Attributes
    ----------
    source, name : str
        Data set, and the meter's name in it.
    carrier, unit : str
        As in a ledger.
    start_us : int
        Begin of the first step. [us since 1970-01-01 UTC]
    step_s : int
        [s]
    amount : (n,) float64
        NaN where the set has none. [`unit` a step]
    """

    source: str
    name: str
    carrier: str
    unit: str
    start_us: int
    step_s: int
    amount: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class RealRegister:
    """A real cumulative register as it was read: `at` [us since 1970-01-01 UTC] and `value` [L], in the order told."""

    name: str
    at: Instants
    value: Floats


def data_folder() -> Path | None:
    """Where the real loads are on this machine, beside the project; None where they are not."""
    return _FOLDER if (_FOLDER / "bdg2_electricity_hourly_kwh.parquet").is_file() else None


def _table(name: str) -> dict[str, NDArray[np.generic]]:
    table = pq.read_table(_FOLDER / f"{name}.parquet")
    return {column: table[column].to_numpy(zero_copy_only=False) for column in table.column_names}


def _utc_us(local: NDArray[np.generic]) -> Instants:
    return local.astype("datetime64[us]").astype(np.int64) - UTC_OFFSET_H * _US_PER_H


def _load(source: str, name: str, start_us: int, step_s: int, amount: Floats, *, gas: bool = False) -> Load | None:
    """The load from its first use to its last; None where there is none."""
    used = np.flatnonzero(amount > 0.0)
    if len(used) < 24 * 60:
        return None
    first, last = int(used[0]), int(used[-1])
    return Load(
        source=source,
        name=name,
        carrier="natural_gas" if gas else "electricity",
        unit="m3" if gas else "kWh",
        start_us=start_us + first * step_s * 1_000_000,
        step_s=step_s,
        amount=np.where(np.isnan(amount[first : last + 1]), np.nan, np.maximum(amount[first : last + 1], 0.0)),
    )


def loads(split: str, source: str) -> list[Load]:
    """Loads of one data set in one part of the split."""
    reader = {"bdg2": _bdg2, "citylearn": _citylearn, "simbench": _simbench, "uci": _uci, "opendsm": _opendsm}[source]
    return [load for load in reader(split) if load is not None]


def _bdg2(split: str) -> Iterator[Load | None]:
    columns = _table("bdg2_electricity_hourly_kwh")
    start = int(_utc_us(columns.pop("timestamp"))[0])
    for name, amount in columns.items():
        if (name.split("_", maxsplit=1)[0] in _DEVELOPMENT_SITES) == (split == SPLITS[0]):
            yield _load("bdg2", name, start, 3600, amount.astype(np.float64))


def _citylearn(split: str) -> Iterator[Load | None]:
    columns = _table("citylearn2022_hourly")
    # its first row is the last hour of a Sunday, and the year begins in August: 2022-08-01 is a Monday
    start = int(_utc_us(np.array(["2022-07-31T23"], "datetime64[us]"))[0])
    for building in np.unique(columns["building"]).tolist():
        if (building % 2 == 1) == (split == SPLITS[0]):
            mine = columns["building"] == building
            amount = columns["non_shiftable_load"][mine].astype(np.float64)
            yield _load("citylearn", f"home {building}", start, 3600, amount)


def _simbench(split: str) -> Iterator[Load | None]:
    columns = _table("simbench_profiles_15min_pu")
    start = int(_utc_us(columns["time"])[0])
    names = sorted(name for name in columns if not name.startswith(_AGGREGATED))
    for i, name in enumerate(names):
        if (i % 2 == 0) == (split == SPLITS[0]):
            yield _load("simbench", name, start, 900, columns[name].astype(np.float64) * 25.0)


def _uci(split: str) -> Iterator[Load | None]:
    if split != SPLITS[0]:
        return
    columns = _table("uci_household_hourly")
    start = int(_utc_us(columns["datetime"])[0])
    silent = columns["Voltage"] == 0.0  # a sum of no minutes: nothing was measured
    parts = {"Global_active_power": 1 / 60, "Sub_metering_1": 1e-3, "Sub_metering_2": 1e-3, "Sub_metering_3": 1e-3}
    for name, to_kwh in parts.items():
        yield _load("uci", name, start, 3600, np.where(silent, np.nan, columns[name].astype(np.float64) * to_kwh))


def _opendsm(split: str) -> Iterator[Load | None]:
    if split == SPLITS[0]:
        return
    columns = _table("opendsm_samples")
    series = columns["series"].astype(str)
    for name in sorted(set(series.tolist())):
        if not name.startswith("uk-"):  # the others are simulated
            continue
        mine = series == name
        hour = columns["start"][mine].astype("datetime64[h]").astype(np.int64)
        value = columns["value"][mine].astype(np.float64)
        amount = np.full(int(hour[-1] - hour[0]) + 1, np.nan)
        sums = np.bincount(hour - hour[0], weights=np.nan_to_num(value), minlength=len(amount))
        known = np.bincount(hour - hour[0], weights=np.isfinite(value), minlength=len(amount)) > 0
        amount[known] = sums[known]
        # said in UTC, of a place where that is the local time in winter
        yield _load("opendsm", name, int(hour[0] - UTC_OFFSET_H) * _US_PER_H, 3600, amount, gas="gas" in name)


def real_registers(split: str) -> list[RealRegister]:
    """Water registers of homes, with their real gaps, repeats and falls."""
    columns = _table("daiad_water_registers")
    at = _utc_us(columns["ts"])
    out = []
    meters = np.unique(columns["meter"])
    for meter in meters.tolist():
        if (meter < meters[len(meters) // 2]) == (split == SPLITS[0]):
            mine = columns["meter"] == meter
            value = columns["reading_l"][mine].astype(np.float64)
            out.append(RealRegister(name=f"W{meter:02d}", at=at[mine], value=value))
    return out
