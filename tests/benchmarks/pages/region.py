"""A large region kept for longer than a test: ``python -m tests.benchmarks.pages.region HOME ACTION``.

`make` starts a PostgreSQL of its own in that folder and fills it: the world of ``tests.dashboards.world`` with
``BENCH_METERS`` meters and ``BENCH_DAYS`` days, and before its hot readings packed ones: ``BENCH_PACKED_DAYS`` days of
all meters (64 MB a day for 100,000), all other days of the units that have hours of all days. `pack` does the latter
alone, to a region that is there, `up` starts it again, `down` stops it; the folder is removed by who made it. The
address that it prints is given to benchmarks as ``BENCH_DSN``.

The world's packed readings are those of one day, packed as workers pack them and put on the other days by the database
with a dial that has risen: 96 readings a run whose values and times of arrival deviate from a line, as real ones do.
"""

import asyncio
import dataclasses
import logging
import os
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import psycopg

from deploy.migrate import migrate
from deploy.settings import DatabaseSettings, Settings
from deploy.stack import Stack
from streams.rows.layout import READING_ROW
from streams.store.layers import LayersPolicy, packing
from tests.conftest import private_settings
from tests.dashboards.world import World, fill
from tests.streams.store.conftest import opened

__all__ = ["POINTS", "make", "pack", "settle", "world_of"]

log = logging.getLogger("bench")

POINTS: Final = 500
"""Of a unit."""
READING_DAYS: Final = 2
"""Days of readings that are not packed yet."""
_A_DAY: Final = 96
_PIECE: Final = 10_000
_DAY_US: Final = 86_400_000_000
_SHIFTED: Final = """
insert into reading_history (
    start, received_from, stored_at, measured_step, received_step, value_base, value_step, divisor, day, register_id,
    measured_scale, received_scale, readings, quality, unit, measured2, measured4, received2, received4, value2, value4,
    value8, qualities, units)
select start - %(ago)s * interval '1 day', received_from - %(ago)s * interval '1 day',
       stored_at - %(ago)s * interval '1 day', measured_step, received_step, value_base - %(ago)s * value_step * 96,
       value_step, divisor, day - %(ago)s, register_id, measured_scale, received_scale, readings, quality, unit,
       measured2, measured4, received2, received4, value2, value4, value8, qualities, units
from reading_history where day = %(day)s and register_id <= %(last)s
order by register_id
"""


def world_of(meters: int, days: int, *, hours_days: int, readings_of_all: bool) -> World:
    """The world that the benchmarks of pages and boards look at; it ends now."""
    units = max(meters // POINTS, 2)
    return World(
        units=units,
        points=POINTS,
        sub_units=5,
        days=days,
        hours_days=min(hours_days, days),
        deep_units=4,
        reading_days=READING_DAYS,
        reading_units=units if readings_of_all else 4,
        samples=86_400,
        end=datetime.now(UTC).replace(minute=0, second=0, microsecond=0),
    )


def make(dsn: str, world: World, *, packed_days: int) -> None:
    """Fill a migrated, empty database."""
    fill(dsn, world)
    log.info("the world is there")
    with psycopg.connect(dsn, autocommit=True) as connection:  # the world gives ids by itself
        connection.execute("select setval(pg_get_serial_sequence('person', 'id'), 10000)")
    asyncio.run(settle(dsn))
    if packed_days:
        pack(dsn, world, packed_days)


async def settle(dsn: str) -> None:
    """Index the chunks of readings that are at rest, as workers do."""
    async with opened(dsn) as store:
        await store.layers(LayersPolicy(rest_s=0.0)).maintain(datetime.now(UTC))


def pack(dsn: str, world: World, days: int) -> None:
    """Packed readings before the hot ones: `days` days of all registers, the other days of the deep units' alone."""
    last = (world.end - timedelta(days=READING_DAYS + 1)).date()
    registers, deep = world.units * world.points, world.deep_units * world.points
    with psycopg.connect(dsn, autocommit=True) as connection, connection.cursor() as cursor:
        for first in range(1, registers + 1, _PIECE):
            rows = _readings(last, np.arange(first, min(first + _PIECE, registers + 1)))
            with cursor.copy(packing.COPY_IN) as copy:
                copy.write(packing.pack(rows, rows["received_at"] + 1_000_000))
        for ago in range(1, max(days, world.days - READING_DAYS)):
            cursor.execute(_SHIFTED, {"ago": ago, "day": last, "last": registers if ago < days else deep})
        cursor.execute("vacuum analyze reading_history")


def _readings(day: date, registers: np.ndarray) -> np.ndarray:
    """A day of quarter-hourly readings of each register: two decimals, a working day in them, late by some seconds."""
    chance = np.random.default_rng(17)
    shape = len(registers), _A_DAY
    used = chance.poisson(20 * (1.2 + np.sin(np.linspace(0, 2 * np.pi, _A_DAY))), shape)
    rows = np.zeros(shape, READING_ROW)
    rows["register_id"] = registers[:, np.newaxis]
    begin_us = (day - date(1970, 1, 1)).days * _DAY_US
    rows["measured_at"] = begin_us + np.arange(_A_DAY) * 900_000_000
    rows["received_at"] = rows["measured_at"] + 1_000_000 * chance.integers(2, 9, shape)
    rows["value"] = (np.cumsum(used, axis=1) + 100_000_000) / 100
    rows["unit"] = 1  # kWh, of the water meters too
    return rows.ravel()


def settings_of(home: Path) -> Settings:
    """An instance in this folder, with the ports that it had, and as much memory as is shipped."""
    settings = private_settings(home)
    known = home / "port"
    if not known.exists():
        home.mkdir(parents=True, exist_ok=True)
        known.write_text(str(settings.database.port), encoding="ascii")
    port = int(known.read_text(encoding="ascii"))
    return dataclasses.replace(settings, database=DatabaseSettings(port=port))


def main(home: Path, action: str) -> None:
    """See the module."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stack = Stack(settings_of(home))
    if action == "down":
        stack.down()
        return
    stack.up(("postgresql",))
    log.info("BENCH_DSN=%s", stack.dsn)
    meters, days, packed = (
        int(os.environ.get(name, default))
        for name, default in (("BENCH_METERS", "100000"), ("BENCH_DAYS", "365"), ("BENCH_PACKED_DAYS", "14"))
    )
    world = world_of(meters, days, hours_days=9, readings_of_all=True)
    if action == "make":
        migrate(stack.dsn)
        make(stack.dsn, world, packed_days=packed)
    elif action == "pack":
        pack(stack.dsn, world, packed)
    log.info("done: %s", action)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
