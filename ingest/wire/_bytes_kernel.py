"""Compiled: texts within a run of bytes, compared and numbered; every byte is looked at in bounds."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.compiled import compiled_plain

__all__ = ["FULL", "HOSTILE", "Table", "Words", "number_of", "rehash", "same"]

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]
"""The eight bytes from each place on, the first of them lowest; a view of bytes, each of which is in eight of them."""

FULL, HOSTILE = -1, -2
_MOST_PROBES = 64
"""Texts that were made to meet in one place cost no more than this; such a text gets no number."""
_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x9E3779B97F4A7C15)
_32 = np.uint64(32)
_FIRST = np.array([2 ** (8 * n) - 1 for n in range(9)], np.uint64)
"""The first so many bytes of a word."""


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
    words : (b + 1,) uint64
        The same, and eight bytes behind them.
    used : (2,) int64
        Texts there are, and bytes of `kept` in use.
    """

    slots: NDArray[np.int32]
    hashes: NDArray[np.uint64]
    spans: NDArray[np.int64]
    kept: Bytes
    words: Words
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
def _mixed(hashed: np.uint64, word: np.uint64) -> np.uint64:
    hashed = (hashed ^ word) * _PRIME
    return hashed ^ (hashed >> _32)


@compiled_plain
def _hashed(hashed: np.uint64, words: Words, at: int, end: int) -> np.uint64:
    while at + 8 < end:
        hashed = _mixed(hashed, words[at])
        at += 8
    return _mixed(hashed, words[at] & _FIRST[end - at]) if at < end else hashed


@compiled_plain
def _alike(kept: Words, place: int, words: Words, at: int, end: int) -> bool:
    """Whether the text that is kept at a place is the one from `at` to `end`."""
    while at + 8 < end:
        if kept[place] != words[at]:
            return False
        place += 8
        at += 8
    return bool((kept[place] ^ words[at]) & _FIRST[end - at] == np.uint64(0))


@compiled_plain
def _keep(table: Table, data: Bytes, at: int, end: int) -> int:
    place = table.used[1]
    for i in range(end - at):
        table.kept[place + i] = data[at + i]
    table.used[1] = place + end - at
    return end - at


@compiled_plain
def number_of(
    table: Table, data: Bytes, words: Words, first: tuple[int, int], second: tuple[int, int], third: tuple[int, int]
) -> Any:
    """Number of the text whose parts lie there in `data`, a new one if need be; FULL or HOSTILE without one.

    `words` are those of `data`, of which eight bytes lie behind each part.
    """
    sizes = first[1] - first[0], second[1] - second[0], third[1] - third[0]
    size = sizes[0] + sizes[1] + sizes[2]
    hashed = _BASIS ^ np.uint64(sizes[0] + (sizes[1] << 16) + (sizes[2] << 32))
    hashed = _hashed(_hashed(_hashed(hashed, words, *first), words, *second), words, *third)
    mask = len(table.slots) - 1
    slot = np.int64(hashed >> np.uint64(20)) & mask
    for _ in range(_MOST_PROBES):
        known = np.int64(table.slots[slot])
        if known < 0:
            break
        spans = table.spans[known]
        if (
            table.hashes[known] == hashed
            and spans[1] == sizes[0]
            and spans[2] == sizes[1]
            and spans[3] == sizes[2]
            and _alike(table.words, spans[0], words, first[0], first[1])
            and _alike(table.words, spans[0] + spans[1], words, second[0], second[1])
            and _alike(table.words, spans[0] + spans[1] + spans[2], words, third[0], third[1])
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
