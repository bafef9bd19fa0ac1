"""A sound ledger's arrays, typed by hand from its rows."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.domain.ledger import (
    DEFAULT_ZONE,
    NO_INSTANT,
    OPEN_END,
    Direction,
    Ledger,
    Level,
    TextColumn,
    build_ledger,
)
from analytics.domain.units import QuantityKind, unit_of
from tests.ledger_rows import bare, columns_of, metered


def us(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


def sound(*rows: dict[str, object], zone: ZoneInfo = DEFAULT_ZONE) -> Ledger:
    ledger, faults = build_ledger(columns_of(*rows), zone=zone)
    assert faults == []
    return ledger


PLANT = (
    metered("P2", "M9", unit_code="U2", unit="MWh", direction="own"),
    bare("P1", unit_name="Works", parent_complete="yes", rated_power_kw="8,000"),
    metered(
        "P2",
        "M2",
        parent_point="P1",
        level="sub_unit",
        sub_unit="S",
        installed_from="2026-02-01 10:30",
        multiplier=40,
        max_rate=400,
        first_reading=0,
        interval_s=900,
        full_scale=1_000_000,
    ),
    metered(
        "P2",
        "M1",
        level="sub_unit",
        sub_unit="S",
        installed_to="2026-02-01 10:30",
        multiplier=20,
        last_reading=812.5,
    ),
    bare("P3", required="no", exemption="below the limit", level="equipment", equipment="lamps", annual_use=8),
)


def test_units_points_and_meters_are_sorted_by_their_codes() -> None:
    ledger = sound(*PLANT)
    assert ledger.unit_codes == ("U1", "U2")
    assert ledger.unit_names == ("Works", "U2")
    assert ledger.point_codes == ("P1", "P2", "P3", "P2")
    assert ledger.point_unit.tolist() == [0, 0, 0, 1]
    assert ledger.unit_point_start.tolist() == [0, 3, 4]
    assert ledger.meter_nos == ("M1", "M2", "M9")
    assert ledger.meter_unit.tolist() == [0, 0, 1]
    assert ledger.unit_meter_start.tolist() == [0, 2, 3]
    assert ledger.unit_index == {"U1": 0, "U2": 1}


def test_points_carry_their_facts() -> None:
    ledger = sound(*PLANT)
    assert ledger.point_parent.tolist() == [-1, 0, -1, -1]
    assert ledger.point_parent_complete.tolist() == [True, False, False, False]
    assert ledger.point_level.tolist() == [Level.UNIT, Level.SUB_UNIT, Level.EQUIPMENT, Level.UNIT]
    assert ledger.point_sub_unit == ("", "S", "", "")
    assert ledger.point_equipment == ("", "", "lamps", "")
    assert ledger.point_carrier == ("electricity",) * 4
    assert ledger.point_direction.tolist() == [Direction.IN, Direction.IN, Direction.IN, Direction.OWN]
    assert ledger.point_required.tolist() == [True, True, False, True]
    assert ledger.point_exemption == ("", "", "below the limit", "")
    assert np.array_equal(ledger.point_annual_use, [np.nan, np.nan, 8.0, np.nan], equal_nan=True)
    assert np.array_equal(ledger.point_rated_power_kw, [8000.0, np.nan, np.nan, np.nan], equal_nan=True)
    assert ledger.point_kind.tolist() == [QuantityKind.ENERGY] * 4
    assert [unit_of(code).symbol for code in ledger.point_canonical] == ["kWh"] * 4


def test_installations_are_dated_and_carry_the_multiplier_that_held() -> None:
    installed = sound(*PLANT).installations
    assert installed.point.tolist() == [1, 1, 3]
    assert installed.meter.tolist() == [0, 1, 2]
    assert installed.installed_from.tolist() == [us(2023, 12, 31, 16), us(2026, 2, 1, 2, 30), us(2023, 12, 31, 16)]
    assert installed.installed_to.tolist() == [us(2026, 2, 1, 2, 30), OPEN_END, OPEN_END]
    assert installed.multiplier.tolist() == [20.0, 40.0, 1.0]
    assert installed.factor.tolist() == [20.0, 40.0, 1000.0]
    assert [unit_of(code).symbol for code in installed.unit] == ["kWh", "kWh", "MWh"]
    assert np.array_equal(installed.full_scale, [np.nan, 1e6, np.nan], equal_nan=True)
    assert np.array_equal(installed.max_rate, [np.nan, 10.0, np.nan], equal_nan=True)
    assert installed.interval_us.tolist() == [0, 900_000_000, 0]
    assert np.array_equal(installed.first_reading, [np.nan, 0.0, np.nan], equal_nan=True)
    assert np.array_equal(installed.last_reading, [812.5, np.nan, np.nan], equal_nan=True)


def test_installations_are_found_by_point_and_by_meter() -> None:
    ledger = sound(*PLANT)
    assert ledger.point_installation_start.tolist() == [0, 0, 2, 2, 3]
    assert ledger.meter_installations.tolist() == [0, 1, 2]
    assert ledger.meter_installation_start.tolist() == [0, 1, 2, 3]
    assert ledger.meter_index("U1") == {"M1": 0, "M2": 1}
    assert ledger.meter_index("U2") == {"M9": 2}
    assert ledger.meter_index("U3") == {}
    assert ledger.meter_index("U1") is ledger.meter_index("U1")


def test_nothing_of_a_ledger_can_be_written() -> None:
    ledger = sound(*PLANT)
    arrays = [value for name in Ledger.__slots__ if isinstance(value := getattr(ledger, name), np.ndarray)]
    arrays += [getattr(ledger.installations, name) for name in type(ledger.installations).__slots__]
    arrays += [cells.codes if isinstance(cells, TextColumn) else cells for cells in ledger.rows.columns.values()]
    assert len(arrays) > 60
    assert not any(array.flags.writeable for array in arrays)


def test_a_multiplier_that_changes_on_a_date_is_two_installations_of_one_meter() -> None:
    ledger = sound(
        metered("P1", "M1", multiplier=30, installed_from="2025-07-01"),
        metered("P1", "M1", multiplier=20, installed_to="2025-07-01"),
    )
    assert ledger.meter_nos == ("M1",)
    assert ledger.installations.multiplier.tolist() == [20.0, 30.0]
    assert ledger.installations.installed_to[0] == ledger.installations.installed_from[1]


def test_a_meter_may_move_to_another_point() -> None:
    ledger = sound(
        metered("P1", "M1", installed_to="2025-07-01"),
        metered("P2", "M1", installed_from="2025-07-01", first_reading=5),
    )
    assert ledger.installations.meter.tolist() == [0, 0]
    assert ledger.meter_installation_start.tolist() == [0, 2]


def test_heat_in_mwh_is_kept_in_gj_and_a_count_of_tens_in_ones() -> None:
    ledger = sound(
        metered("P1", "M1", carrier="steam", unit="MWh", instrument="heat"),
        metered("P2", "M2", carrier="water", unit="×10 m3", instrument="water_flow", multiplier=2),
        metered("P3", "M3", carrier="natural_gas", unit="标方", instrument="gas_flow"),
        metered("P4", "M4", carrier="steam", unit="°C", instrument="temperature"),
        bare("P5", carrier="coal"),
    )
    assert [unit_of(code).symbol for code in ledger.point_canonical] == ["GJ", "m3", "Nm3", "°C", "t"]
    assert ledger.installations.factor.tolist() == [3.6, 20.0, 1.0, 1.0]


def test_local_times_are_those_of_the_given_zone_across_summer_time() -> None:
    ledger = sound(
        metered("P1", "M1", installed_from="2026-01-15", installed_to="2026-07-15 12:00"),
        metered("P1", "M2", installed_from="2026-07-15T10:00:00Z"),
        zone=ZoneInfo("Europe/Berlin"),
    )
    assert ledger.installations.installed_from.tolist() == [us(2026, 1, 14, 23), us(2026, 7, 15, 10)]
    assert ledger.installations.installed_to.tolist() == [us(2026, 7, 15, 10), OPEN_END]


def test_cells_of_a_spreadsheet_are_understood() -> None:
    ledger = sound(
        metered(
            "P1",
            "M1",
            installed_from=datetime(2024, 5, 1, 8),  # noqa: DTZ001 - a spreadsheet's times have no zone
            multiplier=15,
            verified_on=date(2024, 4, 1),
            cycle_months=12,
            full_scale=999999.0,
            required=True,
            unit_code=91320583,
        )
        | {"meter_no": 1001.0},
    )
    assert ledger.unit_codes == ("91320583",)
    assert ledger.meter_nos == ("1001",)
    assert ledger.installations.installed_from.tolist() == [us(2024, 5, 1)]
    assert ledger.rows.values("verification_due") == [date(2025, 3, 31)]


def test_facts_of_a_point_stand_in_each_of_its_rows() -> None:
    ledger = sound(
        metered("P1", "M1", installed_to="2025-01-01", level="sub_unit", sub_unit="S", required="no", exemption="why"),
        {"unit_code": "U1", "point": "P1", "meter_no": "M2", "instrument": "electricity", "unit": "kWh",
         "installed_from": "2025-01-01"},
    )  # fmt: skip
    assert ledger.rows.values("sub_unit") == ["S", "S"]
    assert ledger.rows.values("required") == [False, False]
    assert ledger.rows.values("exemption") == ["why", "why"]


def test_rows_are_given_as_plain_values() -> None:
    rows = sound(*PLANT).rows
    assert rows.values("meter_no") == [None, "M1", "M2", None, "M9"]
    assert rows.values("installed_to") == [None, datetime(2026, 2, 1, 2, 30, tzinfo=UTC), None, None, None]
    assert rows.values("multiplier") == [None, 20.0, 40.0, None, 1.0]
    assert rows.values("parent_complete") == [True, False, False, False, False]
    assert rows.instant("installed_from").tolist()[0] == NO_INSTANT
    with pytest.raises(TypeError, match="'point' holds text"):
        rows.number("point")
    with pytest.raises(TypeError, match="'multiplier' holds no text"):
        rows.text("multiplier")


def test_a_ledger_comes_back_from_its_own_columns() -> None:
    ledger = sound(*PLANT)
    again = Ledger.from_columns(ledger.to_columns())
    assert again.point_codes == ledger.point_codes
    assert np.array_equal(again.installations.factor, ledger.installations.factor)
    assert all(again.rows.values(name) == ledger.rows.values(name) for name in ledger.rows.columns)


def test_a_part_of_a_ledger_is_a_ledger_of_its_units() -> None:
    part = sound(*PLANT).take_units([1])
    assert part.unit_codes == ("U2",)
    assert part.point_codes == ("P2",)
    assert part.meter_index("U2") == {"M9": 0}
    assert part.installations.factor.tolist() == [1000.0]
    assert part.meter_index("U1") == {}
    assert sound(*PLANT).take_units([]).unit_codes == ()


def test_an_empty_ledger_is_a_ledger() -> None:
    ledger = Ledger.empty()
    assert ledger.unit_codes == ledger.point_codes == ledger.meter_nos == ()
    assert len(ledger.installations) == len(ledger.rows) == 0
    assert ledger.meter_index("U1") == {}


def test_columns_of_unequal_length_are_the_callers_error() -> None:
    with pytest.raises(ValueError, match="equally long"):
        build_ledger({"unit_code": ["U1"], "point": ["P1", "P2"]})
