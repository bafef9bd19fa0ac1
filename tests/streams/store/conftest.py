"""A small known world in the database: two units, four points, four meters, their main registers."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from streams.rows.layout import TopicPartition
from streams.store.partitions import TimescaleStore
from streams.store.postgres.connections import Connections

WORLD = """
insert into ledger_version (source, row_count, sha256, blob) values ('test', 4, decode(repeat('00', 32), 'hex'), '');
insert into unit (id, code, name, version) overriding system value values (1, 'U1', 'First', 1), (2, 'U2', 'Second', 1);
insert into metering_point (id, unit_id, code, parent_complete, level, carrier, direction, required, amount_unit)
    overriding system value
    select i, (i + 1) / 2, 'P' || i, false, 'unit', 'electricity', 'in', true, 1 from generate_series(1, 4) i;
insert into meter (id, unit_id, meter_no, serial_no) overriding system value
    select i, (i + 1) / 2, 'M' || i, 'S' || i from generate_series(1, 4) i;
insert into register (id, unit_id, meter_id) overriding system value
    select i, (i + 1) / 2, i from generate_series(1, 4) i;
insert into installation (unit_id, point_id, meter_id, installed_from, multiplier, measure_unit, name, model, range,
                          manufacturer, place, instrument, purpose, accuracy_class, status)
    select (i + 1) / 2, i, i, '2020-01-01 00:00+08', 1, 1, '', '', '', '', '', 'electricity', '', '1.0', 'qualified'
    from generate_series(1, 4) i;
select setval(pg_get_serial_sequence(t, 'id'), 100) from unnest(array['unit', 'metering_point', 'meter', 'register']) t;
"""


EMPTIED = """
select string_agg(format('%I.%I', schemaname, tablename), ', ') from pg_tables
where schemaname in ('public', 'sign_in') and tablename not in ('schema_migration', 'store_setting', 'measure_unit')
"""


def emptied(dsn: str) -> str:
    """A migrated database without what other tests left in it."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(EMPTIED).fetchone()
        assert row is not None
        connection.execute(f"truncate {row[0]} restart identity")
    return dsn


def peopled(dsn: str) -> str:
    """A migrated database with the small world in it and nothing else."""
    with psycopg.connect(emptied(dsn), autocommit=True) as connection:
        connection.execute(WORLD)
    return dsn


@pytest.fixture
def empty(module_database: str) -> str:
    """The address of a migrated database with nothing in it."""
    return emptied(module_database)


@pytest.fixture
def world(module_database: str) -> str:
    """The address of a database with the small world in it and nothing else."""
    return peopled(module_database)


@pytest.fixture
def topic() -> TopicPartition:
    """A partition of a topic's own incarnation."""
    return TopicPartition("metering.readings", uuid.uuid4(), 0)


@asynccontextmanager
async def opened(dsn: str, owner: str = "a", *, connections: int = 2) -> AsyncIterator[TimescaleStore]:
    """A store that is closed afterwards."""
    store = TimescaleStore(dsn, group="test", owner=owner, connections=connections)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection as the store opens them, closed afterwards."""
    connections = Connections(dsn)
    try:
        async with connections.connection() as connection:
            yield connection
    finally:
        await connections.close()
