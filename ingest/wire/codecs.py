"""Compressed parts of Kafka's batches, unpacked into bounded memory; `cramjam` does the work for all but gzip."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any, Final

import cramjam
import numpy as np

__all__ = ["CODECS", "MAX_UNPACKED_BYTES", "CodecError", "unpack"]

MAX_UNPACKED_BYTES: Final = 256 * 2**20
"""A batch that holds more than this is refused: a few bytes of zeros can be unpacked to any size. [byte]"""

CODECS: Final = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
_XERIAL: Final = b"\x82SNAPPY\x00"
_XERIAL_HEAD: Final = 16


class CodecError(ValueError):
    """A batch cannot be unpacked; the text says why."""


def unpack(codec: int, packed: bytes, *, limit: int = MAX_UNPACKED_BYTES) -> bytes:
    """The records of a batch.

    Parameters
    ----------
    codec : int
        The low three bits of the batch's attributes.
    packed : bytes
        What follows the batch's head.
    limit : int
        Most bytes that may come of it. [byte]

    Raises
    ------
    CodecError
        If the codec is unknown, the bytes are not what it makes, or they hold more than `limit`.

    Examples
    --------
    >>> unpack(4, bytes(cramjam.zstd.compress(b"records")))
    b'records'
    """
    if codec == 0:
        return packed
    unpacker = _UNPACKERS.get(codec)
    if unpacker is None:
        raise CodecError(f"codec {codec} is not one of Kafka's")
    try:
        return unpacker(packed, limit)
    except (cramjam.DecompressionError, zlib.error, EOFError, OSError, struct.error, IndexError) as error:
        raise CodecError(f"{CODECS[codec]}: {error}") from error


def _gzip(packed: bytes, limit: int) -> bytes:
    out = io.BytesIO()
    rest = packed
    while rest:  # members follow each other where a batch was appended to
        member = zlib.decompressobj(wbits=31)
        out.write(member.decompress(rest, limit + 1 - out.tell()))
        if out.tell() > limit:
            raise CodecError(f"gzip: more than {limit} bytes")
        if not member.eof:
            raise CodecError("gzip: truncated")
        rest = member.unused_data
    return out.getvalue()


def _snappy(packed: bytes, limit: int) -> bytes:
    if packed[: len(_XERIAL)] != _XERIAL:
        return _raw_snappy(packed, limit)
    parts: list[bytes] = []
    at, left = _XERIAL_HEAD, limit
    while at < len(packed):
        (size,) = struct.unpack_from("!i", packed, at)
        if not 0 <= size <= len(packed) - at - 4:
            raise CodecError(f"snappy: a block of {size} bytes in {len(packed) - at - 4}")
        parts.append(_raw_snappy(packed[at + 4 : at + 4 + size], left))
        left -= len(parts[-1])
        at += 4 + size
    return b"".join(parts)


def _raw_snappy(packed: bytes, limit: int) -> bytes:
    size = cramjam.snappy.decompress_raw_len(packed)
    if size > limit:
        raise CodecError(f"snappy: more than {limit} bytes")
    return bytes(cramjam.snappy.decompress_raw(packed))


def _bounded(into: Callable[[bytes, Any], int]) -> Callable[[bytes, int], bytes]:
    """A codec that writes into a buffer: a likely size first, then all that may be."""

    def unpacked(packed: bytes, limit: int) -> bytes:
        size = min(16 * len(packed) + 2**16, limit)
        while True:
            room = np.empty(size, np.uint8)  # pages that are not written to cost nothing
            try:
                return room[: into(packed, room)].tobytes()
            except cramjam.DecompressionError as error:
                if "whole buffer" not in str(error):
                    raise
                if size == limit:
                    raise CodecError(f"more than {limit} bytes") from error
            size = limit

    return unpacked


_UNPACKERS: Final[dict[int, Callable[[bytes, int], bytes]]] = {
    1: _gzip,
    2: _snappy,
    3: _bounded(cramjam.lz4.decompress_into),
    4: _bounded(cramjam.zstd.decompress_into),
}
