"""Rows of a ledger file as columns of raw cells; what a row does not say is plain and sound."""

from collections.abc import Mapping

from analytics.domain.ledger import COLUMNS

__all__ = ["bare", "columns_of", "metered"]


def bare(point: str, **facts: object) -> dict[str, object]:
    """Row of a collection point without a meter."""
    return {"unit_code": "U1", "level": "unit", "point": point, "carrier": "electricity"} | facts


def metered(point: str, meter_no: str, **facts: object) -> dict[str, object]:
    """Row of a meter at a point."""
    meter = {"meter_no": meter_no, "instrument": "electricity", "unit": "kWh", "installed_from": "2024-01-01"}
    return bare(point) | meter | facts


def columns_of(*rows: Mapping[str, object]) -> dict[str, list[object]]:
    """Columns of the rows, in the order of the interchange file."""
    return {name: [row.get(name) for row in rows] for name in COLUMNS}
