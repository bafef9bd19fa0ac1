"""Further registers of a meter beside the main one: what their names mean, by convention.

A reading says which register it is of (`register`, the main one where it says none). These names are known; each has
one quantity, and a reading may state it in any unit of that quantity. A reading of another name is kept as sent.

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

The main register has many names, those of meters' manuals and of OBIS (IEC 62056-61, EN 13757-1): `is_main` knows them.
Reverse energy and tariff registers are separate registers: they are stored and never added to the main one.
"""

import re
import unicodedata
from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

from analytics.domain.units import UNITS, QuantityKind, Unit

__all__ = ["MAIN", "FurtherRegister", "find_register", "is_apart", "is_main", "register_name", "register_unit"]

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


_COUNTED_AS_MAIN = frozenset(
    """
    main total totalenergy energy energytotal activeenergy activeenergytotal totalactiveenergy activeenergyimport
    importactiveenergy activeimport import importtotal totalimport imported forward forwardactive
    forwardactiveenergy forwardactivetotal totalforwardactiveenergy positiveactiveenergy positiveactiveenergytotal
    activeenergypositive a+ +a ep+ epi epimp ep ea ea+ kwhimport importkwh totalkwh kwh kwhtotal wh reading register
    index counter meterreading cumulative 00010000 0x00010000 总 主 总表 示值 总示值 表码 表底 读数 示数 总示数 累计
    累计值 累计量 总量 总累计 总电量 总电能 总电能量 有功 有功总 有功电能 有功总电能 总有功电能 有功电能总 有功电度
    总有功电度 有功总电度 正向 正向总 正向有功 正向有功总 正向总有功 正向有功电能 正向有功电量 正向有功电度
    正向有功示值 正向有功总电能 正向总有功电能 正向有功电能总 正向有功总电量 正向有功总电度 正向有功总示值
    正向有功总电能示值 正向有功电能示值 当前正向有功总电能 用电量累计 累计用电量 累计电量 累计电能
    """.split()  # noqa: SIM905 - as people read them
)
_HEAT_AS_MAIN = frozenset(
    """
    heat heatenergy totalheat heattotal thermalenergy totalheatenergy heatmeterreading 累计热量 热量 总热量 累积热量
    热量总 累计供热量 累计热能 热能
    """.split()  # noqa: SIM905 - as people read them
)
_VOLUME_AS_MAIN = frozenset(
    """
    volume totalvolume volumetotal flowtotal totalflow cumulativeflow positiveflow forwardflow waterconsumption
    累计流量 累积流量 流量累计 总流量 正累计 正累计流量 正向累计 正向累计流量 净累计流量 累计水量 总水量 用水量累计
    累计气量 总气量 标况总量 标况累计 标况累计流量 标况体积总量 标况总累积量 volumetricflowtotal
    """.split()  # noqa: SIM905 - as people read them
)
_OBIS = re.compile(
    r"(?:(?P<a>\d{1,3})[-.](?P<b>\d{1,3})[:.])?(?P<c>\d{1,3})\.(?P<d>\d{1,3})\.(?P<e>\d{1,3})(?:[*.]\d{1,3})?"
)
_OBIS_MAIN: Mapping[str, frozenset[tuple[str, str, str]]] = MappingProxyType(
    {
        # medium A: registers of the total, (C, D, E); electricity +A, heat energy, volume of gas and of water
        "1": frozenset({("1", "8", "0")}),
        "5": frozenset({("1", "0", "0")}),
        "6": frozenset({("1", "0", "0")}),
        "7": frozenset({("3", "0", "0"), ("3", "1", "0"), ("3", "2", "0")}),
        "8": frozenset({("1", "0", "0")}),
        "9": frozenset({("1", "0", "0")}),
    }
)


def _plain(name: str) -> str:
    """Normalised name: width, case, blanks, separators and a unit in brackets removed."""
    text = unicodedata.normalize("NFKC", name).casefold()
    text = re.sub(r"[(\[][^)\]]*[)\]]", "", text)
    return re.sub(r"[\s_/,;:-]+", "", text)


def is_main(name: str, kind: QuantityKind = QuantityKind.ENERGY) -> bool:
    """Whether a name is one of those of the register whose differences are consumption.

    Parameters
    ----------
    name : str
        As a reading gives it.
    kind : QuantityKind
        What the meter counts: the volume of a heat meter is a further register, that of a water meter the main one.

    Examples
    --------
    >>> is_main("正向有功总电能"), is_main("1-0:1.8.0*255"), is_main("Total"), is_main("1-0:1.8.1*255")
    (True, True, True, False)
    >>> is_main("volume"), is_main("volume", QuantityKind.VOLUME)
    (False, True)
    """
    found = _OBIS.fullmatch(unicodedata.normalize("NFKC", name).strip())
    if found is not None:
        register = found["c"], found["d"], found["e"]
        if found["a"] is None:
            return register == ("1", "8", "0")
        return register in _OBIS_MAIN.get(found["a"], frozenset())
    plain = _plain(name)
    if plain in _COUNTED_AS_MAIN:
        return True
    return plain in (_HEAT_AS_MAIN if kind == QuantityKind.ENERGY else _VOLUME_AS_MAIN)


_APART = re.compile(
    r"反向|尖|峰|平|谷|无功|需量|tariff|rate\d|^t\d$|reverse|export|negative|reactive|demand|^a-$|^-a$|^ep-$|[lL][123]$"
)


def is_apart(name: str) -> bool:
    """Whether a name denotes another register than the main one: reverse, tariff, reactive, demand.

    Examples
    --------
    >>> is_apart("反向有功总电能"), is_apart("1-0:2.8.0*255"), is_apart("power"), is_apart("foo")
    (True, True, True, False)
    """
    text = unicodedata.normalize("NFKC", name).strip()
    if _OBIS.fullmatch(text) is not None or find_register(name) is not None:
        return not is_main(name)
    return _APART.search(_plain(text)) is not None


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
