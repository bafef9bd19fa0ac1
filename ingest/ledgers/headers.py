"""Which ledger column a header means, in English or Chinese, as people write it."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analytics.domain.ledger import COLUMNS, LedgerFault

__all__ = ["HEADER_ROWS", "Header", "column_of", "find_header"]

HEADER_ROWS = 20
"""A header stands within these rows: a title above it is common."""

_BRACKETED = re.compile(r"\([^()]*\)$|\[[^\[\]]*\]$")


def _plain(text: str) -> str:
    return re.sub(r"[\s_*-]+", "", unicodedata.normalize("NFKC", text)).casefold()


_NAMES: Mapping[str, str] = {
    _plain(spelling): spec.name for spec in COLUMNS.values() for spelling in (spec.name, spec.chinese)
}


def column_of(cell: object) -> str | None:
    """English name of the column that a header cell means, None where it is not of the ledger.

    Examples
    --------
    >>> column_of("用能单位代码"), column_of("Unit Code*"), column_of("额定功率(kW)"), column_of("notes")
    ('unit_code', 'unit_code', 'rated_power_kw', None)
    """
    if not isinstance(cell, str):
        return None
    plain = _plain(cell)
    return _NAMES.get(plain) or _NAMES.get(_BRACKETED.sub("", plain))


@dataclass(frozen=True, slots=True)
class Header:
    """Header row of a file.

    Attributes
    ----------
    row : int
        Its row number.
    names : tuple of str or None
        English name of each cell's column, None where it is to be passed over.
    titles : mapping of str to str
        What the file calls each column, by English name.
    unknown : tuple of str
        Headers that are no column of the ledger.
    faults : tuple of LedgerFault
        Columns that stand twice.
    """

    row: int
    names: tuple[str | None, ...]
    titles: Mapping[str, str]
    unknown: tuple[str, ...]
    faults: tuple[LedgerFault, ...]

    @classmethod
    def of(cls, row: int, cells: Sequence[object]) -> "Header":
        """Header of a row's cells."""
        names: list[str | None] = []
        titles: dict[str, str] = {}
        unknown: list[str] = []
        faults: list[LedgerFault] = []
        for cell in cells:
            name = column_of(cell)
            title = "" if cell is None else " ".join(str(cell).split())
            if name is None and title:
                unknown.append(title[:60])
            if name is not None and name in titles:
                faults.append(LedgerFault(row, name, "one column of this name", f"{titles[name]} and {title}"))
                name = None
            elif name is not None:
                titles[name] = title
            names.append(name)
        return cls(row, tuple(names), titles, tuple(unknown), tuple(faults))


def find_header(rows: Sequence[Sequence[object]]) -> Header | None:
    """Header among the first rows of a file: the one with most of the ledger's columns, None where none has any.

    Parameters
    ----------
    rows : sequence of rows
        From row 1 on; at most `HEADER_ROWS` are looked at.
    """
    best: Header | None = None
    for number, cells in enumerate(rows[:HEADER_ROWS], start=1):
        header = Header.of(number, cells)
        if header.titles and (best is None or len(header.titles) > len(best.titles)):
            best = header
    return best
