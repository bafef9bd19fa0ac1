"""1, 2, 4 and 8 workers on 64 partitions of the same two cores: rate, fairness, and the time after a kill.

``BENCH_ROUNDS`` (5) rounds, each of all four numbers in turn; medians are told. The goal: many workers together have
0.9 of the rate of one, for what they share is the cores, and no partition waits for another.
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
from tests.faults.harness import Arena, arena
from tests.streams.site import Site, load, produce_all

pytestmark = [pytest.mark.benchmark, pytest.mark.integration, pytest.mark.timeout(7200)]

SITE = Site(units=256, meters=50)
PARTITIONS = 64
WARM, BURST, AFTER = 3, 60, 3
NUMBERS = (1, 2, 4, 8)
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))


class Run(NamedTuple):
    """Of one number of workers."""

    readings_per_s: float
    first_done: float
    """When the first partition had all, as a share of the time until the last had. [1]"""
    after_kill_s: float


def test_workers_share_partitions_and_cores(stack: Stack, templates: tuple[str, str], tmp_path: Path) -> None:
    runs: defaultdict[int, list[Run]] = defaultdict(list)
    for _ in range(ROUNDS):
        for number in NUMBERS:
            with fresh(stack, templates[1]) as dsn:
                runs[number].append(run_of(stack, dsn, tmp_path, number))
    one = statistics.median(run.readings_per_s for run in runs[1])
    for number, found in runs.items():
        rate, first, kill = (statistics.median(values) for values in zip(*found, strict=True))
        told = {"bench": f"{number} workers, {PARTITIONS} partitions", "value": round(rate), "unit": "readings/s"}
        told |= {"of one worker": round(rate / one, 3), "first partition done at": round(first, 2)}
        told |= {"all served after a kill": round(kill, 1), "rounds": ROUNDS, "load": os.getloadavg()[0]}
        print(json.dumps(told), flush=True)  # noqa: T201 - a benchmark's output is its lines


def run_of(stack: Stack, dsn: str, logs: Path, number: int) -> Run:
    asyncio.run(load(dsn, SITE.ledger()))
    with arena(stack.access, dsn, f"bench.{uuid.uuid4().hex[:12]}", logs, partitions=PARTITIONS) as place:
        team = [place.worker(f"w{i}", collect_s=0.2) for i in range(number)]
        send(stack, place, 0, WARM)
        place.wait_until_stored(600)
        place.wait(lambda: len(owners(place)) == number, 240)
        began = time.monotonic()
        send(stack, place, WARM, BURST)
        done = finished(place, began)
        took = max(done.values())
        after = 0.0
        if number > 1:
            team[0].kill()
            killed = time.monotonic()
            send(stack, place, WARM + BURST, AFTER)
            place.wait_until_stored(300)
            after = time.monotonic() - killed
        return Run(SITE.units * SITE.meters * BURST / took, min(done.values()) / took, after)


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
