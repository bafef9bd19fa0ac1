"""Titles, heads and foot of the forms against the list of the trade's words."""

import re
from pathlib import Path

import pytest

from dashboards.reports.forms import FOOT, LEDGER_HEADS, TITLES

_TERMS = Path(__file__).parents[4] / "shared" / "domain" / "terms.md"


@pytest.fixture
def terms() -> dict[str, str]:
    """Second column by the first, of every table of the list."""
    if not _TERMS.exists():
        pytest.skip(f"FORMS NOT COMPARED: {_TERMS} is missing; it stands beside the project")
    lines = [line.strip("| \n").split("|") for line in _TERMS.read_text(encoding="utf-8").splitlines()]
    return {cells[0].strip(): cells[1].strip() for cells in lines if len(cells) > 1}


def test_titles_are_those_of_the_forms(terms: dict[str, str]) -> None:
    known = {form: title for form, title in terms.items() if re.fullmatch(r"B\.\d+", form)}
    assert len(known) >= 9
    assert {form: TITLES[form].zh for form in known} == known


def test_heads_and_foot_are_those_of_the_forms_and_no_more(terms: dict[str, str]) -> None:
    assert [head.zh for head in LEDGER_HEADS] == re.split(r"\s*·\s*", terms["heads of B.3 to B.7"])
    assert [word.zh for word in FOOT] == re.split(r"\s*·\s*", terms["foot of a form"])
