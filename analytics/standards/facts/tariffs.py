"""Entered prices of energy by hours of the local day: what is paid for each unit of it, fixed charges left out."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from analytics.domain.units import CARRIERS
from analytics.standards.tables import TableRow

__all__ = ["Tariff", "TariffKey", "tariff_faults", "tariff_of", "whole_sets"]

ALL_DAY: Final = (1 << 24) - 1
_SPAN: Final = re.compile(r"([01]\d|2[0-3]):00-([01]\d|2[0-4]):00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """The price in one period of the day.

    Attributes
    ----------
    hours : int
        Bit n is set where the local hour from n to n + 1 belongs to it; 0 for those that no other period has.
    price : float
        Of one `unit`. [currency]
    unit : str
        Symbol, one in which the carrier is totalled.
    """

    hours: int
    price: float
    unit: str
    currency: str
    source: str


TariffKey = tuple[str, str, str, str]
"""Unit code, carrier, first month, name of the period. What begins later replaces the whole set before it."""


def tariff_of(row: TableRow) -> tuple[TariffKey, Tariff]:
    """A row of the table ``tariff``; its faults go to the row."""
    row.only("unit_code", "carrier", "from", "period", "hours", "price", "unit", "currency", "source")
    carrier = row.choice("carrier", tuple(CARRIERS))
    unit, symbols = row.name("unit"), [one.symbol for one in CARRIERS[carrier]]
    if unit and row.values.get("carrier") == carrier and unit not in symbols:
        row.fault(f"unit of {carrier} must be one of {', '.join(symbols)} (got {unit!r})")
    hours = 0
    for text in row.texts("hours"):
        hours |= _span(row, text)
    made = Tariff(
        hours=hours,
        price=row.number("price"),
        unit=unit,
        currency=row.name("currency"),
        source=row.name("source"),
    )
    return (row.name("unit_code"), carrier, row.month("from"), row.name("period")), made


def _span(row: TableRow, text: str) -> int:
    found = _SPAN.fullmatch(text)
    if found is None or found[1] == found[2]:
        row.fault(f'hours must be of full hours such as "08:00-11:00" or "22:00-06:00" (got {text!r})')
        return 0
    first, last = int(found[1]), int(found[2])
    named = range(first, last) if first < last else (*range(first, 24), *range(last))
    return sum(1 << hour for hour in named)


def tariff_faults(tariffs: Mapping[TariffKey, Tariff]) -> Iterator[str]:
    """Hours that belong to two periods of a set, and two periods for the rest."""
    for (code, carrier, since), held in _sets(tariffs).items():
        where = f"[[tariff]] of {code}, {carrier}, from {since}"
        taken = 0
        for period, one in held.items():
            if taken & one.hours:
                yield f"{where}: an hour must belong to one period ({period} has one of another)"
            taken |= one.hours
        if sum(not one.hours for one in held.values()) > 1:
            yield f"{where}: one period alone may be without hours, and has those that are left"
        if len({(one.unit, one.currency) for one in held.values()}) > 1:
            yield f"{where}: all periods must have one unit and one currency"


def whole_sets(tariffs: Mapping[TariffKey, Tariff]) -> Iterator[tuple[TariffKey, Tariff, int]]:
    """Each period with the hours that it has in its set, the rest included.

    Examples
    --------
    >>> plain = {"unit": "kWh", "currency": "元", "source": "s"}
    >>> peak, flat = Tariff(hours=0b11, price=1.2, **plain), Tariff(hours=0, price=0.6, **plain)
    >>> made = {("U", "electricity", "2026-01", "峰"): peak, ("U", "electricity", "2026-01", "平"): flat}
    >>> [bin(hours) for _, _, hours in whole_sets(made)]
    ['0b11', '0b111111111111111111111100']
    """
    for (code, carrier, since), held in _sets(tariffs).items():
        taken = 0
        for one in held.values():
            taken |= one.hours
        for period, one in held.items():
            yield (code, carrier, since, period), one, one.hours or ALL_DAY & ~taken


def _sets(tariffs: Mapping[TariffKey, Tariff]) -> dict[tuple[str, str, str], dict[str, Tariff]]:
    found: dict[tuple[str, str, str], dict[str, Tariff]] = {}
    for (code, carrier, since, period), one in tariffs.items():
        found.setdefault((code, carrier, since), {})[period] = one
    return found
