"""Advice by kind of fault: what to check, what to ask the enterprise."""

from types import MappingProxyType
from typing import Final, NamedTuple

from analytics.domain.words import Phrase

__all__ = ["ADVICE", "PURPOSES", "Advice", "advice_on"]


class Advice(NamedTuple):
    """What to check about a kind of fault, and how an enterprise is asked about it."""

    check: Phrase
    ask: Phrase


_DATA_PATH: Final = Phrase(
    zh="先看采集器、网关和通信，再看表计供电；同一单位多块表同时无上报，多为网关或线路",
    en=(
        "look at collector, gateway and network first, then the meter's supply; "
        "many meters at once mean a gateway or line"
    ),
)
_DIAL: Final = Phrase(
    zh="现场抄读表计示值，与平台示值核对；查表计型号、寄存器地址和数据类型",
    en="read the dial on site and compare; check the meter's model, register address and data type",
)
_RATIO: Final = Phrase(
    zh="核对互感器变比、接线相序和缺相，与台账倍率比较",
    en="check transformer ratios, phase order and missing phases against the ledger's multiplier",
)
_GAIN: Final = Phrase(
    zh="与上级表、校核表比对；用标准表现场校验；查互感器二次回路和接线",
    en=(
        "compare with the parent or a check meter; test against a standard meter; "
        "check the secondary circuit and wiring"
    ),
)
_CONSTANT: Final = Phrase(
    zh="核对脉冲当量、量程和单位设置，与台账倍率比较",
    en="check pulse value, range and unit setting against the ledger's multiplier",
)
_FLOW: Final = Phrase(
    zh="与上级表、校核表比对；查安装（直管段、方向、满管）、磨损与堵塞、温度和压力补偿；必要时送检",
    en=(
        "compare with the parent or a check meter; check the installation (straight runs, direction, full pipe), wear "
        "and clogging, compensation of temperature and pressure; have it verified if need be"
    ),
)
_HEAT: Final = Phrase(
    zh="与上级表、校核表比对；查配对温度传感器、流量传感器的安装和堵塞；必要时送检",
    en=(
        "compare with the parent or a check meter; check the paired temperature sensors, and the flow sensor's "
        "installation and clogging; have it verified if need be"
    ),
)
_SCALE: Final = Phrase(
    zh="用标准砝码或实物复称；查零点、传感器和皮重设置",
    en="weigh standard weights or a known load; check zero, load cells and tare",
)
_WEIGHED: Final = frozenset({"coal", "coke"})
_ASK_READ: Final = Phrase(
    zh="请核对现场示值，并告知近期是否更换、检修过表计",
    en="please read the dial, and state whether the meter was changed or serviced",
)
_ASK_PATH: Final = Phrase(zh="请检查采集设备和通信是否正常", en="please check collector and communication")
_ASK_LOAD: Final = Phrase(
    zh="请告知近期生产或接线是否有变化", en="please state whether production or wiring has changed"
)

ADVICE: Final = MappingProxyType(
    {
        "gap": Advice(_DATA_PATH, _ASK_PATH),
        "silence": Advice(_DATA_PATH, _ASK_PATH),
        "stuck": Advice(
            Phrase(
                zh="看负荷是否真的为零；有负荷而示值不变，查计度器或采集缓存",
                en="see whether the load is really zero; if not, check the register or a cached value in the collector",
            ),
            _ASK_LOAD,
        ),
        "spike": Advice(_DIAL, _ASK_READ),
        "rollback": Advice(_DIAL, _ASK_READ),
        "reset": Advice(_DIAL, _ASK_READ),
        "zero_dip": Advice(_DIAL, _ASK_READ),
        "sentinel": Advice(_DIAL, _ASK_READ),
        "scale": Advice(_DIAL, _ASK_READ),
        "ratio": Advice(_RATIO, _ASK_LOAD),
        "clock": Advice(Phrase(zh="核对表计和采集器时钟", en="check the clocks of meter and collector"), _ASK_PATH),
        "duplicate": Advice(_DATA_PATH, _ASK_PATH),
        "undeclared_replacement": Advice(
            Phrase(
                zh="核对出厂编号与台账，补录拆表示值和装表示值",
                en="compare the serial number with the ledger; enter last and first reading",
            ),
            _ASK_READ,
        ),
        "jump": Advice(
            Phrase(
                zh="查明突增原因，并认定差值是否计入消费量",
                en="find out why, and decide whether the difference was used",
            ),
            _ASK_READ,
        ),
        "gain_step": Advice(_GAIN, _ASK_LOAD),
        "gain_drift": Advice(_GAIN, _ASK_LOAD),
        "balance_change": Advice(
            Phrase(
                zh="查是否新接或停用了未计量的负荷，再核对所列各表",
                en="look for a load that is not metered and came or went; then check the meters listed",
            ),
            _ASK_LOAD,
        ),
        "finding": Advice(
            Phrase(zh="按条款核对台账与现场配备", en="compare ledger and installation with the clause"),
            Phrase(zh="请按条款改正或补充台账", en="please correct it, or complete the ledger"),
        ),
        "verification": Advice(
            Phrase(zh="安排送检或现场检定/校准", en="arrange the verification or calibration"),
            Phrase(
                zh="请安排检定/校准，并在台账中更新证书",
                en="please arrange the verification or calibration and enter the certificate",
            ),
        ),
    }
)
"""By kind (`analytics.domain.words.KINDS` has the names)."""

PURPOSES: Final = MappingProxyType(
    {
        "raise": Phrase(zh="", en=""),
        "update": Phrase(zh="更新", en="update"),
        "escalate": Phrase(zh="无人受理，已升级", en="nobody answered: escalated"),
        "clear": Phrase(zh="已恢复", en="over"),
    }
)


def advice_on(kind: str, carrier: str) -> Advice:
    """What to check about a kind of fault at an instrument of this carrier: no transformers at a heat meter.

    Parameters
    ----------
    kind : str
        One of `ADVICE`.
    carrier : str
        One of `analytics.domain.words.CARRIERS`; '' where it is about several.

    Examples
    --------
    >>> advice_on("ratio", "electricity").check.en
    "check transformer ratios, phase order and missing phases against the ledger's multiplier"
    >>> advice_on("ratio", "hot_water").check.en
    "check pulse value, range and unit setting against the ledger's multiplier"
    """
    advice = ADVICE[kind]
    if carrier in {"", "electricity", "other"}:
        return advice
    if advice.check is _RATIO:
        return advice._replace(check=_SCALE if carrier in _WEIGHED else _CONSTANT)
    if advice.check is _GAIN:
        if carrier in _WEIGHED:
            return advice._replace(check=_SCALE)
        return advice._replace(check=_HEAT if carrier == "hot_water" else _FLOW)
    return advice
