"""The two READMEs say the same, stay short, and lead to pages that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
README, CHINESE = ROOT / "README.md", ROOT / "deploy" / "README.zh.md"
DECISIONS = sorted((ROOT / "deploy" / "decisions").glob("*.md"))
PAGES = [
    README,
    CHINESE,
    *sorted((ROOT / "deploy").glob("*.md")),
    *sorted((ROOT / "deploy" / "guides").glob("*.md")),
    *DECISIONS,
]


def _blocks(page: Path) -> list[str]:
    """Fenced blocks without what is said beside a command."""
    text = page.read_text(encoding="utf-8")
    return [re.sub(r"\s+# .*", "", block) for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)]


def test_whoever_opens_it_first_reads_8_kb() -> None:
    assert len(README.read_bytes()) <= 8192


def test_both_languages_show_the_same_commands() -> None:
    assert _blocks(README) == _blocks(CHINESE)


def test_both_languages_have_the_same_headings() -> None:
    def levels(page: Path) -> list[str]:
        return re.findall(r"^(#+) ", page.read_text(encoding="utf-8"), re.MULTILINE)

    assert levels(README) == levels(CHINESE)


@pytest.mark.parametrize("page", sorted(set(PAGES)), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith("http")]
    missing = [link for link in links if link and not (page.parent / link).exists()]
    assert not missing, f"{page.name}: required links to files that are there, got {missing}"


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)
def test_a_decision_has_a_number_a_date_and_a_status(page: Path) -> None:
    title, blank, status = page.read_text(encoding="utf-8").split("\n")[:3]
    assert title.startswith(f"# {page.name[:4]} · ")
    assert not blank
    assert re.match(r"\d{4}-\d{2}-\d{2} · (in force|superseded by \[\d{4}\])", status), status


def test_the_changes_of_the_version_are_told() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version is not None
    folder = ROOT / "deploy" / "changes" / version[1]
    assert any(folder.glob("*.md")), f"{folder} must hold fragments"
    assert [path.name for path in folder.parent.glob("*.md")] == ["README.md"]


@pytest.mark.parametrize("page", [README, CHINESE], ids=lambda page: page.name)
def test_the_first_page_shows_one_picture_of_the_pages_that_loads_at_once(page: Path) -> None:
    (picture,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    data = (page.parent / picture).read_bytes()
    assert data.startswith(b"\x89PNG")
    assert len(data) <= 200_000
