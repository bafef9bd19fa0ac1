"""Gateways that send by Kafka: a login for each, an inbox for each, and admission between that and the readings."""

import asyncio
import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError
from click.testing import CliRunner
from kafka import KafkaAdminClient

from analytics.domain.errors import ConfigurationError
from deploy.cli import cli
from deploy.kafka_gateways import keep_out, let_in
from deploy.stack import Stack
from deploy.stack.kafka_probe import ask
from ingest.gateway.access import INBOX, inbox_of
from ingest.kafka.publisher import create_topics
from ingest.kafka_access import KafkaAccess
from ingest.wire import READINGS_TOPIC
from streams.store.access.gateways import add_gateway
from tests.conftest import kafka_by_settings
from tests.faults.harness import Arena, arena
from tests.ingest.gateway.brokers import certificate
from tests.streams.site import JSON, Message, Site, load

pytestmark = pytest.mark.integration

SITE = Site(units=2, meters=20)
OWN, FOREIGN = SITE.codes


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


async def send(access: KafkaAccess, topic: str, *messages: Message) -> None:
    producer = AIOKafkaProducer(enable_idempotence=True, **access.aio_options())
    await producer.start()
    try:
        await asyncio.gather(*[await producer.send(topic, one.value, headers=one.headers) for one in messages])
    finally:
        await producer.stop()


async def read(access: KafkaAccess, topic: str) -> None:
    consumer = AIOKafkaConsumer(topic, auto_offset_reset="earliest", **access.aio_options())
    await consumer.start()
    try:
        await consumer.getone()
    finally:
        await consumer.stop()


def test_a_gateway_writes_to_its_own_inbox_and_does_nothing_else(stack: Stack, name: str) -> None:
    create_topics(stack.kafka_config)
    other = f"{name}-b"
    access = door(stack, name, let_in(stack.access, name))
    let_in(stack.access, other)
    own, message = inbox_of(name), next(SITE.blocks(0, 1))
    asyncio.run(send(access, own, message))
    for topic in (READINGS_TOPIC, inbox_of(other)):
        with pytest.raises(TopicAuthorizationFailedError):
            asyncio.run(send(access, topic, message))
    for topic in (own, READINGS_TOPIC):
        with pytest.raises(TopicAuthorizationFailedError):
            asyncio.run(read(access, topic))
    with pytest.raises(ConfigurationError, match="no other user"):
        let_in(stack.access, name)
    again = door(stack, name, let_in(stack.access, name, known=True))
    assert "refuses the login" in ask(access).refusal, "a new password ends the old one"
    keep_out(stack.access, name)
    keep_out(stack.access, name)
    assert "refuses the login" in ask(again).refusal
    keep_out(stack.access, other)


def test_the_door_of_gateways_proves_who_it_is(stack: Stack, name: str, tmp_path: Path) -> None:
    access = door(stack, name, let_in(stack.access, name))
    assert ask(access).brokers == 1
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
    access = door(stack, name, let_in(stack.access, name))
    # of each tick: a block of its own unit, one of another's, a mixed array, and now and then rubbish
    ticks = 40
    rubbish = Message("", b"?", JSON, 1)
    sent = threading.Event()

    def run() -> None:
        async def ticking() -> None:
            for tick in range(ticks):
                await send(access, inbox_of(name), *SITE.blocks(tick, 1), *([rubbish] if tick % 10 == 0 else []))
                await asyncio.sleep(0.05)

        asyncio.run(ticking())
        sent.set()

    with arena(stack.access, database, topic_prefix + "admitted", tmp_path, partitions=2, inboxes=INBOX) as place:
        worker = place.worker("a")
        sender = threading.Thread(target=run, daemon=True)
        sender.start()
        for number in range(2):  # in the middle of what it does
            seen = len(place.query("select from rejected"))
            place.wait(partial(more_or_over, place, seen, sent), 90)
            time.sleep(0.1 * number)
            worker.kill()
            worker = place.worker(f"a{number}")
        sender.join(60)
        assert sent.is_set()
        place.wait(lambda: readings(place.dsn)[0] >= ticks * SITE.meters, 90, lambda: readings(place.dsn))
        place.wait(lambda: refused(place.dsn).get("foreign_unit", 0) >= ticks * SITE.meters, 30)
        assert readings(place.dsn) == (ticks * SITE.meters, ticks * SITE.meters, {OWN})
        assert refused(place.dsn) == {"foreign_unit": ticks * SITE.meters, "malformed": ticks // 10}
        required, got, topic = place.query(
            "select required, got, topic from rejected where reason = 'foreign_unit' limit 1"
        )[0]
        assert (required, got) == (f"a unit that gateway {name} may send: {OWN}", f"readings of {FOREIGN}")
        assert topic == inbox_of(name)
        assert worker.stop() == 0


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
    assert ask(access).brokers == 1
    run("end", name)
    assert "refuses the login" in ask(access).refusal
    assert CliRunner().invoke(cli, ["gateways", "kafka", name]).exit_code == 2, "it is over"


def more_or_over(place: Arena, seen: int, sent: threading.Event) -> bool:
    return len(place.query("select from rejected")) > seen or sent.is_set()


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
