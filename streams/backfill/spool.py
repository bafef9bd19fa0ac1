"""Readings of many files laid aside on disk by units, and taken up again in time order, a few units at once.

Files may hold their readings in any order and larger amounts than fit into memory. So readings are appended to
buckets, each for a run of units, in the order in which they came; and a bucket is read back whole, sorted by time and
cut into slices. Readings of the same instant stay in the order of the files, so that of two that contradict each
other the first counts, as on a stream.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from analytics.columns.intervals import Int32s
from ingest.wire import Block, MeterList

__all__ = ["Slice", "Spool"]

_ROW = np.dtype(
    [
        ("measured_at", "<i8"), ("received_at", "<i8"), ("value", "<f8"), ("row", "<i4"),
        ("unit_code", "<i4"), ("name", "<i4"), ("stated", "<i4"), ("file", "<i4"), ("quality", "<i2"),
    ]
)  # fmt: skip
_BEFORE = int(np.iinfo(np.int64).min)
_STATED_UNITS = 256
"""Most units of measurement that a block can distinguish."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Readings of a stretch of time of a bucket's units.

    Attributes
    ----------
    blocks : list of Block
        In time order inside each; each reading is a message of its own.
    file, row : list of (n,) int
        Where the readings of each block came from: index of the file, and row in it.
    """

    blocks: list[Block]
    file: list[Int32s]
    row: list[Int32s]


class _Numbers:
    """Texts numbered in the order in which they come first."""

    __slots__ = ("of", "texts")

    def __init__(self) -> None:
        self.of: dict[str, int] = {}
        self.texts: list[str] = []

    def number(self, text: str) -> int:
        found = self.of.setdefault(text, len(self.texts))
        if found == len(self.texts):
            self.texts.append(text)
        return found

    def numbers(self, texts: Sequence[str]) -> Int32s:
        return np.fromiter((self.number(text) for text in texts), np.int32, len(texts))


class Spool:
    """Buckets of readings.

    Parameters
    ----------
    directory : Path
        An empty directory to lay the readings aside in.
    unit_codes : sequence of str
        Units of the ledger, ascending; readings of other units go to a bucket of their own, the last.
    buckets : int
        Into how many runs the units are parted.
    """

    def __init__(self, directory: Path, unit_codes: Sequence[str], buckets: int) -> None:
        buckets = max(1, min(buckets, len(unit_codes)))
        edges = np.linspace(0, len(unit_codes), buckets + 1).astype(int)
        self._runs = [range(low, high) for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]
        self._bucket_of = {unit_codes[i]: b for b, run in enumerate(self._runs) for i in run}
        self._paths = [directory / f"{bucket:04d}" for bucket in range(buckets + 1)]
        self._files: list[IO[bytes]] = []
        self._open = ExitStack()
        self._codes, self._names, self._stated = _Numbers(), _Numbers(), _Numbers()
        self._names_of: dict[MeterList, Int32s] = {}
        self._newest = [_BEFORE] * (buckets + 1)
        self._ordered = [True] * (buckets + 1)
        self.readings = 0

    def __enter__(self) -> Self:
        self._files = [self._open.enter_context(path.open("wb")) for path in self._paths]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def runs(self) -> list[range]:
        """Units of each bucket as indices into the ledger; the last bucket has none."""
        return [*self._runs, range(0)]

    def add(self, block: Block, *, file: int) -> None:
        """Lay readings aside.

        Parameters
        ----------
        block : Block
            Readings of one unit; `message` is their row in the file.
        file : int
            Index of the file they come from.
        """
        names = self._names_of.get(block.meters)
        if names is None:
            names = self._names_of[block.meters] = self._names.numbers(block.meters.names)
        rows = np.empty(len(block), _ROW)
        rows["measured_at"], rows["received_at"] = block.measured_at, block.received_at
        rows["value"], rows["quality"] = block.value, block.quality
        rows["unit_code"], rows["file"], rows["row"] = self._codes.number(block.unit_code), file, block.message
        rows["name"] = names[block.meter]
        rows["stated"] = self._stated.numbers(block.units)[block.unit]
        bucket = self._bucket_of.get(block.unit_code, len(self._runs))
        at = np.append(self._newest[bucket], rows["measured_at"])
        self._ordered[bucket] &= bool((at[1:] >= at[:-1]).all())
        self._newest[bucket] = int(at[-1])
        self._files[bucket].write(rows.data)
        self.readings += len(rows)

    def slices(self, bucket: int, size: int) -> Iterator[Slice]:
        """Readings of a bucket in time order.

        Parameters
        ----------
        bucket : int
        size : int
            Most readings in a slice.
        """
        self._files[bucket].flush()
        path = self._paths[bucket]
        if self._ordered[bucket]:  # as most files are: no more than a slice is held
            with path.open("rb") as file:
                while len(rows := np.fromfile(file, _ROW, size)):
                    yield self._slice(rows)
            path.unlink()
            return
        rows = np.fromfile(path, _ROW)
        path.unlink()
        order = np.argsort(rows["measured_at"], kind="stable")
        for start in range(0, len(rows), size):
            yield self._slice(rows[order[start : start + size]])

    def _slice(self, rows: NDArray[Any]) -> Slice:
        by_unit = np.argsort(rows["unit_code"], kind="stable")
        cuts = np.flatnonzero(np.diff(rows["unit_code"][by_unit])) + 1
        out = Slice([], [], [])
        for mine in np.split(rows[by_unit], cuts):
            for part in _by_stated_units(mine):
                out.blocks.append(self._block(part))
                out.file.append(part["file"].copy())
                out.row.append(part["row"].copy())
        return out

    def _block(self, rows: NDArray[Any]) -> Block:
        names, meter = np.unique(rows["name"], return_inverse=True)
        stated, unit = np.unique(rows["stated"], return_inverse=True)
        each = np.arange(len(rows), dtype=np.int32)
        return Block(
            unit_code=self._codes.texts[int(rows["unit_code"][0])],
            meters=MeterList.of([self._names.texts[i] for i in names.tolist()]),
            meter=meter.astype(np.int32),
            measured_at=rows["measured_at"].copy(),
            value=rows["value"].copy(),
            units=tuple(self._stated.texts[i] for i in stated.tolist()),
            unit=unit.astype(np.uint8),
            received_at=rows["received_at"].copy(),
            quality=rows["quality"].copy(),
            message=each,
            position=np.zeros(len(rows), np.int32),
        )


def _by_stated_units(rows: NDArray[Any]) -> list[NDArray[Any]]:
    """Rows in parts that state few enough units each; one part unless somebody states hundreds."""
    stated, which = np.unique(rows["stated"], return_inverse=True)
    if len(stated) <= _STATED_UNITS:
        return [rows]
    return [rows[which // _STATED_UNITS == part] for part in range(-(-len(stated) // _STATED_UNITS))]
