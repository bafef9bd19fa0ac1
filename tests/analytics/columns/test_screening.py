"""Screening by compiled code against the same rules over whole columns."""

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.columns.screening import ScreeningRules, installations_in_force, screen
from analytics.domain.errors import ArrayError
from analytics.domain.ledger import Ledger, build_ledger
from analytics.domain.quality import ReadingFlag, RejectReason
from analytics.domain.units import FACTOR_TABLE, KIND_TABLE, NO_UNIT, parse_unit

DAY_US = 86_400_000_000
T0 = 1_767_225_600_000_000  # 2026-01-01 UTC
RULES = ScreeningRules()
ROW = np.dtype(
    [
        ("measured_at", "<i8"), ("received_at", "<i8"), ("value", "<f8"), ("dial", "<f8"), ("meter", "<i4"),
        ("installation", "<i4"), ("unit", "<i2"), ("quality", "<i2"),
    ]
)  # fmt: skip


def ledger() -> Ledger:
    """Five meters: one exchanged for another after ten days, one taken out and put back, one that measures water."""
    rows = [
        ("P1", "M1", "electricity", "kWh", "2026-01-01T00:00:00Z", "2026-01-11T00:00:00Z"),
        ("P1", "M2", "electricity", "MWh", "2026-01-11T00:00:00Z", ""),
        ("P2", "M3", "electricity", "kWh", "2026-01-01T00:00:00Z", "2026-01-05T00:00:00Z"),
        ("P2", "M3", "electricity", "MWh", "2026-01-08T00:00:00Z", ""),
        ("P3", "M4", "water", "m3", "2026-01-01T00:00:00Z", ""),
        ("P4", "M5", "electricity", "kWh", "2026-01-15T00:00:00Z", ""),
    ]
    point, meter, carrier, unit, begin, end = (list(column) for column in zip(*rows, strict=True))
    made, faults = build_ledger(
        {
            "unit_code": ["U"] * len(rows),
            "level": ["unit"] * len(rows),
            "point": point,
            "carrier": carrier,
            "meter_no": meter,
            "instrument": ["water_flow" if one == "water" else one for one in carrier],
            "unit": unit,
            "installed_from": begin,
            "installed_to": end,
        }
    )
    assert not faults, faults
    return made


def readings(made: Ledger, n: int) -> NDArray[np.void]:
    generator = np.random.default_rng(11)
    codes = [NO_UNIT, *(parse_unit(name).code for name in ("kWh", "MWh", "m3", "kW"))]
    rows = np.zeros(n, ROW)
    rows["meter"] = generator.integers(-1, len(made.meter_nos), n)
    rows["measured_at"] = T0 + generator.integers(-2 * 24, 20 * 24, n) * DAY_US // 24
    rows["received_at"] = rows["measured_at"] + generator.choice([0, 1_000_000, -599_000_000, -DAY_US], n)
    rows["measured_at"][generator.random(n) < 0.05] = RULES.earliest_us - 1
    rows["value"] = generator.choice([1.0, 0.1, 12345.678, np.nan, np.inf], n, p=[0.3, 0.3, 0.3, 0.05, 0.05])
    rows["unit"] = generator.choice(codes, n)
    rows["quality"] = generator.integers(0, 256, n)
    return rows


def by_columns(
    made: Ledger, rows: NDArray[np.void], own_unit: NDArray[np.int16] | None
) -> tuple[NDArray[np.void], NDArray[np.uint8]]:
    """The rules one after the other, each over all readings."""
    out, unit, at = rows.copy(), rows["unit"], rows["measured_at"]
    meter = np.ascontiguousarray(rows["meter"])
    installation = installations_in_force(made, meter, np.ascontiguousarray(at))
    here = installation >= 0
    register = np.where(here, made.installations.unit[installation], NO_UNIT)
    if own_unit is not None:
        register = np.where(here & (own_unit >= 0), own_unit, register)
    reason = np.zeros(len(rows), np.uint8)
    reason[~np.isfinite(rows["value"])] = RejectReason.NOT_A_NUMBER
    reason[at > rows["received_at"] + int(RULES.future_s * 1e6)] = RejectReason.FUTURE
    reason[at < RULES.earliest_us] = RejectReason.TIME_OUT_OF_RANGE
    reason[here & (KIND_TABLE[register] != KIND_TABLE[unit])] = RejectReason.UNIT_MISMATCH
    reason[unit == NO_UNIT] = RejectReason.UNKNOWN_UNIT
    times = (reason == RejectReason.FUTURE) | (reason == RejectReason.TIME_OUT_OF_RANGE)
    reason[~here & ~times] = RejectReason.NOT_INSTALLED
    reason[meter < 0] = RejectReason.UNKNOWN_METER
    other = here & (register != unit) & (reason == 0)
    out["installation"], out["dial"] = installation, rows["value"]
    out["dial"][other] *= FACTOR_TABLE[unit[other]] / FACTOR_TABLE[register[other]]
    out["quality"][other] |= np.int16(ReadingFlag.UNIT_CONVERTED)
    return out, reason


@pytest.mark.parametrize("further", [False, True])
def test_a_reading_is_judged_as_by_the_rules_one_after_the_other(*, further: bool) -> None:
    made = ledger()
    rows = readings(made, 20_000)
    own_unit = None
    if further:
        kilowatt = parse_unit("kW").code
        own_unit = np.where(np.arange(len(rows)) % 3 == 0, kilowatt, -1).astype(np.int16)
    expected, reasons = by_columns(made, rows, own_unit)
    found = screen(made, rows, rules=RULES, own_unit=own_unit)
    assert found.tolist() == reasons.tolist()
    assert rows.tobytes() == expected.tobytes()
    assert set(np.unique(found).tolist()) >= {
        0, RejectReason.NOT_A_NUMBER, RejectReason.FUTURE, RejectReason.TIME_OUT_OF_RANGE, RejectReason.UNIT_MISMATCH,
        RejectReason.UNKNOWN_UNIT, RejectReason.NOT_INSTALLED, RejectReason.UNKNOWN_METER,
    }  # fmt: skip
    assert (rows["quality"][found == 0] & int(ReadingFlag.UNIT_CONVERTED)).any()


def test_an_empty_ledger_and_no_readings_are_judged_too() -> None:
    rows = readings(ledger(), 50)
    rows["meter"] = -1
    assert set(screen(Ledger.empty(), rows, rules=RULES).tolist()) == {int(RejectReason.UNKNOWN_METER)}
    assert not len(screen(ledger(), rows[:0], rules=RULES))


def test_own_units_of_another_length_are_refused() -> None:
    with pytest.raises(ArrayError, match="own_unit"):
        screen(ledger(), readings(ledger(), 3), rules=RULES, own_unit=np.zeros(2, np.int16))
