"""Devices spoil registers of every size, step, interval and ledger in the same ways: none may be wrong in silence."""

import numpy as np
import pytest

from tests.analytics.columns.variants import VARIANTS, faults_of

_DRAWS = 120


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_are_right_or_say_so(name: str) -> None:
    wrong = {}
    for seed in range(_DRAWS):
        found = faults_of(VARIANTS[name](np.random.default_rng((seed, len(name)))))
        if found:
            wrong[seed] = found
    assert not wrong
