"""Frames in a stream of bytes: echo, noise, wake-up bytes and half frames around them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ingest.devices.faults import BadFrame, NoAnswer
from ingest.devices.values import hex_of

__all__ = ["Format", "checksum", "first_frame", "why_none"]

T = TypeVar("T")


def checksum(data: bytes) -> int:
    """Sum of bytes modulo 256, as DL/T 645, CJ/T 188 and M-Bus have it."""
    return sum(data) & 0xFF


@dataclass(frozen=True, slots=True)
class Format(Generic[T]):
    """Frame format of a protocol.

    Attributes
    ----------
    name : str
        For errors.
    starts : bytes
        Bytes that can begin a frame.
    length : callable
        Length of the frame that begins at the first of these bytes, None if none begins there, 0 if more bytes must
        come before that is known.
    parse : callable
        Parses a frame of that length; raises `BadFrame`.
    """

    name: str
    starts: bytes
    length: Callable[[bytes], int | None]
    parse: Callable[[bytes], T]


def first_frame(buffer: bytes, form: Format[T], accept: Callable[[T], bool] = lambda _: True) -> tuple[T, int] | None:
    """The first sound frame in `buffer` that is accepted, and where it ends; None if there is none yet.

    Every byte that can begin a frame is tried, so noise that looks like a beginning does not swallow a frame behind it.
    """
    for at, byte in enumerate(buffer):
        if byte not in form.starts:
            continue
        length = form.length(buffer[at : at + 300])
        if not length or at + length > len(buffer):
            continue
        try:
            frame = form.parse(buffer[at : at + length])
        except BadFrame:
            continue
        if accept(frame):
            return frame, at + length
    return None


def why_none(buffer: bytes, form: Format[T]) -> BadFrame | NoAnswer:
    """The fault that explains why nothing received before the time-out was an acceptable frame."""
    if not buffer:
        return NoAnswer(f"{form.name}: an answer is required (got nothing in time)")
    passed_over = at = 0
    while at < len(buffer):
        length = form.length(buffer[at : at + 300]) if buffer[at] in form.starts else None
        if length is None:
            at += 1
            continue
        if not length or at + length > len(buffer):
            return BadFrame(f"{form.name}: a whole frame is required (got one cut off: {hex_of(buffer[at:])})")
        try:
            form.parse(buffer[at : at + length])
        except BadFrame as fault:
            return fault
        passed_over += 1
        at += length
    if passed_over:
        return NoAnswer(f"{form.name}: an answer is required (got nothing in time but an echo of requests)")
    return BadFrame(f"{form.name}: a frame is required (got {hex_of(buffer)})")
