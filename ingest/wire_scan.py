"""JSON messages of the usual shape, scanned by compiled code into columns and blocks without an object a reading."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import ReadingFlag
from ingest import _kernel
from ingest.wire_block import MAX_UNITS
from ingest.wire_group import Columns
from ingest.wire_time import MONTH_START, instants_of_wall
from ingest.wire_types import Block, MeterList

__all__ = ["Scanned", "Texts", "scanned"]

_LEAST_BYTES = 64  # of a reading, in an envelope, with names of one letter
_SEED = np.uint64(secrets.randbits(64))  # whose names collide, nobody outside can know
_MONTHS = MONTH_START.astype(np.int64)

Longs = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Texts:
    """Messages one after the other, padded for the scanner, and where each begins and the last ends."""

    joined: bytes
    offsets: Longs

    @classmethod
    def of(cls, values: Sequence[bytes]) -> "Texts":
        """Join messages."""
        offsets = np.zeros(len(values) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, values), np.int64, len(values)), out=offsets[1:])
        return cls(b"".join((*values, bytes(_kernel.PADDING))), offsets)

    @property
    def first_bytes(self) -> NDArray[np.uint8]:
        """First byte of each message; of an empty one that of the next."""
        return np.frombuffer(self.joined, np.uint8)[self.offsets[:-1]]


@dataclass(frozen=True, slots=True)
class Scanned:
    """Sound readings of the messages that were taken, in order, and the texts they speak of.

    Attributes
    ----------
    taken : (m,) bool
        Which messages were taken whole; the others need a closer look.
    columns : Columns
        `unit_code`, `name` and `unit` are numbers of the entries below; a name belongs to one unit code.
    codes, names, units : (k, 5) int64
        Where the distinct texts stand in `text`: owner, start, length, start and length of the register.
    """

    taken: NDArray[np.bool_]
    columns: Columns
    text: bytes
    codes: Longs
    names: Longs
    units: Longs

    def blocks(self) -> list[Block] | None:
        """Blocks of the units in the order of their first readings; None if more units are stated than one can hold."""
        if len(self.units) > MAX_UNITS:
            return None
        units = tuple(self._texts(self.units))
        n_codes = len(self.codes)
        columns, meter = self.columns, self.columns.name
        first_name, raw, begins = self._dictionaries()
        if n_codes > 1:
            narrow = columns.unit_code.astype(np.uint16) if n_codes <= 65536 else columns.unit_code
            columns = columns.take(np.argsort(narrow, kind="stable"))  # a radix sort for 16 bits
            meter = self._rank()[columns.name]
        first_row = np.searchsorted(columns.unit_code, np.arange(n_codes + 1)).tolist()
        unit = columns.unit.astype(np.uint8)
        blocks = []
        for u, unit_code in enumerate(self._texts(self.codes)):
            rows = slice(first_row[u], first_row[u + 1])
            if rows.start == rows.stop:
                continue
            block = Block(
                unit_code,
                MeterList(raw[begins[first_name[u]] : begins[first_name[u + 1]] - 1]),
                meter[rows],
                columns.measured_at[rows],
                columns.value[rows],
                units,
                unit[rows],
                columns.received_at[rows],
                columns.quality[rows],
                columns.message[rows],
                columns.position[rows],
            )
            blocks.append(block)
        return blocks

    def named(self) -> tuple[list[str], list[str], list[str]]:
        """Unit codes, names with their registers, and units as texts."""
        buffer = np.empty(int(self.names[:, (2, 4)].sum()) + 2 * len(self.names), np.uint8)
        begins = _kernel.gather(np.frombuffer(self.text, np.uint8), self.names, buffer)
        names = buffer[: begins[-1]].tobytes().decode().split("\x00")[:-1]
        return self._texts(self.codes), names, self._texts(self.units)

    def _order(self) -> NDArray[np.intp]:
        """Names unit by unit, in each in the order they came."""
        return np.argsort(self.names[:, 0], kind="stable")

    def _rank(self) -> NDArray[np.int32]:
        """Number of each name among those of its unit."""
        order = self._order()
        rank = np.empty(len(order), np.int32)
        owner = self.names[order, 0]
        rank[order] = np.arange(len(order)) - np.searchsorted(owner, owner)
        return rank

    def _dictionaries(self) -> tuple[list[int], bytes, list[int]]:
        """Where the names of each unit begin among all, the names as one text, and where each begins in it."""
        names = self.names[self._order()]
        first_name = np.searchsorted(names[:, 0], np.arange(len(self.codes) + 1)).tolist()
        buffer = np.empty(int(names[:, (2, 4)].sum()) + 2 * len(names), np.uint8)
        begins = _kernel.gather(np.frombuffer(self.text, np.uint8), names, buffer)
        return first_name, buffer[: begins[-1]].tobytes(), begins.tolist()

    def _texts(self, entries: Longs) -> list[str]:
        return [self.text[start : start + length].decode() for _, start, length, *_ in entries.tolist()]


def scanned(texts: Texts, messages: NDArray[np.int32], received_at: Longs, zone: ZoneInfo) -> Scanned:
    """Scan messages; those of unusual shape are not taken.

    Parameters
    ----------
    messages : (m,) int32
        Ordinals of the texts in the batch.
    received_at : (b,) int64
        When each record of the batch was received. [us since 1970-01-01 UTC]
    """
    m, text = len(messages), texts.joined
    if not _is_utf_8(text):
        return _nothing(m)
    room = len(text) // _LEAST_BYTES + 1
    rows, value = np.empty((room, 10), np.int64), np.empty(room, np.float64)
    codes, names, units = (np.empty((room, 5), np.int64) for _ in range(3))
    tables = np.full((3, 1 << (2 * room).bit_length()), -1, np.int32)
    taken, counts = np.zeros(m, np.bool_), np.zeros(5, np.int64)
    _kernel.scan(
        np.frombuffer(text, np.uint8),
        texts.offsets,
        messages,
        _MONTHS,
        _SEED,
        rows,
        value,
        codes,
        names,
        units,
        tables,
        taken,
        np.zeros(14, np.int64),
        np.zeros(2, np.float64),
        counts,
    )
    n, n_codes, n_names, n_units, _ = counts.tolist()
    columns = _columns(rows[:n], value[:n], received_at, zone)
    return Scanned(taken, columns, text, codes[:n_codes], names[:n_names], units[:n_units])


def _columns(rows: Longs, value: NDArray[np.float64], received_at: Longs, zone: ZoneInfo) -> Columns:
    message = rows[:, 0].astype(np.int32)
    measured_at = np.ascontiguousarray(rows[:, 5])
    quality = rows[:, 9].astype(np.int16)
    local = rows[:, 6] == 0
    if local.any():
        measured_at[local], _ = instants_of_wall(measured_at[local], zone)  # the scanner's years are all in a calendar
        quality[local] |= np.int16(ReadingFlag.ZONE_ASSUMED)
    received = received_at[message]
    stated = rows[:, 8] == 1
    if stated.any():
        received[stated] = rows[stated, 7]
    return Columns(
        rows[:, 2].astype(np.int32),
        rows[:, 3].astype(np.int32),
        rows[:, 4].astype(np.int32),
        measured_at,
        value,
        received,
        quality,
        message,
        rows[:, 1].astype(np.int32),
    )


def _is_utf_8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _nothing(m: int) -> Scanned:
    none: Any = np.empty((0, 10), np.int64)
    columns = _columns(none, np.empty(0), np.empty(0, np.int64), ZoneInfo("UTC"))
    return Scanned(np.zeros(m, np.bool_), columns, b"", none, none, none)
