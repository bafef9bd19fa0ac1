"""The demo: a made-up region of real loads through the real Kafka, worker and database, held against the truth."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from subprocess import Popen
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from analytics.domain.errors import MeterwardenError
from analytics.domain.instants import US_PER_HOUR
from deploy.first_link import first_link
from deploy.region import DEFAULT_SEED, Message, Region, build_region, region_messages, write_csv, write_xlsx
from deploy.region.fetch import fetch_outcome
from deploy.region.model import US_PER_QUARTER
from deploy.region.report import tell_account, tell_checks, tell_kinds, tell_named, tell_units
from deploy.region.session import Place, fresh_place, load, push, stored_offset, working
from deploy.region.verify import Account, account, check_conserved, check_hours, check_totals, score_detections
from deploy.region.workshop import DAYS as WORKSHOP_DAYS
from deploy.region.workshop import UNIT_CODE, build_workshop, named, settled
from deploy.settings import Settings
from deploy.stack import Stack
from deploy.stack.places import Places, exclusive
from ingest.wire import REJECTED_TOPIC
from streams.config import StreamsConfig
from streams.store.postgres.connections import connected_blocking

__all__ = ["DemoFailed", "DemoResult", "demo", "region_until"]

NAME: Final = "demo"
_TICK_S: Final = 2.0
_PATIENCE_S: Final = 180.0
_QUIET_S: Final = 2.5 * _TICK_S
_QUARTERS_PER_DAY: Final = 96
_BALANCE_S: Final = 1.0
_BALANCE_LAG_H: Final = StreamsConfig(bootstrap="", dsn="").balance_lag_h


class DemoFailed(MeterwardenError):  # noqa: N818 - named after what happened
    """The demo could not come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """Account of all readings, and comparison of all results with the truth."""

    account: Account
    ok: bool


def region_until(now_us: int, *, seed: int = DEFAULT_SEED, days: float = 30.0, units: int = 12) -> Region:
    """A region as it would be known now: nothing in it was received later.

    Parameters
    ----------
    now_us : int
        The wall clock. [us since 1970-01-01 UTC]
    days : float
        At least so long; it starts at a full hour. [d]
    """
    end = -(-now_us // US_PER_QUARTER) * US_PER_QUARTER
    start = (now_us - round(days * _QUARTERS_PER_DAY) * US_PER_QUARTER) // US_PER_HOUR * US_PER_HOUR
    span = (end - start) // US_PER_QUARTER / _QUARTERS_PER_DAY
    return build_region(seed, days=span, units=units, start_us=start, until_us=now_us, horizon_days=span)


def demo(
    settings: Settings, *, console: Console, seed: int = DEFAULT_SEED, days: float = 30.0, units: int = 12
) -> DemoResult:
    """Run the whole demo on the ordinary stack, in a database and topics of its own that each run makes anew.

    Parameters
    ----------
    settings : Settings
        Of the instance whose servers are used; they are started where they do not run.
    console : Console
        Where everything is reported, whether right or wrong.
    seed, days, units
        Of the region; see `build_region`.

    Raises
    ------
    DemoFailed
        If the worker ends, or does not get to the end of what was sent.
    StackError
        If a server cannot be started, or another demo runs in this instance.
    """
    places = Places.of(settings)
    places.make()  # before the lock: a home that the lock made would be closed to the servers' account
    with exclusive(places.run / "demo.lock", what="another `meterwarden demo`", timeout_s=0.0):
        return _demo(settings, console, seed=seed, days=days, units=units)


def _demo(settings: Settings, console: Console, *, seed: int, days: float, units: int) -> DemoResult:
    stack = Stack(settings, say=console.print)
    with _step(console, "Kafka and TimescaleDB are up"):
        stack.up(("postgresql", "kafka"))
    with _step(console, "a region made of real loads"):
        region = region_until(time.time_ns() // 1_000, seed=seed, days=days, units=units)
        messages = region_messages(region)
    numbers = {row["meter_no"] for row in region.ledger_rows} - {""}
    console.print(
        f"  {len(region.units)} units, {len(numbers)} meters at {len(region.points)} points, {days:g} days: "
        f"{region.sent:,} readings in {len(messages):,} messages, {len(region.truth.faults)} faults",
        highlight=False,
    )
    with _step(console, "a database and topics of their own"):
        place = fresh_place(settings, access=stack.access, dsn=stack.dsn, name=NAME)
    folder = settings.home / NAME
    with _step(console, "the units' ledger is loaded"):
        folder.mkdir(parents=True, exist_ok=True)
        write_csv(region.ledger_rows, folder / "ledger.csv")
        write_xlsx(region.ledger_rows, folder / "ledger.xlsx")
        load(place, folder / "ledger.xlsx")
    _through(console, settings, place, region, messages, folder / "worker.log")
    with _step(console, "compared with the truth"):
        outcome = fetch_outcome(place.dsn, region)
        accounted = account(region, outcome)
        checks = (check_hours(region, outcome), check_conserved(region, outcome), check_totals(region, outcome))
    console.print()
    tell_units(console, region, outcome)
    tell_kinds(console, score_detections(region, outcome))
    tell_account(console, accounted)
    tell_checks(console, checks)
    _workshop(console, settings, place, region)
    _tell_places(console, settings, place, folder)
    _tell_pages(console, stack, place)
    return DemoResult(account=accounted, ok=accounted.ok and all(check.ok for check in checks))


def _workshop(console: Console, settings: Settings, place: Place, region: Region) -> None:
    """A unit that was read every hour for months: its balance names the meters that are off."""
    folder = settings.home / NAME
    with _step(console, f"a workshop of {WORKSHOP_DAYS} days, every hour, and its balance"):
        workshop = build_workshop(region.end_us - US_PER_QUARTER, seed=region.seed, zone=ZoneInfo(region.zone))
        write_csv([*region.ledger_rows, *workshop.rows], folder / "ledger-with-workshop.csv")
        load(place, folder / "ledger-with-workshop.csv")
        log = folder / "workshop.log"
        with (
            working(place, home=settings.home, log=log, tick_s=_TICK_S, balance_s=_BALANCE_S) as worker,
            connected_blocking(place.dsn, "demo") as connection,
        ):
            push(place, workshop.messages)
            began = time.monotonic()
            while not settled(connection, workshop, lag_h=_BALANCE_LAG_H):
                if worker.poll() is not None:
                    raise DemoFailed(f"the worker ended with {worker.returncode}: see {log}")
                if time.monotonic() - began > _PATIENCE_S:
                    raise DemoFailed(
                        f"the worker must follow the balance of {UNIT_CODE} (it does not get to its end): see {log}"
                    )
                time.sleep(0.2)
            found = named(connection, workshop)
    tell_named(console, workshop, found)


@contextmanager
def _step(console: Console, what: str) -> Iterator[None]:
    """Tell what was done, and how long it took."""
    began = time.monotonic()
    yield
    console.print(f"{what} [dim]({time.monotonic() - began:.1f} s)[/]", highlight=False)


def _through(
    console: Console, settings: Settings, place: Place, region: Region, messages: list[Message], log: Path
) -> None:
    """Send everything, let a worker take it, and wait until all of it is stored."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(1, "push") as thread:
        sending = _Meter(progress, "readings sent to Kafka", region.sent)
        storing = _Meter(progress, "messages stored by the worker", len(messages), per=region.sent)
        with working(place, home=settings.home, log=log, tick_s=_TICK_S) as worker:
            pushing = thread.submit(push, place, messages, report=sending.at)
            totals_s = _until_stored(place, worker, pushing, storing, log)
            began = time.monotonic()
        stopped_s = time.monotonic() - began
    console.print(
        f"  sent in {sending.seconds:.1f} s; stored after {storing.seconds:.1f} s, the worker's start included; totals "
        f"of units {totals_s:.1f} s later; the worker stopped in {stopped_s:.1f} s",
        highlight=False,
    )


class _Meter:
    """A bar of progress with its rate in readings."""

    def __init__(self, progress: Progress, what: str, total: int, *, per: int | None = None) -> None:
        self._progress = progress
        self._began = time.monotonic()
        self._share = (per or total) / max(total, 1)
        self._task = progress.add_task(what, total=total, rate="")
        self.total = total
        self.seconds = 0.0

    @property
    def full_at(self) -> float:
        """When it was last moved, by the monotonic clock. [s]"""
        return self._began + self.seconds

    def at(self, done: int) -> None:
        """Show how many are done, and the rate."""
        self.seconds = time.monotonic() - self._began
        rate = f"{done * self._share / max(self.seconds, 1e-3):,.0f} readings/s"
        self._progress.update(self._task, completed=done, rate=rate)


def _until_stored(
    place: Place, worker: Popen[bytes], pushing: Future[dict[int, int]], storing: _Meter, log: Path
) -> float:
    """Wait until the fences stand at the end, no total is stale, and silence was looked for once.

    Returns how long after the last message the totals were made. [s]
    """
    before, moved = (-1, -1), time.monotonic()
    with connected_blocking(place.dsn, "demo") as connection:
        while True:
            if worker.poll() is not None:
                raise DemoFailed(f"the worker ended with {worker.returncode}: see {log}")
            if pushing.done():
                pushing.result()  # raises what went wrong there
            now, (offset, stale) = time.monotonic(), stored_offset(connection, place)
            if offset > before[0] and offset <= storing.total:
                storing.at(offset)
            if (offset, stale) != before:
                before, moved = (offset, stale), now
            if offset >= storing.total and now - moved > (_PATIENCE_S if stale else _QUIET_S):
                return max(moved - storing.full_at, 0.0)  # totals that stay stale are found by the checks
            if now - moved > _PATIENCE_S:
                raise DemoFailed(f"the worker must store all {storing.total} messages (got to {offset}): see {log}")
            time.sleep(0.1)


def _tell_pages(console: Console, stack: Stack, place: Place) -> None:
    """Where the region can be looked at, until `meterwarden down`."""
    url = stack.show(place.dsn)
    if not url:
        return
    lines = [("pages", f"{url}, until `meterwarden down`")]
    link = first_link(place.dsn, url)
    if link:
        lines.append(("sign in", f"{link} (once, within 24 h)"))
    for what, where in lines:
        console.print(f"{what:<14}", where, soft_wrap=True, highlight=False, markup=False)


def _tell_places(console: Console, settings: Settings, place: Place, folder: Path) -> None:
    """Where to look."""
    address = urlsplit(place.dsn)
    psql = next(settings.cache.glob("postgresql-*/root/usr/lib/postgresql/*/bin/psql"), Path("psql"))
    secret = quote(str(settings.home / "secrets" / "database_password"))
    password = f'PGPASSWORD="$(cat {secret})" ' if settings.database.dsn is None else ""
    database = address.path.lstrip("/")
    connect = f"{password}{quote(str(psql))} -h {address.hostname} -p {address.port} -U {address.username} {database}"
    for what, where in (
        ("database", connect),
        ("its views", "unit_day, unit_hour, point_hour, reading, detection_list, pipeline_state, ledger_meter"),
        ("rejected", "table rejected: unit_code, reason, required, got, payload"),
        ("topics", f"{place.topic} and {place.kafka.topic(REJECTED_TOPIC)} at {place.kafka.bootstrap}"),
        ("ledger", f"{folder / 'ledger.xlsx'} and {folder / 'ledger.csv'}"),
        ("worker's log", str(folder / "worker.log")),
        ("servers' logs", str(settings.home / "logs")),
    ):
        console.print(f"{what:<14}", where, soft_wrap=True, highlight=False, markup=False)
