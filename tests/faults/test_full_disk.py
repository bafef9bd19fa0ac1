"""A disk that fills, the database's or Kafka's: what is seen, and that nothing is lost once there is room again."""

import asyncio
import dataclasses
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.operations.standing import standings
from deploy.settings import Settings
from deploy.stack import Stack
from streams.config import GROUP
from tests.conftest import private_instance
from tests.faults.harness import Arena
from tests.faults.model import Traffic
from tests.streams.site import Site, load

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

SITE = Site(units=8, meters=100, interval_us=15 * 60_000_000)
TOPIC = "metering.readings"
ROOM_MB = {"postgresql": 900, "kafka": 300}
SOON_S = 300.0


@pytest.fixture
def small() -> Iterator[Settings]:
    """An instance with a worker and a keeper; data of each server on a small disk of its own."""
    with private_instance() as plain:
        folders = [plain.home / "data" / name for name in ROOM_MB]
        try:
            for folder in folders:
                folder.mkdir(parents=True)
                size = f"size={ROOM_MB[folder.name]}m"
                mounted = subprocess.run(
                    ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], capture_output=True, check=False
                )
                if mounted.returncode != 0:
                    pytest.skip("NOT CHECKED: a disk that fills is a small tmpfs, which this user may not mount")
            yield dataclasses.replace(
                plain,
                keeper="on",
                workers=dataclasses.replace(plain.workers, count=1),
                database=dataclasses.replace(plain.database, wal_mb=256),
            )
        finally:
            Stack(plain).down()
            for folder in folders:
                subprocess.run(["umount", str(folder)], capture_output=True, check=False)


@pytest.mark.parametrize("server", list(ROOM_MB))
def test_a_full_disk_is_told_and_nothing_is_lost(small: Settings, server: str, tmp_path: Path) -> None:
    stack = Stack(small)
    stack.up()
    asyncio.run(load(stack.dsn, SITE.ledger()))
    place = Arena(stack.access, stack.dsn, TOPIC, small.kafka.partitions, tmp_path)
    live = place.live(Traffic(SITE), pause_s=0.1)
    ballast = small.home / "data" / server / "ballast"
    try:
        place.wait(lambda: sum(place.fences().values()) > 20, SOON_S)
        if server == "kafka":
            traffic = live.end()  # what it refuses, a sender sends again: here it is about what it had acknowledged
        with filling(ballast) as fill:

            def filled() -> str:
                fill()
                return what_is_seen(stack, server)

            seen = until(filled)
        began = time.monotonic()
        assert seen, "the operator sees that something is wrong, and with what"
        place.wait(lambda: all(part.healthy for part in stack.status()), SOON_S, stack.status)
        if server == "kafka":
            place.send(traffic.next(8))
        else:
            moved(place)
            traffic = live.end()
        told = {"full disk of": server, "seen": seen[:200], "well again after": round(time.monotonic() - began)}
        print(json.dumps(told))  # noqa: T201 - shown where the test fails, and with -s
    finally:
        place.close()
    place.send(traffic.rest())
    place.settle(SOON_S)
    place.check(traffic)


class filling:  # noqa: N801 - reads as what it does
    """A file that takes all of a disk's room, again and again while asked; it is gone afterwards."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> Callable[[], None]:
        return self._fill

    def _fill(self) -> None:
        with suppress(OSError), self._file.open("ab") as stream:
            while True:
                stream.write(bytes(1 << 16))
                stream.flush()

    def __exit__(self, *_: object) -> None:
        self._file.unlink(missing_ok=True)


def what_is_seen(stack: Stack, server: str) -> str:
    """What `meterwarden status` shows of it; empty while all is well."""
    bad = [part for part in stack.status() if part.name == server and not part.healthy]
    if bad:
        return f"{server}: {bad[0].detail}"
    try:
        found = standings(stack.access, stack.dsn, group=GROUP, topic=TOPIC, patience_s=0.0)
    except Exception as error:  # noqa: BLE001 - whatever the command would print
        return str(error)
    return next((one.detail for one in found if one.state == "standing" and one.detail), "")


def moved(place: Arena) -> None:
    """Wait until something more is stored."""
    before = sum(place.fences().values())
    place.wait(lambda: sum(place.fences().values()) > before, SOON_S)


def until(seen: Callable[[], str | None]) -> str:
    deadline = time.monotonic() + SOON_S
    while time.monotonic() < deadline:
        if text := seen():
            return text
        time.sleep(0.5)
    return ""
