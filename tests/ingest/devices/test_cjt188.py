from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from ingest.devices import cjt188
from ingest.devices.faults import BadFrame, NoValue, OtherAnswer, Refused
from tests.ingest.devices.vectors import VECTORS, frame, name

GOOD = VECTORS["cjt188"]
ANSWERS = [vector for vector in GOOD if "read request" not in vector["name"]]


@pytest.mark.parametrize("vector", GOOD, ids=name)
def test_every_frame_is_decoded_and_encoded(vector: dict[str, Any]) -> None:
    raw = frame(vector)
    found = cjt188.decode(raw)
    assert (found.type, found.address) == (vector["type"], vector["address"])
    assert cjt188.encode(found, wake_up=len(raw) - len(raw.lstrip(b"\xfe"))) == raw


@pytest.mark.parametrize("vector", ANSWERS, ids=name)
def test_every_answer_has_the_values_that_were_published(vector: dict[str, Any]) -> None:
    found = cjt188.decode(frame(vector))
    request = cjt188.read_request(vector["type"], vector["address"], sequence=found.data[2])
    meter = cjt188.values_of(found.type, cjt188.answer_of(found, request))
    by_point = {value.point: value for value in meter.values}
    for point, value in by_point.items():
        if point in vector:
            assert value.value == Decimal(vector[point]), point
            assert vector.get(f"{point}_unit", value.unit) == value.unit, point
    assert sum(point in vector for point in by_point) >= 1
    assert by_point.keys() >= {key for key in vector if f"{key}_unit" in vector}
    if "clock" in vector:
        assert meter.clock == datetime.fromisoformat(vector["clock"])
    if "status" in vector:
        assert meter.status.hex().upper() == vector["status"]


def test_requests_are_those_of_the_vectors() -> None:
    assert cjt188.encode(cjt188.read_request(0x10, "78330011223344", sequence=0)) == frame(GOOD[0])
    heat = next(vector for vector in GOOD if vector["name"].startswith("heat, read request"))
    assert cjt188.encode(cjt188.read_request(0x20, cjt188.ANY_METER, sequence=0), wake_up=2) == frame(heat)


def test_main_register_is_the_heat_of_a_heat_meter_and_the_total_of_others() -> None:
    heat = next(vector for vector in GOOD if vector["name"].startswith("heat, 54427.88"))
    meter = cjt188.values_of(0x25, cjt188.decode(frame(heat)).data[3:])
    assert {value.register: value.value for value in meter.values}["main"] == Decimal("54427.88")
    water = cjt188.values_of(0x10, cjt188.decode(frame(GOOD[1])).data[3:])
    assert {value.register: str(value.value) for value in water.values}["main"] == "556677.00"


def test_checksum_that_circulates_is_refused() -> None:
    with pytest.raises(BadFrame, match="checksum must be 13"):
        cjt188.decode(frame(VECTORS["cjt188_bad"][0]))


def test_unit_bytes_are_those_of_the_table() -> None:
    for code, text in VECTORS["cjt188_units"].items():
        unit, factor = cjt188.UNITS[int(code, 16)]
        assert (f"{factor} {unit}" if factor > 1 else unit) == text
    data = cjt188.water_data(Decimal("1.00"), unit=0x99)
    with pytest.raises(NoValue, match="unit byte of CJ/T 188 is required"):
        cjt188.values_of(0x10, data)


def test_hundred_megawatt_hours_are_that() -> None:
    meter = cjt188.values_of(0x20, cjt188.heat_data({"heat": Decimal("1.25")}, units=(0x0A, 0x0A, 0x17, 0x35, 0x2C)))
    assert (meter.values[0].value, meter.values[0].unit) == (Decimal(125), "MWh")


def test_digits_that_are_none_are_no_value_and_length_is_checked() -> None:
    data = bytearray(cjt188.water_data(Decimal("1.00")))
    data[1] = 0x0E
    with pytest.raises(NoValue, match="BCD digits"):
        cjt188.values_of(0x10, bytes(data))
    with pytest.raises(BadFrame, match="length 16 is required"):
        cjt188.values_of(0x10, bytes(data[:-1]))
    with pytest.raises(BadFrame, match="length 2E"):
        cjt188.values_of(0x20, bytes(5))


def test_answer_of_another_meter_identifier_or_a_refusal_is_told_apart() -> None:
    answer = cjt188.decode(frame(GOOD[1]))
    with pytest.raises(OtherAnswer, match="of meter 00000000000001"):
        cjt188.answer_of(answer, cjt188.read_request(0x10, "00000000000001", sequence=0))
    with pytest.raises(OtherAnswer, match="identifier"):
        cjt188.answer_of(answer, cjt188.read_request(0x10, answer.address, sequence=0, identifier="D120"))
    refusal = cjt188.Frame(0x10, answer.address, 0xC1, b"\x01")
    with pytest.raises(Refused, match="control C1"):
        cjt188.answer_of(refusal, cjt188.read_request(0x10, answer.address, sequence=0))


def test_battery_and_a_clock_that_was_never_set() -> None:
    meter = cjt188.values_of(0x10, cjt188.water_data(Decimal(1), status=b"\x04\x00"))
    assert meter.battery_low
    assert meter.clock is None
    at = datetime(2026, 11, 30, 12, 0, 1)  # noqa: DTZ001 - local time of the meter
    assert cjt188.values_of(0x10, cjt188.water_data(Decimal(1), clock=at)).clock == at
