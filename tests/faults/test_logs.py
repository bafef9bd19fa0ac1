"""Kafka that is not what it was: logs that are shorter, topics made anew, holes, markers, codecs nobody expected."""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition
from click.testing import CliRunner
from crc32c import crc32c
from kafka import KafkaAdminClient
from kafka.admin import NewPartitions

from deploy.commands.instance.partitions import command
from deploy.migrate import migrate
from deploy.stack import Stack
from ingest.wire import partition_of
from tests.conftest import kafka_by_settings, private_instance
from tests.faults.harness import Arena, arena
from tests.faults.model import Traffic
from tests.streams.site import Site, load

pytestmark = pytest.mark.integration

MINUTE_US = 60_000_000
SITE = Site(units=12, meters=20, interval_us=15 * MINUTE_US)
KILLED = {"snapshot_s": 1000.0}
"""A worker that leaves nothing behind but the state it began with."""


@pytest.fixture(scope="module")
def own_stack() -> Iterator[Stack]:
    """A Kafka whose disk may be tampered with."""
    with private_instance() as settings:
        stack = Stack(settings)
        stack.up(("postgresql", "kafka"))
        migrate(stack.dsn)
        yield stack


class Disk:
    """What lies on the disk of a Kafka that is down."""

    def __init__(self, home: Path, topic: str) -> None:
        self._data = home / "data" / "kafka"
        self._topic = topic
        self._copy = self._data.with_name("kafka-copy")

    def copy(self) -> None:
        shutil.copytree(self._data, self._copy)

    def set_back(self) -> None:
        owner = self._data.stat()
        shutil.rmtree(self._data)
        self._copy.rename(self._data)
        for path in (self._data, *self._data.rglob("*")):
            with suppress(PermissionError):
                shutil.chown(path, owner.st_uid, owner.st_gid)

    def segment(self, partition: int) -> Path:
        (found,) = (self._data / "log" / f"{self._topic}-{partition}").glob("*.log")
        return found

    def append(self, partition: int, make: Callable[[int, int], bytes]) -> None:
        """Add a batch made for its offset and its leader's epoch."""
        segment = self.segment(partition)
        with segment.open("r+b") as file:
            data = file.read()
            at, offset, epoch = 0, 0, 0
            while len(data) - at > 61 and (length := int.from_bytes(data[at + 8 : at + 12], "big")):
                last = int.from_bytes(data[at + 23 : at + 27], "big")
                offset = int.from_bytes(data[at : at + 8], "big") + last + 1
                epoch = int.from_bytes(data[at + 12 : at + 16], "big")
                at += 12 + length
            file.seek(at)
            file.write(make(offset, epoch))


def _broken_batch(
    attributes: int, payload: bytes, *, count: int, sound_sum: bool = True
) -> Callable[[int, int], bytes]:
    """A batch whose head is sound and whose records are not."""

    def make(offset: int, epoch: int) -> bytes:
        now = (time.time_ns() // 1_000_000).to_bytes(8, "big")
        last = (count - 1).to_bytes(4, "big")
        body = attributes.to_bytes(2, "big") + last + now + now + b"\xff" * 14 + count.to_bytes(4, "big") + payload
        checksum = crc32c(body) ^ (0 if sound_sum else 1)
        head = offset.to_bytes(8, "big") + (len(body) + 9).to_bytes(4, "big") + epoch.to_bytes(4, "big") + b"\x02"
        return head + checksum.to_bytes(4, "big") + body

    return make


def test_a_log_set_back_to_an_older_copy_and_batches_nobody_can_read_lose_and_double_nothing(
    own_stack: Stack, tmp_path: Path
) -> None:
    asyncio.run(load(own_stack.dsn, SITE.ledger()))
    with arena(own_stack.access, own_stack.dsn, "older", tmp_path) as place:
        disk, traffic = Disk(own_stack.settings.home, "older"), Traffic(SITE)
        worker = place.worker("a")
        place.send(traffic.next(20))
        place.settle()
        own_stack.down(("kafka",))
        disk.copy()
        home = partition_of(SITE.codes[0], place.partitions)
        disk.append(home, _broken_batch(3, b"no frame of lz4", count=5))
        disk.append(home, _broken_batch(0, b"no records", count=9, sound_sum=False))
        own_stack.up(("kafka",))
        place.send(traffic.next(16))
        place.settle()
        unreadable = place.query(
            "select reason, readings, payload, got from rejected where unit_code is null order by id"
        )
        assert [row[:2] for row in unreadable] == [("malformed", 5), ("malformed", 1)]
        assert b"no frame of lz4" in unreadable[0][2]
        assert b"no records" in unreadable[1][2]
        assert "lz4" in unreadable[0][3]
        fences = place.fences()
        own_stack.down(("kafka",))
        disk.set_back()
        own_stack.up(("kafka",))
        place.send(traffic.next(41))  # more than was lost, so that the log grows past the fence
        place.send(traffic.rest())
        assert all(end > fences.get(partition, 0) for partition, end in place.ends().items() if end)
        place.settle()
        place.check(traffic, malformed=6)
        incidents = place.query("select partition, kind, repeated from stream_incident order by 1")
        assert {row[0] for row in incidents} == {partition for partition, end in place.ends().items() if end}
        assert {row[1] for row in incidents} <= {"log_shorter", "log_other"}
        assert worker.said("Kafka's log")
        assert worker.stop() == 0


def test_a_topic_made_anew_goes_on_with_the_state_of_the_old_one(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    with arena(stack.access, database, topic_prefix + "anew", tmp_path) as place:
        traffic = Traffic(SITE)
        worker = place.worker("a")
        place.send(traffic.next(22))  # amid an hour
        place.send(traffic.rest())
        place.settle()
        place.delete_topic()
        time.sleep(1.0)
        place.make_topic()
        place.send(traffic.again(6, 16))
        place.send(traffic.next(19))
        place.send(traffic.rest())
        place.wait(lambda: place.incarnations() == 2, 240)
        place.settle()
        place.check(traffic)
        assert {kind for (kind,) in place.query("select distinct kind from stream_incident")} == {"topic_anew"}
        assert worker.stop() == 0


def test_a_crash_before_kafka_drops_what_would_be_replayed_is_made_good_from_the_store(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    with arena(stack.access, database, topic_prefix + "retained", tmp_path) as place:
        traffic = Traffic(SITE)
        worker = place.worker("a", **KILLED)
        place.send(traffic.next(14))
        place.wait_until_stored()
        worker.kill()
        place.send(traffic.next(1), codec="gzip")
        drop(place, {partition: fence - 3 for partition, fence in place.fences().items() if fence > 3})
        worker = place.worker("b")
        place.send(traffic.next(30))
        place.send(traffic.rest())
        place.settle()
        place.check(traffic)
        assert not worker.said("must start at the fence")
        assert worker.stop() == 0


def test_records_that_kafka_dropped_unread_are_told_once_and_passed(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    with arena(stack.access, database, topic_prefix + "dropped", tmp_path) as place:
        traffic = Traffic(SITE)
        worker = place.worker("a", **KILLED)
        place.send(traffic.next(5))
        place.wait_until_stored()
        worker.kill()
        place.send(traffic.next(3))
        lost = {p: (fence, place.ends()[p] - 2) for p, fence in place.fences().items() if fence}
        drop(place, {partition: end for partition, (_, end) in lost.items()})
        place.worker("b")
        place.send(traffic.next(5))
        place.wait_until_stored()
        time.sleep(2)
        told = place.query("select partition, from_offset, to_offset from stream_incident where kind = 'hole'")
        assert {row[0]: row[1:] for row in told} == lost
        assert len(told) == len(lost)
        [(epochs,)] = place.query("select max(epoch) from stream_fence")
        assert epochs <= 3, "it was not begun again and again"


def test_transactions_are_read_when_committed_and_never_when_aborted(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    with arena(stack.access, database, topic_prefix + "marked", tmp_path) as place:
        traffic, aborted = Traffic(SITE), Traffic(SITE, seed=1)
        worker = place.worker("a", **KILLED)
        place.send(traffic.next(4), commit=True)
        place.send(aborted.next(20), commit=False)
        place.send(traffic.next(4), commit=True, codec="gzip")
        place.settle()
        worker.kill()  # markers lie between the snapshot and the fence, and at it
        place.send(traffic.next(4), commit=True)
        worker = place.worker("b")
        place.send(traffic.next(9))
        place.send(traffic.rest())
        place.settle()
        place.check(traffic)
        assert not worker.said("must start at the fence")
        assert place.query("select count(*) from stream_incident") == [(0,)]
        assert worker.stop() == 0


def test_batches_of_every_codec_are_read(stack: Stack, database: str, topic_prefix: str, tmp_path: Path) -> None:
    asyncio.run(load(database, SITE.ledger()))
    with arena(stack.access, database, topic_prefix + "packed", tmp_path) as place:
        traffic = Traffic(SITE)
        worker = place.worker("a")
        for codec in ("lz4", "snappy", "zstd", "gzip", None):
            place.send(traffic.next(5), codec=codec)
        place.send(traffic.rest(), codec="lz4")
        place.settle()
        place.check(traffic)
        assert worker.stop() == 0


def test_more_partitions_are_refused_until_the_units_are_moved_and_then_nothing_is_lost(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    kafka_by_settings(stack.access, monkeypatch)
    monkeypatch.setenv("METERWARDEN_DATABASE", database)
    with arena(stack.access, database, topic_prefix + "grown", tmp_path) as place:
        traffic = Traffic(SITE)
        worker = place.worker("a")
        place.send(traffic.next(14))
        place.wait_until_stored()
        with closing(KafkaAdminClient(**place.access.options())) as admin:
            admin.create_partitions({place.topic: NewPartitions(total_count=6)})
        place.partitions = 6
        place.send(traffic.next(5))  # by senders that know of it, and units lie elsewhere
        place.wait(lambda: bool(place.query("select from stream_partition where doing = 'refused'")), 240)
        [(told,)] = place.query("select distinct detail from stream_partition where doing = 'refused'")
        assert "run `meterwarden partitions 6`" in told
        done = CliRunner().invoke(command, ["6", "--topic", place.topic, "--group", f"group.{place.topic}"])
        assert done.exit_code == 0, done.output
        assert "units moved from 4 to 6 partitions" in done.output
        place.send(traffic.next(4), partitions=4)  # by a sender that has not noticed
        place.send(traffic.next(10))
        place.send(traffic.rest())
        place.settle()
        place.wait(lambda: place.query("select count(*) from stream_passed_on") == [(0,)], 240)
        place.settle()
        place.check(traffic)
        assert worker.stop() == 0


def test_readings_sent_right_after_their_ledger_was_loaded_are_not_unknown(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    small, whole = Site(units=6, meters=20, interval_us=SITE.interval_us), SITE
    asyncio.run(load(database, small.ledger()))
    with arena(stack.access, database, topic_prefix + "known", tmp_path) as place:
        worker = place.worker("a", ledger_s=30.0)
        before = Traffic(small)
        place.send(before.next(2))
        place.wait_until_stored()
        asyncio.run(load(database, whole.ledger()))
        traffic = Traffic(whole)
        messages = [m for m in traffic.next(9) if m.unit_code not in small.codes]
        messages += [m for m in traffic.rest() if m.unit_code not in small.codes]
        place.send(messages)
        place.wait_until_stored()
        refused = dict(place.query("select reason, sum(readings)::int from rejected group by 1"))
        assert not [reason for reason in refused if reason.startswith("unknown")], refused
        [(stored,)] = place.query("select count(*) from reading_hot")
        assert stored == 6 * 20 * 9 + before.accepted - before.held
        assert worker.stop() == 0


def test_a_store_that_fails_on_a_quiet_partition_is_told_at_once_and_done_again(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    with arena(stack.access, database, topic_prefix + "quiet", tmp_path, partitions=1, tick_s=300.0) as place:
        traffic = Traffic(SITE, late=0.0, repeated=0.0, conflicting=0.0)
        worker = place.worker("a")
        place.send(traffic.next())
        place.wait_until_stored()
        place.do(
            "create function refuse() returns trigger language plpgsql as"
            " 'begin raise exception ''a value nobody can store'' using errcode = ''22003''; end';"
            " create trigger refuse before update on stream_fence for each row"
            " when (new.next_offset > old.next_offset) execute function refuse()"
        )
        place.send(traffic.next())  # and nothing comes after it
        place.wait(lambda: bool(place.query("select from stream_partition where doing = 'waiting'")), 240)
        [(told,)] = place.query("select detail from stream_partition where doing = 'waiting'")
        assert "a value nobody can store" in told
        place.do("drop trigger refuse on stream_fence")
        place.wait_until_stored()
        place.check(traffic)
        assert worker.stop() == 0


def drop(place: Arena, below: dict[int, int]) -> None:
    """Let Kafka forget what lies below some offsets."""

    async def delete() -> None:
        admin = AIOKafkaAdminClient(**place.access.aio_options())
        await admin.start()
        try:
            wanted = {TopicPartition(place.topic, p): RecordsToDelete(before_offset=n) for p, n in below.items()}
            await admin.delete_records(wanted, timeout_ms=10_000)
        finally:
            await admin.close()

    asyncio.run(delete())
