"""Totals and days against values worked out by hand, and against plain loops over random ledgers."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.columns.aggregation import (
    MICRO,
    PointHours,
    SeriesTotals,
    consumption_day,
    shares,
    totals_by_day,
    totals_by_hour,
)
from analytics.columns.intervals import day_bounds, day_index, local_day
from analytics.columns.membership import NEVER_HOUR, Membership
from analytics.columns.register import HOUR_ROW
from analytics.domain.instants import US_PER_HOUR
from analytics.domain.ledger import Ledger, Level
from analytics.domain.quality import HourFlag
from analytics.domain.units import unit_of
from tests.ledgers import ledger_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
DAY = day_index(2026, 11, 22)
H0 = 24 * DAY - 8  # midnight of the day in Shanghai

Row = tuple[int, int, float, float, float, int]
"""point, hour, amount, completeness, measured, quality."""


def point_hours(rows: Sequence[Row]) -> PointHours:
    point, hour, amount, completeness, measured, quality = zip(*rows, strict=True) if rows else ((),) * 6
    return PointHours.from_stored(
        point=np.array(point, np.int32),
        hour=np.array(hour, np.int64),
        amount=np.array(amount, np.float64),
        completeness=np.array(completeness, np.float32),
        measured=np.array(measured, np.float32),
        quality=np.array(quality, np.int16),
    )


def named(
    totals: SeriesTotals, membership: Membership
) -> dict[tuple[str, str, str, int], tuple[float, float, float, int]]:
    """Totals by scope, carrier, unit and hour or day since the first: amount, completeness, measured, quality."""
    out = {}
    for i, series in enumerate(totals.series.tolist()):
        scope = (membership.series_sub_unit[series], membership.series_equipment[series])
        unit = unit_of(int(membership.series_canonical[series])).symbol
        key = ("/".join(scope), membership.series_carrier[series], unit, int(totals.at[i]))
        out[key] = (
            totals.amount_micro[i] / MICRO,
            round(float(totals.completeness[i]), 6),
            round(float(totals.measured[i]), 6),
            int(totals.quality[i]),
        )
    return out


# A small works: two incomers of which one has no meter, resale behind the first, a check meter behind the first, a
# photovoltaic roof, steam counted by mass and by energy, a thermometer, one workshop with a pump and an exempt fan.
WORKS = ledger_of(
    {"point": "e1", "meter_no": "M1"},
    {"point": "e2"},
    {"point": "e3", "meter_no": "M3", "parent_point": "e1", "direction": "out"},
    {"point": "e4", "meter_no": "M4", "parent_point": "e1"},
    {"point": "e5", "meter_no": "M5", "direction": "own"},
    {"point": "s1", "meter_no": "S1", "carrier": "steam", "unit": "t"},
    {"point": "s2", "meter_no": "S2", "carrier": "steam", "unit": "GJ"},
    {"point": "s3", "meter_no": "S3", "carrier": "steam", "unit": "°C"},
    {"point": "s4", "carrier": "steam"},
    {"point": "w1", "meter_no": "W1", "parent_point": "e1", "level": "sub_unit", "sub_unit": "A"},
    {"point": "x1", "meter_no": "X1", "parent_point": "w1", "level": "equipment", "sub_unit": "A", "equipment": "pump"},
    {
        "point": "x2", "parent_point": "w1", "level": "equipment", "sub_unit": "A", "equipment": "fan",
        "required": False, "exemption": "below the limit",
    },
)  # fmt: skip
E1, E2, E3, E4, E5, S1, S2, S3, S4, W1, X1, X2 = range(12)


def test_a_works_adds_up_as_worked_out_by_hand() -> None:
    hours = point_hours(
        [
            (E1, H0, 100.0, 1.0, 1.0, 0),
            (E3, H0, 30.0, 1.0, 1.0, HourFlag.ROLLOVER),
            (E4, H0, 50.0, 1.0, 1.0, HourFlag.SUSPECT),  # behind e1: not counted again, nor are its flags
            (E5, H0, 5.0, 1.0, 1.0, 0),  # own production: in no total
            (W1, H0, 60.0, 1.0, 0.5, HourFlag.ESTIMATED),
            (S1, H0, 2.0, 1.0, 1.0, 0),
            (S2, H0, 3.0, 1.0, 1.0, 0),
            (S3, H0, 180.0, 1.0, 1.0, 0),  # a temperature
            (E3, H0 + 1, 20.0, 0.5, 0.5, HourFlag.ROLLOVER),  # the incomer has no evidence: only what went out is known
            (E1, H0 + 2, 10.0, 1.0, 0.0, HourFlag.ESTIMATED),
            (X1, H0 + 2, 7.0, 0.25, 0.25, 0),
        ]
    )
    membership = Membership.from_ledger(WORKS)
    assert named(totals_by_hour(hours, membership), membership) == {
        ("/", "electricity", "kWh", H0): (70.0, round(2 / 3, 6), round(2 / 3, 6), HourFlag.ROLLOVER),
        ("/", "electricity", "kWh", H0 + 1): (-20.0, round(0.5 / 3, 6), round(0.5 / 3, 6), HourFlag.ROLLOVER),
        ("/", "electricity", "kWh", H0 + 2): (10.0, round(1 / 3, 6), 0.0, HourFlag.ESTIMATED),
        ("A/", "electricity", "kWh", H0): (60.0, 1.0, 0.5, HourFlag.ESTIMATED),
        ("A/pump", "electricity", "kWh", H0 + 2): (7.0, 0.25, 0.25, 0),
        ("/", "steam", "t", H0): (2.0, 0.5, 0.5, 0),  # s4 has no meter and may be either
        ("/", "steam", "GJ", H0): (3.0, 0.5, 0.5, 0),
    }
    assert named(totals_by_day(hours, membership, SHANGHAI), membership) == {
        ("/", "electricity", "kWh", DAY): (60.0, round(3.5 / 72, 6), round(2.5 / 72, 6), 3),
        ("A/", "electricity", "kWh", DAY): (60.0, round(1 / 24, 6), round(0.5 / 24, 6), HourFlag.ESTIMATED),
        ("A/pump", "electricity", "kWh", DAY): (7.0, round(0.25 / 24, 6), round(0.25 / 24, 6), 0),
        ("/", "steam", "t", DAY): (2.0, round(1 / 48, 6), round(1 / 48, 6), 0),
        ("/", "steam", "GJ", DAY): (3.0, round(1 / 48, 6), round(1 / 48, 6), 0),
    }


def test_series_are_known_by_scope_names_carrier_and_unit_of_their_amounts() -> None:
    keys = Membership.from_ledger(WORKS).keys()
    assert sorted(key[1:] for key in keys) == [
        ("equipment", "pump", "A", "electricity", "kWh"),
        ("sub_unit", "A", "", "electricity", "kWh"),
        ("unit", "", "", "electricity", "kWh"),
        ("unit", "", "", "steam", "GJ"),
        ("unit", "", "", "steam", "t"),
    ]
    assert {key.unit for key in keys} == {0}


def test_own_production_has_totals_of_its_own() -> None:
    own = Membership.from_ledger(WORKS, own=True)
    hours = point_hours([(E1, H0, 100.0, 1.0, 1.0, 0), (E5, H0, 5.0, 1.0, 1.0, 0)])
    assert named(totals_by_hour(hours, own), own) == {("/", "electricity", "kWh", H0): (5.0, 1.0, 1.0, 0)}


@pytest.mark.parametrize(
    ("date", "hours_of_day", "zone"),
    [((2026, 3, 29), 23, BERLIN), ((2026, 10, 25), 25, BERLIN), ((2026, 3, 29), 24, SHANGHAI)],
)
def test_a_full_local_day_is_complete_whatever_its_length(
    date: tuple[int, int, int], hours_of_day: int, zone: ZoneInfo
) -> None:
    day = day_index(*date)
    start, end = (int(bound[0]) for bound in day_bounds([day], zone))
    assert end - start == hours_of_day
    rows = [(0, hour, 1.0, 1.0, 1.0, 0) for hour in range(start - 1, end + 1)]
    days = consumption_day(point_hours(rows), zone)
    assert days.day.tolist() == [day - 1, day, day + 1]
    assert days.amount_micro.tolist() == [MICRO, hours_of_day * MICRO, MICRO]
    assert days.completeness[1] == 1.0
    without_one = consumption_day(point_hours(rows[:5] + rows[6:]), zone)
    assert without_one.completeness[1] == np.float32((hours_of_day - 1) / hours_of_day)


def test_a_point_that_is_not_required_is_expected_while_it_has_a_meter() -> None:
    ledger = ledger_of(
        {"point": "a", "meter_no": "A"},
        {
            "point": "b", "meter_no": "B", "required": False, "exemption": "auxiliary",
            "installed_from": (H0 + 2) * US_PER_HOUR + 1, "installed_to": (H0 + 4) * US_PER_HOUR,
        },
        {
            "point": "b", "meter_no": "C", "required": False, "exemption": "auxiliary",
            "installed_from": (H0 + 5) * US_PER_HOUR, "installed_to": (H0 + 6) * US_PER_HOUR,
        },
    )  # fmt: skip
    membership = Membership.from_ledger(ledger)
    hours = point_hours([(0, H0 + i, 1.0, 1.0, 1.0, 0) for i in range(8)])
    assert totals_by_hour(hours, membership).completeness.tolist() == [1, 1, 0.5, 0.5, 0.5, 0.5, 1, 1]
    day = totals_by_day(hours, membership, SHANGHAI)
    assert day.completeness.tolist() == [np.float32(8 / (24 + 4))]


def test_a_point_counts_until_its_ancestor_gets_a_meter() -> None:
    ledger = ledger_of(
        {"point": "child", "meter_no": "C", "parent_point": "between"},
        {"point": "between", "parent_point": "main", "required": False, "exemption": "no room"},
        {"point": "main", "meter_no": "M", "installed_from": (H0 + 1) * US_PER_HOUR},
    )
    membership = Membership.from_ledger(ledger)
    assert ledger.point_codes == ("between", "child", "main")
    rows = [(1, H0 + i, 1.0, 1.0, 1.0, 0) for i in range(3)] + [(2, H0 + i, 5.0, 1.0, 1.0, 0) for i in (1, 2)]
    totals = totals_by_hour(point_hours(rows), membership)
    assert totals.amount_micro.tolist() == [1 * MICRO, 5 * MICRO, 5 * MICRO]
    assert totals.completeness.tolist() == [0.5, 1.0, 1.0]  # before, the required main was missing


def test_a_parent_without_a_meter_stands_for_nobody() -> None:
    ledger = ledger_of({"point": "main"}, {"point": "sub", "meter_no": "S", "parent_point": "main"})
    membership = Membership.from_ledger(ledger)
    totals = totals_by_hour(point_hours([(1, H0, 4.0, 1.0, 1.0, 0)]), membership)
    assert (totals.amount_micro.tolist(), totals.completeness.tolist()) == ([4 * MICRO], [0.5])


def test_shares_of_an_hour_survive_being_stored() -> None:
    rows = np.zeros(3, HOUR_ROW)
    rows["covered"] = [US_PER_HOUR, 1_234_567_890, 1]
    rows["estimated"] = [0, 234_567_890, 1]
    rows["amount"] = [123, -5, 9_000_000_000_000_000]
    rows["hour"] = H0 + np.arange(3)
    rows["flags"] = [1, 2, 3]
    made = PointHours.from_register(rows)
    completeness, measured = shares(rows["covered"], rows["estimated"])
    stored = PointHours.from_stored(
        point=rows["point"], hour=rows["hour"], amount=rows["amount"] / 1e6,
        completeness=completeness, measured=measured, quality=rows["flags"],
    )  # fmt: skip
    for name in PointHours.__slots__:
        np.testing.assert_array_equal(getattr(made, name), getattr(stored, name), name)
    assert made.covered_ms.tolist() == [3_600_000, 1_234_568, 0]


def test_nothing_adds_up_to_nothing() -> None:
    nothing = point_hours([])
    assert consumption_day(nothing, SHANGHAI).day.size == 0
    assert totals_by_hour(nothing, Membership.from_ledger(WORKS)).series.size == 0
    assert totals_by_day(nothing, Membership.from_ledger(Ledger.empty()), SHANGHAI).series.size == 0


# ---- random ledgers against plain loops

LEVELS = {"unit": ("", ""), "sub_unit": ("A", ""), "equipment": ("A", "pump")}


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    rows: list[dict[str, object]] = []
    for i in range(draw(st.integers(1, 7))):
        level = draw(st.sampled_from(sorted(LEVELS)))
        row: dict[str, object] = {
            "point": f"p{i}",
            "unit_code": draw(st.sampled_from(["U", "V"])),
            "level": level,
            "sub_unit": LEVELS[level][0],
            "equipment": LEVELS[level][1],
            "carrier": draw(st.sampled_from(["steam", "water"])),
            "direction": draw(st.sampled_from(["in", "in", "out", "own"])),
            "required": draw(st.booleans()),
        }
        row["unit"] = draw(st.sampled_from(["t", "GJ"] if row["carrier"] == "steam" else ["t", "m3"]))
        above = [p["point"] for p in rows if p["unit_code"] == row["unit_code"]]
        row["parent_point"] = draw(st.sampled_from(["", *above]))
        if draw(st.integers(0, 3)):
            first = H0 + draw(st.integers(0, 20))
            row |= {"meter_no": f"M{i}", "installed_from": first * US_PER_HOUR}
            row["installed_to"] = (first + draw(st.integers(1, 30))) * US_PER_HOUR
        rows.append(row)
    return ledger_of(*rows)


@st.composite
def ledgers_with_hours(draw: st.DrawFn) -> tuple[Ledger, PointHours]:
    ledger = draw(ledgers())
    hours_drawn = st.integers(H0 - 3, H0 + 50)
    if draw(st.booleans()):
        hours_drawn |= st.integers(H0 + 99_000, H0 + 99_050)  # so far apart that a table of all hours would be wasteful
    cells = st.tuples(st.integers(0, len(ledger.point_codes) - 1), hours_drawn)
    rows: list[Row] = []
    for point, hour in draw(st.lists(cells, unique=True, max_size=40)):
        covered = draw(st.integers(0, 4)) / 4
        amount = draw(st.integers(-(10**9), 10**12)) / MICRO
        rows.append((point, hour, amount, covered, covered / 2, draw(st.integers(0, 63))))
    return ledger, point_hours(rows)


def spans(ledger: Ledger, point: int) -> list[tuple[int, int]]:
    installed = ledger.installations
    mine = np.flatnonzero(installed.point == point)
    return [
        (int(installed.installed_from[i]) // US_PER_HOUR, int(installed.installed_to[i]) // US_PER_HOUR) for i in mine
    ]


def scope_of(ledger: Ledger, point: int) -> tuple[object, ...]:
    level = int(ledger.point_level[point])
    return (
        int(ledger.point_unit[point]), level, ledger.point_sub_unit[point] if level >= Level.SUB_UNIT else "",
        ledger.point_equipment[point] if level >= Level.EQUIPMENT else "", ledger.point_carrier[point],
    )  # fmt: skip


def counts(ledger: Ledger, point: int, hour: int) -> bool:
    """Whether a point counts in an hour: no ancestor of its scope and direction has a meter yet."""
    ancestor = int(ledger.point_parent[point])
    while ancestor >= 0:
        alike = scope_of(ledger, ancestor) == scope_of(ledger, point)
        alike &= ledger.point_direction[ancestor] == ledger.point_direction[point]
        if alike and spans(ledger, ancestor) and hour >= min(spans(ledger, ancestor))[0]:
            return False
        ancestor = int(ledger.point_parent[ancestor])
    return True


def expected_points(ledger: Ledger, point: int, hour: int, *, own: bool) -> int:
    """How many points the series of `point` expects in an hour, by the rules in plain words."""
    number = 0
    for other in range(len(ledger.point_codes)):
        if scope_of(ledger, other) != scope_of(ledger, point) or (ledger.point_direction[other] == 2) != own:
            continue
        installed = spans(ledger, other)
        if installed and ledger.point_canonical[other] != ledger.point_canonical[point]:
            continue
        in_place = bool(installed) and min(installed)[0] <= hour < max(end for _, end in installed)
        number += counts(ledger, other, hour) and bool(ledger.point_required[other] or in_place)
    return number


@given(ledgers_with_hours(), st.booleans())
def test_totals_are_what_plain_loops_give(case: tuple[Ledger, PointHours], own: bool) -> None:
    ledger, hours = case
    amount: dict[tuple[int, int], int] = defaultdict(int)
    covered: dict[tuple[int, int], int] = defaultdict(int)
    flags: dict[tuple[int, int], int] = defaultdict(int)
    membership = Membership.from_ledger(ledger, own=own)
    for i, (point, hour) in enumerate(zip(hours.point.tolist(), hours.hour.tolist(), strict=True)):
        series = int(membership.point_series[point])
        belongs = bool(spans(ledger, point)) and (ledger.point_direction[point] == 2) == own
        assert (series >= 0) == belongs
        if not belongs or not counts(ledger, point, hour):
            continue
        sign = -1 if ledger.point_direction[point] == 1 else 1
        amount[series, hour] += sign * int(hours.amount_micro[i])
        covered[series, hour] += int(hours.covered_ms[i])
        flags[series, hour] |= int(hours.quality[i])
    totals = totals_by_hour(hours, membership)
    keys = list(zip(totals.series.tolist(), totals.at.tolist(), strict=True))
    assert keys == sorted(amount)
    assert totals.amount_micro.tolist() == [amount[key] for key in keys]
    assert totals.quality.tolist() == [flags[key] for key in keys]
    for key, completeness in zip(keys, totals.completeness.tolist(), strict=True):
        point = int(np.flatnonzero(membership.point_series == key[0])[0])
        expected = max(1, expected_points(ledger, point, key[1], own=own))
        assert completeness == np.float32(min(1, covered[key] / (expected * 3_600_000)))


@given(ledgers_with_hours(), st.sampled_from([SHANGHAI, BERLIN]))
def test_a_day_is_the_sum_of_its_hours(case: tuple[Ledger, PointHours], zone: ZoneInfo) -> None:
    ledger, hours = case
    membership = Membership.from_ledger(ledger)
    by_hour, by_day = totals_by_hour(hours, membership), totals_by_day(hours, membership, zone)
    sums: dict[tuple[int, int], int] = defaultdict(int)
    days = local_day(by_hour.at, zone)
    for series, day, amount in zip(by_hour.series.tolist(), days.tolist(), by_hour.amount_micro.tolist(), strict=True):
        sums[series, day] += amount
    keys = list(zip(by_day.series.tolist(), by_day.at.tolist(), strict=True))
    assert dict(zip(keys, by_day.amount_micro.tolist(), strict=True)) == sums
    for i, (series, day) in enumerate(keys):
        start, end = (int(bound[0]) for bound in day_bounds([day], zone))
        point = int(np.flatnonzero(membership.point_series == series)[0])
        due = sum(expected_points(ledger, point, hour, own=False) for hour in range(start, end))
        inside = (hours.hour >= start) & (hours.hour < end) & (membership.point_series[hours.point] == series)
        inside &= hours.hour < membership.point_until[hours.point]
        assert by_day.completeness[i] == np.float32(min(1, hours.covered_ms[inside].sum() / (max(due, 1) * 3_600_000)))


@given(ledgers_with_hours(), st.sampled_from([SHANGHAI, BERLIN]))
def test_days_of_points_keep_every_amount(case: tuple[Ledger, PointHours], zone: ZoneInfo) -> None:
    ledger, hours = case
    days = consumption_day(hours, zone)
    for point in range(len(ledger.point_codes)):
        assert days.amount_micro[days.point == point].sum() == hours.amount_micro[hours.point == point].sum()
    keys = list(zip(days.point.tolist(), days.day.tolist(), strict=True))
    assert keys == sorted(set(keys))
    assert ((days.completeness >= 0) & (days.completeness <= 1) & (days.measured <= days.completeness)).all()


@given(ledgers_with_hours(), st.randoms())
def test_the_order_of_rows_changes_nothing(case: tuple[Ledger, PointHours], random: Random) -> None:
    ledger, hours = case
    order = list(range(len(hours)))
    random.shuffle(order)
    membership = Membership.from_ledger(ledger)
    one, other = (totals_by_hour(some, membership) for some in (hours, hours.take(np.array(order, np.int64))))
    for name in SeriesTotals.__slots__:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@given(ledgers_with_hours())
def test_adding_up_leaves_the_hours_as_they_are(case: tuple[Ledger, PointHours]) -> None:
    ledger, hours = case
    before = replace(hours, amount_micro=hours.amount_micro.copy())
    totals_by_hour(hours, Membership.from_ledger(ledger))
    np.testing.assert_array_equal(hours.amount_micro, before.amount_micro)


@given(ledgers())
def test_every_point_is_in_one_series_of_its_own_scope_and_unit(ledger: Ledger) -> None:
    membership = Membership.from_ledger(ledger)
    for point, series in enumerate(membership.point_series.tolist()):
        if series < 0:
            continue
        scope = (
            int(membership.series_unit[series]), int(membership.series_level[series]),
            membership.series_sub_unit[series], membership.series_equipment[series], membership.series_carrier[series],
        )  # fmt: skip
        assert scope == scope_of(ledger, point)
        assert membership.series_canonical[series] == ledger.point_canonical[point]
    assert (np.diff(membership.series_unit) >= 0).all()
    assert (membership.point_until <= NEVER_HOUR).all()
