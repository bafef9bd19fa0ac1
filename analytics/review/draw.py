"""A random draw (随机抽查) that anybody can repeat: units in the order of a hash of the seed and their code."""

import hashlib
from collections.abc import Collection

__all__ = ["drawn"]


def drawn(codes: Collection[str], count: int, seed: str) -> tuple[str, ...]:
    """Random sample of units, in the order drawn.

    Neither the order of the units nor a version of any program matters: unit by unit, SHA-256 of the seed, a line feed
    and the code, in UTF-8; the lowest are drawn.

    Examples
    --------
    >>> drawn(["A", "B", "C", "D"], 2, "2026-11-30")
    ('C', 'D')
    >>> drawn(["D", "C", "B", "A"], 2, "2026-11-30")
    ('C', 'D')
    """
    unique = set(codes)
    if not 1 <= count <= len(unique):
        raise ValueError(f"count must be from 1 to {len(unique)}, the number of units to draw from (got {count})")
    if not seed:
        raise ValueError("a seed must be given (got an empty text)")
    ranked = sorted(unique, key=lambda code: (hashlib.sha256(f"{seed}\n{code}".encode()).digest(), code))
    return tuple(ranked[:count])
