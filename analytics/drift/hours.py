"""Hours of metering points as matrices of hours by points, the input of a balance."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analytics.columns.aggregation import MICRO, PointHours
from analytics.drift.groups import BalanceGroups

__all__ = ["GroupHours"]

_WHOLE_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupHours:
    """n hours of the parents and children of balances, in ascending order; hours may be left out.

    Attributes
    ----------
    hour : (n,) int64
        [h since 1970-01-01 UTC]
    parent : (n, g) float64
        Amount of each group's parent, NaN where it was not measured. [canonical unit]
    child : (n, c) float64
        The same of the children, in the order of `BalanceGroups.child`.
    """

    hour: NDArray[np.int64]
    parent: NDArray[np.float64]
    child: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.hour)

    def __getitem__(self, rows: slice) -> Self:
        """A run of hours."""
        return type(self)(hour=self.hour[rows], parent=self.parent[rows], child=self.child[rows])

    @classmethod
    def from_points(cls, groups: BalanceGroups, hours: PointHours, *, first: int, end: int) -> Self:
        """Hours from `first` up to `end` of points; one that is not measured whole, or is flagged, counts as missing.

        Parameters
        ----------
        groups : BalanceGroups
            Its points are those of `hours`.
        hours : PointHours
            In any order, at most one row for a point and hour; other points and hours are passed over.
        first, end : int
            Half open. [h since 1970-01-01 UTC]
        """
        inside = (hours.hour >= first) & (hours.hour < end)
        sound = inside & (hours.measured_ms >= _WHOLE_HOUR_MS) & (hours.quality == 0)
        points = int(max(groups.parent.max(initial=-1), groups.child.max(initial=-1), hours.point.max(initial=-1))) + 1
        wide = np.full((end - first, points), np.nan)
        wide[hours.hour[sound] - first, hours.point[sound]] = hours.amount_micro[sound] / MICRO
        return cls(
            hour=np.arange(first, end, dtype=np.int64),
            parent=wide[:, groups.parent],
            child=wide[:, groups.child],
        )
