from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.errors import ConfigurationError
from ingest.devices import modbus
from ingest.devices.faults import NoValue
from ingest.devices.values import Value
from tests.ingest.devices.vectors import VECTORS, name

METERS = VECTORS["modbus_meter"]
POINTS = [(profile, point) for profile in modbus.profiles().values() for point in profile.points]


@pytest.mark.parametrize("vector", METERS, ids=name)
def test_profile_has_every_register_that_was_collected(vector: dict[str, Any]) -> None:
    profile = modbus.profile_of(vector["id"])
    by_address = {(point.function, point.address): point for point in profile.points}
    for row in vector["points"]:
        point = by_address[row["function"], row["register"]]
        assert (point.type, point.unit) == (row["type"], row["unit"] or "1")
        assert point.scale == Decimal(str(row["scale"]))
    assert "energy_forward" in profile.default
    assert next(point for point in profile.points if point.name == "energy_forward").register == "main"
    assert list(profile.models) == vector["models"]


@given(st.sampled_from(POINTS), st.integers(0, 2**15 - 1))
def test_every_point_is_read_as_it_was_written(at: tuple[modbus.Profile, modbus.Point], raw: int) -> None:
    profile, point = at
    value = Decimal(raw) * point.scale
    (span,) = modbus.spans([point])
    (found,) = modbus.values_of(profile, span, modbus.registers_of(point, value))
    if profile.no_value and point.type == "int16" and raw == 2**15 - 1:
        assert isinstance(found, NoValue)
        return
    assert isinstance(found, Value)
    assert abs(found.value - value) <= abs(value) * Decimal("1e-6")
    if not point.type.startswith("float"):
        assert found.value == value


@pytest.mark.parametrize(
    ("kind", "words", "registers", "value"),
    [
        ("float32", "ABCD", [0x449A, 0x5000], "1234.5"),
        ("float32", "CDAB", [0x5000, 0x449A], "1234.5"),
        ("float32", "BADC", [0x9A44, 0x0050], "1234.5"),
        ("float32", "DCBA", [0x0050, 0x9A44], "1234.5"),
        ("uint64", "ABCD", [0, 0, 0x075B, 0xCD15], "123456789"),
        ("int32", "ABCD", [0xFFFF, 0xFFFE], "-2"),
        ("float64", "ABCD", [0x4093, 0x4A00, 0, 0], "1234.5"),
    ],
)
def test_word_orders(kind: str, words: str, registers: list[int], value: str) -> None:
    point = modbus.Point(name="x", address=0, function=3, type=kind, scale=Decimal(1), unit="kWh", words=words)
    profile = modbus.Profile(id="x", points=[point])
    (found,) = modbus.values_of(profile, modbus.spans([point])[0], registers)
    assert isinstance(found, Value)
    assert found.value == Decimal(value)
    assert modbus.registers_of(point, Decimal(value)) == registers


def test_all_ones_and_not_a_number_are_no_value() -> None:
    abb = modbus.profile_of("abb-b23")
    span, *_ = modbus.spans(abb.wanted(["energy_forward", "energy_reverse"]))
    found = modbus.values_of(abb, span, [0xFFFF] * 4 + [0, 0, 0, 100])
    assert isinstance(found[0], NoValue)
    assert isinstance(found[1], Value)
    assert found[1].value == Decimal("1.00")
    power = modbus.spans(abb.wanted(["power"]))[0]
    assert isinstance(modbus.values_of(abb, power, [0x7FFF, 0xFFFF])[0], NoValue)
    sdm = modbus.profile_of("eastron-sdm630")
    (nan,) = modbus.values_of(sdm, modbus.spans(sdm.wanted(["power"]))[0], [0x7FC0, 0])
    assert isinstance(nan, NoValue)
    assert "finite" in nan.detail
    (short,) = modbus.values_of(sdm, modbus.spans(sdm.wanted(["power"]))[0], [1])
    assert isinstance(short, NoValue)


def test_neighbours_are_read_together_and_nothing_between() -> None:
    acrel = modbus.profile_of("acrel-dtsd1352-adl400")
    names = ["voltage_l1", "voltage_l2", "voltage_l3", "current_l1", "energy_forward"]
    found = modbus.spans(acrel.wanted(names))
    assert [(span.address, span.count) for span in found] == [(0x0A, 2), (0x61, 4)]
    wide = [
        modbus.Point(name=f"p{i}", address=2 * i, function=3, type="uint32", scale=Decimal(1), unit="kWh")
        for i in range(100)
    ]
    assert [(span.address, span.count) for span in modbus.spans(wide)] == [(0, 124), (124, 76)]


def test_faulty_profile_is_told_whole() -> None:
    text = """
    id = ""
    default = ["nothing"]
    [[point]]
    name = "a"
    address = 70000
    function = 6
    type = "uint8"
    scale = "0"
    """
    with pytest.raises(ConfigurationError) as caught:
        modbus.read_profile(text, "my.toml")
    for part in ("my.toml", "0 to 65535", "3 or 4, which read", "uint16", "other than 0", "unit", "default: nothing"):
        assert part in str(caught.value)
    with pytest.raises(ConfigurationError, match="must be TOML"):
        modbus.read_profile("=", "my.toml")


def test_own_profile_beats_one_that_ships(tmp_path: Path) -> None:
    (tmp_path / "acrel-adw300.toml").write_text(
        'id = "acrel-adw300"\nversion = 9\n'
        '[[point]]\nname = "energy_forward"\naddress = 1\ntype = "uint16"\nunit = "kWh"\n',
        encoding="utf-8",
    )
    assert modbus.profile_of("acrel-adw300", tmp_path).version == 9
    assert modbus.profile_of("abb-b23", tmp_path).version == 1
    with pytest.raises(ConfigurationError, match="profile must be one of"):
        modbus.profile_of("unknown", tmp_path)
    with pytest.raises(ConfigurationError, match="points must be of"):
        modbus.profile_of("abb-b23").wanted(["nothing"])
