"""The views say what the tables hold, in words and units, and a question reads no more than it must."""

import asyncio
import re
import uuid
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import psycopg
import pytest

from analytics.domain.quality import hour_flag_names
from streams.rows.layout import (
    HOUR_ROW,
    POINT_DAY_ROW,
    READING_ROW,
    TOTAL_ROW,
    Readings,
    SeriesName,
    Snapshot,
    TopicPartition,
    Totals,
)
from streams.store.layers import LayersPolicy
from streams.store.views import VIEWS
from tests.streams.store.conftest import opened, peopled

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


@pytest.fixture(scope="module")
def filled(module_database: str) -> str:
    """Forty days of quarter-hours: those of the last two days indexed, the others packed; and some of all the rest."""
    dsn = peopled(module_database)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(CROWD)
    asyncio.run(fill(dsn))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("analyze")
    return dsn


CROWD = """
insert into meter (id, unit_id, meter_no, serial_no) overriding system value
    select i, 2, 'M' || i, 'S' || i from generate_series(1001, 1300) i;
insert into register (id, unit_id, meter_id) overriding system value select i, 2, i from generate_series(1001, 1300) i;
"""
CROWDED = (20, 39)  # days on which many more registers have readings


def quarter_hours(registers: np.ndarray[Any, Any], day: int, days: int) -> Readings:
    at = np.arange(day * 96, (day + days) * 96)
    rows = np.zeros(len(registers) * len(at), READING_ROW)
    rows["measured_at"] = T0 + np.tile(at, len(registers)) * 15 * MINUTE
    rows["received_at"] = rows["measured_at"] + 1_000_000
    rows["value"] = np.tile(at, len(registers)) / 4
    rows["register_id"] = np.repeat(registers, len(at))
    rows["unit"] = 1
    return rows


async def fill(dsn: str) -> None:
    partition = TopicPartition("metering.readings", uuid.uuid4(), 0)
    now = datetime.fromtimestamp((T0 + 40 * DAY) / 1e6, UTC)
    async with opened(dsn) as store:
        async with store.transaction(await store.assign(partition, partitions=1), at=0) as tx:
            await tx.write_readings(quarter_hours(np.arange(1, 5), 0, 40))
            for day in CROWDED:
                await tx.write_readings(quarter_hours(np.arange(1001, 1301), day, 1))
            await tx.write_hours(np.array([(1, 1, H0, 2_500_000, 1, 0.5, 1)], HOUR_ROW))
            await tx.move_fence(7, b"")
            await tx.save_snapshot(Snapshot(next_offset=7, ledger_version=1, state=b"abc"))
            await tx.mark_dirty(np.array([1]), np.array([H0]), np.array([H0]))
        layers = store.layers(LayersPolicy(rest_s=0, pack_after_h=48))
        done = await layers.maintain(now)
        assert (len(done.packed), len(done.sealed)) == (38, 2)
        assert len((await layers.maintain(now)).dropped) == 38
        async with store.totals(np.empty(0, np.int32)) as claim:
            unit, day_, hour = np.array([1]), np.array([D0]), np.array([H0])
            days = np.array([(1, 1, D0, 60_000_000, 1, 1, 0), (2, 1, D0, 1, 0.5, 0.25, 9)], POINT_DAY_ROW)
            await claim.replace_point_days(days, unit, day_, day_)
            totals = Totals(
                rows=np.array([(0, D0, 3_000_000, 0.4, 0.75, 0.5, 1, 0)], TOTAL_ROW),
                series=[SeriesName(1, "unit", "", "", "electricity", "kWh")],
                factors=["f"],
            )
            await claim.replace_unit_days(totals, unit, day_, day_)
            totals.rows["at"] = H0
            await claim.replace_unit_hours(totals, unit, hour, hour)


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


def chunks(told: str) -> set[str]:
    """Chunks whose rows a plan reads."""
    return set(re.findall(r" on (_hyper_\d+_\d+_chunk) ", told + "\n"))


def read_through(told: str) -> list[str]:
    """Chunks that a plan reads from end to end."""
    return re.findall(r"Seq Scan on (_hyper_\d+_\d+_chunk)", told)


def instants(*days: int) -> list[datetime]:
    return [datetime.fromtimestamp((T0 + day * DAY) / 1e6, UTC) for day in days]


@pytest.mark.parametrize("day", CROWDED)
@pytest.mark.parametrize("which", ["register_id = 3", "unit_code = 'U2' and meter_no = 'M3'", "point = 'P3'"])
def test_a_meter_and_a_time_are_looked_up_and_nothing_is_read_through(filled: str, day: int, which: str) -> None:
    told = plan(filled, f"select * from readings(%s, %s) where {which}", *instants(day, day + 1))
    assert 1 <= len(chunks(told)) <= 2, told  # of 2 narrow and 6 packed ones: those of the days asked for
    assert read_through(told) == [], told
    assert "_register" in told or "_pkey" in told, told


def test_a_meter_without_a_time_is_found_by_key_in_both_layers(filled: str) -> None:
    told = plan(filled, "select max(value) from reading where unit_code = 'U2' and meter_no = 'M3'")
    assert all(chunk not in told for chunk in read_through(told) if rows_of(filled, chunk) > 1000), told


def rows_of(dsn: str, chunk: str) -> int:
    ((count,),) = asked(dsn, f"select count(*) from _timescaledb_internal.{chunk}")
    return int(count)


def test_a_time_alone_reads_only_its_days(filled: str) -> None:
    told = plan(filled, "select count(*), max(value) from readings(%s, %s)", *instants(3, 4))
    assert len(chunks(told)) == 1, told
    told = plan(filled, "select max(value) from reading where measured_at >= %s and day >= %s", *LATEST)
    assert 1 <= len(chunks(told)) <= 2, told
    told = plan(filled, "select max(value) from readings(now() - interval '1 hour', now())")
    assert len(chunks(told)) == 0 or "Chunks excluded" in told, told


LATEST = instants(39)[0], instants(39)[0].date()


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


def test_quality_is_called_the_same_in_the_database(filled: str) -> None:
    told = asked(filled, "select q, hour_quality(q::int2) from generate_series(0, 63) q")
    assert told == [(quality, hour_flag_names(quality)) for quality in range(64)]


def test_a_local_day_begins_at_midnight_there(filled: str) -> None:
    at = datetime(2026, 11, 21, 16, tzinfo=UTC)
    assert asked(filled, "select local_day(%s), local_day(%s - interval '1 us')", at, at) == [
        (date(2026, 11, 22), date(2026, 11, 21))
    ]
