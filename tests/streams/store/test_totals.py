"""Stale totals are claimed by one at a time, replaced as a whole, and never forgotten."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import psycopg
import pytest

from streams.rows.layout import HOUR_ROW, POINT_DAY_ROW, TOTAL_ROW, SeriesName, TopicPartition, Totals
from streams.store.partitions import TimescaleStore
from tests.streams.store.conftest import opened

pytestmark = pytest.mark.integration

H0 = 497_208
D0 = H0 // 24
UNIT = SeriesName(1, "unit", "", "", "electricity", "kWh")
PUMP = SeriesName(1, "equipment", "pump 1", "shop 2", "electricity", "kWh")
CHANGES = (
    """
    insert into consumption_day (day, amount, point_id, unit_id, completeness, measured, quality)
    select d::date, 0.1 * p + 0.000001, p, 1, 0.7, 0.3, 0
    from generate_series(date '2025-01-20', '2025-03-05', '1 day') d, generate_series(1, 3) p
    """,
    """
    insert into consumption_day (day, amount, point_id, unit_id, completeness, measured, quality)
    select d::date, 7.3, 2, 1, 1, 1, 0 from generate_series(date '2025-03-04', '2025-03-09', '1 day') d
    on conflict (point_id, day) do update
    set amount = excluded.amount, completeness = excluded.completeness, measured = excluded.measured
    """,
    "update consumption_day set amount = amount + 0.3, completeness = 0.1 where point_id = 3 and day > '2025-02-20'",
    "update consumption_day set revision = revision + 1",
    "update consumption_day set unit_id = 2 where point_id = 3 and day between '2025-02-10' and '2025-02-25'",
    "delete from consumption_day where day = '2025-02-03' or point_id = 1 and day < '2025-02-01'",
    "delete from consumption_day where day = '2025-02-03'",
    "truncate consumption_day",
)
KEPT = (
    "select unit_id, month, point_id, round(amount, 9), days from consumption_month where days > 0 order by 1, 2, 3",
    """
    select unit_id, day, points, round(completeness, 6), round(measured, 6) from point_data_day where points > 0
    order by 1, 2
    """,
)
SUMMED = (
    """
    select unit_id, date_trunc('month', day)::date, point_id, round(sum(amount)::numeric, 9), count(*)
    from consumption_day group by 1, 2, 3 order by 1, 2, 3
    """,
    """
    select unit_id, day, count(*), round(sum(completeness::float8)::numeric, 6),
           round(sum(measured::float8)::numeric, 6)
    from consumption_day group by 1, 2 order by 1, 2
    """,
)


def ints(*values: int) -> Any:
    return np.array(values)


async def mark(store: TimescaleStore, topic: TopicPartition, *spans: tuple[int, int, int]) -> None:
    async with store.transaction(await store.assign(topic, partitions=1), at=0) as tx:
        unit, first, last = np.array(spans).T
        await tx.mark_dirty(unit.astype(np.int32), first, last)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())  # type: ignore[arg-type]  # a coroutine function's result is a coroutine


def totals(*rows: tuple[object, ...], series: list[SeriesName] | None = None) -> Totals:
    return Totals(rows=np.array(list(rows), TOTAL_ROW), series=series or [UNIT, PUMP], factors=["0.1229", "0.3"])


def asked(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def test_marks_come_as_spans_that_are_apart(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            await mark(store, topic, (2, H0, H0), (1, H0 + 5, H0 + 7), (1, H0, H0 + 1), (1, H0 + 2, H0 + 2))
            await mark(store, topic, (1, H0 + 6, H0 + 6), (1, H0 + 9, H0 + 9), (2, H0 - 3, H0 + 3))
            async with store.totals() as claim:
                spans = list(
                    zip(claim.unit_ids.tolist(), claim.first_hour.tolist(), claim.last_hour.tolist(), strict=True)
                )
            assert spans == [
                (1, H0, H0 + 2),
                (1, H0 + 5, H0 + 7),
                (1, H0 + 9, H0 + 9),
                (2, H0 - 3, H0 + 3),
            ]
            async with store.totals() as claim:
                assert len(claim.unit_ids) == 0

    run(scenario)


def test_a_failed_claim_leaves_its_marks(world: str, topic: TopicPartition) -> None:
    async def fail(store: TimescaleStore) -> None:
        async with store.totals():
            raise ZeroDivisionError

    async def scenario() -> None:
        async with opened(world) as store:
            await mark(store, topic, (1, H0, H0))
            with pytest.raises(ZeroDivisionError):
                await fail(store)
            async with store.totals() as claim:
                assert claim.unit_ids.tolist() == [1]

    run(scenario)


def test_a_unit_is_claimed_by_one_at_a_time(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as a, opened(world) as b:
            await mark(a, topic, (1, H0, H0), (2, H0, H0))
            async with a.totals(limit=1) as first:
                assert first.unit_ids.tolist() == [1]
                async with b.totals(ints(1)) as second:
                    assert second.unit_ids.tolist() == []
                async with b.totals() as third:
                    assert third.unit_ids.tolist() == [2]

    run(scenario)


def test_only_units_that_were_asked_for_are_claimed(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            await mark(store, topic, (1, H0, H0), (2, H0, H0))
            async with store.totals(ints(2, 7)) as claim:
                assert claim.unit_ids.tolist() == [2]
            async with store.totals(np.empty(0, np.int32)) as claim:
                assert claim.unit_ids.tolist() == []

    run(scenario)


def test_an_hour_written_while_its_unit_is_claimed_leaves_a_mark(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store, opened(world) as worker:
            await mark(store, topic, (1, H0, H0))
            async with store.totals() as claim:
                assert len(await claim.read_hours(ints(1), ints(H0), ints(H0 + 1))) == 0
                async with worker.transaction(await worker.assign(topic, partitions=1), at=0) as tx:
                    await tx.write_hours(np.array([(1, 1, H0, 5, 1, 1, 0)], HOUR_ROW))
                    await tx.mark_dirty(ints(1), ints(H0), ints(H0))
            async with store.totals() as claim:
                assert claim.unit_ids.tolist() == [1]
                assert (await claim.read_hours(ints(1), ints(H0), ints(H0 + 1)))["amount"].tolist() == [5]

    run(scenario)


def test_hourly_totals_are_replaced_in_their_window_only(world: str) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            async with store.totals() as claim:
                rows = [(series, H0 + k, 1_500_000, 0.25, 1, 1, 0, 0) for series in (0, 1) for k in range(3)]
                assert await claim.replace_unit_hours(totals(*rows), ints(1), ints(H0), ints(H0 + 2)) == 6
            async with store.totals() as claim:
                kept = [(0, H0, 1_500_000, 0.25, 1, 1, 0, 0), (1, H0, 2_000_000, float("nan"), 0.5, 0, 3, -1)]
                assert await claim.replace_unit_hours(totals(*kept), ints(1), ints(H0), ints(H0 + 1)) == 1
                assert await claim.replace_unit_hours(totals(*kept), ints(1), ints(H0), ints(H0 + 1)) == 0

    run(scenario)
    assert asked(
        world,
        "select s.scope, s.name, s.sub_unit, extract(epoch from t.start)::int8 / 3600, t.amount, t.tce, f.description, "
        "t.completeness, t.quality, t.unit_id from unit_energy_hour t join energy_series s on s.id = t.series_id "
        "left join factor f on f.id = t.factor_id order by 1 desc, 4",
    ) == [
        ("unit", "", "", H0, 1.5, 0.25, "0.1229", 1.0, 0, 1),
        ("unit", "", "", H0 + 2, 1.5, 0.25, "0.1229", 1.0, 0, 1),
        ("equipment", "pump 1", "shop 2", H0, 2.0, None, None, 0.5, 3, 1),
        ("equipment", "pump 1", "shop 2", H0 + 2, 1.5, 0.25, "0.1229", 1.0, 0, 1),
    ]


def test_daily_totals_of_other_units_stay(world: str) -> None:
    other = UNIT._replace(unit_id=2)

    async def scenario() -> None:
        async with opened(world) as store, store.totals() as claim:
            both = totals((0, D0, 1, 0.0, 1, 1, 0, 1), (1, D0, 2, 0.0, 1, 1, 0, 1), series=[UNIT, other])
            await claim.replace_unit_days(both, ints(1, 2), ints(D0, D0), ints(D0, D0))
            nothing = totals(series=[UNIT])
            assert await claim.replace_unit_days(nothing, ints(1), ints(D0), ints(D0 + 5)) == 0

    run(scenario)
    assert asked(world, "select unit_id, day - date '1970-01-01', amount from unit_energy_day") == [(2, D0, 2e-6)]


def test_days_of_points_are_revised_like_hours(world: str) -> None:
    def days(*rows: tuple[object, ...]) -> Any:
        return np.array(list(rows), POINT_DAY_ROW)

    async def scenario() -> None:
        async with opened(world) as store, store.totals() as claim:
            window = ints(1), ints(D0), ints(D0 + 1)
            first = days((1, 1, D0, 10, 1, 1, 0), (1, 1, D0 + 1, 20, 1, 1, 0), (2, 1, D0, 30, 1, 1, 0))
            assert await claim.replace_point_days(first, *window) == (3, 0)
            second = days((1, 1, D0, 10, 1, 1, 0), (1, 1, D0 + 1, 21, 0.5, 1, 8))
            assert await claim.replace_point_days(second, *window) == (0, 1)

    run(scenario)
    assert asked(
        world,
        "select point_id, day - date '1970-01-01', round(amount * 1e6), revision, quality from consumption_day"
        " order by 1, 2",
    ) == [(1, D0, 10, 0, 0), (1, D0 + 1, 21, 1, 8)]


def test_sums_of_days_are_those_of_the_days_whoever_changes_them(world: str) -> None:
    """Corrections, late days, days that go, a point that moves to another unit, and a table that is emptied."""
    with psycopg.connect(world, autocommit=True) as connection:
        for change in CHANGES:
            connection.execute(change.encode())
            for ours, theirs in zip(KEPT, SUMMED, strict=True):
                expected = connection.execute(theirs.encode()).fetchall()
                assert connection.execute(ours.encode()).fetchall() == expected, change
                assert expected or change.startswith("truncate")
    days = np.array([(1, 1, D0, 10, 1, 1, 0), (2, 1, D0, 30, 1, 1, 0)], POINT_DAY_ROW)

    async def scenario() -> None:
        async with opened(world) as store:
            for rows in (days, days[:1]):
                async with store.totals() as claim:
                    await claim.replace_point_days(rows, ints(1), ints(D0), ints(D0))

    run(scenario)
    assert asked(world, "select point_id, amount * 1000000, days from consumption_month where days > 0") == [(1, 10, 1)]
