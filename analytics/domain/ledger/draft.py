"""A ledger being validated: cells parsed, rows sorted and grouped by unit and point."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.domain.ledger.cells import CellError, Parser, Taken, all_plain, code, is_empty, text
from analytics.domain.ledger.derive import Grouping, Meters, UnitMatrix, group, meters
from analytics.domain.ledger.faults import LedgerFault, shown
from analytics.domain.ledger.raw import RawColumn
from analytics.domain.ledger.rows import Cells, LedgerRows, TextColumn
from analytics.domain.ledger.schema import COLUMNS, NO_DAY, NO_INSTANT, OPEN_END, ColumnSpec, Storage
from analytics.domain.words import Phrase

__all__ = ["Draft", "Inferred", "understood"]

Mask = NDArray[np.bool_]
Index = NDArray[np.int64]

_EMPTY_CELL: Mapping[str, object] = {"parent_complete": False, "required": True, "installed_to": OPEN_END}
_EMPTY: Mapping[Storage, object] = {
    Storage.TEXT: "",
    Storage.FLAG: False,
    Storage.NUMBER: np.nan,
    Storage.INSTANT: NO_INSTANT,
    Storage.DAY: NO_DAY,
}
_DTYPES: Mapping[Storage, type[np.generic]] = {
    Storage.FLAG: np.bool_,
    Storage.NUMBER: np.float64,
    Storage.INSTANT: np.int64,
    Storage.DAY: np.int32,
}


@dataclass(frozen=True, slots=True)
class Inferred:
    """A cell whose value was inferred rather than stated.

    Attributes
    ----------
    row : int
        Row of the file as a person counts it.
    column : str
        English name of the column.
    got : str
        Text of the cell.
    why : Phrase
        How it was interpreted.
    """

    row: int
    column: str
    got: str
    why: Phrase


def _is_a_word(cell: object) -> bool:
    return isinstance(cell, str) and cell.strip() in {"无", "×", "x", "√"}


@dataclass(frozen=True, slots=True, eq=False)
class Understood:
    """A parsed column: values, which cells gave one, and which could not be parsed."""

    cells: Cells
    given: Mask
    bad: Mask
    faults: list[LedgerFault]
    inferred: list[Inferred]


def understood(spec: ColumnSpec, raw: RawColumn, parse: Parser, line: Index) -> Understood:
    """Column of parsed cells; each distinct cell is parsed once.

    Parameters
    ----------
    spec : ColumnSpec
        Which column it is.
    raw : RawColumn
        n cells of the file.
    parse : Parser
        Reads a cell that is not empty.
    line : (n,) int64
        Row numbers that faults name.
    """
    empty = _EMPTY_CELL.get(spec.name, _EMPTY[spec.storage])
    values: list[object] = [empty] * len(raw.values)
    given = np.zeros(len(raw.values), np.bool_)
    required: dict[int, str] = {}
    taken: dict[int, Taken] = {}
    if parse in {text, code} and all_plain(raw.values):
        values = [cell or empty for cell in raw.values]
        given[:] = list(map(bool, values))
    else:
        for place, cell in enumerate(raw.values):
            if is_empty(cell) and not (spec.storage is Storage.FLAG and _is_a_word(cell)):
                continue
            try:
                value = parse(cell)
                if isinstance(value, Taken):
                    taken[place], value = value, value.value
                if value is not None:
                    values[place] = value
                    given[place] = True
            except CellError as error:
                required[place] = str(error)
    bad = np.zeros(len(raw.values), np.bool_)
    bad[list(required)] = True
    bad_rows = bad[raw.codes] if required else np.zeros(len(raw), np.bool_)
    faults = [
        LedgerFault(int(line[row]), spec.name, required[raw.codes[row]], shown(raw.cell(row)))
        for row in np.flatnonzero(bad_rows).tolist()
    ]
    inferred = [
        Inferred(int(line[row]), spec.name, shown(raw.cell(row)), taken[raw.codes[row]].why)
        for row in (np.flatnonzero(np.isin(raw.codes, list(taken))).tolist() if taken else ())
    ]
    cells: Cells
    if spec.storage is Storage.TEXT:
        cells = TextColumn.normalised(raw.codes, [str(value) for value in values])
    else:
        cells = np.array(values, _DTYPES[spec.storage])[raw.codes]
    return Understood(cells, given[raw.codes], bad_rows, faults, inferred)


def _alone(cells: Cells, given: Mask) -> Cells:
    """Names of their own, which no cell can have, for rows that give none."""
    nameless = np.flatnonzero(~given)
    if not isinstance(cells, TextColumn) or len(nameless) == 0:
        return cells
    codes = cells.codes.copy()
    codes[nameless] = np.arange(len(nameless)) + len(cells.values)
    return TextColumn.normalised(codes, (*cells.values, *(f"\0{row:012d}" for row in range(len(nameless)))))


def one_spelling(cells: dict[str, Cells], line: Index) -> dict[str, Cells]:
    """Codes that differ in case only, spelled as the file does first: they are one code.

    Unit codes in the whole file; points and meters inside their unit.
    """
    made = dict(cells)
    made["unit_code"] = unit = _folded(cells["unit_code"], None, line)
    for name in ("point", "meter_no"):
        made[name] = _folded(cells[name], unit, line)
    made["parent_point"] = _like(made["parent_point"], made["point"])
    return made


def _folded(cells: Cells, unit: Cells | None, line: Index) -> Cells:
    if not isinstance(cells, TextColumn):
        return cells
    folded: dict[str, list[int]] = {}
    for place, value in enumerate(cells.values):
        folded.setdefault(value.casefold(), []).append(place)
    twice = [place for places in folded.values() if len(places) > 1 for place in places]
    if not twice:
        return cells
    first: dict[tuple[int, str], int] = {}
    codes = cells.codes.copy()
    rows = np.flatnonzero(np.isin(codes, twice))
    for row in rows[np.argsort(line[rows], kind="stable")].tolist():
        owner = int(unit.codes[row]) if isinstance(unit, TextColumn) else 0
        key = owner, cells.values[codes[row]].casefold()
        codes[row] = first.setdefault(key, int(codes[row]))
    return TextColumn.normalised(codes, cells.values)


def _like(parents: Cells, points: Cells) -> Cells:
    """Parents spelled as their points are, where only case tells them apart."""
    if not isinstance(parents, TextColumn) or not isinstance(points, TextColumn):
        return parents
    known = set(points.values)
    strange = [value for value in parents.values if value not in known]
    spelled = {value.casefold(): value for value in points.values} if strange else {}
    values = [value if value in known else spelled.get(value.casefold(), value) for value in parents.values]
    return TextColumn.normalised(parents.codes, values)


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """n rows in the order of a ledger; a row without unit or point forms one of its own.

    Attributes
    ----------
    rows : LedgerRows
        Values, neutral where a cell is empty or could not be read.
    given, bad : mapping of str to (n,) bool
        Cells that are not empty, and cells that could not be parsed.
    line : (n,) int64
        Row numbers in the file.
    origin : (n,) int64
        Place of each row in the raw columns.
    raw : mapping of str to RawColumn
        Cells as the file has them.
    grouping : Grouping
        Units and points of the rows.
    meters : Meters
        Meters of the rows.
    has_meter : (n,) bool
        Rows that name a meter.
    """

    rows: LedgerRows
    given: Mapping[str, Mask]
    bad: Mapping[str, Mask]
    line: Index
    origin: Index
    raw: Mapping[str, RawColumn]
    grouping: Grouping
    meters: Meters
    has_meter: Mask

    @classmethod
    def of(cls, columns: Mapping[str, Understood], raw: Mapping[str, RawColumn], line: Index) -> "Draft":
        """Draft of the columns."""
        cells = {name: columns[name].cells for name in COLUMNS}
        for name in ("unit_code", "point"):
            cells[name] = _alone(cells[name], columns[name].given)
        cells = one_spelling(cells, line)
        rows = LedgerRows.of(cells)
        keys = (
            line,
            rows.text("meter_no").codes,
            rows.instant("installed_from"),
            rows.text("point").codes,
            rows.text("unit_code").codes,
        )
        origin = np.lexsort(keys)
        rows = rows.take(origin)
        grouping = group(rows)
        given = {name: column.given[origin] for name, column in columns.items()}
        return cls(
            rows=rows,
            given=given,
            bad={name: column.bad[origin] for name, column in columns.items()},
            line=line[origin],
            origin=origin,
            raw=raw,
            grouping=grouping,
            meters=meters(rows, grouping.row_unit),
            has_meter=given["meter_no"],
        )

    def matrix(self) -> UnitMatrix:
        """What each register unit is to each carrier."""
        return UnitMatrix.of(self.rows.text("carrier").values, self.rows.text("unit").values)

    def cell(self, name: str, row: int) -> str:
        """Text of a cell for a fault message."""
        return shown(self.raw[name].cell(int(self.origin[row])))

    def faults(
        self,
        name: str,
        rows: Mask | Index,
        required: str | Callable[[int], str],
        got: Callable[[int], str] | None = None,
    ) -> Iterator[LedgerFault]:
        """Fault of each of the rows in a column; what was required and got may depend on the row."""
        index: Sequence[int] = (np.flatnonzero(rows) if rows.dtype == np.bool_ else rows).tolist()
        for row in index:
            yield LedgerFault(
                int(self.line[row]),
                name,
                required if isinstance(required, str) else required(row),
                self.cell(name, row) if got is None else got(row),
            )
