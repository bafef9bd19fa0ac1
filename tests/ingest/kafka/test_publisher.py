import threading
import time
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic

from analytics.domain.errors import ConfigurationError, TransientError
from deploy.stack import Stack
from deploy.stack.ports import free_ports
from ingest.kafka.config import KafkaConfig
from ingest.kafka.publisher import Counts, Publisher, PublishFailed, create_topics, end_offsets, lag, topic_id
from ingest.wire import DETECTIONS_TOPIC, HOURS_TOPIC, READINGS_TOPIC, REJECTED_TOPIC, partition_of


@pytest.fixture
def config(stack: Stack, topic_prefix: str) -> KafkaConfig:
    return KafkaConfig(
        bootstrap=stack.bootstrap,
        security=stack.access.security,
        prefix=topic_prefix,
        partitions=3,
        delivery_timeout_s=20.0,
    )


def topic_settings(config: KafkaConfig, name: str) -> dict[str, str]:
    admin = KafkaAdminClient(**config.access.options())
    try:
        resource = ConfigResource(ConfigResourceType.TOPIC, config.topic(name))
        described = admin.describe_configs([resource], config_filter="all")
    finally:
        admin.close()
    (settings,) = described.values()
    return {key: entry["value"] for key, entry in settings[config.topic(name)].items()}


def messages(config: KafkaConfig, topic: str) -> list[tuple[int, bytes, bytes, list[tuple[str, bytes]]]]:
    """Everything on a topic: partition, key, value, headers."""
    count = sum(end_offsets(config, topic).values())
    consumer = KafkaConsumer(topic, auto_offset_reset="earliest", **config.access.options())
    try:
        found: list[tuple[int, bytes, bytes, list[tuple[str, bytes]]]] = []
        while len(found) < count:
            for records in consumer.poll(timeout_ms=10_000).values():
                found += [(r.partition, r.key, r.value, r.headers) for r in records]
        return found
    finally:
        consumer.close()


@pytest.mark.integration
def test_topics_are_made_as_designed_and_only_once(config: KafkaConfig) -> None:
    first = create_topics(config)
    again = create_topics(config)
    assert [(t.name, t.partitions, t.created, t.notes) for t in first] == [
        (config.topic(name), 3, True, ()) for name in (READINGS_TOPIC, REJECTED_TOPIC, HOURS_TOPIC, DETECTIONS_TOPIC)
    ]
    assert [(t.topic_id, t.created, t.notes) for t in again] == [(t.topic_id, False, ()) for t in first]
    kept = {name: topic_settings(config, name) for name in (READINGS_TOPIC, REJECTED_TOPIC)}
    assert [kept[name]["retention.ms"] for name in kept] == ["604800000", "2592000000"]
    assert {settings["max.message.bytes"] for settings in kept.values()} == {"67108864"}


@pytest.mark.integration
def test_topic_that_exists_keeps_its_partitions_and_says_so(config: KafkaConfig) -> None:
    admin = KafkaAdminClient(**config.access.options())
    mine = {"retention.ms": "1000"}
    admin.create_topics([NewTopic(config.topic(READINGS_TOPIC), 5, 1, topic_configs=mine)])
    admin.close()
    readings = create_topics(config)[0]
    assert (readings.partitions, readings.created) == (5, False)
    assert readings.notes == (
        "should have 3 partitions and has 5: it keeps them",
        "should have retention.ms = 604800000 and was given 1000: it keeps that",
    )
    # what nobody had set is set
    assert topic_settings(config, READINGS_TOPIC)["max.message.bytes"] == "67108864"
    assert topic_settings(config, READINGS_TOPIC)["retention.ms"] == "1000"


@pytest.mark.integration
def test_topic_made_again_has_another_id(config: KafkaConfig) -> None:
    create_topics(config)
    name = config.topic(READINGS_TOPIC)
    before = topic_id(config, name)
    admin = KafkaAdminClient(**config.access.options())
    admin.delete_topics([name])
    while name in admin.list_topics():
        time.sleep(0.1)
    admin.close()
    create_topics(config)
    assert isinstance(before, UUID)
    assert topic_id(config, name) != before
    with pytest.raises(KeyError):
        topic_id(config, "no-such-topic")


@pytest.mark.integration
def test_published_messages_arrive_once_each_on_the_partition_of_their_unit(config: KafkaConfig) -> None:
    create_topics(config)
    topic = config.topic(READINGS_TOPIC)
    sent = [(f"U{i % 7}", b"message %d" % i) for i in range(500)]
    with Publisher(config) as publisher:
        for key, value in sent:
            publisher.send(topic, value, key=key, headers=[("content-type", b"x")], readings=2)
        counts = publisher.flush()
        acknowledged = publisher.acknowledged
    size = sum(len(value) for _, value in sent)
    assert counts == Counts(sent=500, acked=500, failed=0, readings=1000, readings_acked=1000, bytes=size)
    arrived = messages(config, topic)
    assert sorted(value for _, _, value, _ in arrived) == sorted(value for _, value in sent)
    assert all(partition == partition_of(key.decode(), 3) for partition, key, _, _ in arrived)
    assert {tuple(headers) for *_, headers in arrived} == {(("content-type", b"x"),)}
    for unit in {key for key, _ in sent}:  # in order
        assert [v for _, k, v, _ in arrived if k.decode() == unit] == [v for k, v in sent if k == unit]
    assert {p: offset + 1 for (_, p), offset in acknowledged.items()} == {
        p: end for p, end in end_offsets(config, topic).items() if end
    }


@pytest.mark.integration
def test_lag_counts_what_a_group_has_not_committed(config: KafkaConfig) -> None:
    create_topics(config)
    topic = config.topic(READINGS_TOPIC)
    with Publisher(config) as publisher:
        for i in range(30):
            publisher.send(topic, b"x", key=f"U{i}")
    assert sum(lag(config, topic, config.topic("group")).values()) == 30
    consumer = KafkaConsumer(
        topic, group_id=config.topic("group"), auto_offset_reset="earliest", **config.access.options()
    )
    seen = 0
    while seen < 30:
        seen += sum(map(len, consumer.poll(timeout_ms=10_000).values()))
    consumer.commit()
    consumer.close()
    assert set(lag(config, topic, config.topic("group")).values()) == {0}


@pytest.mark.integration
def test_message_of_the_largest_size_passes_and_a_larger_one_is_refused_by_name(config: KafkaConfig) -> None:
    create_topics(config)
    topic = config.topic(READINGS_TOPIC)
    with Publisher(config) as publisher:
        publisher.send(topic, bytes(50_000_000), key="U1")
        assert publisher.flush().acked == 1
    publisher = Publisher(config)
    with pytest.raises(PublishFailed, match=rf"message of 'U2' to {topic} failed: .*larger.*\(acknowledged: nothing\)"):
        publisher.send(topic, bytes(config.max_message_bytes + 1), key="U2")
    assert (publisher.counts.sent, publisher.counts.failed) == (1, 1)
    publisher.close()


@pytest.mark.integration
def test_message_that_the_broker_refuses_is_reported_with_what_was_acknowledged(config: KafkaConfig) -> None:
    small = replace(config, max_message_bytes=2000)
    create_topics(small)
    topic = config.topic(READINGS_TOPIC)
    publisher = Publisher(config)  # believes that more is allowed
    publisher.send(topic, b"fits", key="U1")
    publisher.flush()
    publisher.send(topic, bytes(5000), key="U1")
    partition = partition_of("U1", 3)
    with pytest.raises(PublishFailed, match=rf"'U1' to {topic} failed: .*acknowledged: {topic}/{partition} up to 0"):
        publisher.flush()
    with pytest.raises(PublishFailed):  # and nothing goes on as if nothing had happened
        publisher.send(topic, b"fits", key="U1")
    assert (publisher.counts.acked, publisher.counts.failed) == (1, 1)
    publisher.close()


@pytest.mark.integration
def test_sender_waits_while_too_much_is_under_way(config: KafkaConfig) -> None:
    create_topics(config)
    topic = config.topic(READINGS_TOPIC)
    patient = replace(config, max_unacked_bytes=10_000, linger_ms=0)
    most = 0
    with Publisher(patient) as publisher:
        for _ in range(200):
            publisher.send(topic, bytes(3000), key="U1")
            counts = publisher.counts
            most = max(most, counts.sent - counts.acked)
        publisher.send(topic, bytes(30_000), key="U1")  # larger than the limit: goes alone
    assert publisher.counts.acked == 201
    assert most <= 3


@pytest.mark.integration
def test_several_threads_may_send(config: KafkaConfig) -> None:
    create_topics(config)
    topic = config.topic(READINGS_TOPIC)
    with Publisher(config) as publisher:

        def send(unit: str) -> None:
            for _ in range(200):
                publisher.send(topic, b"x", key=unit)

        threads = [threading.Thread(target=send, args=(f"U{i}",)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        counts = publisher.flush()
    assert (counts.sent, counts.acked) == (800, 800)


@pytest.mark.parametrize("attempt", [Publisher, create_topics], ids=["publish", "create"])
def test_kafka_that_is_away_is_named(attempt: Callable[[KafkaConfig], object]) -> None:
    (port,) = free_ports(1)
    config = KafkaConfig(bootstrap=f"127.0.0.1:{port}", bootstrap_timeout_s=0.5)
    with pytest.raises(TransientError, match=f"Kafka at 127.0.0.1:{port} must answer"):
        attempt(config)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"security": {"acks": "0"}}, "security must be of .* \\(got acks\\)"),
        ({"kept_days": {"metering.reading": 1}}, "kept_days must be of .* \\(got metering.reading\\)"),
        ({"partitions": 0}, "partitions must be at least 1"),
        ({"delivery_timeout_s": 0.5}, "delivery_timeout_s must exceed linger_ms by 1 s"),
    ],
)
def test_configuration_that_cannot_be_meant_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        KafkaConfig(bootstrap="localhost:1", **options)  # type: ignore[arg-type]


def test_secrets_are_not_shown() -> None:
    config = KafkaConfig(bootstrap="localhost:1", security={"sasl_plain_password": "hush"})
    assert "hush" not in repr(config)
