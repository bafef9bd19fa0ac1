"""One concept, one Chinese and one English name."""

import ast
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import pytest

from analytics.alerting.signal import KINDS as ALERT_KINDS
from analytics.alerting.vocabulary import ADVICE
from analytics.domain import words
from analytics.domain.finding import Verdict
from analytics.domain.quality import DetectionKind, HourFlag, RejectReason
from analytics.domain.severity import Severity
from analytics.domain.units import CARRIERS as CARRIER_CODES
from analytics.domain.units import parse_unit
from analytics.domain.words import KINDS, MEASURES, QUALITY, REJECT_REASONS, TABLES, Phrase, due_phrase

ROOT = Path(__file__).parents[3]
PRODUCT = ("analytics", "ingest", "streams", "dashboards", "deploy")
TERMS = {
    "gap": "数据缺失",
    "silence": "无上报",
    "stuck": "停走",
    "spike": "示值跳变",
    "rollback": "示值倒走",
    "reset": "示值清零",
    "zero_dip": "示值瞬时归零",
    "scale": "数量级错误",
    "ratio": "倍率或接线错误",
    "gain_step": "计量偏差突变",
    "gain_drift": "计量偏差渐变",
    "undeclared_replacement": "疑似换表未登记",
    "rollover": "计度器过零（满度翻转）",
}
"""Typed from the list of the trade's words."""
INSTEAD_OF = (
    "缺数", "走字卡停", "卡停", "突跳", "示值倒退", "示值归零", "变比或缺相", "误差突变", "误差漂移", "计量缓慢漂移",
    "未报备换表", "差额占上级", "有问题", "需人工判定", "报警", "案件", "立案", "结案", "把握", "暂代",
    "用量", "未计入的示值差",
)  # fmt: skip
"""What the trade does not say, or says of something else."""
SPELLINGS = {
    "analytics/domain/ledger/vocabulary.py",
    "analytics/domain/ledger/schema.py",
    "analytics/standards/exemptions.py",
    "analytics/standards/purpose.py",
    "ingest/ledgers/headers.py",
    "ingest/readings/words.py",
}
"""What a cell may say: other spellings belong there."""


def literals() -> Iterator[tuple[str, int, str]]:
    """Texts of the product with Chinese in them: file, line, text."""
    for package in PRODUCT:
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if name in SPELLINGS:
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and is_chinese(node.value):
                    yield name, node.lineno, node.value


def is_chinese(text: str) -> bool:
    """Whether a text is Chinese, and not English that quotes some."""
    return 2 * len(re.findall("[一-鿿]", text)) > len(re.findall("[A-Za-z]", text))


@pytest.mark.parametrize(
    ("codes", "table"), [(DetectionKind, KINDS), (RejectReason, REJECT_REASONS), (HourFlag, QUALITY)]
)
def test_every_code_has_a_name(codes: type[Enum], table: dict[str, Phrase]) -> None:
    assert {str(code.name).lower() for code in codes} <= set(table)


def test_severities_verdicts_states_and_carriers_have_a_name() -> None:
    assert set(words.SEVERITIES) == set(Severity)
    assert set(words.VERDICTS) == set(Verdict)
    assert set(words.CARRIERS) == set(CARRIER_CODES)
    assert set(words.STATES) == {"compliant", "findings", "serious", "unknown"}
    assert set(ALERT_KINDS) <= set(KINDS)
    assert set(ALERT_KINDS) == set(ADVICE)
    assert set(words.LEVELS) == {"unit", "sub_unit", "equipment"}
    assert set(words.CASE_STATES) == {"open", "dispatched", "on_site", "verdict", "ordered", "recheck", "closed"}


def test_units_of_measurement_are_known_to_the_tables() -> None:
    symbols = [one for one in MEASURES if one not in {"kVA", "kgce", "tce", "h", "s"}]
    assert [
        parse_unit(MEASURES[symbol].zh.removesuffix("（标准状态）")).symbol for symbol in symbols if symbol != "Nm3"
    ] == [symbol for symbol in symbols if symbol != "Nm3"]


def test_kinds_have_the_names_of_the_trade() -> None:
    assert {kind: KINDS[kind].zh for kind in TERMS} == TERMS


@pytest.mark.parametrize("table", TABLES)
def test_no_two_codes_of_a_table_have_one_name(table: str) -> None:
    names = TABLES[table]
    assert len({one.zh for one in names.values()}) == len({one.en for one in names.values()}) == len(names)


def test_words_that_the_trade_does_not_use_are_not_used() -> None:
    wrong = [(*where, word) for *where, text in literals() for word in INSTEAD_OF if word in text]
    assert not wrong


def test_chinese_has_full_width_punctuation() -> None:
    han = "[一-鿿）》”]"
    half = re.compile(rf"{han}[,;:!?]|[,;!?](?={han})|{han}\(|\([^()]*{han}[^()]*\)")
    # what people write in their ledgers is recognised there, however they punctuate it; nobody is shown it
    typed = {
        *("ingest/ledgers/headers.py", "ingest/ledgers/inference.py"),
        *("ingest/readings/times.py", "ingest/readings/turned.py"),
    }
    assert not [(*where, text) for *where, text in literals() if where[0] not in typed and half.search(text)]


def test_a_kind_is_named_nowhere_else() -> None:
    """No file but the word table gives a kind of fault a Chinese name of its own."""
    other = []
    for package in PRODUCT:
        for path in (ROOT / package).rglob("*.py"):
            if path.name == "words.py" and path.parent.name == "domain":
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not isinstance(node, ast.Dict):
                    continue
                named = {key.value for key in node.keys if isinstance(key, ast.Constant)} & set(TERMS)
                for key, value in zip(node.keys, node.values, strict=True):
                    if len(named) > 2 and isinstance(key, ast.Constant) and key.value in TERMS:
                        zh = [sub.value for sub in ast.walk(value) if isinstance(sub, ast.Constant)]
                        short = [one for one in zh if isinstance(one, str) and re.fullmatch("[一-鿿]{2,8}", one)]
                        other += [(path.name, node.lineno, one) for one in short if one != TERMS[key.value]]
    assert not other


def test_due_and_overdue_are_never_confused() -> None:
    assert due_phrase(-1).zh == "检定/校准已超期 1 天"
    assert due_phrase(0).zh == "检定/校准今日到期"
    assert "已超期" not in due_phrase(30).zh


def test_a_phrase_is_built_by_keyword() -> None:
    with pytest.raises(TypeError):
        Phrase("停走", "stuck")  # type: ignore[call-arg]
