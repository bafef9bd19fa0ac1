"""A newer ledger over the one in force: what stays, what changes from when, and what may not go missing."""

from datetime import UTC, datetime

import numpy as np
import pytest

from analytics.domain.ledger import Changes, Ledger, build_ledger, merge
from tests.ledger_rows import bare, columns_of, metered


def ledger_of(*rows: dict[str, object]) -> Ledger:
    ledger, faults = build_ledger(columns_of(*rows))
    assert faults == []
    return ledger


def merged(current: Ledger, newer: Ledger) -> tuple[Ledger, Changes]:
    ledger, faults, changes = merge(current, newer)
    assert faults == []
    return ledger, changes


def us(text: str) -> int:
    """Instant of a local time of Shanghai."""
    return int(datetime.fromisoformat(f"{text}+08:00").timestamp()) * 1_000_000


def since(ledger: Ledger, changes: Changes) -> dict[tuple[str, str], int]:
    """When each changed point changes, by unit and point."""
    return {
        (ledger.unit_codes[ledger.point_unit[point]], ledger.point_codes[point]): int(when)
        for point, when in zip(changes.point.tolist(), changes.since.tolist(), strict=True)
    }


BASE = (
    metered("P1", "M1", multiplier=20, full_scale=1e6, max_rate=400, interval_s=900, first_reading=0),
    bare("P2", parent_point="P1"),
    metered("P1", "M1", unit_code="U2"),
)


def with_change(**facts: object) -> Ledger:
    return ledger_of(BASE[0] | facts, BASE[1])


def test_a_first_load_is_all_new() -> None:
    ledger, changes = merged(Ledger.empty(), ledger_of(*BASE))
    assert ledger.unit_codes == changes.added_units == ("U1", "U2")
    assert changes.replaced_units == ()
    assert (changes.added, changes.changed) == (2, 0)
    assert since(ledger, changes) == {("U1", "P1"): us("2024-01-01 00:00"), ("U2", "P1"): us("2024-01-01 00:00")}
    assert changes.regrouped.tolist() == []


def test_the_same_ledger_again_changes_nothing() -> None:
    current = ledger_of(*BASE)
    ledger, changes = merged(current, ledger_of(*reversed(BASE)))
    assert changes.point.tolist() == changes.regrouped.tolist() == []
    assert (changes.added, changes.changed, changes.added_units) == (0, 0, ())
    assert changes.replaced_units == ("U1", "U2")
    assert all(ledger.rows.values(name) == current.rows.values(name) for name in ledger.rows.columns)


def test_units_that_are_not_named_stay() -> None:
    ledger, changes = merged(ledger_of(*BASE), ledger_of(metered("A", "N1", unit_code="U0")))
    assert ledger.unit_codes == ("U0", "U1", "U2")
    assert ledger.meter_index("U2") == {"M1": 2}
    assert since(ledger, changes) == {("U0", "A"): us("2024-01-01 00:00")}


@pytest.mark.parametrize(
    "facts",
    [
        {"multiplier": 30},
        {"full_scale": 1e7},
        {"full_scale": None},
        {"max_rate": 500},
        {"interval_s": 60},
        {"first_reading": 7},
        {"unit": "MWh"},
    ],
)
def test_a_fact_that_matters_changes_consumption_from_the_installation_on(facts: dict[str, object]) -> None:
    ledger, changes = merged(ledger_of(*BASE), with_change(**facts))
    assert since(ledger, changes) == {("U1", "P1"): us("2024-01-01 00:00")}
    assert (changes.added, changes.changed) == (0, 1)


@pytest.mark.parametrize("facts", [{"place": "elsewhere"}, {"status": "limited"}, {"verified_on": "2024-01-01"}])
def test_a_fact_that_does_not_matter_leaves_consumption_alone(facts: dict[str, object]) -> None:
    ledger, changes = merged(ledger_of(*BASE), with_change(**facts))
    assert since(ledger, changes) == {}
    assert ledger.rows.values(next(iter(facts)))[0] is not None


def test_a_replacement_changes_consumption_from_its_instant() -> None:
    newer = ledger_of(
        BASE[0] | {"installed_to": "2026-02-01 10:30", "last_reading": 55},
        metered("P1", "M1R", installed_from="2026-02-01 10:30", multiplier=20),
        BASE[1],
    )
    ledger, changes = merged(ledger_of(*BASE), newer)
    assert since(ledger, changes) == {("U1", "P1"): us("2026-02-01 10:30")}
    assert (changes.added, changes.changed) == (1, 1)
    assert ledger.meter_nos == ("M1", "M1R", "M1")


def test_an_end_that_moves_changes_consumption_from_the_earlier_one() -> None:
    current = ledger_of(BASE[0] | {"installed_to": "2026-03-01", "last_reading": 5}, BASE[1])
    for facts in ({"installed_to": "2026-02-01"}, {"installed_to": "2026-04-01"}, {"last_reading": 6}):
        newer = ledger_of(BASE[0] | {"installed_to": "2026-03-01", "last_reading": 5} | facts, BASE[1])
        ledger, changes = merged(current, newer)
        earlier = min(str(facts.get("installed_to", "2026-03-01")), "2026-03-01")
        assert since(ledger, changes) == {("U1", "P1"): us(f"{earlier} 00:00")}


def test_a_meter_at_a_point_that_had_none_is_new_there() -> None:
    newer = ledger_of(BASE[0], metered("P2", "M2", parent_point="P1", installed_from="2025-05-05"))
    ledger, changes = merged(ledger_of(*BASE), newer)
    assert since(ledger, changes) == {("U1", "P2"): us("2025-05-05 00:00")}


def test_another_carrier_changes_the_whole_past_of_a_point() -> None:
    newer = ledger_of(BASE[0] | {"carrier": "other", "instrument": "heat"}, bare("P2"))
    ledger, changes = merged(ledger_of(*BASE), newer)
    assert since(ledger, changes) == {("U1", "P1"): us("2024-01-01 00:00")}
    assert [ledger.point_codes[point] for point in changes.regrouped.tolist()] == ["P1", "P2"]


@pytest.mark.parametrize(
    "facts",
    [
        {"level": "sub_unit", "sub_unit": "S"},
        {"direction": "out"},
        {"parent_complete": "yes"},
        {"required": "no", "exemption": "why"},
    ],
)
def test_a_point_that_counts_elsewhere_is_regrouped_and_keeps_its_consumption(facts: dict[str, object]) -> None:
    ledger, changes = merged(ledger_of(*BASE), with_change(**facts))
    assert since(ledger, changes) == {}
    assert [ledger.point_codes[point] for point in changes.regrouped.tolist()] == ["P1"]


def test_an_installation_that_went_missing_is_a_fault_and_nothing_changes() -> None:
    current = ledger_of(*BASE)
    ledger, faults, changes = merge(current, ledger_of(metered("P1", "M9"), bare("P2", parent_point="P1")))
    assert ledger is current
    assert len(changes.point) == 0
    (fault,) = faults
    assert (fault.row, fault.column, fault.got) == (0, "meter_no", "no such row")
    assert "meter 'M1' at point 'P1' of unit 'U1' from 2023-12-31T16:00:00+00:00" in fault.required


def test_another_start_is_a_missing_installation() -> None:
    _, faults, _ = merge(ledger_of(*BASE), with_change(installed_from="2024-01-02"))
    assert [fault.column for fault in faults] == ["meter_no"]


def corrected(current: Ledger, newer: Ledger) -> tuple[Ledger, Changes]:
    ledger, faults, changes = merge(current, newer, correct=True)
    assert faults == []
    return ledger, changes


@pytest.mark.parametrize("start", ["2024-01-02", "2023-06-01"])
def test_a_start_that_was_wrong_is_corrected_from_the_earlier_of_both(start: str) -> None:
    newer = with_change(installed_from=start)
    ledger, changes = corrected(ledger_of(*BASE), newer)
    assert since(ledger, changes) == {("U1", "P1"): us(f"{min(start, '2024-01-01')} 00:00")}
    assert changes.withdrawn == ("meter 'M1' at point 'P1' of unit 'U1' from 2023-12-31T16:00:00+00:00",)
    assert us(f"{start} 00:00") in ledger.installations.installed_from


def test_a_meter_that_never_was_there_is_withdrawn_in_favour_of_a_bare_point() -> None:
    newer = ledger_of(bare("P1"), bare("P2", parent_point="P1"))
    ledger, changes = corrected(ledger_of(*BASE), newer)
    assert since(ledger, changes) == {("U1", "P1"): us("2024-01-01 00:00")}
    assert (changes.added, changes.changed, len(changes.withdrawn)) == (0, 0, 1)
    assert ledger.meter_nos == ("M1",), "the other unit's"


def test_a_correction_does_not_lose_a_point() -> None:
    _, faults, changes = merge(ledger_of(*BASE), ledger_of(bare("X")), correct=True)
    assert [fault.column for fault in faults] == ["point", "point"]
    assert changes.withdrawn == ()


def test_a_point_that_went_missing_is_a_fault() -> None:
    _, faults, _ = merge(ledger_of(*BASE), ledger_of(BASE[0]))
    assert [(fault.row, fault.column) for fault in faults] == [(0, "point")]


def test_every_missing_thing_is_told_at_once() -> None:
    _, faults, _ = merge(ledger_of(*BASE), ledger_of(bare("X"), bare("X", unit_code="U2")))
    assert len(faults) == 3


def test_what_is_merged_equals_what_is_built_at_once() -> None:
    rng = np.random.default_rng(3)
    rows = [
        metered(f"P{i}", f"M{i}", unit_code=f"U{rng.integers(9)}", multiplier=int(rng.integers(1, 9)))
        for i in range(60)
    ]
    halves = (
        [row for row in rows if str(row["unit_code"]) < "U5"],
        [row for row in rows if str(row["unit_code"]) >= "U5"],
    )
    step = Ledger.empty()
    for half in halves:
        step, _ = merged(step, ledger_of(*half))
    whole = ledger_of(*rows)
    assert all(step.rows.values(name) == whole.rows.values(name) for name in whole.rows.columns)
    assert np.array_equal(step.installations.factor, whole.installations.factor)
    assert datetime(2023, 12, 31, 16, tzinfo=UTC) in step.rows.values("installed_from")
