"""Modbus frames on a line: RTU (also over TCP) and TCP, as requests that read and what may answer them.

PDUs, checksum and exceptions are pymodbus'. The line itself is the gateway's, since one bus carries meters of several
protocols, and since echo, noise and another slave's answer must be distinguished from silence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pymodbus.framer import FramerRTU
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from ingest.devices.faults import BadFrame, OtherAnswer, Refused
from ingest.devices.frames import Format
from ingest.devices.modbus import EXCEPTIONS
from ingest.devices.values import hex_of

__all__ = ["Answer", "Framing", "Request", "registers_in"]

Framing = Literal["rtu", "tcp"]
_HEADER: Final = 7  # of a frame on TCP: transaction, protocol, length, unit
_LONGEST: Final = 253


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: slave address, function, data."""

    unit: int
    pdu: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Read registers of one slave.

    Attributes
    ----------
    unit : int
        Address of the slave, 1 to 247.
    function : {3, 4}
    transaction : int
        Number of the request, on TCP.
    """

    unit: int
    function: Literal[3, 4]
    address: int
    count: int
    framing: Framing = "rtu"
    transaction: int = 0

    def encode(self) -> bytes:
        """Bytes of the request.

        Examples
        --------
        >>> Request(unit=3, function=3, address=10, count=2).encode().hex(" ")
        '03 03 00 0a 00 02 e5 eb'
        """
        kind = ReadHoldingRegistersRequest if self.function == 3 else ReadInputRegistersRequest
        pdu = bytes([self.function]) + kind(address=self.address, count=self.count).encode()
        return encode_pdu(self.unit, pdu, self.framing, self.transaction)

    @property
    def form(self) -> Format[Answer]:
        """Frame format of the answer."""
        if self.framing == "rtu":
            return Format("Modbus RTU", bytes([self.unit]), self._rtu_length, parse_rtu)
        return Format("Modbus TCP", bytes([self.transaction >> 8]), self._tcp_length, parse_tcp)

    def accept(self, answer: Answer) -> bool:
        """Whether it answers; the request's own echo does not.

        Raises `OtherAnswer` for a sound frame of another slave or function.
        """
        function = answer.pdu[0]
        if answer.unit == self.unit and function == self.function | 0x80:
            return True
        if answer.unit == self.unit and function == self.function:
            return len(answer.pdu) == 2 + 2 * self.count and answer.pdu[1] == 2 * self.count
        raise OtherAnswer(
            f"function {self.function} of slave {self.unit} is required (got {function & 0x7F} of {answer.unit})"
        )

    def _rtu_length(self, buffer: bytes) -> int | None:
        if len(buffer) < 3:
            return 0
        if buffer[1] & 0x80:
            return 5
        return 5 + buffer[2] if buffer[1] in (3, 4) and buffer[2] <= 250 else None

    def _tcp_length(self, buffer: bytes) -> int | None:
        if len(buffer) < 6:
            return 0
        sound = buffer[0:2] == self.transaction.to_bytes(2, "big") and buffer[2:4] == b"\0\0"
        length = int.from_bytes(buffer[4:6], "big")
        return 6 + length if sound and 3 <= length <= _LONGEST + 1 else None


def encode_pdu(unit: int, pdu: bytes, framing: Framing, transaction: int = 0) -> bytes:
    """Frame of a PDU."""
    body = bytes([unit]) + pdu
    if framing == "rtu":
        return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")
    return transaction.to_bytes(2, "big") + b"\0\0" + len(body).to_bytes(2, "big") + body


def parse_rtu(message: bytes) -> Answer:
    """Frame with a right checksum; `BadFrame` otherwise."""
    if len(message) < 5:
        raise BadFrame(f"Modbus RTU: at least 5 bytes are required (got {hex_of(message) or 'nothing'})")
    crc = FramerRTU.compute_CRC(message[:-2])
    if message[-2:] != crc.to_bytes(2, "big"):
        raise BadFrame(f"Modbus RTU: the checksum must be {crc:04X} (got {message[-2:].hex().upper()})")
    return Answer(message[0], message[1:-2])


def parse_tcp(message: bytes) -> Answer:
    """Frame of the length that it says; `BadFrame` otherwise."""
    if len(message) < _HEADER + 2 or len(message) != 6 + int.from_bytes(message[4:6], "big"):
        raise BadFrame(f"Modbus TCP: a header and as many bytes as it says are required (got {hex_of(message)})")
    return Answer(message[6], message[7:])


def registers_in(answer: Answer) -> Sequence[int]:
    """Registers of an answer that was accepted; `Refused` for an exception."""
    if answer.pdu[0] & 0x80:
        code = answer.pdu[1] if len(answer.pdu) > 1 else 0
        raise Refused(f"slave {answer.unit}: {EXCEPTIONS.get(code, 'an unknown exception')} (exception {code})")
    return [int.from_bytes(answer.pdu[i : i + 2], "big") for i in range(2, len(answer.pdu), 2)]
