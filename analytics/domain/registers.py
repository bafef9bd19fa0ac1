"""Further registers of a meter beside the main one: what their names mean, by convention.

A reading says which register it is of (`register`, the main one where it says none). These names are known; each has
one quantity, and a reading may state it in any unit of that quantity. A reading of another name is kept as said.

===================== =========== ==================================================================================
name                  canonical   meaning
===================== =========== ==================================================================================
`power`               kW          active power as the meter shows it, before the multiplier, as the main register is
`power_primary`       kW          active power as it really flows, after the multiplier: a meter that is set to its
                                  transformers' ratio shows it so, and so does a transmitter beside the meter
`power_l1` to `_l3`   kW          active power of one phase, signed, before the multiplier
`reactive`            kvar        reactive power, before the multiplier
`volume`              m3          volume of a heat meter whose flow sensor sits in the return pipe, as it usually does
`volume_supply`       m3          the same with the flow sensor in the supply pipe
`supply_temperature`  °C          temperature of the supply pipe
`return_temperature`  °C          temperature of the return pipe
`flow`                m3/h        volume flow
===================== =========== ==================================================================================
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

from analytics.domain.units import UNITS, Unit

__all__ = ["MAIN", "FurtherRegister", "find_register", "register_name", "register_unit"]

MAIN = "main"
"""Name of the register whose differences are consumption."""


class FurtherRegister(IntEnum):
    """Registers beside the main one whose meaning is known; the numbers are kept in snapshots."""

    POWER = 1
    POWER_PRIMARY = 2
    POWER_L1 = 3
    POWER_L2 = 4
    POWER_L3 = 5
    REACTIVE = 6
    VOLUME = 7
    VOLUME_SUPPLY = 8
    SUPPLY_TEMPERATURE = 9
    RETURN_TEMPERATURE = 10
    FLOW = 11


_R = FurtherRegister
_UNITS: Mapping[FurtherRegister, Unit] = MappingProxyType(
    {
        _R.POWER: UNITS["kW"],
        _R.POWER_PRIMARY: UNITS["kW"],
        _R.POWER_L1: UNITS["kW"],
        _R.POWER_L2: UNITS["kW"],
        _R.POWER_L3: UNITS["kW"],
        _R.REACTIVE: UNITS["kvar"],
        _R.VOLUME: UNITS["m3"],
        _R.VOLUME_SUPPLY: UNITS["m3"],
        _R.SUPPLY_TEMPERATURE: UNITS["°C"],
        _R.RETURN_TEMPERATURE: UNITS["°C"],
        _R.FLOW: UNITS["m3/h"],
    }
)
_CHINESE = {
    "有功功率": _R.POWER,
    "一次侧功率": _R.POWER_PRIMARY,
    "A相有功功率": _R.POWER_L1,
    "B相有功功率": _R.POWER_L2,
    "C相有功功率": _R.POWER_L3,
    "无功功率": _R.REACTIVE,
    "累计流量": _R.VOLUME,
    "供水温度": _R.SUPPLY_TEMPERATURE,
    "回水温度": _R.RETURN_TEMPERATURE,
    "瞬时流量": _R.FLOW,
}
_NAMES = {register.name.lower(): register for register in FurtherRegister} | _CHINESE


def find_register(name: str) -> FurtherRegister | None:
    """Register that a reading names, None where its name is not one of those known.

    Examples
    --------
    >>> find_register("power"), find_register("voltage")
    (<FurtherRegister.POWER: 1>, None)
    """
    return _NAMES.get(name)


def register_name(register: FurtherRegister) -> str:
    """Name of a register in readings.

    Examples
    --------
    >>> register_name(FurtherRegister.POWER_L1)
    'power_l1'
    """
    return register.name.lower()


def register_unit(register: FurtherRegister) -> Unit:
    """Canonical unit of what a register measures.

    Examples
    --------
    >>> register_unit(FurtherRegister.SUPPLY_TEMPERATURE).symbol
    '°C'
    """
    return _UNITS[register]
