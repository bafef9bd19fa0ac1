"""What the fault tests are made of: workers as processes, a load that keeps account, and the reckoning at the end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic

from ingest.kafka_access import KafkaAccess
from ingest.wire import partition_of
from tests.faults.model import Traffic
from tests.streams.site import Message, Site

ROOT = Path(__file__).parents[2]


class Worker:
    """A worker process."""

    def __init__(self, name: str, logs: Path, **options: Any) -> None:
        self.name = name
        self.log = logs / f"{name}-{time.monotonic_ns()}.log"
        with self.log.open("ab") as sink:
            command = [sys.executable, "-m", "tests.faults.worker", json.dumps({"worker": name, **options})]
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=sink, stderr=sink, env=os.environ.copy())

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """At once, as a power cut would."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Cleanly; the exit code."""
        self._process.terminate()
        try:
            return self._process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def resident_bytes(self) -> int:
        """Memory it has now."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return 1024 * int(status.split("VmRSS:")[1].split()[0])

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def said(self, text: str) -> bool:
        return text in self.log.read_text(errors="replace")


def spent_s(pid: int) -> float:
    """Processor time of a process; 0 where it has gone. [s]"""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Load(threading.Thread):
    """Sends readings tick by tick until told to stop, through broken brokers too; each tick is acknowledged."""

    def __init__(self, access: KafkaAccess, topic: str, site: Site, *, partitions: int, pause_s: float) -> None:
        super().__init__(daemon=True)
        self._access = access
        self._topic = topic
        self._site = site
        self._partitions = partitions
        self._pause_s = pause_s
        self._ending = threading.Event()
        self.ticks = 0
        self.failed: BaseException | None = None

    def run(self) -> None:
        """Blocks, and every tenth tick JSON messages."""
        try:
            asyncio.run(self._send_all())
        except BaseException as error:  # noqa: BLE001 - told by `end`
            self.failed = error

    async def _send_all(self) -> None:
        producer = AIOKafkaProducer(
            enable_idempotence=True, linger_ms=10, request_timeout_ms=120_000, **self._access.aio_options()
        )
        try:
            await producer.start()
            while not self._ending.is_set():
                tick = self.ticks
                messages = self._site.singles(tick, 1) if tick % 10 == 9 else self._site.blocks(tick, 1)
                await asyncio.gather(*[await self._send(producer, message) for message in messages])
                self.ticks += 1
                await asyncio.sleep(self._pause_s)
        finally:
            await producer.stop()

    async def _send(self, producer: AIOKafkaProducer, message: Message) -> Any:
        partition = partition_of(message.unit_code, self._partitions)
        key = message.unit_code.encode()
        return await producer.send(self._topic, message.value, key=key, partition=partition, headers=message.headers)

    def end(self) -> int:
        """Stop after the tick under way; the ticks that were sent."""
        self._ending.set()
        self.join(180)
        assert not self.is_alive(), "the load did not come to its end"
        assert self.failed is None, repr(self.failed)
        return self.ticks

    def abandon(self) -> None:
        """Stop, whatever becomes of it."""
        self._ending.set()
        self.join(10)


class Live(threading.Thread):
    """Sends traffic tick by tick until told to stop, through broken brokers too; every message is acknowledged."""

    CODECS = (None, "lz4", "snappy", "zstd", "gzip")

    def __init__(self, place: "Arena", traffic: Traffic, *, pause_s: float) -> None:
        super().__init__(daemon=True)
        self._place = place
        self._traffic = traffic
        self._pause_s = pause_s
        self._ending = threading.Event()
        self._failed: BaseException | None = None

    def run(self) -> None:
        """One producer a codec, one tick after the other."""
        try:
            asyncio.run(self._send_all())
        except BaseException as error:  # noqa: BLE001 - told by `end`
            self._failed = error

    async def _send_all(self) -> None:
        place = self._place
        producers = [
            AIOKafkaProducer(
                enable_idempotence=True,
                linger_ms=10,
                request_timeout_ms=120_000,
                compression_type=codec,
                **place.access.aio_options(),
            )
            for codec in self.CODECS
        ]
        try:
            for producer in producers:
                await producer.start()
            while not self._ending.is_set():
                producer = producers[self._traffic.ticks % len(producers)]
                under_way = []
                for message in self._traffic.next():
                    partition = partition_of(message.unit_code, place.partitions)
                    key, headers = message.unit_code.encode(), message.headers
                    sent = producer.send(place.topic, message.value, key=key, partition=partition, headers=headers)
                    under_way.append(await sent)
                await asyncio.gather(*under_way)
                await asyncio.sleep(self._pause_s)
        finally:
            for producer in producers:
                await producer.stop()

    def end(self) -> Traffic:
        """Stop after the tick under way; what was sent."""
        self._ending.set()
        self.join(300)
        assert not self.is_alive(), "the traffic did not come to its end"
        assert self._failed is None, repr(self._failed)
        return self._traffic

    def abandon(self) -> None:
        """Stop, whatever becomes of it."""
        self._ending.set()
        self.join(10)


@dataclass
class Arena:
    """One topic, one database, one group, and the workers between them."""

    access: KafkaAccess
    dsn: str
    topic: str
    partitions: int
    logs: Path
    options: dict[str, Any] = field(default_factory=dict)
    workers: list[Worker] = field(default_factory=list)
    loads: list[Load | Live] = field(default_factory=list)

    def make_topic(self, **configuration: str) -> None:
        admin = KafkaAdminClient(**self.access.options())
        admin.create_topics([NewTopic(self.topic, self.partitions, -1, topic_configs=configuration)])
        admin.close()

    def delete_topic(self) -> None:
        admin = KafkaAdminClient(**self.access.options())
        admin.delete_topics([self.topic])
        admin.close()

    def worker(self, name: str, **options: Any) -> Worker:
        worker = Worker(
            name,
            self.logs,
            **{
                "bootstrap": self.access.bootstrap,
                "security": dict(self.access.security),
                "dsn": self.dsn,
                "group": f"group.{self.topic}",
                "topic": self.topic,
                "rejected_topic": f"{self.topic}.rejected",
                "hours_topic": f"{self.topic}.hours",
                "detections_topic": f"{self.topic}.detections",
                "snapshot_s": 3.0,
                "collect_s": 0.05,
                "compute_threads": 1,
                **self.options,
                **options,
            },
        )
        self.workers.append(worker)
        return worker

    def ends(self) -> dict[int, int]:
        consumer = KafkaConsumer(**self.access.options())
        try:
            parts = [TopicPartition(self.topic, i) for i in range(self.partitions)]
            return {tp.partition: end for tp, end in consumer.end_offsets(parts).items()}
        finally:
            consumer.close()

    def query(self, text: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(text, parameters or None).fetchall()

    def do(self, text: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(text.encode())

    def incarnations(self) -> int:
        """Incarnations of the topic of which something is stored."""
        return len(self.query("select distinct topic_id from stream_fence where next_offset > 0"))

    def fences(self) -> dict[int, int]:
        rows = self.query(
            "select distinct on (partition) partition, next_offset from stream_fence order by 1, assigned_at desc"
        )
        return dict(rows)

    def owners(self) -> set[str]:
        """Workers that partitions belong to, by the database."""
        return {owner for (owner,) in self.query("select distinct owner from stream_fence")}

    def wait_until_stored(self, timeout_s: float = 240.0) -> None:
        """Until the fences are at the ends of the topic."""
        ends = {partition: end for partition, end in self.ends().items() if end}

        def stored() -> bool:
            fences = self.fences()
            return all(fences.get(partition, 0) >= end for partition, end in ends.items())

        self.wait(stored, timeout_s, lambda: (self.fences(), ends))

    def wait(self, true: Callable[[], bool], timeout_s: float, what: Callable[[], object] = lambda: "") -> None:
        deadline = time.monotonic() + timeout_s
        while not true():
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"not within {timeout_s} s: {what()}\n" + "\n".join(w.tail() for w in self.workers)
                )
            time.sleep(0.1)

    def reckon(self, site: Site, ticks: int, *, rejected: int = 0) -> None:
        """Nothing lost, nothing twice: by count, by sum, by register and time; hours add up to the registers."""
        sent = site.units * site.meters * ticks
        expected = sum(float(site.values(tick).sum()) for tick in range(ticks)) * site.units
        [(count, distinct, total)] = self.query(
            "select count(*), count(distinct (register_id, measured_at)), sum(value) from reading_hot"
        )
        refused = self.query("select reason, sum(readings), min(got) from rejected group by reason")
        assert count == sent, f"lost {sent - distinct}, doubled {count - distinct}, rejected {refused}"
        assert distinct == count
        assert np.isclose(total, expected, rtol=1e-12), (total, expected)
        assert sum(row[1] for row in refused) == rejected
        [(hours, amount)] = self.query("select count(*), coalesce(sum(amount), 0) from consumption_hour")
        span_h = (ticks - 1) * site.interval_us // 3_600_000_000
        assert hours == site.units * site.meters * span_h
        per_hour = site.units * sum(meter % 7 + 1 for meter in range(site.meters))
        assert np.isclose(amount, per_hour * span_h, rtol=1e-9)

    def settle(self, timeout_s: float = 240.0) -> None:
        """Until all that was sent is stored and no total is stale."""
        self.wait_until_stored(timeout_s)
        self.wait(
            lambda: self.query("select count(*) from dirty_hour") == [(0,)], timeout_s, lambda: "totals are still stale"
        )

    def check(self, traffic: Traffic, **more: int) -> None:
        """Readings, hours, totals, days and refused readings are those of the traffic, by count and by sum.

        Parameters
        ----------
        more : int
            Readings refused for other reasons than the traffic's own repeats and conflicts.
        """
        self._check_readings(traffic, traffic.refused + Counter(more))
        self._check_hours(traffic)
        self._check_totals(traffic)

    def _check_readings(self, traffic: Traffic, expected: Counter[str]) -> None:
        [(count, distinct, total)] = self.query(
            "select count(*), count(distinct (register_id, measured_at)), coalesce(sum(value), 0) from reading_hot"
        )
        refused = {reason: int(n) for reason, n in self.query("select reason, sum(readings) from rejected group by 1")}
        told = f"lost {traffic.accepted - distinct}, doubled {count - distinct}, refused {refused}, not {expected}"
        assert (distinct, count) == (traffic.accepted, traffic.accepted), told
        assert np.isclose(total, traffic.sum_of_values, rtol=1e-12), told
        assert refused == {reason: n for reason, n in expected.items() if n}, told
        assert count + sum(refused.values()) == traffic.sent + sum(expected.values()) - sum(traffic.refused.values())

    def _check_hours(self, traffic: Traffic) -> None:
        site = traffic.site
        [(hours, amount)] = self.query("select count(*), coalesce(sum(amount), 0) from consumption_hour")
        wrong = self.query(
            "select u.code, p.code, h.start, h.amount, h.completeness from consumption_hour h"
            " join metering_point p on p.id = h.point_id join unit u on u.id = p.unit_id"
            " where h.completeness < 1 or h.amount <> mod(substr(p.code, 2)::int, 7) + 1 limit 5"
        )
        told = f"hours {hours}, {amount} kWh; wrong: {wrong}"
        assert not wrong, told
        assert hours == site.units * site.meters * traffic.hours, told
        assert np.isclose(amount, site.units * traffic.rates * traffic.hours, rtol=1e-12), told

    def _check_totals(self, traffic: Traffic) -> None:
        site, whole = traffic.site, traffic.site.units * traffic.rates * traffic.hours
        for table in ("unit_energy_hour", "unit_energy_day"):  # every meter of the site is a piece of equipment
            [(amount, rows)] = self.query(f"select coalesce(sum(amount), 0), count(*) from {table}")
            assert np.isclose(amount, whole, rtol=1e-12), (table, amount, whole)
            assert table != "unit_energy_hour" or rows == site.units * site.meters * traffic.hours, rows
        wrong = self.query(
            "select d.point_id, d.day, d.amount, h.amount from (select point_id,"
            " (start at time zone 'Asia/Shanghai')::date as day, sum(amount) as amount from consumption_hour"
            " group by 1, 2) h full join consumption_day d using (point_id, day)"
            " where d.amount is distinct from h.amount limit 5"
        )
        assert not wrong, wrong
        [(amount,)] = self.query("select coalesce(sum(amount), 0) from consumption_day")
        assert np.isclose(amount, whole, rtol=1e-12), (amount, whole)

    def load(self, site: Site, *, pause_s: float) -> Load:
        """A load that runs, until its `end` or the arena's."""
        load = Load(self.access, self.topic, site, partitions=self.partitions, pause_s=pause_s)
        self.loads.append(load)
        load.start()
        return load

    def live(self, traffic: Traffic, *, pause_s: float) -> Live:
        """Traffic that runs, until its `end` or the arena's."""
        live = Live(self, traffic, pause_s=pause_s)
        self.loads.append(live)
        live.start()
        return live

    def send(
        self,
        messages: Iterable[Message],
        *,
        codec: str | None = None,
        commit: bool | None = None,
        partitions: int | None = None,
    ) -> None:
        """Send messages, each to its unit's partition; all are acknowledged.

        Parameters
        ----------
        codec : str, optional
            By which the producer compresses.
        commit : bool, optional
            All in one transaction, which is committed or aborted.
        """
        asyncio.run(_send(self.access, self.topic, messages, partitions or self.partitions, codec, commit))

    def close(self) -> None:
        for traffic in self.loads:
            traffic.abandon()
        for worker in self.workers:
            if worker.running:
                worker.signal(signal.SIGCONT)
                worker.kill()


async def _send(
    access: KafkaAccess,
    topic: str,
    messages: Iterable[Message],
    partitions: int,
    codec: str | None,
    commit: bool | None,
) -> None:
    producer = AIOKafkaProducer(
        **access.aio_options(),
        linger_ms=20,
        compression_type=codec,
        request_timeout_ms=60_000,
        transactional_id=None if commit is None else f"sender-{time.monotonic_ns()}",
    )
    try:
        await producer.start()
        if commit is not None:
            await producer.begin_transaction()
        under_way = []
        for message in messages:
            key, partition = message.unit_code.encode(), partition_of(message.unit_code, partitions)
            sent = producer.send(topic, message.value, key=key, partition=partition, headers=message.headers)
            under_way.append(await sent)
        await asyncio.gather(*under_way)
        if commit is not None:
            await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()


@contextmanager
def arena(
    access: KafkaAccess, dsn: str, topic: str, logs: Path, *, partitions: int = 4, made: bool = False, **options: Any
) -> Iterator[Arena]:
    """An arena whose workers are gone afterwards; its topic is made unless somebody has."""
    place = Arena(access, dsn, topic, partitions, logs, options)
    if not made:
        place.make_topic()
    try:
        yield place
    finally:
        place.close()
