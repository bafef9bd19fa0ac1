"""The registry of gateways in the database: who may bring readings, of which units, from when until when."""

import logging
import time
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from analytics.domain.errors import RegistryError, StoreUnavailable
from ingest.gateway.access import NAME, Gateway, Gateways, digest_of, new_token
from streams.ports import StoreRejected
from streams.store.postgres.connections import Connections
from streams.store.postgres.reading import rows_of

__all__ = [
    "Registry",
    "add_gateway",
    "bind",
    "end_gateway",
    "kafka_logins",
    "list_gateways",
    "mark_kafka",
    "read_bindings",
    "read_gateways",
    "rotate",
    "unknown_units",
]

log = logging.getLogger("metering.gateways")

_GATEWAYS: Final = """
select g.id, g.name, g.all_units, g.valid_from, nullif(g.valid_to, 'infinity') as valid_to,
       g.kafka_at is not null as kafka,
       array(select u.unit_code from gateway_unit u where u.gateway_id = g.id order by u.unit_code) as unit_codes
from gateway g order by g.name
"""
_KAFKA: Final = "select name, kafka_at from gateway where kafka_at is not null and valid_to > now() order by name"
_TOKENS: Final = """
select t.digest, g.name, nullif(t.expires_at, 'infinity') as expires_at
from gateway_token t join gateway g on g.id = t.gateway_id where t.expires_at > now()
"""
_LIST: Final = """
select g.name, case when g.all_units then '*' else coalesce(string_agg(u.unit_code, ' ' order by u.unit_code), '') end
           as units,
       g.valid_from as since, nullif(g.valid_to, 'infinity') as until,
       case when g.valid_to <= now() then 'over' when g.valid_from > now() then 'not yet' else 'in force' end as state,
       (select count(*) from gateway_token t where t.gateway_id = g.id and t.expires_at > now()) as tokens,
       g.kafka_at as kafka_since, g.note
from gateway g left join gateway_unit u on u.gateway_id = g.id
group by g.id order by g.name
"""
_ADD: Final = """
insert into gateway (name, all_units, valid_from, valid_to, note)
values (%(name)s, %(all_units)s, coalesce(%(valid_from)s::timestamptz, now()),
        coalesce(%(valid_to)s::timestamptz, 'infinity'), %(note)s)
on conflict (name) do nothing returning id
"""
_UNKNOWN: Final = """
select code from unnest(%s::text[]) q (code) where not exists (select from unit u where u.code = q.code) order by code
"""


async def read_gateways(connection: psycopg.AsyncConnection) -> Gateways:
    """The registry as it is now."""
    gateways = await read_bindings(connection)
    tokens = await rows_of(connection, _TOKENS)
    return Gateways.of(gateways.values(), {bytes(row["digest"]): (row["name"], row["expires_at"]) for row in tokens})


async def read_bindings(connection: psycopg.AsyncConnection) -> dict[str, Gateway]:
    """All gateways by name, with the units that each may send; of tokens nothing is asked."""
    found = await rows_of(connection, _GATEWAYS)
    return {row["name"]: Gateway(**{**row, "unit_codes": frozenset(row["unit_codes"])}) for row in found}


async def list_gateways(connection: psycopg.AsyncConnection) -> list[dict[str, Any]]:
    """All gateways, as a person reads them."""
    return await rows_of(connection, _LIST)


async def add_gateway(
    connection: psycopg.AsyncConnection,
    name: str,
    *,
    unit_codes: Collection[str] = (),
    all_units: bool = False,
    valid_from: datetime | None = None,
    valid_to: datetime | None = None,
    note: str = "",
) -> str:
    """Enter a gateway; its token, which is seen this once.

    Raises `RegistryError` for a name that is taken or cannot be one, for no unit at all, and for a time that is none.
    """
    if not NAME.fullmatch(name):
        raise RegistryError(
            f"a gateway's name must be of a-z, 0-9 and -, at most 63 of them and no - at its ends (got {name!r})"
        )
    _require_units(name, unit_codes, all_units=all_units)
    if valid_from is not None and valid_to is not None and valid_to <= valid_from:
        raise RegistryError(f"a gateway must end after it begins (got {name}: {valid_from} to {valid_to})")
    parameters = {
        "name": name,
        "all_units": all_units,
        "valid_from": valid_from,
        "valid_to": valid_to,
        "note": note,
    }
    row = await (await connection.execute(_ADD, parameters)).fetchone()
    if row is None:
        raise RegistryError(f"a gateway's name must be free (there is one called {name})")
    await _set_units(connection, row[0], unit_codes)
    return await _new_token(connection, row[0])


async def bind(
    connection: psycopg.AsyncConnection, name: str, *, unit_codes: Collection[str] = (), all_units: bool = False
) -> None:
    """Give a gateway these units instead of those that it had; raises `RegistryError`."""
    _require_units(name, unit_codes, all_units=all_units)
    identity = await _identity(connection, name)
    await connection.execute("update gateway set all_units = %s where id = %s", (all_units, identity))
    await _set_units(connection, identity, unit_codes)


async def rotate(connection: psycopg.AsyncConnection, name: str, *, overlap: timedelta = timedelta()) -> str:
    """A new token of a gateway, seen this once; the tokens that it had end after `overlap`."""
    identity = await _identity(connection, name)
    await connection.execute(
        "update gateway_token set expires_at = least(expires_at, now() + %s) where gateway_id = %s", (overlap, identity)
    )
    return await _new_token(connection, identity)


async def end_gateway(connection: psycopg.AsyncConnection, name: str) -> None:
    """Let a gateway in no longer, from now on, and end its tokens."""
    identity = await _identity(connection, name)
    await connection.execute(
        "update gateway set valid_to = greatest(now(), valid_from), kafka_at = null where id = %s and valid_to > now()",
        (identity,),
    )
    await connection.execute(
        "update gateway_token set expires_at = now() where gateway_id = %s and expires_at > now()", (identity,)
    )


async def mark_kafka(connection: psycopg.AsyncConnection, name: str, since: datetime) -> None:
    """Note since when Kafka has a credential of a gateway."""
    identity = await _identity(connection, name)
    await connection.execute("update gateway set kafka_at = %s where id = %s", (since, identity))


async def kafka_logins(connection: psycopg.AsyncConnection) -> dict[str, datetime]:
    """Gateways in force that have a credential in Kafka, and since when."""
    found = await rows_of(connection, _KAFKA)
    return {row["name"]: row["kafka_at"] for row in found}


async def unknown_units(connection: psycopg.AsyncConnection, unit_codes: Collection[str]) -> list[str]:
    """Codes that the ledger does not have (yet)."""
    cursor = await connection.execute(_UNKNOWN, (sorted(unit_codes),))
    return [code for (code,) in await cursor.fetchall()]


class Registry:
    """The registry, read anew every few seconds; the last that was read while the database is away.

    Parameters
    ----------
    connections : Connections
    every_s : float
        How old it may get: how long an ended token still holds. [s]
    """

    def __init__(self, connections: Connections, *, every_s: float = 5.0) -> None:
        self._connections = connections
        self._every_s = every_s
        self._known: Gateways | None = None
        self._read_at = -1e9

    async def current(self) -> Gateways:
        """The registry; raises `StoreUnavailable` where it never could be read."""
        if self._known is None or time.monotonic() - self._read_at >= self._every_s:
            self._read_at = time.monotonic()  # whoever comes meanwhile takes the one before
            try:
                async with self._connections.connection() as connection:
                    self._known = await read_gateways(connection)
            except (StoreUnavailable, StoreRejected) as error:
                log.warning("the registry of gateways cannot be read: %s", error)
                if self._known is None:
                    self._read_at = -1e9
                    raise
        if self._known is None:
            raise StoreUnavailable("the registry of gateways must have been read once (it is being read)")
        return self._known


async def _identity(connection: psycopg.AsyncConnection, name: str) -> int:
    row = await (await connection.execute("select id from gateway where name = %s", (name,))).fetchone()
    if row is None:
        raise RegistryError(f"a gateway must be one that is entered (got {name!r})")
    return int(row[0])


async def _set_units(connection: psycopg.AsyncConnection, identity: int, unit_codes: Collection[str]) -> None:
    await connection.execute("delete from gateway_unit where gateway_id = %s", (identity,))
    await connection.execute(
        "insert into gateway_unit (gateway_id, unit_code) select %s, unnest(%s::text[])",
        (identity, sorted(set(unit_codes))),
    )


async def _new_token(connection: psycopg.AsyncConnection, identity: int) -> str:
    token = new_token()
    await connection.execute(
        "insert into gateway_token (gateway_id, digest) values (%s, %s)", (identity, digest_of(token))
    )
    return token


def _require_units(name: str, unit_codes: Collection[str], *, all_units: bool) -> None:
    if bool(unit_codes) == all_units:
        raise RegistryError(f"a gateway must have units, or all of them (got {name}: {' '.join(unit_codes) or 'none'})")
    bad = [code for code in unit_codes if not code.strip() or "\0" in code]
    if bad:
        raise RegistryError(f"a unit's code must be a text (got {bad})")
