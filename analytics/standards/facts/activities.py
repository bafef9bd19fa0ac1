"""Activities of a unit with energy: conversion, distribution, production, use as raw material.

No ledger column says it, so it is entered (``[[activity]]`` of a file of facts), and nothing is concluded without.
"""

from dataclasses import dataclass
from typing import Final

from analytics.domain.accuracy import AccuracyClass, AccuracyClassError, parse_accuracy_class
from analytics.domain.units import CARRIERS
from analytics.standards.tables import TableRow

__all__ = ["ACTIVITIES", "Activity", "ActivityKey", "activity_of"]

ACTIVITIES: Final = ("conversion", "transport", "production", "raw_material")
_FIELDS: Final = {
    "conversion": ("inputs", "outputs", "sub_unit", "equipment"),
    "transport": ("carriers", "sub_unit", "equipment"),
    "production": ("outputs", "own_use", "product", "sub_unit", "equipment"),
    "raw_material": ("points", "class"),
}
_NEEDED: Final = {
    "conversion": ("inputs", "outputs"),
    "transport": ("carriers",),
    "production": ("outputs", "own_use"),
    "raw_material": ("points",),
}

ActivityKey = tuple[str, str, str]
"""Unit code, kind, name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One activity of a unit.

    Attributes
    ----------
    kind : str
        One of `ACTIVITIES`.
    name : str
        Name in the plant.
    sub_unit, equipment : str
        Where it happens; both empty for the unit as a whole.
    inputs, outputs : tuple of str
        Energies that go in and come out: of a conversion, of a transport the same ones, of a production what it uses
        itself and what it makes.
    product : str
        Whose entered output says how much a production makes; empty where its meters do.
    points : tuple of str
        At which raw material is measured.
    required : AccuracyClass or None
        Class that the process requires at these points.
    """

    kind: str
    name: str
    sub_unit: str
    equipment: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    product: str
    points: tuple[str, ...]
    required: AccuracyClass | None
    source: str

    @property
    def level(self) -> str:
        """Level of metering at which it is measured."""
        return "equipment" if self.equipment else "sub_unit" if self.sub_unit else "unit"


def activity_of(row: TableRow) -> tuple[ActivityKey, Activity]:
    """A row of the table ``activity``; its faults go to the row."""
    kind = row.choice("kind", ACTIVITIES)
    row.only("unit_code", "kind", "name", "source", *_FIELDS[kind])
    lists = {name: row.texts(name) for name in ("inputs", "outputs", "carriers", "own_use", "points")}
    for name in _NEEDED[kind]:
        if not lists[name]:
            row.fault(f"{name} must name one or more")
    for name in ("inputs", "outputs", "carriers", "own_use"):
        for energy in lists[name]:
            if energy not in CARRIERS:
                row.fault(f"{name} must be of {', '.join(CARRIERS)} (got {energy!r})")
    made = Activity(
        kind=kind,
        name=row.name("name"),
        sub_unit=row.text("sub_unit", ""),
        equipment=row.text("equipment", ""),
        inputs=lists["inputs"] or lists["carriers"] or lists["own_use"],
        outputs=lists["outputs"] or lists["carriers"],
        product=row.text("product", ""),
        points=lists["points"],
        required=_class(row) if row.has("class") else None,
        source=row.name("source"),
    )
    return (row.name("unit_code"), made.kind, made.name), made


def _class(row: TableRow) -> AccuracyClass | None:
    text = row.text("class")
    try:
        return parse_accuracy_class(text)
    except AccuracyClassError as error:
        row.fault(f"class: {error}")
        return None
