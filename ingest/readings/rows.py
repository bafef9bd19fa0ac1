"""Rows of a table, as a file has them, as blocks of readings and faults."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from analytics.domain.quality import ReadingFlag
from ingest.readings.parts import OPTIONAL, REQUIRED, RowFault
from ingest.readings.repeated_hour import part_repeated_hours
from ingest.readings.times import TimeForm, Times, parse
from ingest.wire import MAX_MESSAGE_BYTES, Block, decode_records
from ingest.wire.block import MAIN_REGISTER, NAME_SEPARATOR, REGISTER_SEPARATOR
from ingest.wire.group import Columns, grouped
from ingest.wire.times import format_utc, instants_of_wall, parse_times

__all__ = ["Rows", "blocks_and_faults"]

Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]
Column = Any
"""An Arrow array; the published types of its compute functions do not follow their overloads."""

_compute: Any = pyarrow.compute
_MAX_QUALITY = int(ReadingFlag.STATED_MASK | ReadingFlag.ZONE_ASSUMED)
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER = r"^-?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,2})?$"
_US_OF = {"s": 1_000_000, "ms": 1000, "us": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Some rows of a table.

    Attributes
    ----------
    columns : mapping of str to pyarrow Array
        Our columns by name: text, or parquet's own types.
    others : mapping of str to pyarrow Array
        What else the file has, by title; kept in the payload of a fault.
    number : (n,) int64
        Row numbers.
    times : Times, optional
        `measured_at` read, where the table writes it in a form of its own.
    values : pair of (n,) float64 and (n,) bool, optional
        `value` read, and which cells are finite numbers.
    received_form : TimeForm, optional
        How the table writes `received_at`.
    """

    columns: Mapping[str, Column]
    others: Mapping[str, Column]
    number: Longs
    times: Times | None = None
    values: tuple[NDArray[np.float64], Bools] | None = None
    received_form: TimeForm | None = None


def blocks_and_faults(rows: Rows, *, zone: ZoneInfo, received_at: int) -> tuple[list[Block], list[RowFault]]:
    """Readings of sound rows, a block a unit, and what is wrong with the others.

    An unsound row is put into the words of a JSON reading and judged by the decoder of such messages; so the worker,
    to whom it is sent in these words, refuses it for the same reason.

    Parameters
    ----------
    received_at : int
        For rows without a time of receipt. [us since 1970-01-01 UTC]
    """
    given = rows.columns
    unit_code, meter_no, unit = (_texts(given[name]) for name in ("unit_code", "meter_no", "unit"))
    measured_at, assumed, sound = _read_times(rows, zone)
    value, is_number = rows.values or _numbers(given["value"])
    quality, quality_is_sound = _quality(given.get("quality"), len(value))
    received, received_is_sound = _received(rows, received_at, zone, len(value))
    name, name_is_sound = _names(meter_no, given.get("register"))
    sound &= is_number & quality_is_sound & received_is_sound & name_is_sound & _filled(unit_code) & _filled(unit)

    kept = pa.array(sound)
    codes, names, units = (column.filter(kept).dictionary_encode() for column in (unit_code, name, unit))
    columns = Columns(
        _indices(codes),
        _indices(names),
        _indices(units),
        measured_at[sound],
        value[sound],
        received[sound],
        (quality | (assumed * np.int16(ReadingFlag.ZONE_ASSUMED)))[sound],
        rows.number[sound].astype(np.int32),
        np.zeros(int(sound.sum()), np.int32),
    )
    blocks = grouped(columns, *(column.dictionary.to_pylist() for column in (codes, names, units)))
    if assumed.any():
        blocks = [part_repeated_hours(block, zone) for block in blocks]
    if sound.all():
        return blocks, []
    surprising, faults = _judged(rows, np.flatnonzero(~sound), zone, received_at)
    return [*blocks, *surprising], faults


def _indices(column: Column) -> Longs:
    return np.asarray(column.indices, np.int64)


def _texts(column: Column) -> Column:
    """Cells as text without blanks around, null where empty."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    text = _compute.utf8_trim_whitespace(column.cast(pa.string()))
    return _compute.if_else(_compute.equal(text, ""), None, text)


def _filled(text: Column) -> Bools:
    """Cells that hold a text without our separators."""
    filled = _bools(_compute.is_valid(text))
    for separator in (NAME_SEPARATOR, REGISTER_SEPARATOR):
        found = _compute.match_substring(text, separator)
        if _compute.any(found).as_py():
            filled &= ~_bools(found)
    return filled


def _bools(column: Column) -> Bools:
    return np.asarray(column.fill_null(False))


def _is_text(column: Column) -> bool:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _numbers(column: Column) -> tuple[NDArray[np.float64], Bools]:
    if _is_text(column):
        text = _texts(column)
        numbers = _numbers_of(text)
    elif pa.types.is_boolean(column.type):
        numbers = pa.nulls(len(column), pa.float64())
    else:
        try:
            numbers = column.cast(pa.float64(), safe=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # Arrow has no cast from dates, lists … to numbers
            numbers = pa.nulls(len(column), pa.float64())
    value = np.asarray(numbers.fill_null(math.nan))
    return value, np.isfinite(value)


def _numbers_of(text: Column) -> Column:
    for cells in (text, _compute.if_else(_compute.match_substring_regex(text, _NUMBER), text, None)):
        try:
            return cells.cast(pa.float64())
        except pa.ArrowInvalid:
            continue
    return pa.array([_number(cell) for cell in text.to_pylist()], pa.float64())


def _number(text: str | None) -> float | None:
    """Number as Arrow reads it."""
    scalar: Any = pa.scalar(text, pa.string())
    try:
        number: float | None = scalar.cast(pa.float64()).as_py()
    except pa.ArrowInvalid:
        return None
    return number


def _times(column: Column, zone: ZoneInfo) -> tuple[Longs, Bools, Bools]:
    """Instants, whether the zone was assumed, and which cells are times."""
    n = len(column)
    if _is_text(column):
        return parse_times(_texts(column).fill_null("").to_pylist(), zone)
    if not pa.types.is_timestamp(column.type):
        return np.zeros(n, np.int64), np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    ticks = np.asarray(column.view(pa.int64()).fill_null(0))
    unit = column.type.unit
    us = ticks // 1000 if unit == "ns" else ticks * _US_OF[unit]
    readable = _bools(column.is_valid()) & (unit == "ns" or us // _US_OF.get(unit, 1) == ticks)
    if column.type.tz is not None:
        return us, np.zeros(n, np.bool_), readable
    us, known = instants_of_wall(us, zone)
    return us, np.ones(n, np.bool_), readable & known


def _read_times(rows: Rows, zone: ZoneInfo) -> tuple[Longs, Bools, Bools]:
    if rows.times is None:
        return _times(rows.columns["measured_at"], zone)
    return rows.times.us, rows.times.assumed, rows.times.readable.copy()


def _received(rows: Rows, received_at: int, zone: ZoneInfo, n: int) -> tuple[Longs, Bools]:
    column = rows.columns.get("received_at")
    us = np.full(n, received_at, np.int64)
    sound = np.ones(n, np.bool_)
    if column is not None:
        stated = _bools(_texts(column).is_valid() if _is_text(column) else column.is_valid())
        said = column.filter(pa.array(stated))
        if rows.received_form is None:
            us[stated], _, sound[stated] = _times(said, zone)
        else:
            read = parse(said, rows.received_form, zone)
            us[stated], sound[stated] = read.us, read.readable
    return us, sound


def _quality(column: Column, n: int) -> tuple[NDArray[np.int16], Bools]:
    if column is None:
        return np.zeros(n, np.int16), np.ones(n, np.bool_)
    stated = _bools(_texts(column).is_valid() if _is_text(column) else column.is_valid())
    number, is_number = _numbers(column)
    sound = ~stated | (is_number & (number >= 0) & (number <= _MAX_QUALITY) & (np.floor(number) == number))
    return np.where(stated & sound, number, 0).astype(np.int16), sound


def _names(meter_no: Column, register: Column) -> tuple[Column, Bools]:
    sound = _filled(meter_no)
    if register is None:
        return meter_no, sound
    text = _texts(register)
    other = _compute.fill_null(_compute.not_equal(text, MAIN_REGISTER), pa.scalar(value=False))
    sound &= _filled(text) | _bools(text.is_null())
    joined = _compute.binary_join_element_wise(meter_no, _compute.fill_null(text, ""), REGISTER_SEPARATOR)
    return _compute.if_else(other, joined, meter_no), sound


def _judged(rows: Rows, at: NDArray[np.intp], zone: ZoneInfo, received_at: int) -> tuple[list[Block], list[RowFault]]:
    picked = pa.array(at)
    others = {title if title != "readings" else "readings ": column for title, column in rows.others.items()}
    cells = {title: column.take(picked).to_pylist() for title, column in (others | dict(rows.columns)).items()}
    _in_plain_words(cells, rows, at)
    payloads = [
        msgspec.json.encode({title: _in_json(title, column[i]) for title, column in cells.items()})
        for i in range(len(at))
    ]
    blocks, faults = decode_records(
        payloads, timestamps_us=np.full(len(at), received_at), zone=zone, max_bytes=MAX_MESSAGE_BYTES
    )
    number = rows.number[at]
    return [replace(block, message=number[block.message].astype(np.int32)) for block in blocks], [
        RowFault(
            row=int(number[fault.message]),
            column=_column(fault.required),
            reason=fault.reason,
            required=fault.required,
            got=fault.got,
            payload=fault.payload,
            readings=fault.readings,
            unit_code=fault.unit_code,
        )
        for fault in faults
    ]


def _in_plain_words(cells: dict[str, list[Any]], rows: Rows, at: NDArray[np.intp]) -> None:
    """What could be read stands in the words of the wire; what could not stands as the file has it."""
    if rows.times is not None:
        texts = format_utc(rows.times.us[at])
        readable = rows.times.readable[at].tolist()
        cells["measured_at"] = [
            text if sound else cell for text, sound, cell in zip(texts, readable, cells["measured_at"], strict=True)
        ]
    if rows.values is not None:
        value, sound = rows.values[0][at].tolist(), rows.values[1][at].tolist()
        cells["value"] = [one if ok else cell for one, ok, cell in zip(value, sound, cells["value"], strict=True)]


def _column(required: str) -> str:
    name = required.partition(":")[0]
    return name if name in REQUIRED or name in OPTIONAL else ""


def _in_json(title: str, cell: object) -> object:
    """A cell in the words of a JSON reading: as it stood, numbers as numbers, nothing as null."""
    if isinstance(cell, str):
        text = cell.strip() if title in {*REQUIRED, *OPTIONAL} else cell
        return (_number_in_json(text) if title in {"value", "quality"} else text) or None
    if isinstance(cell, float) and not math.isfinite(cell):
        return msgspec.Raw({math.inf: b"Infinity", -math.inf: b"-Infinity"}.get(cell, b"NaN"))
    if isinstance(cell, date):  # a datetime too
        return cell.isoformat() if not isinstance(cell, datetime) or cell.tzinfo is None else _utc(cell)
    if isinstance(cell, Decimal):
        return float(cell)
    return cell if cell is None or isinstance(cell, int | float) else str(cell)


def _utc(cell: datetime) -> str:
    return cell.astimezone(UTC).isoformat()


def _number_in_json(text: str) -> object:
    if _JSON_NUMBER.fullmatch(text):
        return msgspec.Raw(text.encode())
    number = _number(text)
    return number if number is not None and math.isfinite(number) else text
