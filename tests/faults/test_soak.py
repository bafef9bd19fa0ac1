"""Long runs, by `make soak`: forty kills, how soon a killed worker's partitions go on, and that nothing leaks.

``SOAK_KILLS`` and ``SOAK_S`` make them shorter or longer. Each prints what it measured, one JSON object a line.
"""

import asyncio
import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.migrate import migrate
from deploy.settings import Settings
from deploy.stack import Stack
from tests.faults.harness import Arena, Worker, arena
from tests.faults.model import Traffic
from tests.streams.site import Site, load

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(7200)]

SITE = Site(units=24, meters=40, interval_us=15 * 60_000_000)
SEED = 20261130
KILLS = int(os.environ.get("SOAK_KILLS", "40"))
LONGEST_S = 18.0
"""From a kill to the first store of what was the killed worker's."""
SECONDS = float(os.environ.get("SOAK_S", "1200"))


def tell(what: str, **figures: object) -> None:
    print(json.dumps({"soak": what, **figures}), flush=True)  # noqa: T201 - what it measured


@pytest.fixture
def own_stack(instance: Settings) -> Stack:
    """A Kafka and a TimescaleDB that may be killed."""
    stack = Stack(instance)
    stack.up(("postgresql", "kafka"))
    migrate(stack.dsn)
    return stack


def test_kills_of_workers_broker_and_database_lose_and_double_nothing(own_stack: Stack, tmp_path: Path) -> None:
    dice = random.Random(SEED)
    shares = {"worker": KILLS // 2, "kafka": KILLS // 4, "postgresql": KILLS - KILLS // 2 - KILLS // 4}
    kills = [what for what, count in shares.items() for _ in range(count)]
    dice.shuffle(kills)
    asyncio.run(load(own_stack.dsn, SITE.ledger()))
    with arena(own_stack.access, own_stack.dsn, "kills", tmp_path) as place:
        team = [place.worker("a"), place.worker("b")]
        live = place.live(Traffic(SITE), pause_s=0.2)
        place.wait(lambda: sum(place.fences().values()) > 0, 300)
        for number, what in enumerate(kills):
            time.sleep(dice.uniform(0.3, 6.0))
            if what == "worker":
                i = dice.randrange(2)
                team[i].kill()
                team[i] = place.worker(f"{'ab'[i]}{number}")
            else:
                assert own_stack.kill(what)
                time.sleep(dice.uniform(0.0, 1.0))
                own_stack.up((what,))
        assert all(worker.running for worker in team), "no worker gives up because of a server"
        traffic = live.end()
        place.send(traffic.rest())
        place.settle(600)
        place.check(traffic)
        overlapping = place.query(
            "select count(*) from detection a join detection b on a.point_id = b.point_id and a.id < b.id"
            " and a.kind = 'duplicate' and b.kind = 'duplicate' and a.state <> 'withdrawn' and b.state <> 'withdrawn'"
            " and a.started_at <= coalesce(b.ended_at, 'infinity') and b.started_at <= coalesce(a.ended_at, 'infinity')"
        )
        states = place.query("select kind, state, count(*) from detection group by 1, 2 order by 1, 2")
        tell("kills", kills=KILLS, readings=traffic.accepted, refused=dict(traffic.refused), detections=states)
        assert overlapping == [(0,)]
        assert not [row for row in states if row[:2] in {("gap", "withdrawn"), ("duplicate", "open")}]
        assert [worker.stop() for worker in team] == [0, 0]


@pytest.mark.parametrize("session_s", [6.0, 2.0])
def test_the_partitions_of_a_killed_worker_go_on_soon(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path, session_s: float
) -> None:
    session = {"session_s": session_s, "heartbeat_s": min(1.0, session_s / 4)}
    asyncio.run(load(database, SITE.ledger()))
    with arena(stack.access, database, topic_prefix + "soon", tmp_path) as place:
        team = [place.worker(name, **session) for name in ("a", "b")]
        live = place.live(Traffic(SITE), pause_s=0.1)
        place.wait(lambda: place.owners() == {"a", "b"}, 300)
        for number in range(3):
            time.sleep(5)
            assert _kill_and_wait(place, team[0], session_s) <= LONGEST_S
            team[0] = place.worker(f"a{number}", **session)
            place.wait(lambda: place.owners() == {worker.name for worker in team}, 300)
        live.end()
        assert [worker.stop() for worker in team] == [0, 0]


def _kill_and_wait(place: Arena, worker: Worker, session_s: float) -> float:
    """Seconds until all partitions of a killed worker store again; tells how many until they moved."""
    lost = owned_by(place, worker.name)
    before = place.fences()
    worker.kill()
    killed = time.monotonic()
    wait_for(lambda: lost.isdisjoint(owned_by(place, worker.name)), 120)
    detected = time.monotonic() - killed
    wait_for(lambda: all(place.fences()[p] > before.get(p, 0) for p in lost if before.get(p)), 120)
    took = time.monotonic() - killed
    tell("first store after a kill", session_s=session_s, s=round(took, 1), taken_over_s=round(detected, 1))
    return took


def test_nothing_leaks(stack: Stack, database: str, topic_prefix: str, tmp_path: Path) -> None:
    asyncio.run(load(database, SITE.ledger()))
    with arena(stack.access, database, topic_prefix + "long", tmp_path) as place:
        worker = place.worker("a", snapshot_s=10.0)
        live = place.live(Traffic(SITE), pause_s=0.05)
        place.wait(lambda: sum(place.fences().values()) > 0, 300)
        seen: list[tuple[float, int, int]] = []
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(min(5.0, SECONDS / 20))
            seen.append((worker.resident_bytes() / 2**20, handles(worker), connections(place)))
        traffic = live.end()
        # an hour that is over and has no more readings is stored as far as it is known, which is not what is checked
        place.send(traffic.next(-(traffic.ticks - 1) % (3_600_000_000 // SITE.interval_us)))
        place.send(traffic.rest())
        rows = np.array(seen)
        middle, last = rows[len(rows) // 3 : 2 * len(rows) // 3].mean(axis=0), rows[-(len(rows) // 3) :].mean(axis=0)
        figures: dict[str, Any] = {"seconds": SECONDS, "readings": traffic.accepted}
        for name, before, after in zip(("resident_mib", "handles", "connections"), middle, last, strict=True):
            figures[name] = [round(float(before), 1), round(float(after), 1)]
        tell("nothing leaks", **figures)
        place.settle(300)
        place.check(traffic)
        assert last[0] < 1.15 * middle[0]
        assert last[1] <= middle[1] + 3
        assert last[2] <= middle[2] + 2
        assert worker.stop() == 0


def owned_by(place: Arena, name: str) -> set[int]:
    return {partition for (partition,) in place.query("select partition from stream_fence where owner = %s", name)}


def wait_for(true: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def handles(worker: Worker) -> int:
    return len(list(Path(f"/proc/{worker.pid}/fd").iterdir()))


def connections(place: Arena) -> int:
    """Of the worker's own; the server's parallel workers bear its name too, and come and go with the load."""
    [(count,)] = place.query(
        "select count(*) from pg_stat_activity"
        " where application_name = 'meterwarden a' and backend_type = 'client backend'"
    )
    return int(count)
