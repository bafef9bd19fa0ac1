"""Sheets and papers of a review: items for the visit, the year's register and summary, what is handed over."""

from collections.abc import Mapping, Sequence
from datetime import date, tzinfo
from pathlib import Path
from typing import Any, Final

from analytics.domain.ledger.cells import is_empty
from analytics.domain.spelling import word_key
from analytics.domain.words import VERDICTS, Phrase
from analytics.review.process import CONCLUSIONS, ORIGINS, RESULTS, STATES, Recorded, Review, ReviewRefused
from analytics.standards.review import ReviewResult
from dashboards.reports.papers import new_paper, paper_table, signed, written_day
from dashboards.reports.sheet import add_sheet, empty_book, speaker, table_of

__all__ = ["items_in", "write_handover", "write_items", "write_year"]

_RESULT_WORDS: Final = {word_key(said): code for code, one in RESULTS.items() for said in (code, one.zh, one.en)}

_CHINESE: Final = speaker("zh")


def write_items(
    path: Path,
    title: str,
    sheet: ReviewResult,
    recorded: Mapping[int, Recorded],
    photos: Sequence[Mapping[str, Any]],
    foot: str,
) -> None:
    """The sheet of items with what the data say, to be filled in on site and read back by `items_in`."""
    taken: dict[int, list[str]] = {}
    for photo in photos:
        taken.setdefault(photo["item"], []).append(f"{photo['id']} {photo['name']}")

    def found(item: int) -> Recorded:
        return recorded.get(item, Recorded(result=""))

    table = table_of(
        _CHINESE,
        sheet.results,
        ("item", "序号", lambda one: one.item.number),
        ("clause", "条款", lambda one: one.item.clause),
        ("subject (of its group)", "审查内容（所属组）", lambda one: one.item.subject.zh),
        ("how to check (proposed)", "核查方法（建议）", lambda one: one.item.how.zh),
        ("evidence", "已有证据", lambda one: one.why.zh),
        ("verdict of the platform", "平台判定", lambda one: VERDICTS[one.verdict].zh),
        ("result", "结论", lambda one: _result(found(one.item.number))),
        ("remark", "备注", lambda one: found(one.item.number).remark),
        ("photos", "照片", lambda one: "；".join(taken.get(one.item.number, []))),
    )
    book = empty_book()
    add_sheet(book, "现场审查表", *table, title=title, foot=foot)
    book.save(path)


def _result(recorded: Recorded) -> str:
    return RESULTS[recorded.result].zh if recorded.result else ""


def items_in(rows: Sequence[Sequence[object]]) -> dict[int, Recorded]:
    """What was filled in of a sheet of items; items without a result are left out.

    Raises
    ------
    ReviewRefused
        With every cell that cannot be understood.
    """
    at = next((i for i, row in enumerate(rows) if {"序号", "结论", "备注"} <= {str(cell) for cell in row}), None)
    if at is None:
        raise ReviewRefused("the sheet must have the heads 序号, 结论 and 备注 (got none)")
    place = {str(cell): i for i, cell in enumerate(rows[at])}
    found, faults = {}, []
    for number, row in enumerate(rows[at + 1 :], at + 2):
        cells = {name: row[place[name]] if place[name] < len(row) else None for name in ("序号", "结论", "备注")}
        if is_empty(cells["结论"]) or is_empty(cells["序号"]):
            continue
        item = str(cells["序号"]).removesuffix(".0")
        result = _RESULT_WORDS.get(word_key(str(cells["结论"])))
        if not item.isdecimal() or result is None:
            wanted = "结论 must be 符合、不符合 or 不适用 of an item"
            faults.append(f"row {number}: {wanted} (got {item!r}: {cells['结论']!r})")
        elif int(item) in found:
            faults.append(f"row {number}: item {item} must stand once")
        else:
            remark = "" if is_empty(cells["备注"]) else str(cells["备注"]).strip()
            found[int(item)] = Recorded(result=result, remark=remark)
    if faults:
        raise ReviewRefused("\n".join(faults))
    return found


def write_year(path: Path, year: int, rows: Sequence[Mapping[str, Any]], units: int, day: date) -> Mapping[str, int]:
    """The year's summary and register; the figures of the summary.

    Parameters
    ----------
    rows : sequence of mapping
        The register, as `streams.store.review.reviews.of_year` gives it.
    units : int
        Of the region, reviewed or not.
    """
    figures = _figures(rows)
    reviewed = len({row["unit_code"] for row in rows if row["concluded_on"]})
    good = figures["meets"] + figures["basic"]
    lines: list[tuple[str, object]] = [
        ("用能单位总数", units),
        ("列入计划或抽中", figures["planned"]),
        ("其中随机抽查", figures["drawn"]),
        ("已审查（有结论）", figures["concluded"]),
        ("其中符合要求", figures["meets"]),
        ("其中基本符合要求", figures["basic"]),
        ("其中不符合要求", figures["fails"]),
        ("合格率 %（符合与基本符合占已审查）", _share(good, figures["concluded"])),
        ("责令整改", figures["ordered"]),
        ("已整改办结", figures["corrected"]),
        ("逾期未办", figures["overdue"]),
        ("移送处理", figures["handed_over"]),
        ("审查覆盖率 %（已审查单位占总数）", _share(reviewed, units)),
    ]
    book = empty_book()
    add_sheet(
        book, "年度汇总", ("项目", "数值"), lines, title=f"{year} 年能源计量审查情况汇总", foot=f"统计日期：{day}"
    )
    register = table_of(
        _CHINESE,
        rows,
        ("number", "编号", lambda row: row["id"]),
        ("unit code", "统一社会信用代码", lambda row: row["unit_code"]),
        ("unit", "用能单位", lambda row: row["unit_name"]),
        ("origin", "来源", lambda row: ORIGINS[row["origin"]].zh),
        ("state", "状态", lambda row: STATES[row["state"]].zh),
        ("visited on", "审查日期", lambda row: row["visited_on"]),
        ("conclusion", "结论", lambda row: CONCLUSIONS[row["conclusion"]].zh if row["conclusion"] else ""),
        ("items that fail", "不符合项", lambda row: row["failed"] if row["concluded_on"] else None),
        ("concluded on", "结论日期", lambda row: row["concluded_on"]),
        ("term", "期限", lambda row: row["due"]),
        ("overdue", "是否逾期", lambda row: "是" if row["overdue"] else ""),
        ("corrected on", "整改完成", lambda row: row["corrected_on"]),
        ("checked again on", "复查日期", lambda row: row["rechecked_on"]),
        ("closed on", "办结日期", lambda row: row["closed_on"]),
    )
    add_sheet(book, "审查登记表", *register, title=f"{year} 年能源计量审查登记表")
    book.save(path)
    return figures


def _figures(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    concluded = [row for row in rows if row["concluded_on"]]
    return {
        "planned": len(rows),
        "drawn": sum(row["origin"] == "draw" for row in rows),
        "concluded": len(concluded),
        **{name: sum(row["conclusion"] == name for row in concluded) for name in CONCLUSIONS},
        "ordered": sum(row["failed"] > 0 for row in concluded),
        "corrected": sum(row["failed"] > 0 and row["state"] == "closed" for row in concluded),
        "overdue": sum(bool(row["overdue"]) for row in rows),
        "handed_over": sum(row["state"] == "handed_over" for row in rows),
    }


def _share(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 2) if whole else None


def write_handover(
    path: Path,
    review: Review,
    facts: Mapping[str, Any],
    recorded: Mapping[int, Recorded],
    subjects: Mapping[int, Phrase],
    photos: Sequence[Mapping[str, Any]],
    steps: Sequence[Mapping[str, Any]],
    zone: tzinfo,
) -> None:
    """What is handed over with a unit that did not correct or refused: what was found and done, with its proof."""
    paper = new_paper("能源计量审查移送材料", f"审查编号 {facts['id']}（{facts['year']} 年）")
    paper.add_paragraph(f"被审查单位：{facts['unit_name']}（统一社会信用代码：{facts['unit_code']}）")
    team = "、".join((review.leader, *review.members)) or "____________"
    paper.add_paragraph(f"审查日期：{written_day(review.visited_on)}    审查组：{team}")
    conclusion = CONCLUSIONS[review.conclusion].zh if review.conclusion else "尚无结论"
    rules = facts["rules"] or "____________"
    paper.add_paragraph(f"审查依据：{rules}。结论：{conclusion}（不符合 {review.failed} 项）。")
    paper.add_paragraph(f"移送原因：{review.reason}")
    paper.add_paragraph("移送依据：____________")
    paper.add_heading("一、不符合项", level=2)
    failed = [
        (str(item), subjects[item].zh if item in subjects else "", one.remark)
        for item, one in sorted(recorded.items())
        if one.result == "fail"
    ]
    paper_table(paper, ("项号", "审查内容（所属组）", "现场情况"), failed or [("", "无", "")], (1.4, 6.2, 8.6))
    paper.add_heading("二、办理经过", level=2)
    course = [
        (f"{one['at'].astimezone(zone):%Y-%m-%d %H:%M}", one["by_name"], _action(one["action"]), one["note"])
        for one in steps
    ]
    paper_table(paper, ("时间", "办理人", "事项", "说明"), course, (3.2, 2.6, 3.0, 7.4))
    paper.add_heading("三、证据清单", level=2)
    proof = [(str(one["id"]), str(one["item"]), one["name"], one["sha256"]) for one in photos]
    paper_table(paper, ("编号", "项号", "文件", "SHA-256"), proof or [("", "", "无", "")], (1.4, 1.4, 4.4, 9.0))
    signed(paper, "移送人", "接收人")
    paper.save(str(path))


_ACTIONS: Final = {
    "plan": "列入计划",
    "open": "组成审查组",
    "papers": "收到材料",
    "record": "记录审查项",
    "photo": "留存照片",
    "conclude": "作出结论",
    "corrected": "报告整改完成",
    "recheck": "复查",
    "hand_over": "移送",
}


def _action(code: str) -> str:
    return _ACTIONS.get(code, code)
