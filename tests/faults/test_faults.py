"""Servers and workers that die, freeze and come back, under load: nothing is lost, nothing is stored twice."""

import asyncio
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka import KafkaProducer

from deploy.migrate import migrate
from deploy.settings import Settings
from deploy.stack import Stack
from ingest.kafka_access import KafkaAccess
from ingest.wire import partition_of
from tests.faults.harness import Arena, arena
from tests.faults.worker import POISON
from tests.streams.site import JSON, Message, Site, load, produce_all

pytestmark = pytest.mark.integration

SITE = Site(units=12, meters=40)
SEED = 20261122
KILLS = ["worker"] * 2 + ["kafka"] * 2 + ["postgresql"] * 2
"""One small run; forty kills are `make soak`."""
AWAY_S = 9.0
"""Longer than a session of the group. [s]"""


@pytest.fixture
def own_stack(instance: Settings) -> Stack:
    """A Kafka and a TimescaleDB that may be killed."""
    stack = Stack(instance)
    stack.up(("postgresql", "kafka"))
    migrate(stack.dsn)
    return stack


def test_killing_workers_broker_and_database_at_random_loses_and_doubles_nothing(
    own_stack: Stack, tmp_path: Path
) -> None:
    dice = random.Random(SEED)
    kills = dice.sample(KILLS, len(KILLS))
    asyncio.run(load(own_stack.dsn, SITE.ledger()))
    with arena(own_stack.access, own_stack.dsn, "kills", tmp_path) as place:
        team = [place.worker("a"), place.worker("b")]
        traffic = place.load(SITE, pause_s=0.05)
        place.wait(lambda: sum(place.fences().values()) > 0, 180)
        for number, what in enumerate(kills):
            time.sleep(dice.uniform(0.3, 1.5))
            if what == "worker":
                i = dice.randrange(2)
                team[i].kill()
                team[i] = place.worker(f"{'ab'[i]}{number}")
            else:
                assert own_stack.kill(what)
                time.sleep(dice.uniform(0.0, 0.5))
                own_stack.up((what,))
        assert all(worker.running for worker in team), "no worker gives up because of a server"
        ticks = traffic.end()
        place.wait_until_stored()
        place.reckon(SITE, ticks)
        assert [worker.stop() for worker in team] == [0, 0]


def test_a_worker_that_breaks_begins_again_by_itself(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    with arena(stack.access, database, topic_prefix + "breaks", tmp_path) as place:
        worker = place.worker("a")
        traffic = place.load(SITE, pause_s=0.02)
        for _ in range(2):
            place.wait(lambda: bool(place.fences()), 180)
            _wait_until_more(place, lambda: sum(place.fences().values()))
            worker.signal(signal.SIGUSR1)
            _wait_until_more(place, lambda: _epochs(place))
        ticks = traffic.end()
        place.wait_until_stored()
        place.reckon(SITE, ticks)
        assert worker.said("it begins again in 2 s: RuntimeError")
        assert worker.stop() == 0


_REFUSED = ("begins again", "is left in the middle", "out of touch with its group")


def test_a_frozen_worker_that_wakes_after_its_partitions_moved_is_refused(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    topic = topic_prefix + "zombie"
    with arena(stack.access, database, topic, tmp_path) as place:
        zombie = place.worker("zombie")
        traffic = place.load(SITE, pause_s=0.02)
        place.wait(lambda: sum(place.fences().values()) > 100, 180)
        zombie.signal(signal.SIGSTOP)
        heir = place.worker("heir")
        _wait_until_more(place, lambda: _epochs(place))
        _wait_until_more(place, lambda: sum(place.fences().values()))
        zombie.signal(signal.SIGCONT)
        place.wait(lambda: any(map(zombie.said, _REFUSED)), 240, zombie.tail)
        ticks = traffic.end()
        place.wait_until_stored()
        place.reckon(SITE, ticks)
        assert zombie.running, "a worker that was refused goes on"
        assert [zombie.stop(), heir.stop()] == [0, 0]


def _wait_until_more(place: Arena, of: Callable[[], int]) -> None:
    before = of()
    place.wait(lambda: of() > before, 240, of)


def _epochs(place: Arena) -> int:
    [(total,)] = place.query("select coalesce(sum(epoch), 0) from stream_fence")
    return int(total)


def test_two_workers_share_take_over_and_leave_cleanly(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    topic = topic_prefix + "share"
    with arena(stack.access, database, topic, tmp_path) as place:
        team = {"a": place.worker("a")}
        traffic = place.load(SITE, pause_s=0.05)
        place.wait(lambda: place.owners() == {"a"}, 180)
        team["b"] = place.worker("b")
        place.wait(lambda: place.owners() == {"a", "b"}, 180, place.owners)
        time.sleep(2)
        assert team["a"].stop() == 0, "SIGTERM is a clean stop"
        place.wait(lambda: place.owners() == {"b"}, 240, place.owners)
        [(behind,)] = place.query(
            "select max(f.next_offset - s.next_offset)"
            " from stream_fence f join stream_snapshot s using (topic_id, partition)"
        )
        ticks = traffic.end()
        place.wait_until_stored()
        place.reckon(SITE, ticks)
        assert behind < 2000, "who leaves leaves its state behind"
        assert team["b"].stop() == 0


def test_a_topic_made_anew_is_read_from_its_beginning(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    topic = topic_prefix + "anew"
    with arena(stack.access, database, topic, tmp_path) as place:
        worker = place.worker("a")
        produce_all(stack.access, topic, SITE.blocks(0, 70), partitions=place.partitions)
        place.wait_until_stored()
        place.delete_topic()
        time.sleep(1.0)
        place.make_topic()
        produce_all(stack.access, topic, SITE.blocks(70, 130), partitions=place.partitions)
        sent = SITE.units * SITE.meters * 200
        place.wait(lambda: place.query("select count(*) from reading_hot")[0][0] >= sent, 240)
        [(incarnations,)] = place.query("select count(distinct topic_id) from stream_fence")
        assert incarnations == 2
        [(count, distinct)] = place.query(
            "select count(*), count(distinct (register_id, measured_at)) from reading_hot"
        )
        assert (count, distinct) == (sent, sent)
        assert worker.stop() == 0


def test_a_database_that_is_away_for_longer_than_a_session_is_waited_for(own_stack: Stack, tmp_path: Path) -> None:
    asyncio.run(load(own_stack.dsn, SITE.ledger()))
    with arena(own_stack.access, own_stack.dsn, "away", tmp_path) as place:
        team = [place.worker("a"), place.worker("b")]
        traffic = place.load(SITE, pause_s=0.02)
        place.wait(lambda: place.owners() == {"a", "b"}, 180, place.owners)  # nobody joins the group later
        _wait_until_more(place, lambda: sum(place.fences().values()))
        epochs = _epochs(place)
        own_stack.down(("postgresql",))
        time.sleep(AWAY_S)
        assert all(worker.running for worker in team)
        own_stack.up(("postgresql",))
        ticks = traffic.end()
        place.wait_until_stored()
        place.reckon(SITE, ticks)
        assert _epochs(place) == epochs, "nobody lost a partition while the database was away"
        assert [worker.stop() for worker in team] == [0, 0]


def test_poison_and_giants_are_rejected_with_their_bytes_and_the_rest_goes_on(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    topic = topic_prefix + "poison"
    code = SITE.codes[0]
    giant = b'{"unit_code":"' + code.encode() + b'","readings":[' + b"x" * 50_000_000
    poison = _poison(code, "M000003")
    with arena(stack.access, database, topic, tmp_path, partitions=2, poison=True) as place:
        place.delete_topic()
        time.sleep(0.5)
        place.make_topic(**{"max.message.bytes": str(64 * 2**20)})
        worker = place.worker("a", max_message_bytes=2**20)
        first = list(SITE.blocks(0, 61))
        for i in (5, 300, 301):
            first.insert(i, poison)
        produce_all(stack.access, topic, first, partitions=place.partitions)
        _send_giant(stack.access, topic, code, giant, place.partitions)
        produce_all(stack.access, topic, SITE.singles(61, 60), partitions=place.partitions)
        place.wait_until_stored()
        rows = place.query("select reason, got, payload, readings from rejected order by kafka_offset")
        assert [row[0] for row in rows] == ["malformed"] * 3 + ["too_large"]
        assert all("ZeroDivisionError: a step that nobody thought of" in row[1] for row in rows[:3])
        assert all(bytes(row[2]) == poison.value for row in rows[:3])
        assert rows[3][2][:1000] == giant[:1000]
        place.reckon(SITE, 121, rejected=sum(row[3] for row in rows))
        place.wait(lambda: place.query("select bool_and(relayed) from rejected") == [(True,)], 240)
        assert worker.stop() == 0


def test_a_step_that_is_broken_altogether_rejects_a_few_and_waits_for_a_better_one(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    topic = topic_prefix + "broken"
    with arena(stack.access, database, topic, tmp_path, partitions=1) as place:
        produce_all(stack.access, topic, SITE.blocks(0, 70), partitions=1)
        bad = place.worker("bad", broken=True)
        place.wait(lambda: place.query("select count(*) from rejected") == [(20,)], 240)
        time.sleep(2)
        assert bad.running
        assert place.query("select count(*), max(kafka_offset) from rejected") == [(20, 19)]
        assert bad.stop() == 0
        good = place.worker("good")
        place.wait_until_stored()
        [(stored,)] = place.query("select count(*) from reading_hot")
        [(refused,)] = place.query("select count(*) from rejected")
        assert (stored, refused) == ((SITE.units * 70 - 20) * SITE.meters, 20)
        assert good.stop() == 0


def _poison(code: str, meter: str) -> Message:
    at = "2026-10-01T00:00:00Z"
    text = f'{{"unit_code":"{code}","meter_no":"{meter}","measured_at":"{at}","value":{POISON},"unit":"kWh"}}'
    return Message(code, text.encode(), JSON, 1)


def _send_giant(access: KafkaAccess, topic: str, code: str, value: bytes, partitions: int) -> None:
    producer = KafkaProducer(max_request_size=len(value) + 1000, **access.options())
    producer.send(topic, value=value, key=code.encode(), partition=partition_of(code, partitions)).get(60)
    producer.close()
