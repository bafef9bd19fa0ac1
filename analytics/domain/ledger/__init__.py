"""The dated ledger of energy meters: columns in, checked immutable arrays out."""

from analytics.domain.ledger.build import DEFAULT_ZONE, Built, build_ledger, built
from analytics.domain.ledger.derive import Installations
from analytics.domain.ledger.difference import Change, Difference, difference
from analytics.domain.ledger.draft import Inferred
from analytics.domain.ledger.faults import LedgerFault
from analytics.domain.ledger.merge import Changes, merge
from analytics.domain.ledger.model import Ledger
from analytics.domain.ledger.raw import RawColumn, RawColumnBuilder
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
    "DEFAULT_ZONE",
    "NO_DAY",
    "NO_INSTANT",
    "OPEN_END",
    "Belongs",
    "Built",
    "Cells",
    "Change",
    "Changes",
    "ColumnSpec",
    "Difference",
    "Direction",
    "Inferred",
    "Installations",
    "Ledger",
    "LedgerFault",
    "LedgerRows",
    "Level",
    "MeterStatus",
    "RawColumn",
    "RawColumnBuilder",
    "Storage",
    "TextColumn",
    "build_ledger",
    "built",
    "difference",
    "merge",
]
