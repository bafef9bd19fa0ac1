"""Newest status of each device that gateways read, and since when it holds."""

from collections.abc import Sequence
from typing import Final

import psycopg

from streams.rows.layout import DeviceStatus
from streams.store.postgres.instants import instant

__all__ = ["write"]

_WRITE: Final = """
insert into device_status as d (meter_id, unit_id, code, since, told_at)
select r.meter_id, r.unit_id, %s, %s, %s from register r where r.id = %s
on conflict (meter_id) do update
set code = excluded.code, told_at = excluded.told_at,
    since = case when d.code = excluded.code then d.since else excluded.since end
where excluded.told_at > d.told_at
"""


async def write(connection: psycopg.AsyncConnection, rows: Sequence[DeviceStatus]) -> None:
    """Keep the newest of each meter; what is older than the one that is kept changes nothing."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            _WRITE,
            [(row.code, at, at, row.register_id) for row in sorted(rows) for at in (instant(row.at_us),)],
        )
