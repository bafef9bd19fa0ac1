"""The spool: messages on disk until Kafka has acknowledged them.

A folder of segment files, each a run of records. What `append` has returned for is on the disk; what `acknowledge` has
been called for is deleted with its segment. A torn record at the end, left by a power cut or `kill -9` in the middle of
a write, belongs to nobody and is cut off when the folder is opened. Bytes that went bad between sound records are
skipped and counted. A full disk, or a full spool, is an error of `append` before anything was written.

==========  ======  =========================================================================
 bytes      what
==========  ======  =========================================================================
 0 – 3      magic   ``MWS1``
 4 – 7      crc     CRC-32 of all that follows in the record
 8 – 11     size    bytes of the payload
 12 – 19    seq     number of the record, from 1, without gaps
 20 – 27    total   readings in this and all records before it
 28 – 35    at      when it was received [us since 1970-01-01 UTC]
 36 – 39    n       readings in it
 40 – 41    key     bytes of the key
 42 – 43    kind    what the payload is
 44 –       key, payload
==========  ======  =========================================================================
"""

import errno
import fcntl
import logging
import os
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from analytics.domain.errors import ConfigurationError, MeterwardenError, TransientError

__all__ = ["BLOCK", "JSON", "STATUS", "Entry", "Spool", "SpoolFull", "SpoolStats", "Stored"]

log = logging.getLogger("metering.gateway.spool")

BLOCK: Final = 1
JSON: Final = 2
STATUS: Final = 3

_MAGIC: Final = b"MWS1"
_HEADER: Final = struct.Struct("<4sIIQQqIHH")
_SLOT: Final = struct.Struct("<QQI")
_SLOT_BYTES: Final = 64
_LARGEST: Final = 64 * 2**20
_DAY_US: Final = 86_400_000_000
_CHUNK: Final = 2**20
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class SpoolFull(TransientError):  # noqa: N818 - named after what happened
    """There is no room: refuse what comes, and say so, until some of it has been delivered."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A message to keep.

    Attributes
    ----------
    key : str
        The energy-using unit's code.
    kind : int
        `BLOCK`, `JSON` or `STATUS`.
    readings : int
        Readings in it, for the account.
    received_us : int
        When it was received. [us since 1970-01-01 UTC]
    """

    key: str
    kind: int
    payload: bytes
    readings: int
    received_us: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A message that is kept, and its number."""

    seq: int
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolStats:
    """How a spool stands.

    Attributes
    ----------
    bytes : int
        On disk. [byte]
    records, readings : int
        Not yet acknowledged.
    oldest_us : int or None
        When the oldest of these was received. [us since 1970-01-01 UTC]
    dropped_readings : int
        Readings given up because the spool was full and they were older than they must be kept; since it was opened.
    damaged_bytes : int
        Bytes that went bad on the disk; since it was opened.
    """

    bytes: int
    records: int
    readings: int
    oldest_us: int | None
    dropped_readings: int
    damaged_bytes: int


@dataclass(slots=True)
class _Segment:
    """A file, how much of it is sound, and its first and last records."""

    path: Path
    first: int
    size: int = 0
    last: int = 0
    first_us: int = 0
    last_us: int = 0
    totals: tuple[int, int] = (0, 0)  # before the first record, and after the last


@dataclass(slots=True)
class _Place:
    """Where a reader stands."""

    segment: int = 0  # first number of the segment
    offset: int = 0
    seq: int = 0
    total: int = 0
    chunk: bytearray = field(default_factory=bytearray)


class Spool:
    """Messages on disk, in order. Safe for one writer and one reader in threads of their own.

    Parameters
    ----------
    folder : Path
        Made where it is missing; used by one process at a time.
    max_bytes : int
        Largest size on disk. [byte]
    keep_us : int
        What is older may be dropped, loudly, where there is no room otherwise; what is younger never. [us]
    reserve_bytes : int
        Free room of the disk that is left to others. [byte]
    segment_bytes : int, optional
        Size after which a new file is begun. [byte]

    Raises
    ------
    ConfigurationError
        If another process uses the folder, or it cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = 20 * 2**30,
        keep_us: int = 180 * _DAY_US,
        reserve_bytes: int = 64 * 2**20,
        segment_bytes: int | None = None,
    ) -> None:
        self._folder, self._max_bytes, self._keep_us, self._reserve = folder, max_bytes, keep_us, reserve_bytes
        self._segment_bytes = segment_bytes or max(min(64 * 2**20, max_bytes // 16), 2**16)
        self._lock = threading.RLock()
        self._arrived = threading.Condition(self._lock)
        self._dropped = self._damaged = self._acked_readings = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock_file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigurationError(f"spool {folder} must be a folder that can be written ({error})") from error
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock_file)
            raise ConfigurationError(f"spool {folder} must be used by one process (another one has it)") from None
        self._cursor = _Cursor(folder / "cursor")
        self._acked = self._cursor.acked
        self._segments = self._open_segments()
        last = self._segments[-1].last if self._segments else 0
        self._next = max(last, self._acked) + 1
        self._total = self._segments[-1].totals[1] if self._segments else 0
        self._file: int | None = None
        self._place = _Place()
        self._handle: tuple[int, int] | None = None
        self._forget_acknowledged()
        self.rewind()

    # ------------------------------------------------------------------ writing

    def append(self, entries: Sequence[Entry]) -> None:
        """Keep messages; on return they are on the disk, all or none.

        Raises
        ------
        SpoolFull
            If there is no room for all of them.
        MeterwardenError
            If the disk fails otherwise; nothing of it counts as kept.
        """
        if not entries:
            return
        with self._lock:
            now_us = max(entry.received_us for entry in entries)
            data, total = self._encoded(entries)
            self._make_room(len(data), now_us)
            segment = self._active(now_us)
            try:
                self._write(data, segment)
            except OSError as error:
                self._give_up_write(segment)
                if error.errno in _FULL:
                    raise SpoolFull(f"the disk of {self._folder} must have room (it is full)") from error
                raise MeterwardenError(f"the disk of {self._folder} must be written ({error})") from error
            segment.size += len(data)
            segment.last = self._next + len(entries) - 1
            segment.first_us = segment.first_us or entries[0].received_us
            segment.last_us = max(segment.last_us, now_us)
            segment.totals = (segment.totals[0], total)
            self._next += len(entries)
            self._total = total
            self._arrived.notify_all()

    def _encoded(self, entries: Sequence[Entry]) -> tuple[bytes, int]:
        parts: list[bytes] = []
        seq, total = self._next, self._total
        for entry in entries:
            key = entry.key.encode()
            total += entry.readings
            parts += _record(seq, total, key, entry)
            seq += 1
        return b"".join(parts), total

    def _write(self, data: bytes, segment: _Segment) -> None:
        assert self._file is not None, "a segment is active"
        view, at = memoryview(data), segment.size
        while view:
            written = os.pwrite(self._file, view, at)
            view, at = view[written:], at + written
        os.fdatasync(self._file)

    def _give_up_write(self, segment: _Segment) -> None:
        """After a failed write nobody knows what is on the disk: cut it off, and begin a new file."""
        assert self._file is not None, "a segment is active"
        with suppress(OSError):
            os.ftruncate(self._file, segment.size)
        os.close(self._file)
        self._file = None
        if not segment.size:
            self._segments.remove(segment)
            with suppress(OSError):
                segment.path.unlink()

    def _active(self, now_us: int) -> _Segment:
        """Segment to write to; a new one where the last is long, a day old, or was delivered."""
        if self._file is not None:
            segment = self._segments[-1]
            delivered = segment.last and self._acked >= segment.last and segment.size > _CHUNK
            old = segment.first_us and now_us - segment.first_us > _DAY_US
            if segment.size < self._segment_bytes and not delivered and not old:
                return segment
            os.close(self._file)
            self._file = None
            self._forget_acknowledged()
        path = self._folder / f"{self._next:020d}.seg"
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            _sync_folder(self._folder)
        except OSError as error:
            raise SpoolFull(f"the disk of {self._folder} must take a new file ({error})") from error
        segment = _Segment(path, self._next, totals=(self._total, self._total))
        self._segments.append(segment)
        return segment

    def _make_room(self, size: int, now_us: int) -> None:
        while True:
            used = sum(segment.size for segment in self._segments)
            free = _free_bytes(self._folder)
            if used + size <= self._max_bytes and free - size > self._reserve:
                return
            if not self._drop_expired(now_us):
                what = (
                    f"its {self._max_bytes} bytes are used" if used + size > self._max_bytes else f"{free} bytes free"
                )
                raise SpoolFull(f"the spool {self._folder} must have room for {size} bytes ({what})")

    def _drop_expired(self, now_us: int) -> bool:
        """Give up the oldest segment, where it is older than it must be kept; loudly."""
        if len(self._segments) < 2 or now_us - self._segments[0].last_us <= self._keep_us:
            return False
        oldest = self._segments.pop(0)
        pending = max(oldest.last - max(self._acked, oldest.first - 1), 0)
        if pending:
            before = self._place.total if self._place.segment == oldest.first else oldest.totals[0]
            lost = oldest.totals[1] - max(before, oldest.totals[0])
            self._dropped += lost
            log.error(
                "spool %s is full: %d messages up to number %d with %d readings, older than is kept, were dropped",
                self._folder,
                pending,
                oldest.last,
                lost,
            )
        oldest.path.unlink(missing_ok=True)
        if self._acked < oldest.last:
            self._acked, self._acked_readings = oldest.last, oldest.totals[1]
            self._cursor.write(self._acked)
        if self._place.segment == oldest.first:
            self.rewind()
        return True

    # ------------------------------------------------------------------ reading

    def read(self, max_bytes: int = 4 * 2**20) -> list[Stored]:
        """The next messages in order, at least one where there is one, up to about `max_bytes`; [] at the end."""
        with self._lock:
            found: list[Stored] = []
            size = 0
            while size < max_bytes:
                one = self._read_one()
                if one is None:
                    break
                found.append(one)
                size += len(one.entry.payload)
            return found

    def wait(self, timeout_s: float) -> bool:
        """Wait until there may be something to read; False when the time is over. [s]"""
        with self._lock:
            return self._arrived.wait_for(lambda: self._place.seq < self._next - 1, timeout_s)

    def acknowledge(self, seq: int) -> None:
        """All up to this number have arrived where they go; their files are deleted."""
        with self._lock:
            if seq <= self._acked:
                return
            self._acked = min(seq, self._next - 1)
            if self._place.seq == self._acked:
                self._acked_readings = self._place.total
            self._cursor.write(self._acked)
            self._forget_acknowledged()

    def rewind(self) -> None:
        """Read again from the first message that is not acknowledged."""
        with self._lock:
            self._close_handle()
            self._place = _Place(seq=self._acked)
            segment = next((one for one in self._segments if one.last > self._acked), None)
            if segment is None:
                self._place.total = self._acked_readings = self._total
                if self._segments:  # the one that is written to stays when all of it was delivered
                    self._place.segment, self._place.offset = self._segments[-1].first, self._segments[-1].size
                return
            self._place.segment, self._place.total = segment.first, segment.totals[0]
            self._place.seq = segment.first - 1
            while self._place.seq < self._acked and self._read_one() is not None:
                pass
            self._acked_readings = self._place.total

    def stats(self) -> SpoolStats:
        """How it stands."""
        with self._lock:
            pending = next((one for one in self._segments if one.last > self._acked), None)
            return SpoolStats(
                bytes=sum(segment.size for segment in self._segments),
                records=self._next - 1 - self._acked,
                readings=self._total - self._acked_readings,
                oldest_us=pending.first_us if pending is not None else None,
                dropped_readings=self._dropped,
                damaged_bytes=self._damaged,
            )

    def close(self) -> None:
        """Let the folder go."""
        with self._lock:
            self._close_handle()
            if self._file is not None:
                os.close(self._file)
                self._file = None
            self._cursor.close()
            os.close(self._lock_file)

    def _read_one(self) -> Stored | None:
        place = self._place
        while True:
            segment = next((one for one in self._segments if one.first >= place.segment and one.size), None)
            if segment is None:
                return None
            if segment.first != place.segment:
                place.segment, place.offset = segment.first, 0
                place.chunk.clear()
            if place.offset < segment.size:
                stored = self._record_at(segment)
                if stored is not None:
                    return stored
                continue
            following = next((one for one in self._segments if one.first > segment.first), None)
            if following is None:
                return None
            place.segment, place.offset = following.first, 0
            place.chunk.clear()

    def _record_at(self, segment: _Segment) -> Stored | None:
        """Record where the reader stands; None where bytes are damaged, which it then has passed."""
        place = self._place
        head = self._bytes(segment, _HEADER.size)
        parsed = _parse_header(head)
        if parsed is not None:
            size, key_size = parsed
            whole = self._bytes(segment, _HEADER.size + key_size + size)
            stored = _checked(whole, key_size)
            if stored is not None:
                total = _HEADER.unpack_from(whole)[4]
                place.offset += len(whole)
                del place.chunk[: len(whole)]
                place.seq, place.total = stored.seq, total
                return stored
        self._skip_damage(segment)
        return None

    def _skip_damage(self, segment: _Segment) -> None:
        place = self._place
        data = segment.path.read_bytes()[: segment.size]
        at = _next_sound(data, place.offset + 1)
        end = len(data) if at is None else at
        self._damaged += end - place.offset
        log.error("spool %s: %d bytes at %d are damaged and skipped", segment.path, end - place.offset, place.offset)
        place.offset = end
        place.chunk.clear()

    def _bytes(self, segment: _Segment, count: int) -> bytes:
        """So many bytes from where the reader stands, or fewer at the end; read ahead in chunks."""
        place = self._place
        if len(place.chunk) < count:
            if self._handle is None or self._handle[0] != segment.first:
                self._close_handle()
                self._handle = (segment.first, os.open(segment.path, os.O_RDONLY))
            start = place.offset + len(place.chunk)
            want = min(max(count - len(place.chunk), _CHUNK), segment.size - start)
            if want > 0:
                place.chunk += os.pread(self._handle[1], want, start)
        return bytes(place.chunk[:count])

    def _close_handle(self) -> None:
        if self._handle is not None:
            os.close(self._handle[1])
            self._handle = None

    # ------------------------------------------------------------------ files

    def _open_segments(self) -> list[_Segment]:
        segments: list[_Segment] = []
        paths = sorted(self._folder.glob("*.seg"))
        for path in paths:
            segment = _scanned(path, is_last=path == paths[-1])
            if segment.last:
                segments.append(segment)
            else:
                path.unlink()
        return segments

    def _forget_acknowledged(self) -> None:
        while self._segments and self._segments[0].last <= self._acked:
            segment = self._segments[0]
            if segment is self._segments[-1] and getattr(self, "_file", None) is not None:
                return
            if self._handle is not None and self._handle[0] == segment.first:
                self._close_handle()
            self._segments.pop(0)
            segment.path.unlink(missing_ok=True)


class _Cursor:
    """The last acknowledged number, in a file that never grows: written in turn to one of two places.

    It is not flushed: an old one only makes messages be sent again.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            if os.fstat(self._file).st_size < 2 * _SLOT_BYTES:
                os.pwrite(self._file, bytes(2 * _SLOT_BYTES), 0)
                os.fsync(self._file)
        except OSError as error:
            raise ConfigurationError(f"spool: {path} must be a file that can be written ({error})") from error
        slots = [self._slot(i) for i in range(2)]
        self._turn, self.acked = max((slot for slot in slots if slot is not None), default=(0, 0))

    def _slot(self, i: int) -> tuple[int, int] | None:
        data = os.pread(self._file, _SLOT.size, i * _SLOT_BYTES)
        if len(data) < _SLOT.size:
            return None
        turn, acked, crc = _SLOT.unpack(data)
        return (turn, acked) if turn and crc == zlib.crc32(data[:16]) else None

    def write(self, acked: int) -> None:
        """Remember it."""
        self._turn += 1
        body = struct.pack("<QQ", self._turn, acked)
        os.pwrite(self._file, body + struct.pack("<I", zlib.crc32(body)), self._turn % 2 * _SLOT_BYTES)

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)


def _record(seq: int, total: int, key: bytes, entry: Entry) -> tuple[bytes, bytes, bytes]:
    rest = struct.pack(
        "<IQQqIHH", len(entry.payload), seq, total, entry.received_us, entry.readings, len(key), entry.kind
    )
    crc = zlib.crc32(entry.payload, zlib.crc32(key, zlib.crc32(rest)))
    return _MAGIC + struct.pack("<I", crc) + rest, key, entry.payload


def _parse_header(head: bytes) -> tuple[int, int] | None:
    """Bytes of payload and key; None where it is no header."""
    if len(head) < _HEADER.size:
        return None
    magic, _, size, _, _, _, _, key_size, _ = _HEADER.unpack_from(head)
    return (size, key_size) if magic == _MAGIC and size <= _LARGEST else None


def _checked(record: bytes, key_size: int) -> Stored | None:
    """Message in a whole record; None where its bytes are not those that were written."""
    _, crc, size, seq, _, at, readings, _, kind = _HEADER.unpack_from(record)
    if len(record) != _HEADER.size + key_size + size or zlib.crc32(record[8:]) != crc:
        return None
    key_end = _HEADER.size + key_size
    return Stored(seq, Entry(record[_HEADER.size : key_end].decode(), kind, record[key_end:], readings, at))


def _sound_at(data: bytes, at: int) -> int | None:
    """End of the sound record that begins here, None where none does."""
    parsed = _parse_header(data[at : at + _HEADER.size])
    if parsed is None:
        return None
    end = at + _HEADER.size + sum(parsed)
    return end if _checked(data[at:end], parsed[1]) is not None else None


def _next_sound(data: bytes, at: int) -> int | None:
    """Where the next sound record begins."""
    while (at := data.find(_MAGIC, at)) >= 0:
        if _sound_at(data, at) is not None:
            return at
        at += 1
    return None


def _sound_records(data: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of each sound record."""
    at: int | None = 0
    while at is not None and at < len(data):
        end = _sound_at(data, at)
        if end is None:
            at = _next_sound(data, at + 1)
            continue
        yield at, end
        at = end


def _scanned(path: Path, *, is_last: bool) -> _Segment:
    """What a file holds. Of the last one a torn end is cut off; the inside of others is looked at when it is read."""
    segment = _Segment(path, int(path.stem), size=path.stat().st_size)
    if is_last:
        data = path.read_bytes()
        first = last = None
        segment.size = 0
        for at, end in _sound_records(data):
            first, last, segment.size = (at if first is None else first), at, end
        if segment.size < len(data):
            log.warning("spool %s: a torn end of %d bytes is cut off", path, len(data) - segment.size)
            os.truncate(path, segment.size)
        if first is not None and last is not None:
            _note(segment, data[first:], data[last:])
        return segment
    room = 4 * _CHUNK
    while True:
        head, tail = _part(path, 0, room), _part(path, max(segment.size - room, 0), room)
        first, last = _next_sound(head, 0), _last_sound(tail)
        if first is not None and last is not None:
            _note(segment, head[first:], tail[last:])
            return segment
        if room >= segment.size:
            return segment
        room *= 4


def _note(segment: _Segment, first: bytes, last: bytes) -> None:
    """What the first and the last record say of a segment."""
    _, _, _, _, total, segment.first_us, n, _, _ = _HEADER.unpack_from(first)
    _, _, _, segment.last, end, segment.last_us, _, _, _ = _HEADER.unpack_from(last)
    segment.totals = (total - n, end)


def _part(path: Path, at: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        return file.read(size)


def _last_sound(data: bytes) -> int | None:
    at = len(data)
    while (at := data.rfind(_MAGIC, 0, at)) >= 0:
        if _sound_at(data, at) is not None:
            return at
    return None


def _free_bytes(folder: Path) -> int:
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize


def _sync_folder(folder: Path) -> None:
    """Make a new file's name survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
