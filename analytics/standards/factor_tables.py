"""Checks of factor tables parsed from TOML; all faults are reported at once."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from analytics.domain.units import CARRIERS, Unit, UnitError, canonical_unit
from analytics.standards.factors import CONFIDENCE, KJ_PER_KGCE, Factor, Fuel, Reference, tce_per_unit
from analytics.standards.tables import TableRow, mapping, raise_faults, table_rows

__all__ = ["entered_factors", "read_reference"]


def read_reference(document: Mapping[str, object]) -> Reference:
    """Check an edition's tables; raises `ConfigurationError` with every fault."""
    faults: list[str] = []
    standard = TableRow("[standard]", mapping(document.get("standard"), "[standard]", faults), faults)
    sources = mapping(document.get("sources", {}), "[sources]", faults)
    fuels: dict[str, Fuel] = {}
    for table in ("fuel", "electricity_heat", "medium"):
        for row in table_rows(document, table, faults):
            fuel = _fuel(row, sources)
            if fuel.name in fuels:
                row.fault(f"energy {fuel.name!r} is listed twice")
            fuels[fuel.name] = fuel
    reference = Reference(
        edition=standard.text("number"),
        in_force_day=standard.day("in_force_from", required=True) or 0,
        fuels=fuels,
        carriers=dict(_carrier(row, fuels) for row in table_rows(document, "carrier", faults)),
    )
    raise_faults(faults, "the factor table of the standard")
    return reference


def _fuel(row: TableRow, sources: Mapping[str, object]) -> Fuel:
    kgce: tuple[float, float] | None
    if row.has("kgce"):
        kgce = (row.number("kgce"),) * 2
    elif row.has("kgce_min") or row.has("kgce_max"):
        kgce = (row.number("kgce_min"), row.number("kgce_max"))
    else:
        kgce = None
        row.text("method")
    if kgce is not None and kgce[0] > kgce[1]:
        row.fault(f"kgce_min must not be above kgce_max (got {kgce[0]:g} and {kgce[1]:g})")
    confidence = row.text("factor_confidence")
    if confidence not in CONFIDENCE:
        row.fault(f"factor_confidence must be one of {', '.join(CONFIDENCE)} (got {confidence!r})")
    named = row.texts("sources")
    for source in named:
        if source not in sources:
            row.fault(f"source {source!r} is not in [sources]")
    return Fuel(name=row.text("energy"), per=row.unit("per"), kgce=kgce, confidence=confidence, sources=named)


def _carrier(row: TableRow, fuels: Mapping[str, Fuel]) -> tuple[tuple[str, str], tuple[tuple[str, ...], str]]:
    carrier, unit, names = row.text("energy"), row.unit("unit"), row.texts("fuels")
    if carrier not in CARRIERS:
        row.fault(f"energy must be a carrier of the ledger (got {carrier!r})")
    elif unit not in CARRIERS[carrier]:
        row.fault(f"unit must be one in which {carrier} is kept (got {unit.symbol!r})")
    reason = row.text("reason", "")
    for name in names:
        fuel = fuels.get(name)
        if fuel is None:
            row.fault(f"fuel {name!r} is not in the tables")
        elif len(names) == 1 and not reason and fuel.per.kind is not unit.kind:
            row.fault(f"the factor of {name} is per {fuel.per}, which does not convert to {unit}")
    return (carrier, unit.symbol), (names, reason)


def entered_factors(reference: Reference, documents: Iterable[Mapping[str, object]]) -> list[Factor]:
    """Check factors that were entered; raises `ConfigurationError` with every fault."""
    faults: list[str] = []
    factors: list[tuple[TableRow, Factor]] = []
    for document in documents:
        faults += [f"[{key}]: only [[factor]] can be entered" for key in document if key != "factor"]
        for row in table_rows(document, "factor", faults):
            factor = _entered(row, reference)
            if factor is not None:
                factors.append((row, factor))
    _check_overlaps(factors)
    raise_faults(faults, "the entered factors")
    return [factor for _, factor in factors]


_ENTERED = ("carrier", "unit_code", "valid_from", "valid_to", "kgce", "ncv_kj", "per", "source", "fuel")


def _entered(row: TableRow, reference: Reference) -> Factor | None:
    for key in row.values:
        if key not in _ENTERED:
            row.fault(f"{key} is none of {', '.join(_ENTERED)}")
    carrier = row.text("carrier")
    if carrier not in CARRIERS:
        row.fault(f"carrier must be one of {', '.join(CARRIERS)} (got {carrier!r})")
        return None
    unit_code = row.text("unit_code", "")
    first_day, end_day = row.day("valid_from"), row.day("valid_to")
    if first_day is not None and end_day is not None and end_day <= first_day:
        row.fault("valid_to must be after valid_from")
    ways = [key for key in ("kgce", "ncv_kj", "fuel") if row.has(key)]
    if len(ways) != 1:
        row.fault(f"exactly one of kgce, ncv_kj and fuel must be given (got {', '.join(ways) or 'none'})")
        return None
    if ways == ["fuel"]:
        return _entered_fuel(row, reference, carrier, unit_code, first_day, end_day)
    value, per, source = row.number(ways[0]), row.unit("per"), row.text("source")
    if not source:
        row.fault("source must say where the value comes from")
    canonical = _canonical(row, carrier, per)
    if canonical is None:
        return None
    kgce = value if ways == ["kgce"] else value / KJ_PER_KGCE
    stated = f"{value:g} kgce/{per}" if ways == ["kgce"] else f"{value:g} kJ/{per} / {KJ_PER_KGCE} kJ/kgce"
    return Factor(
        carrier=carrier,
        unit=canonical.symbol,
        unit_code=unit_code,
        tce_per_unit=tce_per_unit(kgce, per, canonical),
        first_day=first_day,
        end_day=end_day,
        text=f"{carrier} {stated}; entered: {source}",
    )


def _entered_fuel(
    row: TableRow, reference: Reference, carrier: str, unit_code: str, first_day: int | None, end_day: int | None
) -> Factor | None:
    name = row.text("fuel")
    fuel = reference.fuels.get(name)
    if fuel is None or fuel.number is None:
        row.fault(f"fuel must be one with a single factor in {reference.edition} (got {name!r})")
        return None
    canonical = _canonical(row, carrier, fuel.per)
    if canonical is None:
        return None
    listed, _ = reference.carriers.get((carrier, canonical.symbol), ((), ""))
    if listed and name not in listed:
        row.fault(f"fuel of {carrier} must be one of {', '.join(listed)} (got {name!r})")
        return None
    return reference.factor_of(
        fuel,
        carrier,
        canonical.symbol,
        first_day=first_day,
        end_day=end_day,
        unit_code=unit_code,
        entered=True,
    )


def _canonical(row: TableRow, carrier: str, per: Unit) -> Unit | None:
    try:
        canonical = canonical_unit(carrier, per)
    except UnitError as error:
        row.fault(str(error))
        return None
    if canonical.kind is per.kind and per.kind.is_counted:
        return canonical
    row.fault(f"a factor cannot be per {per}")
    return None


def _check_overlaps(factors: Sequence[tuple[TableRow, Factor]]) -> None:
    def order(pair: tuple[TableRow, Factor]) -> tuple[str, str, str, float]:
        factor = pair[1]
        since = -math.inf if factor.first_day is None else factor.first_day
        return factor.carrier, factor.unit, factor.unit_code, since

    for (_, one), (row, other) in pairwise(sorted(factors, key=order)):
        same = (one.carrier, one.unit, one.unit_code) == (other.carrier, other.unit, other.unit_code)
        if same and (one.end_day is None or other.first_day is None or other.first_day < one.end_day):
            row.fault(f"two factors of {other.carrier} in {other.unit} hold on the same day ({one.text})")
