"""What holds of every register, whatever it says."""

from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.columns import _values_kernel
from analytics.columns._values_kernel import FILLS
from analytics.columns.register import NEVER, last_of_each_hour
from analytics.domain.quality import DetectionKind, HourFlag
from tests.registers import DAY, DAY_US, HOUR_US, MINUTE_US, follow, installations

MISSING = {float(np.float32(value)) for value in _values_kernel.SENTINELS} | set(_values_kernel.SENTINELS.tolist())
SENTINELS = [0.0, -1.0, 65535.0, 16777215.0, 4294967.295, 16777.215, 1e9, 1e300]


@st.composite
def sound_registers(draw: st.DrawFn) -> tuple[NDArray[np.int64], NDArray[np.float64], float]:
    """A register that only counts up, at any interval and jitter, with gaps and passes through full scale."""
    n = draw(st.integers(2, 60))
    minutes = draw(st.lists(st.integers(1, 240), min_size=n - 1, max_size=n - 1))
    seconds = draw(st.lists(st.integers(0, 50), min_size=n, max_size=n))
    at = DAY * DAY_US + np.cumsum([0, *minutes]) * MINUTE_US + np.array(seconds) * 1_000_000
    share = draw(st.lists(st.integers(0, 100), min_size=n - 1, max_size=n - 1))
    hundredths = [int(s * m / 60) for s, m in zip(share, minutes, strict=True)]  # at most 1 unit an hour
    # a first reading that looks like a sentinel opens nothing: there is no register yet that it could fit
    start = draw(st.integers(0, 99_999).filter(lambda hundredths: hundredths / 100 not in MISSING))
    total = np.cumsum([start, *hundredths])
    return at.astype(np.int64), (total % 100_000) / 100, float(total[-1] - total[0]) / 100


@st.composite
def any_registers(draw: st.DrawFn) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Whatever a broken device may say, in any order."""
    n = draw(st.integers(1, 50))
    value = st.one_of(st.floats(0, 2000), st.sampled_from(SENTINELS), st.floats(-1e12, 1e12, allow_nan=False))
    minutes = draw(st.lists(st.integers(0, 3000), min_size=n, max_size=n))
    values = draw(st.lists(value, min_size=n, max_size=n))
    return DAY * DAY_US + np.array(minutes, np.int64) * MINUTE_US, np.array(values)


def hours_of(parts: list[Any]) -> NDArray[Any]:
    return last_of_each_hour(np.concatenate([part.hours for part in parts]))


@given(sound_registers())
def test_hours_and_the_open_hour_sum_to_the_register_difference(
    register: tuple[NDArray[np.int64], NDArray[np.float64], float],
) -> None:
    at, value, used = register
    assume(value[-1] > 0.0 or used == 0.0)  # exactly 0 after a turn waits for the reading that confirms it
    inst = installations([{"full_scale": 1000, "max_rate": 3}])
    state, parts = follow(inst, at, value)
    assume(int(state["run_n"][0]) == 0)  # so does a rise after a stillness, which may be a gateway that catches up
    assume(not np.isin(value, FILLS).any())  # a value that errors have is told where it does not come in time
    hours = hours_of(parts)
    assert int(hours["amount"].sum()) + int(state["amount"][0]) == round(used * 1e6)
    assert int(hours["covered"].sum()) + int(state["covered"][0]) == at[-1] - at[0]
    kinds = {DetectionKind(int(e["kind"])) for part in parts for e in part.events}
    assert kinds <= {DetectionKind.GAP, DetectionKind.ROLLOVER, DetectionKind.INTERVAL}


@given(any_registers(), st.sets(st.integers(1, 49)))
@settings(max_examples=300)
def test_pieces_joined_are_the_whole(register: tuple[NDArray[np.int64], NDArray[np.float64]], cuts: set[int]) -> None:
    at, value = register
    order = np.argsort(at, kind="stable")
    at, value = at[order], value[order]
    inst = installations([{"full_scale": 1e6}])
    whole_state, whole = follow(inst, at, value)
    state, parts = follow(inst, at, value, cuts=[cut for cut in sorted(cuts) if cut < len(at)])
    assert np.array_equal(hours_of(parts), hours_of(whole))
    assert state.tobytes() == whole_state.tobytes()
    assert np.concatenate([p.events for p in parts]).tobytes() == np.concatenate([p.events for p in whole]).tobytes()
    assert np.array_equal(
        np.concatenate([p.disposition for p in parts]), np.concatenate([p.disposition for p in whole])
    )


@given(any_registers())
@settings(max_examples=300)
def test_no_hour_is_negative_overfull_or_without_evidence(
    register: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> None:
    at, value = register
    _, parts = follow(installations([{"max_rate": float("nan")}]), at, value)
    hours = hours_of(parts)
    assert (hours["amount"] >= 0).all()
    assert ((hours["covered"] > 0) & (hours["covered"] <= HOUR_US)).all()
    assert ((hours["estimated"] >= 0) & (hours["estimated"] <= hours["covered"])).all()
    assert not (hours["flags"] & ~int(np.bitwise_or.reduce([int(flag) for flag in HourFlag]))).any()
    ended = np.concatenate([part.events["ended"] for part in parts])
    started = np.concatenate([part.events["started"] for part in parts])
    assert ((ended == NEVER) | (ended >= started)).all()


@given(any_registers())
def test_readings_in_one_piece_may_come_in_any_order(
    register: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> None:
    at, value = register
    distinct = np.unique(at, return_index=True)[1]
    at, value = at[distinct], value[distinct]
    mixed = np.random.default_rng(0).permutation(len(at))
    inst = installations([{}])
    _, whole = follow(inst, at, value)
    _, shuffled = follow(inst, at[mixed], value[mixed])
    assert np.array_equal(hours_of(whole), hours_of(shuffled))
    assert np.array_equal(whole[0].disposition[mixed], shuffled[0].disposition)


def test_points_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(1)
    points, n = 50, 40
    inst = installations([{"point": p} for p in range(points)])
    at = np.repeat(DAY * DAY_US + np.arange(n) * 15 * MINUTE_US, points)
    point = np.tile(np.arange(points, dtype=np.int32), n)
    value = np.cumsum(rng.random((n, points)) * 10, axis=0).ravel()
    value[rng.integers(0, n * points, 40)] = 0.0
    _, together = follow(inst, at, value, meter=point)
    hours = hours_of(together)
    for p in range(points):
        mine = point == p
        _, alone = follow(installations([{}]), at[mine], value[mine])
        expected = hours_of(alone)
        got = hours[hours["point"] == p].copy()
        got["point"] = 0
        assert np.array_equal(got, expected)
