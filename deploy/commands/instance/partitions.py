"""`meterwarden partitions`: over how many partitions the units are spread, and more of them."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, cast

import click
from kafka import KafkaAdminClient
from kafka.admin import NewPartitions

from analytics.domain.errors import ConfigurationError
from deploy.commands.common.tables import AS_JSON, listed
from deploy.settings import Settings, load
from deploy.stack import Stack
from deploy.terminal import say
from ingest.kafka_access import KafkaAccess
from ingest.wire import READINGS_TOPIC
from streams.config import GROUP, StreamsConfig
from streams.lanes.regrow import regrow
from streams.lanes.workshop import Workshop
from streams.metrics import WorkerMetrics
from streams.source.broker import Broker, TopicFacts
from streams.steps.state import rules_of
from streams.store.partitions import TimescaleStore
from streams.store.postgres.connections import connected_blocking

__all__ = ["command"]

_STANDING = """
select l.partitions, (select coalesce(sum(f.next_offset), 0)::int8 from stream_fence f
    where (f.consumer_group, f.topic_id) = (l.consumer_group, l.topic_id))
from stream_layout l where l.consumer_group = %s and l.topic_id = %s
"""


@click.command()
@click.argument("count", type=click.IntRange(min=1), required=False)
@click.option("--topic", default=READINGS_TOPIC, show_default=True, help="Topic of readings.")
@click.option("--group", default=GROUP, show_default=True, help="Consumer group of the workers.")
@click.option(
    "--drain-s", default=120.0, show_default=True, help="How long readings sent before may take to be stored. [s]"
)
@AS_JSON
def command(count: int | None, topic: str, group: str, drain_s: float, *, as_json: bool) -> None:
    """Spread the units of the topic over COUNT partitions; without COUNT, show over how many they are spread.

    First what was sent before is stored, then the topic grows, then the states of the units move, all or none. Workers
    may run; they stand still for the seconds it takes. Senders may go on: what they still put where a unit was before
    is passed on to where it is now.
    """
    settings = load()
    stack = Stack(settings)
    facts = asyncio.run(_facts(stack.access, topic))
    laid, _ = _standing(stack.dsn, group, facts)
    if as_json:
        say(listed([{"topic": topic, "partitions": facts.partitions, "spread_over": laid}], as_json=True))
    else:
        say(f"{topic}: Kafka has {facts.partitions} partitions, its units are spread over {laid or 'none yet'}")
    if count is None:
        return
    if count < max(facts.partitions, laid or 0):
        raise ConfigurationError(f"COUNT must not be below {max(facts.partitions, laid or 0)} (got {count})")
    if facts.partitions < count:
        if laid is not None:
            _drain(stack, group, topic, facts, drain_s)
        with closing(KafkaAdminClient(**stack.access.options())) as admin:
            admin.create_partitions({topic: NewPartitions(total_count=count)})
        say(f"{topic}: Kafka has {count} partitions now")
    if laid is not None:
        before = asyncio.run(_move(settings, stack, group, topic, facts, count, say))
        say(f"units moved from {before} to {count} partitions" if before != count else "nothing to move")


async def _facts(access: KafkaAccess, topic: str) -> TopicFacts:
    broker = Broker(access, client="meterwarden-partitions")
    try:
        return await broker.topic(topic)
    finally:
        broker.close()


def _standing(dsn: str, group: str, facts: TopicFacts) -> tuple[int | None, int]:
    """Over how many partitions the units are spread, and how many offsets are stored."""
    with connected_blocking(dsn, "partitions") as connection:
        row = connection.execute(_STANDING, (group, facts.topic_id)).fetchone()
    return (None, 0) if row is None else (int(row[0]), int(row[1]))


def _drain(stack: Stack, group: str, topic: str, facts: TopicFacts, drain_s: float) -> None:
    """Wait until what was sent before is stored, so that the order of each unit's readings stays as it was."""
    end, deadline = asyncio.run(_end(stack.access, topic, facts.partitions)), time.monotonic() + drain_s
    while (stored := _standing(stack.dsn, group, facts)[1]) < end:
        if time.monotonic() > deadline:
            say(f"{end - stored} records are not stored within {drain_s:.0f} s; they are passed on later")
            return
        time.sleep(0.5)
    say(f"{topic}: all {end} records that were sent before are stored")


async def _end(access: KafkaAccess, topic: str, partitions: int) -> int:
    from aiokafka import AIOKafkaConsumer, TopicPartition  # noqa: PLC0415 - seconds, and only where it is needed

    consumer = AIOKafkaConsumer(isolation_level="read_committed", **access.aio_options())
    try:
        await consumer.start()
        ends = await consumer.end_offsets([TopicPartition(topic, number) for number in range(partitions)])
    finally:
        await consumer.stop()
    return sum(ends.values())


async def _move(
    settings: Settings,
    stack: Stack,
    group: str,
    topic: str,
    facts: TopicFacts,
    count: int,
    say: Callable[[str], None],
) -> int:
    store = TimescaleStore(stack.dsn, group=group, owner="partitions", connections=4)
    nobody = cast("Any", None)  # nothing is read from Kafka here
    with ThreadPoolExecutor(2) as threads:
        shop = Workshop(
            config=StreamsConfig(bootstrap="", dsn=stack.dsn, group=group, topic=topic),
            store=store,
            metrics=WorkerMetrics(),
            guard=nobody,
            reader=nobody,
            threads=threads,
            aside=threads,
            slots=asyncio.Semaphore(1),
            rules=rules_of(settings.zone),
        )
        try:
            return await regrow(shop, store, topic, facts.topic_id, count, say)
        finally:
            await store.close()
