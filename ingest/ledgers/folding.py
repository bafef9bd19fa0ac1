"""Faults of a ledger as a person reads them: one line for each kind, rows as ranges, in Chinese or English."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from analytics.domain.ledger import COLUMNS, LedgerFault
from ingest.files.ranges import row_ranges
from ingest.ledgers.wording import in_chinese

__all__ = ["FoldedFaults", "folded", "without_consequences"]

_PARTICULAR = re.compile(r"'[^']*'|\d+(?:[-:.]\d+)*")
_EXAMPLES = 3
_FOLLOWS_FROM: Mapping[str, tuple[str, ...]] = {
    "carrier": ("a parent of the same carrier", "a unit of ", "a unit that converts"),
    "unit": ("an instrument that shows", "a unit that converts"),
    "point": ("a point of the same unit", "one row per point"),
    "unit_code": ("a point of the same unit",),
    "level": ("nothing where level is", "a name where level is"),
    "multiplier": (),
}
"""Faults of a row that follow from a fault in one of its cells, and are not listed."""


@dataclass(slots=True)
class FoldedFaults:
    """Faults of one kind.

    Attributes
    ----------
    column : str
        English name of the column, empty for the whole row.
    title : str
        What the file calls it.
    required : str
        What should stand there, as the first of them says it.
    rows : list of int
    got : list of str
        What stands there: the first few.
    count : int
    """

    column: str
    title: str
    required: str
    rows: list[int] = field(default_factory=list)
    got: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, fault: LedgerFault) -> None:
        """Count one more."""
        self.count += 1
        self.rows.append(fault.row)
        if fault.got not in self.got and len(self.got) < _EXAMPLES:
            self.got.append(fault.got)

    def line(self, language: str) -> str:
        """One line for a person."""
        rows = row_ranges([row for row in self.rows if row])
        if language == "zh":
            where = f"第 {rows} 行" if rows != "–" else "全表"
            got = "、".join(in_chinese(got) for got in self.got)
            times = f"（{self.count} 处）" if self.count > 1 else ""
            return f"{where}{times} {self._name(language)}：要求{in_chinese(self.required)}；实际为 {got}"
        where = f"row {rows}" if self.count == 1 else f"rows {rows}"
        where = where if rows != "–" else "whole file"
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{where}{times}: {self._name(language)}: must be {self.required} (got {', '.join(self.got)})"

    def _name(self, language: str) -> str:
        own = COLUMNS[self.column].chinese if self.column in COLUMNS and language == "zh" else self.column
        if not self.column:
            return "整行" if language == "zh" else "row"
        return self.title if self.title in {own, ""} and self.title else f"{self.title} ({own})" if self.title else own


def without_consequences(faults: Iterable[LedgerFault], titles: Mapping[str, str]) -> list[LedgerFault]:
    """Faults that are not the mere consequence of another one in their row or of a column that is missing."""
    listed = list(faults)
    bad: dict[int, set[str]] = {}
    for fault in listed:
        bad.setdefault(fault.row, set()).add(fault.column)
    kept = []
    for fault in listed:
        roots = bad[fault.row] - {fault.column}
        follows = any(fault.required.startswith(words) for root in roots for words in _FOLLOWS_FROM.get(root, ()))
        absent = fault.row > 1 and titles and fault.column not in titles and fault.column in bad.get(1, set())
        if not follows and not absent:
            kept.append(fault)
    return kept


def folded(faults: Iterable[LedgerFault], titles: Mapping[str, str]) -> list[FoldedFaults]:
    """Faults by kind, in the order in which each kind comes first.

    Parameters
    ----------
    titles : mapping of str to str
        What the file calls each column.
    """
    kinds: dict[tuple[str, str], FoldedFaults] = {}
    for fault in without_consequences(faults, titles):
        key = fault.column, _PARTICULAR.sub("…", fault.required)
        if key not in kinds:
            kinds[key] = FoldedFaults(fault.column, titles.get(fault.column, ""), fault.required)
        kinds[key].add(fault)
    return list(kinds.values())


def lines_of(faults: Sequence[LedgerFault], titles: Mapping[str, str], language: str) -> list[str]:
    """A line for each kind of fault."""
    return [kind.line(language) for kind in folded(faults, titles)]
