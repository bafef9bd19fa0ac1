from pathlib import Path

import pytest

from deploy.stack import Stack
from ingest.kafka.collector import Collected, Collector
from ingest.kafka.config import KafkaConfig
from ingest.kafka.publisher import Publisher, create_topics
from ingest.wire import READINGS_TOPIC, partition_of
from tests.ingest.kafka.test_publisher import messages
from tests.ingest.wire.messages import decode, rows

pytestmark = pytest.mark.integration

HEADER = "unit_code,meter_no,measured_at,value,unit"


@pytest.fixture
def config(stack: Stack, topic_prefix: str) -> KafkaConfig:
    config = KafkaConfig(bootstrap=stack.bootstrap, security=stack.access.security, prefix=topic_prefix, partitions=3)
    create_topics(config)
    return config


def collect(config: KafkaConfig, paths: list[Path], *, as_json: bool) -> tuple[Collected, list[float]]:
    shares: list[float] = []
    with Publisher(config) as publisher:
        collector = Collector(config, publisher, as_json=as_json)
        return collector.collect(paths, lambda _path, share, _readings: shares.append(share)), shares


@pytest.mark.parametrize("as_json", [False, True], ids=["block", "json"])
def test_what_files_hold_is_what_is_sent(config: KafkaConfig, tmp_path: Path, as_json: bool) -> None:
    good = [f"U{i % 5},M-{i % 11},2026-11-21T{i % 24:02}:15:00+08:00,{i}.5,kWh" for i in range(1000)]
    bad = ["U1,M-1,noon,1,kWh", "U1,M-1,2026-11-21T00:00:00Z,many,kWh", "short,row"]
    (tmp_path / "a.csv").write_text("\n".join([HEADER, *good[:600], *bad]))
    (tmp_path / "b.tsv").write_text("\n".join([HEADER, *good[600:]]).replace(",", "\t"))
    collected, shares = collect(config, [tmp_path / "a.csv", tmp_path / "b.tsv"], as_json=as_json)
    arrived = messages(config, config.topic(READINGS_TOPIC))
    assert (collected.readings, collected.bad, collected.messages) == (1003, 3, len(arrived))
    assert len(arrived) == (1003 if as_json else 5 + 3)
    assert collected.bytes == sum(len(value) for _, _, value, _ in arrived)
    assert [(path.name, fault.row) for path, fault in collected.faults] == [("a.csv", i) for i in (602, 603, 604)]
    assert shares[-1] == 1.0
    found, faults = decode(*(value for _, _, value, _ in arrived), headers=[headers for *_, headers in arrived])
    assert sorted(row[3] for block in found for row in rows(block)) == [i + 0.5 for i in range(1000)]  # type: ignore[type-var]
    assert sum(fault.readings for fault in faults) == 3
    assert all(partition == partition_of(key.decode(), 3) for partition, key, _, _ in arrived)


def test_row_that_is_larger_than_a_message_may_be_is_told_and_harms_no_other(
    config: KafkaConfig, tmp_path: Path
) -> None:
    from dataclasses import replace  # noqa: PLC0415

    small = replace(config, max_message_bytes=10_000)
    rows_ = ["U1,M-1,noon,1," + "x" * 20_000, "U1,M-1,2026-11-21T00:00:00Z,7,kWh"]
    (tmp_path / "a.csv").write_text("\n".join([HEADER, *rows_]))
    collected, _ = collect(small, [tmp_path / "a.csv"], as_json=False)
    assert (collected.readings, collected.bad) == (1, 0)
    assert [fault.row for _, fault in collected.unsendable] == [2]
