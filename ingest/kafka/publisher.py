"""The publisher: messages keyed by energy-using unit, each acknowledged by all replicas exactly once or reported."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from analytics.domain.errors import TransientError
from ingest.kafka.config import KafkaConfig
from ingest.kafka.topics import TopicState, create_topics, end_offsets, lag, reach, topic_id

__all__ = [
    "Counts",
    "PublishFailed",
    "Publisher",
    "TopicState",
    "create_topics",
    "end_offsets",
    "lag",
    "topic_id",
]

_BATCH_BYTES = 2**19  # a block of some thousand readings is 20 to 100 kB
_UNKNOWN_TOPIC_MS = 15_000  # how long `send` waits to hear of a topic it does not know
_TOLD = 3  # failures named in one error


class PublishFailed(TransientError):  # noqa: N818 - named after what happened
    """Messages were not acknowledged. Sending them again is safe: what did arrive becomes a duplicate downstream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counts of a publisher; messages neither acknowledged nor failed are in flight."""

    sent: int = 0
    acked: int = 0
    failed: int = 0
    readings: int = 0
    readings_acked: int = 0
    bytes: int = 0


class Publisher:
    """An idempotent producer with acks from all replicas, backpressure and a full account.

    `send` waits while more than `KafkaConfig.max_unacked_bytes` are under way, and raises `PublishFailed` as soon as
    an earlier message has failed: nothing is dropped silently, nothing runs ahead of a broken broker. Safe to use
    from several threads.
    """

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config
        self._changed = threading.Condition()
        self._unacked_bytes = 0
        self._sent = self._acked = self._failed = self._readings = self._readings_acked = self._bytes = 0
        self._failures: list[str] = []
        self._offsets: dict[tuple[str, int], int] = {}
        reach(config)
        delivery_ms = round(config.delivery_timeout_s * 1000)
        try:
            self._producer = KafkaProducer(
                enable_idempotence=True,
                acks="all",
                linger_ms=config.linger_ms,
                batch_size=_BATCH_BYTES,
                max_request_size=config.max_message_bytes,
                delivery_timeout_ms=delivery_ms,
                max_block_ms=min(_UNKNOWN_TOPIC_MS, delivery_ms),
                request_timeout_ms=min(30_000, delivery_ms - config.linger_ms),
                bootstrap_timeout_ms=round(config.bootstrap_timeout_s * 1000),
                allow_auto_create_topics=False,
                **config.access.options(),
            )
        except KafkaError as error:
            raise TransientError(f"Kafka at {config.bootstrap} must answer (got {error})") from error

    def send(
        self,
        topic: str,
        value: bytes,
        *,
        key: str,
        headers: Sequence[tuple[str, bytes]] = (),
        readings: int = 1,
        timestamp_ms: int | None = None,
    ) -> None:
        """Hand one message over; returns before it is acknowledged.

        Parameters
        ----------
        topic : str
            Full name.
        key : str
            The energy-using unit's code.
        readings : int
            Readings in it, for the account.
        timestamp_ms : int, optional
            The record's time; now if None. [ms since 1970-01-01 UTC]

        Raises
        ------
        PublishFailed
            If an earlier message has failed, if this one is refused, or if none was acknowledged in time.
        """
        size = len(value)
        self._wait_for_room(size, readings)
        try:
            future = self._producer.send(
                topic, value=value, key=key.encode(), headers=list(headers), timestamp_ms=timestamp_ms
            )
        except KafkaError as error:
            self._done(size, readings, failure=_said(topic, key, error))
            raise self._failure() from error
        future.add_callback(self._on_ack, size, readings)
        future.add_errback(self._on_failure, size, readings, topic, key)

    def flush(self, timeout_s: float = 60.0) -> Counts:
        """Wait until all that was sent is acknowledged; the account.

        Raises `PublishFailed`, naming topic, key and the last offset that was acknowledged, if any message failed or
        the time is over.
        """
        try:
            self._producer.flush(timeout_s)
        except KafkaTimeoutError as error:
            counts = self.counts
            under_way = counts.sent - counts.acked - counts.failed
            raise PublishFailed(
                f"{under_way} of {counts.sent} messages must be acknowledged within {timeout_s:g} s ({self._last()})"
            ) from error
        with self._changed:  # callbacks run in the sender's thread, a moment after flush sees the messages done
            self._changed.wait_for(lambda: self._acked + self._failed == self._sent, timeout_s)
        if self._failures:
            raise self._failure()
        return self.counts

    def close(self, timeout_s: float = 10.0) -> None:
        """Disconnect; what is not acknowledged after `timeout_s` is given up."""
        try:
            self._producer.close(timeout_s)
        except KafkaTimeoutError as error:
            raise PublishFailed(f"messages must be acknowledged within {timeout_s:g} s ({self._last()})") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            with suppress(PublishFailed):  # the error on its way says more
                self.close(0.0)
            return
        try:
            self.flush()
        finally:
            self.close()

    @property
    def counts(self) -> Counts:
        """The account at this moment."""
        with self._changed:
            return Counts(
                sent=self._sent,
                acked=self._acked,
                failed=self._failed,
                readings=self._readings,
                readings_acked=self._readings_acked,
                bytes=self._bytes,
            )

    @property
    def acknowledged(self) -> dict[tuple[str, int], int]:
        """Highest acknowledged offset by topic and partition."""
        with self._changed:
            return dict(self._offsets)

    def _wait_for_room(self, size: int, readings: int) -> None:
        limit, timeout_s = self._config.max_unacked_bytes, self._config.delivery_timeout_s
        with self._changed:
            there_is_room = self._changed.wait_for(
                lambda: bool(self._failures) or self._unacked_bytes == 0 or self._unacked_bytes + size <= limit,
                timeout_s,
            )
        if self._failures:
            raise self._failure()
        if not there_is_room:
            raise PublishFailed(f"no message was acknowledged within {timeout_s:g} s ({self._last()})")
        with self._changed:
            self._unacked_bytes += size
            self._sent += 1
            self._readings += readings
            self._bytes += size
        # counted before it is handed over: an acknowledgement may come before `send` returns

    def _on_ack(self, size: int, readings: int, metadata: Any) -> None:
        self._done(size, readings, acked=metadata)

    def _on_failure(self, size: int, readings: int, topic: str, key: str, error: BaseException) -> None:
        self._done(size, readings, failure=_said(topic, key, error))

    def _done(self, size: int, readings: int, *, acked: Any = None, failure: str = "") -> None:
        with self._changed:
            self._unacked_bytes -= size
            if failure:
                self._failed += 1
                self._failures.append(failure)
            else:
                self._acked += 1
                self._readings_acked += readings
                at = (acked.topic, acked.partition)
                self._offsets[at] = max(acked.offset, self._offsets.get(at, -1))
            self._changed.notify_all()

    def _failure(self) -> PublishFailed:
        failures = self._failures
        more = f" and {len(failures) - _TOLD} more" if len(failures) > _TOLD else ""
        return PublishFailed(f"{'; '.join(failures[:_TOLD])}{more} ({self._last()})")

    def _last(self) -> str:
        offsets = self.acknowledged
        said = ", ".join(
            f"{topic}/{partition} up to {offset}" for (topic, partition), offset in sorted(offsets.items())
        )
        return f"acknowledged: {said or 'nothing'}"


def _said(topic: str, key: str, error: BaseException) -> str:
    return f"message of {key!r} to {topic} failed: {error}"
