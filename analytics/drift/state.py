"""What is kept of balances between two runs of hours."""

from dataclasses import dataclass
from typing import Self

from analytics.domain.errors import MeterwardenError
from analytics.drift.groups import BalanceGroups
from analytics.drift.rules import BalanceRules

__all__ = ["BalanceState", "StateMismatch"]


class StateMismatch(MeterwardenError):  # noqa: N818 - named after what happened
    """Kept bytes do not belong to these groups; begin with `BalanceState.empty`, or `carry` what is the same."""


@dataclass(slots=True, kw_only=True, eq=False)
class BalanceState:
    """Sufficient statistics, open detections and calibration of balances; `engine.advance` changes it in place.

    All groups of one state go through the same hours, so keep one state for each set of groups whose hours close
    together: live, one for each energy-using unit. What comes out does not depend on how groups are put together.
    """

    groups: BalanceGroups
    rules: BalanceRules

    @classmethod
    def empty(cls, groups: BalanceGroups, rules: BalanceRules | None = None) -> Self:
        """State in which no hour was seen."""
        raise NotImplementedError

    def to_bytes(self) -> bytes:
        """Everything, so that `from_bytes` goes on bit by bit the same."""
        raise NotImplementedError

    @classmethod
    def from_bytes(cls, data: bytes, groups: BalanceGroups, rules: BalanceRules | None = None) -> Self:
        """State as `to_bytes` left it.

        Raises
        ------
        StateMismatch
            If the bytes are of another format or of other groups.
        """
        raise NotImplementedError

    def copy(self) -> Self:
        """A state of its own, to go back to where a step has to be undone."""
        raise NotImplementedError

    def carry(self, groups: BalanceGroups) -> Self:
        """State for a changed ledger: groups with the same key go on, others begin anew.

        Kept detections, statistics and calibration move; indices become those of `groups`.
        """
        raise NotImplementedError
