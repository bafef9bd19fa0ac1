"""The views say what the tables hold, in words and units, and a question reads no more than it must."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import psycopg
import pytest

from analytics.domain.quality import hour_flag_names
from streams.ports import (
    HOUR_ROW,
    POINT_DAY_ROW,
    READING_ROW,
    TOTAL_ROW,
    SeriesName,
    Snapshot,
    TopicPartition,
    Totals,
)
from streams.store.layers import LayersPolicy
from streams.store.views import VIEWS
from tests.streams.store.conftest import opened

pytestmark = pytest.mark.integration

MINUTE = 60_000_000
DAY = 86_400_000_000
T0 = 1_790_000_000_000_000 // DAY * DAY
H0 = T0 // (60 * MINUTE)
D0 = T0 // DAY


def asked(dsn: str, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(query.encode(), parameters).fetchall()


def plan(dsn: str, query: str, *parameters: object) -> str:
    return "\n".join(row[0] for row in asked(dsn, f"explain (costs off) {query}", *parameters))


@pytest.fixture
def filled(world: str, topic: TopicPartition) -> str:
    """Forty days of four registers' quarter-hours: all but the last two days packed."""

    async def scenario() -> None:
        rows = np.zeros(4 * 40 * 96, READING_ROW)
        rows["measured_at"] = T0 + np.tile(np.arange(40 * 96), 4) * 15 * MINUTE
        rows["received_at"] = rows["measured_at"] + 1_000_000
        rows["value"] = np.tile(np.arange(40 * 96), 4) / 4
        rows["register_id"] = np.repeat(np.arange(1, 5), 40 * 96)
        rows["unit"] = 1
        now = datetime.fromtimestamp((T0 + 40 * DAY) / 1e6, UTC)
        async with opened(world) as store:
            async with store.transaction(await store.assign(topic), at=0) as tx:
                await tx.write_readings(rows)
                await tx.write_hours(np.array([(1, 1, H0, 2_500_000, 1, 0.5, 1)], HOUR_ROW))
                await tx.move_fence(7)
                await tx.save_snapshot(Snapshot(next_offset=7, ledger_version=1, state=b"abc"))
                await tx.mark_dirty(np.array([1]), np.array([H0]), np.array([H0]))
            assert len((await store.layers(LayersPolicy(rest_s=0, pack_after_h=48)).maintain(now)).packed) == 38
            async with store.totals(np.empty(0, np.int32)) as claim:
                day = np.array([D0])
                rows = np.array([(1, 1, D0, 60_000_000, 1, 1, 0), (2, 1, D0, 1, 0.5, 0.25, 9)], POINT_DAY_ROW)
                await claim.replace_point_days(rows, np.array([1]), day, day)
                series = [SeriesName(1, "unit", "", "", "electricity", "kWh")]
                total = np.array([(0, D0, 3_000_000, 0.4, 0.75, 0.5, 1, 0)], TOTAL_ROW)
                await claim.replace_unit_days(Totals(rows=total, series=series, factors=["f"]), np.array([1]), day, day)
                total["at"] = H0
                hour = np.array([H0])
                await claim.replace_unit_hours(
                    Totals(rows=total, series=series, factors=["f"]), np.array([1]), hour, hour
                )

    asyncio.run(scenario())
    with psycopg.connect(world, autocommit=True) as connection:
        connection.execute("analyze")
    return world


def test_every_view_is_there(filled: str) -> None:
    for view in VIEWS:
        asked(filled, f"select * from {view} limit 1")


def test_a_reading_has_names_unit_and_day(filled: str) -> None:
    (row,) = asked(
        filled,
        "select unit_code, point, meter_no, register, received_at - measured_at, stored_at <= now(), value, unit, "
        "quality, day from reading where measured_at = %s and meter_no = 'M3'",
        datetime.fromtimestamp(T0 / 1e6 + 900, UTC),
    )
    assert row[:4] == ("U2", "P3", "M3", "main")
    assert row[4].total_seconds() == 1
    assert row[5:9] == (True, 0.25, "kWh", 0)
    assert row[9] == datetime.fromtimestamp(T0 / 1e6, UTC).date()


def test_both_layers_answer_a_question_across_their_border(filled: str) -> None:
    query = "select count(*), sum(value), min(value), max(value) from reading where unit_code = 'U1' and point = 'P2'"
    values = np.arange(40 * 96) / 4
    assert asked(filled, query) == [(len(values), values.sum(), 0.0, values[-1])]
    since, until = (datetime.fromtimestamp((T0 + n * DAY) / 1e6, UTC) for n in (37, 39))
    between = "select count(*), sum(value) from readings(%s, %s) where meter_no = 'M2'"
    inside = values[37 * 96 : 39 * 96]
    assert asked(filled, between, since, until) == [(len(inside), inside.sum())]


def test_a_meter_and_a_time_are_looked_up_and_nothing_is_read_through(filled: str) -> None:
    since, until = (datetime.fromtimestamp((T0 + n * DAY) / 1e6, UTC) for n in (20, 21))
    told = plan(filled, "select * from readings(%s, %s) where register_id = 3", since, until)
    assert "Seq Scan on _hyper" not in told, told
    assert told.count("register_id = 3") >= 1
    assert "day >= " in told
    chunks = {word for word in told.split() if word.startswith("_hyper")}
    assert len(chunks) <= 3, told  # of the 40 narrow and 7 packed ones: the days asked for


def test_a_time_alone_reads_only_its_days(filled: str) -> None:
    since, until = (datetime.fromtimestamp((T0 + n * DAY) / 1e6, UTC) for n in (3, 4))
    told = plan(filled, "select count(*), max(value) from readings(%s, %s)", since, until)
    chunks = {word.strip('"') for word in told.split() if word.startswith("_hyper") and word.count("_") <= 4}
    assert len(chunks) <= 2, told
    recent = plan(filled, "select max(value) from reading where measured_at >= %s and day >= %s", *LATEST)
    assert len({word for word in recent.split() if word.startswith("_hyper")}) <= 3, recent


LATEST = datetime.fromtimestamp((T0 + 39 * DAY) / 1e6, UTC), datetime.fromtimestamp((T0 + 39 * DAY) / 1e6, UTC).date()


def test_a_meter_by_its_number_is_found_in_history_by_key(filled: str) -> None:
    told = plan(
        filled, "select max(value) from reading where unit_code = 'U2' and meter_no = 'M3' and day = %s", LATEST[1]
    )
    history = [line for line in told.splitlines() if "Seq Scan" in line and "_hyper" in line]
    assert history == [], told


def test_hours_and_totals_carry_unit_and_quality_in_words(filled: str) -> None:
    assert asked(
        filled, "select unit_code, point, carrier, amount, unit, measured, quality_text, revision from point_hour"
    ) == [("U1", "P1", "electricity", 2.5, "kWh", 0.5, "estimated", 0)]
    assert asked(filled, "select point, amount, quality_text from point_day order by 1") == [
        ("P1", 60.0, "measured"),
        ("P2", 1e-6, "estimated|suspect"),
    ]
    for view, at in (("unit_day", "day"), ("unit_hour", "start")):
        assert asked(
            filled, f"select unit_code, scope, carrier, amount, unit, tce, completeness, factor from {view}"
        ) == [("U1", "unit", "electricity", 3.0, "kWh", 0.4, 0.75, "f")], at


def test_completeness_counts_points_without_data_as_nothing(filled: str) -> None:
    assert asked(
        filled,
        "select unit_code, day, points_expected, points_with_data, completeness, measured from unit_completeness",
    ) == [("U1", date.fromordinal(719_163 + D0), 2, 2, 0.75, 0.625)]


def test_the_pipeline_tells_where_it_stands(filled: str) -> None:
    assert asked(
        filled,
        "select topic, partition, next_offset, snapshot_offset, snapshot_bytes, ledger_version from pipeline_state",
    ) == [("metering.readings", 0, 7, 7, 3, 1)]
    assert asked(filled, "select rejected_unrelayed, stale_marks, ledger_version from pipeline_backlog") == [(0, 1, 1)]


@pytest.mark.parametrize("quality", range(64))
def test_quality_is_called_the_same_in_the_database(module_database: str, quality: int) -> None:
    assert asked(module_database, "select hour_quality(%s::int2)", quality) == [(hour_flag_names(quality),)]


def test_a_local_day_begins_at_midnight_there(module_database: str) -> None:
    at = datetime(2026, 11, 21, 16, tzinfo=UTC)
    assert asked(module_database, "select local_day(%s), local_day(%s - interval '1 us')", at, at) == [
        (date(2026, 11, 22), date(2026, 11, 21))
    ]
