"""Settings of a site's database: time zone of days, chunk length, retention."""

from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

import psycopg

__all__ = ["CHUNK", "CHUNK_IS", "Site", "settle"]

_SET: Final = """
insert into store_setting as s (name, value) values (%(name)s, %(value)s)
on conflict (name) do update set value = excluded.value where s.value <> excluded.value
returning name
"""
_UNSET: Final = "delete from store_setting where name = %s"
CHUNK: Final = "select upkeep.chunk_interval(%s::interval)"
"""Chunks of readings are this long from now on."""
CHUNK_IS: Final = """
select time_interval = %s::interval from timescaledb_information.dimensions where hypertable_name = 'reading_hot'
"""
"""Whether they are."""
_ALL_STALE: Final = """
insert into dirty_hour (unit_id, first_hour, last_hour)
select unit_id, min(start), max(start) from consumption_hour group by unit_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Settings of one site's store.

    Attributes
    ----------
    zone : ZoneInfo
        Of local days. Changing it makes all daily totals stale.
    chunk_h : int, optional
        Length of a chunk of narrow readings from now on; None leaves it to `streams.store.layers`. [h]
    retain_days : int, optional
        Readings older than this are dropped; None keeps them for ever. [d]
    """

    zone: ZoneInfo
    chunk_h: int | None = None
    retain_days: int | None = None


def settle(connection: psycopg.Connection, site: Site) -> None:
    """Write a site's settings into its database, inside the caller's transaction; safe to repeat."""
    if connection.execute(_SET, {"name": "zone", "value": site.zone.key}).fetchone():
        connection.execute(_ALL_STALE)
    if site.retain_days is None:
        connection.execute(_UNSET, ("retain_days",))
    else:
        connection.execute(_SET, {"name": "retain_days", "value": str(site.retain_days)})
    if site.chunk_h is None:
        return
    interval = f"{site.chunk_h} hours"
    row = connection.execute(CHUNK_IS, (interval,)).fetchone()
    if row is None or not row[0]:
        connection.execute(CHUNK, (interval,))
