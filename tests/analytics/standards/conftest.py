"""The editions and rules that ship, read as the package does."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from analytics.standards.edition_tables import load_edition
from analytics.standards.editions import Edition
from analytics.standards.rules import Rules, load_rules

SHIPPED = Path(__file__).parents[3] / "analytics" / "standards"


@pytest.fixture
def edition_document() -> Mapping[str, Any]:
    return tomllib.loads((SHIPPED / "gb17167_2006.toml").read_text(encoding="utf-8"))


@pytest.fixture
def rules_document() -> Mapping[str, Any]:
    return tomllib.loads((SHIPPED / "supervision.toml").read_text(encoding="utf-8"))


@pytest.fixture
def edition(edition_document: Mapping[str, Any]) -> Edition:
    return load_edition(edition_document)


@pytest.fixture
def rules(rules_document: Mapping[str, Any]) -> Rules:
    return load_rules(rules_document)
