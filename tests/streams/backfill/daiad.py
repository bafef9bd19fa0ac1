"""46 real water registers as a ledger and a file of readings, for tests only.

The times are wall-clock times of Spain: the hour that 2016-10-30 had twice is in them twice.
"""

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

__all__ = ["ZONE", "Registers", "registers", "write_files"]

ZONE = ZoneInfo("Europe/Madrid")
_FILE = Path(__file__).parents[4] / "shared" / "data" / "daiad_water_registers.parquet"


@dataclass(frozen=True)
class Registers:
    """n readings of 46 meters: number, wall-clock time [us], and the register [L]."""

    meter: NDArray[np.int16]
    wall_us: NDArray[np.int64]
    litres: NDArray[np.float64]

    def between(self, first: str, end: str) -> "Registers":
        """Readings of some days, the last exclusive."""
        days = (np.datetime64(first, "us").astype(np.int64), np.datetime64(end, "us").astype(np.int64))
        inside = (self.wall_us >= days[0]) & (self.wall_us < days[1])
        return Registers(self.meter[inside], self.wall_us[inside], self.litres[inside])

    def sampled(self, every: int) -> "Registers":
        """All readings of each `every`-th meter, and of each third whose register has fallen."""
        meters = np.unique(self.meter)
        fell = [m for m in meters.tolist() if (np.diff(self.litres[self.meter == m]) < 0).any()]
        inside = np.isin(self.meter, np.union1d(meters[::every], fell[::3]))
        return Registers(self.meter[inside], self.wall_us[inside], self.litres[inside])

    @property
    def unit_codes(self) -> list[str]:
        """Ten meters make a unit."""
        return [f"D{meter // 20}" for meter in self.meter.tolist()]

    @property
    def meter_nos(self) -> list[str]:
        return [f"W{meter:02d}" for meter in self.meter.tolist()]


def registers(request: pytest.FixtureRequest) -> Registers:
    """The registers; the test is skipped, loudly, where they are not there."""
    if not _FILE.exists():
        reporter = request.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"WARNING: real registers are missing, nothing is tested on them: {_FILE}", yellow=True)
        pytest.skip(f"real water registers are missing: {_FILE}")
    table = pq.read_table(_FILE)
    wall_us = table["ts"].to_numpy().astype("datetime64[us]").astype(np.int64)
    return Registers(table["meter"].to_numpy(), wall_us, table["reading_l"].to_numpy())


def write_files(data: Registers, place: Path) -> tuple[Path, list[Path]]:
    """The ledger and two files of readings in `place`; the second half comes first."""
    (place / "ledger.csv").write_text(_ledger_csv(data))
    table = pa.table(
        {
            "unit_code": data.unit_codes,
            "meter_no": data.meter_nos,
            "measured_at": pa.array(data.wall_us).cast(pa.timestamp("us")),
            "value": data.litres,
            "unit": ["L"] * len(data.litres),
        }
    )
    half = len(table) // 2
    pq.write_table(table.slice(half), place / "second.parquet")
    pq.write_table(table.slice(0, half), place / "first.parquet")
    return place / "ledger.csv", [place / "second.parquet", place / "first.parquet"]


def _ledger_csv(data: Registers) -> str:
    """A ledger of the meters, each the water intake of a home of its unit."""
    rows = ["unit_code,level,point,carrier,meter_no,unit,instrument,interval_s,installed_from,multiplier"]
    for meter in np.unique(data.meter).tolist():
        place = f"D{meter // 20},unit,P{meter:02d},water"
        rows.append(f"{place},W{meter:02d},L,water_flow,3600,2016-03-01,1")
    return "\n".join(rows) + "\n"
