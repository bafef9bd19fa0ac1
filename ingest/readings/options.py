"""A person's options for reading a file of readings: of a command, or kept as a profile."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from analytics.domain.toml import parse_toml
from ingest.files import UnreadableFile, word_key
from ingest.readings.words import ROLES

__all__ = ["DATE_ORDERS", "DECIMALS", "READING_DAY", "ReadingOptions"]

DATE_ORDERS = ("day-first", "month-first", "year-first")
DECIMALS = ("point", "comma")
READING_DAY = re.compile(r"(end|[1-9]|1\d|2[0-8])(?:\s+((?:[01]?\d|2[0-3]):[0-5]\d|24:00))?")
"""A day of every month, 1 to 28 or its last, and the time of day where that is not the usual one."""
_YEAR = re.compile(r"(?:19|20|21)\d\d")
_ROLES = frozenset({*ROLES, "ignore"})
_OF_ONE_FILE = frozenset({"reading_year"})
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions:
    """How a file is to be read where it does not say so itself; all None or empty: the file decides.

    Attributes
    ----------
    encoding : str or None
        Codec of its text.
    delimiter : str or None
        What parts the columns.
    sheet : str or None
        Name of the sheet to take.
    dates : str or None
        One of `DATE_ORDERS`: what 02/01/2024 means.
    decimal : str or None
        One of `DECIMALS`: what the comma or point in 1,234 is.
    reading_day : str or None
        When the dials of a month were read where a file states months alone: ``end`` (24:00 of the last day) or a day
        from 1 to 28 (0:00), with a time of day where it is another, as ``25 08:00``.
    reading_year : str or None
        Year of months that state none. Not kept in a profile: the next file may be of another one.
    unit_code : str or None
        Unit of all readings that name none.
    meter_no : str or None
        Meter of all readings that name none.
    unit : str or None
        Unit of measurement of all readings that name none.
    columns : mapping of str to str
        What a header means (one of `ROLES`, or ``ignore``), by header.
    """

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    dates: str | None = None
    decimal: str | None = None
    reading_day: str | None = None
    reading_year: str | None = None
    unit_code: str | None = None
    meter_no: str | None = None
    unit: str | None = None
    columns: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    def __post_init__(self) -> None:
        """Check what can be checked."""
        for name, allowed in (("dates", DATE_ORDERS), ("decimal", DECIMALS)):
            value = getattr(self, name)
            if value is not None and value not in allowed:
                raise UnreadableFile(f"{name} must be one of {', '.join(allowed)} (got {value!r})")
        if self.reading_day is not None and READING_DAY.fullmatch(self.reading_day.strip()) is None:
            raise UnreadableFile(
                f"reading_day must be end, or a day from 1 to 28, with a time of day or without, such as '25 08:00' "
                f"(got {self.reading_day!r}; 请填 end 或 1 至 28，可加时刻)"
            )
        if self.reading_year is not None and _YEAR.fullmatch(self.reading_year.strip()) is None:
            raise UnreadableFile(f"reading_year must be a year, such as 2026 (got {self.reading_year!r})")
        for header, role in self.columns.items():
            if role not in _ROLES:
                raise UnreadableFile(f"column {header!r} must be one of {', '.join(sorted(_ROLES))} (got {role!r})")

    def role(self, header: str) -> str | None:
        """Role that the options assign to a header."""
        folded = word_key(header)
        return next((role for said, role in self.columns.items() if word_key(said) == folded), None)

    def over(self, other: "ReadingOptions") -> "ReadingOptions":
        """These options, completed by others where not set."""
        given = {
            one.name: getattr(self, one.name)
            for one in fields(self)
            if one.name != "columns" and getattr(self, one.name) is not None
        }
        return replace(other, **given, columns={**other.columns, **self.columns})

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Options kept in a profile.

        Raises
        ------
        UnreadableFile
            If the file is no profile; with what is wrong in it.
        """
        try:
            said = parse_toml(path.read_text(encoding="utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UnreadableFile(f"{path.name}: must be a profile in TOML (got {error})") from error
        table: dict[str, Any] = said.get("readings", said)
        names = {one.name for one in fields(cls)} - _OF_ONE_FILE
        unknown = sorted(set(table) - names)
        if unknown:
            raise UnreadableFile(f"{path.name}: must hold only {', '.join(sorted(names))} (got {', '.join(unknown)})")
        return cls(**table)

    def to_toml(self) -> str:
        """Text of a profile."""
        lines = ["# How files of this source are read; see `meterwarden ingest --help`.", "[readings]"]
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name not in {"columns", *_OF_ONE_FILE} and value is not None:
                lines.append(f"{one.name} = {_quoted(value)}")
        if self.columns:
            lines += ["", "[readings.columns]"]
            lines += [f"{_quoted(header)} = {_quoted(role)}" for header, role in self.columns.items()]
        return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\n", "\\n")
    return f'"{escaped}"'
