"""What a worker's log says of a fault that goes on: at once, in words that tell what to do, and seldom again."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.logs import JsonLines, Sparing


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Log:
    """A handler, its clock and what it wrote."""

    def __init__(self) -> None:
        self.clock = Clock()
        self._stream = io.StringIO()
        self.handler = Sparing(self._stream, clock=self.clock)
        self.handler.setFormatter(JsonLines())

    def say(self, logger: str, text: str, *arguments: object, level: int = logging.WARNING) -> None:
        self.handler.handle(logging.LogRecord(logger, level, "", 0, text, arguments, None))

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log()
    yield made
    made.handler.close()


def test_a_broker_that_is_away_is_one_sentence_at_once_and_a_count_each_minute(log: Log) -> None:
    for second in range(150):
        log.clock.now = 100.0 + second
        for _ in range(40):
            log.say("aiokafka", "Unable connect to node with id %s: [Errno 111] Connect call failed", 1)
            log.say("aiokafka.consumer.fetcher", "Failed fetch messages from 1: NodeNotReadyError: not ready")
        log.say("kafka.net.manager", "Connection failed: KafkaConnectionError: 111 ECONNREFUSED")
    assert len(log.lines) == 3, "at once, after a minute, after two"
    assert {line["message"].split(";")[0] for line in log.lines} == {"Kafka does not answer"}
    assert "meterwarden status" in log.lines[0]["message"]
    assert log.lines[0]["said"].startswith("Unable connect to node with id 1"), "their own words are kept"
    assert [line.get("repeated") for line in log.lines] == [None, 81 * 60 - 1, 81 * 60]
    log.handler.close()
    assert log.lines[-1]["repeated"] == 81 * 30, "nothing is swallowed at the end"


def test_what_is_new_is_said_whatever_else_is_said_all_the_time(log: Log) -> None:
    for _ in range(100):
        log.say("metering.lane", "partition %d waits for the database: %s", 3, "it is away")
    log.say("metering.lane", "partition %d waits for the database: %s", 4, "it is away")
    log.say("metering.lane", "partition %d is rejected", 3)
    assert [line["message"] for line in log.lines[-2:]] == [
        "partition 4 waits for the database: it is away",
        "partition 3 is rejected",
    ]
    assert len(log.lines) == 7, "ours is said five times before it is counted"


def test_after_a_quiet_minute_the_same_is_new_again(log: Log) -> None:
    for minute in range(3):
        log.clock.now = 100.0 + 61.0 * minute
        log.say("aiokafka", "Unable to update metadata from [1]")
    assert [line.get("repeated") for line in log.lines] == [None, None, None]


@pytest.mark.parametrize(
    ("logger", "text", "means"),
    [
        ("asyncio", "Unclosed AIOKafkaProducer\nproducer: <…>", "nothing has to be done"),
        ("asyncio", "Task was destroyed but it is pending!", "nothing has to be done"),
        ("aiokafka.consumer.group_coordinator", "Heartbeat session expired - marking coordinator dead", "session"),
    ],
)
def test_what_nobody_understands_becomes_a_sentence_with_what_to_do(
    log: Log, logger: str, text: str, means: str
) -> None:
    log.say(logger, text, level=logging.ERROR)
    (line,) = log.lines
    assert means in line["message"]
    assert line["said"] == text


def test_what_is_ours_and_what_nobody_has_met_stays_as_it_is(log: Log) -> None:
    log.say("metering.consumer", "Heartbeat of ours")
    log.say("asyncio", "Something else")
    assert [(line["message"], "said" in line) for line in log.lines] == [
        ("Heartbeat of ours", False),
        ("Something else", False),
    ]


def test_many_different_messages_are_all_said(log: Log) -> None:
    for number in range(3000):
        log.say("metering.lane", chr(0x4E00 + number))
    assert len(log.lines) == 3000


def test_a_large_log_is_put_aside_and_all_output_goes_on_in_a_new_one(tmp_path: Path) -> None:
    log = tmp_path / "worker 1.log"
    program = (
        "import logging, os, sys; from streams.logs import log_to; log_to(sys.stderr, limit_bytes=20_000)\n"
        "for n in range(900): logging.getLogger('metering.x').info(chr(0x4e00 + n))\n"
        "os.write(1, b'printed by a library\\n'); os.write(2, b'the last words\\n')"
    )
    with log.open("ab") as output:
        subprocess.run([sys.executable, "-c", program], stdout=output, stderr=output, check=True)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["worker 1.log", *(f"worker 1.log.{n}" for n in range(1, 5))]
    assert all(file.stat().st_size < 20_200 for file in files)
    assert log.read_text().splitlines()[-2:] == ["printed by a library", "the last words"]
    said = [json.loads(line)["message"] for file in files for line in file.read_text().splitlines() if line[0] == "{"]
    assert sorted(said) == [chr(0x4E00 + n) for n in range(900)]
