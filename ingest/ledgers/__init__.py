"""Ledgers from files that people keep: CSV or Excel, found out by what the file holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from analytics.domain.ledger import DEFAULT_ZONE, Ledger, LedgerFault, build_ledger
from analytics.domain.ledger.faults import in_order
from ingest.ledgers.csv import csv_table
from ingest.ledgers.table import LedgerTable, unreadable
from ingest.ledgers.xlsx import xlsx_table

__all__ = ["LedgerReport", "ledger_table", "read_ledger"]

_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True, eq=False)
class LedgerReport:
    """What a ledger file holds, or everything that is wrong with it.

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
    """

    ledger: Ledger
    faults: list[LedgerFault]
    ignored: tuple[str, ...]
    titles: Mapping[str, str]
    rows: int


def ledger_table(source: Path | bytes) -> LedgerTable:
    """Raw columns of a ledger file; what kind of file it is, its first bytes say."""
    if isinstance(source, bytes):
        mark = source[:4]
    else:
        with source.open("rb") as file:
            mark = file.read(4)
    if mark == _ZIP:
        return xlsx_table(source if isinstance(source, bytes) else source.read_bytes())
    if mark == _OLD_EXCEL:
        return unreadable("an .xlsx or .csv file (save the workbook as .xlsx)", "an old .xls workbook")
    return csv_table(source)


def read_ledger(source: Path | bytes, *, zone: tzinfo = DEFAULT_ZONE) -> LedgerReport:
    """Ledger of a CSV or Excel file, with all its faults at once.

    Any bytes give a ledger or faults; only a file that cannot be opened raises (`OSError`).

    Parameters
    ----------
    source : Path or bytes
        The file, or what it holds.
    zone : tzinfo
        Zone of dates and times that say none.
    """
    table = ledger_table(source)
    if table.header is None:
        return LedgerReport(Ledger.empty(), list(table.faults), (), {}, 0)
    ledger, faults = build_ledger(table.columns, zone=zone, row_numbers=table.row_numbers)
    said = {(fault.row, fault.column) for fault in table.faults}
    faults = [fault for fault in faults if (fault.row, fault.column) not in said]
    all_faults = in_order([*table.faults, *faults])
    return LedgerReport(
        Ledger.empty() if all_faults else ledger,
        all_faults,
        table.header.unknown,
        table.header.titles,
        len(table.row_numbers),
    )
