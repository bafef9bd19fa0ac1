"""Topics: made as they shall be, looked at, never changed behind an operator's back."""

import logging
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaError,
    NotCoordinatorError,
    TopicAlreadyExistsError,
    for_code,
)

from analytics.domain.errors import TransientError
from ingest.kafka.config import KafkaConfig, TopicSpec

__all__ = ["TopicState", "create_topics", "end_offsets", "lag", "reach", "topic_id"]

log = logging.getLogger("metering.kafka")

_UNKNOWN_TOPIC = 3  # error code of the protocol
_COORDINATOR_S = 30.0  # a fresh broker makes its topic of group offsets when the first group is asked for
_SET_ON_TOPIC = "DYNAMIC_TOPIC_CONFIG"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicState:
    """A topic after `create_topics`.

    Attributes
    ----------
    created : bool
        Whether it was made now.
    notes : tuple of str
        Where it differs from what it should be, for a person to decide.
    """

    name: str
    topic_id: UUID
    partitions: int
    created: bool
    notes: tuple[str, ...]


def create_topics(config: KafkaConfig) -> list[TopicState]:
    """Make the topics that are missing; safe to repeat.

    A topic that exists keeps its partitions: with another number, units would move between partitions and meet
    readings of their meters that are still under way. Its retention and message size are set only where nobody has
    set them. What differs stands in `TopicState.notes` and in the log. Raises `TransientError` while Kafka is away.
    """
    with _admin(config) as admin:
        found = _describe(admin, [spec.name for spec in config.topics])
        created = _create(admin, config, [spec for spec in config.topics if spec.name not in found])
        admin.wait_for_topics([spec.name for spec in config.topics])
        found = _describe(admin, [spec.name for spec in config.topics])
        return [_state(admin, config, spec, found[spec.name], created=spec.name in created) for spec in config.topics]


def _state(
    admin: KafkaAdminClient, config: KafkaConfig, spec: TopicSpec, about: Mapping[str, Any], *, created: bool
) -> TopicState:
    partitions = len(about["partitions"])
    notes = [] if created else _reconcile(admin, config, spec, partitions)
    for note in notes:
        log.warning("topic %s %s", spec.name, note)
    return TopicState(name=spec.name, topic_id=_uuid(about), partitions=partitions, created=created, notes=tuple(notes))


def topic_id(config: KafkaConfig, topic: str) -> UUID:
    """Kafka's id of a topic: another one after it was deleted and made again. KeyError where there is none."""
    with _admin(config) as admin:
        return _uuid(_describe(admin, [topic])[topic])


def end_offsets(config: KafkaConfig, topic: str) -> dict[int, int]:
    """Offset that the next message of each partition gets; KeyError where there is no such topic."""
    with _admin(config) as admin:
        return _end_offsets(admin, topic)


def lag(config: KafkaConfig, topic: str, group: str) -> dict[int, int]:
    """Messages of each partition that a consumer group has not committed; all of them where it has committed none."""
    with _admin(config) as admin:
        ends = _end_offsets(admin, topic)
        committed = _committed(admin, group)
        done = {tp.partition: position.offset for tp, position in committed.items() if tp.topic == topic}
        first = admin.list_partition_offsets({TopicPartition(topic, p): OffsetSpec.EARLIEST for p in ends})
        starts = {tp.partition: found.offset for tp, found in first.items()}
        return {p: end - max(done.get(p, 0), starts[p]) for p, end in ends.items()}


def reach(config: KafkaConfig) -> None:
    """Wait until one of the servers takes connections; `TransientError`, with what each answered, if none does in time.

    kafka-python leaves sockets and a thread behind when its first connection fails; so it is not let try.
    """
    deadline = time.monotonic() + config.bootstrap_timeout_s
    while True:
        refusals = []
        for server in config.access.servers:
            host, _, port = server.rpartition(":")
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=2.0).close()
            except OSError as error:
                refusals.append(f"{server}: {error}")
            else:
                return
        if time.monotonic() >= deadline:
            raise TransientError(f"Kafka at {config.bootstrap} must answer (got {'; '.join(refusals)})")
        time.sleep(0.2)


@contextmanager
def _admin(config: KafkaConfig) -> Iterator[KafkaAdminClient]:
    reach(config)
    try:
        admin = KafkaAdminClient(
            bootstrap_timeout_ms=round(config.bootstrap_timeout_s * 1000),
            **config.access.options(),
        )
        try:
            yield admin
        finally:
            admin.close()
    except KafkaError as error:
        raise TransientError(f"Kafka at {config.bootstrap} must answer (got {error})") from error


def _describe(admin: KafkaAdminClient, names: list[str]) -> dict[str, Mapping[str, Any]]:
    """Topics there are, by name."""
    found = {}
    for topic in admin.describe_topics(names):
        if topic["error_code"] not in (0, _UNKNOWN_TOPIC):
            raise KafkaError(f"topic {topic['name']}: error {topic['error_code']}")
        if topic["error_code"] == 0:
            found[topic["name"]] = topic
    return found


def _uuid(topic: Mapping[str, Any]) -> UUID:
    given = topic["topic_id"]
    return given if isinstance(given, UUID) else UUID(given)


def _end_offsets(admin: KafkaAdminClient, topic: str) -> dict[int, int]:
    partitions = [p["partition_index"] for p in _describe(admin, [topic])[topic]["partitions"]]
    found = admin.list_partition_offsets({TopicPartition(topic, p): OffsetSpec.LATEST for p in partitions})
    return {tp.partition: end.offset for tp, end in sorted(found.items())}


def _committed(admin: KafkaAdminClient, group: str) -> Mapping[TopicPartition, Any]:
    deadline = time.monotonic() + _COORDINATOR_S
    while True:
        try:
            committed: Mapping[str, Mapping[TopicPartition, Any]] = admin.list_group_offsets({group: None})
        except (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return committed.get(group, {})


def _create(admin: KafkaAdminClient, config: KafkaConfig, specs: list[TopicSpec]) -> set[str]:
    """Make topics; the names of those made now, without those that somebody else made at the same time."""
    if not specs:
        return set()
    wanted = {
        spec.name: {
            "num_partitions": spec.partitions,
            "replication_factor": config.replication,
            "configs": _configs(config, spec),
        }
        for spec in specs
    }
    results = admin.create_topics(wanted, raise_errors=False)["topics"]
    for result in results:
        if result["error_code"] not in (0, TopicAlreadyExistsError.errno):
            raise for_code(result["error_code"])(f"topic {result['name']}: {result['error_message']}")
    return {result["name"] for result in results if result["error_code"] == 0}


def _configs(config: KafkaConfig, spec: TopicSpec) -> dict[str, str]:
    return {"retention.ms": str(spec.retention_ms), "max.message.bytes": str(config.max_message_bytes)}


def _reconcile(admin: KafkaAdminClient, config: KafkaConfig, spec: TopicSpec, partitions: int) -> list[str]:
    """Set what nobody has set, and tell what differs."""
    notes = []
    if partitions != spec.partitions:
        notes.append(f"should have {spec.partitions} partitions and has {partitions}: it keeps them")
    wanted = _configs(config, spec)
    resource = ConfigResource(ConfigResourceType.TOPIC, spec.name, dict.fromkeys(wanted))
    described = admin.describe_configs([resource], config_filter="all")
    now = next(iter(described.values()))[spec.name]
    unset = {}
    for name, value in wanted.items():
        seen = now.get(name)
        if seen is None or seen["value"] == value:  # a login that may not see it may not set it either
            continue
        if seen["config_source"] == _SET_ON_TOPIC:
            notes.append(f"should have {name} = {value} and was given {seen['value']}: it keeps that")
        else:
            unset[name] = value
    if unset:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, spec.name, unset)])
    return notes
