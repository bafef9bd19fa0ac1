"""Intake by MQTT 3.1.1 and 5: a message is acknowledged when its readings are on the disk.

One thread a broker reads, judges, hands over to the group commit, and acknowledges what has come to the disk since. A
full spool leaves messages unacknowledged and tries again; the broker keeps the rest (a persistent session, QoS 1). What
cannot be read is kept too, to be refused by a worker with its bytes: nobody here could be notified.

paho directly, since a message of one client costs it less than half of what a task, a queue and an event loop around
it cost, and since the acknowledgement has to wait for the disk; see `ingest.gateway.mqtt_client`.
"""

import json
import logging
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future  # noqa: TC003 - a field of a dataclass
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from analytics.domain.quality import RejectReason
from ingest.gateway.commit import GroupCommit
from ingest.gateway.mapping import Rules, Template
from ingest.gateway.mqtt_client import Came, Client, client_class
from ingest.gateway.rows import Judge, Row, entries_of
from ingest.gateway.spool import JSON, Entry, SpoolFull

__all__ = ["MqttConfig", "MqttIntake", "Subscription"]

log = logging.getLogger("metering.gateway.mqtt")

_TOGETHER: Final = 500  # messages judged at once
_WAIT_S: Final = 0.005
_MOST_WAITING: Final = 20_000
_SESSION_S: Final = 7 * 86_400
_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_HOLDS_S: Final = 10.0  # a connection that lasts so long was a good one
_RECEIVE_MAXIMUM: Final = 5000
_MOST_KEPT: Final = 2**19
"""Of a refused message; a text of its beginning stands for a longer one. [byte]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Topics, and how their messages become readings."""

    template: Template
    rules: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttConfig:
    """A broker.

    Attributes
    ----------
    client_id : str
        Names the session that the broker keeps; one process each.
    version : str
        5 or 3.1.1.
    ca : Path or None
        Who vouches for the broker; None with `tls`: the system's.
    units : collection of str or None
        Units that its messages may speak for; None for all.
    """

    host: str
    port: int = 1883
    client_id: str
    version: Literal["5", "3.1.1"] = "5"
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    keepalive_s: int = 30
    units: Collection[str] | None = None
    fallback_unit: str = ""
    subscriptions: Sequence[Subscription]


@dataclass(slots=True)
class _Batch:
    """Messages that were handed over together, what was made of them, and whether it is on the disk."""

    came: Sequence[Came]
    entries: list[Entry]
    counts: tuple[int, int]
    kept: "Future[None]"


class MqttIntake:
    """Keeps the messages of a broker, in a thread of its own, until it is closed.

    Parameters
    ----------
    counted : callable
        Gets the readings accepted and rejected of each batch.
    """

    def __init__(
        self,
        config: MqttConfig,
        commit: GroupCommit,
        zone: ZoneInfo,
        *,
        counted: Callable[[int, int], None] = lambda *_: None,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._config, self._commit, self._judge, self._counted, self._now_us = (
            config, commit, Judge(zone), counted, now_us,
        )  # fmt: skip
        self._came: list[Came] = []
        self._under_way = deque[_Batch]()
        self._waiting = 0
        self._since = 0.0
        self._retry_at = 0.0
        self._connected = False
        self._connected_at = 0.0
        self._closing = threading.Event()
        self._client = self._new_client()
        self._thread = threading.Thread(target=self._run, name=f"mqtt {config.host}", daemon=True)
        self.error = "not connected yet"
        """Why nothing comes at the moment, empty where all is well."""

    @property
    def host(self) -> str:
        """The broker, for people."""
        return f"{self._config.host}:{self._config.port}"

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End; what was not acknowledged stays at the broker."""
        self._closing.set()
        self._thread.join()

    def _new_client(self) -> Client:
        config = self._config
        five = config.version == "5"
        client = client_class()(
            CallbackAPIVersion.VERSION2,
            client_id=config.client_id,
            clean_session=None if five else False,
            protocol=paho.MQTTv5 if five else paho.MQTTv311,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        if config.username:
            client.username_pw_set(config.username, config.password or None)
        if config.tls:
            client.tls_set(
                ca_certs=str(config.ca) if config.ca else None,
                certfile=str(config.certificate) if config.certificate else None,
                keyfile=str(config.key) if config.key else None,
                cert_reqs=ssl.CERT_REQUIRED,
            )
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.arrived = self._arrived
        client.on_subscribe = self._on_subscribe
        return client

    def _run(self) -> None:
        pause_s = _PAUSE_S
        while not self._closing.is_set():
            try:
                self._connect()
                while not self._closing.is_set() and self._turn():
                    if self._connected and time.monotonic() - self._connected_at >= _HOLDS_S:
                        pause_s = _PAUSE_S
            except (OSError, ValueError) as error:
                self.error = f"{self._config.host}:{self._config.port}: {error}"
            except Exception as error:
                self.error = str(error) or type(error).__name__
                log.exception("MQTT %s", self._config.host)
            if not self._closing.is_set():
                if self._connected_at and time.monotonic() - self._connected_at < _HOLDS_S:
                    # two of one name would take the session from each other every second
                    self.error += f" (does another client use the name {self._config.client_id}?)"
                self._connected_at = 0.0
                log.warning("MQTT: %s; the next try in %g s", self.error or "disconnected", pause_s)
                self._forget()
                self._closing.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        self._finish()

    def _connect(self) -> None:
        config = self._config
        self._client.forget()
        if config.version == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # theirs
            properties.SessionExpiryInterval = _SESSION_S
            properties.ReceiveMaximum = _RECEIVE_MAXIMUM
            self._client.connect(config.host, config.port, config.keepalive_s, clean_start=False, properties=properties)
        else:
            self._client.connect(config.host, config.port, config.keepalive_s)

    def _turn(self) -> bool:
        """Read what is there, hand over what is enough or has waited, acknowledge what is on the disk."""
        room = self._waiting + len(self._came) < _MOST_WAITING
        if room:
            wait_s = 0.0 if self._client.has_read_ahead else _WAIT_S if self._came or self._under_way else 0.1
            code = self._client.loop(timeout=wait_s)
            if code == paho.MQTT_ERR_SUCCESS:
                self._read_more()
        else:
            code = self._client.loop_misc()
            time.sleep(_WAIT_S)
        if self._came and (len(self._came) >= _TOGETHER or time.monotonic() - self._since >= _WAIT_S):
            self._hand_over()
        self._acknowledge()
        return code == paho.MQTT_ERR_SUCCESS

    def _read_more(self) -> None:
        """A loop of paho's reads one message; there are often more."""
        for _ in range(_TOGETHER):
            before = len(self._came)
            if self._client.loop_read() != paho.MQTT_ERR_SUCCESS or len(self._came) == before:
                return

    def _hand_over(self) -> None:
        came, self._came = self._came, []
        now_us = self._now_us()
        rows = [row for one in came for row in self._rows(one, now_us)]
        judged = self._judge.lines(rows, units=self._config.units, now_us=now_us)
        entries = entries_of(judged.blocks, now_us) + self._refused(judged.rows, now_us)
        self._waiting += len(came)
        counts = judged.accepted, judged.rejected
        before = self._under_way[-1].kept if self._under_way else None
        self._under_way.append(_Batch(came, entries, counts, self._commit.submit(entries, after=before)))

    def _rows(self, came: Came, now_us: int) -> list[bytes]:
        for subscription in self._config.subscriptions:
            parts = subscription.template.parts(came.topic)
            if parts is not None:
                if came.retained and subscription.rules.is_timed_by_arrival:
                    log.warning(
                        "MQTT: a retained message of %s is passed over: nobody knows when it was true", came.topic
                    )
                    return []
                return subscription.rules.readings(came.payload, parts, now_us)
        return [came.payload]

    def _refused(self, refused: Sequence[Row], now_us: int) -> list[Entry]:
        """Rows that a worker shall refuse too, where they are kept and can be looked at."""
        entries = []
        for row in refused:
            log.warning("MQTT: a row is refused: %s is required (got %s)", row.required, row.got)
            payload = row.payload
            if row.reason is RejectReason.UNKNOWN_UNIT_CODE:  # a worker would take it: it does not know who sent it
                payload = _as_text(payload, f"not a unit of {self._config.client_id}")
            if len(payload) > _MOST_KEPT:  # Kafka would refuse it for ever
                payload = _as_text(payload[: _MOST_KEPT // 8], f"the beginning of {len(payload)} bytes")
            entries.append(Entry(self._config.fallback_unit, JSON, payload, row.readings, now_us))
        return entries

    def _acknowledge(self) -> None:
        while self._under_way:
            batch = self._under_way[0]
            if not batch.kept.done():
                return
            error = batch.kept.exception()
            if error is not None:
                self._try_again(error)
                return
            self._under_way.popleft()
            self._waiting -= len(batch.came)
            self._counted(*batch.counts)
            self._client.acknowledge([one.mid for one in batch.came if one.qos])
            if self.error.startswith("spool"):
                self.error = ""

    def _try_again(self, error: BaseException) -> None:
        if time.monotonic() < self._retry_at:
            return
        if not self.error:
            log.warning("MQTT messages wait at the broker: %s", error)
        self.error = f"spool{'' if isinstance(error, SpoolFull) else ' failed'}: {error}"
        self._retry_at = time.monotonic() + _PAUSE_S
        before = None
        for one in self._under_way:  # what came after it was not kept either, or will not be: all of it again, in order
            one.kept = before = self._commit.submit(one.entries, after=before)

    def _forget(self) -> None:
        """What was not acknowledged comes again with the next connection."""
        self._came.clear()
        self._under_way.clear()
        self._waiting = 0
        self._connected = False

    def _finish(self) -> None:
        if self._came:
            self._hand_over()
        until = time.monotonic() + 5.0
        while self._under_way and time.monotonic() < until:
            self._acknowledge()
            if self._client.loop(timeout=0.01) != paho.MQTT_ERR_SUCCESS:
                break
        while self._client.want_write() and time.monotonic() < until:
            self._client.loop(timeout=0.01)
        self._client.disconnect()
        self._client.loop(timeout=0.05)

    def _on_connect(self, client: paho.Client, _data: object, _flags: object, code: Any, _properties: object) -> None:
        if code.is_failure:
            self.error = f"{self._config.host}:{self._config.port} refuses: {code}"
            return
        self._connected, self.error = True, ""
        self._connected_at = time.monotonic()
        client.subscribe([(one.template.subscription, 1) for one in self._config.subscriptions])
        log.info("MQTT: connected to %s:%d", self._config.host, self._config.port)

    def _on_subscribe(self, _client: paho.Client, _data: object, _mid: int, codes: Any, _properties: object) -> None:
        for one, code in zip(self._config.subscriptions, codes, strict=False):
            if code.is_failure:
                self.error = f"{self._config.host}: {one.template.subscription} is refused: {code}"
                log.error("MQTT: %s", self.error)

    def _on_disconnect(self, _client: paho.Client, _data: object, _flags: object, code: Any, _props: object) -> None:
        self._connected = False
        if not self._closing.is_set() and not self.error:
            self.error = f"{self._config.host}:{self._config.port}: {code}"

    def _arrived(self, came: Came) -> None:
        if not self._came:
            self._since = time.monotonic()
        self._came.append(came)


def _as_text(payload: bytes, why: str) -> bytes:
    return json.dumps(f"{why}: {payload.decode('utf-8', 'backslashreplace')}", ensure_ascii=False).encode()
