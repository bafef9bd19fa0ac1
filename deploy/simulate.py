"""The demo's region as it goes on: readings pushed into the ordinary stack by the clock, or faster."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Final

from analytics.domain.errors import ConfigurationError
from analytics.domain.instants import US_PER_HOUR
from deploy.region import DEFAULT_SEED, Message, Region, build_region, region_messages, write_xlsx
from deploy.region.session import Place, load, send
from deploy.settings import Settings
from deploy.stack import Stack
from deploy.terminal import counted
from ingest.kafka.publisher import Publisher
from streams.store.postgres.connections import connected_blocking

__all__ = ["LONGEST_PAST_S", "Pace", "Progress", "anchor", "play", "simulate"]

LONGEST_PAST_S: Final = 30 * 86_400.0
"""So far back a simulation begins that is to catch up with the clock. [s]"""

_DAY_US: Final = 24 * US_PER_HOUR
_HORIZON_DAYS: Final = 30.0
_LIVE_SPAN_US: Final = 60_000_000
_ROUND_S: Final = 0.25
_MARK: Final = "simulated region: seed {seed}, {units} units, from {start_us}"
_MARKED: Final = re.compile(r"simulated region: seed (\d+), (\d+) units, from (\d+)")
_SOURCES: Final = "select source from ledger_version where source like 'simulated region: %' order by id desc limit 1"
_STRANGERS: Final = "select count(*) from unit where code not like '91999900DEMO%'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How simulated time follows the clock.

    Attributes
    ----------
    begin_us : int
        Simulated time at the beginning. [us since 1970-01-01 UTC]
    speed : float
        Simulated seconds a second, until the clock is reached. [1]
    """

    begin_us: int
    speed: float

    @classmethod
    def of(cls, *, now_us: int, speed: float, for_s: float | None, reached_us: int | None) -> "Pace":
        """Pace of a simulation.

        In real time it begins now. Faster than that it goes on where it stood, or else begins so far back that it
        meets the clock when `for_s` is over, at most `LONGEST_PAST_S`.

        Examples
        --------
        >>> Pace.of(now_us=10**12, speed=61.0, for_s=60.0, reached_us=None).begin_us == 10**12 - 3_600_000_000
        True
        """
        if speed <= 1.0:
            return cls(begin_us=now_us, speed=speed)
        if reached_us is not None:
            return cls(begin_us=min(reached_us, now_us), speed=speed)
        past_s = LONGEST_PAST_S if for_s is None else min((speed - 1.0) * for_s, LONGEST_PAST_S)
        return cls(begin_us=now_us - int(past_s * 1e6), speed=speed)

    def simulated(self, elapsed_s: float, now_us: int) -> int:
        """Simulated time; never later than the clock. [us since 1970-01-01 UTC]"""
        return min(self.begin_us + int(self.speed * elapsed_s * 1e6), now_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a simulation is, and when the next message is due, in simulated time. [us since 1970-01-01 UTC]"""

    simulated_us: int
    due_us: int
    readings: int
    messages: int


def anchor(dsn: str) -> tuple[int, int, int] | None:
    """Seed, units and start of the region that a database knows, None where it knows none.

    Raises
    ------
    ConfigurationError
        If the database also holds units that are not made up.
    """
    with connected_blocking(dsn, "simulate") as connection:
        strangers = connection.execute(_STRANGERS).fetchone()
        if strangers is not None and strangers[0]:
            raise ConfigurationError(
                f"a simulation must have a database without real units (got one with {strangers[0]}); "
                "set METERWARDEN_HOME to a folder of its own"
            )
        row = connection.execute(_SOURCES).fetchone()
    found = _MARKED.fullmatch(row[0]) if row is not None else None
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def simulate(
    settings: Settings,
    *,
    speed: float = 1.0,
    for_s: float | None = None,
    seed: int = DEFAULT_SEED,
    units: int = 12,
    say: Callable[[str], None],
    report: Callable[[Progress], None],
) -> Progress:
    """Push the region's readings into the ordinary stack until interrupted, or until `for_s` is over.

    A simulation that ran before goes on: same region, same registers.

    Parameters
    ----------
    settings : Settings
        Of the instance; what does not run of it is started.
    speed : float
        Simulated seconds a second; what is faster than the clock begins in the past. [1]
    for_s : float, optional
        How long; without end if None. [s]
    seed, units
        Of a region that is begun; one that goes on keeps its own.
    say, report : callables
        Get a line at each step, and the progress a few times a second.
    """
    stack = Stack(settings, say=say)
    stack.up()
    place = Place(dsn=stack.dsn, kafka=stack.kafka_config)
    zone = settings.zone.key  # the arrays of one gateway say local time without an offset
    folder = settings.home / "simulation"
    folder.mkdir(parents=True, exist_ok=True)
    known = anchor(place.dsn)
    reached = folder / "reached_us"
    now_us = time.time_ns() // 1_000
    pace = Pace.of(now_us=now_us, speed=speed, for_s=for_s, reached_us=_reached(reached) if known else None)
    if known is None:
        start_us = pace.begin_us // US_PER_HOUR * US_PER_HOUR
        _load_ledger(place, folder, seed=seed, units=units, start_us=start_us, zone=zone)
        say(f"the ledger of {counted(units, 'unit')} is loaded")
    else:
        seed, units, start_us = known
        say(f"the region of {_shown(start_us)} goes on")
        pace = Pace(begin_us=max(pace.begin_us, start_us), speed=speed)

    def note(progress: Progress) -> None:
        reached.write_text(str(progress.simulated_us), encoding="ascii")
        report(progress)

    upcoming = _upcoming(seed=seed, units=units, start_us=start_us, begin_us=pace.begin_us, zone=zone)
    return play(place, upcoming, pace, for_s=for_s, report=note)


def _shown(us: int) -> str:
    return f"{datetime.fromtimestamp(us / 1e6, UTC):%Y-%m-%d %H:%M} UTC"


def _reached(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _load_ledger(place: Place, folder: Path, *, seed: int, units: int, start_us: int, zone: str) -> None:
    region = build_region(seed, days=1.0, units=units, start_us=start_us, zone=zone, horizon_days=_HORIZON_DAYS)
    write_xlsx(region.ledger_rows, folder / "ledger.xlsx")
    load(place, folder / "ledger.xlsx", source=_MARK.format(seed=seed, units=units, start_us=start_us))


def _upcoming(*, seed: int, units: int, start_us: int, begin_us: int, zone: str) -> Iterator[Message]:
    """Messages from `begin_us` on, without end: the region is made longer when they run out."""
    days = max((begin_us - start_us) / _DAY_US, 0.0) + _HORIZON_DAYS
    after_us = begin_us
    while True:
        region: Region = build_region(
            seed, days=days, units=units, start_us=start_us, zone=zone, horizon_days=_HORIZON_DAYS
        )
        # what arrives in the last hours is not complete: something of it may be said later
        until_us = region.end_us - 2 * US_PER_HOUR
        messages = region_messages(region, span_us=_LIVE_SPAN_US, after_us=after_us)
        yield from takewhile(lambda message, end=until_us: message.at < end, messages)  # type: ignore[misc]
        after_us = until_us
        days += _HORIZON_DAYS


def play(
    place: Place,
    upcoming: Iterator[Message],
    pace: Pace,
    *,
    for_s: float | None = None,
    report: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Send messages when their time has come; ends when `for_s` is over, on Ctrl-C, or with the last message.

    Returns
    -------
    Progress
        With everything acknowledged that it counts.
    """
    began = time.monotonic()
    readings = messages = 0
    simulated = pace.begin_us
    following = next(upcoming, None)
    with Publisher(place.kafka) as publisher:
        try:
            while following is not None:
                elapsed = time.monotonic() - began
                over = for_s is not None and elapsed >= for_s
                simulated = pace.simulated(
                    min(elapsed, for_s) if for_s is not None else elapsed, time.time_ns() // 1_000
                )
                while following is not None and following.at <= simulated:
                    send(place, publisher, following)
                    readings += following.readings
                    messages += 1
                    following = next(upcoming, None)
                due = simulated if following is None else following.at
                report(Progress(simulated_us=simulated, due_us=due, readings=readings, messages=messages))
                if over:
                    break
                time.sleep(_ROUND_S)
        except KeyboardInterrupt:
            pass  # what was handed over is acknowledged before the publisher closes
    due = simulated if following is None else following.at
    return Progress(simulated_us=simulated, due_us=due, readings=readings, messages=messages)
