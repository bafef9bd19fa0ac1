"""What the columns of the terminal's tables are called in Chinese; in English they have their own names."""

from typing import Final

from dashboards.text import COLUMNS as OF_BOARDS
from dashboards.web.words import COLUMNS as OF_PAGES
from dashboards.web.work_words import COLUMNS as OF_WORK

__all__ = ["heading"]

_OWN: Final = {
    "accuracy_class": "准确度等级",
    "action": "步骤",
    "at": "时间",
    "by_name": "办理人",
    "certificates": "证书数",
    "conclusion": "结论",
    "cycle": "近几次",
    "days_left": "剩余天数",
    "drawn": "抽中",
    "drawn_at": "抽取时间",
    "drawn_by": "抽取人",
    "due": "到期",
    "entered_by": "录入人",
    "facts": "详情",
    "failed": "不符合项",
    "id": "编号",
    "kafka_since": "Kafka 登录自",
    "kind": "检定/校准",
    "name": "名称",
    "note": "备注",
    "number": "证书编号",
    "origin": "来源",
    "overdue": "逾期",
    "place": "安装地点",
    "pool": "抽取范围",
    "repeats": "可复现",
    "scan": "扫描件",
    "seed": "种子",
    "since": "自",
    "tokens": "有效令牌",
    "units": "用能单位",
    "until": "至",
    "verification_due": "检定到期",
    "verified_on": "检定日期",
    "visited_on": "审查日期",
    "year": "年度",
}


def heading(column: str) -> str:
    """Chinese heading of a column; its own name where none is known."""
    found = OF_WORK.get(column) or OF_PAGES.get(column) or OF_BOARDS.get(column)
    return _OWN.get(column) or (column if found is None else found.zh)
