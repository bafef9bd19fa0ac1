"""A simulated IEC 60870-5-104 station, one for each connection: it answers interrogations and tests."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from ingest.devices import iec104
from ingest.devices.iec104 import MODULUS, Apdu, Asdu, Object
from ingest.devices.point_lists import ListedPoint

__all__ = ["Station"]

_TOGETHER: Final = 20  # objects in an ASDU
_REQUESTED: Final[Mapping[int, int]] = {iec104.GENERAL_INTERROGATION: 20, iec104.COUNTER_INTERROGATION: 37}
"""Causes of what is sent on request: interrogated by station, requested by a general counter request."""


class Station:
    """The far end of one connection.

    Parameters
    ----------
    points : mapping of int to sequence of ListedPoint
        Common address → its points.
    value : callable
        What a point of a common address shows, in its unit.
    """

    def __init__(
        self,
        points: Mapping[int, Sequence[ListedPoint]],
        value: Callable[[int, ListedPoint], Decimal],
        zone: ZoneInfo,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._points, self._value, self._zone, self._clock = points, value, zone, clock
        self._buffer = b""
        self._sent = self._received = 0

    def feed(self, data: bytes) -> bytes:
        """What the station answers to bytes that came; ValueError where they are no APDUs."""
        self._buffer += data
        answer = b""
        while len(self._buffer) >= 2:
            length = 2 + self._buffer[1]
            if len(self._buffer) < length:
                break
            apdu, self._buffer = iec104.decode(self._buffer[:length]), self._buffer[length:]
            answer += self._answer(apdu)
        return answer

    def _answer(self, apdu: Apdu) -> bytes:
        if apdu.kind in ("STARTDT act", "STOPDT act", "TESTFR act"):
            return iec104.encode(Apdu(apdu.kind[:-3] + "con"))  # type: ignore[arg-type]  # its confirmation
        if apdu.kind != "I":
            return b""
        self._received = (apdu.send + 1) % MODULUS
        command = iec104.decode_asdu(apdu.asdu)
        return b"".join(self._sent_as(asdu) for asdu in self._said(command))

    def _sent_as(self, asdu: Asdu) -> bytes:
        data = iec104.encode(Apdu("I", self._sent, self._received, iec104.encode_asdu(asdu)))
        self._sent = (self._sent + 1) % MODULUS
        return data

    def _said(self, command: Asdu) -> list[Asdu]:
        def echo(cause: int, *, negative: bool = False) -> Asdu:
            return Asdu(
                type=command.type, cause=cause, negative=negative, common_address=command.common_address,
                objects=command.objects,
            )  # fmt: skip

        if command.common_address not in self._points:
            return [echo(46, negative=True)]
        if command.type not in _REQUESTED or command.cause != iec104.ACTIVATION:
            return [echo(44, negative=True)]
        return [echo(iec104.CONFIRMED), *self._values(command), echo(iec104.TERMINATED)]

    def _values(self, command: Asdu) -> list[Asdu]:
        wanted = "counter" if command.type == iec104.COUNTER_INTERROGATION else "measured"
        kind = 37 if wanted == "counter" else 36
        at = datetime.fromtimestamp(self._clock(), self._zone).replace(tzinfo=None)
        objects = [
            Object(int(point.place), self._element(command.common_address, point), at)
            for point in self._points[command.common_address]
            if point.kind == wanted
        ]
        return [
            Asdu(
                type=kind,
                cause=_REQUESTED[command.type],
                common_address=command.common_address,
                objects=tuple(objects[i : i + _TOGETHER]),
            )
            for i in range(0, len(objects), _TOGETHER)
        ]

    def _element(self, address: int, point: ListedPoint) -> bytes:
        number = self._value(address, point) / point.scale
        if point.kind == "counter":
            return (round(number) % 2**31).to_bytes(4, "little") + b"\0"
        return np.array([float(number)], "<f4").tobytes() + b"\0"
