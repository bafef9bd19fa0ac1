"""Comprehensive energy consumption of units in coal equivalent, by equivalent value and by equal value.

A total is known only where every energy of it has a factor. Energy-carrying media (water) and recovered energy are no
part of it unless a factor was entered for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.standards.coal import FactorTable
from analytics.standards.rules import Rules

__all__ = ["CarrierEnergy", "EnergyDays", "UnitEnergy", "key_unit", "unit_energy"]

_NOT_COUNTED: Final = frozenset({"water", "recoverable_residual_energy"})
_YEAR: Final = 365


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnergyDays:
    """Daily totals of one energy of one unit.

    Attributes
    ----------
    day : (n,) int64
        Local days. [d since 1970-01-01]
    amount : (n,) float64
        [canonical unit]
    completeness : (n,) float64
        [1]
    """

    carrier: str
    symbol: str
    day: NDArray[np.int64]
    amount: NDArray[np.float64]
    completeness: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierEnergy:
    """Use of one energy over some days; None where no factor applies.

    Attributes
    ----------
    tce, tce_equal : float or None
        Equivalent (当量值) and equal value (等价值). [tce]
    factor, factor_equal : str
        Factor that was applied, or why there is none.
    completeness : float
        Mean over all days of the span, 0 for those without a total. [1]
    """

    carrier: str
    symbol: str
    amount: float
    tce: float | None
    tce_equal: float | None
    factor: str
    factor_equal: str
    days: int
    completeness: float

    @property
    def counted(self) -> bool:
        """Whether it is part of the comprehensive energy consumption."""
        return self.carrier not in _NOT_COUNTED or self.tce is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitEnergy:
    """Comprehensive energy consumption over some days.

    Attributes
    ----------
    tce, tce_equal : float or None
        None where the factor of an energy is not known, and without any total. [tce]
    tce_known : float
        Equivalent value of the energies whose factor is known. [tce]
    unknown : tuple of str
        Energies without a factor.
    days : int
        Days with a total.
    """

    carriers: tuple[CarrierEnergy, ...]
    tce: float | None
    tce_equal: float | None
    tce_known: float
    unknown: tuple[str, ...]
    days: int


def unit_energy(
    series: Sequence[EnergyDays],
    *,
    first_day: int,
    last_day: int,
    unit_code: str,
    factors: FactorTable,
    equal_value: FactorTable,
) -> UnitEnergy:
    """Energy of a unit from one local day to another, both included.

    Parameters
    ----------
    series : sequence of EnergyDays
        Of the unit; days outside the span are passed over.
    factors, equal_value : FactorTable
        Factors of each day are used.

    Examples
    --------
    >>> from analytics.standards.coal import load_factors
    >>> from datetime import date
    >>> table = load_factors(
    ...     {"standard": {"number": "X", "in_force_from": date(2021, 4, 1)}},
    ...     {"factor": [{"carrier": "steam", "kgce": 0.03412, "per": "MJ", "source": "s"}]},
    ... )
    >>> steam = EnergyDays(
    ...     carrier="steam", symbol="GJ", day=np.array([20_000]), amount=np.array([2.0]), completeness=np.ones(1)
    ... )
    >>> span = {"first_day": 20_000, "last_day": 20_000, "unit_code": "U"}
    >>> unit_energy([steam], **span, factors=table, equal_value=table).tce
    0.06824
    """
    made = [_carrier(one, first_day, last_day, unit_code, factors, equal_value) for one in series]
    carriers = tuple(one for one in made if one.days)
    counted = [one for one in carriers if one.counted]
    unknown = tuple(one.carrier for one in counted if one.tce is None and one.amount)
    unknown_equal = [one.carrier for one in counted if one.tce_equal is None and one.amount]
    known = sum(one.tce or 0.0 for one in counted)
    return UnitEnergy(
        carriers=carriers,
        tce=None if unknown or not carriers else known,
        tce_equal=None if unknown_equal or not carriers else sum(one.tce_equal or 0.0 for one in counted),
        tce_known=known,
        unknown=unknown,
        days=max((one.days for one in carriers), default=0),
    )


def _carrier(
    one: EnergyDays, first_day: int, last_day: int, unit_code: str, factors: FactorTable, equal_value: FactorTable
) -> CarrierEnergy:
    inside = (one.day >= first_day) & (one.day <= last_day)
    day, amount = one.day[inside], one.amount[inside]
    tce, text = _converted(one, day, amount, unit_code, factors)
    tce_equal, text_equal = _converted(one, day, amount, unit_code, equal_value)
    return CarrierEnergy(
        carrier=one.carrier,
        symbol=one.symbol,
        amount=float(amount.sum()),
        tce=tce,
        tce_equal=tce_equal,
        factor=text,
        factor_equal=text_equal,
        days=len(day),
        completeness=float(one.completeness[inside].sum()) / (last_day - first_day + 1),
    )


def _converted(
    one: EnergyDays, day: NDArray[np.int64], amount: NDArray[np.float64], unit_code: str, table: FactorTable
) -> tuple[float | None, str]:
    series = table.series(one.carrier, one.symbol, unit_code)
    piece = np.searchsorted(series.first_day, day, side="right") - 1
    tce = float((amount * series.tce_per_unit[piece]).sum()) if len(day) else np.nan
    texts = dict.fromkeys(series.text[i] for i in piece.tolist())
    return (None if np.isnan(tce) else tce), "; ".join(texts)


def key_unit(rules: Rules, year: UnitEnergy, *, named: bool | None) -> str:
    """Whether a unit is a key one by its year: ``over_10000``, ``over_5000`` (named or not), ``below``, ``unknown``.

    A part that is known can be over a limit; below it only a whole year that is known can be.

    Parameters
    ----------
    year : UnitEnergy
        Of 365 days.
    named : bool or None
        Whether an authority named it.
    """
    over, from_here = rules.key_unit_tce
    if year.tce_known >= over:
        return f"over_{over:.0f}"
    if year.tce_known >= from_here:
        return f"over_{from_here:.0f}" + ("_named" if named else "")
    return "below" if year.tce is not None and year.days >= _YEAR else "unknown"
