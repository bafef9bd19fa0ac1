"""A worker against real servers: late readings, a corrected ledger, what is refused, what goes out."""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from kafka import KafkaConsumer, TopicPartition

from deploy.cli import cli
from deploy.stack import Stack
from ingest.wire import encode_block, parse_rejected, partition_of
from tests.faults.harness import Arena, arena
from tests.streams.site import BLOCK, JSON, T0_US, Message, Site, load, produce_all

pytestmark = pytest.mark.integration

SITE = Site(units=3, meters=5)
HOURS = "select count(*), coalesce(sum(amount), 0), max(revision) from consumption_hour"
PER_HOUR = SITE.units * sum(meter % 7 + 1 for meter in range(SITE.meters))


@pytest.fixture
def place(stack: Stack, database: str, topic_prefix: str, tmp_path: Path) -> Iterator[Arena]:
    """A worker on a small site."""
    asyncio.run(load(database, SITE.ledger()))
    topic = topic_prefix + "worker"
    with arena(stack.access, database, topic, tmp_path, partitions=2, totals_s=0.5, relay_s=0.2) as made:
        made.worker("a")
        yield made


def send(place: Arena, messages: Iterator[Message]) -> None:
    produce_all(place.access, place.topic, messages, partitions=place.partitions)
    place.wait_until_stored(180)


def published(place: Arena, topic: str, count: int) -> list[tuple[list[tuple[str, bytes]], bytes]]:
    """Headers and value of the first messages of a topic."""
    consumer = KafkaConsumer(consumer_timeout_ms=20_000, **place.access.options())
    consumer.assign([TopicPartition(topic, partition) for partition in range(place.partitions)])
    consumer.seek_to_beginning()
    found = []
    for record in consumer:
        found.append((list(record.headers), record.value))
        if len(found) >= count:
            break
    consumer.close()
    return found


def changed(code: str, tick: int, *, value: float) -> Message:
    """One reading of the unit's first meter as a block."""
    message = encode_block(
        code,
        meters=SITE.block(code, 0).meters,
        meter=np.array([0], np.uint16),
        measured_at=np.array([T0_US + tick * SITE.interval_us]),
        value=np.array([value]),
        units=["kWh"],
        received_at=T0_US + 200 * SITE.interval_us,
    )
    return Message(code, message, BLOCK, 1)


def test_late_readings_are_put_in_their_place_and_hours_get_a_revision(place: Arena) -> None:
    send(place, SITE.blocks(0, 31))
    send(place, SITE.blocks(90, 92))
    [(count, amount, revision)] = place.query(HOURS)
    assert (count, revision) == (SITE.units * SITE.meters * 3, 0)
    assert amount == pytest.approx(PER_HOUR * 3), "the gap's total is known"
    [(estimated,)] = place.query("select count(*) from consumption_hour where quality & 1 <> 0")
    assert estimated > 0
    gaps = "select count(*) from detection where kind = 'gap'"
    assert place.query(gaps) == [(SITE.units * SITE.meters,)]
    send(place, SITE.blocks(31, 59))
    [(count, amount, revision)] = place.query(HOURS)
    assert (count, revision) == (SITE.units * SITE.meters * 3, 1)
    assert amount == pytest.approx(PER_HOUR * 3)
    [(estimated,)] = place.query("select count(*) from consumption_hour where quality & 1 <> 0")
    assert estimated == 0, "what came late is measured"
    [(stored, late)] = place.query("select count(*), count(*) filter (where quality & 2048 <> 0) from reading_hot")
    assert (stored, late) == (SITE.units * SITE.meters * 182, SITE.units * SITE.meters * 59)
    known = float(SITE.values(40)[0])
    send(place, iter([changed(SITE.codes[0], 40, value=known), changed(SITE.codes[0], 41, value=7.0)]))
    reasons = place.query("select reason, readings from rejected order by kafka_offset")
    assert reasons == [("duplicate", 1), ("conflict", 1)], "late ones too"
    assert place.query(gaps) == [(0,)], "a gap that a late reading fills was none"
    out = published(place, f"{place.topic}.detections", 1)
    said = [json.loads(value) for _, value in out]
    assert [(d["kind"], d["state"]) for d in said] == [("duplicate", "closed")], "a summary, nothing that lasts"
    assert {(d["unit_code"], d["meter_no"]) for d in said} >= {(SITE.codes[0], SITE.names[0])}
    assert len({dict(headers)["identity"] for headers, _ in out}) == len(out), "each revision once"


def test_a_corrected_ledger_works_out_the_past_and_its_totals(place: Arena) -> None:
    send(place, SITE.blocks(0, 122))
    total = (
        "select coalesce(sum(d.amount), 0), coalesce(sum(d.tce), 0)"
        " from unit_energy_day d join energy_series s on s.id = d.series_id where s.scope = 'equipment'"
    )
    place.wait(lambda: place.query(total)[0][0] == pytest.approx(PER_HOUR * 2), 240, lambda: place.query(total))
    assert place.query(total)[0][1] > 0
    asyncio.run(load(place.dsn, SITE.ledger(multiplier=10.0)))
    place.wait(lambda: place.query(HOURS)[0][1] == pytest.approx(PER_HOUR * 20), 240, lambda: place.query(HOURS))
    assert place.query(HOURS) == [(SITE.units * SITE.meters * 2, pytest.approx(PER_HOUR * 20), 1)]
    place.wait(lambda: place.query(total)[0][0] == pytest.approx(PER_HOUR * 20), 240, lambda: place.query(total))
    assert place.query("select distinct ledger_version from stream_snapshot") == [(2,)]
    send(place, SITE.blocks(122, 60))
    assert place.query(HOURS)[0][1] == pytest.approx(PER_HOUR * 30)


def test_a_start_that_was_typed_wrong_is_put_right_and_the_past_follows(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    """First an hour too late, then right, then too late again."""
    readings, late = SITE.units * SITE.meters, datetime.fromtimestamp(T0_US / 1e6 + 3600, UTC).isoformat()
    asyncio.run(load(database, SITE.ledger(installed_from=late)))
    with arena(stack.access, database, topic_prefix + "start", tmp_path, partitions=2, totals_s=0.5) as place:
        place.worker("a")
        send(place, SITE.blocks(0, 122))
        refused = place.query("select reason, sum(readings) from rejected group by 1")
        assert refused == [("not_installed", readings * 60)]
        assert place.query(HOURS)[0][1] == pytest.approx(PER_HOUR)
        asyncio.run(load(database, SITE.ledger(), correct=True))
        place.wait(lambda: place.query("select distinct ledger_version from stream_snapshot") == [(2,)], 240)
        send(place, SITE.blocks(0, 60))
        assert place.query(HOURS)[0][1] == pytest.approx(PER_HOUR * 2)
        assert place.query("select count(*) from reading_hot") == [(readings * 122,)]
        asyncio.run(load(database, SITE.ledger(installed_from=late), correct=True))
        place.wait(lambda: place.query(HOURS)[0][1] == pytest.approx(PER_HOUR), 240, lambda: place.query(HOURS))
        assert place.query("select count(*) from reading_hot") == [(readings * 122,)], "what was said stays said"
        assert place.query("select count(*) from installation") == [(readings,)]


def test_what_is_refused_is_kept_and_goes_out_with_its_reason(place: Arena) -> None:
    code = SITE.codes[1]
    at = "2026-10-01T00:00:00Z"
    reading = {"unit_code": code, "meter_no": "M000001", "measured_at": at, "value": 1, "unit": "kWh"}
    bad = {
        "unknown_meter": json.dumps(reading | {"meter_no": "M9"}),
        "unit_mismatch": json.dumps(reading | {"unit": "m3"}),
        "future": json.dumps(reading | {"measured_at": "2099-01-01T00:00:00Z"}),
        "malformed": '{"unit_code": "' + code,
        "not_installed": json.dumps(reading | {"measured_at": "2001-01-01T00:00:00Z"}),
    }
    send(place, iter([Message(code, text.encode(), JSON, 1) for text in bad.values()]))
    rows = place.query("select reason, payload from rejected order by kafka_offset")
    assert {reason: bytes(payload).decode() for reason, payload in rows} == bad
    assert place.query("select count(*) from reading_hot") == [(0,)]
    out = {
        (said := parse_rejected(headers, value)).reason.name.lower(): said
        for headers, value in published(place, f"{place.topic}.rejected", len(bad))
    }
    assert {reason: said.payload.decode() for reason, said in out.items()} == bad
    assert out["unknown_meter"].source_topic == place.topic
    assert "M9" in out["unknown_meter"].got


def test_a_wrong_partition_is_refused_and_says_the_right_one(place: Arena) -> None:
    by_partition = {partition_of(code, place.partitions): code for code in SITE.codes}
    assert set(by_partition) == {0, 1}, "the site's units lie on both partitions"
    misplaced = SITE.blocks(0, 1)
    message = next(message for message in misplaced if message.unit_code == by_partition[0])
    send(place, iter([Message(by_partition[1], message.value, BLOCK, SITE.meters)]))
    [(reason, readings, required)] = place.query("select reason, readings, required from rejected")
    assert (reason, readings) == ("wrong_partition", SITE.meters)
    assert "partition 0" in required


def test_hours_go_out_with_their_revision(place: Arena) -> None:
    send(place, SITE.blocks(0, 62))
    hours = [json.loads(value) for _, value in published(place, f"{place.topic}.hours", SITE.units)]
    assert sorted(hour["unit_code"] for hour in hours) == SITE.codes
    assert all(hour["point"] == [f"P{i:06d}" for i in range(SITE.meters)] for hour in hours)
    assert all(hour["revision"] == [0] * SITE.meters for hour in hours)
    assert sum(sum(hour["amount"]) for hour in hours) == pytest.approx(PER_HOUR)
    assert all(set(hour["unit"]) == {"kWh"} for hour in hours)


def test_a_period_is_worked_out_again_where_a_person_asks(place: Arena) -> None:
    send(place, SITE.blocks(0, 92))
    [(count, total, _)] = place.query(HOURS)
    spoilt = "(select id from metering_point order by id limit 1)"
    place.query(f"update consumption_hour set amount = 99e6 where point_id = {spoilt} returning 1")
    [(unit, point, first)] = place.query(
        "select u.code, p.code, min(h.start) from consumption_hour h join metering_point p on p.id = h.point_id "
        f"join unit u on u.id = p.unit_id where p.id = {spoilt} group by 1, 2"
    )
    words = ["recompute", "--unit", unit, "--point", point, "--from", first.isoformat(), "--reason", "spoilt"]

    def run(*more: str) -> Result:
        return CliRunner().invoke(cli, [*words, *more], env={"METERWARDEN_DATABASE": place.dsn})

    assert "would be worked out again: 1 point of" in run("--dry-run").output
    refused = run()
    assert (refused.exit_code, "--yes must be given; nothing was done" in refused.output) == (2, True)
    assert "must have these of unit" in run("--point", "NOWHERE", "--yes").output
    assert place.query("select count(*) from rework") == [(0,)]
    assert "asked for with ledger version 2" in run("--yes").output
    end = time.monotonic() + 60
    while place.query("select count(*) from consumption_hour where amount = 99e6") != [(0,)]:
        assert time.monotonic() < end, "the hours must be as they were within a minute"
        time.sleep(0.2)
    [(after, amount, revision)] = place.query(HOURS)
    assert (after, revision) == (count, 1)
    assert amount == pytest.approx(total)
    assert place.query("select source from ledger_version where id = 2")[0][0].endswith(": spoilt")
