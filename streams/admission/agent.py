"""Forwarding from the inboxes to the topic of readings, exactly once, whenever and wherever it is killed.

What goes on and how far the inboxes are read is one transaction of Kafka. What is refused is stored before that
transaction ends, under the place where it came from: an attempt that is made again stores it once, and refuses it
again even if the registry has changed. One worker at a time does this, the one that has partition 0; where two believe
that they have it, Kafka lets the later one write and the other one not.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from kafka.errors import KafkaError as AdminError

from ingest.wire import partition_of
from ingest.wire.records import Records
from streams.admission.decide import Decision, MayNot, decide
from streams.admission.told import parted
from streams.config import StreamsConfig
from streams.metrics import WorkerMetrics
from streams.patience import AWAY, Backoff
from streams.rows.layout import RejectedRow, TopicPartition
from streams.source.broker import TopicFacts
from streams.source.fetch import Fetched, give_fetches
from streams.store.access.gateway_state import Sign

__all__ = ["Admission", "may_not"]

log = logging.getLogger("metering.admission")

_FETCH_BYTES: Final = 8 * 2**20
_LOOK_S: Final = 3.0
"""How often new inboxes are looked for. [s]"""
_NOTE_S: Final = 30.0
_REGISTRY_S: Final = 2.0
"""How old the registry may be. [s]"""
_WAIT_MS: Final = 300
_LONGEST_S: Final = 30.0
_TRANSACTION_MS: Final = 30_000
_SHOWN: Final = 5


class Bound(Protocol):
    """A gateway, as the registry has it."""

    @property
    def unit_codes(self) -> frozenset[str]:
        """Units that it may send readings of."""

    def holds(self, now: datetime) -> bool:
        """Whether it may come in at this moment."""

    def may_send(self, unit_code: str) -> bool:
        """Whether it may send readings of a unit."""


class Store(Protocol):
    """See `streams.store.access.admission.AdmissionStore`."""

    async def gateways(self) -> Mapping[str, Bound]:
        """All gateways by name."""

    async def refused(self, inbox: TopicPartition, since: int) -> set[tuple[int, int]]:
        """Offset and position of what was refused of an inbox from an offset on."""

    async def refuse(self, refused: Mapping[TopicPartition, Sequence[RejectedRow]]) -> int:
        """Keep what was refused, once; how many rows are new."""

    async def note(self, signs: Mapping[str, Sign]) -> None:
        """Keep what came of gateways."""


class Topics(Protocol):
    """See `streams.source.broker.Broker`."""

    async def topics(self, prefix: str) -> dict[str, TopicFacts]:
        """Id and partitions of all topics whose names begin so."""


class Admission:
    """Lets through what gateways sent of their own units.

    Parameters
    ----------
    mine : callable
        Whether this worker is to do it now.
    """

    def __init__(
        self,
        config: StreamsConfig,
        store: Store,
        topics: Topics,
        metrics: WorkerMetrics,
        *,
        mine: Callable[[], bool],
    ) -> None:
        self._config = config
        self._store = store
        self._topics = topics
        self._metrics = metrics
        self._mine = mine
        self._group = config.admission_group
        self._gateways: Mapping[str, Bound] = {}
        self._read_at = -1e9
        self._noted_at: dict[str, float] = {}

    async def run(self) -> None:
        """Until cancelled."""
        backoff = Backoff(_LOOK_S, _LONGEST_S)
        while True:
            try:
                if self._mine() and await self._topics.topics(self._config.inboxes):
                    await self._serve()
                backoff = Backoff(_LOOK_S, _LONGEST_S)
            except (KafkaError, AdminError, *AWAY, OSError) as error:
                log.warning("what is in the inboxes of gateways waits: %r", error)
            except Exception:
                log.exception("what is in the inboxes of gateways waits")
            await backoff.wait()

    async def _serve(self) -> None:
        """Admit while this worker is to do it; whatever breaks, the next attempt begins at what was committed."""
        async with AsyncExitStack() as stack:
            # first of all: an earlier one can commit no more, and what it left open is undone or done
            producer = AIOKafkaProducer(
                transactional_id=self._group,
                transaction_timeout_ms=_TRANSACTION_MS,
                linger_ms=5,
                max_request_size=2 * self._config.max_message_bytes,
                **self._config.access.aio_options(),
            )
            stack.push_async_callback(_stopped, producer)
            await producer.start()
            consumer = AIOKafkaConsumer(
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                metadata_max_age_ms=round(_LOOK_S * 1000),
                fetch_max_bytes=_FETCH_BYTES,
                max_partition_fetch_bytes=self._config.max_message_bytes,
                **self._config.access.aio_options(),
            )
            stack.push_async_callback(_stopped, consumer)
            await consumer.start()
            give_fetches(consumer, _Prefixed(self._config.inboxes))
            shift = _Shift(consumer, producer)
            while self._mine():
                await self._look(shift)
                await self._pass_on(shift)

    async def _look(self, shift: "_Shift") -> None:
        """Take up inboxes that are new, and forget those that are gone."""
        if time.monotonic() - shift.looked_at < _LOOK_S:
            return
        shift.looked_at = time.monotonic()
        found = await self._topics.topics(self._config.inboxes)
        inboxes = {
            aiokafka.TopicPartition(name, number): TopicPartition(name, facts.topic_id, number)
            for name, facts in sorted(found.items())
            for number in range(facts.partitions)
        }
        if inboxes == shift.inboxes:
            return
        if inboxes:
            shift.consumer.assign(list(inboxes))
        for tp, inbox in inboxes.items():
            if shift.inboxes.get(tp) != inbox:
                committed = await shift.consumer.committed(tp)
                shift.refused[tp] = await self._store.refused(inbox, committed or 0)
                shift.read_to[tp] = committed or 0
        shift.inboxes = inboxes
        log.info("inboxes of gateways: %s", ", ".join(sorted(found)) or "none")

    async def _pass_on(self, shift: "_Shift") -> None:
        """One transaction of what lies in the inboxes."""
        if not shift.inboxes:
            await asyncio.sleep(1.0)
            return
        found = await shift.consumer.getmany(timeout_ms=_WAIT_MS)
        if not found:
            return
        self._tell_dropped(shift, found)
        await self._read_registry()
        decisions: dict[Any, Decision] = {}
        signs: dict[str, Sign] = {}
        for tp, fetched in found.items():
            decisions[tp], sign = await asyncio.to_thread(self._decide, shift, tp, fetched.records)
            name = tp.topic.removeprefix(self._config.inboxes)
            if name in self._gateways and (sign.told is not None or self._is_to_be_noted(name, sign)):
                signs[name] = sign.later(signs.get(name, Sign()))
        await shift.producer.begin_transaction()
        await self._send(shift.producer, decisions)
        refused = {shift.inboxes[tp]: one.rejected for tp, one in decisions.items() if one.rejected}
        if refused:
            await self._store.refuse(refused)
        await self._store.note(signs)
        delivered = [name for name, sign in signs.items() if sign.delivered_us is not None]
        self._noted_at |= dict.fromkeys(delivered, time.monotonic())
        ends = {tp: fetched.end for tp, fetched in found.items()}
        await shift.producer.send_offsets_to_transaction(ends, self._group)
        await shift.producer.commit_transaction()
        shift.read_to |= {tp: fetched.end for tp, fetched in found.items()}
        for rows in refused.values():
            for row in rows:
                self._metrics.reject(row.reason, row.readings)

    def _is_to_be_noted(self, name: str, sign: Sign) -> bool:
        """Deliveries may come several times a second; when the last one came is noted to half a minute."""
        return sign.delivered_us is not None and time.monotonic() - self._noted_at.get(name, -1e9) >= _NOTE_S

    def _tell_dropped(self, shift: "_Shift", found: Mapping[Any, Fetched]) -> None:
        """Report what an inbox dropped before it was read: it was full, or lay unread for longer than it is kept."""
        for tp, fetched in found.items():
            dropped = fetched.start - shift.read_to[tp]
            if dropped > 0:
                log.error("%s dropped %d records before they were read: it holds no more", tp.topic, dropped)
                self._metrics.incidents.labels("inbox_full").inc()

    def _decide(self, shift: "_Shift", tp: Any, records: Records) -> tuple[Decision, Sign]:
        name = tp.topic.removeprefix(self._config.inboxes)
        told, records = parted(records)
        decision = decide(
            records,
            may_not=may_not(self._gateways.get(name), name),
            zone=self._config.zone,
            refused_before=shift.refused.get(tp, ()),
            max_bytes=self._config.max_message_bytes,
        )
        delivered_us = int(records.rows["timestamp_us"].max()) if decision.admitted else None
        return decision, Sign(delivered_us=delivered_us, told=told)

    async def _send(self, producer: AIOKafkaProducer, decisions: Mapping[Any, Decision]) -> None:
        topic = self._config.topic
        partitions = len(await producer.partitions_for(topic))
        under_way = []
        for decision in decisions.values():
            for message in decision.admitted:
                key, partition = message.unit_code.encode(), partition_of(message.unit_code, partitions)
                under_way.append(
                    await producer.send(topic, message.value, key=key, partition=partition, headers=message.headers)
                )
        await asyncio.gather(*under_way)
        self._metrics.published.labels(topic).inc(len(under_way))

    async def _read_registry(self) -> None:
        if time.monotonic() - self._read_at >= _REGISTRY_S:
            self._gateways = await self._store.gateways()
            self._read_at = time.monotonic()


class _Prefixed(Container[str]):
    """All names that begin so."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.startswith(self._prefix)


class _Shift:
    """One attempt: its two clients, and what it knows of the inboxes."""

    def __init__(self, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer) -> None:
        self.consumer = consumer
        self.producer = producer
        self.inboxes: dict[Any, TopicPartition] = {}
        self.refused: dict[Any, set[tuple[int, int]]] = {}
        self.read_to: dict[Any, int] = {}
        self.looked_at = -1e9


def may_not(gateway: Bound | None, name: str) -> MayNot:
    """Why a gateway may not send a unit's readings at a time; empty if it may."""
    if gateway is None:
        return lambda _unit, _at: f"a gateway that is entered in the registry, and {name} is not"

    def answer(unit_code: str, at_us: int) -> str:
        if not gateway.holds(datetime.fromtimestamp(at_us / 1e6, UTC)):
            return f"a gateway that is let in at the time, and {name} is not"
        if not gateway.may_send(unit_code):
            return f"a unit that gateway {name} may send: {_shown(gateway)}"
        return ""

    return answer


def _shown(gateway: Bound) -> str:
    codes = sorted(gateway.unit_codes)
    return " ".join(codes[:_SHOWN]) + (f" and {len(codes) - _SHOWN} more" if len(codes) > _SHOWN else "")


async def _stopped(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    with suppress(Exception):
        await asyncio.wait_for(client.stop(), 5.0)
