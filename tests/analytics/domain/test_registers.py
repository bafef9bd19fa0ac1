"""Names of further registers: each with one quantity, and none that is taken for another."""

from analytics.domain.registers import FurtherRegister, find_register, register_name, register_unit
from analytics.domain.units import QuantityKind

NUMBERS = {
    "power": 1, "power_primary": 2, "power_l1": 3, "power_l2": 4, "power_l3": 5, "reactive": 6, "volume": 7,
    "volume_supply": 8, "supply_temperature": 9, "return_temperature": 10, "flow": 11,
}  # fmt: skip


def test_numbers_of_registers_are_the_ones_in_snapshots() -> None:
    assert {register_name(register): int(register) for register in FurtherRegister} == NUMBERS


def test_every_name_is_found_and_others_are_not() -> None:
    assert all(find_register(register_name(register)) is register for register in FurtherRegister)
    assert find_register("供水温度") is FurtherRegister.SUPPLY_TEMPERATURE
    assert find_register("main") is find_register("voltage_l1") is find_register("") is None


def test_registers_have_the_quantity_that_their_name_says() -> None:
    kinds = {register_name(register): register_unit(register).kind for register in FurtherRegister}
    assert all(kind is QuantityKind.POWER for name, kind in kinds.items() if name.startswith("power"))
    assert kinds["reactive"] is QuantityKind.REACTIVE_POWER
    assert kinds["flow"] is QuantityKind.VOLUME_FLOW
