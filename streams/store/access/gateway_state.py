"""How gateways are: when the last readings of each came, and what each told of its spool."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import psycopg

from ingest.gateway.told import SpoolState
from streams.store.postgres.reading import rows_of

__all__ = ["Sign", "forget_state", "gateway_states", "note"]

# a clock that was ahead, a gateway's or this machine's, must not make all that comes afterwards old news
_NOTE: Final = """
insert into gateway_state as g (name, delivered_at, told_at, waiting_readings, waiting_bytes, max_bytes, oldest_at,
                                dropped_readings, fault)
select %(name)s, case when delivered > now() then now() else delivered end,
       case when told > now() then now() else told end,
       %(readings)s, %(bytes)s, %(max)s, %(oldest)s, %(dropped)s, %(fault)s
from (values (%(delivered)s::timestamptz, %(told)s::timestamptz)) v (delivered, told)
on conflict (name) do update
set delivered_at = greatest(
        case when g.delivered_at > now() then now() else g.delivered_at end, excluded.delivered_at),
    (told_at, waiting_readings, waiting_bytes, max_bytes, oldest_at, dropped_readings, fault) = (
        select case when newer then excluded.told_at else g.told_at end,
               case when newer then excluded.waiting_readings else g.waiting_readings end,
               case when newer then excluded.waiting_bytes else g.waiting_bytes end,
               case when newer then excluded.max_bytes else g.max_bytes end,
               case when newer then excluded.oldest_at else g.oldest_at end,
               case when newer then excluded.dropped_readings else g.dropped_readings end,
               case when newer then excluded.fault else g.fault end
        from (
            values (
                excluded.told_at is not null
                and (g.told_at is null or g.told_at > now() or excluded.told_at > g.told_at)
            )
        ) v (newer)
    )
"""
# who is no longer let in is not looked at; what is not in the registry is a gateway beside this database
_STATES: Final = """
select s.name, s.delivered_at, s.told_at, s.waiting_readings, s.waiting_bytes, s.max_bytes, s.oldest_at,
       s.dropped_readings, s.fault, s.stage, s.staged_at, s.told_dropped,
       array(select u.unit_code from gateway_unit u where u.gateway_id = g.id order by u.unit_code) as unit_codes
from gateway_state s left join gateway g on g.name = s.name
where g.id is null or g.valid_to > now()
order by s.name
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What came of a gateway.

    Attributes
    ----------
    delivered_us : int or None
        When its last readings came. [us since 1970-01-01 UTC]
    told : SpoolState or None
        What it told of itself last.
    """

    delivered_us: int | None = None
    told: SpoolState | None = None

    def later(self, other: "Sign") -> "Sign":
        """Of two the newer of each."""
        delivered = [one for one in (self.delivered_us, other.delivered_us) if one is not None]
        told = [one for one in (self.told, other.told) if one is not None]
        return Sign(delivered_us=max(delivered, default=None), told=max(told, key=lambda one: one.at_us, default=None))


async def note(connection: psycopg.AsyncConnection, signs: Mapping[str, Sign]) -> None:
    """Keep what came of gateways, by name; what is older than what is kept changes nothing."""
    for name, sign in sorted(signs.items()):
        told = sign.told
        parameters = {
            "name": name,
            "delivered": _instant(sign.delivered_us),
            "told": _instant(told.at_us if told else None),
            "readings": told.readings if told else None,
            "bytes": told.stored_bytes if told else None,
            "max": told.max_bytes if told else None,
            "oldest": _instant(told.oldest_us if told else None),
            "dropped": told.dropped_readings if told else None,
            "fault": told.fault if told else "",
        }
        await connection.execute(_NOTE, parameters)


async def gateway_states(connection: psycopg.AsyncConnection) -> list[dict[str, Any]]:
    """Gateways in force of which anything was heard, with their units."""
    return await rows_of(connection, _STATES)


async def forget_state(connection: psycopg.AsyncConnection, name: str) -> bool:
    """Forget a gateway that is no more; whether anything was known of it."""
    return (await connection.execute("delete from gateway_state where name = %s", (name,))).rowcount > 0


def _instant(at_us: int | None) -> datetime | None:
    try:
        return None if at_us is None else datetime.fromtimestamp(at_us / 1e6, UTC)
    except (ValueError, OverflowError, OSError):  # a clock that says the year 100000
        return None
