"""The dated ledger of energy meters: columns in, checked immutable arrays out."""

from analytics.domain.ledger.model import Installations, Ledger
from analytics.domain.ledger.rows import Cells, LedgerRows, TextColumn
from analytics.domain.ledger.schema import (
    COLUMNS,
    NO_DAY,
    NO_INSTANT,
    OPEN_END,
    Belongs,
    ColumnSpec,
    Direction,
    Level,
    MeterStatus,
    Storage,
)

__all__ = [
    "COLUMNS",
    "NO_DAY",
    "NO_INSTANT",
    "OPEN_END",
    "Belongs",
    "Cells",
    "ColumnSpec",
    "Direction",
    "Installations",
    "Ledger",
    "LedgerRows",
    "Level",
    "MeterStatus",
    "Storage",
    "TextColumn",
]
