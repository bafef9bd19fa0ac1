import importlib
import json
import logging
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from analytics.domain.errors import ConfigurationError, MeterwardenError
from deploy import cli as module
from deploy.cli import COMMANDS, ROOMS, cli
from deploy.commands.common.examples import EXAMPLES
from deploy.settings import Settings


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_imported_and_says_what_it_does(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.get_short_help_str(200).endswith(".")


def test_the_table_has_every_command_there_is() -> None:
    folder = Path(module.__file__).with_name("commands")
    found = [path.relative_to(folder).with_suffix("").parts for path in folder.rglob("*.py")]
    names = [".".join(("deploy.commands", *parts)) for parts in found if parts[-1] != "__init__"]
    with_command = {
        name.rpartition(".")[2].replace("_", "-"): name
        for name in names
        if hasattr(importlib.import_module(name), "command")
    }
    assert {name.replace("_", "-") for name in with_command} == set(COMMANDS)
    assert {name: where.split(".")[2] for name, where in with_command.items() if where.count(".") > 2} == ROOMS


def test_the_overview_lists_all_and_imports_none() -> None:
    program = (
        "import sys; from deploy.cli import cli; cli(['--help'], standalone_mode=False); print('numba' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.endswith("False\n")
    said = " ".join(told.split())  # a long sentence takes two lines
    assert all(f" {name} {sentence}" in said for name, sentence in COMMANDS.items())


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_every_example_can_be_typed(line: str) -> None:
    words = [word for word in shlex.split(line) if word != ">>"]
    if ">>" in line:
        words.pop()  # the file that takes what is printed
    command: click.Command | None = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        name = words.pop(0)
        command = command.get_command(context, name)
        assert command is not None, name
        context = click.Context(command, info_name=name, parent=context)
    assert command is not None
    _, left, _ = command.make_parser(context).parse_args(words)  # an unknown option is an error
    assert left == [], "arguments that nothing takes"
    assert f"  meterwarden {line}\n" in f"{command.get_help(context)}\n"


def _leaves(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), name)
            assert below is not None
            yield from _leaves(below, f"{path} {name}".strip())
    else:
        yield path, command


def test_every_command_shows_an_example() -> None:
    assert [path for path, _ in _leaves(cli, "") if path not in EXAMPLES] == []


def test_every_list_can_be_read_by_a_program() -> None:
    lists = {"certificates due", "self-check due", "review show", "partitions", "upload status", "gateways list"}
    for path, command in _leaves(cli, ""):
        if path in lists or path.rpartition(" ")[2] in {"list", "history", "status"}:
            assert any("--json" in parameter.opts for parameter in command.params), path


def test_a_shell_completes_what_is_typed() -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_METERWARDEN_COMPLETE" in CliRunner().invoke(cli, ["completion", shell]).output
    typed = {"COMP_WORDS": "meterwarden rejected cl", "COMP_CWORD": "2", "_METERWARDEN_COMPLETE": "bash_complete"}
    program = "from deploy.cli import main; main()"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=os.environ | typed
    )
    assert "clear" in told.stdout, told.stderr


def test_an_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(cli, ["destroy"])
    assert result.exit_code == 2
    assert "No such command" in result.output


def test_our_own_errors_are_told_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def broken() -> None:
        raise MeterwardenError("the meter is wet")

    monkeypatch.setattr(module.LazyGroup, "get_command", lambda *_: broken)
    result = CliRunner().invoke(cli, ["broken"])
    assert result.exit_code == 2
    assert result.output == "meterwarden: the meter is wet\n"


def test_bad_settings_are_told_plainly() -> None:
    result = CliRunner().invoke(cli, ["status"], env={"METERWARDEN_KAFKA_PORT": "x"})
    assert result.exit_code == 2
    assert result.output.startswith("meterwarden: settings: METERWARDEN_KAFKA_PORT must be")


def environment(settings: Settings) -> dict[str, str]:
    return {
        "METERWARDEN_HOME": str(settings.home),
        "METERWARDEN_CACHE": str(settings.cache),
        "METERWARDEN_KAFKA_PORT": str(settings.kafka.port),
        "METERWARDEN_KAFKA_CONTROLLER_PORT": str(settings.kafka.controller_port),
        "METERWARDEN_DATABASE_PORT": str(settings.database.port),
        "METERWARDEN_DATABASE_BUFFERS_MB": "64",
        "METERWARDEN_DISK_FREE_MB": "256",
    }


def shown_to_others(home: Path) -> list[str]:
    """What others may do with anything below a folder, but for passing through folders."""
    shown = []
    for path in home.rglob("*"):
        rights = stat.S_IMODE(path.lstat().st_mode) & stat.S_IRWXO
        if not path.is_symlink() and rights & ~(stat.S_IXOTH if path.is_dir() else 0):
            shown.append(f"{path.relative_to(home)}: {rights:o}")
    return shown


@pytest.mark.parametrize("entry", ["sender", "serve", "worker", "stack.programs"])
def test_every_process_makes_files_for_their_owner_alone(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entrance = importlib.import_module(f"deploy.{entry}")

    def load() -> Settings:
        raise ConfigurationError(f"{os.umask(0o022):o}")

    said: list[str] = []
    monkeypatch.setattr(entrance, "load", load)
    monkeypatch.setattr(logging.Logger, "error", lambda _self, _text, error: said.append(str(error)))
    monkeypatch.setattr("builtins.print", lambda text, **_: said.append(text.removeprefix("set-up: ")))
    before = os.umask(0o022)
    try:
        assert entrance.main(*[[]] if entry == "worker" else []) == 2
    finally:
        os.umask(before)
    assert said == ["77"]


@pytest.mark.integration
def test_up_status_and_down_tell_what_they_did(instance: Settings) -> None:
    run = CliRunner(env=environment(instance)).invoke
    down = run(cli, ["status"])
    assert down.exit_code == 1
    assert "DOWN" in down.output

    instance.home.joinpath("logs").mkdir(mode=0o755)  # as an earlier version left it
    instance.home.joinpath("logs", "worker-1.log").touch(mode=0o644)
    first = subprocess.run(
        [sys.executable, "-c", "from deploy.cli import main; main()", "up", "--only", "postgresql"],
        env=os.environ | environment(instance),
        capture_output=True,
        text=True,
        check=False,
        umask=0o022,
    )
    assert first.returncode == 0, first.stderr
    assert "postgresql  started, 127.0.0.1" in first.stdout
    assert shown_to_others(instance.home) == []
    second = run(cli, ["up", "--only", "postgresql"])
    assert second.exit_code == 0, second.output
    assert "postgresql  ran already" in second.output

    told = json.loads(run(cli, ["status", "--json"]).output)
    assert {part["name"]: part["healthy"] for part in told["parts"]}["postgresql"]
    assert not told["healthy"]  # Kafka is down
    assert told["parts"][0]["ports"] == [instance.database.port]
    assert told["parts"][0]["version"].startswith("17.")
    assert told["disk"]["data_mb"] > 0

    assert run(cli, ["down"]).output == "stopped: postgresql\n"
    assert run(cli, ["down"]).output == "nothing ran\n"
