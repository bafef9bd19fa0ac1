"""`standard`, `comply` and `report` as a person calls them."""

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from openpyxl import load_workbook

from deploy.cli import cli

GOLDEN = Path(__file__).parents[2] / "golden"
SHIPPED = Path(__file__).parents[3] / "analytics" / "standards" / "gb17167_2006.toml"
PLANT = "91320583735312345X"


def today() -> date:
    """Asked anew: a run of the tests may pass a midnight."""
    return datetime.now(ZoneInfo("Asia/Shanghai")).date()


def called(*words: str | Path, dsn: str | None = None) -> Result:
    environment = {} if dsn is None else {"METERWARDEN_DATABASE": dsn}
    return CliRunner().invoke(cli, [*map(str, words)], env=environment)


def test_a_sound_edition_is_told(tmp_path: Path) -> None:
    newer = tmp_path / "2025.toml"
    text = SHIPPED.read_text(encoding="utf-8")
    text = text.replace('number = "GB 17167-2006"', 'number = "GB 17167-2025"')
    newer.write_text(text.replace("in_force_from = 2007-01-01", "in_force_from = 2026-02-01"), encoding="utf-8")
    result = called("standard", "check", newer)
    assert (result.exit_code, result.output) == (0, f"{newer}: sound: an edition of the standard, GB 17167-2025\n")


def test_a_faulty_edition_is_told_and_not_loaded(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(SHIPPED.read_text(encoding="utf-8").replace('energy = "coke"', 'energy = "koks"'), encoding="utf-8")
    result = called("standard", "check", bad)
    assert result.exit_code == 2
    assert "(got 'koks')" in result.output
    assert "a row for coke must be there" in result.output


@pytest.mark.parametrize(
    ("content", "expected"),
    [("x = ", "must be TOML"), ("[words]\na = 1\n", "its tables must tell one kind of file"), ("", "(got )")],
)
def test_a_file_of_no_kind_is_refused(tmp_path: Path, content: str, expected: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(content, encoding="utf-8")
    result = called("standard", "check", path)
    assert result.exit_code == 2
    assert expected in result.output


@pytest.mark.integration
def test_a_plant_from_ledger_to_report(database: str, tmp_path: Path) -> None:
    assert called("ledger", "load", GOLDEN / "ledger_plant.csv", dsn=database).exit_code == 0
    told = called("comply", "--unit", PLANT, "--json", dsn=database)
    assert told.exit_code == 0, told.output
    stands = json.loads(told.output)
    assert stands["edition"] == "GB 17167-2006 (stands in for GB 17167-2025)"
    gas = next(one for one in stands["rates"] if one["carrier"] == "natural_gas")
    assert (gas["needed"], gas["present"], gas["verdict"]) == (1, 0, "fail")  # its meter is out of use
    water = next(one for one in stands["clauses"] if one["rule"] == "accuracy" and one["carrier"] == "water")
    assert (water["meter_no"], water["verdict"], water["evidence"]) == (
        "M-W0",
        "fail",
        {"required": ["1.5"], "installed": "2"},
    )

    words = called("comply", "--unit", PLANT, dsn=database)
    assert "云澜示范化工有限公司" in words.output
    assert "将 M-W0 更换为 1.5 级或更高等级的器具。" in words.output
    assert "Replace M-W0" in called("comply", "--unit", PLANT, "--language", "en", dsn=database).output
    early = json.loads(called("comply", "--unit", PLANT, "--as-of", "2023-01-15", "--json", dsn=database).output)
    assert {one["present"] + one["unknown"] for one in early["rates"]} == {0}  # nothing stood there yet
    assert early["edition"] == "GB 17167-2006"

    facts = tmp_path / "facts.toml"
    facts.write_text(f'[[unit]]\nunit_code = "{PLANT}"\ntransformer_kva = 12000\nsource = "合同"\n', encoding="utf-8")
    assert "loaded as number 1: facts about units" in called("standard", "load", facts, dsn=database).output
    assert "is in force already" in called("standard", "load", facts, dsn=database).output
    in_chinese = called("standard", "load", facts, "--language", "zh", dsn=database).output
    assert in_chinese == f"{facts}：内容相同，已在执行\n"
    assert "in force from 2007-01-01, superseded on 2026-02-01" in called("standard", "list", dsn=database).output

    month = datetime.now(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m")
    out = tmp_path / "out"
    written = called("report", "--unit", PLANT, "--month", month, "--out", out, dsn=database)
    assert written.exit_code == 0, written.output
    assert load_workbook(out / f"{PLANT}-{month}.xlsx").sheetnames[0] == "首页"
    assert "云澜示范化工有限公司" in (out / f"{PLANT}-{month}.html").read_text(encoding="utf-8")
    assert called("report", "--region", "--month", month, "--out", out, dsn=database).exit_code == 0
    assert (out / f"region-{month}.html").is_file()

    for words_, expected in (
        (("comply", "--unit", "NOPE"), "has none with the code NOPE"),
        (("comply", "--unit", PLANT, "--as-of", "2999-01-01"), "must not lie in the future"),
        (("report", "--unit", PLANT, "--month", "2098-01", "--out", out), "a month that has begun"),
        (("report", "--unit", PLANT, "--month", "2026-13", "--out", out), "must be a month"),
        (("report", "--month", month, "--out", out), "exactly one of"),
    ):
        refused = called(*words_, dsn=database)
        assert refused.exit_code == 2
        assert expected in refused.output


@pytest.mark.integration
def test_factors_are_loaded_from_the_form_and_one_that_nothing_uses_is_told(database: str, tmp_path: Path) -> None:
    assert called("ledger", "load", GOLDEN / "ledger_plant.csv", dsn=database).exit_code == 0
    form = tmp_path / "factors.toml"
    assert called("standard", "template", "factors", form).exit_code == 0
    assert called("standard", "template", "factors", form).exit_code == 1  # what was filled in is not replaced
    assert "sound: factors to coal equivalent" in called("standard", "check", form).output
    loaded = called("standard", "load", form, dsn=database)
    assert loaded.exit_code == 0, loaded.output
    assert "boards and reports go by these factors now" in loaded.output
    assert "warning" not in loaded.output
    other = tmp_path / "coke.toml"
    other.write_text('[[factor]]\ncarrier = "coke"\nper = "t"\nkgce = 971.4\nsource = "s"\n', encoding="utf-8")
    assert "no metering point is of coke" in called("standard", "load", other, dsn=database).output
    assert "焦炭折标系数" in called("standard", "load", other, "--language", "zh", dsn=database).output

    this = today().replace(day=1)
    first, last, out = f"{this - timedelta(days=1):%Y-%m}", f"{this:%Y-%m}", tmp_path / "out"
    for since, name in ((first, f"{first}-{last}"), (last, last)):
        made = called("report", "--unit", PLANT, "--from", since, "--to", last, "--out", out, dsn=database)
        assert made.exit_code == 0, made.output
        assert (out / f"{PLANT}-{name}.xlsx").is_file()
    for words, expected in (
        (("--month", "2026-01", "--from", "2026-01"), "either --month or both --from and --to"),
        (("--from", "2026-01"), "either --month or both --from and --to"),
        (("--from", "2026-03", "--to", "2026-01"), "must not come after the last"),
    ):
        refused = called("report", "--unit", PLANT, *words, "--out", out, dsn=database)
        assert refused.exit_code == 2
        assert expected in refused.output
