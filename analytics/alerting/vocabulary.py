"""How messages call things, Chinese and English."""

from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["CASE_WORDS", "EVIDENCE", "KIND_WORDS", "PURPOSES", "SEVERITY_WORDS", "VERDICTS", "KindWords"]


class KindWords(NamedTuple):
    """A kind of fault: its name, what to check, and how an enterprise is asked about it."""

    zh: str
    en: str
    check_zh: str
    check_en: str
    ask_zh: str
    ask_en: str


_DATA_PATH = (
    "先看采集器、网关和通信,再看表计供电;同一单位多块表同时无数据,多为网关或线路",
    "look at collector, gateway and network first, then the meter's supply; many meters at once mean a gateway or line",
)
_DIAL = (
    "现场抄读表计示值,与平台示值核对;查表计型号、寄存器地址和数据类型",
    "read the dial on site and compare; check the meter's model, register address and data type",
)
_RATIO = (
    "核对互感器变比、接线相序和缺相,与台账倍率比较",
    "check transformer ratios, phase order and missing phases against the ledger's multiplier",
)
_GAIN = (
    "与上级表、校核表比对;用标准表现场校验;查互感器二次回路和接线",
    "compare with the parent or a check meter; test against a standard meter; check the secondary circuit and wiring",
)
_ASK_READ = (
    "请核对现场示值,并告知近期是否更换、检修过表计",
    "please read the dial, and tell whether the meter was changed or serviced",
)
_ASK_PATH = ("请检查采集设备和通信是否正常", "please check collector and communication")
_ASK_LOAD = ("请告知近期生产或接线是否有变化", "please tell whether production or wiring has changed")

KIND_WORDS: Final = MappingProxyType(
    {
        "gap": KindWords("数据缺失", "readings missing", *_DATA_PATH, *_ASK_PATH),
        "silence": KindWords("无数据", "no readings", *_DATA_PATH, *_ASK_PATH),
        "stuck": KindWords(
            "示值不变",
            "stuck register",
            "看负荷是否真的为零;有负荷而示值不变,查计度器或采集缓存",
            "see whether the load is really zero; if not, check the register or a cached value in the collector",
            *_ASK_LOAD,
        ),
        "spike": KindWords("示值跳变", "spike", *_DIAL, *_ASK_READ),
        "rollback": KindWords("示值倒走", "register ran back", *_DIAL, *_ASK_READ),
        "reset": KindWords("示值归零", "register reset", *_DIAL, *_ASK_READ),
        "zero_dip": KindWords("瞬时归零", "transient zero", *_DIAL, *_ASK_READ),
        "sentinel": KindWords("错误码示值", "error code as value", *_DIAL, *_ASK_READ),
        "scale": KindWords("数量级错误", "wrong power of ten", *_DIAL, *_ASK_READ),
        "ratio": KindWords("倍率或接线错误", "wrong ratio or wiring", *_RATIO, *_ASK_LOAD),
        "clock": KindWords(
            "时钟偏差", "clock shift", "核对表计和采集器时钟", "check the clocks of meter and collector", *_ASK_PATH
        ),
        "duplicate": KindWords("重复数据", "duplicate readings", *_DATA_PATH, *_ASK_PATH),
        "undeclared_replacement": KindWords(
            "疑似换表未登记",
            "meter replaced, not in the ledger",
            "核对表号与台账,补录拆表示值和装表示值",
            "compare the meter's number with the ledger; enter last and first reading",
            *_ASK_READ,
        ),
        "gain_step": KindWords("计量偏差突变", "step in the meter's gain", *_GAIN, *_ASK_LOAD),
        "gain_drift": KindWords("计量缓慢漂移", "slow drift of the meter's gain", *_GAIN, *_ASK_LOAD),
        "finding": KindWords(
            "不符合 GB 17167",
            "breaks GB 17167",
            "按条款核对台账与现场配备",
            "compare ledger and installation with the clause",
            "请按条款整改或补充台账",
            "please correct it, or complete the ledger",
        ),
        "verification": KindWords(
            "检定即将到期",
            "verification due",
            "安排送检或现场检定",
            "arrange the verification",
            "请安排检定,并在台账中更新证书",
            "please arrange the verification and enter the certificate",
        ),
    }
)

SEVERITY_WORDS: Final = MappingProxyType(
    {"serious": ("严重", "serious"), "warning": ("警告", "warning"), "info": ("提示", "info")}
)
PURPOSES: Final = MappingProxyType(
    {
        "raise": ("", ""),
        "update": ("更新", "update"),
        "escalate": ("无人受理,已升级", "nobody answered: escalated"),
        "clear": ("已恢复", "over"),
    }
)
VERDICTS: Final = MappingProxyType(
    {
        "faulty": ("表计故障", "meter faulty"),
        "sound": ("表计正常", "meter sound"),
        "load_changed": ("负荷变化", "load changed"),
        "data_path": ("采集通道故障", "data path faulty"),
    }
)
CASE_WORDS: Final = MappingProxyType(
    {
        "open": ("待派单", "to be dispatched"),
        "dispatched": ("待到场", "visit pending"),
        "on_site": ("待结论", "verdict pending"),
        "verdict": ("待责令整改或结案", "to be ordered or closed"),
        "ordered": ("待整改", "correction pending"),
        "recheck": ("待复查", "re-check pending"),
        "closed": ("已结案", "closed"),
    }
)
EVIDENCE: Final = MappingProxyType(
    {
        "before": ("之前示值", "before"),
        "at": ("当时示值", "at"),
        "after": ("之后示值", "after"),
        "n": ("次数", "count"),
        "scale": ("10 的幂", "power of ten"),
        "amount": ("电(能)量", "amount"),
        "what": ("说明", "what"),
        "dial": ("示值", "dial"),
        "dial_afterwards": ("之后示值", "dial afterwards"),
        "readings_at_that_value": ("相同示值次数", "readings at that value"),
        "usual_use_in_that_time": ("同期通常用量", "usual use in that time"),
        "surprise": ("异常程度", "surprise"),
        "most_surprising_before": ("以往最高异常程度", "most surprising before"),
        "usual_lateness_s": ("通常延迟(秒)", "usual lateness, s"),
        "lateness_s": ("现延迟(秒)", "lateness, s"),
        "uploads_that_agree": ("一致的上传次数", "uploads that agree"),
        "proven": ("已证实", "proven"),
        "readings": ("读数次数", "readings"),
        "required": ("要求", "required"),
        "found": ("实际", "found"),
        "clause": ("条款", "clause"),
        "edition": ("版本", "edition"),
        "verification_due": ("有效期至", "valid until"),
        "days_left": ("剩余天数", "days left"),
        "likely": ("可能原因", "likely"),
        "counted_kwh": ("计得 kWh", "counted kWh"),
        "expected_kwh": ("应为 kWh", "expected kWh"),
        "ratio": ("比值", "ratio"),
        "ratio_low": ("比值下限(95%)", "ratio from (95 %)"),
        "ratio_high": ("比值上限(95%)", "to"),
        "windows": ("比对时段数", "windows compared"),
        "power": ("功率", "power"),
    }
)
