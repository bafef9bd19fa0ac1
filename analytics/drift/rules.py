"""Thresholds and priors of the balance; chosen on the development part of the data, never on the one that scores."""

from dataclasses import dataclass

__all__ = ["BalanceRules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceRules:
    """Engineering choices, not figures of a standard.

    Parameters
    ----------
    alarm : float
        Standard deviations from what sound meters do at which a change is said. [1]
    margin : float
        Twice the log likelihood ratio by which a meter must explain a change better than any other. [1]
    patience_days : int
        So long a change that no single meter explains best is kept before it is said without a name. [d]
    learning_days : int
        Days of measured hours before anything is said. [d]
    """

    alarm: float = 4.5
    margin: float = 6.0
    patience_days: int = 21
    learning_days: int = 45
