"""1, 2, 4 and 8 workers on 64 partitions of the same two cores: rate, fairness, and the time after a kill.

``BENCH_ROUNDS`` (5) rounds, each of all ``BENCH_WORKERS`` (1,2,4,8) in turn; medians are told. The goal: many workers
together have 0.9 of the rate of one, for what they share is the cores, and no partition waits for another. Where other
work keeps the machine busy, the rate says little: the processor time a reading is told beside it, of workers, database
and Kafka.
"""

import asyncio
import json
import os
import statistics
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from psycopg import sql

from deploy.stack import Stack
from ingest.wire import partition_of
from tests.faults.harness import Arena, Worker, arena, spent_s
from tests.streams.site import Site, load, produce_all

pytestmark = [pytest.mark.benchmark, pytest.mark.integration, pytest.mark.timeout(7200)]

SITE = Site(units=256, meters=50)
PARTITIONS = 64
WARM, BURST, AFTER = 3, 120, 3
CALM_S, IDLE_S = 5, 5.0
NUMBERS = tuple(map(int, os.environ.get("BENCH_WORKERS", "1,2,4,8").split(",")))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))


class Run(NamedTuple):
    """Of one number of workers."""

    readings_per_s: float
    first_done: float
    """When the first partition had all, as a share of the time until the last had. [1]"""
    after_kill_s: float
    worker_us: float
    """Processor time of the workers. [us/reading]"""
    database_us: float
    kafka_us: float
    transactions: int
    """Until all was stored, of whatever kind."""
    idle: float
    """Processor time that all workers take together with nothing to do. [s/s]"""


def test_workers_share_partitions_and_cores(stack: Stack, templates: tuple[str, str], tmp_path: Path) -> None:
    runs: defaultdict[int, list[Run]] = defaultdict(list)
    for _ in range(ROUNDS):
        for number in NUMBERS:
            with fresh(stack, templates[1]) as dsn:
                runs[number].append(run_of(stack, dsn, tmp_path, number))
    one = statistics.median(run.readings_per_s for run in runs[1])
    for number, found in runs.items():
        rate, first, kill, *costs = (statistics.median(values) for values in zip(*found, strict=True))
        told = {"bench": f"{number} workers, {PARTITIONS} partitions", "value": round(rate), "unit": "readings/s"}
        told |= {"of one worker": round(rate / one, 3), "first partition done at": round(first, 2)}
        told |= {"all served after a kill": round(kill, 1), "rounds": ROUNDS, "load": os.getloadavg()[0]}
        told |= dict(zip(("us worker", "us database", "us kafka", "transactions", "idle"), costs, strict=True))
        print(json.dumps(told), flush=True)  # noqa: T201 - a benchmark's output is its lines


def run_of(stack: Stack, dsn: str, logs: Path, number: int) -> Run:
    asyncio.run(load(dsn, SITE.ledger()))
    with arena(stack.access, dsn, f"bench.{uuid.uuid4().hex[:12]}", logs, partitions=PARTITIONS) as place:
        # judging units and balances is the same work however many workers share it, and not what is compared
        alone = {"collect_s": 0.2, "compliance_s": 3600.0, "balance_s": 0.0}
        team = [place.worker(f"w{i}", **alone) for i in range(number)]
        send(stack, place, 0, WARM)
        place.wait_until_stored(600)
        place.wait(lambda: len(owners(place)) == number and settled(place), 300)
        before, rested = Costs.of(stack, place, team), time.monotonic()
        time.sleep(IDLE_S)
        began = time.monotonic()
        idle = (Costs.of(stack, place, team).workers_s - before.workers_s) / (began - rested)
        before = Costs.of(stack, place, team)
        send(stack, place, WARM, BURST)
        done = finished(place, began)
        took = max(done.values())
        costs, readings = Costs.of(stack, place, team), SITE.units * SITE.meters * BURST
        after = 0.0
        if number > 1:
            team[0].kill()
            killed = time.monotonic()
            send(stack, place, WARM + BURST, AFTER)
            place.wait_until_stored(300)
            after = time.monotonic() - killed
        worker, database, kafka = (
            round((now - then) / readings * 1e6, 3) for now, then in zip(costs[:3], before[:3], strict=True)
        )
        return Run(
            readings_per_s=readings / took,
            first_done=min(done.values()) / took,
            after_kill_s=after,
            worker_us=worker,
            database_us=database,
            kafka_us=kafka,
            transactions=costs.transactions - before.transactions,
            idle=round(idle, 3),
        )


class Costs(NamedTuple):
    """What was spent until now."""

    workers_s: float
    database_s: float
    kafka_s: float
    transactions: int

    @classmethod
    def of(cls, stack: Stack, place: Arena, team: list[Worker]) -> "Costs":
        pids = {part.name: part.pids[0] for part in stack.status() if part.name in {"kafka", "postgresql"}}
        database = [pids["postgresql"], *children(pids["postgresql"])]
        ((transactions,),) = place.query("select xact_commit from pg_stat_database where datname = current_database()")
        return cls(
            sum(spent_s(worker.pid) for worker in team),
            sum(map(spent_s, database)),
            spent_s(pids["kafka"]),
            transactions,
        )


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def finished(place: Arena, began: float) -> dict[int, float]:
    """Seconds until each partition that readings go to had all of them."""
    ends = place.ends()
    left = {partition_of(code, PARTITIONS) for code in SITE.codes}
    done: dict[int, float] = {}
    while left:
        fences = place.fences()
        for partition in [one for one in left if fences.get(one, 0) >= ends[one]]:
            done[partition] = time.monotonic() - began
            left.remove(partition)
        assert time.monotonic() - began < 600, left
        time.sleep(0.05)
    return done


def settled(place: Arena) -> bool:
    """Whether no partition has changed hands for a while."""
    ((calm,),) = place.query(f"select max(assigned_at) < now() - interval '{CALM_S} s' from stream_fence")
    return bool(calm)


def owners(place: Arena) -> set[str]:
    query = "select distinct on (partition) owner from stream_fence order by partition, assigned_at desc"
    return {owner for (owner,) in place.query(query)}


def send(stack: Stack, place: Arena, first: int, count: int) -> None:
    produce_all(stack.access, place.topic, SITE.blocks(first, count), partitions=PARTITIONS)


@contextmanager
def fresh(stack: Stack, template: str) -> Iterator[str]:
    """A migrated database of its own."""
    name = sql.Identifier(f"bench_{uuid.uuid4().hex[:12]}")
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {} template {}").format(name, sql.Identifier(template)))
        try:
            yield stack.dsn.rpartition("/")[0] + f"/{name.as_string().strip(chr(34))}"
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(name))
