"""Guides speak of commands that exist, with options that they take; a guide in two languages shows the same ones."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from deploy.cli import COMMANDS, cli

ROOT = Path(__file__).parents[3]
GUIDES = ROOT / "deploy" / "guides"
PAGES = [ROOT / "README.md", *sorted((ROOT / "deploy").glob("README*.md")), *sorted(GUIDES.glob("*.md"))]
BILINGUAL = sorted(path.name.removesuffix(".zh.md") for path in GUIDES.glob("*.zh.md"))


def called(page: Path) -> Iterator[list[str]]:
    """Words after `meterwarden` of each command in a page's shell blocks."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```(?:sh|bash|shell)\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").split("\n"):
            words = shlex.split(line, comments=True)
            for place, word in enumerate(words):
                is_first = all("=" in before or before in {"sudo", "exec"} for before in words[:place])
                if word.endswith(".venv/bin/meterwarden") or (
                    word == "meterwarden" and (is_first or _names(words, place))
                ):
                    yield [one for one in words[place + 1 :] if not re.fullmatch(r"[<>|&].*", one)]
                    break


def _names(words: list[str], place: int) -> bool:
    """Whether a command of ours follows, and not what an account or object called meterwarden is given."""
    return place + 1 < len(words) and words[place + 1] in COMMANDS


def command_of(words: list[str]) -> tuple[click.Command, str, list[str]]:
    """The command that words call, its name, and what is left of them."""
    command: click.Command = cli
    name: list[str] = []
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            break
        command, words = found, words[1:]
        name.append(found.name or "")
    return command, " ".join(name), words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_guide_exist_and_take_their_options(page: Path) -> None:
    for words in called(page):
        command, name, rest = command_of(words)
        if not rest and isinstance(command, click.Group):
            continue  # a group alone shows its help
        assert not (isinstance(command, click.Group) and rest and not rest[0].startswith("-")), (
            f"{page.name}: meterwarden {' '.join(words)} must be a command (got {rest[0]!r} after {name!r})"
        )
        try:
            command.make_parser(click.Context(command, info_name=name)).parse_args(rest)
        except click.UsageError as error:
            pytest.fail(f"{page.name}: meterwarden {' '.join(words)}: {error.format_message()}")


@pytest.mark.parametrize("guide", BILINGUAL)
def test_a_guide_in_two_languages_shows_the_same_commands(guide: str) -> None:
    def names(page: Path) -> list[str]:
        return [command_of(words)[1] for words in called(page)]

    assert names(GUIDES / f"{guide}.zh.md") == names(GUIDES / f"{guide}.md")


def test_every_guide_for_a_person_is_there_in_both_languages() -> None:
    assert {"enterprise", "metering-staff", "inspector", "operator", "developer"} <= set(BILINGUAL)


@pytest.mark.parametrize("page", [GUIDES / "developer.md", GUIDES / "developer.zh.md"], ids=lambda page: page.name)
def test_every_room_is_on_the_developers_map(page: Path) -> None:
    package, drawn = "", set[str]()
    for row in re.findall(
        r"^\| (?:\*\*`(\w+)`\*\*)? ?\| (?:`(\w+)`)? ?\|", page.read_text(encoding="utf-8"), re.MULTILINE
    ):
        package = row[0] or package
        if row[1]:
            drawn.add(f"{package}/{row[1]}")
    rooms = {
        path.parent.relative_to(ROOT).as_posix()
        for package in ("analytics", "dashboards", "deploy", "ingest", "streams")
        for path in (ROOT / package).glob("*/__init__.py")
    }
    assert drawn == rooms | {"dashboards/sql"}


@pytest.mark.parametrize("page", sorted(GUIDES.glob("developer*.md")), ids=lambda page: page.name)
def test_files_that_the_developers_guide_names_are_there(page: Path) -> None:
    named = set(
        re.findall(
            r"`((?:analytics|dashboards|deploy|ingest|streams|tests)/[\w/.]+)`", page.read_text(encoding="utf-8")
        )
    )
    assert {name for name in named if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("page", sorted(GUIDES.glob("developer*.md")), ids=lambda page: page.name)
def test_the_notebook_of_the_developers_guide_runs(page: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(example, page.name, "exec"), {})


@pytest.mark.parametrize("page", sorted(GUIDES.glob("runbook*.md")), ids=lambda page: page.name)
def test_every_situation_of_the_run_book_is_provoked_by_a_test_that_there_is(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    situations = [int(number) for number in re.findall(r"^\| (\d+) \| [^`]", text, re.MULTILINE)]
    tried = re.findall(r"^\| ([\d, ]+) \| (`tests/.*`) \|$", text, re.MULTILINE)
    assert situations == list(range(1, len(situations) + 1))
    assert len(situations) >= 12
    assert [int(one) for numbers, _ in tried for one in numbers.split(",")] == situations
    for _, named in tried:
        for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", named):
            assert f"\ndef {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{name}"
