"""Observability verdicts: one row per point and kind of fault, from the method that detects best."""

from collections.abc import Sequence
from typing import Final

import psycopg

from streams.rows.layout import ObservabilityRow
from streams.store.postgres.instants import instant

__all__ = ["write"]

# who wrote a row may write it again; another only if it sees better, or as well by the meter's own registers, or where
# the row was left alone for a week
_WRITE: Final = """
insert into observability as o (unit_id, point_id, question, verdict, reason, smallest_30d, smallest_90d,
    hours_typical, hours_worst, detail, as_of)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s)
on conflict (point_id, question) do update
set unit_id = excluded.unit_id, verdict = excluded.verdict, reason = excluded.reason, detail = excluded.detail,
    smallest_30d = excluded.smallest_30d, smallest_90d = excluded.smallest_90d, as_of = excluded.as_of,
    hours_typical = excluded.hours_typical, hours_worst = excluded.hours_worst
where o.detail -> 'check' is not distinct from excluded.detail -> 'check'
    or array_position(array['not_observable', 'weak', 'observable'], excluded.verdict)
        > array_position(array['not_observable', 'weak', 'observable'], o.verdict)
    or (o.verdict = excluded.verdict and o.detail -> 'check' is null)
    or o.as_of < excluded.as_of - interval '7 days'
"""


async def write(connection: psycopg.AsyncConnection, rows: Sequence[ObservabilityRow]) -> None:
    """Store what could be seen at points; in one order, for others lock the same rows in theirs."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            _WRITE,
            [
                (
                    row.unit_id, row.point_id, row.question, row.verdict, row.reason, row.smallest_30d,
                    row.smallest_90d, row.hours_typical, row.hours_worst, row.detail, instant(row.as_of_us),
                )
                for row in sorted(rows, key=lambda row: (row.point_id, row.question))
            ],
        )  # fmt: skip
