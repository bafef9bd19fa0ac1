"""Packing of readings into block messages: some thousands of one unit, or those of one second."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ingest.wire import Block, MeterList, encode_block

__all__ = ["Packed", "Packer"]

_MAX_UNITS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A message to publish, keyed by the unit's code."""

    unit_code: str
    message: bytes
    readings: int


@dataclass(slots=True)
class _Unit:
    """Waiting readings of one unit; its meters keep their numbers for the packer's lifetime."""

    since: float = 0.0
    readings: int = 0
    blocks: list[Block] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)


class Packer:
    """Collects readings of many units and gives full messages back.

    A unit's dictionary of meters only grows, so that its messages carry the same bytes once all its meters have been
    seen, and a worker resolves them from its cache; a message of few readings carries only the meters it needs.

    Parameters
    ----------
    max_readings : int
        Readings of a message.
    max_age_s : float
        Longest time that a reading waits, as `clock` says. [s]
    max_waiting : int
        Readings that may wait in all; then all units are packed.

    Examples
    --------
    >>> packer = Packer(max_readings=1000)
    >>> list(packer.flush())
    []
    """

    def __init__(
        self,
        *,
        max_readings: int = 4096,
        max_age_s: float = 1.0,
        max_waiting: int = 1_000_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_readings, self._max_age_s, self._max_waiting = max_readings, max_age_s, max_waiting
        self._clock = clock
        self._units: dict[str, _Unit] = {}
        self._waiting = 0

    def add(self, blocks: Sequence[Block]) -> Iterator[Packed]:
        """Take blocks in; gives the messages that are full or old enough."""
        now = self._clock()
        for block in blocks:
            unit = self._units.setdefault(block.unit_code, _Unit())
            if not unit.blocks:
                unit.since = now
            unit.blocks.append(block)
            unit.readings += len(block)
            self._waiting += len(block)
            if unit.readings >= self._max_readings:
                yield from self._pack(block.unit_code, unit)
        if self._waiting >= self._max_waiting:
            yield from self.flush()
        for unit_code, unit in self._units.items():
            if unit.blocks and now - unit.since >= self._max_age_s:
                yield from self._pack(unit_code, unit)

    def flush(self) -> Iterator[Packed]:
        """Messages of all that waits."""
        for unit_code, unit in self._units.items():
            yield from self._pack(unit_code, unit)

    def _pack(self, unit_code: str, unit: _Unit) -> Iterator[Packed]:
        blocks, unit.blocks = unit.blocks, []
        self._waiting -= unit.readings
        unit.readings = 0
        for group in _with_few_units(blocks):
            yield from self._messages(unit_code, unit.numbers, group)

    def _messages(self, unit_code: str, numbers: dict[str, int], blocks: Sequence[Block]) -> Iterator[Packed]:
        stated: dict[str, int] = {}
        meters, units = [], []
        for block in blocks:
            meters.append(_renumbered(block.meters.names, numbers)[block.meter])
            units.append(_renumbered(block.units, stated)[block.unit])
        meter, unit = np.concatenate(meters), np.concatenate(units)
        measured_at = np.concatenate([block.measured_at for block in blocks])
        value = np.concatenate([block.value for block in blocks])
        received_at = np.concatenate([block.received_at for block in blocks])
        quality = np.concatenate([block.quality for block in blocks])
        for low in range(0, len(value), self._max_readings):
            rows = slice(low, low + self._max_readings)
            names, index = _dictionary(numbers, meter[rows])
            received = received_at[rows]
            message = encode_block(
                unit_code,
                meters=names,
                meter=index,
                measured_at=measured_at[rows],
                value=value[rows],
                units=list(stated),
                unit=unit[rows] if len(stated) > 1 else None,
                received_at=int(received[0]) if np.all(received == received[0]) else received,
                quality=quality[rows] if np.any(quality[rows]) else None,
            )
            yield Packed(unit_code=unit_code, message=message, readings=len(index))


def _renumbered(texts: Sequence[str], numbers: dict[str, int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.int64)


def _dictionary(
    numbers: dict[str, int], meter: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> tuple[MeterList, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    if len(numbers) <= 2 * len(meter):
        return MeterList.of(list(numbers)), meter
    used, index = np.unique(meter, return_inverse=True)
    names = list(numbers)
    return MeterList.of([names[i] for i in used]), index


def _with_few_units(blocks: Sequence[Block]) -> Iterator[Sequence[Block]]:
    """Blocks in stretches that state no more units than a message can hold."""
    group: list[Block] = []
    stated: set[str] = set()
    for block in blocks:
        if group and len(stated.union(block.units)) > _MAX_UNITS:
            yield group
            group, stated = [], set()
        group.append(block)
        stated.update(block.units)
    if group:
        yield group
