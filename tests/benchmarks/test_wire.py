"""Messages to columns and back, one core, beside what the parser alone takes for the same bytes in the same run."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from ingest.kafka.packing import Packer
from ingest.readings import ReadingColumns, read_readings, write_readings
from ingest.wire import (
    MeterList,
    Names,
    Records,
    decode_fetched,
    decode_records,
    encode_block,
    encode_readings_json,
    records_of,
)
from ingest.wire.block_format import _decode as msgpack_alone
from ingest.wire.json_elements import Reading
from ingest.wire.times import format_utc, parse_times

pytestmark = pytest.mark.benchmark

ZONE = ZoneInfo("Asia/Shanghai")
T0 = 1_763_000_000_000_000
ROUNDS = 7


def measured(
    bench: str, readings: int, work: Callable[[], object], ceiling: Callable[[], object] | None = None
) -> float:
    """Readings a second, medians of alternating runs; so what else the machine does strikes both alike."""
    took, least = [], []
    work()
    for _ in range(ROUNDS):
        start = time.thread_time()
        work()
        took.append(time.thread_time() - start)
        if ceiling is not None:
            start = time.thread_time()
            ceiling()
            least.append(time.thread_time() - start)
    value = readings / float(np.median(took))
    line: dict[str, object] = {"bench": bench, "value": round(value), "unit": "readings/s"}
    if ceiling is not None:
        line["ratio_to_ceiling"] = round(float(np.median(least)) / float(np.median(took)), 3)
    sys.stdout.write(json.dumps(line) + "\n")
    return value


def block_messages(n: int, count: int) -> list[bytes]:
    rng = np.random.default_rng(1)
    meters = MeterList.of([f"M-{i:05d}" for i in range(500)])
    return [
        encode_block(
            f"91110000{k % 50:04d}",
            meters=meters,
            meter=np.arange(n) % 500,
            measured_at=T0 + 1_000_000 * np.arange(n),
            value=rng.random(n) * 1e6,
            units=["kWh"],
            received_at=T0,
        )
        for k in range(count)
    ]


def json_messages(count: int, units: int) -> list[bytes]:
    return [
        b'{"unit_code":"91110000%04d","meter_no":"M-%05d","measured_at":"2026-11-21T08:%02d:00+08:00",'
        b'"value":%d.78,"unit":"kWh"}' % (i % units, i % 3000, i // 3000 % 60, 123_000 + i)
        for i in range(count)
    ]


@pytest.mark.parametrize("n", [500, 4000])
def test_blocks(n: int) -> None:
    messages = block_messages(n, 400)
    times = np.full(len(messages), T0)

    def alone() -> None:
        for message in messages:
            msgpack_alone(message)

    rate = measured(
        f"wire: blocks of {n} decoded",
        n * len(messages),
        lambda: decode_records(messages, timestamps_us=times, zone=ZONE),
        alone,
    )
    assert rate > 0


@pytest.mark.parametrize("units", [1, 50, 1400])
def test_single_json_readings(units: int) -> None:
    """As a worker does: out of what was fetched, meters known from the batch before."""
    messages = json_messages(20_000, units)
    records, names = Records.of(messages, timestamps_us=np.full(len(messages), T0)), Names()
    decode = msgspec.json.Decoder(Reading).decode
    rate = measured(
        f"wire: single JSON readings of {units} units decoded",
        len(messages),
        lambda: decode_fetched(records, zone=ZONE, names=names),
        lambda: [decode(message) for message in messages],
    )
    assert rate > 0


def test_records_of_a_fetch() -> None:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 2**24)
    messages = json_messages(20_000, 50)
    for i, message in enumerate(messages):
        builder.append(i, T0 // 1000, b"9111", message, [("content-type", b"application/json")])
    data = bytes(builder.build())

    def objects() -> list[object]:
        batch = MemoryRecords(data).next_batch()
        assert batch is not None
        return list(batch)

    assert measured("wire: records of a fetch as columns", len(messages), lambda: records_of(data, 0, check_crcs=True))
    assert measured("wire: records of a fetch as objects, as aiokafka does", len(messages), objects) > 0


def test_single_json_readings_some_unsound() -> None:
    messages = json_messages(20_000, 50)
    spoilt = [b'{"unit_code":"1"}' if i % 50 == 0 else message for i, message in enumerate(messages)]
    records, names = Records.of(spoilt, timestamps_us=np.full(len(messages), T0)), Names()

    def work() -> object:
        return decode_fetched(records, zone=ZONE, names=names)

    assert measured("wire: single JSON readings, 2 % unsound, decoded", len(messages), work) > 0


def test_json_arrays() -> None:
    singles = json_messages(20_000, 1)
    messages = [b"[" + b",".join(singles[i : i + 100]) + b"]" for i in range(0, len(singles), 100)]
    times = np.full(len(messages), T0)
    decode = msgspec.json.Decoder(list[Reading]).decode
    rate = measured(
        "wire: JSON arrays of 100 decoded",
        len(singles),
        lambda: decode_records(messages, timestamps_us=times, zone=ZONE),
        lambda: [decode(message) for message in messages],
    )
    assert rate > 0


def test_writing() -> None:
    n, count = 4000, 20
    messages = block_messages(n, count)
    blocks, _ = decode_records(messages, timestamps_us=np.full(count, T0), zone=ZONE)

    def pack() -> None:
        packer = Packer(max_readings=n)
        packed = [one for block in blocks for one in packer.add([block])]
        assert len(packed) == count

    assert measured("wire: readings packed into blocks", n * count, pack) > 0
    assert measured("wire: single JSON readings encoded", n, lambda: encode_readings_json(blocks[0], slice(None))) > 0


def test_times() -> None:
    texts = format_utc(T0 + 60_000_000 * np.arange(20_000))
    assert measured("wire: ISO 8601 times parsed", len(texts), lambda: parse_times(texts, ZONE)) > 0


@pytest.mark.parametrize("name", ["r.csv", "r.parquet", "r.jsonl"])
def test_files(name: str, tmp_path: Path) -> None:
    n = 300_000
    i = np.arange(n)
    columns = ReadingColumns(
        unit_code=[f"U{k}" for k in i % 12],
        meter_no=[f"M-{k}" for k in i % 400],
        measured_at=T0 + i // 400 * 900_000_000,
        value=(i + 0.5).astype(np.float64),
        unit=["kWh"] * n,
    )
    write_readings(tmp_path / name, columns)
    types = pa.csv.ConvertOptions(column_types={"value": pa.string(), "measured_at": pa.string()})
    alone = {"r.csv": lambda: pa.csv.read_csv(tmp_path / name, pa.csv.ReadOptions(use_threads=False), None, types)}
    rate = measured(
        f"files: {name.partition('.')[2]} to blocks",
        n,
        lambda: sum(part.readings for part in read_readings(tmp_path / name, zone=ZONE, received_at=T0)),
        alone.get(name),
    )
    assert rate > 0
