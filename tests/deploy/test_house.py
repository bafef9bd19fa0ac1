"""Rules of the house: who owns which name, who may import whom, and what lies where."""

import re
import shutil
import subprocess
import sys
import zipfile
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


def test_the_wheel_holds_what_runs_and_nothing_else(tmp_path: Path) -> None:
    """Everything of the five packages but what is for people who read the tree."""
    for path in tracked():
        if path.relative_to(ROOT).parts[0] in {*PACKAGES, "pyproject.toml", "README.md"}:
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, "."], cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    for_operators = r"deploy/(setup\.sh|(locks|guides|systemd|container|kubernetes|watching)/.*)"
    for_readers = re.compile(rf".*\.md|dashboards/generated/.*|{for_operators}")
    meant = {name for path in tracked() if (name := path.relative_to(ROOT).as_posix()).split("/")[0] in PACKAGES}
    assert held == {name for name in meant if not for_readers.fullmatch(name)}
