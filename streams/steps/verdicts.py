"""Inspectors' verdicts as factors of a partition's thresholds."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from analytics.health.arrival import neutral_factors
from analytics.health.sensitivity import LEARNING_KINDS, StandingVerdict, factor_of
from streams.rows.layout import StoredLedger

__all__ = ["threshold_factors"]


def threshold_factors(stored: StoredLedger, verdicts: Mapping[int, Sequence[StandingVerdict]]) -> NDArray[np.float32]:
    """Threshold factors of a ledger's points, 1 without any inspection result.

    Parameters
    ----------
    stored : StoredLedger
    verdicts : mapping
        What counts, by the point's id in the database.

    Returns
    -------
    (p, 3) float32
        As `streams.steps.state.PartitionState.factors`.
    """
    factors = neutral_factors(len(stored.point_ids))
    if verdicts:
        for i, point_id in enumerate(stored.point_ids.tolist()):
            if point_id in verdicts:
                factors[i] = [factor_of(kind, verdicts[point_id]) for kind in LEARNING_KINDS]
    return factors
