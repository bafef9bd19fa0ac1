"""Segment files of the spool, and what one holds when the folder is opened."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingest.gateway.spool.records import HEADER, last_sound, next_sound, sound_records

__all__ = ["CHUNK", "Segment", "free_bytes", "scanned", "sync_folder"]

log = logging.getLogger("metering.gateway.spool")

CHUNK: Final = 2**20
"""Bytes that are read at once."""


@dataclass(slots=True)
class Segment:
    """A file, how much of it is sound, and its first and last records."""

    path: Path
    first: int
    size: int = 0
    last: int = 0
    first_us: int = 0
    last_us: int = 0
    totals: tuple[int, int] = (0, 0)  # before the first record, and after the last


def scanned(path: Path, *, is_last: bool) -> Segment:
    """What a file holds. Of the last one a torn end is cut off; the inside of others is looked at when it is read."""
    segment = Segment(path, int(path.stem), size=path.stat().st_size)
    if is_last:
        data = path.read_bytes()
        first = last = None
        segment.size = 0
        for at, end in sound_records(data):
            first, last, segment.size = (at if first is None else first), at, end
        if segment.size < len(data):
            log.warning("spool %s: a torn end of %d bytes is cut off", path, len(data) - segment.size)
            os.truncate(path, segment.size)
        if first is not None and last is not None:
            _note(segment, data[first:], data[last:])
        return segment
    room = 4 * CHUNK
    while True:
        head, tail = _part(path, 0, room), _part(path, max(segment.size - room, 0), room)
        first, last = next_sound(head, 0), last_sound(tail)
        if first is not None and last is not None:
            _note(segment, head[first:], tail[last:])
            return segment
        if room >= segment.size:
            return segment
        room *= 4


def _note(segment: Segment, first: bytes, last: bytes) -> None:
    """What the first and the last record say of a segment."""
    _, _, _, _, total, segment.first_us, n, _, _ = HEADER.unpack_from(first)
    _, _, _, segment.last, end, segment.last_us, _, _, _ = HEADER.unpack_from(last)
    segment.totals = (total - n, end)


def _part(path: Path, at: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        return file.read(size)


def free_bytes(folder: Path) -> int:
    """Room on the disk of a folder. [byte]"""
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize


def sync_folder(folder: Path) -> None:
    """Make a new file's name survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
