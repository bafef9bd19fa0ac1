"""A place of a region's own beside a user's: a fresh database, fresh topics, and a worker that knows only these."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from kafka import KafkaAdminClient, KafkaProducer
from psycopg import conninfo, sql

from analytics.domain.errors import ConfigurationError, LedgerError, MeterwardenError
from analytics.domain.ledger import Ledger
from deploy.kafka_access import environment_of
from deploy.migrate import migrate
from deploy.region.messages import Message
from deploy.roles import service_address
from deploy.settings import Settings
from deploy.settings import load as load_settings
from ingest.kafka.config import KafkaConfig
from ingest.kafka.publisher import Publisher, create_topics, end_offsets
from ingest.kafka_access import KafkaAccess
from ingest.ledgers import read_ledger
from ingest.wire import READINGS_TOPIC, partition_of
from streams.store.ledger import load_ledger
from streams.store.postgres.connections import connected, connected_blocking

__all__ = ["Place", "fresh_place", "load", "push", "send", "stored_offset", "working"]

_KEPT_DAYS = 400.0  # records carry the time at which they would have been sent
_STOP_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a region goes.

    Attributes
    ----------
    dsn : str
        The database; it carries a password and is never shown.
    kafka : KafkaConfig
        The broker, with the prefix of the region's topics.
    """

    dsn: str = field(repr=False)
    kafka: KafkaConfig

    @property
    def topic(self) -> str:
        """Where its readings go."""
        return self.kafka.topic(READINGS_TOPIC)


def fresh_place(settings: Settings, *, access: KafkaAccess, dsn: str, name: str) -> Place:
    """Make a database and topics anew; those of an earlier run go.

    Parameters
    ----------
    settings : Settings
        Say how many partitions a topic has.
    access : KafkaAccess
        The way into Kafka, of one who may make topics.
    dsn : str
        The user's own database, which is only asked to make another one.
    name : str
        Begins the names of both; what begins otherwise is not touched.

    Raises
    ------
    ConfigurationError
        If the database's user may not make databases.
    StoreUnavailable
        If the database does not answer.
    """
    own = _fresh_database(dsn, f"meterwarden_{name}")
    migrate(own)
    _forget_topics(access, f"{name}-")
    # a new name each time: Kafka deletes a topic some time after it says that it has
    config = KafkaConfig(
        bootstrap=access.bootstrap,
        security=access.security,
        prefix=f"{name}-{int(time.time())}.",
        partitions=settings.kafka.partitions,
        kept_days={READINGS_TOPIC: _KEPT_DAYS},
    )
    create_topics(config)
    return Place(dsn=own, kafka=config)


def _fresh_database(dsn: str, database: str) -> str:
    """Make a database anew beside the one of `dsn`; its address."""
    identifier = sql.Identifier(database)
    with connected_blocking(dsn, "demo") as connection:
        try:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(identifier))
            connection.execute(sql.SQL("create database {}").format(identifier))
        except psycopg.errors.InsufficientPrivilege as error:
            raise ConfigurationError(
                f"the database's user must be allowed to make the database {database} (got: {error})"
            ) from error
    return _with_database(dsn, database)


def _with_database(dsn: str, database: str) -> str:
    if "://" not in dsn:
        return conninfo.make_conninfo(dsn, dbname=database)
    address, _, options = dsn.partition("?")
    return f"{address.rpartition('/')[0]}/{database}{'?' if options else ''}{options}"


def _forget_topics(access: KafkaAccess, prefix: str) -> None:
    admin = KafkaAdminClient(**access.options())
    try:
        old = [name for name in admin.list_topics() if name.startswith(prefix)]
        if old:
            admin.delete_topics(old)
    finally:
        admin.close()


def load(place: Place, file: Path, *, source: str = "") -> Ledger:
    """Load a ledger file as `meterwarden ledger load` does; the ledger.

    Parameters
    ----------
    place : Place
        Where to.
    file : Path
        The ledger.
    source : str
        What the database shall remember it by; the file's name if empty.

    Raises
    ------
    LedgerError
        If it has faults; nothing is loaded then.
    """
    report = read_ledger(file)
    if report.faults:
        raise LedgerError(f"{file} has {len(report.faults)} faults, the first: {report.faults[0]}")
    loaded = asyncio.run(_load(place.dsn, report.ledger, source or file.name))
    if loaded:
        raise LedgerError(f"{file} does not fit what is loaded: {loaded[0]}")
    return report.ledger


async def _load(dsn: str, ledger: Ledger, source: str) -> list[object]:
    async with connected(dsn, "ledger") as connection:
        return list((await load_ledger(connection, ledger, source)).faults)


def push(place: Place, messages: list[Message], *, report: Callable[[int], None] = lambda _n: None) -> dict[int, int]:
    """Publish messages, all acknowledged; the end offsets of the partitions.

    Parameters
    ----------
    place : Place
        Where to.
    messages : list of Message
        In the order in which they are sent.
    report : callable
        Gets the readings acknowledged so far, now and then.
    """
    beside = 0
    with Publisher(place.kafka) as publisher:
        for number, message in enumerate(messages):
            send(place, publisher, message)
            beside += message.readings * message.wrong_partition
            if number % 500 == 0:
                report(publisher.counts.readings_acked + beside)
        report(publisher.flush().readings_acked + beside)
    return end_offsets(place.kafka, place.topic)


def send(place: Place, publisher: Publisher, message: Message) -> None:
    """Hand one message over; its record carries the time at which a gateway would have sent it."""
    if message.wrong_partition:
        _send_beside(place, message)
        return
    publisher.send(
        place.topic,
        message.value,
        key=message.key,
        headers=message.headers,
        readings=message.readings,
        timestamp_ms=message.at // 1_000,
    )


def _send_beside(place: Place, message: Message) -> None:
    """Send a message where it does not belong, as a producer with another partitioner does."""
    partitions = place.kafka.partitions
    producer = KafkaProducer(acks="all", **place.kafka.access.options())
    try:
        producer.send(
            place.topic,
            message.value,
            key=message.key.encode(),
            headers=list(message.headers),
            partition=(partition_of(message.key, partitions) + 1) % partitions,
        ).get(30.0)
    finally:
        producer.close()


@contextmanager
def working(
    place: Place, *, home: Path, log: Path, tick_s: float, balance_s: float = 300.0
) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker process as long as the block lasts; it stops as `meterwarden down` would stop it.

    Parameters
    ----------
    home : Path
        Home of the instance, for the worker's settings.
    log : Path
        What the worker says; written anew.
    tick_s : float
        How often it looks for silence. [s]
    balance_s : float
        How often it looks for days of balances that are over. [s]
    """
    own = {
        "METERWARDEN_HOME": str(home),
        **environment_of(place.kafka.access),
        "METERWARDEN_DATABASE": _as_worker(place.dsn),
        "METERWARDEN_KAFKA_PARTITIONS": str(place.kafka.partitions),
    }
    command = [sys.executable, "-m", "deploy.region.worker", place.kafka.prefix, str(tick_s), str(balance_s)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(command, env={**os.environ, **own}, stdout=out, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _as_worker(dsn: str) -> str:
    """A worker's own role, as `meterwarden up` gives it; its password follows from the owner's address."""
    return dsn if load_settings().database.roles == "same" else service_address(dsn, "worker", secret=dsn)


_FENCE = "select coalesce(sum(next_offset), 0) from stream_fence where topic = %s"
_STALE = "select count(*) from dirty_hour"


def stored_offset(connection: psycopg.Connection, place: Place) -> tuple[int, int]:
    """How far the fences of all partitions are together, and how many hours' totals are still stale."""
    fence = connection.execute(_FENCE, (place.topic,)).fetchone()
    stale = connection.execute(_STALE).fetchone()
    if fence is None or stale is None:
        raise MeterwardenError("the database must tell how far the fences are (got no row)")
    return int(fence[0]), int(stale[0])
