"""The keeper: what ended comes back by itself, with pauses; what was stopped stays down."""

import asyncio
import dataclasses
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.keeper import Keeper
from deploy.settings import Settings
from deploy.stack import PartStatus, Stack
from deploy.stack.keeper import PAUSES_S, Hearing, KeeperPart, Patience
from deploy.stack.places import Places
from deploy.stack.processes import until
from streams.config import GROUP
from tests.conftest import private_instance
from tests.faults.harness import Arena
from tests.faults.model import Traffic
from tests.streams.site import Site, load

SITE = Site(units=8, meters=10, interval_us=15 * 60_000_000)


@pytest.fixture(scope="module")
def shared_instance() -> Iterator[Settings]:
    """An instance with a worker and a keeper, whose data the tests of this file share."""
    with private_instance() as settings:
        workers = dataclasses.replace(settings.workers, count=1)
        yield dataclasses.replace(settings, keeper="on", workers=workers)


@pytest.fixture
def kept(shared_instance: Settings) -> Iterator[Settings]:
    """The same, of which nothing runs: a test begins with what it starts itself, in whatever order they come."""
    yield shared_instance
    Stack(shared_instance).down()


def part(stack: Stack, name: str) -> PartStatus:
    return next(status for status in stack.status() if status.name == name)


def log_of(settings: Settings) -> list[str]:
    lines = (settings.home / "logs" / "keeper.log").read_text().splitlines()
    return [json.loads(line)["message"] for line in lines]


def test_pauses_grow_while_a_part_ends_again_and_again_and_a_sound_time_forgives() -> None:
    now = [1000.0]
    patience = Patience(clock=lambda: now[0])
    pauses = []
    for _ in range(8):
        patience.due("kafka")
        pauses.append(patience.wait_s("kafka"))
        now[0] += patience.wait_s("kafka")
        assert patience.due("kafka")
        patience.started("kafka")
        now[0] += 3.0
    assert pauses == [*PAUSES_S, PAUSES_S[-1], PAUSES_S[-1]]
    now[0] += 600.0
    patience.due("kafka")
    assert patience.wait_s("kafka") == PAUSES_S[0]


def test_what_cannot_be_started_is_tried_ever_more_seldom() -> None:
    now = [1000.0]
    patience = Patience(clock=lambda: now[0])
    patience.due("kafka")
    pauses = []
    for _ in range(4):
        now[0] += patience.wait_s("kafka")
        patience.failed("kafka", "only 10 MiB are free")
        pauses.append(patience.wait_s("kafka"))
    assert pauses == list(PAUSES_S[1:5])
    assert patience.facts()["kafka"]["trouble"] == "only 10 MiB are free"
    patience.there({"kafka"})
    assert patience.facts()["kafka"]["trouble"] == "", "somebody else started it"


def test_a_clock_that_is_set_back_or_forward_changes_no_pause() -> None:
    now, wall = [1000.0], [1_800_000_000.0]
    patience = Patience(clock=lambda: now[0], wall=lambda: wall[0])
    patience.due("kafka")
    assert patience.facts()["kafka"]["next_at"] == wall[0] + PAUSES_S[0], "as people have it"
    wall[0] -= 86_400.0
    assert not patience.due("kafka"), "its second is not over"
    now[0] += PAUSES_S[0]
    assert patience.due("kafka"), "it is not down until yesterday has come again"
    assert Patience().clock is time.monotonic


@pytest.mark.integration
def test_all_parts_that_are_killed_come_back_and_every_reading_is_stored_once(kept: Settings, tmp_path: Path) -> None:
    stack = Stack(kept)
    assert stack.up() == ["postgresql", "kafka", "workers"]
    assert part(stack, "keeper").healthy
    assert _page(kept, "/healthz") == (200, "ok\n")
    asyncio.run(load(stack.dsn, SITE.ledger()))
    assert until(lambda: _page(kept, "/readyz") == (200, "ok\n"), 60.0), _page(kept, "/readyz")
    place = Arena(stack.access, stack.dsn, "metering.readings", kept.kafka.partitions, tmp_path)
    live = place.live(Traffic(SITE), pause_s=0.1)
    try:
        place.wait(lambda: sum(place.fences().values()) > 50, 60)
        before = {name: part(stack, name).pids[0] for name in ("workers", "kafka", "postgresql")}
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        assert until(lambda: all(_another(stack, name, pid) for name, pid in before.items()), 90.0), log_of(kept)
        traffic = live.end()
    finally:
        place.close()
    place.send(traffic.rest())
    place.settle()
    place.check(traffic)
    assert place.query("select count(distinct consumer_group), min(consumer_group) from stream_fence") == [(1, GROUP)]
    told = part(stack, "keeper").detail
    assert all(f"brought {name} back" in told for name in ("kafka", "postgresql", "worker-1"))
    assert [line for line in log_of(kept) if line.startswith("kafka ended")] == ["kafka ended; it is started in 1 s"]


def _page(settings: Settings, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.workers.metrics_port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def _another(stack: Stack, name: str, before: int) -> bool:
    found = part(stack, name)
    return found.healthy and before not in found.pids


@pytest.mark.integration
def test_what_was_stopped_stays_down_what_cannot_start_is_told_and_down_stops_the_keeper_first(kept: Settings) -> None:
    stack = Stack(kept)
    stack.up()
    assert stack.down(["workers"]) == ["workers"]
    full = Stack(dataclasses.replace(kept, disk_free_mb=1 << 30))  # no disk has so much room
    full.up(["postgresql"])  # the keeper goes by these settings now
    assert stack.kill("kafka")
    assert until(lambda: "MiB are free under" in part(stack, "keeper").detail, 60.0), part(stack, "keeper")
    assert not part(stack, "keeper").healthy
    assert not part(stack, "workers").pids, "what `down` stopped is not brought back"
    (pid,) = part(stack, "keeper").pids
    assert stack.down() == ["postgresql"]
    assert until(lambda: not Path(f"/proc/{pid}").exists() or not stack.watched(), 60.0)
    assert not any(status.pids for status in stack.status())


@pytest.mark.integration
def test_logs_of_postgresql_stay_within_their_room(kept: Settings) -> None:
    settings = dataclasses.replace(kept, keeper="off", database=dataclasses.replace(kept.database, log_mb=6))
    stack = Stack(settings)
    stack.down()
    stack.up(["postgresql"])
    keeper, logs = Keeper(stack, KeeperPart(settings, Places.of(settings))), settings.home / "logs" / "postgresql"
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        for number in range(60):
            with pytest.raises(psycopg.errors.UndefinedColumn):
                connection.execute(b"select nothing -- " + bytes([48 + number % 10]) * 250_000)
            time.sleep(0.1)  # a log is named after the second in which it begins, so a second is never parted
    assert until(lambda: _size(logs) > 7 << 20, 60.0), "15 MB were said"
    time.sleep(5.1)  # it looks every five seconds
    keeper.ask()
    assert 0 < _size(logs) <= 7 << 20
    assert stack.down() == ["postgresql"]


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.log"))


@pytest.mark.integration
def test_a_keeper_that_is_switched_off_is_not_there(kept: Settings) -> None:
    stack = Stack(dataclasses.replace(kept, keeper="off"))
    stack.up(["postgresql"])
    assert "keeper" not in {status.name for status in stack.status()}
    assert not list((kept.home / "run").glob("keeper.json"))
    stack.down()


@pytest.mark.integration
def test_a_kafka_that_runs_and_answers_nobody_is_ended_and_comes_back(kept: Settings) -> None:
    stack = Stack(dataclasses.replace(kept, keeper="off"))
    stack.up(["kafka"])
    (before,) = part(stack, "kafka").pids
    stop, keeper = threading.Event(), Keeper(stack, KeeperPart(kept, Places.of(kept)), Hearing(patience_s=6.0))
    watching = threading.Thread(target=keeper.run, args=[stop], daemon=True)
    watching.start()
    try:
        assert not until(lambda: part(stack, "kafka").pids != (before,), 12.0), "what answers stays"
        os.kill(before, signal.SIGSTOP)
        assert until(lambda: _another(stack, "kafka", before), 60.0)
    finally:
        stop.set()
        watching.join(30.0)
    assert not watching.is_alive()
