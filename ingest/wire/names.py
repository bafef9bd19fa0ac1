"""Numbering of the names in JSON readings: energy-using units, meters, stated units.

A decoder that is given the same `Names` batch after batch does nothing in Python for a meter it has met before, and
hands on the same `MeterList` of a unit until a new meter comes up in it, so that a cache keyed by it resolves all.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from ingest.wire._bytes_kernel import Table, rehash
from ingest.wire.block import MAIN_REGISTER, REGISTER_SEPARATOR, MeterList

__all__ = ["Names"]

_MOST_PAIRS = 2**20
_MOST_METERS = 20_000
_MOST_UNITS = 256
"""Beyond these nothing is kept for the next batch: a sender that never repeats itself must not fill the memory. A
partition of eight of a country's 17,000 units has some 600,000 meters, a large unit some thousands."""
_UNSOUND = (-1, -1)
_LONGEST = 3 * 255  # three parts of what `_json_kernel` takes

Longs = NDArray[np.int64]


class Names:
    """Numbers texts in the order they first come.

    Examples
    --------
    >>> names = Names()
    >>> names.pairs([("U1", "M1"), ("U2", "M1"), ("U1", "M2")])
    (array([0, 1, 0]), array([0, 0, 1]))
    >>> names.unit_codes, names.meters(0).names
    (['U1', 'U2'], ('M1', 'M2'))
    """

    def __init__(self) -> None:
        self.scanned_pairs = Texts(lambda code, meter, register: self._place(code, _named(meter, register)))
        self.scanned_units = Texts(lambda unit, _, __: (self._units[unit], 0))
        self._begin()

    def _begin(self) -> None:
        self.unit_codes: list[str] = []
        self._unit: dict[str, int] = {}
        self._meter: list[dict[str, int]] = []
        self._lists: list[MeterList | None] = []
        self._units = defaultdict[str, int](count().__next__)
        self._pairs = _Pairs(self._place)
        self.scanned_pairs.clear()
        self.scanned_units.clear()

    def trim(self) -> None:
        """Forget everything where it has become too much to keep; between batches, for it changes the numbers."""
        pairs = max(len(self._pairs), len(self.scanned_pairs))
        most = max(map(len, self._meter), default=0)
        if pairs > _MOST_PAIRS or most > _MOST_METERS or len(self._units) > _MOST_UNITS:
            self._begin()

    def pairs(self, texts: Sequence[tuple[str, str]]) -> tuple[Longs, Longs]:
        """Number of the unit and, within it, of the meter of each (unit code, name)."""
        numbers = np.fromiter(map(self._pairs.__getitem__, texts), np.int64, len(texts))
        places = np.array(self._pairs.places, np.int64).reshape(-1, 2)[numbers]
        return places[:, 0], places[:, 1]

    def units(self, texts: Sequence[str]) -> Longs:
        """Number of each stated unit."""
        return np.fromiter(map(self._units.__getitem__, texts), np.int64, len(texts))

    @property
    def stated_units(self) -> list[str]:
        """Stated units by their number."""
        return list(self._units)

    def meters(self, unit: int) -> MeterList:
        """The meters of a unit by their number."""
        found = self._lists[unit]
        if found is None:
            found = self._lists[unit] = MeterList.of(list(self._meter[unit]))
        return found

    def _place(self, unit_code: str, name: str) -> tuple[int, int]:
        unit = self._unit.get(unit_code)
        if unit is None:
            unit = self._unit[unit_code] = len(self.unit_codes)
            self.unit_codes.append(unit_code)
            self._meter.append({})
            self._lists.append(None)
        known = self._meter[unit]
        count = len(known)
        meter = known.setdefault(name, count)
        if meter == count:
            self._lists[unit] = None
        return unit, meter


class _Pairs(dict[tuple[str, str], int]):
    """Numbers of (unit code, name); `places` are their numbers of unit and meter."""

    def __init__(self, place: Callable[[str, str], tuple[int, int]]) -> None:
        self.places: list[tuple[int, int]] = []
        self._place = place

    def __missing__(self, pair: tuple[str, str]) -> int:
        number = self[pair] = len(self.places)
        self.places.append(self._place(*pair))
        return number


class Texts:
    """Texts numbered by compiled code, and what each stands for.

    Parameters
    ----------
    place : callable
        What a text's three parts stand for: two numbers.
    """

    def __init__(self, place: Callable[[str, str, str], tuple[int, int]]) -> None:
        self._place = place
        self.clear()

    def clear(self) -> None:
        """Forget all texts."""
        self.table = _table(256, 16_384)
        self._places = np.empty((256, 2), np.int64)
        self._placed = 0

    def __len__(self) -> int:
        return int(self.table.used[0])

    def make_room(self) -> None:
        """Double a table that has no room for one more text."""
        old = self.table
        n, size = old.used.tolist()
        if n < len(old.hashes) and size + _LONGEST <= len(old.kept):
            return
        self.table = _table(2 * len(old.hashes), 2 * len(old.kept))
        self.table.hashes[:n], self.table.spans[:n] = old.hashes[:n], old.spans[:n]
        self.table.kept[:size], self.table.used[:] = old.kept[:size], old.used
        rehash(self.table)

    def places(self) -> Longs:
        """What each text stands for, (k, 2); -1 where it is no text at all."""
        known = len(self)
        if known == self._placed:
            return self._places[:known]
        if known > len(self._places):
            self._places = np.resize(self._places, (len(self.table.hashes), 2))
        kept = self.table.kept[: self.table.used[1]].tobytes()
        new = [self._place_of(kept, *spans) for spans in self.table.spans[self._placed : known].tolist()]
        self._places[self._placed : known] = np.array(new, np.int64).reshape(-1, 2)
        self._placed = known
        return self._places[:known]

    def _place_of(self, kept: bytes, at: int, first: int, second: int, third: int) -> tuple[int, int]:
        one, other, end = at + first, at + first + second, at + first + second + third
        try:
            return self._place(kept[at:one].decode(), kept[one:other].decode(), kept[other:end].decode())
        except UnicodeDecodeError:
            return _UNSOUND


def _table(texts: int, room: int) -> Table:
    kept = np.zeros(room + 8, np.uint8)
    return Table(
        np.full(2 * texts, -1, np.int32),
        np.empty(texts, np.uint64),
        np.empty((texts, 4), np.int64),
        kept[:room],
        np.ndarray((room + 1,), "<u8", kept, strides=(1,)),
        np.zeros(2, np.int64),
    )


def _named(meter: str, register: str) -> str:
    return f"{meter}{REGISTER_SEPARATOR}{register}" if register and register != MAIN_REGISTER else meter
