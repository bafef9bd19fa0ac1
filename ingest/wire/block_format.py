"""A block of readings as bytes: a msgpack array whose columns are raw little-endian bytes.

==  ===========  ====================================================================================
 #  field        what
==  ===========  ====================================================================================
 0  version      1; a reader refuses others, and ignores fields behind those it knows
 1  n            readings; second, so that a truncated block can still be counted
 2  unit_code    text
 3  meters       names joined by U+0000 (`MeterList.raw`)
 4  meter        n × uint16, or n × uint32 where there are more than 65,536 names
 5  measured_at  n × int64 [us since 1970-01-01 UTC]
 6  value        n × float64, the dial
 7  units        stated units joined by U+0000, at most 256
 8  unit         n × uint8; empty: all are the first
 9  received_at  n × int64 [us since 1970-01-01 UTC]; 8 bytes: one for all; empty: not stated
10  quality      n × int16; empty: not stated
==  ===========  ====================================================================================
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NoReturn, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import ReadingFlag, RejectReason
from ingest.wire.block import NAME_SEPARATOR, Block, Fault, MeterList, shown

__all__ = ["MAX_UNITS", "decode_block", "encode_block", "encode_rows", "readings_claimed"]

VERSION = 1
MAX_UNITS = 256
_KEPT_QUALITY = int(ReadingFlag.STATED_MASK | ReadingFlag.ZONE_ASSUMED)
MAX_READINGS = 2**22  # in one block: 64 MiB hold 3.7 million
_READING_BYTES = 2 + 8 + 8
"""Meter, instant and value: what a reading takes in a block at least. [byte]"""
_CACHED_NAMES_BYTES = 65536  # longer dictionaries come with long blocks; the cache stays below 128 MiB whatever comes
_U1, _U2, _U4 = np.dtype("u1"), np.dtype("<u2"), np.dtype("<u4")
_I2, _I4, _I8, _F8 = np.dtype("<i2"), np.dtype("<i4"), np.dtype("<i8"), np.dtype("<f8")
T = TypeVar("T", NDArray[np.int32], NDArray[np.int64])


class _Columns(msgspec.Struct, array_like=True, gc=False):
    version: int
    n: int
    unit_code: str
    meters: bytes
    meter: bytes
    measured_at: bytes
    value: bytes
    units: bytes
    unit: bytes = b""
    received_at: bytes = b""
    quality: bytes = b""


class _Malformed(Exception):  # noqa: N818 - never leaves this module
    """A block that does not hold together; its two texts are what was required and what came."""


_decode = msgspec.msgpack.Decoder(_Columns).decode
_encode = msgspec.msgpack.Encoder().encode


def encode_block(
    unit_code: str,
    *,
    meters: MeterList,
    meter: NDArray[np.integer],
    measured_at: NDArray[np.int64],
    value: NDArray[np.float64],
    units: Sequence[str],
    unit: NDArray[np.integer] | None = None,
    received_at: int | NDArray[np.int64] | None = None,
    quality: NDArray[np.integer] | None = None,
) -> bytes:
    """Message with n readings of one unit; columns as in `Block`.

    Parameters
    ----------
    unit : (n,) int or None
        Index into `units`; None where all are the first.
    received_at : (n,) int64, int or None
        One for each reading, one for all, or none stated. [us since 1970-01-01 UTC]
    quality : (n,) int or None
        ESPI code in the low byte and `ReadingFlag.ZONE_ASSUMED`; None where nothing is stated.

    Raises
    ------
    ValueError
        If columns differ in length, an index points outside its dictionary, or there are too many units.

    Examples
    --------
    >>> message = encode_block(
    ...     "91110000", meters=MeterList.of(["M-1"]), meter=np.zeros(2, int), measured_at=np.array([0, 900_000_000]),
    ...     value=np.array([1.0, 1.5]), units=["kWh"],
    ... )
    >>> len(message)
    70
    """
    n = len(value)
    for column in (meter, measured_at, unit, quality, received_at):
        if isinstance(column, np.ndarray) and column.shape != (n,):
            raise ValueError(f"every column must have {n} rows (got one of shape {column.shape})")
    joined_units = NAME_SEPARATOR.join(units)
    if not 0 < len(units) <= MAX_UNITS or joined_units.count(NAME_SEPARATOR) != len(units) - 1:
        raise ValueError(f"a block must state 1 to {MAX_UNITS} units without U+0000 (got {len(units)})")
    _check_index("meter", meter, len(meters))
    if unit is not None:
        _check_index("unit", unit, len(units))
    return _encode(
        (
            VERSION,
            n,
            unit_code,
            meters.raw,
            meter.astype("<u2" if len(meters) <= 65536 else "<u4").tobytes(),
            measured_at.astype("<i8", copy=False).tobytes(),
            value.astype("<f8", copy=False).tobytes(),
            joined_units.encode(),
            b"" if unit is None else unit.astype("u1").tobytes(),
            b"" if received_at is None else np.asarray(received_at, "<i8").tobytes(),
            b"" if quality is None else quality.astype("<i2").tobytes(),
        )
    )


def _check_index(name: str, index: NDArray[np.integer], size: int) -> None:
    if len(index) and not 0 <= int(index.min()) <= int(index.max()) < size:
        raise ValueError(f"{name} must be in [0, {size}) (got {index.min()} to {index.max()})")


def encode_rows(block: Block, rows: "slice | NDArray[np.intp] | NDArray[np.bool_]") -> bytes:
    """Block message of some rows of a decoded block, complete in itself.

    This is the payload of readings rejected out of a block: sent again, they hold all they held the first time.
    """
    meter, inverse = np.unique(block.meter[rows], return_inverse=True)
    names = block.meters.names
    return encode_block(
        block.unit_code,
        meters=MeterList.of([names[i] for i in meter]),
        meter=inverse,
        measured_at=block.measured_at[rows],
        value=block.value[rows],
        units=block.units,
        unit=block.unit[rows],
        received_at=block.received_at[rows],
        quality=block.quality[rows],
    )


def readings_claimed(message: bytes) -> int:
    """Readings that a block's first bytes promise, never more than its bytes can hold; 1 where they promise nothing."""
    head = message[:8]
    if len(head) < 3 or not 0x90 <= head[0] <= 0x9F or head[1] != VERSION:
        return 1
    width = {0xCC: 1, 0xCD: 2, 0xCE: 4}.get(head[2], 0)
    claimed = int.from_bytes(head[3 : 3 + width], "big") if width else head[2]
    plausible = (width or head[2] < 0x80) and len(head) >= 3 + width and 0 < claimed <= MAX_READINGS
    return min(claimed, max(len(message) // _READING_BYTES, 1)) if plausible else 1


def decode_block(message: bytes, ordinal: int, timestamp_us: int) -> tuple[Block | None, Fault | None]:
    """Block in a message and the fault of what is wrong with it; neither if it is empty, both if some are no numbers.

    Parameters
    ----------
    ordinal : int
        Which record of the decoded batch this is.
    timestamp_us : int
        When Kafka got it, for a block that does not say when it was received. [us since 1970-01-01 UTC]
    """
    try:
        block = _block(_decode(message), ordinal, timestamp_us)
    except _Malformed as malformed:
        required, got = malformed.args
    except UnicodeDecodeError:
        required, got = "text in UTF-8", "other bytes"
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        required, got = "a whole block (msgpack)", f"{len(message)} bytes: {shown(str(error))}"
    else:
        if block is None or np.isfinite(block.value).all():
            return block, None
        return _without_non_numbers(block)
    return None, Fault(ordinal, -1, RejectReason.MALFORMED, required, got, message, readings_claimed(message))


def _block(c: _Columns, ordinal: int, timestamp_us: int) -> Block | None:
    n = c.n
    if c.version != VERSION:
        _refuse(f"block version {VERSION}", str(c.version))
    if not 0 <= n <= MAX_READINGS:
        _refuse(f"at most {MAX_READINGS} readings", str(n))
    if n == 0:
        return None
    names = _names(c.meters)
    if len(c.measured_at) != 8 * n or len(c.value) != 8 * n:
        _refuse(f"{n} times and values of 8 bytes", f"{len(c.measured_at)} and {len(c.value)} bytes")
    meter = _meter(c.meter, n, len(names))
    units = _units(c.units)
    return Block(
        c.unit_code,
        names,
        meter,
        np.frombuffer(c.measured_at, _I8),
        np.frombuffer(c.value, _F8),
        units,
        _unit(c.unit, n, len(units)),
        _received_at(c.received_at, n, timestamp_us),
        _quality(c.quality, n),
        _all(ordinal, np.empty(n, np.int32)),
        _ordinals(n),
    )


def _refuse(required: str, got: str) -> NoReturn:
    raise _Malformed(required, got)


def _names(raw: bytes) -> MeterList:
    return _cached_names(raw) if len(raw) <= _CACHED_NAMES_BYTES else MeterList(raw)


@lru_cache(maxsize=1024)
def _cached_names(raw: bytes) -> MeterList:
    return MeterList(raw)


@lru_cache(maxsize=1024)
def _units(raw: bytes) -> tuple[str, ...]:
    units = tuple(raw.decode().split(NAME_SEPARATOR))
    if len(units) > MAX_UNITS:
        _refuse(f"at most {MAX_UNITS} units", str(len(units)))
    return units


def _meter(raw: bytes, n: int, names: int) -> NDArray[np.uint16] | NDArray[np.int32]:
    if len(raw) == 2 * n:
        meter = np.frombuffer(raw, _U2)
        highest = int(meter.max())
        if highest < names:
            return meter
    elif len(raw) == 4 * n:
        highest = int(np.frombuffer(raw, _U4).max())
        if highest < names:
            return np.frombuffer(raw, _I4)
    else:
        _refuse(f"{n} meters of 2 or 4 bytes", f"{len(raw)} bytes")
    _refuse(f"each meter one of {names}", f"number {highest}")


def _unit(raw: bytes, n: int, units: int) -> NDArray[np.uint8]:
    if not raw:
        return _FIRST_UNIT[:n] if n <= _SHARED else np.zeros(n, np.uint8)
    unit = np.frombuffer(raw, _U1)
    if len(unit) != n or int(unit.max()) >= units:
        _refuse(f"{n} units, each one of {units}", f"{len(unit)} up to number {unit.max()}")
    return unit


def _received_at(raw: bytes, n: int, timestamp_us: int) -> NDArray[np.int64]:
    if len(raw) == 8 * n:
        return np.frombuffer(raw, _I8)
    if not raw:
        return _all(timestamp_us, np.empty(n, np.int64))
    if len(raw) != 8:
        _refuse(f"1 or {n} received_at of 8 bytes", f"{len(raw)} bytes")
    return _all(int.from_bytes(raw, "little", signed=True), np.empty(n, np.int64))


def _quality(raw: bytes, n: int) -> NDArray[np.int16]:
    if not raw:
        return _NO_QUALITY[:n] if n <= _SHARED else np.zeros(n, np.int16)
    if len(raw) != 2 * n:
        _refuse(f"{n} qualities of 2 bytes", f"{len(raw)} bytes")
    quality: NDArray[np.int16] = np.frombuffer(raw, _I2) & np.int16(_KEPT_QUALITY)
    return quality


_SHARED = 65536
_ORDINALS = np.arange(_SHARED, dtype=np.int32)
_NO_QUALITY = np.zeros(_SHARED, np.int16)
_FIRST_UNIT = np.zeros(_SHARED, np.uint8)
for _shared in (_ORDINALS, _NO_QUALITY, _FIRST_UNIT):
    _shared.flags.writeable = False


def _ordinals(n: int) -> NDArray[np.int32]:
    return _ORDINALS[:n] if n <= _SHARED else np.arange(n, dtype=np.int32)


def _all(value: int, column: T) -> T:
    column.fill(value)  # half the time of np.full
    return column


def _without_non_numbers(block: Block) -> tuple[Block | None, Fault]:
    good = np.isfinite(block.value)
    bad = np.flatnonzero(~good)
    fault = Fault(
        int(block.message[0]),
        int(bad[0]),
        RejectReason.NOT_A_NUMBER,
        "a finite number",
        str(block.value[bad[0]]),
        encode_rows(block, bad),
        len(bad),
        block.unit_code,
    )
    return (block.take(good) if good.any() else None), fault
