"""A person's decision on an unexplained jump of a register, expressed as a correction of the ledger.

A register that jumped ends at the jump and begins again there. Where the difference was used, the old row ends with the
dial after the jump; where it was not, with the dial before it. So the past follows as with every correction of the
ledger, on the stream and in a backfill alike, and revoking the decision is another correction.
"""

from collections.abc import Mapping

import numpy as np

from analytics.domain.errors import ConfigurationError
from analytics.domain.ledger.rows import Cells, LedgerRows

__all__ = ["decided", "undecided"]


def _rows_of(rows: LedgerRows, unit_code: str, meter_no: str) -> list[int]:
    codes, meters = list(rows.text("unit_code")), list(rows.text("meter_no"))
    return [i for i, key in enumerate(zip(codes, meters, strict=True)) if key == (unit_code, meter_no)]


def _changed(
    rows: LedgerRows, *, instants: Mapping[str, Mapping[int, int]], numbers: Mapping[str, Mapping[int, float]]
) -> LedgerRows:
    columns: dict[str, Cells] = dict(rows.columns)
    for name, cells in instants.items():
        moved = rows.instant(name).copy()
        for i, at in cells.items():
            moved[i] = at
        columns[name] = moved
    for name, values in numbers.items():
        column = rows.number(name).copy()
        for i, value in values.items():
            column[i] = value
        columns[name] = column
    return LedgerRows.of(columns)


def decided(
    rows: LedgerRows, *, unit_code: str, meter_no: str, at_us: int, before: float, after: float, count: bool
) -> LedgerRows:
    """Rows in which a meter's dial jumped from `before` to `after` at an instant.

    Parameters
    ----------
    rows : LedgerRows
        As they are in force.
    at_us : int
        When the higher dial was first read. [µs since 1970 UTC]
    before, after : float
        [dial unit]
    count : bool
        Whether the difference was used.

    Raises
    ------
    ConfigurationError
        If the ledger has no such meter at that time, or a row of it that begins there already.
    """
    mine = _rows_of(rows, unit_code, meter_no)
    start, end = rows.instant("installed_from"), rows.instant("installed_to")
    if any(start[i] == at_us for i in mine):
        raise ConfigurationError(
            f"meter {meter_no} of {unit_code} must have no row that begins then (got one): undo it"
        )
    row = next((i for i in mine if start[i] < at_us < end[i]), None)
    if row is None:
        raise ConfigurationError(f"meter {meter_no} of {unit_code} must be installed at that time (got no row of it)")
    order = np.sort(np.concatenate([np.arange(len(rows)), [row]]))
    split = rows.take(order)
    return _changed(
        split,
        instants={"installed_to": {row: at_us}, "installed_from": {row + 1: at_us}},
        numbers={"last_reading": {row: after if count else before}, "first_reading": {row + 1: after}},
    )


def undecided(rows: LedgerRows, *, unit_code: str, meter_no: str, at_us: int) -> LedgerRows:
    """Rows without what `decided` put into them.

    Raises
    ------
    ConfigurationError
        If no row of the meter begins where another ends at that instant.
    """
    mine = _rows_of(rows, unit_code, meter_no)
    start, end = rows.instant("installed_from"), rows.instant("installed_to")
    first = next((i for i in mine if end[i] == at_us), None)
    second = next((i for i in mine if start[i] == at_us), None)
    if first is None or second is None:
        raise ConfigurationError(f"meter {meter_no} of {unit_code} must have been decided on then (got no such row)")
    joined = _changed(
        rows,
        instants={"installed_to": {first: int(end[second])}},
        numbers={"last_reading": {first: float(rows.number("last_reading")[second])}},
    )
    return joined.take(np.delete(np.arange(len(rows)), second))
