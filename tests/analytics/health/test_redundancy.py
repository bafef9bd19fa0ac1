"""What further registers reveal: quiet where they agree, told where they contradict, the same in pieces and whole."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.columns.register import NEVER
from analytics.domain.registers import FurtherRegister as Reg
from analytics.domain.water import heat_of_a_cubic_metre
from analytics.health.redundancy import Cause, Checks, Facts, Followed, RedundancyRules, checks_of, unpack

DAY_US = 86_400_000_000
START = 1_700_006_400_000_000
QUARTER = 900
M = 40.0
RULES = RedundancyRules().row()
Floats = NDArray[np.float64]
Columns = tuple[NDArray[np.int16], NDArray[np.int64], Floats]


def load(days: int, seed: int = 1, swing: float = 0.3) -> Floats:
    """Energy of every minute. [kWh]"""
    n = days * 1440
    rng = np.random.default_rng(seed)
    power = 2.0 + 1.5 * np.sin(np.arange(n) / 1440 * 2 * np.pi) ** 2 + swing * rng.standard_normal(n).clip(-2, 2)
    return np.maximum(power, 0.05) / 60.0


def columns(**series: Floats) -> Columns:
    """Registers that are read every quarter hour, in order of time; `main` is the energy."""
    n = len(next(iter(series.values())))
    names = list(series)
    register = np.array([0 if name == "main" else Reg[name.upper()] for name in names], np.int16)
    at = START + np.arange(n, dtype=np.int64) * QUARTER * 1_000_000
    return np.tile(register, n), np.repeat(at, len(names)), np.column_stack([series[name] for name in names]).ravel()


def part_of(some: Columns, rows: NDArray[np.integer]) -> Columns:
    return some[0][rows], some[1][rows], some[2][rows]


def dial(minutes: Floats, gain: float | Floats = 1.0) -> Floats:
    counted = np.concatenate(([0.0], np.cumsum(minutes * gain)))
    return np.floor((1000.0 + counted[::15]) * 1000.0) / 1000.0


def power(minutes: Floats) -> Floats:
    return np.round(np.append(minutes, minutes[-1])[::15] * 60.0, 3)


def follow(checks: Checks, some: Columns, *, factor: float = 1.0, multiplier: float = M) -> Followed:
    register, at, value = some
    n = len(value)
    further = {int(one) for one in register if one}
    checks.begin([(0, check) for one in sorted(further) for check in checks_of(Reg(one))])
    ones = np.ones(n)
    facts = Facts(scale=ones, multiplier=multiplier * ones, amount=M * ones, most=500.0 * ones, limit=0.01 * ones)
    none = np.zeros(n, np.int32)
    return checks.follow(
        RULES, point=none, meter=none, register=register, at_us=at, value=value, facts=facts,
        factor=np.full(n, factor, np.float32),
    )  # fmt: skip


def said(done: Followed) -> list[tuple[Cause, float, float | None, float]]:
    """(cause, start, end, ratio) of each event; days since the start."""
    days = [float(e["started"] - START) / DAY_US for e in done.events]
    ends = [None if e["ended"] == NEVER else float(e["ended"] - START) / DAY_US for e in done.events]
    causes = [unpack(int(e["scale"]))[1] for e in done.events]
    return list(zip(causes, days, ends, (done.events["at"] / done.events["before"]).tolist(), strict=True))


def stepped(days: int, from_day: float, ratio: float, until_day: float = np.inf) -> Floats:
    day = np.arange(days * 1440) / 1440
    return np.where((day >= from_day) & (day < until_day), ratio, 1.0)


def test_energy_that_agrees_with_its_power_is_quiet_and_says_what_it_could_see() -> None:
    minutes = load(20)
    done = follow(Checks(), columns(power=power(minutes), main=dial(minutes)))
    assert not len(done.events)
    assert done.sights["status"].tolist()[-1] == 1
    assert 0.03 < done.sights["smallest"][-1] < 0.06
    assert np.isnan(done.sights["smallest"][0])


@pytest.mark.parametrize("ratio", [0.1, 1 / 3, 0.5, 2 / 3, 1.5, 3**0.5, 2.0, 10.0])
def test_a_factor_from_the_beginning_is_told_with_its_size_and_start(ratio: float) -> None:
    minutes = load(12)
    done = follow(Checks(), columns(power=power(minutes), main=dial(minutes, ratio)), multiplier=1.0)
    cause, start, end, size = said(done)[-1]
    assert (cause, end) == (Cause.ENERGY, None)
    assert start == pytest.approx(0.0, abs=0.01)
    assert size == pytest.approx(ratio, rel=0.02)
    assert len(np.unique(done.events["started"])) == 1


@pytest.mark.parametrize(("ratio", "within_days"), [(2 / 3, 0.5), (0.5, 0.5), (2.0, 0.5), (0.9, 2.0)])
def test_a_factor_that_begins_on_a_day_is_told_soon_with_its_start(ratio: float, within_days: float) -> None:
    minutes = load(20)
    done = follow(Checks(), columns(power=power(minutes), main=dial(minutes, stepped(20, 10.0, ratio))))
    assert said(done)[0][1] == pytest.approx(10.0, abs=0.3)
    assert done.events["decided"][0] <= START + (10.0 + within_days) * DAY_US
    assert said(done)[-1][3] == pytest.approx(ratio, rel=0.03)
    lost = -np.sum(minutes * (1.0 - stepped(20, 10.0, ratio))) * M
    assert done.events["amount"][-1] / 1e6 == pytest.approx(lost, rel=0.5)


def test_what_is_mended_is_closed_when_it_was() -> None:
    minutes = load(30)
    done = follow(Checks(), columns(power=power(minutes), main=dial(minutes, stepped(30, 10.0, 0.5, 15.0))))
    _, start, end, _ = said(done)[-1]
    assert start == pytest.approx(10.0, abs=0.2)
    assert end == pytest.approx(15.0, abs=0.4)


def test_a_load_that_jumps_between_its_samples_never_cries_wolf() -> None:
    rng = np.random.default_rng(4)
    for period in (7.3, 14.9, 31.0):
        on = (np.arange(60 * 1440) / period + rng.uniform()) % 1.0 < 0.3
        minutes = ((0.2 + 3.0 * on) / 60.0).astype(np.float64)
        done = follow(Checks(), columns(power=power(minutes), main=dial(minutes)))
        assert not len(done.events), period


def test_a_dial_that_stands_still_and_catches_up_is_none_of_its_business() -> None:
    minutes = load(20)
    shown = dial(minutes)
    shown[1000:1100] = shown[1000]
    assert not len(follow(Checks(), columns(power=power(minutes), main=shown)).events)


def test_a_power_that_was_primary_from_the_beginning_is_learnt_and_not_told() -> None:
    minutes = load(30)
    done = follow(Checks(), columns(power=power(minutes) * M, main=dial(minutes)))
    assert not len(done.events)
    assert done.sights["primary"][-1] == 1
    assert done.sights["ratio"][-1] == pytest.approx(1.0, abs=0.03)
    later = follow(Checks(), columns(power=power(minutes) * M, main=dial(minutes, stepped(30, 20.0, 0.5))))
    assert said(later)[0][1] == pytest.approx(20.0, abs=0.3)


def test_primary_power_shows_a_multiplier_that_is_wrong_in_the_ledger() -> None:
    minutes = load(12)
    done = follow(Checks(), columns(power_primary=power(minutes) * 2.0 * M, main=dial(minutes)))
    assert said(done)[-1][3] == pytest.approx(0.5, rel=0.02)


def test_an_inspector_who_found_it_sound_is_believed() -> None:
    minutes = load(20)
    some = columns(power=power(minutes), main=dial(minutes, 0.93))
    assert len(follow(Checks(), some).events)
    assert not len(follow(Checks(), some, factor=2.25).events)


@pytest.mark.parametrize("seed", range(4))
def test_pieces_and_another_order_of_the_registers_give_what_the_whole_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    minutes = load(16, seed)
    some = columns(power=power(minutes), main=dial(minutes, stepped(16, 9.0, 0.6)))
    whole = Checks()
    expected = follow(whole, some)
    n = len(some[2])
    # each register in its own order, but up to two hours behind the other
    behind = some[1] + np.where(some[0] == 0, rng.integers(0, 7_200_000_000), 0)
    mixed = np.argsort(behind, kind="stable")
    cuts = [0, *np.sort(rng.integers(0, n, 9)).tolist(), n]
    parts = Checks()
    found = [follow(parts, part_of(some, mixed[a:b])) for a, b in pairwise(cuts) if b > a]
    events = np.concatenate([one.events for one in found])
    assert events.tobytes() == expected.events.tobytes()
    assert np.concatenate([one.sights for one in found]).tobytes() == expected.sights.tobytes()


def test_a_state_that_was_put_away_goes_on_as_if_it_had_not() -> None:
    minutes = load(16)
    some = columns(power=power(minutes), main=dial(minutes, stepped(16, 9.0, 0.6)))
    cut = len(some[2]) // 2
    first, second = part_of(some, np.arange(cut)), part_of(some, np.arange(cut, len(some[2])))
    checks = Checks()
    follow(checks, first)
    kept = Checks(np.frombuffer(checks.state.tobytes(), checks.state.dtype).copy())
    assert follow(kept, second).events.tobytes() == follow(checks, second).events.tobytes()


def phases(minutes: Floats, share: tuple[float, float, float], factor: Floats | None = None) -> dict[str, Floats]:
    total = power(minutes)
    rng = np.random.default_rng(2)
    names = ("power_l1", "power_l2", "power_l3")
    found = {
        name: np.round(total * one * rng.uniform(0.97, 1.03, len(total)), 4)
        for name, one in zip(names, share, strict=True)
    }
    if factor is not None:
        found["power_l2"] = np.round(found["power_l2"] * factor, 4)
    return found


def quarters(days: int, from_day: float, value: float) -> Floats:
    return np.where(np.arange(days * 96 + 1) / 96 >= from_day, value, 1.0)


def test_a_phase_that_dies_is_told_within_a_day() -> None:
    minutes = load(20)
    third = (1 / 3, 1 / 3, 1 / 3)
    assert not len(follow(Checks(), columns(**phases(minutes, third))).events)
    done = follow(Checks(), columns(**phases(minutes, third, quarters(20, 10.0, 0.0))))
    cause, start, _, ratio = said(done)[0]
    assert cause is Cause.DEAD_L2
    assert start == pytest.approx(10.0, abs=0.1)
    assert ratio == pytest.approx(2 / 3, rel=0.03)
    assert done.events["decided"][0] < START + 11 * DAY_US


def test_a_phase_that_rests_every_night_is_its_habit() -> None:
    minutes = load(40)
    night = (np.arange(40 * 96 + 1) % 96 < 32).astype(float)
    assert not len(follow(Checks(), columns(**phases(minutes, (0.3, 0.3, 0.4), 1.0 - night))).events)


def test_a_phase_whose_one_consumer_rests_for_a_day_is_told_only_after_three() -> None:
    rests = np.ones(40 * 96 + 1)
    rests[96 * 20 : 96 * 21] = 0.0
    idles = np.where(np.arange(40 * 96 + 1) % 96 < 32, 0.1, 1.0)
    alone = phases(load(40), (0.3, 0.3, 0.4), rests * idles)
    assert not len(follow(Checks(), columns(**alone)).events)
    carried = phases(load(40), (0.3, 0.3, 0.4), rests)
    ended = follow(Checks(), columns(**carried)).events["ended"]
    assert len(ended) > 1
    assert ended[-1] != NEVER


def test_a_phase_that_is_lost_again_and_again_is_told_again_and_again() -> None:
    gone = np.ones(60 * 96 + 1)
    for day in (20, 40):
        gone[96 * day : 96 * (day + 10)] = 0.0
    done = follow(Checks(), columns(**phases(load(60), (0.3, 0.3, 0.4), gone)))
    assert sorted({round(start) for _, start, *_ in said(done)}) == [20, 40]


def test_a_reversed_phase_is_told_though_nothing_flows_at_night() -> None:
    minutes = load(20) * (np.arange(20 * 1440) % 1440 >= 480)
    done = follow(Checks(), columns(**phases(minutes, (1 / 3, 1 / 3, 1 / 3), quarters(20, 8.0, -1.0))))
    assert said(done)[0][0] is Cause.REVERSED_L2


def test_a_phase_that_counts_backwards_is_told() -> None:
    minutes = load(20)
    done = follow(Checks(), columns(**phases(minutes, (1 / 3, 1 / 3, 1 / 3), quarters(20, 8.0, -1.0))))
    cause, start, _, ratio = said(done)[0]
    assert cause is Cause.REVERSED_L2
    assert start == pytest.approx(8.0, abs=0.1)
    assert ratio == pytest.approx(1 / 3, rel=0.05)


def heat(days: int, *, gain: float | Floats = 1.0, delta: float = 30.0) -> dict[str, Floats]:
    """A heat meter: temperatures that wander, and a volume that carries the heat."""
    n = days * 96
    rng = np.random.default_rng(3)
    supply = 75.0 + 4.0 * np.sin(np.arange(n + 1) / 96 * 2 * np.pi)
    back = supply - delta - rng.normal(0.0, 0.3, n + 1)
    flow = 1.0 + 0.3 * np.sin(np.arange(n) / 96 * 2 * np.pi) + 0.05 * rng.standard_normal(n)
    carried = flow * 0.5 * (heat_of_a_cubic_metre(supply, back)[1:] + heat_of_a_cubic_metre(supply, back)[:-1])
    energy = np.concatenate(([0.0], np.cumsum(carried * gain)))
    return {
        "supply_temperature": np.round(supply, 2),
        "return_temperature": np.round(back, 2),
        "volume": np.floor(np.concatenate(([0.0], np.cumsum(flow))) * 100.0) / 100.0,
        "main": np.floor(energy),
    }


def test_a_heat_meter_that_agrees_with_itself_is_quiet() -> None:
    done = follow(Checks(), columns(**heat(20)))
    assert not len(done.events)
    assert done.sights["smallest"][-1] < 0.06


@pytest.mark.parametrize("ratio", [0.85, 10.0])
def test_a_calculator_that_errs_is_told(ratio: float) -> None:
    done = follow(Checks(), columns(**heat(12, gain=ratio)))
    assert said(done)[-1][0] is Cause.ENERGY
    assert said(done)[-1][3] == pytest.approx(ratio, rel=0.01)


def test_small_differences_of_temperature_refuse_a_verdict() -> None:
    done = follow(Checks(), columns(**heat(20, gain=0.7, delta=1.5)))
    assert not len(done.events)


def test_exchanged_sensors_and_one_that_stands_still_are_told() -> None:
    sound = heat(12)
    swapped = sound | {
        "supply_temperature": sound["return_temperature"],
        "return_temperature": sound["supply_temperature"],
        "main": np.full(12 * 96 + 1, 5.0),
    }
    assert said(follow(Checks(), columns(**swapped)))[0][0] is Cause.EXCHANGED
    still = sound["return_temperature"].copy()
    still[300:] = still[300]
    stuck = follow(Checks(), columns(**(sound | {"return_temperature": still})))
    assert Cause.RETURN_STUCK in {cause for cause, *_ in said(stuck)}


def test_another_meter_ends_what_was_open_of_the_one_before() -> None:
    minutes = load(12)
    some = columns(power=power(minutes), main=dial(minutes, 0.5))
    checks = Checks()
    follow(checks, some)
    register, at, value = part_of(some, np.arange(2))
    ones = np.ones(2)
    facts = Facts(scale=ones, multiplier=ones, amount=ones, most=50.0 * ones, limit=0.01 * ones)
    done = checks.follow(
        RULES, point=np.zeros(2, np.int32), meter=np.ones(2, np.int32), register=register, at_us=at + 13 * DAY_US,
        value=value, facts=facts, factor=np.ones(2, np.float32),
    )  # fmt: skip
    assert [e["ended"] != NEVER for e in done.events] == [True]
