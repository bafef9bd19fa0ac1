"""Metering points that form an energy balance: a parent, and the children whose flows add up to its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analytics.domain.accuracy import error_limit, in_service_factors
from analytics.domain.ledger import Direction, Ledger
from analytics.domain.units import QuantityKind

__all__ = ["SEPARATOR", "SOURCE", "UNKNOWN_LIMIT", "BalanceGroups"]

SEPARATOR = "\x1f"
"""Between the codes in a group's key: unit, parent, children."""
SOURCE = "\x1e"
"""Before the code of a child in a group's key that feeds the balance."""
UNKNOWN_LIMIT = 0.02
"""Limit of error taken for a meter whose class is not known or is no number: the widest of electricity meters. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BalanceGroups:
    """g balances with c children in all; the children of group i are those from start[i] to start[i + 1].

    Attributes
    ----------
    parent : (g,) int32
        Index of the parent's metering point.
    start : (g + 1,) int64
    child : (c,) int32
        Index of each child's metering point, ascending inside a group.
    complete : (g,) bool
        Whether the ledger declares that the children cover the parent wholly (下级齐全).
    parent_limit : (g,) float64
        Limit of error by the meter's accuracy class. [1]
    child_limit : (c,) float64
        The same of the children. [1]
    parent_band, child_band : (g,) and (c,) float64
        Error that the meter may have in service; beyond it a change is an alarm. [1]
    keys : g strings
        What names each group for good: unit, parent and children by their codes.
    child_sign : (c,) float64
        -1 for a child that feeds the balance (own generation below a parent that takes from the grid), else 1.
    """

    parent: NDArray[np.int32]
    start: NDArray[np.int64]
    child: NDArray[np.int32]
    complete: NDArray[np.bool_]
    parent_limit: NDArray[np.float64]
    child_limit: NDArray[np.float64]
    keys: tuple[str, ...]
    parent_band: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    child_band: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    child_sign: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        """Default of the in-service bands: the limits of the classes; and every child a load."""
        loads = np.ones(len(self.child))
        usual = (("parent_band", self.parent_limit), ("child_band", self.child_limit), ("child_sign", loads))
        for name, values in usual:
            if not len(getattr(self, name)):
                object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return len(self.parent)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Children of each group, (g,) int64."""
        return np.diff(self.start)

    @property
    def group_of(self) -> NDArray[np.int64]:
        """Group of each child, (c,) int64."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.sizes)

    @property
    def fingerprint(self) -> bytes:
        """Sixteen bytes that differ as soon as groups, children or limits do."""
        text = "\n".join(self.keys).encode()
        numbers = b"".join(a.tobytes() for a in (self.start, self.complete, self.parent_limit))
        return blake2b(text + numbers + self.child_limit.tobytes(), digest_size=16).digest()

    @classmethod
    def of_sizes(cls, sizes: Sequence[int], *, parent_limit: float = 0.005, child_limit: float = 0.01) -> Self:
        """Declared complete balances without a ledger, of so many children each; parents are numbered first.

        Examples
        --------
        >>> groups = BalanceGroups.of_sizes([2, 3])
        >>> groups.parent.tolist(), groups.child.tolist()
        ([0, 1], [2, 3, 4, 5, 6])
        """
        g, c = len(sizes), int(sum(sizes))
        return cls(
            parent=np.arange(g, dtype=np.int32),
            start=np.concatenate(([0], np.cumsum(np.asarray(sizes, np.int64)))).astype(np.int64),
            child=np.arange(g, g + c, dtype=np.int32),
            complete=np.ones(g, np.bool_),
            parent_limit=np.full(g, parent_limit),
            child_limit=np.full(c, child_limit),
            keys=tuple(f"{i}:{n}" for i, n in enumerate(sizes)),
        )

    @classmethod
    def from_ledger(cls, ledger: Ledger, in_service: Mapping[str, float] | None = None) -> Self:
        """Every point that has children, one balance each; points without a meter at any time take no part.

        A group in which a child or the parent has no meter is left out: its sum can never be held against anything.

        Parameters
        ----------
        ledger : Ledger
        in_service : mapping of str to float, optional
            By carrier what a meter may be off in service, over the limit of its class; those that are known by default.
        """
        metered = np.diff(ledger.point_installation_start) > 0
        counted = np.array([QuantityKind(kind).is_counted for kind in range(len(QuantityKind))])[ledger.point_kind]
        parent = ledger.point_parent
        below = np.flatnonzero(parent >= 0)
        order = below[np.argsort(parent[below], kind="stable")]
        tops, first, sizes = np.unique(parent[order], return_index=True, return_counts=True)
        same_kind = ledger.point_canonical[order] == ledger.point_canonical[parent[order]]
        child_fit = metered[order] & counted[order] & same_kind
        whole = np.add.reduceat(child_fit, first) == sizes if len(tops) else np.zeros(0, np.bool_)
        fit = whole & metered[tops] & counted[tops]
        keep = np.repeat(fit, sizes)
        child = order[keep].astype(np.int32)
        top, size = tops[fit].astype(np.int32), sizes[fit]
        start = np.concatenate(([0], np.cumsum(size))).astype(np.int64)
        limit = _limits(ledger)
        factors = in_service_factors("") if in_service is None else in_service
        band = limit * np.array([factors.get(carrier, 1.0) for carrier in ledger.point_carrier])
        own = ledger.point_direction == Direction.OWN
        feeds = own[child] & ~np.repeat(own[top], size)
        return cls(
            parent=top,
            start=start,
            child=child,
            complete=ledger.point_parent_complete[top],
            parent_limit=limit[top],
            child_limit=limit[child],
            parent_band=band[top],
            child_band=band[child],
            child_sign=np.where(feeds, -1.0, 1.0),
            keys=tuple(
                _key(ledger, int(top[i]), child[start[i] : start[i + 1]], feeds[start[i] : start[i + 1]])
                for i in range(len(top))
            ),
        )


def _key(ledger: Ledger, parent: int, children: NDArray[np.int32], feeds: NDArray[np.bool_]) -> str:
    codes = [ledger.unit_codes[ledger.point_unit[parent]], ledger.point_codes[parent]]
    marks = [SOURCE if fed else "" for fed in feeds.tolist()]
    names = (mark + ledger.point_codes[child] for mark, child in zip(marks, children.tolist(), strict=True))
    return SEPARATOR.join([*codes, *names])


def _limits(ledger: Ledger) -> NDArray[np.float64]:
    """Limit of error of each point's newest meter by its class; (p,) float64. [1]."""
    column = ledger.rows.text("accuracy_class")
    by_text = np.array([error_limit(text, unknown=UNKNOWN_LIMIT) for text in column.values])
    limits = np.full(len(ledger.point_codes), UNKNOWN_LIMIT)
    limits[ledger.installations.point] = by_text[column.codes[ledger.installations.row]]
    return limits
