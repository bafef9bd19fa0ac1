"""What is wrong with a ledger: each rule by itself, and that a sound neighbour stays untouched."""

from datetime import UTC, datetime, time

import numpy as np
import pytest

from analytics.domain.ledger import LedgerFault, build_ledger
from analytics.domain.ledger.network import on_a_cycle
from analytics.domain.ledger.occupancy import overlaps
from tests.ledger_rows import bare, columns_of, metered


def faults_of(*rows: dict[str, object]) -> list[LedgerFault]:
    ledger, faults = build_ledger(columns_of(*rows))
    assert (len(ledger.point_codes) == 0) == bool(faults)
    return faults


def places(*rows: dict[str, object]) -> list[tuple[int, str]]:
    return [(fault.row, fault.column) for fault in faults_of(*rows)]


def test_a_file_without_needed_columns_names_each_of_them_once() -> None:
    _, faults = build_ledger({"unit_code": ["U1"] * 3, "point": ["a", "b", "c"]})
    assert [(fault.row, fault.column, fault.got) for fault in faults] == [
        (1, "level", "no such column"),
        (1, "carrier", "no such column"),
    ]


def test_a_file_without_rows_is_no_ledger() -> None:
    _, faults = build_ledger(columns_of())
    assert [(fault.row, fault.required) for fault in faults] == [(1, "at least one row below the header")]


def test_row_numbers_are_the_callers() -> None:
    _, faults = build_ledger(columns_of(bare("P1"), bare("P2", carrier="tea")), row_numbers=[4, 9])
    assert [fault.row for fault in faults] == [9]


def test_a_fault_is_told_in_one_line() -> None:
    (fault,) = faults_of(bare("P1", rated_power_kw="much"))
    assert str(fault) == "row 2, rated_power_kw: required a number such as 1234.5, got 'much'"


def test_a_long_cell_is_told_shortened() -> None:
    (fault,) = faults_of(bare("P1", rated_power_kw="x" * 500))
    assert len(fault.got) == 60


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("multiplier", 0), ("multiplier", -1), ("multiplier", "1.5.2"), ("multiplier", float("inf")),
        ("multiplier", True), ("multiplier", "1e999"), ("multiplier", 10**400), ("multiplier", "12,34"),
        ("full_scale", "0"), ("max_rate", "-3"), ("interval_s", "0"), ("interval_s", "often"),
        ("interval_s", "400天"), ("cycle_months", "1.5"), ("cycle_months", 0), ("first_reading", -1),
        ("annual_use", "-1"), ("rated_power_kw", "much"), ("installed_from", "yesterday"),
        ("installed_from", "2024-02-30"), ("installed_from", "2024-13-01"), ("installed_from", 4500),
        ("installed_from", time(8)), ("installed_from", "0001-01-01"), ("installed_from", True),
        ("installed_from", "2024-01-01 25:00"), ("installed_from", "2024-01-01 08:00+99:00"),
        ("installed_from", "202413"), ("verified_on", "soon"), ("level", "workshop"), ("direction", "up"),
        ("carrier", "热力"), ("instrument", "abacus"), ("status", "broken"), ("required", "perhaps"),
        ("parent_complete", 2), ("unit", "furlong"), ("unit", "mWh"), ("unit", 10), ("accuracy_class", "0.5X"),
        ("name", "a\x00b"), ("name", "#REF!"), ("name", "x" * 1001), ("name", True), ("meter_no", "M\x1f1"),
        ("serial_no", 10**15), ("serial_no", datetime(2024, 1, 2, tzinfo=UTC)), ("meter_no", "x" * 129),
        ("name", "\ud800"), ("name", float("inf")), ("name", [1, 2]), ("longitude", "180.1"),
        ("longitude", "东经118度"), ("latitude", -90.5), ("latitude", "32°03′37″"), ("latitude", 1e9),
    ],
)  # fmt: skip
def test_a_cell_that_cannot_be_is_told_with_its_place(column: str, cell: object) -> None:
    found = faults_of(metered("P0", "M0"), metered("P1", "M1") | {column: cell})
    assert (3, column) in [(fault.row, fault.column) for fault in found]
    assert {fault.row for fault in found} == {3}
    assert all(fault.required and fault.got for fault in found)


@pytest.mark.parametrize(
    ("longitude", "latitude", "column", "required"),
    [
        (118.7969, None, "latitude", "a latitude where longitude is given"),
        (None, "32.06", "longitude", "a longitude where latitude is given"),
        (0, "0.0", "longitude", "a place on land: leave both cells empty where it is not known"),
        (32, 118, "latitude", "a latitude in decimal degrees from -90 to 90, such as 32.0603 (is it the longitude?)"),
    ],
)  # fmt: skip
def test_a_place_is_whole_and_in_degrees(longitude: object, latitude: object, column: str, required: str) -> None:
    (fault,) = faults_of(metered("P1", "M1", longitude=longitude, latitude=latitude))
    assert (fault.row, fault.column, fault.required) == (2, column, required)


def test_a_unit_stands_in_one_place() -> None:
    there = {"longitude": "118.7969", "latitude": 32.0603}
    ledger, faults = build_ledger(columns_of(metered("P1", "M1", **there), metered("P2", "M2")))
    assert faults == []
    assert (ledger.unit_longitude.tolist(), ledger.unit_latitude.tolist()) == ([118.7969], [32.0603])
    assert ledger.rows.values("longitude") == [118.7969, 118.7969], "what one row states stands in all of the unit's"
    (fault,) = faults_of(metered("P1", "M1", **there), metered("P2", "M2", longitude=118.8, latitude=32.0603))
    assert str(fault) == "row 3, longitude: required '118.7969' as in row 2, got 118.8"


@pytest.mark.parametrize("column", ["unit_code", "point", "level", "carrier"])
@pytest.mark.parametrize("cell", ["", None, "  ", "\u200b", float("nan")])
def test_what_every_point_needs_is_missed(column: str, cell: object) -> None:
    assert places(bare("P0"), bare("P1") | {column: cell}) == [(3, column)]


@pytest.mark.parametrize("column", ["unit", "instrument", "installed_from"])
def test_what_every_meter_needs_is_missed(column: str) -> None:
    assert places(metered("P1", "M1") | {column: None}) == [(2, column)]


@pytest.mark.parametrize(
    "column", ["serial_no", "first_reading", "last_reading", "installed_from", "installed_to", "verified_on"]
)
def test_a_row_that_tells_of_a_meter_without_naming_it_is_a_fault(column: str) -> None:
    cell = "2024-01-01" if column in {"installed_from", "installed_to", "verified_on"} else "5"
    (fault,) = faults_of(bare("P1", **{column: cell}))
    assert (fault.row, fault.column, fault.got) == (2, "meter_no", f"nothing, beside {column}")


@pytest.mark.parametrize(
    ("level", "sub_unit", "equipment", "at"),
    [
        ("unit", "S", "", ["sub_unit"]),
        ("unit", "S", "E", ["sub_unit", "equipment"]),
        ("sub_unit", "", "", ["sub_unit"]),
        ("sub_unit", "S", "E", ["equipment"]),
        ("equipment", "S", "", ["equipment"]),
        ("equipment", "", "E", []),
        ("equipment", "nowhere else", "E", []),
        ("sub_unit", "S", "", []),
    ],
)
def test_names_fit_the_level(level: str, sub_unit: str, equipment: str, at: list[str]) -> None:
    found = places(bare("P1", level=level, sub_unit=sub_unit, equipment=equipment))
    assert found == [(2, column) for column in at]


def test_a_parent_is_another_point_of_the_same_unit() -> None:
    found = faults_of(
        bare("P1", parent_point="P9"),
        bare("P2", parent_point="P3"),
        bare("P3", unit_code="U2"),
        bare("P4", parent_point="P4"),
    )
    assert [(fault.row, fault.required) for fault in found] == [
        (2, "a point of the same unit"),
        (3, "a point of the same unit (that one is of unit 'U2')"),
        (5, "no way back to the point itself: a tree"),
    ]


def test_every_point_of_a_ring_is_told_and_those_below_it_are_not() -> None:
    ring = {"A": "B", "B": "C", "C": "A", "D": "A", "E": "D", "F": ""}
    found = faults_of(*(bare(point, parent_point=parent) for point, parent in ring.items()))
    assert [fault.row for fault in found] == [2, 3, 4]


def test_rings_are_found_in_long_chains() -> None:
    chain = np.arange(-1, 99_999, dtype=np.int32)
    assert not on_a_cycle(chain).any()
    chain[0] = 99_999
    assert on_a_cycle(chain).all()
    assert on_a_cycle(np.empty(0, np.int32)).tolist() == []


def test_a_parent_counts_the_same_carrier() -> None:
    (fault,) = faults_of(bare("P1", carrier="water"), bare("P2", parent_point="P1"))
    assert (fault.row, fault.column, fault.required) == (
        3,
        "parent_point",
        "a parent of the same carrier (that one's is water)",
    )


def test_one_installation_is_one_row() -> None:
    (fault,) = faults_of(metered("P1", "M1"), metered("P1", "M1", installed_from="2024/1/1"))
    assert (fault.row, fault.column, fault.required) == (
        3,
        "installed_from",
        "one row per installation (row 2 is the same)",
    )


def test_one_point_without_a_meter_is_one_row() -> None:
    assert places(bare("P1"), bare("P1")) == [(3, "point")]


def test_a_point_is_with_or_without_a_meter() -> None:
    assert places(metered("P1", "M1"), bare("P1")) == [(3, "meter_no")]


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        (("2024-01-01", "2024-06-01"), ("2024-06-01", None), False),
        (("2024-01-01", "2024-06-01"), ("2024-05-31 23:59:59", None), True),
        (("2024-01-01", None), ("2024-06-01", "2024-07-01"), True),
        (("2024-06-01", None), ("2024-01-01", "2024-06-01"), False),
        (("2024-01-01", "2024-06-01"), ("2024-01-01", "2024-02-01"), True),
    ],
)
def test_one_meter_stands_at_a_point_at_a_time(
    first: tuple[str, str | None], second: tuple[str, str | None], overlap: bool
) -> None:
    rows = [
        metered("P1", meter, installed_from=start, installed_to=end)
        for meter, (start, end) in zip(("M1", "M2"), (first, second), strict=True)
    ]
    found = places(*rows)
    assert [column for _, column in found] == (["installed_from"] if overlap else [])


def test_a_short_stay_inside_a_long_one_does_not_hide_the_next_overlap() -> None:
    found = faults_of(
        metered("P1", "M1", installed_from="2024-01-01", installed_to="2025-01-01"),
        metered("P1", "M2", installed_from="2024-02-01", installed_to="2024-03-01"),
        metered("P1", "M3", installed_from="2024-06-01"),
    )
    assert [(fault.row, fault.required) for fault in found] == [
        (3, "one meter at a point at a time (row 2 ends '2025-01-01')"),
        (4, "one meter at a point at a time (row 2 ends '2025-01-01')"),
    ]


def test_overlaps_agree_with_looking_at_every_pair() -> None:
    rng = np.random.default_rng(7)
    for _ in range(200):
        owner = rng.integers(0, 4, 12)
        start = rng.integers(0, 30, 12)
        end = start + rng.integers(1, 9, 12)
        found = overlaps(owner, start, end)
        inside = (owner[found.later] == owner[found.earlier]) & (start[found.later] < end[found.earlier])
        assert inside.all()
        pairs = [
            (i, j)
            for i in range(12)
            for j in range(i)
            if owner[i] == owner[j] and start[i] < end[j] and start[j] < end[i]
        ]
        assert bool(pairs) == bool(len(found.later))
        assert {owner[i] for i, _ in pairs} == set(owner[found.later].tolist())


def test_a_meter_is_at_one_point_at_a_time() -> None:
    (fault,) = faults_of(metered("P1", "M1"), metered("P2", "M1", installed_from="2025-01-01"))
    assert (fault.row, fault.column) == (3, "installed_from")
    assert fault.required == "a meter at one point at a time (row 2 has no end)"


def test_the_same_management_number_in_another_unit_is_another_meter() -> None:
    assert places(metered("P1", "M1", serial_no="S"), metered("P1", "M1", unit_code="U2", serial_no="S")) == []


def test_an_end_is_after_its_start_and_a_last_reading_has_an_end() -> None:
    assert places(metered("P1", "M1", installed_to="2024-01-01")) == [(2, "installed_to")]
    assert places(metered("P1", "M1", last_reading=5)) == [(2, "installed_to")]


def test_readings_are_below_full_scale() -> None:
    rows = (
        metered("P1", "M1", full_scale=1000, first_reading=1000),
        metered("P2", "M2", full_scale=1000, first_reading=999.9, last_reading=1001, installed_to="2025-01-01"),
        metered("P3", "M3", first_reading=1e12),
    )
    assert places(*rows) == [(2, "first_reading"), (3, "last_reading")]


def test_verification_facts_do_not_contradict() -> None:
    rows = (
        metered("P1", "M1", verified_on="2024-03-15", cycle_months=12, verification_due="2025-03-14"),
        metered("P2", "M2", verified_on="2024-03-15", cycle_months=12, verification_due="2025-04-14"),
        metered("P3", "M3", verified_on="2024-03-15", verification_due="2024-03-01"),
        metered("P4", "M4", verification_due="2024-03-01"),
    )
    assert places(*rows) == [(3, "verification_due"), (4, "verification_due")]


def test_what_need_not_be_metered_says_why() -> None:
    assert places(bare("P1", required="否")) == [(2, "exemption")]
    assert places(bare("P1", required="否", exemption="表3注3")) == []


def test_a_register_counts_what_its_carrier_is() -> None:
    (fault,) = faults_of(metered("P1", "M1", unit="m3"))
    assert fault.required == "a unit of electricity: one that converts to kWh"
    assert places(metered("P1", "M1", carrier="steam", unit="t", instrument="temperature")) == [(2, "instrument")]
    assert places(metered("P1", "M1", carrier="steam", unit="MPa", instrument="steam_flow")) == [(2, "instrument")]


def test_all_meters_of_a_point_count_one_quantity() -> None:
    (fault,) = faults_of(
        metered("P1", "M1", carrier="steam", unit="t", instrument="steam_flow", installed_to="2025-01-01"),
        metered("P1", "M2", carrier="steam", unit="MWh", instrument="heat", installed_from="2025-01-01"),
    )
    assert (fault.row, fault.column, fault.required) == (3, "unit", "a unit that converts to t as in row 2")


@pytest.mark.parametrize(
    ("column", "one", "other"),
    [
        ("carrier", "electricity", "water"), ("level", "sub_unit", "unit"), ("parent_point", "P0", "P9"),
        ("sub_unit", "S", "T"), ("direction", "in", "out"), ("required", "yes", "no"),
        ("parent_complete", "yes", "no"), ("annual_use", 5, 6), ("rated_power_kw", 5, 6), ("exemption", "a", "b"),
    ],
)  # fmt: skip
def test_rows_of_one_point_agree(column: str, one: object, other: object) -> None:
    common = {"level": "sub_unit", "sub_unit": "S", "exemption": "e"} | (
        {} if column == "level" else {"carrier": "electricity"}
    )
    first = metered("P1", "M1", installed_to="2025-01-01") | common | {column: one}
    second = metered("P1", "M2", installed_from="2025-01-01") | common | {column: other}
    found = faults_of(bare("P0"), bare("P9"), first, second)
    assert (5, column) in [(fault.row, fault.column) for fault in found]
    assert any(fault.required.endswith("as in row 4") for fault in found)


def test_a_unit_has_one_name_and_a_meter_one_serial_number() -> None:
    assert places(bare("P1", unit_name="A"), bare("P2", unit_name=""), bare("P3", unit_name="B")) == [(4, "unit_name")]
    rows = (
        metered("P1", "M1", serial_no="S1", installed_to="2025-01-01"),
        metered("P1", "M1", serial_no="S2", installed_from="2025-01-01"),
    )
    assert places(*rows) == [], "a replaced meter may keep its management number"
    elsewhere = (
        metered("P1", "M1", serial_no="S1", installed_to="2025-01-01"),
        metered("P2", "M1", serial_no="S2", installed_from="2025-01-01"),
    )
    assert places(*elsewhere) == [(3, "serial_no")]


def test_two_meters_do_not_bear_one_makers_serial_number() -> None:
    assert places(metered("P1", "M1", serial_no="7"), metered("P2", "M2", serial_no="7")) == [(3, "serial_no")]
    rows = (
        metered("P1", "M1", serial_no="7", manufacturer="A"),
        metered("P2", "M2", serial_no="7", manufacturer="B"),
        metered("P3", "M3"),
        metered("P4", "M4"),
    )
    assert places(*rows) == []


def test_a_row_without_its_unit_or_point_is_judged_by_itself_all_the_same() -> None:
    rows = (
        metered("P1", "M1", unit_code="", unit="tea", parent_point="P9"),
        metered("", "M1", level="", multiplier=0),
        bare("", parent_point="P9"),
        bare("", unit_code=""),
    )
    assert places(*rows) == [
        (2, "unit_code"),
        (2, "unit"),
        (3, "level"),
        (3, "point"),
        (3, "multiplier"),
        (4, "point"),
        (4, "parent_point"),
        (5, "unit_code"),
        (5, "point"),
    ]


def test_a_broken_cell_raises_no_alarm_about_its_neighbours() -> None:
    assert places(metered("P1", "M1", unit="tea", first_reading="x", full_scale=3)) == [
        (2, "unit"),
        (2, "first_reading"),
    ]
    assert places(metered("P1", "M\x001", serial_no="5")) == [(2, "meter_no")]
    assert places(bare("P1", required="no", exemption="\x00")) == [(2, "exemption")]
    assert places(bare("P1", level="sub_unit", sub_unit="\x00")) == [(2, "sub_unit")]
