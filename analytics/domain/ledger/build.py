"""From a file's columns to a ledger, or to everything that is wrong with it at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.domain.ledger.agreement import contradictions, filled
from analytics.domain.ledger.checks import row_faults
from analytics.domain.ledger.draft import Draft, Inferred, understood
from analytics.domain.ledger.faults import LedgerFault, in_order
from analytics.domain.ledger.model import Ledger
from analytics.domain.ledger.network import network_faults
from analytics.domain.ledger.occupancy import occupancy_faults
from analytics.domain.ledger.raw import RawColumn
from analytics.domain.ledger.schema import COLUMNS
from analytics.domain.ledger.vocabulary import parsers

__all__ = ["DEFAULT_ZONE", "Built", "build_ledger", "built"]

DEFAULT_ZONE: Final = ZoneInfo("Asia/Shanghai")
"""Zone of dates and times that say none."""

_NEEDED = ("unit_code", "level", "point", "carrier")
_KEYS = ("unit_code", "point")

RawCells = Sequence[object] | NDArray[np.generic] | RawColumn


def _encoded(columns: Mapping[str, RawCells]) -> tuple[dict[str, RawColumn], int]:
    """Ledger columns, encoded, those that the file lacks empty; and their length."""
    encoded = {
        name: cells if isinstance(cells, RawColumn) else RawColumn.of(cells)
        for name, cells in columns.items()
        if name in COLUMNS
    }
    lengths = {len(column) for column in encoded.values()}
    if len(lengths) > 1:
        raise ValueError(f"ledger columns must be equally long (got {sorted(lengths)} rows)")
    rows = lengths.pop() if lengths else 0
    nothing = RawColumn(np.zeros(rows, np.int32), (None,))
    return {name: encoded.get(name, nothing) for name in COLUMNS}, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """Result of building a ledger: the ledger, or all its faults.

    Attributes
    ----------
    ledger : Ledger
        Empty where there are faults.
    faults : list of LedgerFault
        By row and column.
    inferred : list of Inferred
        Cells whose value was taken from something that is not the value itself.
    """

    ledger: Ledger
    faults: list[LedgerFault]
    inferred: list[Inferred]


def build_ledger(
    columns: Mapping[str, RawCells],
    *,
    zone: tzinfo = DEFAULT_ZONE,
    row_numbers: Sequence[int] | NDArray[np.integer] | None = None,
) -> tuple[Ledger, list[LedgerFault]]:
    """Ledger of a file's columns, and all that keeps it from being one.

    With faults the ledger is empty: nothing is half-loaded.

    Parameters
    ----------
    columns : mapping of str to n cells
        Columns of `COLUMNS` by English name, in any order; others are ignored. Cells are str, int, float, bool, date,
        datetime or None, as files give them.
    zone : tzinfo
        Zone of local dates and times; a date without a time is its midnight there.
    row_numbers : n ints, optional
        What to call the rows in faults; 2, 3, … where not given, since row 1 is the header.

    Returns
    -------
    Ledger
        Complete, or empty where there are faults.
    list of LedgerFault
        By row and column; empty for a sound ledger.

    Raises
    ------
    ValueError
        If the columns are not equally long.

    Examples
    --------
    >>> ledger, faults = build_ledger({
    ...     "unit_code": ["U1"], "level": ["unit"], "point": ["P1"], "carrier": ["电力"], "meter_no": ["M1"],
    ...     "instrument": ["电能表"], "unit": ["kWh"], "multiplier": ["1,200"], "installed_from": ["2026年1月5日"],
    ... })
    >>> faults, ledger.point_carrier, ledger.installations.factor.tolist()
    ([], ('electricity',), [1200.0])
    >>> _, faults = build_ledger({"unit_code": ["U1"], "level": ["unit"], "point": ["P1"], "carrier": ["tea"]})
    >>> print(faults[0].row, faults[0].column, faults[0].got)
    2 carrier 'tea'
    """
    made = built(columns, zone=zone, row_numbers=row_numbers)
    return made.ledger, made.faults


def built(
    columns: Mapping[str, RawCells],
    *,
    zone: tzinfo = DEFAULT_ZONE,
    row_numbers: Sequence[int] | NDArray[np.integer] | None = None,
) -> Built:
    """As `build_ledger`, with the inferred cells too."""
    raw, rows = _encoded(columns)
    line = np.arange(2, rows + 2) if row_numbers is None else np.asarray(row_numbers, np.int64)
    faults = [
        LedgerFault(1, name, f"a column {name} ({COLUMNS[name].chinese})", "no such column")
        for name in _NEEDED
        if name not in columns
    ]
    if not faults and rows == 0:
        faults.append(LedgerFault(1, "unit_code", "at least one row below the header", "nothing"))
    parse = parsers(zone)
    columns_read = {name: understood(spec, raw[name], parse[name], line) for name, spec in COLUMNS.items()}
    for name, column in columns_read.items():
        faults += column.faults
        if name in _KEYS and name in columns:
            absent = np.flatnonzero(~column.given & ~column.bad)
            faults += [LedgerFault(int(line[row]), name, "a value in every row", "nothing") for row in absent.tolist()]
    draft = Draft.of(columns_read, raw, line)
    faults += contradictions(draft)
    draft = replace(draft, rows=filled(draft))
    faults += row_faults(draft)
    faults += (fault for fault in network_faults(draft) if fault.column in columns or fault.column not in _NEEDED)
    faults += occupancy_faults(draft)
    inferred = [one for column in columns_read.values() for one in column.inferred]
    return Built(
        ledger=Ledger.empty() if faults else Ledger.from_rows(draft.rows), faults=in_order(faults), inferred=inferred
    )
