"""Balances followed live, day after day, against a real database: the same as a backfill of the same hours."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, cast

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray

from analytics.columns.aggregation import PointHours
from analytics.columns.register import HOUR_ROW as CORE_HOUR
from analytics.domain.ledger import Ledger
from analytics.drift.groups import BalanceGroups
from analytics.drift.observability import judge
from analytics.drift.state import BalanceState
from streams.agents.balance import BalanceAgent
from streams.agents.courtesy import Courtesy
from streams.config import StreamsConfig
from streams.lanes.workshop import Workshop
from streams.metrics import WorkerMetrics
from streams.rows.layout import Assigned, TopicPartition
from streams.rows.of_results import hour_rows
from streams.steps.balance import GainRow, follow, gain_rows, take
from streams.store.partitions import TimescaleStore
from tests.ledgers import ledger_of
from tests.streams.site import Calm, OneLedger, load
from tests.streams.store.conftest import emptied, opened

FIRST = 24 * 20_000  # a UTC day's start
DAYS = 120
CHILDREN = 5
METER = {"installed_from": 0, "full_scale": 1e9, "max_rate": 1e6, "interval_s": 900.0, "accuracy_class": "0.5S"}


def ledger() -> Ledger:
    return ledger_of(
        {**METER, "point": "P", "meter_no": "MP", "parent_complete": True, "level": "unit"},
        *(
            {**METER, "point": f"P{i}", "meter_no": f"M{i}", "parent_point": "P", "level": "sub_unit",
             "sub_unit": f"S{i}"}
            for i in range(CHILDREN)
        ),
    )  # fmt: skip


def hours() -> NDArray[Any]:
    """Four months of hours; from day 75 on the second child counts 6 % too little."""
    rng = np.random.default_rng(4)
    n = DAYS * 24
    shape = 60 + 40 * np.sin(np.arange(n)[:, None] * 2 * np.pi / 24 + rng.uniform(0, 6, CHILDREN))
    child = shape * rng.uniform(0.8, 1.2, (n, CHILDREN)) * rng.uniform(0.5, 2, CHILDREN)
    parent = child.sum(axis=1) * (1 + rng.normal(0, 0.0005, n)) * 1.01
    said = child.copy()
    said[75 * 24 :, 1] *= 0.94
    amounts = np.column_stack([parent, said])
    rows = np.zeros(amounts.size, CORE_HOUR)
    rows["point"] = np.tile(np.arange(CHILDREN + 1), n)
    rows["hour"] = FIRST + np.repeat(np.arange(n), CHILDREN + 1)
    rows["amount"] = np.rint(amounts * 1e6).ravel()
    rows["covered"] = 3_600_000_000
    return rows


def whole(rows: NDArray[Any], end: int) -> tuple[BalanceState, list[GainRow]]:
    """What a backfill makes of it."""
    known = ledger()
    state = BalanceState.empty(BalanceGroups.from_ledger(known))
    return state, gain_rows(follow(state, known, PointHours.from_register(rows), first=FIRST, end=end), known)


def test_days_taken_one_by_one_give_what_the_whole_gives() -> None:
    rows, known = hours(), ledger()
    end = FIRST + 100 * 24 + 1
    expected, _ = whole(rows, end)
    state = BalanceState.empty(BalanceGroups.from_ledger(known))
    every = PointHours.from_register(rows)
    edges = [FIRST, *range(FIRST + 25, end, 24), end]
    for first, stop in pairwise(edges):
        take(state, known, every, first=first, end=stop)
    assert state.to_bytes() == expected.to_bytes()


@asynccontextmanager
async def shop_of(dsn: str, now: list[float]) -> AsyncIterator[tuple[Workshop, TimescaleStore, Assigned]]:
    async with opened(dsn) as store:
        assigned = await store.assign(TopicPartition("metering.readings", uuid.uuid4(), 0), partitions=1)
        nobody = cast("Any", None)  # no lane runs here
        with ThreadPoolExecutor(1) as threads:
            yield (
                Workshop(
                    config=StreamsConfig(bootstrap="", dsn=dsn),
                    store=store,
                    metrics=WorkerMetrics(),
                    guard=nobody,
                    reader=nobody,
                    threads=threads,
                    aside=threads,
                    slots=asyncio.Semaphore(1),
                    now=lambda: now[0],
                ),
                store,
                assigned,
            )


@pytest.mark.integration
def test_a_live_balance_tells_what_a_backfill_tells_and_once(module_database: str) -> None:
    dsn = emptied(module_database)
    rows = hours()
    _, expected = whole(rows, FIRST + (DAYS - 1) * 24 + 1)

    async def scenario() -> None:
        version = await load(dsn, ledger())
        now = [0.0]
        async with shop_of(dsn, now) as (shop, store, assigned):
            stored = await store.ledger(version, lambda _: True)
            async with store.transaction(assigned, at=0) as tx:
                await tx.write_hours(hour_rows(rows, stored))
            for day in (30, 80, 85, 100, 100, DAYS + 1):
                now[0] = (FIRST + day * 24) * 3600.0
                # a worker that begins anew each time: what it knows is in the database
                await BalanceAgent(shop, store, OneLedger(stored), Courtesy(Calm())).once(stored)

    asyncio.run(scenario())
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "select point, meter_no, kind, extract(epoch from started_at)::int8 * 1000000, magnitude, magnitude_unit,"
            " magnitude_low < magnitude and magnitude < magnitude_high, energy_affected < 0, state from detection_list"
        ).fetchall()
        seen = connection.execute("select point, question, verdict from observability_list").fetchall()
        days = connection.execute(
            "select count(*), sum(hours),"
            " bool_and(abs(parent_amount - children_amount - loss_estimate - residual) < 1e-6) from balance_day"
        ).fetchone()
        kept = connection.execute("select extract(epoch from next_hour)::int8 / 3600 from balance_state").fetchall()
    assert [row.kind.name for row in expected] == ["GAIN_STEP"], "one meter lost 6 %"
    known = ledger()
    assert found == [
        (
            known.point_codes[row.point], "M1", row.kind.name.lower(), row.started_at,
            pytest.approx(row.magnitude), "share", True, True, "open",
        )
        for row in expected
    ]  # fmt: skip
    sight = judge(known, BalanceGroups.from_ledger(known), whole(rows, FIRST + (DAYS - 1) * 24 + 1)[0])
    assert sorted(seen) == sorted((known.point_codes[s.point], s.question.value, s.verdict.value) for s in sight)
    assert days is not None
    assert days[1] == (DAYS - 1) * 24
    assert days[2]
    assert kept == [(FIRST + (DAYS - 1) * 24 + 1,)]


@pytest.mark.integration
def test_a_verdict_ends_a_detection_that_stands(module_database: str) -> None:
    dsn = emptied(module_database)
    rows = hours()

    async def scenario() -> None:
        version = await load(dsn, ledger())
        now = [0.0]
        async with shop_of(dsn, now) as (shop, store, assigned):
            stored = await store.ledger(version, lambda _: True)
            async with store.transaction(assigned, at=0) as tx:
                await tx.write_hours(hour_rows(rows, stored))
            for day in (100, 105, 110):
                now[0] = (FIRST + day * 24) * 3600.0
                await BalanceAgent(shop, store, OneLedger(stored), Courtesy(Calm())).once(stored)
                if day == 100:
                    with psycopg.connect(dsn) as connection:
                        connection.execute(
                            "insert into meter_verdict (detection_id, verdict) select id, 'faulty' from detection"
                        )

    asyncio.run(scenario())
    with psycopg.connect(dsn) as connection:
        found = connection.execute("select kind, state, evidence ->> 'ending' from detection_list").fetchall()
        seen = connection.execute(
            "select verdict, reason, detail ->> 'learnt_until' > detail ->> 'learnt_since' from observability"
            " o join metering_point p on p.id = o.point_id where p.code = 'P1' and question = 'drift'"
        ).fetchall()
    assert found == [("gain_step", "closed", "verdict")]
    assert seen == [("not_observable", "an error was found, and what the meter counts now is being learnt", True)]
