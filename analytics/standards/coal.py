"""Coal equivalent: any carrier's amount in tonnes of standard coal, or unknown and the reason why.

Rule (GB/T 2589, E = Σ Eᵢ·kᵢ), in this order of precedence:

1. a factor entered for the energy-using unit, then one entered for all: a measured net calorific value
   (k = value / 29307 kJ per kgce), a factor of the statistics or energy office, or the name of a listed fuel;
2. the edition's reference factor, only where the carrier is one fuel and the fuel has one number;
3. otherwise the amount has no coal equivalent (NaN), and the factor's text says what would have to be entered.

So natural gas (1.1 to 1.33 kgce/Nm³), refined oil (petrol or diesel?) and coal (raw or washed?) are unknown until
somebody says more. Electricity and heat are converted by their equivalent value (当量值), what they contain, and not by
the equal value (等价值), what their making took. Energy-carrying media such as water are counted only where their
making consumes energy: never by default, but by a factor entered for the unit.

Files are read elsewhere; here come mappings as `tomllib` gives them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from analytics.columns.intervals import Int32s, Int64s
from analytics.standards.factor_tables import entered_factors, read_reference
from analytics.standards.factors import Factor, Reference

__all__ = ["CoalEquivalent", "FactorSeries", "FactorTable", "coal_equivalent", "load_factors"]

Floats: TypeAlias = npt.NDArray[np.float64]

_ALWAYS = int(np.iinfo(np.int32).min)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorSeries:
    """The factor of one carrier of one unit over time, piece by piece.

    Attributes
    ----------
    first_day : (k,) int32
        Local day from which a piece holds, rising; the first holds since ever. [day index]
    tce_per_unit : (k,) float64
        NaN where unknown. [tce per canonical unit]
    text : tuple of k str
        Fuel, value, edition and confidence, or why there is none.
    """

    first_day: Int32s
    tce_per_unit: Floats
    text: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoalEquivalent:
    """Amounts in coal equivalent.

    Attributes
    ----------
    tce : (n,) float64
        NaN where no factor applies. [tce]
    factor : (n,) int32
        Index into `texts`.
    texts : tuple of str
        What was used, or why nothing could be.
    """

    tce: Floats
    factor: Int32s
    texts: tuple[str, ...]


class FactorTable:
    """Factors of one edition and those entered beside it; see `load_factors`."""

    __slots__ = ("_entered", "_reference", "_series")

    def __init__(self, reference: Reference, entered: Sequence[Factor]) -> None:
        self._reference = reference
        self._entered = tuple(entered)
        self._series: dict[tuple[str, str, str], FactorSeries] = {}

    @property
    def edition(self) -> str:
        """Number of the standard's edition."""
        return self._reference.edition

    @property
    def entered(self) -> Sequence[Factor]:
        """Those that were entered beside the edition's."""
        return self._entered

    def series(self, carrier: str, unit: str, unit_code: str = "") -> FactorSeries:
        """Factor of a carrier as a function of time.

        Parameters
        ----------
        carrier : str
            Energy name of the ledger.
        unit : str
            Symbol of the canonical unit that the amounts are in.
        unit_code : str
            Energy-using unit whose own factors come first.

        Examples
        --------
        >>> from datetime import date
        >>> table = load_factors(
        ...     {
        ...         "standard": {"number": "GB/T 2589-2020", "in_force_from": date(2021, 4, 1)},
        ...         "electricity_heat": [{"energy": "e", "per": "kWh", "kgce": 0.1229, "factor_confidence": "two"}],
        ...         "carrier": [{"energy": "electricity", "unit": "kWh", "fuels": ["e"]}],
        ...     }
        ... )
        >>> table.series("electricity", "kWh").tce_per_unit.tolist()
        [0.0001229, 0.0001229]
        >>> table.series("electricity", "kWh").text[1]
        'e 0.1229 kgce/kWh; GB/T 2589-2020; seen in two or more sources'
        >>> table.series("coke", "t").text
        ('unknown: GB/T 2589-2020 names no factor for coke in t; enter one',)
        """
        key = (carrier, unit, unit_code)
        found = self._series.get(key)
        if found is None:
            found = self._series[key] = self._pieces(*key)
        return found

    def _pieces(self, carrier: str, unit: str, unit_code: str) -> FactorSeries:
        fitting = [
            f for f in self._entered if (f.carrier, f.unit) == (carrier, unit) and f.unit_code in {unit_code, ""}
        ]
        fitting.sort(key=lambda factor: factor.unit_code == "")
        fitting += self._reference.defaults(carrier, unit)
        first_days = sorted({_ALWAYS} | {day for f in fitting for day in (f.first_day, f.end_day) if day is not None})
        values, texts = [], []
        for first_day in first_days:
            factor = next((f for f in fitting if f.holds_on(first_day)), None)
            values.append(np.nan if factor is None else factor.tce_per_unit)
            texts.append(self._why_unknown(carrier, unit, unit_code) if factor is None else factor.text)
        return FactorSeries(
            first_day=np.array(first_days, dtype=np.int32),
            tce_per_unit=np.array(values, dtype=np.float64),
            text=tuple(texts),
        )

    def _why_unknown(self, carrier: str, unit: str, unit_code: str) -> str:
        """Explanation of a missing factor and what to enter; also if one was entered for another unit."""
        others = {f.unit for f in self._entered if f.carrier == carrier and f.unit_code in {unit_code, ""}} - {unit}
        if others:
            return f"unknown: meters count {carrier} in {unit}, the factor entered is per {', '.join(sorted(others))}"
        return self._reference.why_unknown(carrier, unit)


def load_factors(reference: Mapping[str, object], *entered: Mapping[str, object]) -> FactorTable:
    """Check the factors of an edition and those entered beside it.

    Parameters
    ----------
    reference : mapping
        Parsed `analytics/standards/gbt2589_2020.toml`, or another edition in its form.
    *entered : mapping
        Parsed factor files: tables ``[[factor]]`` with `carrier`; one of `kgce` and `ncv_kj`, with `per` and `source`,
        or `fuel`, a listed one; and optionally `unit_code`, `valid_from`, `valid_to` (dates, half open).

    Raises
    ------
    ConfigurationError
        With every fault: an unknown carrier, fuel or unit, a number out of range, two factors for the same days.
    """
    checked = read_reference(reference)
    return FactorTable(checked, entered_factors(checked, entered))


def coal_equivalent(
    amount_micro: Int64s, day: npt.NDArray[np.integer], series: npt.NDArray[np.integer], factors: Sequence[FactorSeries]
) -> CoalEquivalent:
    """Amounts in tonnes of coal equivalent, each by the factor of its series on its day.

    Parameters
    ----------
    amount_micro : (n,) int64
        [1e-6 of the canonical unit]
    day : (n,) int
        Local day. [d since 1970-01-01]
    series : (n,) int
        Index into `factors`.
    factors : sequence of FactorSeries

    Returns
    -------
    CoalEquivalent

    Examples
    --------
    >>> since = np.array([-(2**31), 20000], np.int32)
    >>> heat = FactorSeries(first_day=since, tce_per_unit=np.array([np.nan, 0.03412]), text=("?", "heat"))
    >>> day, amount_micro = np.array([19_999, 20_000]), np.array([2_000_000, 2_000_000])
    >>> converted = coal_equivalent(amount_micro, day, np.array([0, 0]), [heat])
    >>> converted.tce.tolist(), [converted.texts[i] for i in converted.factor]
    ([nan, 0.06824], ['?', 'heat'])
    """
    piece_count = np.array([len(one.text) for one in factors], dtype=np.int64)
    owner = np.repeat(np.arange(len(factors), dtype=np.int64), piece_count)
    pieces = [one.first_day for one in factors]
    start = (owner << 33) + (np.concatenate(pieces).astype(np.int64) if pieces else np.empty(0, np.int64))
    wanted = (series.astype(np.int64) << 33) + day
    piece = np.searchsorted(start, wanted, side="right") - 1
    per_unit = np.concatenate([one.tce_per_unit for one in factors] or [np.empty(0)])
    seen: dict[str, int] = {}
    text_of_piece = np.array([seen.setdefault(text, len(seen)) for one in factors for text in one.text], dtype=np.int32)
    return CoalEquivalent(
        tce=amount_micro / 1e6 * per_unit[piece],
        factor=text_of_piece[piece],
        texts=tuple(seen),
    )
