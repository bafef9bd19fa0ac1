"""Every requirement that a row of a file can miss has words in Chinese."""

import ast
import re
from pathlib import Path

import pytest

import ingest
from ingest.readings import UnreadableFile, open_readings
from ingest.readings.requirements import in_chinese
from ingest.wire import json_elements, json_format

PACKAGE = Path(ingest.__file__).parent
ALLOWED = re.compile(
    r"unit_code|meter_no|measured_at|received_at|value|unit|register|quality|readings|reading"
    r"|JSON|UTF|ISO|U\+[0-9A-F]+|kWh|m3|GJ|T08"
)


def required_of(module: object, name: str) -> list[str]:
    """Requirements of the refusals that a module makes, an example for what is filled in."""
    found = []
    for node in ast.walk(ast.parse((PACKAGE / "wire" / name).read_text("utf-8"))):
        if not isinstance(node, ast.Call) or ast.unparse(node.func) != "Refusal" or len(node.args) < 3:
            continue
        if isinstance(node.args[1], ast.Constant):
            found.append(str(node.args[1].value))
        elif isinstance(node.args[1], ast.JoinedStr):
            text = ""
            for part in node.args[1].values:
                if isinstance(part, ast.Constant):
                    text += str(part.value)
                elif isinstance(part, ast.FormattedValue):
                    said = ast.unparse(part.value)
                    text += str(getattr(module, said, "meter_no"))
            found.append(text)
    return found


@pytest.mark.parametrize(
    ("text", "zh"),
    [
        (
            "unit_code,meter_no,value,unit\n",
            "r.csv：须有列 unit_code, meter_no, measured_at, value, unit（缺少 measured_at；",
        ),
        ("时间,用量\n2026-11-21T08:15:00+08:00,7\n", "r.csv：需要表计示值（'用量' 是消费量，不是示值；"),
    ],
)
def test_a_file_that_cannot_be_readings_is_refused_in_one_language(tmp_path: Path, text: str, zh: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableFile) as told:
        open_readings(path, latest_us=0)
    assert told.value.zh.startswith(zh)
    assert not re.search("[\u4e00-\u9fff]", str(told.value).replace("用量", "")), (
        "the English has the file's words alone"
    )


def test_every_requirement_of_the_wire_is_told_in_chinese() -> None:
    found = required_of(json_elements, "json_elements.py") + required_of(json_format, "json_format.py")
    assert len(found) >= 15, "otherwise this test looks at the wrong place"
    left = {text: in_chinese(text) for text in found if re.search("[A-Za-z]", ALLOWED.sub("", in_chinese(text)))}
    assert left == {}


def test_what_the_ledger_requires_is_told_in_chinese_and_the_unknown_stays() -> None:
    assert in_chinese("a time at which the ledger has the meter") == "在台账所载的安装期间内"
    assert in_chinese("a unit that converts to m3") == "为可换算成 m3 的计量单位"
    assert in_chinese("6 cells") == "为 6 个单元格"
    assert in_chinese("something new") == " something new"
