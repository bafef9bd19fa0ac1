"""What could be seen at each metering point, and why not more: a verdict before any alarm."""

from dataclasses import dataclass
from enum import Enum

from analytics.domain.ledger import Ledger
from analytics.drift.groups import BalanceGroups
from analytics.drift.state import BalanceState

__all__ = ["PointVerdict", "Question", "Reason", "Verdict", "judge"]


class Question(Enum):
    """What one would like to know of a meter."""

    DRIFT = "drift"
    """A gain change of some percent, sudden or slow."""
    RATIO = "ratio"
    """A wrong ratio or a lost phase: a third of the flow or more."""


class Verdict(Enum):
    """Whether it can be seen."""

    OBSERVABLE = "observable"
    WEAK = "weak"
    NOT_OBSERVABLE = "not_observable"


class Reason(Enum):
    """What decides the verdict."""

    SEEN = "the balance shows it"
    NO_REFERENCE = "no complete balance and no second meter holds this one to account"
    DECLARED_INCOMPLETE = "the ledger does not declare that the children cover the parent wholly"
    NOT_METERED = "the parent or a child has no meter"
    FOUND_INCOMPLETE = "the balance does not close: something unmetered uses energy too"
    LEARNING = "too few measured days so far"
    NO_DATA = "hours are missing at the parent or a child"
    SMALL_SHARE = "the meter's share of the parent is too small for the noise of the balance"
    TWIN = "the load follows that of others too closely to be told apart"


@dataclass(frozen=True, slots=True, kw_only=True)
class PointVerdict:
    """Whether a question can be answered at a metering point.

    Attributes
    ----------
    point : int
        Index into the ledger's points.
    question : Question
    verdict : Verdict
    reason : Reason
    share : float
        Of the parent's flow, NaN without a balance. [1]
    smallest_30d, smallest_90d : float
        Smallest gain step that is found with an even chance within so many days; NaN where nothing is. [1]
    """

    point: int
    question: Question
    verdict: Verdict
    reason: Reason
    share: float
    smallest_30d: float
    smallest_90d: float


def judge(ledger: Ledger, groups: BalanceGroups, state: BalanceState | None = None) -> tuple[PointVerdict, ...]:
    """Verdict of every counted point of a ledger and each question, in the order of points.

    Parameters
    ----------
    ledger : Ledger
    groups : BalanceGroups
        Of this ledger.
    state : BalanceState, optional
        Of these groups; without it everything that has a declared complete balance is still learning.
    """
    raise NotImplementedError
