"""Papers of supervision as files: order to correct, record of a visit, review report, yearly self-check.

Each is filled from what was judged; what only a person can say (signatures, dates, explanations) is a blank line. No
paper names a clause of law or a term that was not entered: the order to correct rests on the provision it is given.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor

from analytics.domain.finding import Finding, Verdict
from analytics.domain.words import VERDICTS
from analytics.standards.review import OPEN
from analytics.standards.scene import levels
from analytics.standards.words import clause_name
from dashboards.reports.content import UnitReport

__all__ = ["PAPERS", "PaperFacts", "new_paper", "paper_table", "signed", "write_paper", "written_day"]

_BLANK: Final = "____________"
_FONT: Final = "宋体"
_SELF_CHECK_ITEMS: Final = range(49, 53)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFacts:
    """What a paper needs beside the judgement; empty where it is to be filled in by hand.

    Attributes
    ----------
    number : str
        Of the paper.
    authority : str
        Who issues it.
    day : date
        On which it is made.
    due : date or None
        Until when is to be corrected.
    basis : str
        Provision that the order rests on, as the authority writes it.
    people : sequence of str
        Inspectors or reviewers.
    """

    number: str = ""
    authority: str = ""
    day: date
    due: date | None = None
    basis: str = ""
    people: Sequence[str] = ()


def write_paper(kind: str, report: UnitReport, facts: PaperFacts, path: Path) -> None:
    """Write a paper.

    Parameters
    ----------
    kind : str
        One of `PAPERS`.
    path : Path
        Of the ``.docx``; replaced where it exists.

    Raises
    ------
    ValueError
        If there is no such paper, or nothing that could be ordered to be corrected.
    """
    if kind not in PAPERS:
        raise ValueError(f"a paper must be one of {', '.join(PAPERS)} (got {kind!r})")
    title, fill = PAPERS[kind]
    paper = new_paper(title, facts.number, facts.authority)
    fill(paper, report, facts)
    paper.save(str(path))


def new_paper(title: str, number: str = "", authority: str = "") -> Any:
    """A paper with its title, and its number below."""
    paper = Document()
    _plain_style(paper)
    heading = paper.add_paragraph()
    heading.alignment = WD_ALIGN_PARAGRAPH.CENTER
    run = heading.add_run(title)
    run.bold, run.font.size = True, Pt(18)
    if number:
        below = paper.add_paragraph(number)
        below.alignment = WD_ALIGN_PARAGRAPH.CENTER
    paper.core_properties.title, paper.core_properties.author = title, authority
    return paper


def _plain_style(paper: Any) -> None:
    style = paper.styles["Normal"]
    style.font.name, style.font.size = _FONT, Pt(11)
    style.element.rPr.rFonts.set(qn("w:eastAsia"), _FONT)
    for level in (1, 2):
        heading = paper.styles[f"Heading {level}"]
        heading.font.name, heading.font.color.rgb, heading.font.size = _FONT, RGBColor(0, 0, 0), Pt(13)
        heading.element.rPr.rFonts.set(qn("w:eastAsia"), _FONT)
    section = paper.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2.4)
    _page_numbers(section)


def paper_table(paper: Any, heads: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float]) -> None:
    """A table with heads, its columns so wide. [cm]"""
    table = paper.add_table(rows=1, cols=len(heads), style="Table Grid")
    table.autofit = False
    for cell, head in zip(table.rows[0].cells, heads, strict=True):
        cell.text = ""
        cell.paragraphs[0].add_run(head).bold = True
    _on_each_page(table.rows[0])
    for row in rows:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = _CODES_IN_A_LIST.sub("、\u200b", text)
    for column, width in zip(table.columns, widths, strict=True):
        column.width = Cm(width)
    for row in table.rows:
        _on_one_page(row)
        for cell, width in zip(row.cells, widths, strict=True):
            cell.width = Cm(width)


_CODES_IN_A_LIST: Final = re.compile(r"(?<=[0-9A-Za-z])、(?=[0-9A-Za-z])")
"""Where a line may end in a list of codes; without a mark that nobody sees one ends within a code."""


def _on_one_page(row: Any) -> None:
    """Keep a row whole: its beginning and its end are read together."""
    row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))  # noqa: SLF001 - the library has no word for it


def _on_each_page(row: Any) -> None:
    """Let the heads stand above the table on each page that it goes on to."""
    mark = OxmlElement("w:tblHeader")
    mark.set(qn("w:val"), "true")
    row._tr.get_or_add_trPr().append(mark)  # noqa: SLF001 - the library has no word for it


def _page_numbers(section: Any) -> None:
    """第 N 页 in the foot of each page."""
    foot = section.footer.paragraphs[0]
    foot.alignment = WD_ALIGN_PARAGRAPH.CENTER
    foot.add_run("第 ")
    number = foot.add_run()
    for kind, text in (("begin", ""), ("", "PAGE"), ("end", "")):
        part = OxmlElement("w:instrText" if text else "w:fldChar")
        if text:
            part.text = text
        else:
            part.set(qn("w:fldCharType"), kind)
        number._r.append(part)  # noqa: SLF001 - likewise
    foot.add_run(" 页")


def _failed(report: UnitReport) -> Sequence[Finding]:
    return [one for one in report.findings if one.verdict is Verdict.FAIL]


def _open(report: UnitReport) -> Sequence[Finding]:
    return [one for one in report.findings if one.verdict is Verdict.PERSON]


def written_day(day: date | None) -> str:
    """A day as papers write it, a blank where there is none."""
    return f"{day.year}年{day.month}月{day.day}日" if day is not None else "____年__月__日"


def _places(one: Finding) -> Sequence[str]:
    return one.points or one.meters or ((one.point or one.meter_no),)


def _alike(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings of one clause, requirement and state of things together, in the order of the first of each."""
    found: dict[tuple[str, ...], list[Finding]] = {}
    for one in findings:
        key = (one.clause, one.verdict.value, one.edition, one.required.zh, one.found.zh)
        found.setdefault(key, []).append(one)
    return list(found.values())


def _about(alike: Sequence[Finding]) -> str:
    names = [name for one in alike for name in _places(one)]
    return "、".join(filter(None, dict.fromkeys(names)))  # all: what is not named is not ordered, and not looked at


def _step(alike: Sequence[Finding]) -> str:
    """What is to be done, for all of them."""
    one = alike[0]
    if len(alike) == 1:
        return one.next_step.zh
    return re.sub(rf"\s*(?<![\w-]){re.escape(one.meter_no or one.point)}(?![\w-])\s*", "左列器具", one.next_step.zh)


def _clause(one: Finding) -> str:
    """The clause, and whether it is one of the mandatory ones: an order rests on these."""
    name = clause_name(one.clause).zh
    return f"{name}（强制性）" if one.mandatory else name


def _evidence(why: str) -> str:
    """What is at hand; that a person has to look is the verdict, and no evidence."""
    return "无" if why == OPEN.zh else why


def _findings_table(paper: Any, findings: Sequence[Finding]) -> None:
    rows = [
        (str(i), _clause(alike[0]), alike[0].required.zh, alike[0].found.zh, _about(alike), _step(alike))
        for i, alike in enumerate(_alike(findings), 1)
    ]
    paper_table(paper, ("序号", "条款", "要求", "现状", "涉及", "改正措施"), rows, (1.0, 2.2, 3.6, 3.3, 3.0, 3.3))


def _basis(paper: Any, report: UnitReport) -> None:
    paper.add_paragraph(f"判定依据：{report.standing.edition_zh}。判定日：{written_day(report.as_of)}。")


def signed(paper: Any, *names: str) -> None:
    """Lines for signatures."""
    paper.add_paragraph()
    for name in names:
        paper.add_paragraph(f"{name}：{_BLANK}    日期：____年__月__日")


def _order(paper: Any, report: UnitReport, facts: PaperFacts) -> None:
    # figures of online monitoring and of a standard that was replaced are no ground for an order
    failed = [one for one in _failed(report) if one.edition == report.standing.edition]
    failed.sort(key=lambda one: not one.mandatory)
    if not failed:
        raise ValueError(f"an order to correct must have something that does not conform (unit {report.code} has none)")
    paper.add_paragraph(f"{report.name}（统一社会信用代码：{report.code}）：")
    kinds = len(_alike(failed))
    number = f"{kinds} 类共 {len(failed)} 项" if kinds < len(failed) else f"{kinds} 项"
    paper.add_paragraph(f"经核查，你单位能源计量器具的配备和使用有下列 {number}不符合要求：")
    _findings_table(paper, failed)
    paper.add_paragraph()
    paper.add_paragraph(
        f"依据{facts.basis or _BLANK}，责令你单位于{written_day(facts.due)}前改正，并将改正情况书面报告本机关。"
    )
    _basis(paper, report)
    paper.add_paragraph(f"联系人：{_BLANK}    联系电话：{_BLANK}")
    last = paper.add_paragraph(f"{facts.authority or _BLANK}（盖章）\n{written_day(facts.day)}")
    last.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    signed(paper, "送达人", "收件人")


def _visit(paper: Any, report: UnitReport, facts: PaperFacts) -> None:
    people = "、".join(facts.people) or _BLANK
    paper.add_paragraph(f"被核查单位：{report.name}（{report.code}）")
    paper.add_paragraph(f"核查日期：{written_day(facts.day)}    核查人员：{people}    单位陪同人员：{_BLANK}")
    _basis(paper, report)
    paper.add_heading("一、待核查事项", level=2)
    asked = [*_failed(report), *_open(report)]
    rows = [
        (str(i), VERDICTS[one.verdict].zh, one.required.zh, one.found.zh, _about(alike), "", "")
        for i, alike in enumerate(_alike(asked), 1)
        for one in alike[:1]
    ] or [("", "", "无", "", "", "", "")]
    heads = ("序号", "判定", "要求", "平台判定的现状", "涉及", "现场情况", "照片编号")
    paper_table(paper, heads, rows, (1.1, 1.7, 3.7, 3.3, 3.0, 2.7, 1.3))
    paper.add_heading("二、现场示值", level=2)
    meters = [(row.point, row.meter_no, row.serial_no, row.place, "", "") for row in report.meters if row.meter_no]
    of_meters = ("计量点", "用能单位管理编号", "出厂编号", "安装使用地点", "现场示值", "读取时间")
    paper_table(paper, of_meters, meters[:40], (2.4, 3.0, 2.8, 3.4, 2.6, 2.5))
    if len(meters) > 40:
        paper.add_paragraph(f"另有 {len(meters) - 40} 台未列出。")
    paper.add_heading("三、结论", level=2)
    paper.add_paragraph(f"{_BLANK}{_BLANK}{_BLANK}")
    signed(paper, "核查人员", "被核查单位")


def _rates(report: UnitReport) -> Sequence[Finding]:
    """Equipping rates from the unit's edge down."""
    found = [one for one in report.findings if one.rule == "rate"]
    return sorted(found, key=lambda one: (levels.index(one.level), one.carrier))


def _review(paper: Any, report: UnitReport, facts: PaperFacts) -> None:
    review = report.review
    paper.add_paragraph(f"被审查单位：{report.name}（{report.code}）")
    paper.add_paragraph(f"审查日期：{written_day(facts.day)}    审查组：{'、'.join(facts.people) or _BLANK}")
    _basis(paper, report)
    paper.add_heading("一、审查结论", level=2)
    number = report.judgement.standards.review.number
    paper.add_paragraph(
        f"按 {number} 逐项审查，不符合 {review.failed} 项，待审查人员判定 {review.open} 项。结论：{review.verdict.zh}。"
    )
    paper.add_heading("二、计量器具配备情况", level=2)
    rows = [
        (str(i), one.required.zh, one.found.zh, VERDICTS[one.verdict].zh) for i, one in enumerate(_rates(report), 1)
    ]
    paper_table(paper, ("序号", "要求", "现状", "判定"), rows, (1.2, 6.5, 6.5, 2.4))
    paper.add_heading("三、逐项审查", level=2)
    items = [
        (
            str(one.item.number),
            one.item.clause,
            one.item.subject.zh,
            _evidence(one.why.zh),
            VERDICTS[one.verdict].zh,
            "",
        )
        for one in review.results
    ]
    paper_table(paper, ("序号", "条款", "审查内容", "已有证据", "结论", "备注"), items, (1.1, 1.6, 4.4, 5.0, 2.3, 2.2))
    paper.add_heading("四、不符合项", level=2)
    if _failed(report):
        _findings_table(paper, _failed(report))
    else:
        paper.add_paragraph("无。")
    signed(paper, "审查组组长", "审查组成员", "被审查单位")


def _self_check(paper: Any, report: UnitReport, facts: PaperFacts) -> None:
    year = facts.day.year
    check, before = report.self_checks.get(year), report.self_checks.get(year - 1)
    paper.add_paragraph(f"用能单位：{report.name}（{report.code}）    年度：{year}")
    paper.add_paragraph(
        f"本年度自查：{_of_check(check) if check is not None else '尚未记录'}；"
        f"上年度自查：{_of_check(before) if before is not None else '无记录'}。"
    )
    _basis(paper, report)
    items = [
        (str(one.item.number), one.item.subject.zh, _evidence(one.why.zh), VERDICTS[one.verdict].zh, "")
        for one in report.review.results
    ]
    paper_table(paper, ("序号", "自查内容", "已有证据", "平台判定", "自查结果"), items, (1.2, 5.2, 5.2, 2.6, 2.4))
    signed(paper, "自查人", "计量负责人", "单位负责人")


def _of_check(check: Any) -> str:
    return f"{check.by}，{check.result}"


PAPERS: Final[dict[str, tuple[str, Callable[[Any, UnitReport, PaperFacts], None]]]] = {
    "order": ("责令限期改正通知书", _order),
    "visit": ("现场核查记录", _visit),
    "review": ("能源计量审查报告", _review),
    "self-check": ("能源计量年度自查表", _self_check),
}
"""Title and content by kind."""
