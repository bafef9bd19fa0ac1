"""Who gets into our own Kafka, and what each may do there: against the real broker."""

import asyncio
import dataclasses
import logging
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import KafkaError

from deploy.kafka_access import access_of, environment_of, principal_of, scram, user_of
from deploy.settings import load as load_settings
from deploy.stack import Stack
from deploy.stack.errors import PartFailed
from deploy.stack.kafka_probe import ask
from deploy.stack.processes import until
from ingest.kafka.publisher import create_topics
from ingest.kafka_access import KafkaAccess
from ingest.wire import HOURS_TOPIC, READINGS_TOPIC
from tests.conftest import kafka_settings
from tests.faults.harness import arena
from tests.streams.site import Site, load, produce_all

pytestmark = pytest.mark.integration

SITE = Site(units=2, meters=10)
SOON_S = 60.0
"""How long a busy machine may take for what takes a moment."""


async def write(access: KafkaAccess, topic: str) -> None:
    producer = AIOKafkaProducer(request_timeout_ms=60_000, **access.aio_options())
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"{}", key=b"U1")
    finally:
        await producer.stop()


def may_write(access: KafkaAccess, topic: str) -> bool:
    try:
        asyncio.run(write(access, topic))
    except TopicAuthorizationFailedError:
        return False
    return True


async def read(access: KafkaAccess, topic: str) -> int:
    consumer = AIOKafkaConsumer(**access.aio_options(), auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, partition) for partition in range(8)])
        return len((await consumer.getone()).value or b"")
    finally:
        await consumer.stop()


@pytest.mark.parametrize("port", ["port", "controller_port"])
def test_nobody_gets_in_without_a_login(stack: Stack, port: str) -> None:
    server = f"127.0.0.1:{getattr(stack.settings.kafka, port)}"
    assert ask(KafkaAccess(server)).brokers == 0
    for security in (
        scram(user_of("admin"), "guessed"),
        scram(user_of("nobody"), "guessed"),
        scram(user_of("broker"), "guessed", mechanism="PLAIN"),
        scram(user_of("admin"), stack.access.security["sasl_plain_password"], mechanism="PLAIN"),
    ):
        answer = ask(KafkaAccess(server, security), timeout_s=SOON_S)
        assert answer.brokers == 0
        assert "refuses the login" in answer.refusal or port == "controller_port", answer


def test_each_service_does_its_own_work_and_nothing_else(stack: Stack) -> None:
    create_topics(stack.kafka_config)
    ingest, worker = stack.kafka_access("ingest"), stack.kafka_access("worker")
    asyncio.run(write(ingest, READINGS_TOPIC))
    assert asyncio.run(read(worker, READINGS_TOPIC)) > 0, "the first there, which another test may have sent"
    asyncio.run(write(worker, HOURS_TOPIC))
    for access, act, topic in (
        (ingest, read, READINGS_TOPIC),
        (ingest, write, HOURS_TOPIC),
        (worker, read, HOURS_TOPIC),
    ):
        with pytest.raises(TopicAuthorizationFailedError):
            asyncio.run(act(access, topic))
    for access in (ingest, worker):
        with closing(KafkaAdminClient(**access.options())) as admin:
            with pytest.raises(KafkaError, match=r"(?i)authoriz"):
                admin.create_topics([NewTopic("foreign", 1, 1)])
            with pytest.raises(KafkaError, match=r"(?i)authoriz"):
                admin.delete_topics([READINGS_TOPIC])


def test_a_worker_of_another_machine_finds_the_topics_that_it_may_not_configure(stack: Stack) -> None:
    create_topics(stack.kafka_config)
    access = stack.kafka_access("worker")
    found = create_topics(dataclasses.replace(stack.kafka_config, security=access.security))
    assert not any(one.created for one in found)
    assert READINGS_TOPIC in {one.name for one in found}


def test_rights_that_nobody_wrote_down_go_at_the_next_up(
    stack: Stack, fresh_topic: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    from deploy.stack.kafka_rights import Right, give_rights  # noqa: PLC0415 - as the stack does

    create_topics(stack.kafka_config)
    ingest, topic = stack.kafka_access("ingest"), fresh_topic("foreign")
    with closing(KafkaAdminClient(**stack.access.options())) as admin:
        give_rights(admin, user_of("ingest"), [Right.to_write(topic)])
    assert until(lambda: may_write(ingest, topic), SOON_S)
    caplog.clear()
    stack.up(("kafka",))
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert until(lambda: not may_write(ingest, topic), SOON_S)
    assert may_write(ingest, READINGS_TOPIC)


def test_a_lost_secret_gives_everybody_a_new_password_and_the_old_ones_end(stack: Stack) -> None:
    # as an instance of an earlier version, whose Kafka knows none of the passwords that its owner has now
    before = stack.access
    (stack.settings.home / "secrets" / "kafka").write_text("another secret, put back from a backup\n")
    assert ask(stack.access).brokers == 0
    stack.up(("kafka",))
    for access in (stack.access, access_of(kafka_settings(stack.access))):
        assert ask(access, timeout_s=SOON_S).brokers == 1
    assert until(lambda: "refuses the login" in ask(before).refusal, SOON_S)


def test_the_broker_s_own_password_is_for_its_account_alone(stack: Stack) -> None:
    properties = stack.settings.home / "conf" / "kafka.properties"
    assert stat.S_IMODE(properties.stat().st_mode) == 0o600
    assert principal_of(user_of("admin")) in properties.read_text()


def test_an_existing_kafka_is_reached_by_tls_and_a_password_file(
    stack: Stack, database: str, topic_prefix: str, home: Path, tmp_path: Path
) -> None:
    # the door of gateways, as an operator's own login gets in by it
    kafka, security = stack.settings.kafka, stack.access.security
    secret = tmp_path / "password"
    secret.write_text(security["sasl_plain_password"] + "\n")
    settings = load_settings(
        {
            "METERWARDEN_HOME": str(home),
            "METERWARDEN_CACHE": str(stack.settings.cache),
            "METERWARDEN_KAFKA": f"127.0.0.1:{kafka.gateway_port}",
            "METERWARDEN_KAFKA_USER": security["sasl_plain_username"],
            "METERWARDEN_KAFKA_PASSWORD_FILE": str(secret),
            "METERWARDEN_KAFKA_CA": str(kafka.gateway_certificate),
        }
    )
    other = Stack(settings)
    assert other.up(("kafka",)) == []
    access = other.kafka_access("worker")
    assert access_of(load_settings(environment_of(access)).kafka) == access, "as a worker is told it"
    asyncio.run(load(database, SITE.ledger()))
    with arena(access, database, topic_prefix + "tls", tmp_path, partitions=1) as place:
        worker = place.worker("a")
        produce_all(access, place.topic, SITE.blocks(0, 70), partitions=1)
        place.wait_until_stored()
        place.reckon(SITE, 70)
        assert worker.stop() == 0
    secret.write_text("another\n")
    with pytest.raises(PartFailed, match="refuses the login"):
        Stack(settings).up(("kafka",))


def test_a_kafka_that_an_earlier_version_started_is_named_and_not_taken_over(stack: Stack) -> None:
    properties = stack.settings.home / "conf" / "kafka.properties"
    kept = properties.read_text()
    try:
        properties.write_text("listeners=PLAINTEXT://127.0.0.1:19092\n")
        with pytest.raises(PartFailed, match=r"earlier version .* `meterwarden down`"):
            stack.up(("kafka",))
    finally:
        properties.write_text(kept)
