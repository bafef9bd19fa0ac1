"""The batch consumer against the sources it leans on, and against a real Kafka."""

import asyncio
import gc
import hashlib
import inspect
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import aiokafka
import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.subscription_state import ManualSubscription, SubscriptionState
from aiokafka.errors import KafkaConnectionError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from faust.app.base import App
from faust.tables.recovery import Recovery
from faust.transport.conductor import Conductor
from faust.transport.consumer import Consumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from analytics.domain.errors import ConfigurationError
from deploy.stack import Stack
from deploy.stack.ports import free_ports
from ingest.wire import warm_up
from streams.source import consumer
from streams.source.consumer import BatchApp, BatchOptions, Position, RecordsSchema, Run
from streams.source.credentials import credentials_of
from streams.source.fetch import BatchConsumerThread, _Batches, _prepared

# What the batch consumer overrides, calls or stands in for. A changed source is no fault: read what changed, see that
# `streams.source.consumer` still holds, and enter the new digest (the failure prints it).
LEANED_ON = {
    Consumer.__init__: "302410d59e6972d1",
    Consumer._filter_tps_with_pending_acks: "f6f9239774234e7e",
    Consumer._new_offset: "1d2c7ea89a7ad4f1",
    Consumer._add_gap: "4df2573ded7c1c2c",
    Consumer._drain_messages: "44a2500309e83c63",
    Consumer._commit_offsets: "1a69799041188441",
    Consumer._filter_committable_offsets: "dc5e9baf5d994485",
    Consumer._should_commit: "5ce941793947ad42",
    Consumer._get_active_partitions: "b24897f3c7afdb5d",
    Consumer._wait_next_records: "6218e1969a636b3f",
    Consumer.ack: "5fcf41cf45153475",
    Consumer.getmany: "4b168d84882a70d6",
    Consumer.on_partitions_revoked: "d04b7ae72c6fc206",
    Consumer.perform_seek: "0e8c130ff4b0afd8",
    Consumer.resume_flow: "db59630f25b5819b",
    Consumer.stop_flow: "cf7e875a2b0d40e8",
    Conductor._build_handler: "5c071d1277988c57",
    driver.AIOKafkaConsumerThread._create_worker_consumer: "c2701bfc3e6f6cad",
    driver.AIOKafkaConsumerThread._commit: "932852ce7a23f658",
    driver.AIOKafkaConsumerThread._fetch_records: "39a2c6c79fc1455a",
    driver.AIOKafkaConsumerThread.getmany: "26fc5fc9f3b667e1",
    driver.AIOKafkaConsumerThread.on_start: "38b4e8bd1e10723a",
    driver.ConsumerRebalanceListener: "f3d04f29dfb3f716",
    driver.Consumer._new_consumer_thread: "0870ec53dea75083",
    App._on_partitions_revoked: "d5c895bbe57dc73a",
    App._on_partitions_assigned: "de932b7927db85b3",
    App._stop_consumer: "55854a5de12c3f52",
    Recovery._resume_streams: "d986a6710c1aca98",
    Fetcher.fetched_records: "be4348896b9b66af",
    Fetcher._get_actions_per_node: "1dab2cf937d165d0",
    Fetcher._proc_fetch_request: "59bf948fff47eed5",
    FetchResult: "d7db13f06de8248c",
    PartitionRecords.__init__: "8ec1c2ae6ea1af87",
    PartitionRecords._unpack_records: "b803e6d46480732c",
    SubscriptionState.fetch_context: "ff2a654dca239cfe",
    aiokafka.AIOKafkaConsumer.__init__: "01506f316191f7c9",
    aiokafka.AIOKafkaConsumer.start: "2f1ba70443327538",
}


def digest(thing: Any) -> str:
    return hashlib.sha256(inspect.getsource(thing).encode()).hexdigest()[:16]


@pytest.mark.parametrize("thing", list(LEANED_ON), ids=lambda thing: thing.__qualname__)
def test_private_sources_are_those_it_was_written_against(thing: Any) -> None:
    assert digest(thing) == LEANED_ON[thing], f"{thing.__module__}.{thing.__qualname__} changed"


@pytest.mark.parametrize(("faust_version", "aiokafka_version"), [("0.15.4", "0.14.0"), ("0.15.3", "0.15.0")])
def test_other_versions_are_refused_with_what_to_do(faust_version: str, aiokafka_version: str) -> None:
    with pytest.raises(ConfigurationError, match="install the locked versions"):
        consumer._refuse_other_versions(faust_version, aiokafka_version)


def test_a_commit_that_fails_does_not_stop_the_worker(caplog: pytest.LogCaptureFixture) -> None:
    tp = TP("t", 0)

    class Broken:
        async def commit(self, _: object) -> None:
            raise KafkaConnectionError("gone")

    thread = BatchConsumerThread.__new__(BatchConsumerThread)
    thread.assignment = lambda: {tp}
    thread._consumer = Broken()
    thread.tp_last_committed_at = {}
    assert asyncio.run(thread._commit({tp: 5})) is False
    assert "offsets not committed" in caplog.text


@pytest.fixture(autouse=True, scope="module")
def compiled() -> None:
    """As a worker does before it joins the group: the thread that fetches must not wait for a compiler."""
    warm_up(ZoneInfo("UTC"))


@pytest.mark.parametrize("isolation", [READ_UNCOMMITTED, READ_COMMITTED])
@pytest.mark.parametrize("limit", [None, 2])
def test_a_fetch_gives_the_same_whichever_reader_takes_it(isolation: int, limit: int | None) -> None:
    asyncio.run(_fetched_whichever_way(isolation, limit))


async def _fetched_whichever_way(isolation: int, limit: int | None) -> None:
    tp = aiokafka.TopicPartition("t", 0)
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 2**16)
    for i in range(5):
        builder.append(i, 1_700_000_000_000 + i, b"key", b"%d" % i, [("received-at-us", b"%d" % i)])
    assignment = ManualSubscription([tp]).assignment
    assignment.state_value(tp).reset_to(1)
    left = PartitionRecords(tp, _Batches(bytes(builder.build())), None, 1, None, None, True, isolation)
    result = FetchResult(tp, assignment=assignment, partition_records=left, backoff=0)
    getall = _prepared(result, {}).getall
    fetched = getall(limit)
    assert fetched.start == 1
    count = limit or 4
    assert [(r.offset, r.value) for r in fetched.records] == [(i, b"%d" % i) for i in range(1, 1 + count)]
    assert fetched.records.rows["received_us"].tolist() == list(range(1, 1 + count))
    assert fetched.records[0].timestamp_us == 1_700_000_000_001_000
    assert (assignment.state_value(tp).position, result.has_more()) == (1 + count, limit is not None)
    rest = getall(None)
    assert [r.value for r in rest.records] == [b"3", b"4"] if limit else rest == []


@dataclass
class Reading:
    """What an application under test saw."""

    app: Any = None
    runs: dict[int, list[Run]] = field(default_factory=dict)
    revoked: list[set[TP]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    starts: dict[int, int] = field(default_factory=dict)
    ack: bool = True
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def count(self) -> int:
        return sum(len(run.records) for runs in self.runs.values() for run in runs)

    def values(self, partition: int) -> list[bytes]:
        return [record.value or b"" for run in self.runs.get(partition, []) for record in run.records]

    async def until(self, true: Callable[[], bool], timeout_s: float = 120.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not true():
                self.changed.clear()
                await asyncio.wait_for(self.changed.wait(), timeout_s)


@asynccontextmanager
async def reading(stack: Stack, topic: str, *, start: int = 0, **options: Any) -> AsyncIterator[Reading]:
    """An application that notes what it is given."""
    seen = Reading()

    async def position_of(tp: TP) -> Position:
        seen.asked.append(tp.partition)
        seen.changed.set()
        return Position(seen.starts.get(tp.partition, start))

    async def on_revoked(tps: set[TP]) -> None:
        seen.revoked.append(tps)

    app = BatchApp(
        f"group-{topic}",
        batch=BatchOptions(topics=frozenset({topic}), position_of=position_of, on_revoked=on_revoked),
        broker=f"kafka://{stack.bootstrap}",
        broker_credentials=credentials_of(stack.access),
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
        broker_commit_interval=0.2,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        **options,
    )
    seen.app = app

    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            seen.runs.setdefault(event.message.partition, []).append(event.value)
            if seen.ack:
                event.ack()
            seen.changed.set()

    app.agent(app.topic(topic, schema=RecordsSchema()), name="agent")(agent)
    await app.start()
    try:
        yield seen
    finally:
        await app.stop()


def produce(stack: Stack, topic: str, count: int, *, partition: int = 0, first: int = 0) -> None:
    producer = KafkaProducer(linger_ms=5, **stack.access.options())
    for i in range(first, first + count):
        producer.send(
            topic,
            value=b"%d" % i,
            partition=partition,
            headers=[("received-at-us", b"%d" % (1_700_000_000_000_000 + i))],
        )
    producer.flush()
    producer.close()


async def committed(stack: Stack, topic: str) -> dict[int, int]:
    admin = AIOKafkaAdminClient(**stack.access.aio_options())
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(f"group-{topic}")
    finally:
        await admin.close()
    return {tp.partition: at.offset for tp, at in found.items()}


async def committed_to(stack: Stack, topic: str, offsets: dict[int, int]) -> None:
    """Wait until these offsets are committed."""
    async with asyncio.timeout(120.0):
        while await committed(stack, topic) != offsets:  # noqa: ASYNC110 - Kafka has no event for it
            await asyncio.sleep(0.1)


@pytest.mark.integration
def test_whole_fetches_come_in_order_without_a_hole_and_are_committed(
    stack: Stack, fresh_topic: Callable[..., str]
) -> None:
    topic = fresh_topic("runs", partitions=2)
    produce(stack, topic, 3000, partition=0)
    produce(stack, topic, 500, partition=1)

    async def scenario() -> Reading:
        async with reading(stack, topic) as seen:
            await seen.until(lambda: seen.count == 3500)
            await committed_to(stack, topic, {0: 3000, 1: 500})
        return seen

    seen = asyncio.run(scenario())
    assert seen.values(0) == [b"%d" % i for i in range(3000)]
    assert len(seen.runs[0]) < 300, "records come many at a time"
    ends = [0] + [run.end for run in seen.runs[0]]
    assert [run.start for run in seen.runs[0]] == ends[:-1]
    record = seen.runs[0][0].records[7]
    assert (record.offset, record.value) == (7, b"7")
    assert record.timestamp_us > 1_600_000_000_000_000
    assert seen.runs[0][0].records.rows["received_us"][7] == 1_700_000_000_000_007, "its header says so"


@pytest.mark.integration
def test_reading_begins_where_the_application_says_not_where_kafka_remembers(
    stack: Stack, fresh_topic: Callable[..., str]
) -> None:
    topic = fresh_topic("position")
    produce(stack, topic, 100)

    async def scenario() -> tuple[Reading, Reading]:
        async with reading(stack, topic) as first:
            await first.until(lambda: first.count == 100)
            await committed_to(stack, topic, {0: 100})
        async with reading(stack, topic, start=40) as second:
            await second.until(lambda: second.count >= 60)
        return first, second

    _, second = asyncio.run(scenario())
    assert second.values(0) == [b"%d" % i for i in range(40, 100)]


@pytest.mark.integration
def test_what_is_not_acked_is_not_committed(stack: Stack, fresh_topic: Callable[..., str]) -> None:
    topic = fresh_topic("unacked")
    produce(stack, topic, 10)

    async def scenario() -> dict[int, int]:
        async with reading(stack, topic) as seen:
            seen.ack = False
            await seen.until(lambda: seen.count == 10)
            await asyncio.sleep(0.6)
        return await committed(stack, topic)

    assert asyncio.run(scenario()) == {}


@pytest.mark.integration
def test_reposition_reads_again_from_where_the_application_says(stack: Stack, fresh_topic: Callable[..., str]) -> None:
    topic = fresh_topic("again")
    produce(stack, topic, 50)

    async def scenario() -> Reading:
        async with reading(stack, topic) as seen:
            await seen.until(lambda: seen.count == 50)
            seen.starts[0] = 20
            seen.app.consumer.throttle(TP(topic, 0))  # forgotten with the reader that asked for it
            seen.app.consumer.reposition(TP(topic, 0))
            seen.app.consumer.throttle(TP(topic, 0))  # because of a run that was still on its way to that reader
            await seen.until(lambda: seen.count == 80)
        return seen

    assert asyncio.run(scenario()).values(0)[50:] == [b"%d" % i for i in range(20, 50)]


@pytest.mark.integration
def test_a_fetch_under_way_while_the_position_changes_makes_no_hole(
    stack: Stack, fresh_topic: Callable[..., str]
) -> None:
    topic = fresh_topic("race")
    produce(stack, topic, 100)

    async def scenario() -> Reading:
        async with reading(stack, topic) as seen:
            await seen.until(lambda: seen.count == 100)
            for _ in range(20):  # the consumer waits for more in a fetch that the change of position finds under way
                seen.runs.clear()
                seen.app.consumer.reposition(TP(topic, 0))
                await seen.until(lambda: seen.count == 100)
                assert seen.values(0) == [b"%d" % i for i in range(100)]
                await asyncio.sleep(random.uniform(0.0, 0.3))
        return seen

    asyncio.run(scenario())


@pytest.mark.integration
def test_what_kafka_dropped_is_stepped_over(stack: Stack, fresh_topic: Callable[..., str]) -> None:
    topic = fresh_topic("dropped")
    produce(stack, topic, 100)

    async def scenario() -> Reading:
        admin = AIOKafkaAdminClient(**stack.access.aio_options())
        await admin.start()
        await admin.delete_records({aiokafka.TopicPartition(topic, 0): RecordsToDelete(before_offset=30)})
        await admin.close()
        async with reading(stack, topic) as seen:
            await seen.until(lambda: seen.count == 70)
        return seen

    runs = asyncio.run(scenario()).runs[0]
    assert (runs[0].start, runs[0].records[0].offset) == (0, 30)


@pytest.mark.integration
def test_a_throttled_worker_stays_a_member_beyond_the_poll_interval(
    stack: Stack, fresh_topic: Callable[..., str]
) -> None:
    topic = fresh_topic("throttled")
    produce(stack, topic, 10)

    async def scenario() -> Reading:
        async with reading(stack, topic, broker_max_poll_interval=2.0) as seen:
            await seen.until(lambda: seen.count == 10)
            generation = seen.app.consumer_generation_id
            seen.app.consumer.throttle(TP(topic, 0))
            await asyncio.sleep(0.3)
            await asyncio.to_thread(produce, stack, topic, 10, first=10)
            await asyncio.sleep(8.0)  # beyond the poll interval and the session
            assert seen.count == 10, "nothing is fetched of a throttled partition"
            assert seen.app.consumer_generation_id == generation
            seen.app.consumer.unthrottle(TP(topic, 0))
            await seen.until(lambda: seen.count == 20)
            assert seen.app.consumer_generation_id == generation, "it was never away from the group"
        return seen

    assert asyncio.run(scenario()).values(0) == [b"%d" % i for i in range(20)]


@pytest.mark.integration
def test_a_position_that_takes_long_keeps_only_its_own_partition_waiting(
    stack: Stack, fresh_topic: Callable[..., str]
) -> None:
    topic = fresh_topic("slow", partitions=2)
    for partition in (0, 1):
        produce(stack, topic, 5, partition=partition)

    async def scenario() -> None:
        async with reading(stack, topic) as seen:
            await seen.until(lambda: seen.count == 10)
            gate = asyncio.Event()

            async def slow(_: TP) -> Position:
                await gate.wait()
                return Position(3)

            object.__setattr__(seen.app.batch_options, "position_of", slow)
            seen.app.consumer.reposition(TP(topic, 0))
            await asyncio.to_thread(produce, stack, topic, 5, partition=1, first=5)
            await seen.until(lambda: len(seen.values(1)) == 10)
            assert len(seen.values(0)) == 5
            gate.set()
            await seen.until(lambda: len(seen.values(0)) == 7)

    asyncio.run(scenario())


@pytest.mark.integration
def test_markers_of_transactions_are_no_hole(stack: Stack, fresh_topic: Callable[..., str]) -> None:
    topic = fresh_topic("markers")

    async def scenario() -> Reading:
        producer = aiokafka.AIOKafkaProducer(transactional_id=f"t-{topic}", **stack.access.aio_options())
        await producer.start()
        for i in range(3):
            async with producer.transaction():
                await producer.send_and_wait(topic, b"%d" % i, partition=0)
        await producer.stop()
        async with reading(stack, topic) as seen:
            await seen.until(lambda: seen.count == 3)
        return seen

    runs = asyncio.run(scenario()).runs[0]
    assert [record.offset for run in runs for record in run.records] == [0, 2, 4]
    assert [run.start for run in runs] == [0, *[run.end for run in runs][:-1]]


@pytest.mark.integration
def test_a_topic_that_begins_anew_is_noticed(
    stack: Stack, fresh_topic: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    topic = fresh_topic("anew")
    produce(stack, topic, 100)

    async def scenario() -> Reading:
        async with reading(stack, topic, consumer_metadata_max_age_ms=2000) as seen:
            await seen.until(lambda: seen.count == 100)
            asked = len(seen.asked)
            admin = KafkaAdminClient(**stack.access.options())
            admin.delete_topics([topic])
            await asyncio.sleep(1.0)
            admin.create_topics([NewTopic(topic, 1, 1)])
            admin.close()
            await asyncio.to_thread(produce, stack, topic, 7)
            await seen.until(lambda: len(seen.asked) > asked)
            await seen.until(lambda: seen.count == 107)
        return seen

    with caplog.at_level(logging.ERROR, "metering.consumer"):
        seen = asyncio.run(scenario())
    assert seen.values(0)[100:] == [b"%d" % i for i in range(7)]


@pytest.mark.integration
def test_two_share_partitions_and_take_over(stack: Stack, fresh_topic: Callable[..., str]) -> None:
    topic = fresh_topic("shared", partitions=4)

    def both(one: Reading, other: Reading) -> set[int]:
        return {tp.partition for seen in (one, other) for tp in seen.app.consumer.assignment()}

    async def scenario() -> None:
        async with reading(stack, topic) as one:
            await one.until(lambda: len(one.asked) == 4)
            async with reading(stack, topic) as other:
                await other.until(lambda: len(other.app.consumer.assignment()) == 2)
                assert one.revoked, "told before the other may have them"
                async with asyncio.timeout(120.0):
                    while both(one, other) != {0, 1, 2, 3}:  # noqa: ASYNC110 - two applications
                        await asyncio.sleep(0.05)
                for partition in range(4):
                    await asyncio.to_thread(produce, stack, topic, 10, partition=partition)
                await asyncio.wait_for(_all(one, other, 40), 120)
                for partition in range(4):
                    assert sorted(one.values(partition) + other.values(partition)) == sorted(
                        b"%d" % i for i in range(10)
                    )
            one.starts = dict.fromkeys(range(4), 10)
            for partition in range(4):
                await asyncio.to_thread(produce, stack, topic, 10, partition=partition, first=10)
            await one.until(lambda: all(b"19" in one.values(partition) for partition in range(4)))

    async def _all(one: Reading, other: Reading, count: int) -> None:
        while one.count + other.count < count:  # noqa: ASYNC110 - two applications
            await asyncio.sleep(0.05)

    asyncio.run(scenario())


@pytest.mark.parametrize("client", ["producer", "consumer"])
def test_a_client_that_cannot_connect_is_closed(client: str) -> None:
    """aiokafka says of one that is not that it is unclosed, minutes later and in the middle of anything."""

    async def position_of(_tp: TP) -> Position:
        raise AssertionError("nothing is assigned")

    async def on_revoked(_tps: set[TP]) -> None:
        """Nothing was there."""

    async def start() -> list[dict[str, Any]]:
        said: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: said.append(context))
        (port,) = free_ports(1)
        app = BatchApp(
            "nobody",
            batch=BatchOptions(topics=frozenset(), position_of=position_of, on_revoked=on_revoked),
            broker=f"kafka://127.0.0.1:{port}",
            store="memory://",
            web_enabled=False,
            topic_disable_leader=True,
        )
        if client == "producer":
            service: Any = app.producer
        else:
            service = app.consumer._thread
            service.thread_loop.close()  # it is not started: its work is done here
            service.thread_loop = asyncio.get_running_loop()
        with pytest.raises(KafkaConnectionError):
            await service.on_start()
        del service, app
        gc.collect()
        await asyncio.sleep(0)
        return [context for context in said if "Unclosed" in context["message"]]

    assert asyncio.run(start()) == []
