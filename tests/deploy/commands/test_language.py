"""One rule for the language of what people read: `--language`, else the setting, else papers zh and output en."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner
from starlette.requests import Request

from deploy.cli import COMMANDS, cli
from deploy.commands.common.headings import heading
from deploy.commands.common.language import Bilingual, shown
from deploy.pages import config_of
from deploy.settings import load
from deploy.web.doors import LANGUAGE_COOKIE, language_of
from tests.deploy.commands.test_compliance import GOLDEN, PLANT, called

OF_ALL = ("review", "differences", "gateways", "certificates")
PAPERS = {"comply", "report", "ledger template", "people add", "certificates plan"}


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by what is typed."""
    context = click.Context(cli)
    for name in COMMANDS:
        found = cli.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from ((f"{name} {one}", command) for one, command in found.commands.items())
        else:
            yield name, found


def languages() -> dict[str, object]:
    """The language of each command that has one, where `--language` is not given."""
    found = {}
    for name, command in commands():
        for one in command.params:
            if one.name == "language" and not getattr(one, "multiple", False):
                found[name] = one.get_default(click.Context(command))
    return found


def test_the_setting_holds_for_every_command_that_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("METERWARDEN_LANGUAGE", raising=False)
    monkeypatch.delenv("METERWARDEN_SETTINGS", raising=False)
    unset = languages()
    assert {name for name, language in unset.items() if language == "zh"} == PAPERS
    assert set(unset.values()) == {"zh", "en"}
    assert len(unset) > 40
    for language in ("zh", "en"):
        monkeypatch.setenv("METERWARDEN_LANGUAGE", language)
        assert languages() == dict.fromkeys(unset, language)


@pytest.mark.parametrize("name", OF_ALL)
def test_these_speak_both_languages_in_every_subcommand(name: str) -> None:
    group = cli.get_command(click.Context(cli), name)
    assert isinstance(group, Bilingual)
    assert [
        one
        for one, command in group.commands.items()
        if not any(option.name == "language" for option in command.params)
    ] == []


def test_a_language_that_is_none_is_a_fault_of_the_settings_and_stops_no_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("METERWARDEN_LANGUAGE", "fr")
    with pytest.raises(Exception, match="METERWARDEN_LANGUAGE"):
        load()
    result = CliRunner().invoke(cli, ["ledger", "template", str(tmp_path / "form.xlsx")])
    assert result.exit_code == 0, result.output


def test_chinese_tables_have_a_heading_for_each_column_and_each_once(capsys: pytest.CaptureFixture[str]) -> None:
    columns = {
        "certificates": "id unit_code meter_no cycle kind number body verified_on conclusion due accuracy_class scan "
        "entered_by",
        "due": "unit_code unit_name meter_no name place state verification_due days_left certificates body",
        "reviews": "id unit_code unit_name year origin state visited_on conclusion failed due overdue",
        "history": "at by_name action state note facts",
        "gateways": "name units since until state tokens kafka_since note",
        "draw": "id year seed pool drawn reason drawn_by drawn_at repeats",
    }
    for table, names in columns.items():
        heads = [heading(name) for name in names.split()]
        assert len(set(heads)) == len(heads), (table, heads)
        assert all(any("一" <= letter <= "鿿" for letter in head) for head in heads), (table, heads)
    with click.Context(click.Command("x")) as context:
        context.meta["meterwarden.language"] = "zh"
        shown([{"id": 1, "overdue": True, "at": datetime(2026, 11, 30, tzinfo=UTC)}])
        shown([])
    assert capsys.readouterr().out == "编号  逾期  时间\n1     是    2026-11-30 00:00\n无\n"


@pytest.mark.parametrize(("setting", "cookie", "expected"), [("", "", "zh"), ("en", "", "en"), ("en", "zh", "zh")])
def test_pages_begin_in_the_language_that_is_set(setting: str, cookie: str, expected: str) -> None:
    environ = {"METERWARDEN_DATABASE": "postgresql://somewhere/x", "METERWARDEN_LANGUAGE": setting}
    app = SimpleNamespace(state=SimpleNamespace(config=config_of(load({k: v for k, v in environ.items() if v}))))
    headers = [(b"cookie", f"{LANGUAGE_COOKIE}={cookie}".encode())] if cookie else []
    assert language_of(Request({"type": "http", "headers": headers, "app": app})) == expected


@pytest.mark.integration
def test_a_review_is_told_in_the_language_that_is_set(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert called("ledger", "load", GOLDEN / "ledger_plant.csv", dsn=database).exit_code == 0
    monkeypatch.setenv("METERWARDEN_LANGUAGE", "zh")
    planned = called("review", "plan", "--unit", PLANT, "--year", "2026", "--by", "王工", dsn=database)
    assert planned.output == "已列入 2026 年计划：审查 1\n"
    listed = called("review", "list", dsn=database).output
    assert "列入计划" in listed
    assert "年度计划" in listed
    assert "planned" in called("review", "list", "--language", "en", dsn=database).output, "the option goes before"
    monkeypatch.setenv("METERWARDEN_LANGUAGE", "en")
    assert "planned" in called("review", "list", dsn=database).output
    assert called("gateways", "add", "line-1", "--unit", PLANT, "--language", "zh", dsn=database).output.startswith(
        "已登记 line-1"
    )
    assert "有效" in called("gateways", "list", "--language", "zh", dsn=database).output
    assert called("differences", "list", "--language", "zh", dsn=database).output == ""
    assert "检定" in called("certificates", "due", "--language", "zh", dsn=database).output
