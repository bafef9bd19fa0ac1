"""Large amounts in Chinese, as people write them: 1,172.3 万 kWh and not 11,722,533.4 kWh.

A row's amounts that share a unit share the multiple, so that they can be compared; the multiple goes before the unit.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["UNIT_OF", "scaled", "scaled_row", "scaled_sql"]

UNIT_OF: Final[Mapping[str, str]] = {
    "amount": "unit",
    "last_year": "unit",
    "unexplained": "unit",
    "cost": "currency",
    "energy_affected": "energy_unit",
    "energy_affected_low": "energy_unit",
    "energy_affected_high": "energy_unit",
}
"""The column that has an amount's unit, by the amount's own."""
_MULTIPLES: Final = ((1e8, 1e8, "亿"), (1e5, 1e4, "万"))
"""From which size on, by what, and its name: below 10 万 a number is read as it is."""


def scaled(value: float) -> tuple[float, str]:
    """A number as a multiple, with the multiple's name; as it is where it is small.

    Examples
    --------
    >>> scaled(11_722_533.4), scaled(-3.2e9), scaled(52_300.5)
    ((1172.25334, '万'), (-32.0, '亿'), (52300.5, ''))
    """
    return next(((value / by, name) for least, by, name in _MULTIPLES if abs(value) >= least), (value, ""))


def scaled_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose amounts are multiples, where they are large and say their unit.

    Examples
    --------
    >>> scaled_row({"carrier": "coal", "amount": 2.5e6, "last_year": 9e4, "unit": "t"})
    {'carrier': 'coal', 'amount': 250.0, 'last_year': 9.0, 'unit': '万 t'}
    """
    found = dict(row)
    for unit in sorted({UNIT_OF[name] for name in row if name in UNIT_OF} & row.keys()):
        names = [name for name in row if UNIT_OF.get(name) == unit and row[name] is not None]
        largest = max((abs(float(row[name])) for name in names), default=0.0)
        for _, by, word in (one for one in _MULTIPLES if row[unit] and largest >= one[0]):
            found |= {name: float(row[name]) / by for name in names}
            found[unit] = f"{word} {row[unit]}"
            break
    return found


def scaled_sql(text: str, names: Sequence[str]) -> str:
    """A question whose rows are as `scaled_row` makes them.

    Parameters
    ----------
    text : str
        Of the question; its order stays.
    names : sequence of str
        Its columns.
    """
    units = [name for name in names if name in UNIT_OF.values()]
    largest = {unit: [name for name in names if UNIT_OF.get(name) == unit] for unit in units}
    columns = ", ".join(_column(name, largest) for name in names)
    return f"select {columns}\nfrom (\n{text}\n) t"


def _column(name: str, largest: Mapping[str, Sequence[str]]) -> str:
    unit = name if name in largest else UNIT_OF.get(name, "")
    if not largest.get(unit):
        return f"t.{name}"
    size = f"greatest({', '.join(f'abs(t.{one})' for one in largest[unit])})"
    said = f"t.{unit} <> '' and {size} >="
    if name == unit:
        cases = " ".join(f"when {said} {least:.0f} then '{word} ' || t.{name}" for least, _, word in _MULTIPLES)
    else:
        cases = " ".join(f"when {said} {least:.0f} then t.{name} / {by:.0f}" for least, by, _ in _MULTIPLES)
    return f"case {cases} else t.{name} end as {name}"
