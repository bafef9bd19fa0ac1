"""Papers of supervision: from data, with no clause of their own."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from docx import Document

from analytics.domain.finding import Verdict
from analytics.domain.words import Phrase
from dashboards.reports.papers import PAPERS, PaperFacts, new_paper, paper_table, write_paper
from tests.dashboards.reports.reported import report

FACTS = PaperFacts(number="〔2026〕第 1 号", authority="示范市市场监督管理局", day=date(2026, 11, 23))


def texts(path: Path) -> list[str]:
    paper = Document(str(path))
    cells = [cell.text for table in paper.tables for row in table.rows for cell in row.cells]
    return [paragraph.text for paragraph in paper.paragraphs] + cells


@pytest.mark.parametrize("kind", PAPERS)
def test_a_paper_has_its_title_its_unit_and_what_it_was_judged_by(kind: str, tmp_path: Path) -> None:
    made, path = report(), tmp_path / "paper.docx"
    write_paper(kind, made, FACTS, path)
    found = texts(path)
    assert found[0] == PAPERS[kind][0]
    assert any(made.name in text and made.code in text for text in found)
    assert any(made.standing.edition_zh in text for text in found)
    assert not [text for text in found if "None" in text or "{" in text]


def test_an_order_lists_every_failure_and_invents_no_provision(tmp_path: Path) -> None:
    made, path = report(), tmp_path / "paper.docx"
    write_paper("order", made, FACTS, path)
    found = texts(path)
    failed = [one for one in made.findings if one.verdict is Verdict.FAIL]
    by_standard = [one for one in failed if one.edition == made.standing.edition]
    assert 0 < len(by_standard) < len(failed)
    assert all(one.found.zh in found for one in by_standard)
    assert len(Document(str(path)).tables[0].rows) == 1 + len(by_standard)  # nothing beside the standard is ordered
    assert not [text for text in found if "节约能源法" in text or "第七十四条" in text]
    write_paper("order", made, PaperFacts(day=FACTS.day, due=date(2026, 12, 23), basis="某规定第一条"), path)
    assert any("依据某规定第一条，责令你单位于2026年12月23日前改正" in text for text in texts(path))


def test_an_order_says_which_clauses_are_mandatory_and_names_them_first(tmp_path: Path) -> None:
    path = tmp_path / "paper.docx"
    write_paper("order", report(), FACTS, path)
    clauses = [row.cells[1].text for row in Document(str(path)).tables[0].rows[1:]]
    assert clauses == ["4.3.5（强制性）", "4.3.10", "5.3.6"]
    footer = Document(str(path)).sections[0].footer.paragraphs[0]
    assert "PAGE" in footer._p.xml


def test_a_visit_says_of_each_question_what_is_required(tmp_path: Path) -> None:
    made, path = report(), tmp_path / "paper.docx"
    write_paper("visit", made, FACTS, path)
    rows = Document(str(path)).tables[0].rows
    assert rows[0].cells[2].text == "要求"
    assert all(row.cells[2].text for row in rows[1:])


def test_a_review_names_rates_from_the_edge_down_and_calls_no_question_an_evidence(tmp_path: Path) -> None:
    path = tmp_path / "paper.docx"
    write_paper("review", report(), FACTS, path)
    rates, items = Document(str(path)).tables[:2]
    assert [row.cells[1].text[:6] for row in rates.rows[1:]] == [
        "进出用能单位",
        "进出用能单位",
        "进出主要次级",
        "主要用能设备",
    ]
    assert not [row for row in items.rows if row.cells[3].text == "需人工核查"]
    assert any("均符合时为“基本符合要求，需整改”" in text for text in texts(path))


def test_the_review_has_all_52_items(tmp_path: Path) -> None:
    made, path = report(), tmp_path / "paper.docx"
    write_paper("review", made, FACTS, path)
    tables = Document(str(path)).tables
    assert max(len(table.rows) for table in tables) == 53


def test_no_such_paper(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="order, visit, review, self-check"):
        write_paper("fine", report(), FACTS, tmp_path / "paper.docx")


def test_a_row_of_a_table_is_whole_on_a_page_and_codes_end_where_a_line_does(tmp_path: Path) -> None:
    path = tmp_path / "paper.docx"
    paper = new_paper("表")
    paper_table(paper, ("涉及",), [("E203、E207",)], (2.0,))
    paper.save(str(path))
    row = Document(str(path)).tables[0].rows[1]
    assert "w:cantSplit" in row._tr.xml
    assert row.cells[0].text == "E203、\u200bE207"


def test_an_order_names_all_that_is_alike_in_one_row(tmp_path: Path) -> None:
    made, path = report(), tmp_path / "paper.docx"
    coarse = next(one for one in made.findings if one.clause == "4.3.10" and one.verdict is Verdict.FAIL)
    step = coarse.next_step
    more = [
        replace(
            coarse,
            point=f"E{i}",
            meter_no=f"M-E{i}",
            points=(f"E{i}",) if coarse.points else (),
            meters=(f"M-E{i}",) if coarse.meters else (),
            next_step=Phrase(zh=step.zh.replace(coarse.meter_no, f"M-E{i}"), en=step.en),
        )
        for i in range(20, 40)
    ]
    judged = replace(made.judgement, assessment=replace(made.judgement.assessment, findings=(*made.findings, *more)))
    write_paper("order", replace(made, judgement=judged), FACTS, path)
    paper = Document(str(path))
    rows = paper.tables[0].rows[1:]
    assert [row.cells[1].text for row in rows] == ["4.3.5（强制性）", "4.3.10", "5.3.6"]
    assert rows[1].cells[4].text.replace("\u200b", "") == "、".join([coarse.point, *(f"E{i}" for i in range(20, 40))])
    assert "左列器具" in rows[1].cells[5].text
    assert "M-E" not in rows[1].cells[5].text
    assert any("下列 3 类共 23 项不符合要求" in paragraph.text for paragraph in paper.paragraphs)
