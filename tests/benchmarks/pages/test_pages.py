"""Pages over a large region: how long each takes alone, and what 200 people with a page every ten seconds wait.

``BENCH_METERS`` says of how many meters (10,000; the goal speaks of 100,000), ``BENCH_DAYS`` how many days of totals
each has (365), ``BENCH_HOURS_DAYS`` of how many of them its hours are there (9), ``BENCH_PEOPLE`` and
``BENCH_PEOPLE_S`` how many people come, and for how long (200, 120 s). ``BENCH_DSN`` is a region that is there already
(``tests.benchmarks.pages.region``). The server is a process of its own; the people are this one, which takes a share of
the same cores.

Told of a page alone is the processor time of the pages' process and of those of the database that work for it, which is
about what the clock says where nothing else runs; `clock` is what it said here, `first` the first of four runs.

Pages that are made from the ledger's history (products, reports) are not among them: this region has no history.
"""

import asyncio
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import psycopg
import pytest
from playwright.sync_api import sync_playwright

from deploy.roles import service_address
from deploy.stack.ports import free_ports
from tests.benchmarks.pages.region import POINTS, make, world_of
from tests.deploy.web.office import PASSWORD, enter
from tests.deploy.web.test_browser import CHROMIUM, FLAGS

pytestmark = [pytest.mark.benchmark, pytest.mark.integration, pytest.mark.timeout(14_400)]

METERS: Final = int(os.environ.get("BENCH_METERS", "10000"))
DAYS: Final = int(os.environ.get("BENCH_DAYS", "365"))
HOURS_DAYS: Final = int(os.environ.get("BENCH_HOURS_DAYS", "9"))
PEOPLE: Final = int(os.environ.get("BENCH_PEOPLE", "200"))
PEOPLE_S: Final = float(os.environ.get("BENCH_PEOPLE_S", "120"))
PAINTED: Final = """() => new Promise(told => new PerformanceObserver(list => {
    for (const one of list.getEntries()) if (one.name === 'first-contentful-paint') told(one.startTime);
}).observe({type: 'paint', buffered: true}))"""
THINK_S: Final = 10.0
"""Between a person's pages, on average."""
GOAL_MS: Final = 300.0
OF_UNIT: Final = (
    "/unit?unit={unit}",
    "/unit?unit={unit}&range=365d",
    "/unit/energy?unit={unit}",
    "/unit/energy?unit={unit}&range=365d",
    "/unit/compliance?unit={unit}",
    "/unit/meters?unit={unit}",
    "/unit/certificates?unit={unit}",
    "/unit/reports?unit={unit}",
    "/unit/labels?unit={unit}",
    "/point?unit={unit}&point=P3",
    "/point?unit={unit}&point=P3&range=365d",
    "/point/health?unit={unit}&point=P3",
    "/point/work?unit={unit}&point=P3",
    "/alerts",
    "/alerts/{alert}",
    "/cases",
    "/cases/{case}",
    "/reviews",
    "/account",
)
OF_REGION: Final = (
    "/today",
    "/units",
    "/units?q=M499",
    "/alerts?severity=serious",
    "/operations",
    "/operations/store",
    "/ledger",
    "/silences",
    "/rules",
    "/facts",
    "/gateways",
    "/people",
)
PAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "staff": OF_REGION + OF_UNIT,
    "inspector": ("/today", "/units", "/units?q=M499", "/silences", *OF_UNIT),
    "enterprise": (*OF_UNIT, "/ledger"),
}
OF_ADMINISTRATORS: Final = frozenset({"/people", "/gateways"})
SHARES: Final[Mapping[str, float]] = {"staff": 0.15, "inspector": 0.15, "enterprise": 0.7}


class Region(NamedTuple):
    """A filled database, and how many units it has."""

    dsn: str
    units: int


@pytest.fixture(scope="module")
def region(request: pytest.FixtureRequest) -> Region:
    if dsn := os.environ.get("BENCH_DSN", ""):
        with psycopg.connect(dsn) as connection:
            [(units,)] = connection.execute("select count(*) from unit").fetchall()
        return Region(dsn, units)
    made: str = request.getfixturevalue("module_database")
    world = world_of(METERS, DAYS, hours_days=HOURS_DAYS, readings_of_all=False)
    make(made, world, packed_days=0)
    return Region(made, world.units)


def people_of(region: Region) -> dict[str, tuple[str, str]]:
    """Logins with role and unit; the first is the chief, who is an administrator."""
    people = {"chief": ("staff", "")}
    for role, share in SHARES.items():
        for n in range(round(share * PEOPLE) - (role == "staff")):
            people[f"{role}{n}"] = role, f"U{1 + n % region.units}" if role == "enterprise" else ""
    return people


def place_of(region: Region, unit: str) -> dict[str, object]:
    """What the pages of a unit are of."""
    with psycopg.connect(region.dsn) as connection:
        found = connection.execute(
            "select min(a.id), (select min(c.id) from case_file c where c.unit_id = u.id)"
            " from unit u join alert a on a.unit_id = u.id where u.code = %s group by u.id",
            (unit,),
        ).fetchone()
    assert found is not None, "a unit of the region has an alert"
    return {"unit": unit, "alert": found[0], "case": found[1]}


@pytest.fixture(scope="module")
def known(region: Region) -> dict[str, tuple[str, str]]:
    """The people, entered."""
    people = people_of(region)
    with psycopg.connect(region.dsn) as connection:  # a region that stays has met them
        there = {login for (login,) in connection.execute("select login from person").fetchall()}
    enter(region.dsn, {login: facts for login, facts in people.items() if login not in there})
    return people


class Served:
    """Pages that run; after they ended, what they say of themselves."""

    def __init__(self, url: str, pid: int) -> None:
        self.url, self.pid = url, pid
        self.said: dict[str, Any] = {}


@contextmanager
def served(region: Region) -> Iterator[Served]:
    [port] = free_ports(1)
    dsn = service_address(region.dsn, "api", secret="of these tests")
    command = [sys.executable, "-m", "tests.benchmarks.pages.server", dsn, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        found = Served(f"http://127.0.0.1:{port}", process.pid)
        for _ in range(600):
            assert process.poll() is None, "it ended while it started"
            try:
                httpx.get(f"{found.url}/sign-in")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        try:
            yield found
        finally:
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=60)
            found.said = json.loads(said.strip().splitlines()[-1])


def working(dsn: str, pages: int) -> list[int]:
    """Processes that work for a page."""
    with psycopg.connect(dsn) as connection:
        backends = connection.execute(
            "select pid from pg_stat_activity where application_name = 'meterwarden pages'"
        ).fetchall()
    return [pages, *(pid for (pid,) in backends)]


def ran_ms(processes: Iterable[int]) -> float:
    """How long they have had a core."""
    threads = [thread for one in processes for thread in Path(f"/proc/{one}/task").glob("*/schedstat")]
    return sum(int(thread.read_text("ascii").split()[0]) for thread in threads) / 1e6


@contextmanager
def signed_in(url: str, login: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=60) as browser:
        assert browser.post("/sign-in", data={"login": login, "password": PASSWORD}).status_code == 303
        yield browser


@pytest.mark.parametrize("role", sorted(SHARES))
def test_every_page_alone(region: Region, known: dict[str, tuple[str, str]], role: str) -> None:
    login = next(one for one, (of, _) in known.items() if of == role)
    place = place_of(region, known[login][1] or "U1")
    took: dict[str, float] = {}
    first: dict[str, float] = {}
    clock: dict[str, float] = {}
    questions: dict[str, int] = {}
    with served(region) as pages, signed_in(pages.url, login) as browser:
        for path in PAGES[role]:
            runs, clocks = [], []
            for _ in range(4):
                workers = working(region.dsn, pages.pid)
                ran, began = ran_ms(workers), time.perf_counter()
                answer = browser.get(path.format(**place))
                clocks.append(1e3 * (time.perf_counter() - began))
                runs.append(ran_ms(workers) - ran)
                assert answer.status_code == 200, (path, answer.status_code, answer.text[-500:])
                asked = re.search(r'questions;desc="(\d+)"', answer.headers.get("server-timing", ""))
                questions[path] = int(asked[1]) if asked else 0
            took[path], first[path], clock[path] = statistics.median(runs[1:]), runs[0], statistics.median(clocks[1:])
    slowest = max(took, key=lambda path: took[path])
    found = {
        "bench": f"pages alone, {region.units * POINTS} meters, {DAYS} days, {role}",
        "value": round(took[slowest], 1),
        "unit": "ms, the slowest page",
        "page": slowest,
        "median": round(statistics.median(took.values()), 1),
        "clock": round(max(clock.values())),
        "first": round(max(first.values())),
        f"over_{GOAL_MS:.0f}_ms": {path: round(ms) for path, ms in took.items() if ms > GOAL_MS},
        "most_questions": max(questions.values()),
        "pages": {path: round(ms) for path, ms in sorted(took.items(), key=lambda one: -one[1])},
        "peak_mib": pages.said["peak_mib"],
        "load": os.getloadavg()[0],
    }
    print(json.dumps(found))  # noqa: T201 - what `make bench` is for


# a browser is a tool of this benchmark that the product needs not
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here (apt-get install chromium)")
@pytest.mark.usefixtures("known")
def test_first_paint(region: Region) -> None:
    """When a browser shows the first of each page: on a phone's width, nothing of it kept from before."""
    place, took = place_of(region, "U1"), {}
    with served(region) as pages, signed_in(pages.url, "chief") as chief, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for path in PAGES["staff"]:
            context = browser.new_context(viewport={"width": 390, "height": 844}, base_url=pages.url)
            context.add_cookies(
                [{"name": name, "value": value, "url": pages.url} for name, value in chief.cookies.items()]
            )
            page = context.new_page()
            page.goto(path.format(**place), timeout=120_000)
            took[path] = page.evaluate(PAINTED)
            context.close()
        browser.close()
    slowest = max(took, key=lambda path: took[path])
    found = {
        "bench": f"first paint, {region.units * POINTS} meters, {DAYS} days, staff",
        "value": round(took[slowest]),
        "unit": "ms, the slowest page",
        "page": slowest,
        "median": round(statistics.median(took.values())),
        "load": os.getloadavg()[0],
    }
    print(json.dumps(found))  # noqa: T201 - what `make bench` is for


def test_two_hundred_people(region: Region, known: dict[str, tuple[str, str]]) -> None:
    places = {unit: place_of(region, unit) for unit in {unit or "U1" for _, unit in known.values()}}
    with served(region) as pages:
        workers = lambda: working(region.dsn, pages.pid)  # noqa: E731 - asked when all have signed in, and at the end
        visits, ran = asyncio.run(_working(pages.url, known, places, workers))
    waits = sorted(one.ms for one in visits)
    wrong = Counter(one.status for one in visits if one.status != 200)
    by_page: dict[str, list[float]] = {}
    for one in visits:
        by_page.setdefault(one.page, []).append(one.ms)
    slowest = sorted(by_page, key=lambda page: -statistics.median(by_page[page]))[:5]
    found = {
        "bench": f"{len(known)} people, a page every {THINK_S:.0f} s, {region.units * POINTS} meters, {DAYS} days",
        "value": round(waits[int(0.95 * (len(waits) - 1))]),
        "unit": "ms, p95",
        "p50": round(statistics.median(waits)),
        "p99": round(waits[int(0.99 * (len(waits) - 1))]),
        "max": round(waits[-1]),
        "pages": len(visits),
        "per_s": round(len(visits) / PEOPLE_S, 1),
        "errors": dict(wrong),
        "processor_ms_a_page": {name: round(ms / len(visits), 1) for name, ms in ran.items()},
        "slowest": {page: round(statistics.median(by_page[page])) for page in slowest},
        **pages.said,
        "load": os.getloadavg()[0],
    }
    print(json.dumps(found))  # noqa: T201 - what `make bench` is for
    assert not wrong, "a page that was late is a figure, one that failed is a fault"


class Visited(NamedTuple):
    """One page of one person."""

    page: str
    status: int
    ms: float


async def _working(
    url: str,
    known: Mapping[str, tuple[str, str]],
    places: Mapping[str, dict[str, object]],
    workers: Callable[[], list[int]],
) -> tuple[list[Visited], dict[str, float]]:
    """What everybody waited for, and what the pages' and the database's processes ran; sign-ins come before."""
    chance = random.Random(17)
    visits: list[Visited] = []
    at_the_door = asyncio.Semaphore(4)
    begin, signed = asyncio.Event(), asyncio.Semaphore(0)

    async def person(login: str, role: str, unit: str, seed: int) -> None:
        own = random.Random(seed)
        pages = [page for page in PAGES[role] if login == "chief" or page not in OF_ADMINISTRATORS]
        address = {"X-Forwarded-For": f"192.0.2.{1 + seed % 254}"}  # else all would be one address to the guard
        async with httpx.AsyncClient(base_url=url, timeout=120, headers=address) as browser:
            async with at_the_door:
                answer = await browser.post("/sign-in", data={"login": login, "password": PASSWORD})
            assert answer.status_code == 303, (login, answer.status_code)
            signed.release()
            await begin.wait()
            until = time.perf_counter() + PEOPLE_S
            await asyncio.sleep(own.uniform(0, THINK_S))
            while time.perf_counter() < until:
                page = own.choice(pages)
                began = time.perf_counter()
                answer = await browser.get(page.format(**places[unit or "U1"]))
                visits.append(Visited(page, answer.status_code, 1e3 * (time.perf_counter() - began)))
                await asyncio.sleep(own.uniform(0.5 * THINK_S, 1.5 * THINK_S))

    async with asyncio.TaskGroup() as group:
        for login, (role, unit) in known.items():
            group.create_task(person(login, role, unit, chance.getrandbits(32)))
        for _ in known:
            await signed.acquire()
        before = {pid: ran_ms([pid]) for pid in workers()}
        begin.set()
    after = {pid: ran_ms([pid]) - before.get(pid, 0.0) for pid in workers()}
    pages, *_ = after
    return visits, {"pages": after[pages], "database": sum(after.values()) - after[pages]}
