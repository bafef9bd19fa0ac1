"""Rooms of the house: how wide a folder may be, and that no import between the folders of a package runs back up."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("analytics", "dashboards", "deploy", "ingest", "streams")
NARROW, WIDE = 20, 26
"""Python files that a folder may hold: those that a newcomer reads first, and all others."""
LONG = 620
"""Lines a file may have; the table of settings is one list, however long."""
READ_FIRST = frozenset({"ingest", "streams", "streams/store"})


def held(*packages: str) -> Mapping[str, Path]:
    """Every module by its name; a package by its own."""
    found = {}
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = held(*PACKAGES)
FOLDERS = tuple(sorted(name for name, path in MODULES.items() if path.name == "__init__.py"))


def imported(path: Path) -> Iterator[str]:
    """Modules of ours that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.module in MODULES:
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                yield module if module in MODULES else node.module


def circle(package: str, imports: Mapping[str, frozenset[str]]) -> list[str]:
    """Rooms of a package that import each other in a circle; none where they have an order."""
    prefix = f"{package}."
    above: dict[str, set[str]] = defaultdict(set)
    for module, others in imports.items():
        for other in others:
            if module.startswith(prefix) and other.startswith(prefix):
                room, used = (name[len(prefix) :].split(".")[0] for name in (module, other))
                above[room] |= {used} - {room}
    try:
        TopologicalSorter(above).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


IMPORTS = {name: frozenset(imported(path)) for name, path in MODULES.items()}


def test_no_folder_is_a_hallway() -> None:
    folders: dict[str, int] = defaultdict(int)
    for path in held(*PACKAGES, "tests").values():
        folders[path.parent.relative_to(ROOT).as_posix()] += 1
    most = {folder: NARROW if folder in READ_FIRST else WIDE for folder in folders}
    assert {folder: n for folder, n in folders.items() if n > most[folder]} == {}


@pytest.mark.parametrize("package", FOLDERS)
def test_imports_between_the_rooms_of_a_package_never_run_back_up(package: str) -> None:
    assert circle(package, IMPORTS) == []


def test_no_files_import_each_other_in_a_circle() -> None:
    TopologicalSorter({module: others - {module} for module, others in IMPORTS.items()}).prepare()


def test_a_circle_would_be_found() -> None:
    store, judge = "streams.store.partitions", "streams.compliance.judge"
    back = {**IMPORTS, store: IMPORTS[store] | {judge}}
    assert {"compliance", "store"} <= set(circle("streams", back))


def test_no_file_is_too_long_to_be_read() -> None:
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: n for name, n in lines.items() if n > LONG and name != "deploy.settings"} == {}
