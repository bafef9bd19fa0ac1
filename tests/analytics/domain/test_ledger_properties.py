"""What holds of any ledger: cells of any kind never crash it, and no order of rows or columns matters."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.domain.ledger import COLUMNS, Ledger, Storage, build_ledger
from analytics.domain.ledger.rows import TextColumn
from tests.ledger_rows import bare, columns_of, metered

WORDS = st.sampled_from(
    [
        "U1",
        "U2",
        "P1",
        "P2",
        "P3",
        "M1",
        "M2",
        "S",
        "unit",
        "sub_unit",
        "equipment",
        "electricity",
        "steam",
        "电力",
        "蒸汽",
        "in",
        "own",
        "yes",
        "no",
        "是",
        "heat",
        "kWh",
        "GJ",
        "t",
        "10kWh",
        "1",
        "12",
        "2.5",
        "0.5S",
        "1,000",
        "-1",
        "1e400",
        "2024-01-01",
        "2025-06-30",
        "2024年1月5日",
        "qualified",
        "temperature",
        "",
        " ",
        "\u200b",
        "\x00",
        "×10 kWh",
        "2024-01-01 08:00+08:00",
    ]
)
CELLS = st.one_of(
    WORDS,
    st.none(),
    st.text(max_size=8),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.datetimes(),
    st.dates(),
    st.times(),
    st.sampled_from([datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC")), date(1, 1, 1), date.max, time(3), [], {}, b"x"]),
)
ANY_ROW = st.dictionaries(st.sampled_from(list(COLUMNS)), CELLS)
LIKELY_ROW = st.fixed_dictionaries(
    {
        "unit_code": st.sampled_from(["U1", "U2"]),
        "point": st.sampled_from(["P1", "P2", "P3", "P4"]),
        "level": st.just("unit"),
        "carrier": st.just("electricity"),
    },
    optional={
        "meter_no": st.sampled_from(["M1", "M2", "M3"]),
        "unit": st.sampled_from(["kWh", "MWh"]),
        "instrument": st.just("electricity"),
        "installed_from": st.sampled_from(["2024-01-01", "2024-06-01", "2025-01-01"]),
        "installed_to": st.sampled_from(["2024-06-01", "2025-01-01", ""]),
        "parent_point": st.sampled_from(["P1", "P2", ""]),
        "multiplier": st.integers(1, 3),
    },
)


@given(st.lists(ANY_ROW, max_size=6))
@settings(max_examples=120)
def test_any_cells_give_a_ledger_or_faults(rows: list[dict[str, object]]) -> None:
    ledger, faults = build_ledger(columns_of(*rows))
    assert bool(faults) or len(ledger.rows) == len(rows)
    for fault in faults:
        assert fault.row <= len(rows) + 1
        assert fault.column in COLUMNS
        assert fault.required
        assert fault.got


@given(st.lists(LIKELY_ROW, min_size=1, max_size=7), st.randoms())
@settings(max_examples=120)
def test_the_order_of_rows_and_columns_does_not_matter(rows: list[dict[str, object]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    columns = columns_of(*shuffled)
    names = list(columns)
    random.shuffle(names)  # type: ignore[attr-defined]  # likewise
    ledger, faults = build_ledger(columns_of(*rows))
    again, faults_again = build_ledger({name: columns[name] for name in names})
    assert bool(faults) == bool(faults_again)
    assert all(ledger.rows.values(name) == again.rows.values(name) for name in COLUMNS)


@given(st.lists(LIKELY_ROW, min_size=1, max_size=7))
@settings(max_examples=120)
def test_a_sound_ledger_has_one_meter_at_a_point_and_one_point_a_meter(rows: list[dict[str, object]]) -> None:
    ledger, faults = build_ledger(columns_of(*rows))
    if faults:
        return
    installed = ledger.installations
    for owner in (installed.point, installed.meter):
        order = np.lexsort((installed.installed_from, owner))
        same = owner[order][1:] == owner[order][:-1]
        assert (installed.installed_to[order][:-1][same] <= installed.installed_from[order][1:][same]).all()
    assert (installed.installed_from < installed.installed_to).all()
    assert np.isfinite(installed.factor).all()
    assert (ledger.point_unit[installed.point] == ledger.meter_unit[installed.meter]).all()
    parent = ledger.point_parent
    assert (ledger.point_unit[parent[parent >= 0]] == ledger.point_unit[parent >= 0]).all()


@given(st.lists(st.sampled_from(["U1", "U2", "U3", "U4"]), min_size=1, max_size=9), st.sets(st.integers(0, 3)))
def test_the_units_of_a_ledger_taken_apart_are_the_ledger(units: list[str], chosen: set[int]) -> None:
    ledger, faults = build_ledger(
        columns_of(*(metered(f"P{i}", f"M{i}", unit_code=unit, multiplier=i + 1) for i, unit in enumerate(units)))
    )
    assert faults == []
    indices = sorted(i for i in chosen if i < len(ledger.unit_codes))
    part = ledger.take_units(indices)
    assert part.unit_codes == tuple(ledger.unit_codes[i] for i in indices)
    wanted = np.isin(ledger.point_unit[ledger.installations.point], indices)
    assert part.installations.factor.tolist() == ledger.installations.factor[wanted].tolist()
    assert part.meter_nos == tuple(
        number for number, unit in zip(ledger.meter_nos, ledger.meter_unit.tolist(), strict=True) if unit in indices
    )


@given(st.lists(st.text(max_size=3)))
def test_text_columns_keep_their_strings_sorted(strings: list[str]) -> None:
    column = TextColumn.of(strings)
    assert column.strings() == tuple(strings)
    assert list(column.values) == sorted(set(strings))
    assert all(column.values[column.code_of(string)] == string for string in strings)
    assert column.code_of("not there") == -1


def test_columns_are_of_the_kind_that_their_names_say() -> None:
    rows = Ledger.from_rows(build_ledger(columns_of(bare("P1")))[0].rows).rows
    for name, spec in COLUMNS.items():
        assert isinstance(rows.columns[name], TextColumn) == (spec.storage is Storage.TEXT)
