"""One home a concept: a length of time, a name of a class, a table of words are each defined once."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.deploy.test_rooms import MODULES

LENGTHS = frozenset({60_000_000, 3_600_000_000, 86_400_000_000})
"""A minute, an hour and a day. [us]"""
OF_OTHERS = {
    "analytics.domain.instants",
    "analytics.domain.unit_tables",  # MWh in units of the smallest
    "deploy.simulate",  # how long one stretch lasts, by chance a minute
    "streams.store.layers.packing",  # the period of a layer, by chance a day
}


def assigned_numbers(path: Path) -> Iterator[int]:
    """Whole numbers that module constants of a file are made of."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for part in ast.walk(node.value):
                if isinstance(part, ast.Constant) and type(part.value) is int:
                    yield part.value


def renamed_classes(path: Path) -> Iterator[str]:
    """Classes of ours that a file imports under another name, because it has a class of that name already."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                if alias.asname is not None and alias.name[:1].isupper() and not alias.name.isupper():
                    yield f"{node.module}.{alias.name} as {alias.asname}"


def connects(path: Path) -> bool:
    """Whether a file opens a connection to the database itself."""
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "connect"
        and ast.unparse(node.value).removeprefix("psycopg.") in {"psycopg", "Connection", "AsyncConnection"}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    )


def test_the_database_has_one_door() -> None:
    assert [name for name, path in MODULES.items() if connects(path)] == ["streams.store.postgres.connections"]


def test_lengths_of_time_come_from_one_module() -> None:
    found = {name: LENGTHS & set(assigned_numbers(path)) for name, path in MODULES.items() if name not in OF_OTHERS}
    assert {name: lengths for name, lengths in found.items() if lengths} == {}


def test_no_module_has_two_classes_of_one_name() -> None:
    found = {name: list(renamed_classes(path)) for name, path in MODULES.items()}
    assert {name: classes for name, classes in found.items() if classes} == {}


def test_severities_and_phrases_have_one_type() -> None:
    homes: dict[str, list[str]] = {"Severity": [], "Phrase": [], "phrases": [], "LedgersInUse": []}
    for name, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name in homes:
                homes[node.name].append(name)
    assert {what: len(where) for what, where in homes.items()} == dict.fromkeys(homes, 1)
