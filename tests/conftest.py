"""Real servers for the tests that ask for them: one Kafka and one TimescaleDB for a whole session.

The instance lives in a temporary folder with ports of its own; the programs come from the cache that all instances
share (``METERWARDEN_CACHE``, or where `meterwarden up` keeps them), so only the first run on a machine fetches them.
"""

import dataclasses
import logging
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import psycopg
import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from psycopg import sql

from deploy.kafka_access import environment_of
from deploy.migrate import migrate
from deploy.settings import DatabaseSettings, KafkaSettings, PagesSettings, Settings, WorkerSettings, load
from deploy.stack import Stack
from deploy.stack.ports import free_ports
from ingest.kafka_access import KafkaAccess
from streams.logs import Sparing
from tests.ingest.gateway.brokers import certificate

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
        keeper="off",  # what a test kills stays down
        pages=PagesSettings(port=0),
        disk_free_mb=512,
    )


def with_gateway_door(settings: Settings, folder: Path) -> Settings:
    """Settings whose Kafka has a port for gateways, with TLS."""
    tls, (port,) = certificate(folder / "tls"), free_ports(1)
    kafka = dataclasses.replace(
        settings.kafka, gateway_port=port, gateway_certificate=tls.certificate, gateway_key=tls.key
    )
    return dataclasses.replace(settings, kafka=kafka)


def kafka_settings(access: KafkaAccess) -> KafkaSettings:
    """Settings of an existing Kafka that lead to this way into it."""
    security = access.security
    return KafkaSettings(
        bootstrap=access.bootstrap, user=security["sasl_plain_username"], password=security["sasl_plain_password"]
    )


def kafka_by_settings(access: KafkaAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands of a test use this Kafka."""
    for name, value in environment_of(access).items():
        monkeypatch.setenv(name, value)


@contextmanager
def private_instance() -> Iterator[Settings]:
    """Settings of a fresh instance; what still runs of it at the end is stopped, and its folder removed."""
    folder = _folder()
    settings = private_settings(folder)
    try:
        yield settings
    finally:
        Stack(settings).down()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    """What is of the whole process, and commands that run in it set, is as it was: the next test may be any other."""
    handlers, folder, umask = list(logging.getLogger().handlers), Path.cwd(), os.umask(0o022)
    os.umask(umask)
    loggers = [logging.getLogger(name) for name in ("", "metering")]
    levels = [logger.level for logger in loggers]
    signals = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for handler in list(logging.getLogger().handlers):
        if isinstance(handler, Sparing) and handler not in handlers:
            logging.getLogger().removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    for number, handled in signals.items():
        if signal.getsignal(number) is not handled:
            signal.signal(number, handled)
    os.umask(umask)
    os.chdir(folder)


@pytest.fixture(autouse=True)
def servers_as_they_were(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test on the session's servers leaves none of them stopped, and nothing beside them that it started."""
    if "stack" not in request.fixturenames:
        yield
        return
    servers: Stack = request.getfixturevalue("stack")
    before = servers.watched()
    yield
    assert servers.watched() == before


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
    """The session's Kafka, with a door for gateways, and TimescaleDB, healthy."""
    folder = _folder()
    servers = Stack(with_gateway_door(private_settings(folder), folder))
    try:
        servers.up(("postgresql", "kafka"))
        yield servers
    finally:
        servers.down()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def templates(stack: Stack) -> tuple[str, str]:
    """Names of databases to copy: one with the extension and nothing else, one that is migrated."""
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        for name in ("bare", "migrated"):
            _copy(connection, name, "template0")
        with psycopg.connect(_address(stack, "bare"), autocommit=True) as bare:
            bare.execute("set client_min_messages = warning")
            bare.execute("create extension if not exists timescaledb")
        migrate(_address(stack, "migrated"))
        return _closed(connection, "bare"), _closed(connection, "migrated")


@pytest.fixture
def empty_database(stack: Stack, templates: tuple[str, str]) -> Iterator[str]:
    """The address of a fresh database that has the extension and nothing else."""
    with _database(stack, templates[0]) as address:
        yield address


@pytest.fixture
def database(stack: Stack, templates: tuple[str, str]) -> Iterator[str]:
    """The address of a fresh, migrated database."""
    with _database(stack, templates[1]) as address:
        yield address


@pytest.fixture(scope="module")
def module_database(stack: Stack, templates: tuple[str, str]) -> Iterator[str]:
    """The address of a migrated database that the tests of one module share."""
    with _database(stack, templates[1]) as address:
        yield address


@pytest.fixture(scope="module")
def other_module_database(stack: Stack, templates: tuple[str, str]) -> Iterator[str]:
    """The address of a second one, for modules that ask for two regions."""
    with _database(stack, templates[1]) as address:
        yield address


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
        admin = KafkaAdminClient(**stack.access.options())
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


@contextmanager
def _database(stack: Stack, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        _copy(connection, name, template)
        try:
            yield _address(stack, name)
        finally:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def _copy(connection: psycopg.Connection, name: str, template: str) -> None:
    """Copying an empty database takes a fraction of the time that migrating one takes."""
    connection.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template)))


def _closed(connection: psycopg.Connection, name: str) -> str:
    """Shut a database, so that nobody, the extension's own workers least of all, keeps it from being copied."""
    connection.execute(sql.SQL("alter database {} allow_connections false").format(sql.Identifier(name)))
    connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
    return name


def _address(stack: Stack, name: str) -> str:
    return stack.dsn.rpartition("/")[0] + f"/{name}"
