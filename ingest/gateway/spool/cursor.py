"""The spool's memory of what has been acknowledged."""

import os
import struct
import zlib
from pathlib import Path
from typing import Final

from analytics.domain.errors import ConfigurationError

__all__ = ["Cursor"]

_SLOT: Final = struct.Struct("<QQI")
_SLOT_BYTES: Final = 64


class Cursor:
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
