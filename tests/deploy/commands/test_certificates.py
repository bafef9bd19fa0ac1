"""`certificates` as a person calls it: entered, judged by, listed, planned, withdrawn."""

import json
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest
from click.testing import Result
from openpyxl import Workbook, load_workbook

from tests.deploy.commands.test_compliance import GOLDEN, PLANT, called, today

pytestmark = pytest.mark.integration

PDF = b"%PDF-1.7 a scan"


def state(dsn: str, meter: str) -> tuple[str, date | None]:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "select state, verification_due from verification_state where meter_no = %s", (meter,)
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def overdue(dsn: str) -> set[str]:
    told = json.loads(called("comply", "--unit", PLANT, "--json", dsn=dsn).output)
    return {one["meter_no"] for one in told["clauses"] if one["rule"] == "verification" and one["verdict"] == "fail"}


def test_from_a_table_to_the_plan(database: str, tmp_path: Path) -> None:
    assert called("ledger", "load", GOLDEN / "ledger_plant.csv", dsn=database).exit_code == 0
    meter = "M-W0"

    def loaded() -> Result:
        return called("certificates", "load", tmp_path / "c.xlsx", "--by", "王工", dsn=database)

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(
        [
            "用能单位代码",
            "用能单位管理编号",
            "证书编号",
            "检定（校准）机构",
            "检定/校准日期",
            "结论",
            "有效期至",
            "扫描件",
        ]
    )
    last, next_year = today() - timedelta(days=400), today() + timedelta(days=330)
    sheet.append([PLANT, meter, "J-1", "市计量测试院", last, "合格", today() - timedelta(days=36), ""])
    sheet.append([PLANT, meter, "J-2", "市计量测试院", today() - timedelta(days=35), "合格", next_year, "j2.pdf"])
    sheet.append([PLANT, "NOPE", "J-3", "市计量测试院", last, "合格", next_year, ""])
    book.save(tmp_path / "c.xlsx")
    lost = loaded()
    assert (lost.exit_code, "row 3: scan must be a file in the folder of the table" in lost.output) == (2, True)
    (tmp_path / "j2.pdf").write_bytes(PDF)
    refused = loaded()
    assert (refused.exit_code, "meter_no must be one of the ledger" in refused.output) == (2, True)
    assert called("certificates", "list", dsn=database).output == "none\n"  # nothing half

    sheet.delete_rows(4)
    book.save(tmp_path / "c.xlsx")
    assert "2 certificates entered" in loaded().output
    assert "0 certificates entered, 2 there" in loaded().output
    listed = called("certificates", "list", "--unit", PLANT, dsn=database).output
    assert ("J-1" in listed, "J-2" in listed, "j2.pdf" in listed) == (True, True, True)
    assert state(database, meter) == ("valid", next_year)
    assert meter not in overdue(database)

    # the same facts in the ledger's next version are the ledger's; a failure ends all of it, and is withdrawn again
    fails: tuple[str, ...] = (
        "certificates",
        "add",
        "--unit",
        PLANT,
        "--meter",
        meter,
        "--number",
        "F-1",
        "--body",
        "市计量测试院",
    )
    fails += ("--on", str(today() - timedelta(days=2)), "--conclusion", "failed", "--by", "王工")
    assert called(*fails, dsn=database).exit_code == 0
    assert state(database, meter)[0] == "overdue"
    assert meter in overdue(database)
    soon = called("certificates", "due", "--unit", PLANT, "--days", "30", dsn=database).output
    assert meter in soon
    plan = tmp_path / "plan.xlsx"
    assert (
        called("certificates", "plan", "--unit", PLANT, "--out", plan, "--language", "zh", dsn=database).exit_code == 0
    )
    made = load_workbook(plan)
    assert made.sheetnames == ["检定（校准）计划", "按月汇总", "本年度不到期"]
    rows = {row[2]: row for row in made["检定（校准）计划"].iter_rows(min_row=3, values_only=True) if row[0]}
    assert rows[meter][1] == f"{today():%Y-%m}"
    assert "已超期" in str(rows[meter][-1])
    assert rows[meter][15] == "市计量测试院"

    with psycopg.connect(database) as connection:
        failed = connection.execute("select id from certificate where number = 'F-1'").fetchone()
        kept = connection.execute("select id from certificate where number = 'J-2'").fetchone()
    assert failed is not None
    assert kept is not None
    taken = called("certificates", "withdraw", str(failed[0]), "--reason", "另一台的证书", "--by", "王工", dsn=database)
    assert taken.exit_code == 0
    assert meter not in overdue(database)
    assert called("certificates", "scan", str(kept[0]), "--out", tmp_path / "back.pdf", dsn=database).exit_code == 0
    assert (tmp_path / "back.pdf").read_bytes() == PDF
    (tmp_path / "x.exe").write_bytes(b"MZ")
    wrong = called("certificates", "attach", str(kept[0]), tmp_path / "x.exe", "--by", "王工", dsn=database)
    assert "must be a JPEG, PNG or PDF file" in wrong.output
