"""Loading an edition from parsed TOML: every row and field is checked, and all faults are reported at once."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from analytics.domain.accuracy import AccuracyClass, AccuracyClassError, parse_accuracy_class
from analytics.domain.units import CARRIERS
from analytics.standards.editions import AccuracyRow, AccuracyTable, Edition, Limit, TradeRow, UserCategory
from analytics.standards.tables import TableRow, mapping, raise_faults, table_rows

__all__ = ["CLAUSES", "FURTHER_CLAUSES", "LEVEL_OF_EDITION", "load_edition"]

LEVEL_OF_EDITION: Final = {"unit": "unit", "main_sub_organization": "sub_unit", "main_equipment": "equipment"}
"""Names of the levels in editions, by those of the ledger."""
CLAUSES: Final = ("equipped", "verification", "ledger", "accuracy_unit", "accuracy_sub_unit", "accuracy_equipment")
FURTHER_CLAUSES: Final = ("conversion", "production", "raw_material")
"""Optional checks: an edition that names no clause for one does not require it."""
_INSTRUMENTS: Final = {
    "weighing": ("static", "dynamic"),
    "electricity_meter": ("dc",),
    "oil_flow": ("refined_oil", "heavy_or_residual_oil"),
    "gas_flow": ("coal_gas", "natural_gas", "steam"),
    "water_flow": ("dn_le_250", "dn_gt_250"),
    "temperature": ("plain", "mass_calculation"),
    "pressure": ("plain", "mass_calculation"),
}
_LIMIT_UNITS: Final = ("kW", "MW", "t/a", "t/h", "m3/a", "m3/h", "GJ/a", "GJ/h")
_STRICTEST: Final = parse_accuracy_class("0.001")


def load_edition(document: Mapping[str, object]) -> Edition:
    """Check the tables of an edition.

    Parameters
    ----------
    document : mapping
        Parsed file in the form of ``analytics/standards/gb17167_2006.toml``.

    Raises
    ------
    ConfigurationError
        With every fault: a row that is missing, a class that does not exist, a rate beyond 100 % …
    """
    faults: list[str] = []
    standard = _table(document, "standard", faults)
    rates = _table(document, "rates", faults)
    accuracy = _table(document, "accuracy", faults)
    superseded_by = standard.text("replaced_by", "")
    edition = Edition(
        number=standard.name("number"),
        title_zh=standard.text("title_zh", ""),
        title_en=standard.text("title_en", ""),
        sector=standard.text("sector", ""),
        in_force_day=standard.day("in_force_from", required=True) or 0,
        superseded_day=standard.day("superseded_from", required=bool(superseded_by)),
        superseded_by=superseded_by,
        mandatory=frozenset(standard.texts("mandatory_clauses")),
        clauses=_clauses(document, rates, faults),
        limits=_limits(_table(document, "limits", faults)),
        rates=_rates(rates),
        accuracy=_accuracy(accuracy, _categories(document, faults)),
        confidence=standard.text("confidence", "one"),
        sources=standard.texts("sources"),
    )
    raise_faults(faults, f"the edition {edition.number or 'without a number'}")
    return edition


def _table(document: Mapping[str, object], key: str, faults: list[str]) -> TableRow:
    if key not in document:
        faults.append(f"[{key}]: must be there")
    return TableRow(f"[{key}]", mapping(document.get(key, {}), f"[{key}]", faults), faults)


def _clauses(document: Mapping[str, object], rates: TableRow, faults: list[str]) -> Mapping[str, str]:
    table = _table(document, "clauses", faults)
    clauses = {name: table.name(name) for name in CLAUSES}
    clauses |= {name: table.name(name) for name in FURTHER_CLAUSES if table.has(name)}
    clauses["rate"] = rates.name("clause")
    limits = _table(document, "limits", faults)
    for name, level in LEVEL_OF_EDITION.items():
        if level != "unit":
            clauses[f"main_{level}"] = limits.table(name).name("clause")
    return clauses


def _limits(table: TableRow) -> Mapping[str, tuple[Limit, ...]]:
    found = {}
    for name, level in LEVEL_OF_EDITION.items():
        if level == "unit":
            continue
        inside = table.table(name)
        inside.choice("comparison", ("ge",))
        inside.choice("logic", ("any",))
        rows = tuple(_limit(row) for row in inside.rows("row"))
        named = [energy for row in rows for energy in row.energies]
        for energy in sorted({energy for energy in named if named.count(energy) > 1}):
            inside.fault(f"energy {energy} must stand in one row (it stands in several)")
        missing = [energy for energy in CARRIERS if energy not in named]
        if missing and "other" not in named:
            inside.fault(f"a row for {', '.join(missing)}, or one for other, must be there")
        found[level] = rows
    return found


def _limit(row: TableRow) -> Limit:
    energies = row.texts("energies")
    for energy in energies:
        _known_energy(row, energy)
    if not energies:
        row.fault("energies must name one energy or more")
    return Limit(
        energies=energies, value=row.number("value"), unit=row.choice("unit", _LIMIT_UNITS), zh=row.text("zh", "")
    )


def _rates(table: TableRow) -> Mapping[tuple[str, str], Fraction | None]:
    found: dict[tuple[str, str], Fraction | None] = {}
    named: set[str] = set()
    for row in table.rows("row"):
        energy = row.name("energy")
        _known_energy(row, energy)
        if energy in named:
            row.fault(f"energy {energy} must stand in one row (it stands in two)")
        named.add(energy)
        free = row.texts("no_requirement")
        for name, level in LEVEL_OF_EDITION.items():
            if name in free:
                found[energy, level] = None
            else:
                found[energy, level] = Fraction(repr(row.share(name)))
    without = table.texts("not_covered")
    for energy in without:
        _known_energy(table, energy)
        if energy in named:
            table.fault(f"not_covered must not name {energy}, which has a row")
    missing = [energy for energy in CARRIERS if energy not in named and energy not in without]
    if missing:
        table.fault(f"a row for {', '.join(missing)} must be there, or not_covered must name it")
    return found


def _accuracy(table: TableRow, categories: tuple[UserCategory, ...]) -> AccuracyTable:
    table.name("clause")
    rows: dict[tuple[str, str], AccuracyRow] = {}
    for row in table.rows("row"):
        made = AccuracyRow(
            instrument=row.choice("instrument", tuple(_INSTRUMENTS)),
            key=row.name("key"),
            required=_class(row, "class"),
            zh=row.text("zh", ""),
            purpose=row.text("purpose", ""),
        )
        if (made.instrument, made.key) in rows:
            row.fault(f"{made.instrument} {made.key} must stand in one row (it stands in two)")
        rows[made.instrument, made.key] = made
    wanted = [(instrument, key) for instrument, keys in _INSTRUMENTS.items() for key in keys]
    wanted += [("electricity_meter", f"user_{category.id}") for category in categories]
    for instrument, key in wanted:
        if (instrument, key) not in rows:
            table.fault(f"a row for {instrument} {key} must be there")
    return AccuracyTable(
        rows=rows,
        trade={(trade.instrument, trade.energy): trade for trade in map(_trade, table.rows("trade"))},
        ladder=tuple(_parsed(table, "electricity_ladder", text) for text in table.texts("electricity_ladder")),
        relaxed_steps=table.count("relaxed_steps"),
        categories=categories,
    )


def _trade(row: TableRow) -> TradeRow:
    energy = row.name("energy")
    _known_energy(row, energy)
    return TradeRow(
        instrument=row.choice("instrument", tuple(_INSTRUMENTS)),
        energy=energy,
        required=_class(row, "class") if row.has("class") else None,
        required_review=_class(row, "class_jjf1356") if row.has("class_jjf1356") else None,
        further=row.text("further", ""),
        further_zh=row.text("further_zh", "") or row.text("further", ""),
    )


def _categories(document: Mapping[str, object], faults: list[str]) -> tuple[UserCategory, ...]:
    rows = table_rows(document, "user_category", faults)
    if not rows:
        faults.append("[[user_category]]: one category or more must be there")
    return tuple(
        UserCategory(
            id=row.name("id"),
            zh=row.text("zh", ""),
            monthly_kwh_ge=row.optional_number("monthly_kwh_ge"),
            transformer_kva_ge=row.optional_number("transformer_kva_ge"),
            load_kva_lt=row.optional_number("load_kva_lt"),
            single_phase=row.flag("single_phase", default=False),
            high_voltage=row.flag("high_voltage", default=False),
        )
        for row in rows
    )


def _class(row: TableRow, key: str) -> AccuracyClass:
    return _parsed(row, key, row.text(key))


def _parsed(row: TableRow, key: str, text: str) -> AccuracyClass:
    try:
        found = parse_accuracy_class(text)
    except AccuracyClassError as error:
        row.fault(f"{key}: {error}")
        return _STRICTEST
    if found.number is None:
        row.fault(f"{key} must be a class with a number, such as 0.5S (got {text!r})")
    return found


def _known_energy(row: TableRow, energy: str) -> None:
    if energy not in CARRIERS:
        row.fault(f"energy must be one of {', '.join(CARRIERS)} (got {energy!r})")
