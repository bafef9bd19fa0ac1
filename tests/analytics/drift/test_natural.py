"""Balances below a real main meter and in published networks, at a small size: a smoke test of the table of them."""

import numpy as np
import pytest

from tests.benchmarks.drift_loads import data_file
from tests.benchmarks.drift_natural import house, line_losses, networks, table

pytestmark = pytest.mark.skipif(  # real loads are not the project's to ship
    data_file("uci_household_hourly.parquet") is None,
    reason="NATURAL PARENTS NOT SCORED: the house and the networks are not at ../shared/data",
)


def test_the_main_meter_of_the_house_is_its_own_and_its_branches_add_up_to_it() -> None:
    balances = house(size=0.05, seed=1, windows=1)
    assert len(balances.groups) == 5
    for fault in balances.faults:
        before = slice(0, fault.start)
        child = balances.hours.child[before, 4 * fault.group : 4 * fault.group + 4]
        whole = np.isfinite(child).all(axis=1)
        parent = balances.hours.parent[before, fault.group]
        assert np.nansum(parent[whole]) == pytest.approx(child[whole].sum(), rel=0.01)
        assert not np.array_equal(parent[whole], child[whole].sum(axis=1))


def test_losses_of_a_network_are_those_of_its_lines_and_its_transformer() -> None:
    balances = networks(size=0.0, seed=1, most=1)
    share = np.nansum(balances.hours.parent) / np.nansum(balances.hours.child) - 1.0
    assert 0.0 < share < 0.15
    ends = ["LV1.101 Bus 10"] * 2
    one = line_losses("LV1.101", ends, np.array([[4.0, 6.0]]), np.zeros((1, 2)))
    none = line_losses("LV1.101", ends, np.zeros((1, 2)), np.zeros((1, 2)))
    both = line_losses("LV1.101", ends, np.array([[8.0, 12.0]]), np.zeros((1, 2)))
    assert none == pytest.approx([0.46], rel=0.5)  # the iron of a small transformer [kW]
    assert both - none == pytest.approx(4.0 * (one - none))


def test_the_table_at_a_small_size_accuses_nobody_and_finds_what_it_called_observable() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table(seed=3, small=True)][2:]
    by = {(row[0], row[1]): row for row in rows}
    assert by["house, fourth branch not metered", "none"][3] == "0 of 3"
    for row in rows:
        if row[1] == "none":
            assert row[4].startswith("0 alarms")
    assert by["house, fourth branch metered", "5% step"][4].startswith("5 of 5")
    able, of = (int(n) for n in by["networks of 13", "5% step"][3].split(" of "))
    assert able < of  # consumers that share a profile cannot be told apart
