"""How long every panel's question takes over a year, as the staff and as an enterprise.

``BENCH_METERS`` says of how many meters (10,000; the goal speaks of 100,000, which take half an hour to make). Every
meter has its days of the year and the hours of the last 9 days; four units have the hours of the year. ``BENCH_DSN`` is
a region that is there already (``tests.benchmarks.pages.region``).

Told is what the clock says less the time for which the database's process stood in line for a core (Linux counts it):
that is what it takes where nothing else runs. `clock` is with it, `first` the first of three runs.
"""

import json
import os
import statistics
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from dashboards.boards import BOARDS, ENTERPRISE_BOARDS
from dashboards.queries import query
from tests.benchmarks.pages.region import make, world_of
from tests.dashboards.conftest import login
from tests.dashboards.grafana import Range, expand
from tests.dashboards.world import World

pytestmark = [pytest.mark.benchmark, pytest.mark.integration, pytest.mark.timeout(14_400)]

METERS = int(os.environ.get("BENCH_METERS", "10000"))
GOAL_MS = 300.0
VARIABLES = {"unit": "U1", "carrier": "electricity", "point": "P2"}


@pytest.fixture(scope="module")
def year(request: pytest.FixtureRequest) -> tuple[str, World]:
    world = world_of(METERS, 365, hours_days=9, readings_of_all=True)
    if dsn := os.environ.get("BENCH_DSN", ""):
        with psycopg.connect(dsn) as connection:
            [(units,)] = connection.execute("select count(*) from unit").fetchall()
        return dsn, replace(world, units=units)
    made: str = request.getfixturevalue("module_database")
    make(made, world, packed_days=0)
    return made, world


@pytest.mark.parametrize("who", ["staff", "enterprise"])
@pytest.mark.parametrize(("days", "interval"), [(7, timedelta(hours=1)), (365, timedelta(days=1))])
def test_every_panel(year: tuple[str, World], who: str, days: int, interval: timedelta) -> None:
    dsn, world = year
    span = Range(since=world.end - timedelta(days=days), until=world.end, interval=interval)
    boards = BOARDS if who == "staff" else ENTERPRISE_BOARDS
    names = sorted({panel.query for board in boards for panel in board.panels if panel.query})
    with psycopg.connect(login(dsn, None if who == "staff" else 1), autocommit=True) as connection:
        took = {name: taken_by(connection, expand(query(name), span, VARIABLES)) for name in names}
    slowest = max(took, key=lambda name: took[name].alone_ms)
    found = {
        "bench": f"panels over {days} days, {world.units * world.points} meters, {who}",
        "value": round(took[slowest].alone_ms, 1),
        "unit": "ms, the slowest panel",
        "panel": slowest,
        "median": round(statistics.median(one.alone_ms for one in took.values()), 1),
        "clock": round(max(one.clock_ms for one in took.values())),
        "first": round(max(one.first_ms for one in took.values())),
        "over_300_ms": {name: round(one.alone_ms) for name, one in took.items() if one.alone_ms > GOAL_MS},
        "load": os.getloadavg()[0],
    }
    print(json.dumps(found))  # noqa: T201 - what `make bench` is for


class Taken(NamedTuple):
    """Medians of three runs, and the first of them without its wait."""

    alone_ms: float
    clock_ms: float
    first_ms: float


def taken_by(connection: psycopg.Connection, statement: str) -> Taken:
    clock, alone = [], []
    for _ in range(3):
        waited, began = _waited_ms(connection), time.perf_counter()
        connection.execute(statement.encode()).fetchall()
        clock.append(1_000 * (time.perf_counter() - began))
        alone.append(clock[-1] - (_waited_ms(connection) - waited))
    return Taken(statistics.median(alone), statistics.median(clock), alone[0])


def _waited_ms(connection: psycopg.Connection) -> float:
    """How long the connection's process has stood in line for a core."""
    _ran_ns, waited_ns, _turns = Path(f"/proc/{connection.info.backend_pid}/schedstat").read_text("ascii").split()
    return int(waited_ns) / 1e6
