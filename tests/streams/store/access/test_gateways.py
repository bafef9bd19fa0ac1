"""The registry of gateways in a real database."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from analytics.domain.errors import RegistryError, StoreUnavailable
from streams.store.access.gateways import (
    Registry,
    add_gateway,
    bind,
    end_gateway,
    list_gateways,
    mark_kafka,
    read_gateways,
    rotate,
    unknown_units,
)
from streams.store.postgres.connections import Connections

pytestmark = pytest.mark.integration


def done(dsn: str, work: Callable[[psycopg.AsyncConnection], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        connections = Connections(dsn, size=1)
        try:
            async with connections.connection() as connection, connection.transaction():
                return await work(connection)
        finally:
            await connections.close()

    return asyncio.run(run())


def now() -> datetime:
    return datetime.now(UTC)


def test_a_gateway_is_entered_bound_anew_rotated_and_ended(world: str) -> None:
    async def work(connection: psycopg.AsyncConnection) -> None:
        token = await add_gateway(connection, "boiler", unit_codes=["U1", "U9"])
        assert await unknown_units(connection, ["U1", "U9"]) == ["U9"]
        found = (await read_gateways(connection)).of_token(token, now())
        assert found is not None
        assert (found.name, found.unit_codes, found.all_units, found.kafka) == (
            "boiler",
            frozenset({"U1", "U9"}),
            False,
            False,
        )
        await bind(connection, "boiler", unit_codes=["U2"])
        await mark_kafka(connection, "boiler", datetime.now(UTC))
        found = (await read_gateways(connection)).of_token(token, now())
        assert found is not None
        assert (found.unit_codes, found.kafka) == (frozenset({"U2"}), True)
        newer = await rotate(connection, "boiler", overlap=timedelta(hours=1))
        gateways = await read_gateways(connection)
        later = now() + timedelta(hours=2)
        assert gateways.of_token(token, now()) is not None, "it still holds for an hour"
        assert gateways.of_token(token, later) is None
        assert gateways.of_token(newer, later) is not None
        newest = await rotate(connection, "boiler")
        gateways = await read_gateways(connection)
        assert [gateways.of_token(one, now()) is None for one in (token, newer, newest)] == [True, True, False]
        await end_gateway(connection, "boiler")
        assert (await read_gateways(connection)).of_token(newest, now()) is None
        [row] = await list_gateways(connection)
        assert (row["name"], row["units"], row["state"], row["tokens"]) == ("boiler", "U2", "over", 0)

    done(world, work)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"name": "A B", "unit_codes": ["U1"]}, "must be of a-z"),
        ({"name": "a", "unit_codes": []}, "must have units, or all of them"),
        ({"name": "a", "unit_codes": ["U1"], "all_units": True}, "must have units, or all of them"),
        ({"name": "a", "unit_codes": [" "]}, "must be a text"),
        ({"name": "a", "unit_codes": ["U1"], "valid_from": now(), "valid_to": now() - timedelta(days=1)}, "must end"),
    ],
)
def test_what_makes_no_sense_is_refused(world: str, facts: dict[str, Any], words: str) -> None:
    with pytest.raises(RegistryError, match=words):
        done(world, lambda connection: add_gateway(connection, **facts))


def test_a_name_is_taken_once_and_an_unknown_one_is_named(world: str) -> None:
    done(world, lambda connection: add_gateway(connection, "mill", all_units=True))
    with pytest.raises(RegistryError, match="there is one called mill"):
        done(world, lambda connection: add_gateway(connection, "mill", all_units=True))
    with pytest.raises(RegistryError, match="got 'nobody'"):
        done(world, lambda connection: rotate(connection, "nobody"))


def test_no_token_stands_in_the_database(world: str) -> None:
    token = done(world, lambda connection: add_gateway(connection, "mill", all_units=True))
    with psycopg.connect(world) as connection:
        rows = connection.execute("select g::text, t::text from gateway g, gateway_token t").fetchall()
    assert rows
    assert token.removeprefix("mwg_") not in str(rows)


def test_the_last_known_registry_stands_while_the_database_is_away(world: str) -> None:
    token = done(world, lambda connection: add_gateway(connection, "mill", all_units=True))

    async def run() -> None:
        connections = Connections(world, size=1)
        registry = Registry(connections, every_s=0.0)
        assert (await registry.current()).of_token(token, now()) is not None
        await connections.close()
        connections._dsn = "postgresql://127.0.0.1:1/none"
        assert (await registry.current()).of_token(token, now()) is not None
        with pytest.raises(StoreUnavailable):
            await Registry(connections).current()

    asyncio.run(run())
