"""How long every panel's question takes over a year, as the staff and as an enterprise.

``BENCH_METERS`` says of how many meters (10,000; the goal speaks of 100,000, which take an hour to make).
"""

import json
import os
import statistics
import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from dashboards.boards import BOARDS, ENTERPRISE_BOARDS
from dashboards.queries import query
from tests.dashboards.conftest import login
from tests.dashboards.grafana import Range, expand
from tests.dashboards.world import World, fill

pytestmark = [pytest.mark.benchmark, pytest.mark.integration, pytest.mark.timeout(14_400)]

METERS = int(os.environ.get("BENCH_METERS", "10000"))
POINTS = 500
GOAL_MS = 300.0
VARIABLES = {"unit": "U1", "carrier": "electricity", "point": "P2"}


@pytest.fixture(scope="module")
def year(module_database: str) -> tuple[str, World]:
    world = World(
        units=max(METERS // POINTS, 2),
        points=POINTS,
        sub_units=5,
        days=365,
        hours_days=7,
        deep_units=2,
        end=datetime.now(UTC).replace(minute=0, second=0, microsecond=0),
    )
    fill(module_database, world)
    return module_database, world


@pytest.mark.parametrize("who", ["staff", "enterprise"])
@pytest.mark.parametrize(("days", "interval"), [(7, timedelta(hours=1)), (365, timedelta(days=1))])
def test_every_panel(year: tuple[str, World], who: str, days: int, interval: timedelta) -> None:
    dsn, world = year
    span = Range(since=world.end - timedelta(days=days), until=world.end, interval=interval)
    boards = BOARDS if who == "staff" else ENTERPRISE_BOARDS
    names = sorted({panel.query for board in boards for panel in board.panels if panel.query})
    with psycopg.connect(login(dsn, None if who == "staff" else 1), autocommit=True) as connection:
        took_ms = {name: _median_ms(connection, expand(query(name), span, VARIABLES)) for name in names}
    slowest = max(took_ms, key=took_ms.__getitem__)
    found = {
        "bench": f"panels over {days} days, {world.units * world.points} meters, {who}",
        "value": round(took_ms[slowest], 1),
        "unit": "ms, the slowest panel",
        "panel": slowest,
        "median": round(statistics.median(took_ms.values()), 1),
        "over_300_ms": {name: round(ms) for name, ms in took_ms.items() if ms > GOAL_MS},
        "load": os.getloadavg()[0],
    }
    print(json.dumps(found))  # noqa: T201 - what `make bench` is for


def _median_ms(connection: psycopg.Connection, statement: str) -> float:
    took = []
    for _ in range(3):
        began = time.perf_counter()
        connection.execute(statement.encode()).fetchall()
        took.append(1_000 * (time.perf_counter() - began))
    return statistics.median(took)
