"""Normalised rows of a ledger, column by column."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import compress, islice
from operator import lt
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analytics.domain.ledger.schema import COLUMNS, NO_DAY, NO_INSTANT, OPEN_END, Storage

__all__ = ["Cells", "LedgerRows", "TextColumn"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_ZERO = _EPOCH.date().toordinal()


def _sealed(array: NDArray[np.int32]) -> NDArray[np.int32]:
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True, eq=False)
class TextColumn:
    """n strings, each distinct one kept once.

    Attributes
    ----------
    codes : (n,) int32
        Index into `values`.
    values : tuple of str
        Distinct, ascending, each used at least once: codes sort as their strings do.
    """

    codes: NDArray[np.int32]
    values: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[str]:
        return map(self.values.__getitem__, self.codes.tolist())

    @classmethod
    def of(cls, strings: Iterable[str]) -> Self:
        """Encode strings."""
        seen: dict[str, int] = {}
        codes = np.fromiter((seen.setdefault(string, len(seen)) for string in strings), np.int32)
        return cls.normalised(codes, tuple(seen))

    @classmethod
    def normalised(cls, codes: NDArray[np.integer], values: Sequence[str]) -> Self:
        """Column of codes into `values` that may be unsorted, repeated or unused."""
        used = np.zeros(len(values), np.bool_)
        used[codes] = True
        kept = np.flatnonzero(used)
        texts = list(compress(values, used.tolist()))
        ranks = np.zeros(len(values), np.int32)
        if all(map(lt, texts, islice(texts, 1, None))):
            distinct = tuple(texts)
            ranks[kept] = np.arange(len(kept))
        else:
            distinct = tuple(dict.fromkeys(sorted(texts)))  # runs that are sorted already are only merged
            place = dict(zip(distinct, range(len(distinct)), strict=True))
            ranks[kept] = np.fromiter(map(place.__getitem__, texts), np.int32, len(texts))
        return cls(_sealed(ranks[codes]), distinct)

    def take(self, index: NDArray[np.integer]) -> "TextColumn":
        """Column of the rows at `index`, without the values no longer used."""
        return TextColumn.normalised(self.codes[index], self.values)

    def strings(self) -> tuple[str, ...]:
        """All n strings; equal ones are one object."""
        return tuple(self)

    def code_of(self, value: str) -> int:
        """Code of a value, -1 where no row has it."""
        place = bisect_left(self.values, value)
        return place if place < len(self.values) and self.values[place] == value else -1


Cells = TextColumn | NDArray[np.bool_] | NDArray[np.float64] | NDArray[np.int64] | NDArray[np.int32]
"""One normalised column, as its `Storage` says."""

_DTYPES: Mapping[Storage, type[np.generic]] = MappingProxyType(
    {
        Storage.FLAG: np.bool_,
        Storage.NUMBER: np.float64,
        Storage.INSTANT: np.int64,
        Storage.DAY: np.int32,
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class LedgerRows:
    """n checked rows: one per installation, or per collection point without a meter.

    Sorted by unit code, point, start of installation and meter number; words are the English ones of the interchange
    files, units their symbols, and facts that a unit or point states in one of its rows stand in all of them.

    Attributes
    ----------
    columns : mapping of str to Cells
        Each of `COLUMNS`, n long.
    """

    columns: Mapping[str, Cells]

    def __len__(self) -> int:
        return len(self.columns["unit_code"])

    @classmethod
    def of(cls, columns: Mapping[str, Cells]) -> Self:
        """Rows of complete columns, sealed against writing."""
        sealed: dict[str, Cells] = {}
        for name, spec in COLUMNS.items():
            cells = columns[name]
            if not isinstance(cells, TextColumn):
                cells = np.ascontiguousarray(cells, _DTYPES[spec.storage])
                cells.setflags(write=False)
            sealed[name] = cells
        return cls(MappingProxyType(sealed))

    @classmethod
    def empty(cls) -> Self:
        """No rows."""
        nothing = TextColumn.of(())
        return cls.of(
            {
                name: nothing if spec.storage is Storage.TEXT else np.empty(0, _DTYPES[spec.storage])
                for name, spec in COLUMNS.items()
            }
        )

    def text(self, name: str) -> TextColumn:
        """Column of strings."""
        cells = self.columns[name]
        if not isinstance(cells, TextColumn):
            raise TypeError(f"ledger column {name!r} holds no text")
        return cells

    def array(self, name: str) -> NDArray[np.generic]:
        """Column of flags, numbers, instants or days, by what `COLUMNS` says of it."""
        cells = self.columns[name]
        if isinstance(cells, TextColumn):
            raise TypeError(f"ledger column {name!r} holds text")
        return cells

    def flag(self, name: str) -> NDArray[np.bool_]:
        """Column of yes and no, (n,) bool."""
        return self.array(name).astype(np.bool_, copy=False)

    def number(self, name: str) -> NDArray[np.float64]:
        """Column of numbers, (n,) float64, NaN where nothing is given."""
        return self.array(name).astype(np.float64, copy=False)

    def instant(self, name: str) -> NDArray[np.int64]:
        """Column of instants, (n,) int64. [µs since 1970-01-01 UTC]"""
        return self.array(name).astype(np.int64, copy=False)

    def day(self, name: str) -> NDArray[np.int32]:
        """Column of days, (n,) int32. [days since 1970-01-01]"""
        return self.array(name).astype(np.int32, copy=False)

    def take(self, index: NDArray[np.integer]) -> "LedgerRows":
        """Rows at `index`, in its order."""
        return LedgerRows.of(
            {
                name: cells.take(index) if isinstance(cells, TextColumn) else cells[index]
                for name, cells in self.columns.items()
            }
        )

    def joined(self, other: "LedgerRows") -> "LedgerRows":
        """Rows of both, these first."""
        columns: dict[str, Cells] = {}
        for name, cells in self.columns.items():
            more = other.columns[name]
            if isinstance(cells, TextColumn) and isinstance(more, TextColumn):
                codes = np.concatenate([cells.codes, more.codes + len(cells.values)])
                columns[name] = TextColumn.normalised(codes, cells.values + more.values)
            else:
                columns[name] = np.concatenate([self.array(name), other.array(name)])
        return LedgerRows.of(columns)

    def in_order(self) -> "LedgerRows":
        """Rows sorted as a ledger's are."""
        keys = (
            self.text("meter_no").codes,
            self.instant("installed_from"),
            self.text("point").codes,
            self.text("unit_code").codes,
        )
        return self.take(np.lexsort(keys))

    def values(self, name: str) -> list[str | float | bool | date | datetime | None]:
        """Column as plain Python values, for rows that go to a table or a file.

        Empty text, numbers, days and instants are None; instants are aware datetimes in UTC.
        """
        cells = self.columns[name]
        if isinstance(cells, TextColumn):
            return [text or None for text in cells]
        plain: list[float] = cells.tolist()
        match COLUMNS[name].storage:
            case Storage.NUMBER:
                return [None if value != value else value for value in plain]  # noqa: PLR0124 - NaN differs from itself
            case Storage.DAY:
                return [None if day == NO_DAY else date.fromordinal(int(day) + _DAY_ZERO) for day in plain]
            case Storage.INSTANT:
                empty = (NO_INSTANT, OPEN_END)
                return [None if us in empty else _EPOCH + timedelta(microseconds=int(us)) for us in plain]
            case _:
                return [bool(value) for value in plain]
