import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from click.testing import CliRunner, Result

from deploy.cli import cli
from deploy.commands.rejected import _ONE_REPLAY
from deploy.stack import Stack
from ingest.kafka.config import KafkaConfig
from ingest.kafka.publisher import create_topics
from ingest.wire import CONTENT_TYPE, CONTENT_TYPE_BLOCK, CONTENT_TYPE_JSON, READINGS_TOPIC, RECEIVED_AT, partition_of
from tests.conftest import kafka_by_settings
from tests.ingest.kafka.test_publisher import messages
from tests.ingest.wire.messages import block_message, message

pytestmark = pytest.mark.integration

Rejected = Callable[..., Result]

INSERT = """
insert into rejected (topic, topic_id, partition, kafka_offset, position, reason, required, got, unit_code, payload,
                      readings, stored_at)
values (%s, %s, 0, %s, %s, %s, 'what must be', 'what came', %s, %s, %s, %s)
"""


@pytest.fixture
def config(stack: Stack, topic_prefix: str) -> KafkaConfig:
    config = KafkaConfig(bootstrap=stack.bootstrap, security=stack.access.security, prefix=topic_prefix, partitions=3)
    create_topics(config)
    return config


@pytest.fixture
def table(database: str, config: KafkaConfig) -> Iterator[psycopg.Connection]:
    """A database with four rejected rows: two bad times of U1, one block of U2, one that nobody can read."""
    block = block_message(3, "U2")
    rows = [
        (0, 0, "bad_time", "U1", message(unit_code="U1", measured_at="noon"), 1, "2026-11-20T00:00:00Z"),
        (1, 2, "bad_time", "U1", message(unit_code="U1", measured_at="soon"), 1, "2026-11-21T00:00:00Z"),
        (2, -1, "unknown_unit_code", "U2", block, 3, "2026-11-21T00:00:00Z"),
        (3, -1, "malformed", None, b"\xff", 1, "2026-11-22T00:00:00Z"),
    ]
    topic, topic_id = config.topic(READINGS_TOPIC), uuid4()
    with psycopg.connect(database, autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.executemany(INSERT, [(topic, topic_id, *row) for row in rows])
        yield connection


@pytest.fixture
def rejected(
    stack: Stack, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: psycopg.Connection
) -> Rejected:
    del table  # it fills the database
    kafka_by_settings(stack.access, monkeypatch)
    monkeypatch.setenv("METERWARDEN_DATABASE", database)
    monkeypatch.setenv("METERWARDEN_HOME", str(tmp_path))
    return lambda *arguments: CliRunner().invoke(cli, ["rejected", *map(str, arguments)])


def listed(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_rows_are_listed_with_reason_source_and_original_bytes(rejected: Rejected) -> None:
    rows = listed(rejected("list", "--json"))
    assert [row["reason"] for row in rows] == ["bad_time", "bad_time", "unknown_unit_code", "malformed"]
    assert rows[0]["payload"] == message(unit_code="U1", measured_at="noon").decode()
    assert rows[3]["payload_base64"] == "/w=="
    assert (rows[1]["offset"], rows[1]["position"], rows[1]["replayed_at"]) == (1, 2, None)
    table = rejected("list").stdout.splitlines()
    assert table[0].split() == ["id", "stored", "reason", "unit", "record", "readings", "required", "got", "replayed"]
    assert "2026-11-21 08:00:00  bad_time" in table[2]  # local time
    assert "0/1[2]" in table[2]


@pytest.mark.parametrize(
    ("options", "offsets"),
    [
        (("--reason", "bad_time"), [0, 1]),
        (("--unit", "U2"), [2]),
        (("--since", "2026-11-21T00:00:00+00:00"), [1, 2, 3]),
        (("--since", "2026-11-22"), [3]),
        (("--unit", "U1", "--since", "2026-11-21"), [1]),
        (("--limit", "2"), [0, 1]),
    ],
)
def test_list_can_be_narrowed(rejected: Rejected, options: tuple[str, ...], offsets: list[int]) -> None:
    assert [row["offset"] for row in listed(rejected("list", "--json", *options))] == offsets


def test_list_goes_on_after_a_row(rejected: Rejected) -> None:
    first = rejected("list", "--limit", "2").stdout.splitlines()
    assert first[-1].startswith("there may be more: --after ")
    after = first[-1].split()[-1]
    assert [row["offset"] for row in listed(rejected("list", "--json", "--after", after))] == [2, 3]


def test_replay_sends_the_original_bytes_with_their_key_once(rejected: Rejected, config: KafkaConfig) -> None:
    result = rejected("replay")
    assert (result.exit_code, result.stdout) == (
        0,
        "replayed: rows=4 readings=6 (bad_time 2, unknown_unit_code 1, malformed 1)\n",
    ), result.output
    arrived = messages(config, config.topic(READINGS_TOPIC))
    kinds = {CONTENT_TYPE_BLOCK.encode(): 1, CONTENT_TYPE_JSON.encode(): 3}
    assert sorted((key, value) for _, key, value, _ in arrived) == sorted(
        [
            (b"U1", message(unit_code="U1", measured_at="noon")),
            (b"U1", message(unit_code="U1", measured_at="soon")),
            (b"U2", block_message(3, "U2")),
            (b"", b"\xff"),
        ]
    )
    assert {kind: sum(dict(headers)[CONTENT_TYPE] == kind for *_, headers in arrived) for kind in kinds} == kinds
    first = next(dict(headers) for _, _, value, headers in arrived if b"noon" in value)
    assert first[RECEIVED_AT] == b"1795132800000000"  # when it was refused first
    assert all(partition == partition_of(key.decode(), 3) for partition, key, _, _ in arrived)
    assert rejected("replay").stdout == "replayed: rows=0 readings=0 (nothing)\n"
    assert len(messages(config, config.topic(READINGS_TOPIC))) == 4
    assert all(row["replayed_at"] for row in listed(rejected("list", "--json")))
    assert listed(rejected("list", "--json", "--pending")) == []


def test_what_a_clock_that_was_behind_took_for_the_future_comes_as_if_it_came_now(
    rejected: Rejected, config: KafkaConfig, table: psycopg.Connection
) -> None:
    """By the time of its refusal it would be refused again, however often it is sent."""
    table.execute("update rejected set stored_at = '2000-01-01 00:00Z', reason = 'future' where kafka_offset = 2")
    before = time.time_ns() // 1000
    sent = rejected("replay", "--reason", "future", "--received-now")
    assert (sent.exit_code, sent.stdout) == (0, "replayed: rows=1 readings=3 (future 1)\n"), sent.output
    [(_, _, value, headers)] = messages(config, config.topic(READINGS_TOPIC))
    assert value == block_message(3, "U2")
    assert before <= int(dict(headers)[RECEIVED_AT]) <= time.time_ns() // 1000


def test_replay_can_be_narrowed_and_tried(rejected: Rejected, config: KafkaConfig) -> None:
    tried = rejected("replay", "--reason", "bad_time", "--since", "2026-11-21", "--dry-run")
    assert tried.stdout == "would replay: rows=1 readings=1 (bad_time 1)\n"
    assert messages(config, config.topic(READINGS_TOPIC)) == []
    assert rejected("replay", "--unit", "U2").stdout == "replayed: rows=1 readings=3 (unknown_unit_code 1)\n"
    assert [value for _, _, value, _ in messages(config, config.topic(READINGS_TOPIC))] == [block_message(3, "U2")]
    assert [row["offset"] for row in listed(rejected("list", "--json", "--pending"))] == [0, 1, 3]


def test_clear_counts_first_and_asks_and_keeps_what_the_topic_does_not_have_yet(
    rejected: Rejected, table: psycopg.Connection
) -> None:
    assert rejected("clear").stdout == "nothing that was refused fits\n", "nothing is on the topic yet"
    table.execute("update rejected set relayed = true where kafka_offset < 3")
    asked = rejected("clear", "--reason", "bad_time", "--until", "2026-11-21")
    assert asked.exit_code == 2
    assert "bad_time: rows=1 readings=1, not sent again: 1" in asked.output
    assert "forget 1 row for good, 1 of them never sent again" in asked.output
    assert "--yes must be given; nothing was done" in asked.output
    assert len(listed(rejected("list", "--json"))) == 4
    assert "cleared: rows=1" in rejected("clear", "--reason", "bad_time", "--until", "2026-11-21", "--yes").stdout
    assert [row["offset"] for row in listed(rejected("list", "--json"))] == [1, 2, 3]
    assert rejected("clear", "--replayed", "--yes").stdout == "nothing that was refused fits\n"
    table.execute("update rejected set replayed_at = now() where kafka_offset = 2")
    assert "cleared: rows=1" in rejected("clear", "--replayed", "--yes").stdout
    assert [row["offset"] for row in listed(rejected("list", "--json"))] == [1, 3]


def test_two_replays_do_not_run_at_once(rejected: Rejected, config: KafkaConfig, table: psycopg.Connection) -> None:
    table.execute("select pg_advisory_lock(%s)", (_ONE_REPLAY,))
    result = rejected("replay")
    assert (result.exit_code, result.stderr) == (2, "meterwarden: one replay at a time: another one is running\n")
    assert messages(config, config.topic(READINGS_TOPIC)) == []


def test_rows_stay_pending_when_kafka_does_not_take_them(
    rejected: Rejected, config: KafkaConfig, table: psycopg.Connection
) -> None:
    table.execute("update rejected set topic = 'no-such-topic' where kafka_offset = 2")
    result = rejected("replay", "--unit", "U2")
    assert result.exit_code == 2
    assert "message of 'U2' to no-such-topic failed" in result.stderr
    assert [row["offset"] for row in listed(rejected("list", "--json", "--pending"))] == [0, 1, 2, 3]
    assert messages(config, config.topic(READINGS_TOPIC)) == []


def test_time_that_is_none_is_refused(rejected: Rejected) -> None:
    result = rejected("list", "--since", "yesterday")
    assert result.exit_code == 2
    assert "'yesterday' is not an ISO 8601 time" in result.stderr
