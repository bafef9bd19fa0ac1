"""`meterwarden ledger` as a person calls it."""

import asyncio
import csv
import json
import re
from pathlib import Path
from typing import Any

import openpyxl
import psycopg
import pytest
from click.testing import CliRunner, Result

from analytics.domain.ledger import Ledger
from deploy.cli import cli
from ingest.ledgers import read_ledger
from ingest.ledgers.folding import folded, without_consequences
from streams.store.ledger import read_ledger as read_stored

GOLDEN = Path(__file__).parents[2] / "golden"
PLANT = GOLDEN / "ledger_plant.csv"
FAULTY = GOLDEN / "ledger_faults.csv"


def called(*words: str | Path, dsn: str | None = None) -> Result:
    environment = {} if dsn is None else {"METERWARDEN_DATABASE": dsn}
    return CliRunner().invoke(cli, ["ledger", *map(str, words)], env=environment)


def test_a_sound_ledger_is_summed_up() -> None:
    result = called("check", PLANT)
    assert result.exit_code == 0
    assert "12 rows, 2 units, 10 points (2 of them without a meter), 9 meters, 10 installations" in result.output


def test_every_fault_is_shown_folded_by_kind() -> None:
    result = called("check", FAULTY)
    assert result.exit_code == 1
    lines = [line for line in result.output.splitlines() if line.startswith("row")]
    report = read_ledger(FAULTY)
    kept = without_consequences(report.faults, report.titles)
    assert sum(kind.count for kind in folded(report.faults, report.titles)) == len(kept)
    assert len(lines) == len(folded(report.faults, report.titles)) < len(kept)
    assert result.output.splitlines()[-1].endswith("of 32 read; nothing is loaded")


def test_faults_are_shown_in_chinese() -> None:
    result = called("check", FAULTY, "--language", "zh")
    lines = [line for line in result.output.splitlines() if line.startswith("第")]
    assert lines
    assert not [line for line in lines if re.search(r"要求[^；]*\b(must|such as|where|row|value)\b", line)]


def test_columns_are_called_what_the_file_calls_them(tmp_path: Path) -> None:
    path = tmp_path / "台账.csv"
    path.write_text("用能单位代码,计量级别,计量点编号,能源种类,备注\nU1,用能单位,P1,茶,x\n", "gb18030")
    result = called("check", path)
    assert result.exit_code == 1
    assert "能源种类 (carrier)" in result.output
    assert "passed over: 备注" in result.output


def test_the_zone_of_local_times_can_be_said() -> None:
    assert called("check", PLANT, "--zone", "Europe/Berlin").exit_code == 0
    refused = called("check", PLANT, "--zone", "Mars/Olympus")
    assert refused.exit_code == 2
    assert "'Mars/Olympus' is not a time zone" in refused.output


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert called("check", tmp_path / "no.csv").exit_code == 2
    assert called("check", tmp_path).exit_code == 2


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_template_is_written_and_has_nothing_in_it_yet(tmp_path: Path, language: str) -> None:
    path = tmp_path / "form.xlsx"
    assert called("template", path, "--language", language).exit_code == 0
    assert "at least one row" in called("check", path).output
    before = path.read_bytes()
    again = called("template", path, "--example")
    assert (again.exit_code, path.read_bytes()) == (1, before), "what was filled in is not replaced"
    assert "must not exist yet" in again.output
    assert called("template", tmp_path / "form.doc").exit_code == 2


@pytest.mark.integration
def test_a_ledger_is_loaded_once_and_never_in_part(database: str, tmp_path: Path) -> None:
    refused = called("load", FAULTY, dsn=database)
    assert refused.exit_code == 1
    assert "nothing is loaded" in refused.output
    assert versions(database) == 0

    loaded = called("load", PLANT, dsn=database)
    assert loaded.exit_code == 0, loaded.output
    assert "loaded as version 1: 2 units are new, 0 replaced; installations: 10 new, 0 changed" in loaded.output
    again = called("load", PLANT, dsn=database)
    assert (again.exit_code, versions(database)) == (0, 1)
    assert "holds nothing new" in again.output

    shorter = tmp_path / "shorter.csv"
    shorter.write_text("".join(PLANT.read_text("utf-8").splitlines(keepends=True)[:-2]), "utf-8")
    lost = called("load", shorter, dsn=database)
    assert (lost.exit_code, versions(database)) == (1, 1)
    assert "meter 'M-G0' at point 'P-G0'" in lost.output
    assert called("load", shorter, "--correct", dsn=database).exit_code == 1, "a point is never lost"

    expected, stored = read_ledger(PLANT).ledger, asyncio.run(in_force(database))
    assert all(stored.rows.values(name) == expected.rows.values(name) for name in expected.rows.columns)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_sample_workbook_shows_how_and_is_sound(tmp_path: Path, language: str) -> None:
    file = tmp_path / "sample.xlsx"
    assert called("template", file, "--example", "--language", language).exit_code == 0
    report = read_ledger(file)
    assert not report.faults
    made = report.ledger.installations
    assert made.multiplier.tolist() == [4000.0, 4000.0, 40.0, 80.0, 1.0]
    assert made.meter.tolist()[:4] == [0, 0, 1, 1]
    assert made.serial[0] != made.serial[1], "a replaced meter that keeps its number is another instrument"
    assert made.serial[2] == made.serial[3], "a changed transformer leaves the meter what it is"


def test_a_faulty_ledger_goes_back_as_the_same_workbook_coloured(tmp_path: Path) -> None:
    marked = tmp_path / "marked.xlsx"
    assert called("check", FAULTY, "--marked", marked, "--language", "zh").exit_code == 1
    sheet = openpyxl.load_workbook(marked).worksheets[0]
    coloured = [cell for row in sheet.iter_rows() for cell in row if cell.fill.fgColor.rgb == "00FFC7CE"]
    assert len(coloured) > len({fault.row for fault in read_ledger(FAULTY).faults})
    assert any("要求" in str(cell.value) for cell in coloured)


@pytest.mark.parametrize("option", ["--marked", "--completed"])
def test_a_file_that_is_there_is_replaced_by_force_alone_and_the_ledger_itself_never(
    tmp_path: Path, option: str
) -> None:
    source, written = tmp_path / "台账.xlsx", tmp_path / "written.xlsx"
    assert called("template", source, "--example").exit_code == 0
    written.write_bytes(b"worked in")
    told = called("check", source, option, written)
    assert told.exit_code == 1
    assert "must not exist yet: a form does not replace what was filled in (--force replaces it)" in told.output
    assert written.read_bytes() == b"worked in"
    assert called("check", source, option, written, "--force").exit_code == 0
    assert openpyxl.load_workbook(written).worksheets
    before = source.read_bytes()
    for itself in (source, tmp_path / "." / "台账.xlsx"):
        told = called("check", source, option, itself, "--force")
        assert (told.exit_code, source.read_bytes()) == (1, before)
        assert "--force replaces it" not in told.output


def test_a_completed_ledger_leaves_the_level_to_be_filled_in_and_can_be_loaded_then(tmp_path: Path) -> None:
    plain, completed = tmp_path / "台账.csv", tmp_path / "台账-补全.xlsx"
    plain.write_text(
        "计量点编号,能源种类,管理编号,器具名称\nJD-01,电力,DB-001,三相电能表\nJD-02,电力,DB-002,三相电能表\n",
        encoding="utf-8",
    )
    answers = ("--unit-code", "91320000000000001X", "--installed-from", "2025-12-01")
    told = called("check", plain, *answers, "--completed", completed, "--language", "zh")
    assert told.exit_code == 1
    (open_,) = [line for line in told.output.splitlines() if line.startswith("待定")]
    assert "--level unit|sub_unit|equipment" in open_
    assert "待定各项答复或填写后方可载入" in told.output
    before = completed.read_bytes()
    again = called("check", plain, *answers, "--completed", completed)
    assert again.exit_code == 1
    assert "must not exist yet: a form does not replace what was filled in" in again.output
    assert completed.read_bytes() == before
    book = openpyxl.load_workbook(completed)
    sheet: Any = book.worksheets[0]
    heads = {cell.value: cell.column for cell in sheet[1]}
    for line, (level, workshop) in enumerate((("进出用能单位", None), ("进出主要次级用能单位", "一车间")), start=2):
        sheet.cell(line, heads["计量级别"], level)
        sheet.cell(line, heads["次级用能单位"], workshop)
    book.save(completed)
    assert read_ledger(completed).ledger.point_level.tolist() == [0, 1]
    done = called("check", plain, *answers, "--level", "unit", "--save-profile", tmp_path / "plant.toml")
    assert done.exit_code == 0, done.output
    assert "sound: 2 rows, 1 unit, 2 points" in done.output
    assert called("check", plain, "--profile", tmp_path / "plant.toml").exit_code == 0


def test_texts_that_begin_like_formulas_come_back_as_texts(tmp_path: Path) -> None:
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\tcmd", '=HYPERLINK("http://x")\x01']
    head, *rows = csv.reader(FAULTY.read_text("utf-8-sig").splitlines())
    place = head.index("name")
    source = tmp_path / "formulas.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [head, *([*row[:place], text, *row[place + 1 :]] for row, text in zip(rows, texts, strict=False))]
        )
    marked, again = tmp_path / "marked.xlsx", tmp_path / "again.xlsx"
    for read, written in ((source, marked), (marked, again)):
        called("check", read, "--marked", written)
        sheet = openpyxl.load_workbook(written).worksheets[0]
        cells = [sheet.cell(row=k + 2, column=place + 1) for k in range(len(texts))]
        assert [cell.data_type for cell in cells] == ["s"] * len(texts)
        assert all(cell.quotePrefix for cell in cells), "they stay texts when somebody edits them"
        assert [cell.value for cell in cells] == [text.replace("\x01", "\ufffd") for text in texts]


@pytest.mark.integration
def test_a_slip_is_shown_and_asked_and_can_be_gone_back_from(database: str, tmp_path: Path) -> None:
    assert called("load", PLANT, dsn=database).exit_code == 0
    slip = tmp_path / "slip.csv"
    rows = PLANT.read_text("utf-8").splitlines(keepends=True)
    place = rows[0].strip().split(",").index("multiplier")
    cells = rows[1].split(",")
    cells[place] = str(float(cells[place] or 1) * 2)
    slip.write_text("".join([rows[0], ",".join(cells), *rows[2:]]), "utf-8")

    asked = called("load", slip, dsn=database)
    assert (asked.exit_code, versions(database)) == (1, 1)
    assert "multiplier: " in asked.output
    assert "(+100.0 %)" in asked.output
    assert "--yes" in asked.output
    assert (called("load", slip, "--dry-run", dsn=database).exit_code, versions(database)) == (0, 1)
    assert (called("load", slip, "--yes", dsn=database).exit_code, versions(database)) == (0, 2)

    assert (called("restore", "1", dsn=database).exit_code, versions(database)) == (1, 2)
    back = called("restore", "1", "--yes", dsn=database)
    assert (back.exit_code, versions(database)) == (0, 3), back.output
    expected, stored = read_ledger(PLANT).ledger, asyncio.run(in_force(database))
    assert stored.rows.values("multiplier") == expected.rows.values("multiplier")
    listed = [json.loads(line) for line in called("history", "--json", dsn=database).output.splitlines()]
    assert [(row["version"], row["restored"], row["changes"]) for row in listed] == [
        (3, 1, 1),
        (2, None, 1),
        (1, None, 12),
    ]
    assert listed[1]["details"][0]["column"] == "multiplier"
    assert all(row["loaded_by"] for row in listed)


def test_a_database_that_does_not_answer_is_told_plainly() -> None:
    result = called("load", PLANT, dsn="postgresql://nobody@127.0.0.1:1/none")
    assert result.exit_code == 2
    assert "the database must answer" in result.output


async def in_force(dsn: str) -> Ledger:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        return (await read_stored(connection)).ledger


def versions(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("select count(*) from ledger_version").fetchone()
    assert row is not None
    return int(row[0])
