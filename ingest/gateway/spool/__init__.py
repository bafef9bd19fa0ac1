"""The spool: messages on disk until Kafka has acknowledged them.

A folder of segment files, each a run of records. What `append` has returned for is on the disk; what `acknowledge` has
been called for is deleted with its segment. A torn record at the end, left by a power cut or `kill -9` in the middle of
a write, belongs to nobody and is cut off when the folder is opened. Bytes that went bad between sound records are
skipped and counted. A full disk, or a full spool, is an error of `append` before anything was written.
"""

import errno
import fcntl
import logging
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from analytics.domain.errors import ConfigurationError, MeterwardenError, TransientError
from analytics.domain.instants import US_PER_DAY
from ingest.gateway.spool.cursor import Cursor
from ingest.gateway.spool.reader import Reader
from ingest.gateway.spool.records import BLOCK, JSON, STATUS, Entry, Stored, record
from ingest.gateway.spool.segments import CHUNK, Segment, free_bytes, scanned, sync_folder

__all__ = ["BLOCK", "JSON", "STATUS", "Entry", "Spool", "SpoolFull", "SpoolStats", "Stored"]

log = logging.getLogger("metering.gateway.spool")

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class SpoolFull(TransientError):  # noqa: N818 - named after what happened
    """There is no room: refuse what comes, and say so, until some of it has been delivered."""


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
        keep_us: int = 180 * US_PER_DAY,
        reserve_bytes: int = 64 * 2**20,
        segment_bytes: int | None = None,
    ) -> None:
        self._folder, self._max_bytes, self._keep_us, self._reserve = folder, max_bytes, keep_us, reserve_bytes
        self._segment_bytes = segment_bytes or max(min(64 * 2**20, max_bytes // 16), 2**16)
        self._lock = threading.RLock()
        self._arrived = threading.Condition(self._lock)
        self._dropped = self._acked_readings = 0
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
        self._cursor = Cursor(folder / "cursor")
        self._acked = self._cursor.acked
        self._segments = self._open_segments()
        last = self._segments[-1].last if self._segments else 0
        self._next = max(last, self._acked) + 1
        self._total = self._segments[-1].totals[1] if self._segments else 0
        self._file: int | None = None
        self._reader = Reader()
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
            parts += record(seq, total, key, entry)
            seq += 1
        return b"".join(parts), total

    def _write(self, data: bytes, segment: Segment) -> None:
        assert self._file is not None, "a segment is active"
        view, at = memoryview(data), segment.size
        while view:
            written = os.pwrite(self._file, view, at)
            view, at = view[written:], at + written
        os.fdatasync(self._file)

    def _give_up_write(self, segment: Segment) -> None:
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

    def _active(self, now_us: int) -> Segment:
        """Segment to write to; a new one where the last is long, a day old, or was delivered."""
        if self._file is not None:
            segment = self._segments[-1]
            delivered = segment.last and self._acked >= segment.last and segment.size > CHUNK
            old = segment.first_us and now_us - segment.first_us > US_PER_DAY
            if segment.size < self._segment_bytes and not delivered and not old:
                return segment
            os.close(self._file)
            self._file = None
            self._forget_acknowledged()
        path = self._folder / f"{self._next:020d}.seg"
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            sync_folder(self._folder)
        except OSError as error:
            raise SpoolFull(f"the disk of {self._folder} must take a new file ({error})") from error
        segment = Segment(path, self._next, totals=(self._total, self._total))
        self._segments.append(segment)
        return segment

    def _make_room(self, size: int, now_us: int) -> None:
        while True:
            used = sum(segment.size for segment in self._segments)
            free = free_bytes(self._folder)
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
            before = self._reader.total if self._reader.segment == oldest.first else oldest.totals[0]
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
        if self._reader.segment == oldest.first:
            self.rewind()
        return True

    # ------------------------------------------------------------------ reading

    def read(self, max_bytes: int = 4 * 2**20) -> list[Stored]:
        """The next messages in order, at least one where there is one, up to about `max_bytes`; [] at the end."""
        with self._lock:
            found: list[Stored] = []
            size = 0
            while size < max_bytes:
                one = self._reader.next_of(self._segments)
                if one is None:
                    break
                found.append(one)
                size += len(one.entry.payload)
            return found

    def wait(self, timeout_s: float) -> bool:
        """Wait until there may be something to read; False when the time is over. [s]"""
        with self._lock:
            return self._arrived.wait_for(lambda: self._reader.seq < self._next - 1, timeout_s)

    def acknowledge(self, seq: int) -> None:
        """All up to this number have arrived where they go; their files are deleted."""
        with self._lock:
            if seq <= self._acked:
                return
            self._acked = min(seq, self._next - 1)
            if self._reader.seq == self._acked:
                self._acked_readings = self._reader.total
            self._cursor.write(self._acked)
            self._forget_acknowledged()

    def rewind(self) -> None:
        """Read again from the first message that is not acknowledged."""
        with self._lock:
            segment = next((one for one in self._segments if one.last > self._acked), None)
            if segment is None:
                self._acked_readings = self._total
                # the segment that is written to stays when all of it was delivered
                first, size = (self._segments[-1].first, self._segments[-1].size) if self._segments else (0, 0)
                self._reader.stand_at(segment=first, offset=size, seq=self._acked, total=self._total)
                return
            self._reader.stand_at(segment=segment.first, seq=segment.first - 1, total=segment.totals[0])
            while self._reader.seq < self._acked and self._reader.next_of(self._segments) is not None:
                pass
            self._acked_readings = self._reader.total

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
                damaged_bytes=self._reader.damaged,
            )

    def close(self) -> None:
        """Let the folder go."""
        with self._lock:
            self._reader.close()
            if self._file is not None:
                os.close(self._file)
                self._file = None
            self._cursor.close()
            os.close(self._lock_file)

    # ------------------------------------------------------------------ files

    def _open_segments(self) -> list[Segment]:
        segments: list[Segment] = []
        paths = sorted(self._folder.glob("*.seg"))
        for path in paths:
            segment = scanned(path, is_last=path == paths[-1])
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
            self._reader.let_go(segment)
            self._segments.pop(0)
            segment.path.unlink(missing_ok=True)
