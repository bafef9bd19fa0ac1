"""An existing Kafka of three brokers, and several workers: kills of either lose and double nothing."""

import asyncio
import json
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from deploy.stack import Stack
from ingest.kafka.publisher import create_topics
from ingest.wire import READINGS_TOPIC, partition_of
from tests.conftest import private_settings
from tests.faults.cluster import Cluster, cluster
from tests.faults.harness import Arena, Worker, arena
from tests.faults.model import Traffic
from tests.streams.site import Site, load

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

SITE = Site(units=12, meters=20, interval_us=15 * 60_000_000)
SOON_S = 300.0


@pytest.fixture(scope="module")
def three(stack: Stack) -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="meterwarden cluster "))
    try:
        with cluster(stack.settings, folder) as made:
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_an_existing_cluster_is_used_and_its_topics_are_on_three_brokers(three: Cluster, home: Path) -> None:
    settings = private_settings(home)
    own = Stack(replace(settings, kafka=replace(settings.kafka, bootstrap=three.access.bootstrap)))
    assert own.up(("kafka",)) == []
    create_topics(own.kafka_config)
    with closing(KafkaAdminClient(**three.access.options())) as admin:
        (topic,) = admin.describe_topics([READINGS_TOPIC])
    assert {len(one["replica_nodes"]) for one in topic["partitions"]} == {3}
    assert len({one["leader_id"] for one in topic["partitions"]}) == 3


def test_brokers_and_workers_are_killed_while_readings_flow(
    three: Cluster, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    survives(three, database, topic_prefix, tmp_path, ["broker", "worker", "frozen broker", "broker"])


@pytest.mark.soak
def test_many_kills_of_brokers_and_workers(three: Cluster, database: str, topic_prefix: str, tmp_path: Path) -> None:
    kills = ["broker", "worker", "frozen broker", "broker"] * (int(os.environ.get("SOAK_KILLS", "20")) // 4)
    random.Random(20261130).shuffle(kills)
    survives(three, database, topic_prefix, tmp_path, kills)


def survives(three: Cluster, database: str, prefix: str, logs: Path, kills: list[str]) -> None:
    """Readings, hours and totals are exact after kills, each while the traffic goes on."""
    dice = random.Random(len(kills))
    asyncio.run(load(database, SITE.ledger()))
    with arena(three.access, database, prefix + "three", logs, partitions=6) as place:
        team = [place.worker(name) for name in ("a", "b", "c")]
        live = place.live(Traffic(SITE), pause_s=0.2)
        moved(place, team)
        for number, what in enumerate(kills):
            time.sleep(dice.uniform(0.3, 2.0))
            node = dice.randint(1, 3)
            if what == "broker":
                three.kill(node)
                moved(place, team)  # on two of three
                three.start(node)
            elif what == "frozen broker":
                three.freeze(node)
                try:
                    moved(place, team)
                finally:
                    three.thaw(node)
            else:
                i = dice.randrange(3)
                team[i].kill()
                team[i] = place.worker(f"{'abc'[i]}{number}")
                moved(place, team)
        assert all(worker.running for worker in team), "no worker gives up because of a broker"
        traffic = live.end()
        place.send(traffic.rest())
        place.settle(SOON_S)
        place.check(traffic)
        if len(kills) >= 20:
            told: dict[str, object] = {
                "soak": f"{len(kills)} kills of brokers and workers on a cluster of three brokers"
            }
            told |= {"readings": traffic.sent, "lost": 0, "doubled": 0, "hours": "exact", "load": os.getloadavg()[0]}
            print(json.dumps(told))  # noqa: T201 - a long run's output is its lines
        assert [worker.stop() for worker in team] == [0, 0, 0]


def moved(place: Arena, team: list[Worker]) -> None:
    """Wait until each partition that readings go to has stored more, by whichever worker of the team."""
    before = place.fences()
    used = {partition_of(code, place.partitions) for code in SITE.codes}

    def on() -> bool:
        now = place.fences()
        return all(now.get(part, 0) > before.get(part, 0) for part in used)

    place.wait(on, SOON_S, lambda: (before, place.fences(), [worker.running for worker in team]))
