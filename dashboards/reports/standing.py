"""The standing of units over the years as a file with its own description, for credit records (信用记录)."""

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from ingest.files.text_cells import csv_text

__all__ = ["COLUMNS", "write_standing"]

COLUMNS: Final[Mapping[str, tuple[str, str, str]]] = {
    "unit_code": ("统一社会信用代码", "unified social credit code", "text"),
    "unit_name": ("用能单位", "name", "text"),
    "year": ("年度", "year", "integer"),
    "as_of": ("判定日（当年最后一次）", "day of the last judgement of the year", "date"),
    "edition": ("判定依据", "edition judged by", "text"),
    "state": ("状态：compliant 符合、findings 有不符合项、serious 有严重不符合项、unknown 待人工核查", "state", "text"),
    "grade": (
        "分类监管等级；空为暂不能评定",
        "grade of supervision; empty where it hangs on what is not known",
        "text",
    ),
    "findings": ("不符合项", "findings that do not conform", "integer"),
    "serious": ("其中严重", "of them serious", "integer"),
    "person": ("待人工核查", "open questions", "integer"),
    "meters": ("在用器具", "meters in use", "integer"),
    "meters_overdue": ("检定超期器具", "meters past their verification", "integer"),
    "reviews": ("能源计量审查次数", "reviews by the authority", "integer"),
    "conclusion": (
        "最近一次审查结论：meets 符合、basic 基本符合、fails 不符合；空为无结论",
        "conclusion of the last review; empty where there is none",
        "text",
    ),
    "failed": ("审查不符合项", "items of reviews that did not conform", "integer"),
    "ordered": ("责令整改次数", "orders to correct", "integer"),
    "corrected": ("已整改办结", "corrected and closed", "integer"),
    "overdue": ("整改或复查逾期", "past their term", "integer"),
    "handed_over": ("移送处理次数（逾期不改、拒绝）", "handed over: not corrected, or refused", "integer"),
    "reason": ("移送原因", "reason of handing over", "text"),
    "self_checked": ("当年自查已签字", "self-check of the year signed", "boolean"),
}
"""Name of each column in Chinese and English, and its type."""


def write_standing(path: Path, rows: Sequence[Mapping[str, Any]], made_at: datetime, by: str) -> Path:
    """Write the rows (.csv, UTF-8 with a mark) and, beside them, what they mean (.json); the description's path."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([_cell(row[name]) for name in COLUMNS] for row in rows)
    description = {
        "title": {"zh": "用能单位能源计量状况（分年度）", "en": "standing of units in energy metering, by year"},
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "encoding": "UTF-8 with byte order mark, CSV (RFC 4180)",
        "rows": len(rows),
        "made_at": made_at.isoformat(timespec="seconds"),
        "made_by": by,
        "source": {
            "zh": "判定结果取自每年最后一个判定日；审查情况取自审查登记。空值表示未知，不是零。",
            "en": "judgements are those of the last day judged in each year, reviews those of the register; "
            "an empty cell is not known, it is no zero",
        },
        "columns": [{"name": name, "zh": zh, "en": en, "type": kind} for name, (zh, en, kind) in COLUMNS.items()],
    }
    described = path.with_suffix(".json")
    described.write_text(json.dumps(description, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return described


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return csv_text(value)
    return value.isoformat() if isinstance(value, date) else value
