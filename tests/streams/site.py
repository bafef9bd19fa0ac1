"""A made-up region for tests with real servers: its ledger, its readings, and what has to come out."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from aiokafka import AIOKafkaProducer
from numpy.typing import NDArray

from analytics.domain.ledger import Ledger, build_ledger
from ingest.kafka_access import KafkaAccess
from ingest.wire import (
    CONTENT_TYPE,
    CONTENT_TYPE_BLOCK,
    CONTENT_TYPE_JSON,
    Block,
    MeterList,
    encode_block,
    encode_readings_json,
    partition_of,
)
from streams.rows.layout import StoredLedger
from streams.store.ledger import load_ledger

__all__ = ["BLOCK", "JSON", "Calm", "Message", "OneLedger", "Site", "load", "produce", "produce_all"]

MINUTE_US = 60_000_000
T0_US = 1_790_000_000_000_000 // (60 * MINUTE_US) * (60 * MINUTE_US)  # an hour's beginning in 2026

BLOCK = [(CONTENT_TYPE, CONTENT_TYPE_BLOCK.encode())]
JSON = [(CONTENT_TYPE, CONTENT_TYPE_JSON.encode())]


@dataclass(frozen=True, slots=True)
class Message:
    """One Kafka record to be."""

    unit_code: str
    value: bytes
    headers: list[tuple[str, bytes]]
    readings: int
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """`units` energy-using units of `meters` electricity meters each, read every `interval_us`.

    Meter m of a unit shows 1000 + m at `T0_US` and counts (m % 7 + 1) kWh an hour.
    """

    units: int
    meters: int
    interval_us: int = MINUTE_US

    @property
    def codes(self) -> list[str]:
        return [f"UNIT-{i:05d}" for i in range(self.units)]

    @property
    def names(self) -> list[str]:
        return [f"M{i:06d}" for i in range(self.meters)]

    def ledger(self, *, multiplier: float = 1.0, installed_from: str = "2026-01-01T00:00:00+08:00") -> Ledger:
        count = self.units * self.meters
        ledger, faults = build_ledger(
            {
                "unit_code": [code for code in self.codes for _ in range(self.meters)],
                "level": ["equipment"] * count,
                "sub_unit": ["hall"] * count,
                "equipment": [f"E{i}" for i in range(self.meters)] * self.units,
                "point": [f"P{i:06d}" for i in range(self.meters)] * self.units,
                "carrier": ["electricity"] * count,
                "meter_no": self.names * self.units,
                "instrument": ["electricity"] * count,
                "unit": ["kWh"] * count,
                "multiplier": [multiplier] * count,
                "full_scale": [1e8] * count,
                "max_rate": [1000.0] * count,
                "interval_s": [self.interval_us / 1e6] * count,
                "installed_from": [installed_from] * count,
            }
        )
        assert not faults, faults[:3]
        return ledger

    def values(self, tick: int) -> NDArray[np.float64]:
        """Dials of a unit's meters at a tick."""
        meter = np.arange(self.meters)
        return 1000.0 + meter + (meter % 7 + 1) * (tick * self.interval_us / 3.6e9)

    def block(self, code: str, tick: int) -> Block:
        """A unit's readings of one tick."""
        n = self.meters
        at = np.full(n, T0_US + tick * self.interval_us)
        zeros = np.zeros(n, np.int32)
        return Block(
            code,
            MeterList.of(self.names),
            np.arange(n, dtype=np.uint16),
            at,
            self.values(tick),
            ("kWh",),
            zeros.astype(np.uint8),
            at + 1_000_000,
            zeros.astype(np.int16),
            zeros,
            np.arange(n, dtype=np.int32),
        )

    def blocks(self, first: int, count: int) -> Iterator[Message]:
        """One block message a unit and tick, tick by tick."""
        meters = MeterList.of(self.names)
        meter = np.arange(self.meters, dtype=np.uint16)
        for tick in range(first, first + count):
            at, value = np.full(self.meters, T0_US + tick * self.interval_us), self.values(tick)
            raw = {"meters": meters, "meter": meter, "measured_at": at, "value": value, "units": ["kWh"]}
            for code in self.codes:
                message = encode_block(code, **raw, received_at=int(at[0]) + 1_000_000)  # type: ignore[arg-type]
                yield Message(code, message, BLOCK, self.meters)

    def singles(self, first: int, count: int) -> Iterator[Message]:
        """One JSON message a meter and tick, tick by tick."""
        for tick in range(first, first + count):
            for code in self.codes:
                for value in encode_readings_json(self.block(code, tick), slice(None)):
                    yield Message(code, value, JSON, 1)


class Calm:
    """Traffic in which no reading is late."""

    starting = False

    def late(self) -> bool:
        return False


class OneLedger:
    """The worker's only ledger."""

    def __init__(self, stored: StoredLedger) -> None:
        self._stored = stored

    def ledgers(self) -> list[StoredLedger]:
        return [self._stored]

    def behind(self) -> bool:
        return False


async def load(dsn: str, ledger: Ledger, *, correct: bool = False) -> int:
    """Load a ledger; its version."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        report = await load_ledger(connection, ledger, "test", correct=correct)
    assert not report.faults, report.faults[:3]
    return report.version


async def produce(access: KafkaAccess, topic: str, messages: Iterator[Message], *, partitions: int) -> int:
    """Send messages to their units' partitions, batches packed by hand: a million small ones take seconds; how many."""
    producer = AIOKafkaProducer(max_batch_size=2**19, request_timeout_ms=60_000, **access.aio_options())
    batches: dict[int, Any] = {}
    count = 0
    try:
        await producer.start()
        for message in messages:
            partition = partition_of(message.unit_code, partitions)
            while True:
                batch = batches.get(partition)
                if batch is None:
                    batch = batches[partition] = producer.create_batch()
                key = message.unit_code.encode()
                time_ms = message.timestamp_ms
                if batch.append(key=key, value=message.value, timestamp=time_ms, headers=message.headers) is not None:
                    break
                await producer.send_batch(batches.pop(partition), topic, partition=partition)
            count += 1
        for partition, batch in batches.items():
            await producer.send_batch(batch, topic, partition=partition)
    finally:
        await producer.stop()
    return count


def produce_all(
    access: KafkaAccess, topic: str, messages: Sequence[Message] | Iterator[Message], *, partitions: int
) -> int:
    """`produce`, from where no event loop runs."""
    return asyncio.run(produce(access, topic, iter(messages), partitions=partitions))
