"""`meterwarden plan` is held against runs: what a topic and a database took, and what it says that they take."""

import asyncio
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
import pytest
from click.testing import CliRunner

from analytics.domain.errors import ConfigurationError
from deploy.cli import cli
from deploy.operations import sizing
from deploy.operations.sizing import KAFKA_JSON, needs
from deploy.stack import Stack
from streams.rows.layout import READING_ROW, Readings, TopicPartition
from streams.store.layers import LayersPolicy
from tests.faults.harness import Arena, arena
from tests.streams.site import T0_US, Site, load, produce_all
from tests.streams.store.conftest import opened

MINUTE_US = 60_000_000
PARTITIONS = 4
SIZES = {
    "1,000 meters, 4 days of 15 min": (Site(units=10, meters=100, interval_us=15 * MINUTE_US), 4),
    "4,000 meters, 4 days of 15 min": (Site(units=20, meters=200, interval_us=15 * MINUTE_US), 4),
    "1,000 meters, a day of minutes": (Site(units=10, meters=100), 1),
}
NEAR = 0.25


def planned(site: Site) -> sizing.Site:
    return sizing.Site(units=site.units, meters=site.meters, interval_s=site.interval_us / 1e6)


def size_of(place: Arena, *tables: str) -> int:
    total = 0
    for table in tables:
        [(plain, hyper)] = place.query(
            f"select pg_total_relation_size('{table}'), (select hypertable_size(hypertable_name::regclass)"
            f" from timescaledb_information.hypertables where hypertable_name = '{table}')"
        )
        total += hyper or plain
    return total


def log_size(stack: Stack, topic: str) -> int:
    return sum(file.stat().st_size for file in stack.settings.home.glob(f"data/kafka/log/{topic}-*/*.log"))


def run_of(stack: Stack, database: str, topic: str, logs: Path, size: str) -> None:
    """Send a site's readings through a worker, and hold what they took against the plan."""
    site, days = SIZES[size]
    ticks = days * 86_400_000_000 // site.interval_us + 1
    asyncio.run(load(database, site.ledger()))
    with arena(stack.access, database, topic, logs, partitions=PARTITIONS) as place:
        worker = place.worker("a")
        produce_all(stack.access, place.topic, site.blocks(0, ticks), partitions=PARTITIONS)
        place.settle(600)
        assert worker.stop() == 0
        found = {
            "kafka": log_size(stack, place.topic),
            "narrow": size_of(place, "reading_hot"),
            "results": size_of(place, "consumption_hour", "consumption_day", "unit_energy_hour", "unit_energy_day"),
        }
    need = needs(planned(site), days=days, pack_after_days=days, kept_days=days)
    said = {"kafka": need.kafka_bytes, "narrow": need.narrow_bytes, "results": need.results_bytes}
    ratios = {name: round(found[name] / said[name], 3) for name in said}
    print(json.dumps({"plan": size, "found": found, "found to said": ratios}))  # noqa: T201 - what it measured
    assert all(abs(ratio - 1) <= NEAR for ratio in ratios.values()), (ratios, found, said)


def uneven(registers: int, days: int, interval_s: int, seed: int = 11) -> Readings:
    """Dials of 0.01 kWh that loads with noise turn, read with some seconds' delay by a clock of milliseconds."""
    rng = np.random.default_rng(seed)
    ticks = days * 86_400 // interval_s
    rows = np.zeros((registers, ticks), READING_ROW)
    at = T0_US + np.arange(ticks) * interval_s * 1_000_000
    hour = (at // 3_600_000_000) % 24
    load = rng.uniform(5, 500, (registers, 1)) * (0.3 + np.sin(np.pi * hour / 24) ** 2) * rng.gamma(4, 0.25, rows.shape)
    rows["measured_at"] = at
    rows["received_at"] = at + rng.integers(500, 90_000, rows.shape) * 1000
    rows["value"] = np.round(1000 + np.cumsum(load * interval_s / 3600, axis=1), 2)
    rows["register_id"] = 1 + np.arange(registers)[:, None]
    rows["unit"] = 1
    return np.sort(rows.reshape(-1), order="measured_at", kind="stable")


@pytest.mark.integration
@pytest.mark.parametrize(("interval_s", "registers", "days"), [(900, 200, 7), (300, 100, 4), (60, 50, 2)])
def test_packed_readings_of_uneven_loads_take_what_a_plan_says(
    database: str, interval_s: int, registers: int, days: int
) -> None:
    rows = uneven(registers, days, interval_s)
    asyncio.run(load(database, Site(units=1, meters=registers).ledger()))

    async def pack() -> None:
        async with opened(database) as store:
            fence = await store.assign(TopicPartition("readings", uuid.uuid4(), 0), partitions=1)
            async with store.transaction(fence, at=0) as tx:
                await tx.write_readings(rows)
            await store.layers(LayersPolicy(rest_s=0, pack_after_h=1)).maintain(datetime.now(UTC))

    asyncio.run(pack())
    with psycopg.connect(database) as connection:
        query = "select hypertable_size('reading_history'), sum(readings) from reading_history"
        [(size, packed)] = connection.execute(query).fetchall()
    assert packed == len(rows)
    need = needs(sizing.Site(units=1, meters=registers, interval_s=interval_s), days=days, pack_after_days=0)
    told = {"packed": interval_s, "bytes a reading": round(size / packed, 2), "found to said": size / need.packed_bytes}
    print(json.dumps(told))  # noqa: T201 - as above
    assert size == pytest.approx(need.packed_bytes, rel=NEAR)


@pytest.mark.integration
def test_a_plan_is_near_what_a_run_took(stack: Stack, database: str, topic_prefix: str, tmp_path: Path) -> None:
    run_of(stack, database, topic_prefix + "sized", tmp_path, next(iter(SIZES)))


@pytest.mark.integration
@pytest.mark.soak
@pytest.mark.parametrize("size", list(SIZES)[1:])
def test_a_plan_is_near_what_larger_runs_took(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path, size: str
) -> None:
    run_of(stack, database, topic_prefix + "sized", tmp_path, size)


@pytest.mark.integration
def test_a_plan_is_near_what_single_messages_take(stack: Stack, topic_prefix: str, tmp_path: Path) -> None:
    site = Site(units=4, meters=50)
    with arena(stack.access, "", topic_prefix + "singles", tmp_path, partitions=PARTITIONS) as place:
        produce_all(stack.access, place.topic, site.singles(0, 50), partitions=PARTITIONS)
        found = log_size(stack, place.topic) / (site.units * site.meters * 50)
    assert found == pytest.approx(KAFKA_JSON, rel=NEAR)


def test_a_country_is_planned_on_paper() -> None:
    """17,000 units of 500 meters each minute: by hand from the same costs."""
    need = needs(sizing.Site(units=17_000, meters=500, interval_s=60, copies=3))
    assert need.readings_per_s == pytest.approx(8_500_000 / 60)
    assert (need.workers, need.partitions) == (17, 128)
    assert need.kafka_bytes == pytest.approx(8_500_000 * 1440 * 7 * sizing.KAFKA_BLOCK * 3)
    assert need.packed_bytes == pytest.approx(8_500_000 * 362 * (1440 * sizing.PACKED + sizing.PACKED_DAY))
    assert need.database_bytes > need.packed_bytes + need.results_bytes


def test_a_plan_is_printed_for_people_and_programs() -> None:
    asked = ["plan", "--units", "200", "--meters", "100", "--interval", "15m"]
    told = CliRunner().invoke(cli, asked)
    assert told.exit_code == 0
    assert "partitions: 8\n" in told.output
    assert "分区：8\n" in CliRunner().invoke(cli, [*asked, "--language", "zh"]).output
    plain = json.loads(CliRunner().invoke(cli, [*asked, "--json"]).output)
    assert plain["workers"] == 1
    with pytest.raises(ConfigurationError, match="units 0"):
        sizing.Site(units=0, meters=1, interval_s=60)
