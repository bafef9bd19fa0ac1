"""Compiled: texts within a run of bytes, compared and numbered; every byte is looked at in bounds."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.compiled import compiled_plain

__all__ = ["FULL", "HOSTILE", "Table", "number_of", "rehash", "same"]

Bytes = NDArray[np.uint8]

FULL, HOSTILE = -1, -2
_MOST_PROBES = 64
"""Texts that were made to meet in one place cost no more than this; such a text gets no number."""
_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # FNV-1a


class Table(NamedTuple):
    """Numbered texts of three parts.

    Attributes
    ----------
    slots : (2 ** k,) int32
        Number of the text that hashes here or shortly before; -1 free.
    hashes : (m,) uint64
    spans : (m, 4) int64
        Where in `kept` a text begins, and the sizes of its parts.
    kept : (b,) uint8
        The texts.
    used : (2,) int64
        Texts there are, and bytes of `kept` in use.
    """

    slots: NDArray[np.int32]
    hashes: NDArray[np.uint64]
    spans: NDArray[np.int64]
    kept: Bytes
    used: NDArray[np.int64]


@compiled_plain
def same(data: Bytes, at: int, size: int, text: Bytes) -> bool:
    """Whether `size` bytes from `at` on, which lie within, are `text`."""
    if size != len(text):
        return False
    for i in range(size):  # noqa: SIM110 - the compiler takes no generators
        if data[at + i] != text[i]:
            return False
    return True


@compiled_plain
def _hashed(hashed: np.uint64, data: Bytes, at: int, end: int) -> np.uint64:
    for i in range(at, end):
        hashed = (hashed ^ np.uint64(data[i])) * _PRIME
    return (hashed ^ np.uint64(255)) * _PRIME


@compiled_plain
def _alike(table: Table, known: Any, data: Bytes, part: int, at: int, end: int) -> int:
    """Size of a known text's part where it is that from `at` to `end`, else -1; parts before it are `part` bytes."""
    place = table.spans[known, 0] + part
    for i in range(end - at):
        if table.kept[place + i] != data[at + i]:
            return -1
    return end - at


@compiled_plain
def _keep(table: Table, data: Bytes, at: int, end: int) -> int:
    place = table.used[1]
    for i in range(end - at):
        table.kept[place + i] = data[at + i]
    table.used[1] = place + end - at
    return end - at


@compiled_plain
def number_of(
    table: Table, data: Bytes, first: tuple[int, int], second: tuple[int, int], third: tuple[int, int]
) -> Any:
    """Number of the text whose parts lie there in `data`, a new one if need be; FULL or HOSTILE without one."""
    hashed = _hashed(_hashed(_hashed(_BASIS, data, *first), data, *second), data, *third)
    size = first[1] - first[0] + second[1] - second[0] + third[1] - third[0]
    mask = len(table.slots) - 1
    slot = np.int64(hashed >> np.uint64(20)) & mask
    for _ in range(_MOST_PROBES):
        known = np.int64(table.slots[slot])
        if known < 0:
            break
        spans = table.spans[known]
        if (
            table.hashes[known] == hashed
            and spans[1] == first[1] - first[0]
            and spans[2] == second[1] - second[0]
            and spans[3] == third[1] - third[0]
            and _alike(table, known, data, 0, first[0], first[1]) >= 0
            and _alike(table, known, data, spans[1], second[0], second[1]) >= 0
            and _alike(table, known, data, spans[1] + spans[2], third[0], third[1]) >= 0
        ):
            return known
        slot = (slot + 1) & mask
    else:
        return HOSTILE
    number = table.used[0]
    if number >= len(table.hashes) or table.used[1] + size > len(table.kept):
        return FULL
    table.slots[slot] = number
    table.hashes[number] = hashed
    table.spans[number, 0] = table.used[1]
    table.spans[number, 1] = _keep(table, data, *first)
    table.spans[number, 2] = _keep(table, data, *second)
    table.spans[number, 3] = _keep(table, data, *third)
    table.used[0] = number + 1
    return number


@compiled_plain
def rehash(table: Table) -> None:
    """Put all texts into fresh slots; one that finds no place gets another number when it comes again."""
    mask = len(table.slots) - 1
    for number in range(table.used[0]):
        slot = np.int64(table.hashes[number] >> np.uint64(20)) & mask
        for _ in range(_MOST_PROBES):
            if table.slots[slot] < 0:
                table.slots[slot] = number
                break
            slot = (slot + 1) & mask
