"""The tables by site at a small size: what they count, on real loads of the site that cried wolf most."""

import numpy as np
import pytest

from analytics.domain.quality import DetectionKind
from analytics.drift.change import ChangeState, Ending, GainChange
from tests.benchmarks.drift.simulation import Fault, FaultKind
from tests.benchmarks.drift_loads import data_file
from tests.benchmarks.drift_sites import Scenario, Tried, chosen_without, prepare, run, stories, table

DAY = 24
needs_buildings = pytest.mark.skipif(  # real loads are not the project's to ship
    data_file("bdg2_rat_hourly_kwh.parquet") is None,
    reason="DRIFT BY SITE NOT SCORED: the buildings' loads are not at ../shared/data",
)
SMALL = (
    Scenario(name="clean", kind=FaultKind.NONE, change=0.0, groups=1),
    Scenario(name="5 % step", kind=FaultKind.STEP, change=0.05, groups=1, goal_day=60),
)


def word(
    day: int, state: ChangeState, *, watched: bool, ending: Ending | None = None, size: float = 0.02
) -> GainChange:
    return GainChange(
        group=0, child=3, point=4, kind=DetectionKind.GAIN_STEP, state=state, watched=watched, ending=ending,
        started_hour=10 * DAY, started_low=9 * DAY, started_high=11 * DAY, detected_hour=12 * DAY, as_of_hour=day * DAY,
        magnitude=size, magnitude_low=size - 0.01, magnitude_high=size + 0.01, energy=0.0, energy_low=0.0,
        energy_high=0.0, score=4.0, confidence=1.0, candidates=(),
    )  # fmt: skip


def test_a_life_counts_as_watched_then_as_an_alarm_and_a_repair_by_its_day() -> None:
    fault = Fault(group=0, child=3, kind=FaultKind.STEP, start=10 * DAY, size=0.03)
    changes = [
        word(12, ChangeState.OPEN, watched=True),
        word(19, ChangeState.UPDATED, watched=False, size=0.028),
        word(90, ChangeState.CLOSED, watched=False, ending=Ending.BACK, size=0.031),
    ]
    (told,) = stories(changes, [fault])
    assert (told.watched, told.alarm, told.back) == (12 * DAY, 19 * DAY, 90 * DAY)
    assert (told.size, told.last, told.drift) == (0.028, 0.031, False)
    (only,) = stories([word(12, ChangeState.OPEN, watched=True)], [fault])
    assert (only.alarm, only.back) == (np.inf, np.inf)


@needs_buildings
def test_on_real_loads_both_faults_of_a_meter_are_found_and_sound_meters_are_left_alone() -> None:
    site = prepare("Rat", seed=1, scenarios=SMALL)
    changes, seen = run(site)
    told = stories(changes, site.simulated.faults)
    assert [one for one in told if one.group == 0 and one.alarm < np.inf] == []
    again = site.again[1]
    mine = [one for one in told if one.child == again.child]
    assert all(state[again.child] for state in seen.values())
    assert 0 < min(one.alarm for one in mine) - site.simulated.faults[1].start <= 60 * DAY
    ends = [one.back for one in mine] + [one.alarm for one in mine if one.watched > again.start]
    assert 0 < min(end for end in ends if end > again.start) - again.start <= 60 * DAY


def test_a_site_has_no_say_in_its_own_rules() -> None:
    def tried(steps: int, alarms: int = 0, wrong: int = 0) -> Tried:
        return Tried(alarms=alarms, meter_days=1000, steps=steps, right=9, wrong=wrong)

    others = {(site, name): tried(9 if name == "new" else 8) for site in "ABC" for name in ("old", "new", "loud")}
    mine = {("D", name): tried(900 if name == "loud" else 0) for name in ("old", "new", "loud")}
    assert chosen_without("D", others | mine) == "new"
    assert chosen_without("A", others | mine) == "loud"
    assert chosen_without("D", others | {("B", "new"): tried(9, alarms=9)}) == "old"
    assert chosen_without("D", others | {("B", "new"): tried(9, wrong=9)}) == "old"


def test_the_table_needs_a_site_that_is_there() -> None:
    with pytest.raises(ValueError, match="Lynx"):
        table(["Lynx"], seed=1, scale=0.1)
