"""Ledgers from files that people keep: CSV or Excel, understood by what the file holds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from pathlib import Path

import numpy as np

from analytics.domain.ledger import DEFAULT_ZONE, Inferred, Ledger, LedgerFault, RawColumn, built
from analytics.domain.ledger.faults import in_order
from ingest.files.ranges import row_name
from ingest.ledgers.csv import csv_table
from ingest.ledgers.inference import LedgerQuestion, prepared
from ingest.ledgers.options import LedgerOptions
from ingest.ledgers.table import LedgerTable, unreadable
from ingest.ledgers.xlsx import xlsx_table

__all__ = ["LedgerOptions", "LedgerQuestion", "LedgerReport", "ledger_table", "read_ledger"]

_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_NOTHING: Mapping[str, str] = {}
_PLAIN = LedgerOptions()
_FIRST_ROWS = 3_000
_MOST_FAULTS = 5
"""Faults a row at which a long file is given up."""
_ROW = re.compile(r"\brow (\d{8,})")


@dataclass(frozen=True, slots=True, eq=False)
class LedgerReport:
    """Result of reading a ledger file: the ledger, or all its faults.

    Attributes
    ----------
    ledger : Ledger
        Complete; empty where there are faults.
    faults : list of LedgerFault
        By row and column.
    ignored : tuple of str
        Headers that are no column of the ledger.
    titles : mapping of str to str
        What the file calls each column, by English name.
    rows : int
        Rows read, without header and empty ones.
    understood : mapping of str to str
        Headers of the file's own that were taken, with the column that they mean.
    proposed : mapping of str to str
        Headers that may mean a column; taken when a person agrees.
    inferred : list of Inferred
        Cells whose value does not stand in them.
    questions : list of LedgerQuestion
        Questions that the file leaves open.
    passed_over : int
        Rows of totals and remarks.
    sheet : str
        Sheet of a workbook that was taken.
    table : LedgerTable
        Cells of the file.
    columns : mapping of str to RawColumn
        The same with what was inferred.
    """

    ledger: Ledger
    faults: list[LedgerFault]
    ignored: tuple[str, ...]
    titles: Mapping[str, str]
    rows: int
    understood: Mapping[str, str] = field(default_factory=dict)
    proposed: Mapping[str, str] = field(default_factory=dict)
    inferred: list[Inferred] = field(default_factory=list)
    questions: list[LedgerQuestion] = field(default_factory=list)
    passed_over: int = 0
    sheet: str = ""
    table: LedgerTable = field(default_factory=lambda: LedgerTable({}, np.empty(0, np.int64)))
    columns: Mapping[str, RawColumn] = field(default_factory=dict)


def ledger_table(source: Path | bytes, options: LedgerOptions = _PLAIN, *, most: int | None = None) -> LedgerTable:
    """Raw columns of a ledger file; what kind of file it is, its first bytes say.

    Parameters
    ----------
    most : int, optional
        Rows to read; all of them without it.
    """
    if isinstance(source, bytes):
        mark = source[:4]
    else:
        with source.open("rb") as file:
            mark = file.read(4)
    if mark == _ZIP:
        data = source if isinstance(source, bytes) else source.read_bytes()
        return xlsx_table(data, sheet=options.sheet, said=options.columns, most=most)
    if mark == _OLD_EXCEL:
        return unreadable("an .xlsx or .csv file (save the workbook as .xlsx)", "an old .xls workbook")
    return csv_table(source, options.columns, most=most)


def _first_rows(source: Path | bytes, options: LedgerOptions, zone: tzinfo) -> LedgerTable:
    """The first rows of a file, which are mostly all.

    A long file in which nearly nothing is right is given up at them, with a fault that says so: millions of faults
    would help nobody, and take minutes and gigabytes.
    """
    table = ledger_table(source, options, most=_FIRST_ROWS)
    if not table.has_more:
        return table
    ready = prepared(table, options, zone)
    found = len(built(ready.columns, zone=zone, row_numbers=table.row_numbers).faults)
    if found < _MOST_FAULTS * _FIRST_ROWS:
        return replace(table, faults=())
    required = f"at most {_MOST_FAULTS} faults a row in the first {_FIRST_ROWS} rows (those behind were not looked at)"
    return replace(table, faults=(*table.faults, LedgerFault(0, "", required, f"{found} faults")))


def read_ledger(source: Path | bytes, *, zone: tzinfo = DEFAULT_ZONE, options: LedgerOptions = _PLAIN) -> LedgerReport:
    """Ledger of a CSV or Excel file, with all its faults at once.

    Any bytes give a ledger or faults; only a file that cannot be opened raises (`OSError`).

    Parameters
    ----------
    source : Path or bytes
        The file, or what it holds.
    zone : tzinfo
        Zone of dates and times that say none.
    options : LedgerOptions
        What a person settled about it.
    """
    table = _first_rows(source, options, zone)
    if table.has_more and not table.faults:
        table = ledger_table(source, options)
    if table.header is None:
        return LedgerReport(Ledger.empty(), list(table.faults), (), {}, 0, sheet=table.sheet, table=table)
    ready = prepared(table, options, zone)
    made = built(ready.columns, zone=zone, row_numbers=table.row_numbers)
    known = {(fault.row, fault.column) for fault in table.faults}
    faults = [fault for fault in made.faults if (fault.row, fault.column) not in known]
    all_faults = in_order([*table.faults, *ready.faults, *faults])
    if table.parts:
        all_faults = [replace(one, required=_ROW.sub(_row_of_sheet, one.required)) for one in all_faults]
    header = table.header
    return LedgerReport(
        Ledger.empty() if all_faults else made.ledger,
        all_faults,
        header.unknown,
        header.titles,
        len(table.row_numbers),
        understood=header.understood,
        proposed=header.proposed,
        inferred=[*ready.inferred, *made.inferred],
        questions=ready.questions,
        passed_over=table.passed_over,
        sheet=_sheets(table),
        table=table,
        columns=ready.columns,
    )


def _row_of_sheet(found: re.Match[str]) -> str:
    return f"row {row_name(int(found[1]))}"


def _sheets(table: LedgerTable) -> str:
    """Note on which sheets were taken; none where the workbook has only one."""
    if table.parts:
        return ", ".join(f"{number} {name}" for number, (name, _) in enumerate(table.parts, 1))
    return table.sheet if table.other_sheets else ""
