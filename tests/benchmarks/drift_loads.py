"""Real loads for the table of drift detection, and which of them may be looked at for what.

`development`
    Electricity of 61 buildings (sites Fox and Bear). Every rule was chosen on these.
`panther`
    85 buildings of a third site. Nothing was fitted to them, but one threshold was raised after a look at their table,
    and another was chosen on the totals of all four sites: development, scored with other seeds.
`untouched`
    27 consumers' profiles of SimBench (trade, farms, households, works; 2016) and 17 homes of CityLearn 2022: other
    countries, other kinds of load. Looked at by no rule, and scored once for each table in the README. SimBench's sums
    of networks are left out (they are sums of the others), and so are its heat pumps and cars, which were computed.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

__all__ = ["SEEDS", "SITES", "SPLITS", "columns_of", "data_file", "loads_of", "site_loads"]

Floats = NDArray[np.float64]

SPLITS = ("development", "panther", "untouched")
SEEDS = {"development": 0, "panther": 40_000, "untouched": 70_000}
"""Added to every seed of the table, so that no split is drawn or disturbed like another."""
_SITES = {"development": ("Fox", "Bear"), "panther": ("Panther",)}
SITES = ("Fox", "Bear", "Panther", "Rat")
"""Sites of buildings, each scored for itself; cases of Fox and Bear were looked at, of Panther and Rat totals."""
_RAT = "bdg2_rat_hourly_kwh.parquet"
_BUILDINGS = "bdg2_electricity_hourly_kwh.parquet"
_PLACES = (Path(__file__).resolve().parents[2].parent / "shared" / "data",)
_CONSUMER = re.compile(r"(BL|G\d|H0|L\d|WB)-")
_YEAR_H = 8_760


def data_file(name: str = _BUILDINGS) -> Path | None:
    """A file of real loads, where it is on this machine."""
    return next((place / name for place in _PLACES if (place / name).is_file()), None)


def columns_of(name: str) -> dict[str, NDArray[Any]]:
    """Columns of a file of real loads."""
    file = data_file(name)
    if file is None:
        raise FileNotFoundError(f"the real loads are required at {_PLACES[0] / name}")
    table = pq.read_table(file)
    return {column: table[column].to_numpy(zero_copy_only=False) for column in table.column_names}


def loads_of(split: str) -> Floats:
    """Real hourly loads of a split, a column a meter, NaN where missing; (t, m). [kWh, SimBench per unit]."""
    return _untouched() if split == "untouched" else _buildings(_SITES[split])


def site_loads(site: str) -> Floats:
    """Real hourly loads of one of `SITES`, a column a building, NaN where missing; (t, m). [kWh]."""
    if site not in SITES:
        raise ValueError(f"a site must be one of {', '.join(SITES)} (got {site})")
    return _buildings((site,), _RAT if site == "Rat" else _BUILDINGS)


def _buildings(sites: tuple[str, ...], file: str = _BUILDINGS) -> Floats:
    """From where most meters have begun."""
    columns = columns_of(file)
    loads = np.array([columns[name] for name in columns if name.split("_")[0] in sites], np.float64).T
    begun = (np.nan_to_num(loads) > 0).mean(axis=1) > 0.6
    return loads[int(np.argmax(begun)) :]


def _untouched() -> Floats:
    """A year; the homes' August comes first in their file, so it is turned to begin with January as the profiles do."""
    profiles = columns_of("simbench_profiles_15min_pu.parquet")
    consumers = [profiles[name] for name in profiles if _CONSUMER.match(name)]
    hourly = np.array(consumers, np.float64).reshape(len(consumers), -1, 4).mean(axis=2)[:, :_YEAR_H]
    homes = columns_of("citylearn2022_hourly.parquet")
    one = homes["building"] == 1
    january = int(np.argmax(homes["month"][one] == 1))
    use = np.array([homes["non_shiftable_load"][homes["building"] == i] for i in np.unique(homes["building"])])
    return np.vstack((hourly, np.roll(use, -january, axis=1))).T
