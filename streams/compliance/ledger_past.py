"""The ledger with the status and class that its meters had at a past instant, before newer ledgers changed them."""

from dataclasses import replace
from datetime import datetime
from typing import Final

import numpy as np
import psycopg

from analytics.domain.ledger import LedgerRows, TextColumn
from streams.rows.layout import StoredLedger

__all__ = ["read_past"]

_PAST: Final = """
select distinct on (h.installation_id) i.point_id,
       (extract(epoch from i.installed_from) * 1000000)::int8 as installed_from_us, h.status, h.accuracy_class
from installation_past h join installation i on i.id = h.installation_id
where h.unit_id = any(%(units)s) and h.held_until > %(at)s and isfinite(i.installed_from)
order by h.installation_id, h.held_until
"""


async def read_past(connection: psycopg.AsyncConnection, stored: StoredLedger, at: datetime) -> StoredLedger:
    """A ledger in the state of an instant; the same one where nothing has changed since."""
    cursor = await connection.execute(_PAST, {"units": stored.unit_ids.tolist(), "at": at})
    found = {(point, since): (status, of_class) for point, since, status, of_class in await cursor.fetchall()}
    if not found:
        return stored
    made = stored.ledger.installations
    places = zip(stored.point_ids[made.point].tolist(), made.installed_from.tolist(), made.row.tolist(), strict=True)
    changed = {row: found[point, since] for point, since, row in places if (point, since) in found}
    rows = stored.ledger.rows
    columns = dict(rows.columns)
    for i, name in enumerate(("status", "accuracy_class")):
        columns[name] = _with(rows.text(name), {row: state[i] for row, state in changed.items()})
    return replace(stored, ledger=replace(stored.ledger, rows=LedgerRows.of(columns)))


def _with(column: TextColumn, changed: dict[int, str]) -> TextColumn:
    values = [*column.values, *changed.values()]
    codes = column.codes.copy()
    codes[list(changed)] = np.arange(len(column.values), len(values), dtype=np.int32)
    return TextColumn.normalised(codes, values)
