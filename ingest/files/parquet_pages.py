"""Sizes of a parquet file's pages, from the headers before them: what a page would take is known before it is unpacked.

The sizes in the file's foot are only claims; what a reader unpacks is what the page's own header says. The foot is read
here too, since Arrow ends the process over some damaged ones when it is asked for a column's place.

References
----------
Apache Parquet format, ``FileMetaData`` and ``PageHeader``; Thrift compact protocol.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

__all__ = ["DamagedPage", "page_sizes"]

_FIRST_BYTES: Final = 1 << 12
_MOST_BYTES: Final = 1 << 20
"""Statistics may stand in a page's header; nobody writes more of them. [byte]"""
_FOOT_BYTES: Final = 16 << 20
"""A foot for ten thousand column chunks has some megabytes. [byte]"""
_DEEPEST: Final = 16
_MARK: Final = b"PAR1"
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
# fields of the structures
_ROW_GROUPS, _COLUMNS, _META, _PATH, _CHUNK_BYTES, _DATA_PLACE, _DICTIONARY_PLACE = 4, 1, 3, 3, 7, 9, 11
_UNPACKED, _PACKED = 2, 3

_Fields = dict[int, Any]


class DamagedPage(ValueError):  # noqa: N818 - named after what it is about
    """A foot or a page's header that cannot be read."""


class _Compact:
    """A structure in Thrift's compact protocol, read from its beginning."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def fields(self, depth: int = 0) -> _Fields:
        """Values of a structure by field: int, bytes, list or structure."""
        if depth > _DEEPEST:
            raise DamagedPage("a header that is nested too deeply")
        found: _Fields = {}
        field = 0
        while mark := self._byte():
            field = field + (mark >> 4) if mark >> 4 else self._integer()
            kind = mark & 15
            found[field] = kind == _TRUE if kind in {_TRUE, _FALSE} else self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if kind in {_I16, _I32, _I64}:
            return self._integer()
        if kind in {_TRUE, _FALSE, _BYTE}:
            return self._byte()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind == _STRUCT:
            return self.fields(depth + 1)
        if kind in {_LIST, _SET}:
            return self._items(depth)
        raise DamagedPage(f"a header with a field of type {kind}")

    def _items(self, depth: int) -> list[Any]:
        if depth > _DEEPEST:
            raise DamagedPage("a header that is nested too deeply")
        mark = self._byte()
        count = self._varint() if mark >> 4 == 15 else mark >> 4
        if count > len(self._data) - self.place:
            raise DamagedPage(f"a header with a list of {count}")
        return [self._value(mark & 15, depth + 1) for _ in range(count)]

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, count: int) -> bytes:
        start, self.place = self.place, self.place + count
        if self.place > len(self._data):
            raise DamagedPage("a header that ends early")
        return self._data[start : self.place]

    def _integer(self) -> int:
        raw = self._varint()
        return (raw >> 1) ^ -(raw & 1)

    def _varint(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise DamagedPage("a number of more than 64 bits in a header")


def page_sizes(file: BinaryIO) -> Iterator[tuple[str, int]]:
    """Column and bytes, unpacked, of each page of a file.

    Parameters
    ----------
    file : binary file
        Seekable.

    Raises
    ------
    DamagedPage
        If the foot or a page's header is none.
    """
    for chunk in _chunks(_foot(file)):
        name = b".".join(_list(chunk, _PATH, bytes)).decode(errors="replace")
        places = [_number(chunk, field) for field in (_DATA_PLACE, _DICTIONARY_PLACE) if field in chunk]
        place = min((one for one in places if one > 0), default=0)
        end = place + _number(chunk, _CHUNK_BYTES)
        while place < end:
            header, length = _header(file, place)
            packed, unpacked = _number(header, _PACKED), _number(header, _UNPACKED)
            yield name, max(packed, unpacked)
            place += length + packed


def _foot(file: BinaryIO) -> _Fields:
    end = file.seek(0, 2)
    file.seek(max(0, end - 8))
    last = file.read(8)
    size = int.from_bytes(last[:4], "little")
    if last[4:] != _MARK or size > end - 12:
        raise DamagedPage("no foot where it ends")
    if size > _FOOT_BYTES:
        raise DamagedPage(f"a foot of {size} bytes")
    file.seek(end - 8 - size)
    return _Compact(file.read(size)).fields()


def _chunks(foot: _Fields) -> Iterator[_Fields]:
    for group in _list(foot, _ROW_GROUPS, dict):
        for column in _list(group, _COLUMNS, dict):
            chunk = column.get(_META)
            if not isinstance(chunk, dict):
                raise DamagedPage("a column without its place")
            yield chunk


def _list(fields: _Fields, field: int, kind: type) -> list[Any]:
    items = fields.get(field, [])
    if not isinstance(items, list) or not all(isinstance(one, kind) for one in items):
        raise DamagedPage(f"a header whose field {field} is no list")
    return items


def _number(fields: _Fields, field: int) -> int:
    value = fields.get(field)
    if type(value) is not int or value < 0:
        raise DamagedPage(f"a header whose field {field} is no size")
    return value


def _header(file: BinaryIO, place: int) -> tuple[_Fields, int]:
    size = _FIRST_BYTES
    while True:
        file.seek(place)
        header = _Compact(file.read(size))
        try:
            return header.fields(), header.place
        except DamagedPage:
            if size >= _MOST_BYTES:
                raise
            size = _MOST_BYTES
