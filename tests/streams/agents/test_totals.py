"""Totals made hour by hour are those that are made of the whole at once."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, cast

import numpy as np
import psycopg
import pytest

from analytics.domain.errors import StoreUnavailable
from ingest.standard_files import parse_standard, read_factors
from streams.agents.courtesy import Courtesy
from streams.agents.totals import TotalsAgent
from streams.compliance.standards import load_document
from streams.config import StreamsConfig
from streams.lanes.workshop import Workshop
from streams.metrics import WorkerMetrics
from streams.rows.layout import HOUR_ROW, Assigned, Hours, StoredLedger, TopicPartition
from streams.rows.of_results import dirty_spans
from streams.store.partitions import TimescaleStore
from streams.store.totals import FACTORS_LOCK
from tests.streams.site import Calm, OneLedger, Site, load
from tests.streams.store.conftest import emptied, opened

pytestmark = pytest.mark.integration

SITE = Site(units=3, meters=4)
H0 = 497_216  # midnight in UTC+8, an hour in 2026
"""Its local day is 24 hours from here."""


class Post:
    """A producer that keeps what it was given."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    async def producer(self) -> "Post":
        return self

    async def send(self, _topic: str, value: bytes, **_: object) -> "asyncio.Future[None]":
        self.messages.append(value)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


@asynccontextmanager
async def agent_of(dsn: str, store: TimescaleStore, stored: StoredLedger) -> AsyncIterator[TotalsAgent]:
    """A worker's agent that has just begun."""
    nobody = cast("Any", None)  # no lane runs here
    config = StreamsConfig(bootstrap="", dsn=dsn, factors=read_factors())
    with ThreadPoolExecutor(1) as threads:
        shop = Workshop(
            config=config,
            store=store,
            metrics=WorkerMetrics(),
            guard=nobody,
            reader=nobody,
            threads=threads,
            aside=threads,
            slots=asyncio.Semaphore(1),
        )
        yield TotalsAgent(shop, store, OneLedger(stored), cast("Any", Post()), Courtesy(Calm()))


@asynccontextmanager
async def region(dsn: str) -> AsyncIterator[tuple[TimescaleStore, Assigned, StoredLedger]]:
    """Its ledger loaded, and its only partition taken."""
    version = await load(dsn, SITE.ledger())
    async with opened(dsn) as store:
        assigned = await store.assign(TopicPartition("metering.readings", uuid.uuid4(), 0), partitions=1)
        yield store, assigned, await store.ledger(version, lambda _: True)


def hours_of(stored: StoredLedger, hour: int, kwh: float, points: slice = slice(None)) -> Hours:
    rows = np.zeros(len(stored.point_ids), HOUR_ROW)
    rows["point_id"] = stored.point_ids
    rows["unit_id"] = stored.unit_ids[stored.ledger.point_unit]
    rows["hour"], rows["amount"] = hour, round(kwh * 1e6)
    rows["completeness"] = rows["measured"] = 1.0
    return rows[points]


async def write(store: TimescaleStore, assigned: Assigned, rows: Hours) -> None:
    async with store.transaction(assigned, at=0) as tx:
        await tx.write_hours(rows)
        await tx.mark_dirty(*dirty_spans(rows))


def totals(dsn: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "select 'hour', series_id, start::text, amount, tce, completeness, quality, factor_id from unit_energy_hour"
            " union all"
            " select 'day', series_id, day::text, amount, tce, completeness, quality, factor_id from unit_energy_day"
            " order by 1, 2, 3"
        ).fetchall()


def test_hour_by_hour_gives_what_a_worker_that_begins_anew_makes_of_all(module_database: str) -> None:
    dsn = emptied(module_database)

    async def scenario() -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        async with region(dsn) as (store, assigned, stored):
            async with agent_of(dsn, store, stored) as agent:
                for hour, kwh, points in (
                    (H0, 1.0, slice(None)),
                    (H0 + 1, 2.0, slice(None)),
                    (H0 + 2, 3.0, slice(0, 5)),  # one unit whole, another in part
                    (H0 + 25, 4.0, slice(None)),  # the day after
                    (H0 + 1, 2.5, slice(3, 6)),  # revised by late readings
                ):
                    await write(store, assigned, hours_of(stored, hour, kwh, points))
                    assert await agent.once(stored) > 0
            live = totals(dsn)
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("truncate unit_energy_hour, unit_energy_day")
            async with agent_of(dsn, store, stored) as fresh:
                async with store.transaction(assigned, at=0) as tx:
                    units = stored.unit_ids
                    await tx.mark_dirty(units, np.full(len(units), H0), np.full(len(units), H0 + 30))
                assert await fresh.once(stored) == SITE.units
        return live, totals(dsn)

    live, anew = asyncio.run(scenario())
    assert live == anew
    assert {row[0] for row in live} == {"hour", "day"}
    assert sum(row[0] == "day" for row in live) == 2 * SITE.units * SITE.meters  # a series for each equipment


def test_a_span_into_a_known_day_keeps_what_is_beside_another_span_of_it(module_database: str) -> None:
    dsn = emptied(module_database)

    async def scenario() -> None:
        async with region(dsn) as (store, assigned, stored), agent_of(dsn, store, stored) as agent:
            await write(store, assigned, hours_of(stored, H0 + 34, 1.0))
            await agent.once(stored)
            over_midnight = [hours_of(stored, H0 + hour, 1.0) for hour in (22, 23, 24, 25)]
            await write(store, assigned, np.concatenate(over_midnight))
            await write(store, assigned, hours_of(stored, H0 + 29, 1.0))
            await agent.once(stored)

    asyncio.run(scenario())
    hours = {row[2] for row in totals(dsn) if row[0] == "hour"}
    assert len(hours) == 6


def test_a_worker_that_begins_anew_mends_all_hours_of_a_stale_day(module_database: str) -> None:
    """It does not know by which ledger those were made."""
    dsn = emptied(module_database)

    async def scenario() -> None:
        async with region(dsn) as (store, assigned, stored):
            async with agent_of(dsn, store, stored) as agent:
                await write(store, assigned, hours_of(stored, H0, 1.0))
                await agent.once(stored)
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("update unit_energy_hour set amount = 99")
            async with agent_of(dsn, store, stored) as fresh:
                await write(store, assigned, hours_of(stored, H0 + 1, 1.0))
                await fresh.once(stored)

    asyncio.run(scenario())
    assert not [row for row in totals(dsn) if row[3] == 99]


FACTORS = """
[[factor]]
carrier = "electricity"
per = "kWh"
kgce = 0.3
source = "bureau"
valid_from = 2026-09-22
"""
"""From the second of the two days below."""


async def load_factors(dsn: str, text: str) -> int:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        return await load_document(connection, parse_standard(text, source="f.toml"), text, "f.toml")


def test_factors_that_are_loaded_convert_the_past_as_a_worker_would_and_what_comes(module_database: str) -> None:
    dsn = emptied(module_database)

    async def scenario() -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        async with region(dsn) as (store, assigned, stored):
            async with agent_of(dsn, store, stored) as agent:
                for hour in (H0, H0 + 23, H0 + 24):
                    await write(store, assigned, hours_of(stored, hour, 2.0))
                await agent.once(stored)
                assert await load_factors(dsn, FACTORS) > 0
                past = totals(dsn)
                await write(store, assigned, hours_of(stored, H0 + 25, 2.0))
                await agent.once(stored)
                live = totals(dsn)
            assert [row for row in live if row in past] == [row for row in past if row[0] == "hour" or row in live]
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("truncate unit_energy_hour, unit_energy_day")
            async with agent_of(dsn, store, stored) as fresh:
                async with store.transaction(assigned, at=0) as tx:
                    units = stored.unit_ids
                    await tx.mark_dirty(units, np.full(len(units), H0), np.full(len(units), H0 + 30))
                await fresh.once(stored)
            assert await load_factors(dsn, FACTORS) == 0, "what is in force already changes nothing"
        return live, totals(dsn)

    live, anew = asyncio.run(scenario())
    assert live == anew
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "select day::text, factor, tce / amount from unit_day group by 1, 2, 3 order by 1"
        ).fetchall()
        by_hour = connection.execute("select count(distinct factor) from unit_hour").fetchone()
    assert [row[0] for row in rows] == ["2026-09-21", "2026-09-22"]
    assert [row[2] for row in rows] == pytest.approx([0.0001229, 0.0003])
    assert "entered: bureau" in rows[1][1]
    assert "entered" not in rows[0][1]
    assert by_hour == (2,)


def test_totals_wait_while_factors_are_put_in_force(module_database: str) -> None:
    dsn = emptied(module_database)

    async def scenario() -> None:
        async with region(dsn) as (store, assigned, stored), agent_of(dsn, store, stored) as agent:
            await write(store, assigned, hours_of(stored, H0, 1.0))
            async with await psycopg.AsyncConnection.connect(dsn) as other:
                await other.execute(f"select pg_advisory_xact_lock({FACTORS_LOCK})")
                with pytest.raises(StoreUnavailable, match="being put in force"):
                    await agent.once(stored)
            assert await agent.once(stored) == SITE.units, "the marks are still there"

    asyncio.run(scenario())
