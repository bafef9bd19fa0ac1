"""Real servers for the tests that ask for them: one Kafka and one TimescaleDB for a whole session.

The instance lives in a temporary folder with ports of its own; the programs come from the cache that all instances
share (``METERWARDEN_CACHE``, or where `meterwarden up` keeps them), so only the first run on a machine fetches them.
"""

import dataclasses
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from psycopg import sql

from deploy.settings import DatabaseSettings, KafkaSettings, Settings, WorkerSettings, load
from deploy.stack import Stack
from deploy.stack.ports import free_ports

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


def private_settings(home: Path) -> Settings:
    """Settings of an instance of its own in a folder: free ports, small buffers, the shared programs."""
    kafka, controller, database, metrics = free_ports(4)
    return dataclasses.replace(
        load(),
        home=home,
        kafka=KafkaSettings(port=kafka, controller_port=controller, heap_mb=384),
        database=DatabaseSettings(port=database, buffers_mb=256, wal_mb=1024),
        workers=WorkerSettings(count=0, metrics_port=metrics),
        disk_free_mb=512,
    )


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder for an instance that the servers' account can reach, which pytest's own is not."""
    folder = _folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def instance(home: Path) -> Iterator[Settings]:
    """Settings of a fresh instance; what still runs of it at the end is stopped."""
    settings = private_settings(home)
    yield settings
    Stack(settings).down()


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The session's Kafka and TimescaleDB, healthy."""
    folder = _folder()
    servers = Stack(private_settings(folder))
    try:
        servers.up(("postgresql", "kafka"))
        yield servers
    finally:
        servers.down()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def empty_database(stack: Stack) -> Iterator[str]:
    """The address of a fresh database that has the extension and nothing else."""
    yield from _database(stack)


@pytest.fixture
def database(stack: Stack) -> Iterator[str]:
    """The address of a fresh, migrated database."""
    yield from _database(stack, migrated=True)


@pytest.fixture(scope="module")
def module_database(stack: Stack) -> Iterator[str]:
    """The address of a migrated database that the tests of one module share."""
    yield from _database(stack, migrated=True)


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test's topics and groups have."""
    return f"test-{uuid.uuid4().hex[:12]}."


@pytest.fixture
def fresh_topic(stack: Stack, topic_prefix: str) -> Callable[..., str]:
    """Make a topic of this test's own: ``fresh_topic("readings", partitions=2)`` gives its full name."""

    def make(name: str, *, partitions: int = 1, **configuration: str) -> str:
        topic = NewTopic(
            name=topic_prefix + name, num_partitions=partitions, replication_factor=1, topic_configs=configuration
        )
        admin = KafkaAdminClient(bootstrap_servers=stack.bootstrap)
        try:
            admin.create_topics([topic])
        finally:
            admin.close()
        return topic_prefix + name

    return make


def _folder() -> Path:
    # blanks in a path are a customer's right, so every test has some
    folder = Path(tempfile.mkdtemp(prefix="meterwarden test "))
    folder.chmod(0o755)
    return folder


def _database(stack: Stack, *, migrated: bool = False) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    dsn = stack.dsn.rpartition("/")[0] + f"/{name}"
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    try:
        if migrated:
            from deploy.migrate import migrate  # noqa: PLC0415 - only tests that need it pay for it

            migrate(dsn)
        else:
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("set client_min_messages = warning")
                connection.execute("create extension if not exists timescaledb")
        yield dsn
    finally:
        with psycopg.connect(stack.dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
