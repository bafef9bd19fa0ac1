"""Gateways that send by Kafka: a login for each, an inbox for each, and admission between that and the readings."""

import asyncio
import dataclasses
import gc
import ssl
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError
from click.testing import CliRunner
from kafka import KafkaAdminClient, TopicPartition

from analytics.domain.errors import ConfigurationError
from deploy.cli import cli
from deploy.gateway import topics_of
from deploy.settings import DatabaseSettings, KafkaSettings
from deploy.stack import Stack
from deploy.stack.kafka_gateways import keep_out, let_in
from deploy.stack.kafka_probe import ask
from deploy.stack.kafka_quotas import share_of
from deploy.stack.processes import until
from ingest.gateway.access import INBOX, inbox_of
from ingest.gateway.config import KafkaTarget, parse_config
from ingest.gateway.run import RunningGateway
from ingest.gateway.spool import BLOCK, Entry
from ingest.gateway.status import state_message
from ingest.kafka.config import KafkaConfig
from ingest.kafka.publisher import Publisher, create_topics
from ingest.kafka_access import KafkaAccess
from ingest.wire import READINGS_TOPIC
from streams.store.access.gateways import add_gateway, end_gateway, mark_kafka
from tests.conftest import kafka_by_settings
from tests.faults.harness import Arena, arena
from tests.ingest.gateway.brokers import certificate
from tests.streams.site import JSON, Message, Site, load

# aiokafka leaves the connection of a login that is refused to the garbage collector
pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

SITE = Site(units=2, meters=20)
OWN, FOREIGN = SITE.codes
SHARE = share_of(KafkaSettings())
SOON_S = 60.0
"""How long a busy machine may take for what takes a moment."""
STATE = "select name, delivered_at is not null, told_at is not null, max_bytes from gateway_state"


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    """What such connections leave is swept here, not in another module's test."""
    yield
    gc.collect()


@pytest.fixture
def name(stack: Stack) -> Iterator[str]:
    """A gateway's name; its inbox goes afterwards."""
    made = f"boiler-{uuid.uuid4().hex[:8]}"
    yield made
    with closing(KafkaAdminClient(**stack.access.options())) as admin:
        if inbox_of(made) in admin.list_topics():
            admin.delete_topics([inbox_of(made)])


def door(stack: Stack, user: str, password: str) -> KafkaAccess:
    """The way in of a gateway, over TLS."""
    kafka = stack.settings.kafka
    return KafkaAccess(
        f"127.0.0.1:{kafka.gateway_port}",
        {
            "security_protocol": "SASL_SSL",
            "ssl_cafile": str(kafka.gateway_certificate),
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": user,
            "sasl_plain_password": password,
        },
    )


@asynccontextmanager
async def sending(access: KafkaAccess) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(enable_idempotence=True, **access.aio_options())
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()
        await asyncio.sleep(0.1)  # aiokafka does not wait until TLS is closed


async def send(access: KafkaAccess, topic: str, *messages: Message) -> None:
    async with sending(access) as producer:
        await asyncio.gather(*[await producer.send(topic, one.value, headers=one.headers) for one in messages])


async def read(access: KafkaAccess, topic: str) -> None:
    consumer = AIOKafkaConsumer(topic, auto_offset_reset="earliest", **access.aio_options())
    try:
        await consumer.start()
        await consumer.getone()
    finally:
        await consumer.stop()
        await asyncio.sleep(0.1)


def test_a_gateway_writes_to_its_own_inbox_and_does_nothing_else(stack: Stack, name: str) -> None:
    create_topics(stack.kafka_config)
    other = f"{name}-b"
    access = door(stack, name, let_in(stack.access, name, share=SHARE))
    let_in(stack.access, other, share=SHARE)
    own, message = inbox_of(name), next(SITE.blocks(0, 1))
    asyncio.run(send(access, own, message))
    for topic in (READINGS_TOPIC, inbox_of(other)):
        with pytest.raises(TopicAuthorizationFailedError):
            asyncio.run(send(access, topic, message))
    for topic in (own, READINGS_TOPIC):
        with pytest.raises(TopicAuthorizationFailedError):
            asyncio.run(read(access, topic))
    with pytest.raises(ConfigurationError, match="no other user"):
        let_in(stack.access, name, share=SHARE)
    again = door(stack, name, let_in(stack.access, name, share=SHARE, known=True))
    refused_soon(access)  # a new password ends the old one
    keep_out(stack.access, name)
    keep_out(stack.access, name)
    refused_soon(again)
    keep_out(stack.access, other)


def test_the_door_of_gateways_proves_who_it_is(stack: Stack, name: str, tmp_path: Path) -> None:
    access = door(stack, name, let_in(stack.access, name, share=SHARE))
    assert ask(access, timeout_s=SOON_S).brokers == 1
    other = str(certificate(tmp_path).certificate)
    assert ask(KafkaAccess(access.bootstrap, {**access.security, "ssl_cafile": other})).brokers == 0
    context = access.tls()
    assert context is not None
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    unveiled = {k: v for k, v in access.security.items() if not k.startswith("ssl")}
    assert ask(KafkaAccess(access.bootstrap, unveiled | {"security_protocol": "SASL_PLAINTEXT"})).brokers == 0


def test_what_a_gateway_may_send_goes_on_and_the_rest_is_refused_through_kills_once(
    stack: Stack, database: str, topic_prefix: str, name: str, tmp_path: Path
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    asyncio.run(entered(database, name, OWN))
    access = door(stack, name, let_in(stack.access, name, share=SHARE))
    with arena(stack.access, database, topic_prefix + "admitted", tmp_path, partitions=2, inboxes=INBOX) as place:
        worker, sender = place.worker("a"), Sender(access, inbox_of(name))
        sender.start()
        for number in range(2):  # each time in the middle of what it does
            seen = len(place.query("select from rejected"))
            place.wait(partial(more, place, seen), 240)
            time.sleep(0.2 * number)
            worker.kill()
            worker = place.worker(f"a{number}")
        ticks = sender.end()
        place.wait(lambda: readings(place.dsn)[0] >= ticks * SITE.meters, 240, lambda: readings(place.dsn))
        place.wait(
            lambda: sum(refused(place.dsn).values()) >= ticks * (SITE.meters + 1), 240, lambda: refused(place.dsn)
        )
        assert readings(place.dsn) == (ticks * SITE.meters, ticks * SITE.meters, {OWN})
        assert refused(place.dsn) == {"foreign_unit": ticks * SITE.meters, "malformed": ticks}
        required, got, topic = place.query(
            "select required, got, topic from rejected where reason = 'foreign_unit' limit 1"
        )[0]
        assert (required, got) == (f"a unit that gateway {name} may send: {OWN}", f"readings of {FOREIGN}")
        assert topic == inbox_of(name)
        assert worker.stop() == 0


def test_what_a_gateway_tells_of_itself_is_kept_and_is_no_reading(
    stack: Stack, database: str, topic_prefix: str, name: str, tmp_path: Path
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    asyncio.run(entered(database, name, OWN))
    access, message = door(stack, name, let_in(stack.access, name, share=SHARE)), next(SITE.blocks(0, 1))
    config = parse_config('[gateway]\nid = "g"\n[store]\npath = "spool"\n', tmp_path / "gateway.toml")
    kafka = KafkaConfig(bootstrap=access.bootstrap, security=access.security)
    target = KafkaTarget(bootstrap=access.bootstrap, user=name)
    with arena(stack.access, database, topic_prefix + "told", tmp_path, partitions=2, inboxes=INBOX) as place:
        worker = place.worker("a")
        gateway = RunningGateway(
            config, connect=lambda: Publisher(kafka), topics=topics_of(target, kafka), tell=state_message
        )
        assert gateway.spool is not None
        gateway.spool.append([Entry(OWN, BLOCK, message.value, SITE.meters, 1)])
        gateway.start()
        try:
            place.wait(lambda: readings(place.dsn)[0] == SITE.meters, 240, worker.tail)
            place.wait(lambda: place.query(STATE) == [(name, True, True, config.store.max_bytes)], 240, worker.tail)
        finally:
            gateway.close()
        asyncio.run(send(access, inbox_of(name), Message("", b'{"gateway_status":{"at_us":-1}}', JSON, 1)))
        place.wait(lambda: refused(place.dsn) == {"missing_field": 1}, 240, lambda: refused(place.dsn))
        assert worker.stop() == 0


def test_what_an_inbox_dropped_before_it_was_read_is_told(
    stack: Stack, database: str, topic_prefix: str, name: str, tmp_path: Path
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    asyncio.run(entered(database, name, OWN))
    access, message = door(stack, name, let_in(stack.access, name, share=SHARE)), next(SITE.blocks(0, 1))
    with arena(stack.access, database, topic_prefix + "dropped", tmp_path, partitions=2, inboxes=INBOX) as place:
        worker = place.worker("a")
        asyncio.run(send(access, inbox_of(name), message))
        place.wait(lambda: readings(place.dsn)[0] == SITE.meters, 240, worker.tail)
        assert worker.stop() == 0
        asyncio.run(send(access, inbox_of(name), *[message] * 3))
        with closing(KafkaAdminClient(**stack.access.options())) as admin:
            admin.delete_records({TopicPartition(inbox_of(name), 0): -1})  # as retention does
        worker = place.worker("b")
        asyncio.run(send(access, inbox_of(name), Message("", b"?", JSON, 1)))
        place.wait(lambda: refused(place.dsn) == {"malformed": 1}, 240, worker.tail)
        assert worker.said(f"{inbox_of(name)} dropped 3 records before they were read")
        assert worker.stop() == 0


class Sender(threading.Thread):
    """Of each tick a block of the gateway's own unit, one of another's, and rubbish, until told to end."""

    def __init__(self, access: KafkaAccess, inbox: str) -> None:
        super().__init__(daemon=True)
        self._access = access
        self._inbox = inbox
        self._ending = threading.Event()
        self._ticks = 0

    def run(self) -> None:
        asyncio.run(self._send())

    async def _send(self) -> None:
        async with sending(self._access) as producer:
            while not self._ending.is_set():
                messages = [*SITE.blocks(self._ticks, 1), Message("", b"?", JSON, 1)]
                sent = [await producer.send(self._inbox, one.value, headers=one.headers) for one in messages]
                await asyncio.gather(*sent)
                self._ticks += 1
                await asyncio.sleep(0.05)

    def end(self) -> int:
        """How many ticks were sent."""
        self._ending.set()
        self.join(60)
        assert not self.is_alive()
        return self._ticks


def test_commands_let_a_gateway_in_and_out(
    stack: Stack, database: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka_by_settings(stack.access, monkeypatch)
    monkeypatch.setenv("METERWARDEN_DATABASE", database)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(cli, ["gateways", *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout.strip()

    assert CliRunner().invoke(cli, ["gateways", "kafka", name]).exit_code == 2, "it is not entered"
    run("add", name, "--unit", OWN)
    access = door(stack, name, run("kafka", name))
    assert ask(access, timeout_s=SOON_S).brokers == 1
    run("end", name)
    refused_soon(access)
    assert CliRunner().invoke(cli, ["gateways", "kafka", name]).exit_code == 2, "it is over"
    assert CliRunner().invoke(cli, ["gateways", "end", "beside"]).exit_code == 2, "nobody knows it"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("insert into gateway_state (name, delivered_at) values ('beside', now())")
    assert run("end", "beside") == "beside is not watched until it reports again"
    with psycopg.connect(database) as connection:
        assert connection.execute("select name from gateway_state").fetchall() == []


def test_a_kafka_that_is_new_lets_gateways_in_with_the_passwords_that_they_had(
    stack: Stack, database: str, name: str
) -> None:
    since, over = datetime.now(UTC), f"{name}-over"

    async def enter() -> None:
        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
            for one in (name, over):
                await add_gateway(connection, one, unit_codes=[OWN])
                await mark_kafka(connection, one, since)
            await end_gateway(connection, over)

    asyncio.run(enter())
    access = door(stack, name, let_in(stack.access, name, share=SHARE, password=stack.gateway_password(name, since)))
    restored = Stack(dataclasses.replace(stack.settings, database=DatabaseSettings(dsn=database)))
    assert restored.let_gateways_in() == [], "it is there"
    keep_out(stack.access, name)
    with closing(KafkaAdminClient(**stack.access.options())) as admin:
        admin.delete_topics([inbox_of(name)])
    refused_soon(access)
    assert restored.let_gateways_in() == [name]
    assert until(lambda: ask(access, timeout_s=SOON_S).brokers == 1, SOON_S)
    asyncio.run(send(access, inbox_of(name), next(SITE.blocks(0, 1))))


def refused_soon(access: KafkaAccess) -> None:
    """Kafka takes a moment until it knows."""
    assert until(lambda: "refuses the login" in ask(access).refusal, SOON_S)


def more(place: Arena, seen: int) -> bool:
    return len(place.query("select from rejected")) > seen


async def entered(dsn: str, name: str, unit: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await add_gateway(connection, name, unit_codes=[unit])


def readings(dsn: str) -> tuple[int, int, set[str]]:
    with psycopg.connect(dsn) as connection:
        count, distinct = connection.execute(
            "select count(*), count(distinct (register_id, measured_at)) from reading_hot"
        ).fetchone() or (0, 0)
        units = connection.execute(
            "select distinct u.code from reading_hot h join register r on r.id = h.register_id"
            " join unit u on u.id = r.unit_id"
        ).fetchall()
    return count, distinct, {code for (code,) in units}


def refused(dsn: str) -> dict[str, int]:
    with psycopg.connect(dsn) as connection:
        return dict(connection.execute("select reason, sum(readings)::int from rejected group by 1").fetchall())
