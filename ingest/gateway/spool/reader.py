"""Reading the spool's records in order, over its segments."""

import logging
import os
from collections.abc import Sequence

from ingest.gateway.spool.records import HEADER, Stored, checked, next_sound, parse_header
from ingest.gateway.spool.segments import CHUNK, Segment

__all__ = ["Reader"]

log = logging.getLogger("metering.gateway.spool")


class Reader:
    """A place in the spool, and the records after it. Used under the spool's lock.

    Attributes
    ----------
    segment, offset : int
        First number of the segment that is read, and the byte in it.
    seq, total : int
        Number of the last record read, and the readings up to and with it.
    damaged : int
        Bytes skipped because they went bad. [byte]
    """

    __slots__ = ("_chunk", "_file", "damaged", "offset", "segment", "seq", "total")

    def __init__(self) -> None:
        self.damaged = 0
        self._file: tuple[int, int] | None = None  # first number of the segment, and the open file
        self._chunk = bytearray()
        self.segment = self.offset = self.seq = self.total = 0

    def stand_at(self, *, segment: int = 0, offset: int = 0, seq: int, total: int = 0) -> None:
        """Go to a place."""
        self.close()
        self.segment, self.offset, self.seq, self.total = segment, offset, seq, total
        self._chunk.clear()

    def let_go(self, segment: Segment) -> None:
        """Close the file of a segment that will be deleted."""
        if self._file is not None and self._file[0] == segment.first:
            self.close()

    def next_of(self, segments: Sequence[Segment]) -> Stored | None:
        """The next record, None at the end; damaged bytes are skipped and counted."""
        while True:
            segment = next((one for one in segments if one.first >= self.segment and one.size), None)
            if segment is None:
                return None
            if segment.first != self.segment:
                self.segment, self.offset = segment.first, 0
                self._chunk.clear()
            if self.offset < segment.size:
                stored = self._record_at(segment)
                if stored is not None:
                    return stored
                continue
            following = next((one for one in segments if one.first > segment.first), None)
            if following is None:
                return None
            self.segment, self.offset = following.first, 0
            self._chunk.clear()

    def _record_at(self, segment: Segment) -> Stored | None:
        """Record where the reader stands; None where bytes are damaged, which it then has passed."""
        head = self._bytes(segment, HEADER.size)
        parsed = parse_header(head)
        if parsed is not None:
            size, key_size = parsed
            whole = self._bytes(segment, HEADER.size + key_size + size)
            stored = checked(whole, key_size)
            if stored is not None:
                total = HEADER.unpack_from(whole)[4]
                self.offset += len(whole)
                del self._chunk[: len(whole)]
                self.seq, self.total = stored.seq, total
                return stored
        self._skip_damage(segment)
        return None

    def _skip_damage(self, segment: Segment) -> None:
        data = segment.path.read_bytes()[: segment.size]
        at = next_sound(data, self.offset + 1)
        end = len(data) if at is None else at
        self.damaged += end - self.offset
        log.error("spool %s: %d bytes at %d are damaged and skipped", segment.path, end - self.offset, self.offset)
        self.offset = end
        self._chunk.clear()

    def _bytes(self, segment: Segment, count: int) -> bytes:
        """The next `count` bytes, fewer at the end of the file; read ahead in chunks."""
        if len(self._chunk) < count:
            if self._file is None or self._file[0] != segment.first:
                self.close()
                self._file = (segment.first, os.open(segment.path, os.O_RDONLY))
            start = self.offset + len(self._chunk)
            want = min(max(count - len(self._chunk), CHUNK), segment.size - start)
            if want > 0:
                self._chunk += os.pread(self._file[1], want, start)
        return bytes(self._chunk[:count])

    def close(self) -> None:
        """Let the file go; the place stays."""
        if self._file is not None:
            os.close(self._file[1])
            self._file = None
