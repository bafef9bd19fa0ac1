"""Spellings that plants use in ledgers beside the form's own: synonyms, transformer ratios, words for "no date"."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from analytics.domain.ledger.cells import CellError, Parser, Taken
from analytics.domain.spelling import tidy
from analytics.domain.words import Phrase

__all__ = ["ALSO", "IN_USE", "NOTHING_WORDS", "in_digits", "multiplier", "taken_for"]

IN_USE: Final = "in_use"
"""Status of a meter of which the ledger says that it runs, not how its verification went."""

_LINES = """
level unit 一级 1级 i级 一级计量 一级表 总表 进厂 1 进厂总表 进厂表 总表计 进出厂 厂级 公司级 企业级 全厂
level sub_unit 二级 2级 ii级 二级计量 二级表 车间 2 车间级 分厂级
level equipment 三级 3级 iii级 三级计量 三级表 设备 3 设备级 重点设备 重点用能设备 主要设备
direction in 购入 外购 购进
direction out 外供 外销 转供 输出外供
carrier electricity 市电 外购电 外购电力 用电 电量 电力能源 power
carrier coal 无烟煤 烟煤 褐煤 洗精煤 动力煤
carrier refined_oil 柴油 汽油 煤油 轻柴油 0#柴油 0号柴油 diesel gasoline petrol
carrier natural_gas 管道天然气 天燃气
carrier steam 蒸气 饱和蒸汽 过热蒸汽 高压蒸汽 中压蒸汽 低压蒸汽 外购蒸汽 水蒸汽 水蒸气
carrier hot_water 高温热水 采暖热水
carrier water 自来水 新水 新鲜水 工业水 工业用水 生产用水 生活用水 生活水 地下水 井水 河水 取水 tapwater
carrier recoverable_residual_energy 余热 余压
instrument electricity 电表 电度表 智能电表 智能电能表 多功能电能表 多功能电表 关口表 三相电能表 单相电能表
instrument electricity 三相四线电能表 三相三线电能表
instrument electricity 有功电能表 电子式电能表 三相智能电能表 单相智能电能表 三相多功能电能表
instrument oil_flow 油流量计 油表 燃油流量计 加油机
instrument gas_flow 气体流量计 燃气流量计 天然气流量计 气表 煤气表 天然气表
instrument steam_flow 蒸汽表 蒸汽流量计
instrument water_flow 水流量计 超声波水表 电磁水表 智能水表 远传水表
instrument heat 热表 超声波热量表
instrument weighing 地磅 汽车衡 皮带秤 电子秤 轨道衡 电子汽车衡 秤 磅秤
instrument temperature 温度表 温度计 温度变送器
instrument pressure 压力表 压力变送器
status qualified 检定合格 校准合格
status limited 限用
status out_of_use 报废 封存 拆除 已拆除 停运 禁用 已停用
status in_use 在用 使用中 使用 正常 正常使用 运行 运行中 在运 完好 良好 投用 已投用 在线 正常运行 inuse running
status in_use active ok normal good
purpose trade 贸易结算用 结算
flag yes 应配 需要 ✓
flag no 不需要 不应配 免配
"""


def _also() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for line in _LINES.strip().splitlines():
        column, english, *words = line.split()
        known = found.setdefault(column, {})
        folded = tuple(unicodedata.normalize("NFKC", word).casefold() for word in words)
        known[english] = (*known.get(english, ()), *folded)
    return MappingProxyType(found)


ALSO: Mapping[str, Mapping[str, tuple[str, ...]]] = _also()
"""Further spellings of the columns that say one of a few words, by column and English word."""

_FOREVER = frozenset(["长期", "长期有效", "永久", "无期限", "长效", "longterm", "permanent", "unlimited"])
_ONCE = frozenset(["首检", "首次检定", "仅首检", "只首检", "首检不后续", "首次强制检定"])
_NO_END = frozenset(["至今", "现在", "在用", "使用中", "长期", "未停用", "present", "now"])
_NO_DUE = Phrase(en="long-term: no day is stated, so none is known", zh="“长期”未写明日期，按未知计")
NOTHING_WORDS: Final = (
    ("verification_due", _FOREVER, _NO_DUE),
    ("cycle_months", _FOREVER, _NO_DUE),
    ("cycle_months", _ONCE, Phrase(en="verified once: there is no cycle", zh="首次检定的器具没有检定周期")),
    ("installed_to", _NO_END, Phrase(en="still there", zh="仍在用")),
)
"""Words that stand for no date, by column, and what they are taken for."""

_DIGITS = str.maketrans("一二三四五", "12345")
_CHINESE_CLASS = re.compile(r"[一二三四五]\s*级")
_NOISE = re.compile(
    r"倍率|变比|倍|互感器|电流|电压|(?<![A-Za-z])(?:CT|PT|TA|TV)(?![A-Za-z])|[=:：\s]|/√3|/根号3|\([^()]*\)$",
    re.IGNORECASE,
)
_RATIO = re.compile(r"(\d+(?:\.\d+)?)(k?[AV])?/(\d+(?:\.\d+)?)(k?[AV])?", re.IGNORECASE)
_RATIO_REQUIRED = "a number above 0, or ratios of transformers such as 200/5 or 10000/100×200/5"


def in_digits(text: str) -> str:
    """A class written as a Chinese numeral, in digits; anything else as it is.

    Examples
    --------
    >>> in_digits("一级"), in_digits("0.5S级")
    ('1级', '0.5S级')
    """
    return text.translate(_DIGITS) if _CHINESE_CLASS.fullmatch(text) else text


def _ratio(text: str) -> float | None:
    """Ratio of transformers: ``200/5`` is 40, ``10kV/100V`` is 100; several are multiplied. None where it is none."""
    factor = 1.0
    for part in re.split(r"[×xX*;；、]", text):
        match = _RATIO.fullmatch(part)
        if match is not None:
            ratio = _of_transformer(*match.groups())
        elif re.fullmatch(r"\d+(?:\.\d+)?", part):
            ratio = float(part)
        elif not part:
            continue
        else:
            return None
        if ratio < 1:
            return None
        factor *= ratio
    return factor


def _of_transformer(first: str, first_unit: str | None, second: str, second_unit: str | None) -> float:
    above, below = first_unit or second_unit or "", second_unit or first_unit or ""
    scale = [1000.0 if unit.lower().startswith("k") else 1.0 for unit in (above, below)]
    return float(first) * scale[0] / (float(second) * scale[1]) if float(second) else 0.0


def multiplier(cell: object, plain: Parser) -> object:
    """Multiplier as a number, or as the ratios of its transformers, or with the word for it.

    Parameters
    ----------
    plain : Parser
        Reads a number in its bounds.
    """
    try:
        return plain(cell)
    except CellError as error:
        if not isinstance(cell, str):
            raise
        spaced = re.sub(r"(?<=\d)\s+(?=\d|[CPT][TAV])", "×", unicodedata.normalize("NFKC", cell).strip())
        text = _NOISE.sub("", re.sub(r"(?<=\d)\s*[:：]\s*(?=\d)", "/", spaced))
        factor = _ratio(text) if any(letter.isdigit() for letter in text) else None
        if factor is None or not 1e-6 <= factor <= 1e9:
            raise CellError(str(error) if "from" in str(error) else _RATIO_REQUIRED) from None
        return Taken(factor, Phrase(en=f"{cell.strip()} is {factor:.15g}", zh=f"{cell.strip()} 即 {factor:.15g}"))


def taken_for(words: frozenset[str], why: Phrase, parse: Parser) -> Callable[[object], object]:
    """Reads what `parse` reads, and takes some words for nothing."""

    def read(cell: object) -> object:
        if isinstance(cell, str) and "".join(tidy(cell).casefold().split()) in words:
            return Taken(None, why)
        return parse(cell)

    return read
