"""What is asked of Kafka beside records: which incarnation a topic is, and to make it where it is missing."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic, OffsetSpec
from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError

from ingest.kafka_access import KafkaAccess

__all__ = ["Broker", "TopicFacts"]

log = logging.getLogger("metering.broker")

T = TypeVar("T")

_TIMEOUT_MS = 5_000


class TopicFacts(NamedTuple):
    """A topic as the broker has it now."""

    topic_id: UUID
    partitions: int


class Broker:
    """An administrator in a thread of its own; raises `kafka.errors.KafkaError` while the broker is away."""

    def __init__(self, access: KafkaAccess, *, client: str) -> None:
        self._access = access
        self._client = client
        self._admin: KafkaAdminClient | None = None
        self._thread = ThreadPoolExecutor(1, "metering-broker")

    async def topic(self, name: str) -> TopicFacts:
        """Id and partitions of a topic; `UnknownTopicOrPartitionError` where there is none."""
        return await self._ask(lambda admin: _facts(admin, name))

    async def topics(self, prefix: str) -> dict[str, TopicFacts]:
        """Id and partitions of all topics whose names begin so, of those that may be seen."""

        def find(admin: KafkaAdminClient) -> dict[str, TopicFacts]:
            found = [one for one in admin.describe_topics() if one["name"].startswith(prefix) and not one["error_code"]]
            return {one["name"]: _facts_of(one) for one in found}

        return await self._ask(find)

    async def make_topic(self, name: str, *, partitions: int) -> TopicFacts:
        """Make a topic where it is missing, replicated as the broker thinks right."""

        def make(admin: KafkaAdminClient) -> TopicFacts:
            with suppress(UnknownTopicOrPartitionError):
                return _facts(admin, name)
            with suppress(TopicAlreadyExistsError):
                admin.create_topics([NewTopic(name, partitions, -1)])
                log.info("topic %s made with %d partitions", name, partitions)
            return _facts_soon(admin, name)

        return await self._ask(make)

    async def ends(self, name: str, partitions: int) -> dict[int, int]:
        """The offset after the last record of each partition that can be read."""
        asked = {TopicPartition(name, number): OffsetSpec.LATEST for number in range(partitions)}

        def ask(admin: KafkaAdminClient) -> dict[int, int]:
            found = admin.list_partition_offsets(asked, isolation_level="read_committed", timeout_ms=_TIMEOUT_MS)
            return {tp.partition: int(one.offset) for tp, one in found.items()}

        return await self._ask(ask)

    async def kept_s(self, name: str) -> float | None:
        """How long a topic keeps its records; None for ever, and where there is no such topic. [s]"""
        asked = ConfigResource(ConfigResourceType.TOPIC, name)

        def ask(admin: KafkaAdminClient) -> float | None:
            (found,) = (topics[name] for topics in admin.describe_configs([asked], config_filter="all").values())
            kept_ms = int(found["retention.ms"]["value"]) if found else -1  # there is no such topic yet
            return None if kept_ms < 0 else kept_ms / 1000

        return await self._ask(ask)

    async def _ask(self, question: Callable[[KafkaAdminClient], T]) -> T:
        def ask() -> T:
            if self._admin is None:
                self._admin = KafkaAdminClient(
                    client_id=self._client, request_timeout_ms=_TIMEOUT_MS, **self._access.options()
                )
            return question(self._admin)

        return await asyncio.get_running_loop().run_in_executor(self._thread, ask)

    def close(self) -> None:
        """Disconnect."""

        def close() -> None:
            if self._admin is not None:
                self._admin.close()

        self._thread.submit(close)
        self._thread.shutdown(wait=False)


def _facts_soon(admin: KafkaAdminClient, name: str) -> TopicFacts:
    """Facts of a topic that was made just now: brokers learn of it one after the other."""
    deadline = time.monotonic() + _TIMEOUT_MS / 1000
    while True:
        try:
            return _facts(admin, name)
        except UnknownTopicOrPartitionError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _facts(admin: KafkaAdminClient, name: str) -> TopicFacts:
    (found,) = admin.describe_topics([name])
    if found["error_code"]:
        raise UnknownTopicOrPartitionError(f"topic {name} must exist (error {found['error_code']})")
    return _facts_of(found)


def _facts_of(found: Mapping[str, Any]) -> TopicFacts:
    topic_id = found["topic_id"]
    return TopicFacts(topic_id if isinstance(topic_id, UUID) else UUID(topic_id), len(found["partitions"]))
