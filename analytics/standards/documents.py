"""Standards and rules in force, from files: those shipped, and those loaded over them.

A file's tables tell its kind: ``[rates]`` an edition, ``[rules]`` rules of supervision, ``[[factor]]`` or
``[[equal_value]]`` factors to coal equivalent, ``[water]`` a standard of water metering, and those of `facts` facts
about units. An edition replaces the one of its number, rules replace all rules, a standard of water metering the one
before, factors those of the same name; facts add up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from analytics.domain.errors import ConfigurationError
from analytics.standards.coal import FactorTable, load_factors
from analytics.standards.edition_tables import load_edition
from analytics.standards.editions import Edition, EditionBook
from analytics.standards.facts import FACT_TABLES, Facts, load_facts
from analytics.standards.review import ReviewSheet, load_review
from analytics.standards.rules import Rules, load_rules
from analytics.standards.water.gb24789 import WaterStandard, load_water

__all__ = ["KINDS", "Document", "Shipped", "Standards", "document_of", "standards_of"]

KINDS: Final = ("edition", "rules", "factors", "water", "facts")
_BY_TABLE: Final = {
    "rates": "edition",
    "rules": "rules",
    "factor": "factors",
    "equal_value": "factors",
    "water": "water",
    **dict.fromkeys(FACT_TABLES, "facts"),
}
_VARIES: Final = ("electricity", "steam", "hot_water")
"""Energies whose equal value depends on how they were made in the year: no number holds by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed file."""

    kind: str
    name: str
    tables: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """Parsed files of the package."""

    edition: Mapping[str, object]
    rules: Mapping[str, object]
    factors: Mapping[str, object]
    review: Mapping[str, object]
    water: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standards:
    """Documents that an assessment applies.

    Attributes
    ----------
    factors, equal_value : FactorTable
        To coal equivalent: what an energy contains (当量值), and what its making took (等价值).
    """

    book: EditionBook
    rules: Rules
    facts: Facts
    factors: FactorTable
    equal_value: FactorTable
    review: ReviewSheet
    water: WaterStandard


def document_of(tables: Mapping[str, object], *, source: str) -> Document:
    """Kind and name of a parsed file.

    Raises
    ------
    ConfigurationError
        If its tables are of no kind, or of several.

    Examples
    --------
    >>> document_of({"rules": {"name": "province"}}, source="a.toml").name
    'province'
    """
    kinds = {kind for table, kind in _BY_TABLE.items() if table in tables}
    if len(kinds) != 1:
        wanted = ", ".join(f"[{table}]" for table in _BY_TABLE)
        raise ConfigurationError(
            f"{source}: its tables must tell one kind of file, by one of {wanted} (got {', '.join(map(str, tables))})"
        )
    kind = kinds.pop()
    holder = tables.get({"edition": "standard", "rules": "rules", "water": "water"}.get(kind, ""), tables)
    key = "number" if kind in {"edition", "water"} else "name"
    name = holder.get(key, source) if isinstance(holder, Mapping) else source
    return Document(kind=kind, name=str(name), tables=tables)


def standards_of(shipped: Shipped, loaded: Sequence[Document]) -> Standards:
    """Combine and check the documents.

    Parameters
    ----------
    shipped : Shipped
    loaded : sequence of Document
        In the order in which they were loaded.

    Raises
    ------
    ConfigurationError
        With every fault of the first file that has any.
    """
    editions: dict[str, Edition] = {}
    for tables in (shipped.edition, *(one.tables for one in loaded if one.kind == "edition")):
        edition = load_edition(tables)
        editions[edition.number] = edition
    rules = [one.tables for one in loaded if one.kind == "rules"]
    water = [one.tables for one in loaded if one.kind == "water"]
    factors = {one.name: one.tables for one in loaded if one.kind == "factors"}
    return Standards(
        book=EditionBook(tuple(editions.values())),
        rules=load_rules(rules[-1] if rules else shipped.rules),
        facts=load_facts([one.tables for one in loaded if one.kind == "facts"]),
        factors=load_factors(shipped.factors, *(_only(tables, "factor") for tables in factors.values())),
        equal_value=_equal_value(shipped.factors, tuple(factors.values())),
        review=load_review(shipped.review),
        water=load_water(water[-1] if water else shipped.water),
    )


def _only(tables: Mapping[str, object], name: str) -> Mapping[str, object]:
    others = {"factor", "equal_value", "name"}
    kept = {key: value for key, value in tables.items() if key not in others}
    return kept | {"factor": tables.get(name, [])}


def _equal_value(reference: Mapping[str, object], factors: Sequence[Mapping[str, object]]) -> FactorTable:
    """Factors of equal value: as equivalent for what is burnt, and only as entered for what was made from it."""
    carriers = reference.get("carrier", [])
    assert isinstance(carriers, list), "the shipped file is checked by its own tests"
    kept = [one for one in carriers if one["energy"] not in _VARIES]
    kept += [
        {"energy": one["energy"], "unit": one["unit"], "fuels": [], "reason": "its equal value is that of the year"}
        for one in carriers
        if one["energy"] in _VARIES
    ]
    entered = [{"factor": tables.get("equal_value", [])} for tables in factors]
    burnt = [{"factor": _burnt(tables)} for tables in factors]
    return load_factors({**reference, "carrier": kept}, *entered, *burnt)


def _burnt(tables: Mapping[str, object]) -> list[object]:
    rows = tables.get("factor", [])
    own = tables.get("equal_value", [])
    named = {row.get("carrier") for row in own if isinstance(row, Mapping)} if isinstance(own, list) else set()
    if not isinstance(rows, list):
        return []
    return [row for row in rows if isinstance(row, Mapping) and row.get("carrier") not in {*_VARIES, *named}]
