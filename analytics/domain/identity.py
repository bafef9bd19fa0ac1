"""Names and numbers of things, told apart by the type checker.

A code is what people wrote in their ledger; an id is the stable integer that the database gave it; an index is a place
in the arrays of one `Ledger` and means nothing beside that ledger.
"""

from typing import NewType

__all__ = [
    "InstallationIndex",
    "MeterId",
    "MeterIndex",
    "MeterNo",
    "PointCode",
    "PointId",
    "PointIndex",
    "RegisterId",
    "UnitCode",
    "UnitId",
    "UnitIndex",
]

UnitCode = NewType("UnitCode", str)
"""Unified social credit code, or any unique code, of an energy-using unit."""
PointCode = NewType("PointCode", str)
"""Code of a metering point inside its unit."""
MeterNo = NewType("MeterNo", str)
"""Management number of a meter inside its unit."""

UnitId = NewType("UnitId", int)
"""An energy-using unit in the database."""
PointId = NewType("PointId", int)
"""A metering point in the database."""
MeterId = NewType("MeterId", int)
"""A meter in the database."""
RegisterId = NewType("RegisterId", int)
"""A register of a meter in the database."""

UnitIndex = NewType("UnitIndex", int)
"""Place of a unit in a ledger's `unit_codes`."""
PointIndex = NewType("PointIndex", int)
"""Place of a point in a ledger's `point_codes`."""
MeterIndex = NewType("MeterIndex", int)
"""Place of a meter in a ledger's `meter_nos`."""
InstallationIndex = NewType("InstallationIndex", int)
"""Place of an installation in a ledger's `installations`."""
