"""What users read is plain English: things are reported, shown, logged or recorded."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from deploy.cli import cli
from tests.deploy.house.test_guides import PAGES, ROOT
from tests.deploy.test_rooms import MODULES

DIALECT = re.compile(r"\b(told|said|hears?)\b", re.IGNORECASE)
STORED = "the load hardly varies, or follows that of others too closely to be told apart"
"""A reason that databases hold; it is known by these words."""
PAPERS = sorted({*(ROOT / "deploy").rglob("*.md"), *(ROOT / "dashboards").rglob("*.md")} - set(PAGES))
TEMPLATES = sorted(path for kind in ("html.j2", "html") for path in (ROOT / "dashboards").rglob(f"*.{kind}"))


def texts(path: Path) -> Iterator[str]:
    """Texts of a module that somebody may be shown: of several words, and no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            text = node.value.strip()
            if " " in text and not re.match(r"(select|insert|update|with|delete)\b", text):
                yield text


def helps(command: click.Command, name: str = "meterwarden") -> Iterator[tuple[str, str]]:
    """Texts of help of a command and of all below it."""
    yield name, command.help or ""
    yield from ((f"{name} {one.name}", one.help or "") for one in command.params if isinstance(one, click.Option))
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None, below
            yield from helps(found, f"{name} {below}")


def test_messages_are_in_plain_words() -> None:
    found = {
        name: [one for one in texts(path) if DIALECT.search(one) and one != STORED] for name, path in MODULES.items()
    }
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_help_is_in_plain_words() -> None:
    wrong = re.compile(rf"{DIALECT.pattern}|\btells?\b", re.IGNORECASE)
    assert [(name, text) for name, text in helps(cli) if wrong.search(text)] == []


@pytest.mark.parametrize("page", [*PAGES, *PAPERS, *TEMPLATES], ids=lambda page: f"{page.parent.name}/{page.name}")
def test_pages_are_in_plain_words(page: Path) -> None:
    text = re.sub(r"`[^`]*`|\{\{.*?\}\}|\{%.*?%\}", "", page.read_text(encoding="utf-8"))
    assert DIALECT.findall(text) == []
