"""`meterwarden alerts`, `cases` and `people`, as an operator types them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.cli import cli
from deploy.stack.ports import free_ports
from tests.streams.alerts.place import ALWAYS, NOW, detect, hook_server, raised, rows, settled


def run(*words: object, ok: bool = True) -> Result:
    result = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    assert (result.exit_code == 0) == ok, result.output
    return result


@pytest.fixture
def dsn(module_database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("METERWARDEN_DATABASE", module_database)
    monkeypatch.setenv("METERWARDEN_HOME", str(tmp_path))
    return settled(module_database)


def test_bad_rules_are_told_all_at_once_and_not_loaded(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('[[rule]]\nname = "a"\nkind = ["stuk"]\nhold_min = -3\ntell = ["boss"]\n')
    said = run("alerts", "check", file, ok=False).output
    for part in ("rule[1] a.kind must be a list of", "a.hold_min must be a number of minutes", "(got 'boss')"):
        assert part in said
    file.write_text("[[rule]\n")
    assert "must be TOML" in run("alerts", "check", file, ok=False).output


def test_the_shipped_rules_pass_their_own_check(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(run("alerts", "rules", "--shipped").output)
    assert run("alerts", "check", file).output.startswith("right: 5 rules")


def test_channels_are_told_without_secrets_and_an_open_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "channels.toml"
    file.write_text('[mail]\nurl = "mailtos://me:hunter2@mail.example.org?to={address}"\n')
    monkeypatch.setenv("METERWARDEN_CHANNELS", str(file))
    file.chmod(0o644)
    said = run("alerts", "channels", ok=False).output
    assert "must be readable by its owner alone: chmod 600 (got 644)" in said
    file.chmod(0o600)
    said = run("alerts", "channels").output
    assert said == "mail: mailtos, 20 a minute, with pictures\n"


@pytest.mark.integration
def test_a_day_of_an_operator(dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(ALWAYS)
    assert run("alerts", "load", file).output.startswith("in force: 2 rules")
    detect(dsn)
    raised(dsn)
    assert "First P1 M1 停走" in run("alerts", "list").output
    run("alerts", "ack", 1, "--as", "li.na", "--note", "on my way")
    assert rows(dsn, "select state from alert_list") == [("acknowledged",)]
    assert "must be one who is there" in run("alerts", "ack", 1, "--as", "nobody", ok=False).output
    assert run("cases", "open", 1, "--as", "li.na").output == "case C000001\n"
    assert (
        "case C000001 is verdict, due on"
        in run(
            "cases", "step", "C000001", "verdict", "--verdict", "data_path", "--as", "li.na", "--note", "gateway"
        ).output
    )
    refused = run("cases", "step", 1, "pass", "--as", "li.na", ok=False).output
    assert "a case that is verdict must be given one of verdict, order, close" in refused
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"\xff\xd8\xff" + bytes(10))
    assert run("cases", "attach", 1, photo, "--as", "li.na").output == "file 1 of case C000001\n"
    assert "closed" in run("cases", "step", 1, "close", "--as", "wang").output
    assert "李娜" in run("cases", "show", "c000001").output
    steps = [json.loads(line) for line in run("cases", "show", "C000001", "--json").output.splitlines()]
    assert [step["action"] for step in steps][:2] == ["open", "verdict"]
    assert "is not the number of a case such as C000002" in run("cases", "show", "X1", ok=False).output
    assert json.loads(run("cases", "list", "--all", "--json").output)["case"] == "C000001"
    assert run("cases", "list").output == "none\n"
    assert "data_path" in run("alerts", "statistics").output
    rows(
        dsn,
        "insert into alert_mailbox (recipient, next_at, life)"
        " values ('person:held', '2026-12-24 07:00+08', '{\"waiting\": [1, 2]}')",
    )
    waits = [json.loads(line) for line in run("alerts", "outbox", "--json").output.splitlines()]
    assert any(one["state"] == "waiting" and one["waiting_until"] for one in waits)
    [held] = [one for one in waits if one["state"] == "held"]
    assert (held["recipient"], held["messages"]) == ("person:held", 2)
    assert datetime.fromisoformat(held["waiting_until"]) == datetime(2026, 12, 23, 23, tzinfo=UTC)
    rows(dsn, "delete from alert_mailbox where recipient = 'person:held'")
    run(
        "people",
        "add",
        "zhao",
        "--name",
        "赵",
        "--role",
        "inspector",
        "--channel",
        "mail",
        "--address",
        "z@example.org",
    )
    token = run("people", "token", "zhao").output.strip()
    assert token not in str(rows(dsn, "select * from api_token"))
    assert "1 tokens of zhao are ended" in run("people", "revoke", "zhao").output
    assert "must have a unit" in run("people", "add", "x", "--name", "x", "--role", "enterprise", ok=False).output
    later = (NOW + timedelta(hours=3)).isoformat()
    assert (
        "silence 1"
        in run("alerts", "silence", "--unit", "U1", "--to", later, "--reason", "work", "--as", "wang").output
    )


def test_a_test_message_leaves_by_the_channel_and_a_channel_that_does_not_take_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    file = tmp_path / "channels.toml"
    file.write_text(f'[hook]\nurl = "json://127.0.0.1:{port}/{{address}}"\ntimeout_s = 60\n')
    file.chmod(0o600)
    monkeypatch.setenv("METERWARDEN_CHANNELS", str(file))
    assert "--to must be given" in run("alerts", "test", "--channel", "hook", ok=False).output
    assert "must be one of hook" in run("alerts", "test", "--channel", "mail", ok=False).output
    with hook_server(port) as arrived:
        assert run("alerts", "test", "--channel", "hook", "--to", "li").output == "accepted by hook\n"
    assert len(arrived.texts) == 1
    assert "通道 hook 可用" in arrived.texts[0]
    refused = run("alerts", "test", "--channel", "hook", "--to", "li", ok=False)
    assert refused.exit_code == 1, "nobody listens any more"


@pytest.mark.integration
def test_a_dry_run_says_what_would_have_been_sent_and_sends_nothing(dsn: str, tmp_path: Path) -> None:
    begun = NOW - timedelta(days=2)
    detect(dsn, 1, started_at=begun, detected_at=begun, ended_at=begun + timedelta(hours=3), state="closed")
    for point in (1, 2):
        detect(dsn, point, kind="silence", severity="warning", started_at=begun, detected_at=begun)
    since = (NOW - timedelta(days=3)).isoformat()
    lines = [json.loads(line) for line in run("alerts", "dry-run", "--since", since, "--json").output.splitlines()]
    told = [(one["recipient"], one["purpose"]) for one in lines]
    assert told.count(("person:first", "raise")) == 1
    assert sorted(told.count(("person:li.na", purpose)) for purpose in ("raise", "clear")) == [1, 2]
    assert ("person:wang", "escalate") in told
    times = [one["at"] for one in lines]
    assert times == sorted(times)
    file = tmp_path / "rules.toml"
    file.write_text('[[rule]]\nname = "nothing"\n')
    assert run("alerts", "dry-run", "--since", since, "--rules", file).output.startswith("0 messages of 3 detections")
    assert rows(dsn, "select count(*) from alert_message") == [(0,)]
