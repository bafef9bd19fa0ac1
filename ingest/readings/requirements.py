"""What a reading must be, in Chinese: the texts are English on the wire and in the store, people may want either."""

import re
from typing import Final

from ingest.wire.times import TIME_REQUIRED

__all__ = ["A_TIME_THAT_HAS_COME", "KNOWN_UNIT", "OF_LEDGER", "THERE", "UNIT_OF_LEDGER", "in_chinese"]

OF_LEDGER: Final = "a meter of the ledger"
UNIT_OF_LEDGER: Final = "a unit of the ledger"
KNOWN_UNIT: Final = "a unit such as kWh, m3 or GJ"
A_TIME_THAT_HAS_COME: Final = "a time that has come"
THERE: Final = "a time at which the ledger has the meter"

_WHOLE: Final = {
    OF_LEDGER: "是台账中的器具",
    UNIT_OF_LEDGER: "是台账中的用能单位",
    KNOWN_UNIT: "是 kWh、m3、GJ 等计量单位",
    A_TIME_THAT_HAS_COME: "不晚于当前时间",
    THERE: "在台账所载的安装期间内",
    TIME_REQUIRED: "为带时区的 ISO 8601 时间，如 2026-11-21T08:15:00+08:00",
    "text": "为非空文本",
    "text or nothing": "为文本或空",
    "text without U+0000, U+001F": "为不含控制字符 U+0000、U+001F 的文本",
    "text in UTF-8": "为 UTF-8 文本",
    "a finite number": "为有限的数",
    "a whole number or nothing": "为整数或空",
    "an array": "为数组",
    "one reading": "为单个示值",
    "a JSON object": "为 JSON 对象",
    "JSON": "为 JSON",
    "JSON that is not nested so deeply": "为嵌套较浅的 JSON",
    "a JSON object or array, or a block": "为 JSON 对象、数组或数据块",
    "a reading with unit_code, meter_no, measured_at, value and unit": (
        "为含 unit_code、meter_no、measured_at、value、unit 的示值"
    ),
}
_WITH_FIGURES: Final = (
    (re.compile(r"a unit that converts to (\S+)"), r"为可换算成 \1 的计量单位"),
    (re.compile(r"(\d+) to (\d+)"), r"为 \1 至 \2"),
    (re.compile(r"(\d+) cells"), r"为 \1 个单元格"),
    (re.compile(r"at most (\d+) bytes"), r"不超过 \1 字节"),
    (re.compile(r"JSON with at most (\d+) commas; send blocks"), r"为不超过 \1 个逗号的 JSON；请改用数据块发送"),
)
_FIELD: Final = re.compile(r"(\w+|a reading): (.+)")


def in_chinese(required: str) -> str:
    """A requirement as it follows 要求 in a sentence; one that nobody has put into words stays as it is.

    Examples
    --------
    >>> in_chinese("value: a finite number")
    ' value 为有限的数'
    >>> in_chinese("a unit that converts to m3")
    '为可换算成 m3 的计量单位'
    """
    if required in _WHOLE:
        return _WHOLE[required]
    field = _FIELD.fullmatch(required)
    if field is not None:
        name = "示值" if field[1] == "a reading" else f" {field[1]} "
        return name + in_chinese(field[2]).lstrip()
    for form, text in _WITH_FIGURES:
        found = form.fullmatch(required)
        if found is not None:
            return found.expand(text)
    return f" {required}"
