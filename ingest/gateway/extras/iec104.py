"""IEC 60870-5-104: the connection to a station as its controlling station, and a driver that asks for values.

The connection stays open between rounds: who looks after the link calls `Session.tend` every second or so. Values that
a station sends of its own accord are acknowledged and passed over; a round asks for all values of a kind.
"""

import time
from collections.abc import Callable, Iterable
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Final

from analytics.domain.errors import ConfigurationError
from ingest.devices import iec104
from ingest.devices.faults import BadFrame, DeviceFault, NoAnswer, NoValue
from ingest.devices.iec104 import MODULUS, Apdu, Asdu, Object
from ingest.devices.point_lists import ListedPoint, read_points
from ingest.devices.values import Value
from ingest.gateway.drivers import DeviceConfig, Outcome
from ingest.gateway.links import Link, Transport

__all__ = ["DRIVER", "Iec104", "Session", "StationSilentError"]

T1_S: Final = 15.0
"""Until what was sent must be acknowledged, else the connection is closed. [s]"""
T2_S: Final = 10.0
"""Until what came is acknowledged. [s]"""
T3_S: Final = 20.0
"""Silence after which the connection is tested. [s]"""
K: Final = 12
"""I formats that may be sent and not acknowledged."""
W: Final = 8
"""I formats that come before one is acknowledged."""

_MOST_TURNS: Final = 200
_MOST_OBJECTS: Final = 2**16
_MOST_TIMES: Final = 10  # an interrogation may take so many time-outs while data comes


class StationSilentError(OSError):
    """The station did not acknowledge in time: the connection is of no use any more."""


class Session:
    """A connection on which data transfer was started.

    Parameters
    ----------
    transport : Transport
    clock : callable
        [s]
    """

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport, self._clock = transport, clock
        self._buffer = b""
        self._sent = self._acknowledged = self._received = 0
        self._sent_at: float | None = None  # the oldest I format that is not acknowledged
        self._tested_at: float | None = None
        self._unacknowledged = 0  # of the station's
        self._came_at: float | None = None  # the oldest of these
        self._heard_at = clock()
        self._started = False

    @classmethod
    def begin(cls, transport: Transport) -> "Session":
        """Start the data transfer; raises `StationSilentError` where the station does not confirm it within t1."""
        session = cls(transport)
        session.start()
        return session

    def start(self) -> None:
        """STARTDT, and wait for its confirmation."""
        self._write(Apdu("STARTDT act"))
        end = self._clock() + T1_S
        while not self._started:
            left_s = end - self._clock()
            if left_s <= 0:
                raise StationSilentError(f"STARTDT must be confirmed within {T1_S:g} s (got nothing)")
            for _ in self._take(left_s):
                pass

    def tend(self) -> None:
        """Take what came, acknowledge it, and test a connection that is silent."""
        for _ in range(_MOST_TURNS):  # a station that never stops sending must not keep its link from reading
            if not sum(1 for _ in self._take(0.0)):
                break
        self._keep_time()

    def interrogate(self, kind: int, common_address: int, timeout_s: float) -> list[tuple[int, Object]]:
        """Objects that a station sends when it is asked for all of a kind, with their types.

        Raises
        ------
        Refused
            If it refuses.
        NoAnswer
            If it does not confirm in time.
        BadFrame
            If what comes is no APDU, or out of order.
        """
        self.tend()
        command = iec104.interrogation(kind, common_address)
        self._send(iec104.encode_asdu(command))
        start = self._clock()
        deadline, last = start + timeout_s, start + _MOST_TIMES * timeout_s
        found: list[tuple[int, Object]] = []
        confirmed = False
        while (now := self._clock()) < min(deadline, last):
            for asdu in self._take(min(deadline, last) - now):
                said = iec104.confirmation(command, asdu)
                if said == "terminated":
                    self._acknowledge()
                    return found
                confirmed = confirmed or bool(said)
                if confirmed and asdu.common_address == common_address and asdu.type in iec104.ELEMENTS:
                    found += [(asdu.type, one) for one in asdu.objects]
                if len(found) > _MOST_OBJECTS:
                    raise BadFrame(f"IEC 104: at most {_MOST_OBJECTS} objects are taken (got more)")
                deadline = self._clock() + timeout_s
            self._keep_time()
        if not confirmed:
            raise NoAnswer(f"IEC 104: station {common_address} must confirm an interrogation (got nothing in time)")
        return found  # a station that does not say that it ended has said what it has

    def _send(self, asdu: bytes) -> None:
        while (self._sent - self._acknowledged) % MODULUS >= K:
            for _ in self._take(1.0):
                pass
            self._keep_time()
        self._write(Apdu("I", self._sent, self._received, asdu))
        self._unacknowledged, self._came_at = 0, None
        if self._sent_at is None:
            self._sent_at = self._clock()
        self._sent = (self._sent + 1) % MODULUS

    def _take(self, timeout_s: float) -> Iterable[Asdu]:
        """ASDUs that came until then; what else came is dealt with."""
        data = self._transport.read(0.0)
        if not data:
            self._acknowledge()  # a station whose window is smaller than w sends no more before
            data = self._transport.read(timeout_s) if timeout_s else b""
        if data:
            self._heard_at = self._clock()
        self._buffer += data
        while True:
            length = iec104.FORMAT.length(self._buffer[:2]) if self._buffer else 0
            if self._buffer[:1] not in (b"", b"\x68") or length is None:
                raise BadFrame(f"IEC 104: an APDU is required (got {self._buffer[:16].hex(' ').upper()})")
            if not length or len(self._buffer) < length:
                break
            apdu, self._buffer = iec104.decode(self._buffer[:length]), self._buffer[length:]
            asdu = self._heard(apdu)
            if asdu is not None:
                yield asdu

    def _heard(self, apdu: Apdu) -> Asdu | None:
        if apdu.kind == "TESTFR act":
            self._write(Apdu("TESTFR con"))
        elif apdu.kind == "TESTFR con":
            self._tested_at = None
        elif apdu.kind == "STARTDT con":
            self._started = True
        elif apdu.kind in ("I", "S"):
            self._is_acknowledged(apdu.receive)
        if apdu.kind != "I":
            return None
        if apdu.send != self._received:
            raise BadFrame(f"IEC 104: number {self._received} is required (got {apdu.send}: something was lost)")
        self._received = (self._received + 1) % MODULUS
        self._unacknowledged += 1
        if self._came_at is None:
            self._came_at = self._clock()
        if self._unacknowledged >= W:
            self._acknowledge()
        return iec104.decode_asdu(apdu.asdu)

    def _is_acknowledged(self, number: int) -> None:
        open_before = (self._sent - self._acknowledged) % MODULUS
        if (self._sent - number) % MODULUS > open_before:
            raise BadFrame(
                f"IEC 104: an acknowledgement of {self._acknowledged} to {self._sent} is required (got {number})"
            )
        if number != self._acknowledged:
            self._sent_at = None if number == self._sent else self._clock()
        self._acknowledged = number

    def _acknowledge(self) -> None:
        if self._unacknowledged:
            self._write(Apdu("S", receive=self._received))
            self._unacknowledged, self._came_at = 0, None

    def _keep_time(self) -> None:
        now = self._clock()
        for since, what in ((self._sent_at, "a command"), (self._tested_at, "TESTFR")):
            if since is not None and now - since >= T1_S:
                raise StationSilentError(f"{what} must be acknowledged within {T1_S:g} s (got nothing)")
        if self._came_at is not None and now - self._came_at >= T2_S:
            self._acknowledge()
        if self._tested_at is None and now - self._heard_at >= T3_S:
            self._write(Apdu("TESTFR act"))
            self._tested_at = now

    def _write(self, apdu: Apdu) -> None:
        self._transport.write(iec104.encode(apdu))


def is_object(value: object) -> bool:
    """Whether a value of a list of points is the address of an information object."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 24


class Iec104:
    """A station or sector by its common address, with the user's list of points."""

    def __init__(self, device: DeviceConfig, folder: Path | None = None) -> None:
        if not device.address.isdecimal() or not 1 <= int(device.address) <= 65534:
            raise ConfigurationError(f"address must be a common address, 1 to 65534 (got {device.address!r})")
        self._address = int(device.address)
        self._list = read_points(
            device.profile, folder, key="object", what="a number from 0 to 16777215", is_place=is_object,
            kinds=("counter", "measured"),
        )  # fmt: skip
        self.points = self._list.wanted(device.points)

    def read(self, link: Link) -> Outcome:
        """Ask for all counters, and for all measured values, as far as points of the kind are wanted."""
        outcome = Outcome(source=self._list.source)
        kinds = {point.kind for point in self.points}
        for kind, command in (
            ("counter", iec104.COUNTER_INTERROGATION), ("measured", iec104.GENERAL_INTERROGATION),
        ):  # fmt: skip
            if kind not in kinds:
                continue
            try:
                objects = link.converse(Session.begin, partial(self._ask, command, link.config.timeout_s))
            except (NoAnswer, BadFrame) as fault:
                if not outcome.values and not outcome.faults:
                    raise
                outcome.faults.append(fault)
                break
            except DeviceFault as fault:
                outcome.faults.append(fault)
                continue
            for point in self.points:
                if point.kind == kind:
                    self._settle(point, objects, outcome)
        if not outcome.values and outcome.faults:
            raise outcome.faults[0]
        return outcome

    def _ask(self, command: int, timeout_s: float, session: Session) -> dict[tuple[str, int], tuple[int, Object]]:
        found = session.interrogate(command, self._address, timeout_s)
        return {("counter" if kind in iec104.COUNTERS else "measured", one.address): (kind, one) for kind, one in found}

    def _settle(self, point: ListedPoint, objects: dict[tuple[str, int], tuple[int, Object]], outcome: Outcome) -> None:
        found = objects.get((point.kind, int(point.place)))
        if found is None:
            outcome.faults.append(NoValue(f"{point.name}: object {point.place} is required (the station sent none)"))
            return
        kind, one = found
        try:
            number = iec104.value_of(kind, one.element)
        except NoValue as fault:
            outcome.faults.append(NoValue(f"{point.name}: {fault.detail}"))
            return
        at = one.at.replace(tzinfo=UTC) if one.at is not None and self._list.utc else one.at
        outcome.values.append(
            Value(
                point=point.name,
                register=point.register,
                value=number * point.scale,
                unit=point.unit,
                at=at,
                raw=one.element,
            )
        )


DRIVER: Final = Iec104
