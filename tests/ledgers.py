"""Small ledgers for tests, typed as the rows that matter; everything else gets a plain value."""

from collections.abc import Mapping, Sequence

import numpy as np

from analytics.domain.ledger import COLUMNS, NO_DAY, NO_INSTANT, OPEN_END, Cells, Ledger, Storage, TextColumn

__all__ = ["ledger_of"]

_PLAIN: Mapping[str, object] = {
    "unit_code": "U",
    "unit_name": "Unit",
    "level": "unit",
    "carrier": "electricity",
    "direction": "in",
    "required": True,
    "unit": "kWh",
    "multiplier": 1.0,
    "installed_from": NO_INSTANT,
    "installed_to": OPEN_END,
}
_EMPTY = {Storage.TEXT: "", Storage.FLAG: False, Storage.NUMBER: np.nan, Storage.INSTANT: NO_INSTANT}
_TYPES = {Storage.FLAG: np.bool_, Storage.NUMBER: np.float64, Storage.INSTANT: np.int64, Storage.DAY: np.int32}


def ledger_of(*rows: Mapping[str, object]) -> Ledger:
    """Ledger of rows in any order; `point` must be given, a row without `meter_no` has no meter."""
    ordered = sorted(rows, key=lambda row: [_cell(row, name) for name in ("unit_code", "point", "installed_from")])
    return Ledger.from_columns({name: _column(ordered, name) for name in COLUMNS})


def _cell(row: Mapping[str, object], name: str) -> object:
    empty = NO_DAY if COLUMNS[name].storage is Storage.DAY else _EMPTY[COLUMNS[name].storage]
    return row.get(name, _PLAIN.get(name, empty))


def _column(rows: Sequence[Mapping[str, object]], name: str) -> Cells:
    cells = [_cell(row, name) for row in rows]
    if COLUMNS[name].storage is Storage.TEXT:
        return TextColumn.of([str(cell) for cell in cells])
    return np.array(cells, _TYPES[COLUMNS[name].storage])
