"""`review` as a person calls it: a draw, a sheet that is filled in, a conclusion, a re-check, a hand-over, the year."""

import csv
import hashlib
import json
import re
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from click.testing import Result
from docx import Document
from openpyxl import load_workbook

from tests.deploy.commands.test_compliance import GOLDEN, PLANT, called, today

pytestmark = pytest.mark.integration

PNG = b"\x89PNG\r\n\x1a\n a photo"


def filled(path: Path, fails: int) -> None:
    """Every item of a sheet answered, some as a reviewer would who found something."""
    book = load_workbook(path)
    sheet = book["现场审查表"]
    place = {str(cell.value): number for number, cell in enumerate(sheet[2], 1)}
    for row in range(3, sheet.max_row + 1):
        if not isinstance(sheet.cell(row, place["序号"]).value, int):
            continue
        result = "不符合" if row - 2 <= fails else "符合"
        sheet.cell(row, place["结论"]).value = result
        sheet.cell(row, place["备注"]).value = f"现场查看 {row}"
    book.save(path)


def test_from_the_draw_to_the_summary(database: str, tmp_path: Path) -> None:
    def review(*words: str | Path) -> Result:
        return called("review", *words, dsn=database)

    assert called("ledger", "load", GOLDEN / "ledger_plant.csv", dsn=database).exit_code == 0
    drawn = review("draw", "--count", "1", "--seed", "20261130", "--by", "李工")
    assert drawn.output == f"draw 1, seed 20261130: 1 of 2 units\n{PLANT}\n"
    assert "must be from 1 to 1, the" in review("draw", "--count", "2", "--by", "李工").output  # one has a review
    assert "True" in review("draw", "--verify", "1").output
    assert "under way" in review("plan", "--unit", PLANT, "--by", "李工").output

    assert "must be under review" in review("record", "1", "--item", "1", "--result", "pass", "--by", "王").output
    visit = str(today() - timedelta(days=1))
    opened = review("open", "1", "--leader", "王审查员", "--member", "李审查员", "--visit", visit, "--by", "李工")
    assert opened.output == "review 1 is under review\n"
    assert "B.10" in review("papers", "1", "--received", "B.1", "--received", "rules", "--by", "李工").output
    assert "items must all be recorded" in review("conclude", "1", "--by", "王").output
    sheet = tmp_path / "sheet.xlsx"
    assert review("sheet", "1", "--out", sheet).exit_code == 0
    filled(sheet, fails=2)
    assert "must not exist yet" in review("sheet", "1", "--out", sheet).output
    assert review("record", "1", "--file", sheet, "--by", "王").output.startswith("52 items are new or changed")
    assert review("record", "1", "--file", sheet, "--by", "王").output.startswith("0 items")
    (tmp_path / "p.png").write_bytes(PNG)
    photo = review("record", "1", "--item", "2", "--photo", tmp_path / "p.png", "--by", "王")
    assert photo.output == "0 items are new or changed, 1 photos kept\n"
    wrong = review("record", "1", "--item", "53", "--result", "pass", "--by", "王")
    assert "items must be of the sheet (got 53)" in wrong.output
    concluded = review("conclude", "1", "--by", "王")
    assert re.match(r"review 1 is to be corrected, basically meets, to be corrected, due on 20", concluded.output)
    assert "closed" not in review("corrected", "1", "--by", "李工", "--note", "已整改").output
    assert "is to be corrected" in review("recheck", "1", "--result", "failed", "--by", "王").output
    paper = tmp_path / "hand.docx"
    assert review("hand-over", "1", "--reason", "逾期未改正", "--out", paper, "--by", "王").exit_code == 0
    document = Document(str(paper))
    cells = [cell.text for one in document.tables for row in one.rows for cell in row.cells]
    assert "现场查看 3" in cells
    assert "p.png" in cells
    assert "复查" in cells
    assert any("逾期未改正" in one.text for one in document.paragraphs)
    year = tmp_path / "year.xlsx"
    assert "1 planned, 1 concluded" in review("summary", "--out", year).output
    book = load_workbook(year)
    figures = {row[0]: row[1] for row in book["年度汇总"].iter_rows(min_row=3, max_row=15, values_only=True)}
    assert (figures["移送处理"], figures["审查覆盖率 %（已审查单位占总数）"], figures["责令整改"]) == (1, 50, 1)
    assert [row[4] for row in book["审查登记表"].iter_rows(min_row=3, values_only=True)] == ["移送处理"]
    assert "hand_over" in review("show", "1").output
    record = tmp_path / "standing.csv"
    assert review("standing", "--out", record, "--by", "李工").exit_code == 0
    with record.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["unit_code"], row["conclusion"], row["ordered"], row["handed_over"], row["reason"], row["grade"]) == (
        PLANT, "basic", "1", "1", "逾期未改正", "",
    )  # fmt: skip
    said = json.loads(record.with_suffix(".json").read_text(encoding="utf-8"))
    assert said["sha256"] == hashlib.sha256(record.read_bytes()).hexdigest()
    assert [one["name"] for one in said["columns"]] == list(row)
    assert review("plan", "--unit", PLANT, "--other", "--by", "李工").exit_code == 0  # the first is over
    with psycopg.connect(database) as connection, pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute("update review_event set note = ''")
