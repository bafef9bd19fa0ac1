"""`meterwarden status` and the partitions: healthy only where each moves or has nothing to do."""

import asyncio
import dataclasses
import json
import signal
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from kafka import KafkaAdminClient
from kafka.admin import NewPartitions

from deploy.cli import cli
from deploy.operations.standing import Standing, incidents, judged, standings
from deploy.settings import Settings, environment
from deploy.stack import Stack
from tests.faults.harness import arena
from tests.faults.model import Traffic
from tests.streams.site import Site, load

SITE = Site(units=8, meters=4, interval_us=15 * 60_000_000)


def states(found: Sequence[Standing]) -> set[str]:
    return {one.state for one in found}


@pytest.mark.parametrize(
    ("facts", "moved_by", "state"),
    [
        ({"next_offset": 9}, 0, "idle"),
        ({"next_offset": 9, "told_s": None}, 0, "idle"),
        ({"next_offset": 12}, 0, "idle"),  # the log is shorter than what is stored: there is nothing to store
        ({}, 1, "moving"),
        ({"still_s": 2.0}, 0, "moving"),
        ({"still_s": 200.0}, 0, "standing"),
        ({"next_offset": 0, "still_s": 2.0}, 0, "standing"),  # it was assigned just now, and moved never
        ({"told_s": None}, 0, "unserved"),
        ({"told_s": 60.0}, 1, "unserved"),
        ({"doing": "refused", "next_offset": 9}, 0, "refused"),
        ({"doing": "restoring", "changed_s": 20.0}, 0, "busy"),
        ({"doing": "recomputing", "changed_s": 600.0}, 0, "standing"),
        ({"told_s": -86_400.0}, 0, "unserved"),  # the clock was set back by a day, and nobody has reported since
        ({"still_s": -86_400.0}, 0, "standing"),
        ({"doing": "restoring", "changed_s": -86_400.0}, 0, "standing"),
        ({"told_s": -0.5, "still_s": -0.5}, 0, "moving"),  # a clock that is drawn slowly
    ],
)
def test_a_partition_is_what_its_fence_its_log_and_its_worker_say(
    facts: dict[str, object], moved_by: int, state: str
) -> None:
    common = {"next_offset": 5, "told_s": 1.0, "still_s": 60.0, "changed_s": 60.0, "doing": "reading"}
    now = Standing(partition=3, end_offset=9, **{**common, **facts})  # type: ignore[arg-type]
    then = dataclasses.replace(now, next_offset=now.next_offset - moved_by)
    (one,) = judged([then], [now])
    assert one.state == state
    assert one.healthy == (state in {"idle", "moving", "busy"})


@pytest.mark.integration
def test_partitions_that_nobody_has_that_break_and_that_are_refused_are_told(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    with arena(stack.access, database, topic_prefix + "stands", tmp_path, partitions=2) as place:
        look = partial(standings, place.access, database, group=f"group.{place.topic}", topic=place.topic)
        traffic = Traffic(SITE, late=0.0, repeated=0.0, conflicting=0.0)
        assert states(look(patience_s=0.0)) == {"idle"}
        place.send(traffic.next(40))
        found = look(patience_s=0.0)
        assert states(found) == {"unserved"}, "nobody has read it yet"
        assert sum(one.lag for one in found) == sum(place.ends().values())

        place.worker("b", broken=True)  # it breaks at each message, rejects some, and then waits
        place.wait(lambda: states(look(patience_s=1.0)) == {"standing"}, 240, lambda: look(patience_s=0.0))
        place.workers[-1].signal(signal.SIGKILL)

        with closing(KafkaAdminClient(**place.access.options())) as admin:
            admin.create_partitions({place.topic: NewPartitions(total_count=3)})
        place.worker("c")
        place.wait(lambda: "refused" in states(look(patience_s=0.0)), 240)
        refused = [one for one in look(patience_s=0.0) if one.state == "refused"]
        assert all("run `meterwarden partitions 3`" in one.detail for one in refused)
        assert incidents(database, group=f"group.{place.topic}", topic=place.topic) == []


@pytest.mark.integration
def test_the_exit_code_is_that_of_the_partitions_too(instance: Settings) -> None:
    run = CliRunner(env=environment(instance)).invoke
    stack = Stack(instance)
    stack.up(("postgresql", "kafka"))
    no_topic = run(cli, ["status"])
    assert no_topic.exit_code == 0, no_topic.output
    assert "the topic of readings was not made yet" in no_topic.output

    assert run(cli, ["up"]).exit_code == 0  # no workers are asked for
    made = run(cli, ["status"])
    assert made.exit_code == 0, made.output
    with arena(stack.access, stack.dsn, "metering.readings", Path("/"), partitions=8, made=True) as place:
        place.send(Traffic(SITE, late=0.0).next(2))
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        connection.execute(
            "insert into gateway_state (name, delivered_at, oldest_at, waiting_readings, waiting_bytes, max_bytes) "
            "values ('boiler-house', now() - interval '9 hours', now() - interval '9 hours', 4321, 30, 100)"
        )
    status = run(cli, ["status", "--patience-s", "0", "--language", "zh"])
    assert status.exit_code == 1, status.output
    assert "无工作进程处理" in status.output
    row = next(line for line in status.output.splitlines() if line.startswith("boiler-house"))
    assert all(shown in row for shown in ("长时间无送达", "4321", "30%")), row
    told = json.loads(run(cli, ["status", "--json", "--patience-s", "0"]).output)
    assert not told["healthy"]
    assert sum(one["lag"] for one in told["partitions"]) > 0
    assert all(part["healthy"] for part in told["parts"])
    assert [(one["name"], one["stage"]) for one in told["gateways"]] == [("boiler-house", "silent")]
