"""What a ledger's cell must hold, in Chinese: one sentence for each that `analytics.domain.ledger` says in English."""

import re
from collections.abc import Callable, Sequence

from analytics.domain.ledger import COLUMNS
from analytics.domain.ledger.vocabulary import CHOICES

__all__ = ["in_chinese"]

Words = str | Callable[[re.Match[str]], str]


def _column(name: str) -> str:
    return COLUMNS[name].chinese if name in COLUMNS else name


_LEVELS = {"unit": "进出用能单位", "sub_unit": "进出主要次级用能单位", "equipment": "主要用能设备"}


def _choices(match: re.Match[str]) -> str:
    return "为下列之一：" + "、".join(re.findall(r"\(([^()]*)\)", match[0]))


_SENTENCES: Sequence[tuple[str, Words]] = (
    (r"nothing", "空"),
    (r"no such row", "无此行"),
    (r"no such column", "无此列"),
    (r"nothing, beside (.*)", lambda m: "空，但填有" + "、".join(_column(name) for name in m[1].split(", "))),
    (r"(.+) and (.+)", lambda m: f"{m[1]} 与 {m[2]}"),
    (r"(\d+) cells", lambda m: f"{m[1]} 个单元格"),
    (r"(\d+) faults", lambda m: f"{m[1]} 处错误"),
    (r"bytes that are neither", "两者都不是"),
    (r"an old \.xls workbook", "旧版 .xls 工作簿"),
    (r"none", "没有"),
)
_REQUIRED: Sequence[tuple[str, Words]] = (
    (r"text without control characters", "不含控制字符的文本"),
    (r"a value \(the sheet's formula has an error\)", "有效值（单元格公式有错误）"),
    (
        r"a value \(the formula was never calculated.*\)",
        "有效值（公式未计算，请用表格软件打开并保存）",
    ),
    (r"text of at most (\d+) characters", lambda m: f"不超过 {m[1]} 个字符的文本"),
    (r"text \(set the cell's format to text\)", "文本（请将单元格格式设为文本）"),
    (r"text", "文本"),
    (r"a code kept as text \(as a number.*\)", "文本格式的编号（按数值保存会丢失第15位以后的数字）"),
    (r"a code kept as text \(a spreadsheet.*\)", "文本格式的编号（已被表格软件变为科学计数法）"),
    (r"a number such as 1234\.5", "数字，如 1234.5"),
    (r"a finite number", "有限的数"),
    (r"a number above 0, at most (\S+)", lambda m: f"大于0且不超过 {m[1]} 的数"),
    (r"a number from 0 to (\S+)", lambda m: f"0 至 {m[1]} 的数"),
    (r"a number above 0, from (\S+) to (\S+)", lambda m: f"{m[1]} 至 {m[2]} 的数"),
    (r"a number above 0, or ratios of transformers.*", "大于0的数，或互感器变比，如 200/5、10000/100×200/5"),
    (r"a longitude in decimal degrees.*", "十进制度的经度，−180 至 180，如 118.7969"),
    (r"a latitude in decimal degrees.*", "十进制度的纬度，−90 至 90，如 32.0603（是否误填为经度？）"),
    (r"a latitude where longitude is given", "填有经度时必须填写纬度"),
    (r"a longitude where latitude is given", "填有纬度时必须填写经度"),
    (r"a place on land: leave both cells empty.*", "陆地上的位置；不知道时经度、纬度都留空"),
    (r"whole months, such as 12", "整月数，如 12"),
    (r"whole months from 1 to (\d+)", lambda m: f"1 至 {m[1]} 的整月数"),
    (r"seconds, such as 900", "秒数，如 900"),
    (r"seconds above 0, at most (\d+).*", lambda m: f"大于0且不超过 {m[1]} 的秒数（366天）"),
    (r"a date such as (\S+)", lambda m: f"日期，如 {m[1]}"),
    (r"a date or time such as (\S+) or (.+)", lambda m: f"日期或时间，如 {m[1]} 或 {m[2]}"),
    (r"a date from (\d+) to (\d+)", lambda m: f"{m[1]} 至 {m[2]} 年的日期"),
    (r"yes or no \(是 or 否\)", "是或否"),
    (
        r"a unit such as kWh.*?(?: \((.*)\))?",
        lambda m: "计量单位，如 kWh、GJ、m3、t、×10 kWh" + (f"（{m[1]}）" if m[1] else ""),
    ),
    (r"an accuracy class such as.*", "准确度等级，如 0.5S、1.0、2.5"),
    (r"a value in every row", "每行都要填"),
    (r"a value in one of the point's rows", "该计量点至少一行要填"),
    (r"a value where meter_no is given", "填有管理编号的行必须填"),
    (r"a management number where a meter is described", "填有表计信息的行必须填管理编号"),
    (r"later than installed_from (.+)", lambda m: f"晚于启用日期 {m[1]}"),
    (r"an end where last_reading is given", "填有终止示值的行必须填停用日期"),
    (r"a dial value below full_scale (\S+)", lambda m: f"小于满度值 {m[1]} 的示值"),
    (r"a day after verified_on (.+)", lambda m: f"晚于检定日期 {m[1]}"),
    (
        r"verified_on (.+) and (\d+) months on, or the day before",
        lambda m: f"检定日期 {m[1]} 后 {m[2]} 个月的当日或前一日",
    ),
    (r"a reason where required is no", "“应配备”为否时必须填写免配原因"),
    (
        r"a unit of (\S+): one that converts to (.+)",
        lambda m: f"与能源种类相符的单位（可换算为 {m[2].replace(' or ', ' 或 ')}）",
    ),
    (r"an instrument that shows (.+)", lambda m: f"示值单位为 {m[1]} 的器具"),
    (r"a unit that converts to (\S+) as in row ([\d:]+)", lambda m: f"与第 {m[2]} 行一致、可换算为 {m[1]} 的单位"),
    (r"(.+) as in row ([\d:]+)", lambda m: f"与第 {m[2]} 行一致，为 {m[1]}"),
    (r"a name where level is (\S+)", lambda m: f"计量级别为{_LEVELS.get(m[1], m[1])}时必须填写"),
    (r"nothing where level is (\S+)", lambda m: f"计量级别为{_LEVELS.get(m[1], m[1])}时留空"),
    (r"a point of the same unit \(that one is of unit (.+)\)", lambda m: f"本单位的计量点（该点属于用能单位 {m[1]}）"),
    (r"a point of the same unit", "本单位已有的计量点"),
    (r"no way back to the point itself: a tree", "上下级关系不得成环"),
    (
        r"a parent of the same carrier \(that one's is (.+)\)",
        lambda m: f"能源种类相同的上级计量点（该点为 {_carrier(m[1])}）",
    ),
    (r"one row per installation \(row ([\d:]+) is the same\)", lambda m: f"一次安装只填一行（与第 {m[1]} 行相同）"),
    (
        r"one row per point without a meter \(row ([\d:]+) is the same\)",
        lambda m: f"未装表的计量点只填一行（与第 {m[1]} 行相同）",
    ),
    (
        r"a meter, or no such row: row ([\d:]+) has the point's meter",
        lambda m: f"填管理编号或删去本行：第 {m[1]} 行已有该点的表计",
    ),
    (
        r"one meter at a point at a time \(row ([\d:]+) (.+)\)",
        lambda m: f"同一计量点同一时间只有一块表（第 {m[1]} 行{_until(m[2])}）",
    ),
    (
        r"a meter at one point at a time \(row ([\d:]+) (.+)\)",
        lambda m: f"同一块表同一时间只在一个计量点（第 {m[1]} 行{_until(m[2])}）",
    ),
    (
        r"a serial number of its own \(row ([\d:]+) has it for another meter\)",
        lambda m: f"不重复的出厂编号（第 {m[1]} 行另一块表已用）",
    ),
    (r"a column (\S+) \((.+)\)", lambda m: f"有“{m[2]}”列"),
    (r"at least one row below the header", "表头下至少有一行"),
    (r"one column of this name", "该列只出现一次"),
    (r"at most (\d+) cells, as the header has", lambda m: f"不超过表头的 {m[1]} 个单元格"),
    (
        r"at most (\d+) faults a row in the first (\d+) rows.*",
        lambda m: f"前 {m[2]} 行中平均每行至多 {m[1]} 处错误（其余各行未检查）",
    ),
    (r"a header row with the ledger's columns.*", "有台账表头（用能单位代码、计量点编号、能源种类、管理编号……）"),
    (r"text in UTF-8 or GB 18030", "UTF-8 或 GB 18030 编码的文本"),
    (r"an \.xlsx or \.csv file \(save.*\)", ".xlsx 或 .csv 文件（请另存为 .xlsx）"),
    (r"a CSV record \(is a quotation mark missing\?\)", "完整的 CSV 记录（是否缺引号？）"),
    (r"a workbook that can be read", "可读取的工作簿"),
    (r"an \.xlsx workbook", ".xlsx 工作簿"),
    (r"one sheet with a ledger.*", "只有一张台账工作表，或各表以同一计量单位计（用 --sheet 指定一张）"),
    (
        r"the row of meter (.+) at point (.+) of unit (.+) from (\S+), loaded before .*",
        lambda m: (
            f"有此前已载入的一行：用能单位 {m[3]} 计量点 {m[2]} 的表计 {m[1]}（{m[4]} 起）；"
            f"拆除请填停用日期，录错请用 --correct"
        ),
    ),
    (
        r"point (.+) of unit (.+), loaded before .*",
        lambda m: f"有此前已载入的用能单位 {m[2]} 计量点 {m[1]}；不再需要计量的，请填“应配备”为否并写明原因",
    ),
    (r"\w+ \([^()]*\)(?:, \w+ \([^()]*\))* or \w+ \([^()]*\)", _choices),
)


def _until(text: str) -> str:
    if text == "has no end":
        return "未填停用日期"
    return "止于 " + text.removeprefix("ends ")


def _carrier(name: str) -> str:
    words = CHOICES["carrier"].get(name)
    return words[0] if words else name


def in_chinese(text: str) -> str:
    """A requirement, or what stands there instead, in Chinese; the text itself where it is a cell of the file.

    Examples
    --------
    >>> in_chinese("a number such as 1234.5"), in_chinese("'tea'")
    ('数字，如 1234.5', "'tea'")
    """
    if text.startswith(("'", '"')) and " and " not in text and " as in row " not in text:
        return text
    for pattern, words in (*_REQUIRED, *_SENTENCES):
        match = re.fullmatch(pattern, text, re.DOTALL)
        if match is not None:
            return words if isinstance(words, str) else words(match)
    return text
