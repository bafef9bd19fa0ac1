"""From the spool to Kafka: acknowledged by all replicas, then deleted."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol

from analytics.domain.errors import MeterwardenError
from ingest.gateway.spool import BLOCK, JSON, STATUS, Spool, Stored
from ingest.wire import CONTENT_TYPE, CONTENT_TYPE_BLOCK, CONTENT_TYPE_JSON, RECEIVED_AT

__all__ = ["Forwarder", "Sink"]

log = logging.getLogger("metering.gateway.forward")

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_READ_BYTES: Final = 4 * 2**20
_TELL_S: Final = 60.0


class Sink(Protocol):
    """Where messages go: `ingest.kafka.publisher.Publisher`."""

    def send(
        self, topic: str, value: bytes, *, key: str, headers: Sequence[tuple[str, bytes]] = (), readings: int = 1
    ) -> None:
        """Hand one message over."""

    def flush(self, timeout_s: float = 60.0) -> object:
        """Wait until all are acknowledged."""

    def close(self, timeout_s: float = 10.0) -> None:
        """Disconnect."""


class Forwarder:
    """Sends what a spool holds, in order, in a thread of its own, until it is closed.

    After any failure it begins again with the first message that was not acknowledged, with a new connection: a
    message may arrive twice, which the worker tells by meter, register and time, but never out of order for the first
    time, and never not at all.

    Parameters
    ----------
    connect : callable
        Makes a sink; called again after a failure.
    topics : mapping of int to str
        Topic of each kind of message; of `STATUS` where somebody there takes it.
    tell : callable, optional
        Gives the message that says how the gateway is, once a minute.
    """

    def __init__(
        self,
        spool: Spool,
        connect: Callable[[], Sink],
        topics: Mapping[int, str],
        *,
        tell: Callable[[], bytes] | None = None,
    ) -> None:
        self._spool, self._connect, self._topics = spool, connect, topics
        self._tell = tell if STATUS in topics else None
        self._told_at = float("-inf")
        self._sink: Sink | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forward", daemon=True)
        self.sent_readings = 0
        self.sent_s: float | None = None
        """When Kafka last acknowledged readings, since the start. [s since 1970-01-01 UTC]"""
        self.failures = 0
        self.error = ""
        """Why nothing can be sent at the moment, empty where all is well."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, *, drain_s: float = 0.0) -> None:
        """End; what is in the spool is sent before, as far as `drain_s` is long enough. [s]"""
        until = time.monotonic() + drain_s
        while time.monotonic() < until and self._spool.stats().records and not self.error:
            time.sleep(0.02)
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._closing.is_set():
            try:
                if self._spool.wait(0.2):
                    self._send(self._spool.read(_READ_BYTES))
                self._tell_state()
            except Exception as error:  # noqa: BLE001 - whatever a broker or a library does, the spool keeps it
                self._failed(error)
                self._closing.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                if self.error:
                    log.info("messages are sent again")
                self.error, pause_s = "", _FIRST_PAUSE_S
        self._disconnect()

    def _send(self, messages: Sequence[Stored]) -> None:
        if not messages:
            return
        sink = self._connected()
        readings = 0
        for stored in messages:
            entry = stored.entry
            sink.send(
                self._topics[entry.kind],
                entry.payload,
                key=entry.key,
                headers=_headers(entry.kind, entry.received_us),
                readings=entry.readings,
            )
            readings += entry.readings
        sink.flush()
        self._spool.acknowledge(messages[-1].seq)
        self.sent_readings += readings
        self.sent_s = time.time()

    def _tell_state(self) -> None:
        if self._tell is None or time.monotonic() - self._told_at < _TELL_S:
            return
        sink = self._connected()
        sink.send(self._topics[STATUS], self._tell(), key="", headers=_JSON, readings=0)
        sink.flush()
        self._told_at = time.monotonic()

    def _connected(self) -> Sink:
        if self._sink is None:
            self._sink = self._connect()
        return self._sink

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        text = str(error) or type(error).__name__
        if not self.error or self.failures % 20 == 0:
            log.warning("messages stay in the spool: %s", text)
        if not isinstance(error, MeterwardenError):
            log.error("messages stay in the spool", exc_info=error)
        self.error = text
        self._disconnect()
        self._spool.rewind()

    def _disconnect(self) -> None:
        if self._sink is not None:
            sink, self._sink = self._sink, None
            with suppress(Exception):
                sink.close(0.0)


_JSON: Final = ((CONTENT_TYPE, CONTENT_TYPE_JSON.encode()),)


def _headers(kind: int, received_us: int) -> list[tuple[str, bytes]]:
    if kind == BLOCK:
        return [(CONTENT_TYPE, CONTENT_TYPE_BLOCK.encode())]
    if kind == JSON:
        return [*_JSON, (RECEIVED_AT, str(received_us).encode())]
    raise ValueError(f"a message of the spool must be of a known kind (got {kind})")
