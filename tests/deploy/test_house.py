"""Rules of the house: who owns which name, who may import whom, and what lies where."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("analytics", "dashboards", "deploy", "ingest", "streams")
TOP_LEVEL = {
    *PACKAGES,
    ".ci",
    ".gitignore",
    ".pre-commit-config.yaml",
    "Makefile",
    "README.md",
    "pyproject.toml",
    "tests",
}
# written in two pieces, so that this file holds none of them
REGISTRIES = re.compile(
    "|".join(
        re.escape(name + end)
        for name, end in (
            ("pypi", ".org"),
            ("pythonhosted", ".org"),
            ("maven", ".org"),
            ("maven.apache", ".org"),
            ("debian", ".org"),
            ("npmjs", ".org"),
            ("npmjs", ".com"),
            ("crates", ".io"),
            ("proxy.golang", ".org"),
        )
    )
)


def tracked() -> list[Path]:
    try:
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the tree is not a git checkout, so nobody can say which files belong to it")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_has_one_owner_in_the_environment(package: str) -> None:
    assert set(packages_distributions()[package]) == {"meterwarden"}


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_is_a_regular_and_typed_one(package: str) -> None:
    assert (ROOT / package / "__init__.py").exists()
    assert (ROOT / package / "py.typed").exists()


def test_every_folder_of_tests_is_a_package_so_that_none_shadows_the_product() -> None:
    folders = {path.parent for path in tracked() if path.suffix == ".py" and (ROOT / "tests") in path.parents}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_imports_go_one_way() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_the_tree_names_no_registry_host() -> None:
    named = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        named += [f"{path.relative_to(ROOT)}: {found[0]}" for found in REGISTRIES.finditer(text)]
    assert named == []


def test_the_top_level_holds_what_is_fixed_and_nothing_else() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= TOP_LEVEL
