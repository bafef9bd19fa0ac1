"""Real hourly loads as the stuff a region is made of: read, cut into weeks, mixed, and split into quarter hours.

The series are the samples of the package named in ``deploy/locks/samples.txt`` (Apache-2.0): two years and more of
hourly electricity and gas of real homes and small businesses. Only its data files are read; it is never imported.
A meter gets a mix of some of them, shifted by whole weeks, so that days and weekends stay where they belong.
"""

from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from analytics.domain.errors import ConfigurationError

__all__ = ["QUARTERS_PER_HOUR", "Loads", "quarters", "sample_loads"]

Floats = NDArray[np.float64]

QUARTERS_PER_HOUR = 4
HOURS_PER_WEEK = 168
_PACKAGE = "opendsm"
_SERIES = {
    "electricity": (
        "il-electricity-cdd-hdd-hourly",
        "il-electricity-cdd-only-hourly",
        "uk-electricity-hdd-only-hourly-sample-0",
        "uk-electricity-hdd-only-hourly-sample-1",
        "uk-electricity-hdd-only-hourly-sample-2",
    ),
    "gas": ("il-gas-hdd-only-hourly", "il-gas-intercept-only-hourly", "uk-gas-hdd-only-hourly-sample-0"),
}
_HIGHEST = 6.0  # a single home's peak is up to 27 times its mean; a works never is
_BRIDGED_HOURS = 3
_MONDAY_HOUR = 96  # 1970-01-05 00:00, the first Monday, in hours since 1970-01-01


@dataclass(frozen=True, slots=True)
class Loads:
    """Normalised hourly series of whole weeks, by kind.

    Attributes
    ----------
    series : dict of str to tuple of (168 k,) float64
        For ``electricity`` and ``gas``; each begins on a Monday at 00:00 local time and has the mean 1. [1]
    """

    series: dict[str, tuple[Floats, ...]]

    def mix(self, rng: np.random.Generator, local_hours: NDArray[np.int64], *, kind: str, parts: int) -> Floats:
        """Load shape of one meter over some hours.

        It depends on the absolute hour and on `rng` alone, so a longer span begins with the shorter one.

        Parameters
        ----------
        rng : numpy.random.Generator
            Draws which series, and by how many weeks each is shifted.
        local_hours : (n,) int64
            Hours since 1970-01-01 00:00 local time.
        kind : {"electricity", "gas"}
            Which series.
        parts : int
            How many are mixed; the more, the smoother.

        Returns
        -------
        (n,) float64
            Shape with a mean of about 1, never negative. [1]
        """
        pool = self.series[kind]
        which = rng.integers(len(pool), size=parts)
        weeks = rng.integers(1_000, size=parts)
        shape = np.zeros(len(local_hours))
        for index, shift in zip(which.tolist(), weeks.tolist(), strict=True):
            one = pool[index]
            shape += one[(local_hours - _MONDAY_HOUR + shift * HOURS_PER_WEEK) % len(one)]
        return shape / parts


def quarters(hourly: Floats, noise: Floats) -> Floats:
    """Split hours into quarter hours: each hour's total is kept, its course follows its neighbours.

    Parameters
    ----------
    hourly : (n,) float64
        Amounts per hour, not negative.
    noise : (4 n,) float64
        What is random inside the hour; 0 for none, above -1. [1]

    Returns
    -------
    (4 n,) float64
        Amounts per quarter hour, not negative.

    Examples
    --------
    >>> quarters(np.array([4.0, 8.0, 8.0]), np.zeros(12)).round(2)
    array([0.85, 0.95, 1.05, 1.15, 1.85, 1.95, 2.05, 2.15, 2.  , 2.  , 2.  ,
           2.  ])
    """
    if not len(hourly):
        return np.zeros(0)
    after = np.append(hourly[1:], hourly[-1])
    before = np.insert(hourly[:-1], 0, hourly[0])
    tilt = np.clip(after - before, -hourly, hourly) / np.where(hourly > 0.0, hourly, 1.0)
    weight = 1.0 + tilt[:, None] * (np.array([-1.5, -0.5, 0.5, 1.5]) / 10.0)
    weight *= 1.0 + noise.reshape(-1, QUARTERS_PER_HOUR)
    weight /= weight.sum(axis=1, keepdims=True)
    return (weight * hourly[:, None]).ravel()


@cache
def sample_loads() -> Loads:
    """Loads of the installed samples.

    Raises
    ------
    ConfigurationError
        If the samples are not installed.
    """
    folder = _samples_folder()
    return Loads({kind: tuple(_weeks(folder / f"{name}.csv.gz") for name in names) for kind, names in _SERIES.items()})


def _samples_folder() -> Path:
    try:
        files = metadata.files(_PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == f"{_SERIES['gas'][0]}.csv.gz":
            return Path(str(file.locate())).parent
    raise ConfigurationError(
        f"the region is made of the sample loads of {_PACKAGE}: install deploy/locks/samples.txt with --no-deps "
        "--require-hashes (got: not installed)"
    )


def _weeks(path: Path) -> Floats:
    """Whole weeks from a Monday on of the longest run without a long gap, clipped, with the mean 1."""
    table = csv.read_csv(
        path, convert_options=csv.ConvertOptions(column_types={"start": pa.string(), "value": pa.float64()})
    )
    # the first 19 characters are local time; homes live by the clock on the wall
    local = np.array([str(text)[:19].replace(" ", "T") for text in table["start"].to_pylist()], "datetime64[s]")
    value = table["value"].to_numpy()
    hour = (local.astype(np.int64) // 3600)[np.isfinite(value)]
    value = value[np.isfinite(value)]
    first = int(hour.min())
    count = np.bincount(hour - first)
    known = count > 0
    # some are half-hourly, and summer time doubles or drops an hour: the mean of an hour stands for it
    mean = np.bincount(hour - first, weights=value)[known] / count[known]
    total = np.interp(np.arange(len(count)), np.flatnonzero(known), mean)
    start, stop = _longest_run(_near(known, _BRIDGED_HOURS))
    start += (_MONDAY_HOUR - (first + start)) % HOURS_PER_WEEK
    weeks = (stop - start) // HOURS_PER_WEEK
    run: Floats = total[start : start + weeks * HOURS_PER_WEEK]
    run = np.minimum(run, _HIGHEST * run.mean())
    normal: Floats = run / run.mean()
    return normal


def _near(known: NDArray[np.bool_], hours: int) -> NDArray[np.bool_]:
    """Where a gap of not more than `hours` is bridged: the closing of `known`."""
    index = np.arange(len(known))
    before = np.maximum.accumulate(np.where(known, index, -(10**9)))
    after = np.minimum.accumulate(np.where(known, index, 10**9)[::-1])[::-1]
    return after - before <= hours + 1


def _longest_run(mask: NDArray[np.bool_]) -> tuple[int, int]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    best = int(np.argmax(stops - starts))
    return int(starts[best]), int(stops[best])
