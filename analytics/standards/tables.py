"""Tables of parsed TOML read field by field; faults are collected and reported together."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from analytics.domain.errors import ConfigurationError
from analytics.domain.units import Unit, UnitError, parse_unit
from analytics.standards.factors import EPOCH_ORDINAL

__all__ = ["TableRow", "mapping", "raise_faults", "table_rows"]


@dataclass(slots=True)
class TableRow:
    """One table of a parsed file; a faulty field gives a harmless value, the faults are thrown together later."""

    where: str
    values: Mapping[str, object]
    faults: list[str]

    def fault(self, message: str) -> None:
        """Record a fault."""
        self.faults.append(f"{self.where}: {message}")

    def has(self, key: str) -> bool:
        """Whether the field is there."""
        return key in self.values

    def text(self, key: str, default: str | None = None) -> str:
        """A text; it must be there without a default."""
        value = self.values.get(key, default)
        if not isinstance(value, str):
            self.fault(f"{key} must be text (got {value!r})")
            return ""
        return value

    def name(self, key: str) -> str:
        """A nonempty text."""
        value = self.text(key)
        if not value.strip():
            self.fault(f"{key} must not be empty")
        return value.strip()

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        """One of some words."""
        value = self.text(key, default)
        if value not in choices:
            self.fault(f"{key} must be one of {', '.join(choices)} (got {value!r})")
            return choices[0]
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, empty where it is not there."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fault(f"{key} must be a list of texts (got {value!r})")
            return ()
        return tuple(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            self.fault(f"{key} must be true or false (got {value!r})")
            return default
        return value

    def number(self, key: str) -> float:
        """A positive number."""
        value = self.values.get(key)
        good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
        if not good:
            self.fault(f"{key} must be a number above 0 (got {value!r})")
            return 1.0
        assert isinstance(value, int | float)
        return float(value)

    def optional_number(self, key: str) -> float | None:
        """A positive number, or nothing."""
        return self.number(key) if self.has(key) else None

    def share(self, key: str, default: float | None = None) -> float:
        """A number from 0 to 100. [%]"""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            self.fault(f"{key} must be a number from 0 to 100 (got {value!r})")
            return 0.0
        return float(value)

    def count(self, key: str) -> int:
        """A whole number, 0 or more."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.fault(f"{key} must be a whole number, 0 or more (got {value!r})")
            return 0
        return value

    def day(self, key: str, *, required: bool = False) -> int | None:
        """A date. [d since 1970-01-01]"""
        value = self.values.get(key)
        if value is None and not required:
            return None
        if type(value) is not date:
            self.fault(f"{key} must be a date such as 2026-01-01 (got {value!r})")
            return None
        return value.toordinal() - EPOCH_ORDINAL

    def month(self, key: str) -> str:
        """A month such as ``2026-10``."""
        text = self.text(key)
        if not re.fullmatch(r"[12]\d{3}-(0[1-9]|1[0-2])", text):
            self.fault(f"{key} must be a month such as 2026-10 (got {text!r})")
        return text

    def amount(self, key: str) -> float:
        """A number, 0 or more."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            self.fault(f"{key} must be a number, 0 or more (got {value!r})")
            return 0.0
        return float(value)

    def unit(self, key: str) -> Unit:
        """A unit of measurement."""
        text = self.text(key)
        try:
            return parse_unit(text)
        except UnitError as error:
            self.fault(f"{key}: {error}")
            return parse_unit("kg")

    def only(self, *keys: str) -> None:
        """Report unknown fields: a misspelt one would otherwise be ignored silently."""
        for key in self.values:
            if key not in keys:
                self.fault(f"{key} is none of {', '.join(keys)}")

    def table(self, key: str) -> "TableRow":
        """A table inside, empty where it is not there."""
        where = f"{self.where}.{key}"
        return TableRow(where, mapping(self.values.get(key, {}), where, self.faults), self.faults)

    def rows(self, key: str) -> "list[TableRow]":
        """A list of tables inside."""
        return table_rows(self.values, key, self.faults, where=f"{self.where}.{key}")


def mapping(value: object, where: str, faults: list[str]) -> Mapping[str, object]:
    """A table, an empty one with a fault where it is none."""
    if isinstance(value, Mapping):
        return value
    faults.append(f"{where}: must be a table (got {value!r})")
    return {}


def table_rows(document: Mapping[str, object], table: str, faults: list[str], *, where: str = "") -> list[TableRow]:
    """Tables of a list of tables, numbered as they stand."""
    name = where or f"[[{table}]]"
    value = document.get(table, [])
    if not isinstance(value, list):
        faults.append(f"{name}: must be a list of tables (got {value!r})")
        return []
    return [
        TableRow(f"{name} number {i}", mapping(item, f"{name} number {i}", faults), faults)
        for i, item in enumerate(value, 1)
    ]


def raise_faults(faults: Sequence[str], what: str) -> None:
    """Raise `ConfigurationError` with all faults, where there is any."""
    if faults:
        raise ConfigurationError(f"{what}: {len(faults)} faults\n" + "\n".join(faults))
