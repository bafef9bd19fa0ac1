"""A person's word on a difference that nobody could explain, as a version of the ledger."""

import json
from datetime import datetime
from typing import Final

import psycopg

from analytics.domain.errors import RegistryError
from analytics.domain.ledger import Ledger, LedgerRows
from analytics.domain.ledger.decision import decided, undecided
from streams.store.ledger import LoadReport, Origin, load_ledger, read_ledger

__all__ = ["decide"]

_JUMP: Final = """
select (d.evidence ->> 'before')::float8, (d.evidence ->> 'at')::float8
from detection d
join unit u on u.id = d.unit_id
join meter m on m.id = d.meter_id
where d.kind = 'jump' and d.state <> 'withdrawn' and d.unexplained > 0
    and u.code = %s and m.meter_no = %s and d.started_at = %s
"""


async def decide(
    connection: psycopg.AsyncConnection,
    unit_code: str,
    meter_no: str,
    at: datetime,
    what: str,
    *,
    count: bool | None,
    by: str = "",
) -> LoadReport:
    """Count a difference as used, leave it out, or (None) take back what was decided.

    Parameters
    ----------
    at : datetime
        When the dial was first read after the jump.
    what : str
        Who decided what, and why; kept with the ledger.

    Raises
    ------
    RegistryError
        If no such difference waits.
    ConfigurationError
        If it cannot be taken back, for nothing was decided.
    """
    stored = await read_ledger(connection, None, lambda code: code == unit_code)
    at_us = round(at.timestamp()) * 1_000_000
    if count is None:
        rows: LedgerRows = undecided(stored.ledger.rows, unit_code=unit_code, meter_no=meter_no, at_us=at_us)
    else:
        row = await (await connection.execute(_JUMP, (unit_code, meter_no, at))).fetchone()
        if row is None:
            raise RegistryError(
                f"a difference of {unit_code} {meter_no} at {at:%Y-%m-%d %H:%M:%S} must be listed (got none)"
            )
        before, after = float(row[0]), float(row[1])
        rows = decided(
            stored.ledger.rows, unit_code=unit_code, meter_no=meter_no, at_us=at_us, before=before, after=after,
            count=count,
        )  # fmt: skip
    named = json.dumps([unit_code, meter_no], ensure_ascii=False)
    source = f"difference {named} {at.isoformat()} {what}"
    origin = Origin(by=by, over=stored.version)
    return await load_ledger(connection, Ledger.from_rows(rows), source, correct=count is None, origin=origin)
