"""A person's options for reading a ledger file: of a command, or kept as a profile."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from analytics.domain.ledger import COLUMNS
from analytics.domain.toml import parse_toml
from ingest.files import UnreadableFile
from ingest.ledgers.headers import CT_RATIO, PT_RATIO

__all__ = ["LedgerOptions"]

_NOTHING: Mapping[str, str] = MappingProxyType({})
_COLUMNS = frozenset({*COLUMNS, CT_RATIO, PT_RATIO, "ignore"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerOptions:
    """How a ledger file is to be read where it does not say so itself.

    Attributes
    ----------
    sheet : str or None
        Sheet that holds it.
    columns : mapping of str to str
        What a header means (a column of the ledger, or ``ignore``), by header.
    unit_code, unit_name : str or None
        The unit of rows that name none.
    installed_from : str or None
        Day of installation of meters for which the file gives none.
    level : str or None
        Level of metering of points for which the file gives none.
    units : mapping of str to str
        Unit of measurement of registers of a carrier, where the file does not state it.
    """

    sheet: str | None = None
    columns: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    unit_code: str | None = None
    unit_name: str | None = None
    installed_from: str | None = None
    level: str | None = None
    units: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    def __post_init__(self) -> None:
        """Check what can be checked."""
        for header, name in self.columns.items():
            if name not in _COLUMNS:
                raise UnreadableFile(f"column {header!r} must be one of {', '.join(sorted(_COLUMNS))} (got {name!r})")

    def over(self, other: "LedgerOptions") -> "LedgerOptions":
        """These options, completed by others where not set."""
        plain = ("sheet", "unit_code", "unit_name", "installed_from", "level")
        given = {name: getattr(self, name) for name in plain if getattr(self, name) is not None}
        return replace(other, **given, columns={**other.columns, **self.columns}, units={**other.units, **self.units})

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Options kept in a profile; `UnreadableFile` where the file is none."""
        try:
            said = parse_toml(path.read_text(encoding="utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UnreadableFile(f"{path.name}: must be a profile in TOML (got {error})") from error
        table: dict[str, Any] = said.get("ledger", {})
        names = {one.name for one in fields(cls)}
        unknown = sorted(set(table) - names)
        if unknown:
            raise UnreadableFile(f"{path.name}: must hold only {', '.join(sorted(names))} (got {', '.join(unknown)})")
        return cls(**table)

    def to_toml(self) -> str:
        """Text of a profile."""
        lines = ["# How ledgers of this source are read; see `meterwarden ledger check --help`.", "[ledger]"]
        plain = ("sheet", "unit_code", "unit_name", "installed_from", "level")
        lines += [f"{name} = {_quoted(getattr(self, name))}" for name in plain if getattr(self, name) is not None]
        for name in ("columns", "units"):
            table: Mapping[str, str] = getattr(self, name)
            if table:
                lines += ["", f"[ledger.{name}]", *(f"{_quoted(k)} = {_quoted(v)}" for k, v in table.items())]
        return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
