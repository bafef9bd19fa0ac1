"""MQTT clients of paho that hand messages over as they come and acknowledge them when they are told to.

`PlainClient` stands on what paho documents. `QuickClient` overrides private methods of paho 2.2, since most of what
paho spends on a message is spared by it: without a network 91 us of a core for MQTT 5 and 22 for 3.1.1, and 6.5 so.
`client_class` gives the quick one where paho is as it is known, and the plain one, with a warning, where it is not.
"""

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode

__all__ = ["Came", "Client", "PlainClient", "QuickClient", "client_class", "what_changed"]

log = logging.getLogger("metering.gateway.mqtt")

_AT_ONCE_BYTES: Final = 2**16
_KNOWN: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "_sock_recv": ("self", "bufsize"),
        "_handle_publish": ("self",),
        "_packet_queue": ("self", "command", "packet", "mid", "qos", "info"),
    }
)
"""Private methods that the quick client overrides or calls, with their parameters."""


@dataclass(slots=True)
class Came:
    """A message."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    retained: bool = False


class Client(paho.Client):
    """What the intake asks of a client."""

    arrived: Callable[[Came], None]

    @property
    def has_read_ahead(self) -> bool:
        """Whether bytes were read and not looked at."""
        return False

    def forget(self) -> None:
        """Drop bytes of a connection that is over."""

    def acknowledge(self, mids: Sequence[int]) -> None:
        """PUBACK of each."""
        for mid in mids:
            self.ack(mid, 1)


class PlainClient(Client):
    """By paho's own calls alone: some 1.5 to 6 times the cost of a message."""

    def __init__(self, *words: Any, **facts: Any) -> None:
        super().__init__(*words, **facts)
        self.on_message = self._came

    def _came(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self.arrived(Came(message.topic, bytes(message.payload), message.mid, message.qos, message.retain))


class QuickClient(Client):
    """Made to read what is there at once and to acknowledge many messages at once.

    paho itself asks the system three times a message for bytes and once to acknowledge it, and makes an object with
    properties, locks and a log line of each. Only what concerns PUBLISH with QoS 0 and 1 is done here.
    """

    def __init__(self, *words: Any, **facts: Any) -> None:
        super().__init__(*words, **facts)
        self._ahead, self._ahead_at = b"", 0

    @property
    def has_read_ahead(self) -> bool:
        """Whether bytes were read and not looked at."""
        return self._ahead_at < len(self._ahead)

    def forget(self) -> None:
        """Drop bytes of a connection that is over."""
        self._ahead, self._ahead_at = b"", 0

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self.has_read_ahead:
            self._ahead, self._ahead_at = super()._sock_recv(_AT_ONCE_BYTES), 0
        part = self._ahead[self._ahead_at : self._ahead_at + bufsize]
        self._ahead_at += len(part)
        return part

    def _handle_publish(self) -> MQTTErrorCode:
        command, packet = self._in_packet["command"], bytes(self._in_packet["packet"])
        qos = command >> 1 & 3
        if qos > 1:
            return super()._handle_publish()
        try:
            end = 2 + int.from_bytes(packet[:2], "big")
            topic = packet[2:end].decode()
            mid = int.from_bytes(packet[end : end + 2], "big") if qos else 0
            at = end + 2 * qos
            if self._protocol == paho.MQTTv5:
                at = _behind_properties(packet, at)
        except (IndexError, UnicodeDecodeError):
            return paho.MQTT_ERR_PROTOCOL
        if at > len(packet):
            return paho.MQTT_ERR_PROTOCOL
        self.arrived(Came(topic, packet[at:], mid, qos, bool(command & 1)))
        return paho.MQTT_ERR_SUCCESS

    def acknowledge(self, mids: Sequence[int]) -> None:
        """PUBACK of each."""
        if mids:
            acks = b"".join(b"\x40\x02" + mid.to_bytes(2, "big") for mid in mids)
            self._packet_queue(paho.PUBACK, acks, mids[-1], 1)


def _behind_properties(packet: bytes, at: int) -> int:
    """Where the payload begins behind properties of MQTT 5; none of them changes what a reading means."""
    length = shift = 0
    while True:
        byte = packet[at]
        at += 1
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128 or shift > 21:
            return at + length


def what_changed(known: Mapping[str, Sequence[str]] = _KNOWN) -> list[str]:
    """Of what the quick client stands on, what this paho does not have."""
    changed = []
    for name, parameters in known.items():
        method = getattr(paho.Client, name, None)
        if method is None or tuple(inspect.signature(method).parameters) != tuple(parameters):
            changed.append(name)
    return changed


def client_class() -> type[Client]:
    """The quick client where paho is as it is known, else the plain one."""
    changed = what_changed()
    if changed:
        log.warning("MQTT is slower with this paho, which has another %s", ", ".join(changed))
        return PlainClient
    return QuickClient
