"""Kafka to TimescaleDB with broker, worker and database on the same cores; one JSON object a line.

The ceiling is what two connections copy into the same table of the same database in the same run, ready-made buffers
and nothing else. Workers copy into the table's chunks, which costs the server a quarter less. Beside the ratio of rates
stands that of the processor time a reading, which other work on the machine changes less.
"""

import asyncio
import json
import os
import re
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psycopg
import pytest
from aiokafka import AIOKafkaProducer
from numpy.typing import NDArray

from analytics.columns.register import POINT_STATE
from analytics.health.arrival import HEALTH_STATE
from deploy.stack import Stack
from deploy.stack.ports import free_ports
from ingest.kafka_access import KafkaAccess
from ingest.wire import MeterList, encode_block, partition_of
from streams.rows.layout import READING_ROW
from streams.store import readings
from tests.faults.harness import Arena, Worker, arena, spent_s
from tests.streams.site import BLOCK, MINUTE_US, Site, load, produce_all

pytestmark = [pytest.mark.benchmark, pytest.mark.integration, pytest.mark.timeout(1800)]

SITE = Site(units=200, meters=500)  # 100,000 meters
METERS = MeterList.of(SITE.names)
PARTITIONS = 8
_PACE_S = 0.02
"""How often the paced producer sends what is due: what a collector's linger would be. [s]"""


def tell(bench: str, value: float, unit: str, **more: object) -> None:
    line = json.dumps({"bench": bench, "value": float(f"{value:.4g}"), "unit": unit, **more})
    print(line, flush=True)  # noqa: T201 - a benchmark's output is its lines


class Ceiling(NamedTuple):
    """Rows a second that two connections copy into `reading_hot`, and what a row costs server and client. [1/s, us]"""

    rate: float
    cpu_us: float

    def beside(self, rate: float, split: dict[str, float]) -> dict[str, float]:
        """What a rate and the processor time of its parts are beside it."""
        spent = sum(split.values())
        return {
            "ratio_to_ceiling": round(rate / self.rate, 3),
            "ratio_of_processor_time": round(self.cpu_us / spent, 3) if spent else 0.0,
        }


def copy_ceiling(dsn: str, *, server: int, seconds: float = 6.0) -> Ceiling:
    """Measure the ceiling; `server` is the process of the database."""
    rows = np.zeros(100_000, READING_ROW)
    rows["measured_at"] = 1_700_000_000_000_000 + np.arange(len(rows))
    rows["received_at"] = rows["measured_at"]
    done = [0, 0]

    async def copy(number: int) -> None:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                async with connection.transaction():
                    done[number] += await readings.append(connection, rows)

    threads = [threading.Thread(target=lambda n=n: asyncio.run(copy(n))) for n in (0, 1)]
    began, spent = time.perf_counter(), cpu_s(server) + time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = sum(done) / (time.perf_counter() - began)
    cpu_us = (cpu_s(server) + time.process_time() - spent) / sum(done) * 1e6
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("truncate reading_hot")
    return Ceiling(rate, cpu_us)


def database_of(stack: Stack) -> int:
    """Process of the database's server."""
    return next(part.pids[0] for part in stack.status() if part.name == "postgresql")


@contextmanager
def place_for(stack: Stack, dsn: str, topic: str, logs: Path, site: Site = SITE) -> Iterator[Arena]:
    asyncio.run(load(dsn, site.ledger()))
    with arena(stack.access, dsn, topic, logs, partitions=PARTITIONS, snapshot_s=60.0, collect_s=0.2) as place:
        yield place


def cpu_s(root: int) -> float:
    """Processor time of a process and of all its children, living and gone. [s]"""
    total = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(folder.name) == root or int(fields[1]) == root:
            total += sum(map(int, fields[11:15] if int(folder.name) == root else fields[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


class Watched:
    """A worker whose counters are looked at; `split` says whose processor time the readings cost."""

    def __init__(self, place: Arena, stack: Stack | None = None, name: str = "bench") -> None:
        (self.port,) = free_ports(1)
        self._servers = {part.name: part.pids[0] for part in stack.status() if part.pids} if stack else {}
        self.split: dict[str, float] = {}
        self.started = time.perf_counter()
        self.worker: Worker = place.worker(name, metrics_port=self.port, compute_threads=2)

    def stored(self) -> float:
        try:
            page = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5).read().decode()
        except OSError:
            return 0.0
        found = re.search(r"^metering_readings_total (\S+)", page, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def rate(self, total: int) -> float:
        """Readings a second from the first to the last, once they flow."""
        begin: tuple[float, float] | None = None
        spent: dict[str, float] = {}
        while (now := self.stored()) < total:
            assert self.worker.running, self.worker.tail()
            if begin is None and now >= 0.1 * total:
                begin, spent = (time.perf_counter(), now), self._spent()
            time.sleep(0.1)
        assert begin is not None
        end, after = time.perf_counter(), self._spent()
        self.split = {name: round((after[name] - spent[name]) / (total - begin[1]) * 1e6, 2) for name in after}
        return (total - begin[1]) / (end - begin[0])

    def _spent(self) -> dict[str, float]:
        return {name: cpu_s(pid) for name, pid in {"worker": self.worker.pid, **self._servers}.items()}


def test_blocks_end_to_end(stack: Stack, database: str, topic_prefix: str, tmp_path: Path) -> None:
    ticks = 90
    with place_for(stack, database, topic_prefix + "blocks", tmp_path) as place:
        ceiling = copy_ceiling(database, server=database_of(stack))
        tell("copy_ceiling", ceiling.rate, "readings/s", cpu_us_a_reading=round(ceiling.cpu_us, 2))
        produce_all(stack.access, place.topic, SITE.blocks(0, ticks), partitions=PARTITIONS)
        watched = Watched(place, stack)
        rate = watched.rate(ticks * SITE.units * SITE.meters)
        more = ceiling.beside(rate, watched.split)
        tell("end_to_end_blocks", rate, "readings/s", **more, cpu_us_a_reading=watched.split)
        [(count, size)] = place.query("select count(*), hypertable_size('reading_hot') from reading_hot")
        tell("bytes_stored_a_reading", size / count, "byte")
        assert watched.worker.stop() == 0
        [(state,)] = place.query("select sum(length(state)) from stream_snapshot")
        tell("state_in_memory_a_meter", POINT_STATE.itemsize + HEALTH_STATE.itemsize, "byte")
        tell("state_stored_a_meter", state / (SITE.units * SITE.meters), "byte")


def test_single_json_end_to_end(stack: Stack, database: str, topic_prefix: str, tmp_path: Path) -> None:
    ticks = 15
    with place_for(stack, database, topic_prefix + "singles", tmp_path) as place:
        ceiling = copy_ceiling(database, server=database_of(stack))
        produce_all(stack.access, place.topic, SITE.singles(0, ticks), partitions=PARTITIONS)
        watched = Watched(place, stack)
        rate = watched.rate(ticks * SITE.units * SITE.meters)
        more = ceiling.beside(rate, watched.split)
        tell("end_to_end_single_json", rate, "readings/s", **more, cpu_us_a_reading=watched.split)


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_reading_to_queryable(stack: Stack, database: str, topic_prefix: str, tmp_path: Path, share: float) -> None:
    """At a share of the goal of 500,000 readings a second, paced evenly; half-way an hour of all meters closes.

    Over all readings of the run: from when their block was packed until the transaction that stored them was committed.
    """
    seconds, rate = 20.0, 500_000 * share
    with place_for(stack, database, f"{topic_prefix}paced-{share}", tmp_path) as place:
        watched = Watched(place)
        place.wait(lambda: len(place.fences()) == PARTITIONS, 60)
        asyncio.run(_pace(stack.access, place.topic, rate, seconds))
        place.wait_until_stored()
        delay, count = _delays(place)
        assert count.sum() == int(rate * seconds / SITE.meters) * SITE.meters
        p50, p99 = np.quantile(delay, [0.5, 0.99], method="inverted_cdf", weights=count)
        tell("reading_to_queryable_p99", p99, "s", readings_per_s=rate, p50=round(p50, 3), most=round(delay.max(), 3))
        tell("worker_resident_100k_meters", watched.worker.resident_bytes(), "byte")


def _delays(place: Arena) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """How long readings waited, and how many waited so long; those of a block and a transaction waited alike. [s]"""
    rows = place.query(
        "select extract(epoch from stored_at(row_xmin::xid) - received_at)::float8, n from ("
        " select xmin::text as row_xmin, received_at, count(*) as n from reading_hot group by 1, 2) g"
    )
    assert all(delay is not None for delay, _ in rows), "the server keeps commit timestamps"
    return np.array([delay for delay, _ in rows]), np.array([count for _, count in rows])


async def _pace(access: KafkaAccess, topic: str, rate: float, seconds: float) -> None:
    """Send blocks at an even rate, what is due of a partition as one batch, which takes a block a tenth of the time."""
    producer = AIOKafkaProducer(max_batch_size=2**20, **access.aio_options())
    await producer.start()
    ticks, blocks = int(rate * seconds / SITE.meters / SITE.units), int(rate * seconds / SITE.meters)
    base = time.time_ns() // 3_600_000_000_000 * 3_600_000_000 - (60 + ticks // 2) * MINUTE_US
    began, sent = time.perf_counter(), 0
    while sent < blocks:
        await asyncio.sleep(_PACE_S)
        due = min(int((time.perf_counter() - began) * rate / SITE.meters), blocks)
        batches: dict[int, Any] = {}
        for number in range(sent, due):
            tick, unit = divmod(number, SITE.units)
            code = SITE.codes[unit]
            value = _now_block(code, base + tick * MINUTE_US, SITE.values(tick))
            batch = batches.setdefault(partition_of(code, PARTITIONS), producer.create_batch())
            assert batch.append(key=code.encode(), value=value, timestamp=None, headers=BLOCK) is not None
        for partition, batch in batches.items():
            await producer.send_batch(batch, topic, partition=partition)
        sent = due
    await producer.stop()


def _now_block(code: str, at_us: int, value: NDArray[np.float64]) -> bytes:
    return encode_block(
        code,
        meters=METERS,
        meter=np.arange(SITE.meters, dtype=np.uint16),
        measured_at=np.full(SITE.meters, at_us),
        value=value,
        units=["kWh"],
        received_at=time.time_ns() // 1000,
    )


def test_restart_with_a_million_meters(stack: Stack, database: str, topic_prefix: str, tmp_path: Path) -> None:
    """From the start of the process to its first new reading stored, and what an operator waits for before."""
    site = Site(units=2000, meters=500)
    began = time.perf_counter()
    with place_for(stack, database, topic_prefix + "million", tmp_path, site) as place:
        tell("ledger_1m_meters_loaded", time.perf_counter() - began, "s")
        produce_all(stack.access, place.topic, site.blocks(0, 1), partitions=PARTITIONS)
        began = time.perf_counter()
        first = place.worker("first")
        place.wait_until_stored(300)
        tell("start_1m_meters_all_stored", time.perf_counter() - began, "s")
        began = time.perf_counter()
        assert first.stop() == 0
        tell("stop_1m_meters", time.perf_counter() - began, "s")
        produce_all(stack.access, place.topic, site.blocks(1, 1), partitions=PARTITIONS)
        before = sum(place.fences().values())
        began = time.perf_counter()
        second = place.worker("second")
        place.wait(lambda: sum(place.fences().values()) > before, 300)
        tell("restart_1m_meters_first_stored", time.perf_counter() - began, "s")
        place.wait_until_stored(300)
        tell("restart_1m_meters_all_stored", time.perf_counter() - began, "s")
        tell("worker_resident_1m_meters", second.resident_bytes(), "byte")
        assert second.stop() == 0
        produce_all(stack.access, place.topic, site.blocks(2, 1), partitions=PARTITIONS)
        fenced = place.fences()
        began = time.perf_counter()
        team = [place.worker(f"team{number}") for number in range(4)]
        place.wait(lambda: sum(place.fences().values()) > sum(fenced.values()), 300)
        tell("restart_1m_meters_4_workers_first_stored", time.perf_counter() - began, "s")
        place.wait_until_stored(300)
        tell("restart_1m_meters_4_workers_all_stored", time.perf_counter() - began, "s")
        tell("restart_1m_meters_4_workers_processor_time", sum(spent_s(worker.pid) for worker in team), "s")
        tell("worker_resident_1m_meters_4_workers", max(worker.resident_bytes() for worker in team), "byte")
