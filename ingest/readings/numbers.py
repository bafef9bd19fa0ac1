"""Columns of numbers as people and spreadsheets write them: what comma and point are, decided by the whole column."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from analytics.domain.units import find_unit

__all__ = ["NumberForm", "NumberSurvey", "parse"]

Column = Any
Bools = NDArray[np.bool_]
_compute: Any = pyarrow.compute

_PLAIN = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"
_GAP = "[ \u00a0\u2009\u202f'’]"
_GAPPED = rf"^[+-]?\d{{1,3}}({_GAP}\d{{3}})+([.,]\d*)?$"
_KINDS: Mapping[str, str] = {
    "comma_thousands": r"^[+-]?\d{1,3}(,\d{3})+\.\d*$|^[+-]?\d{1,3}(,\d{3}){2,}$|^[+-]?\d{1,3}(,\d{4})+$",
    "point_thousands": r"^[+-]?\d{1,3}(\.\d{3})+,\d*$|^[+-]?\d{1,3}(\.\d{3}){2,}$",
    "comma_decimals": r"^[+-]?(\d{4,}|0|00+\d*),\d+$|^[+-]?\d*,(\d{1,2}|\d{4,})$",
    "open_comma": r"^[+-]?[1-9]\d{0,2},\d{3}$",
}
_WITH_UNIT = r"^([+-]?[\d.,' ]*\d[\d.,]*(?:[eE][+-]?\d{1,3})?)\s*([^\d\s.,+-][^\d]{0,7}\d?)$"
_COMMA_THOUSANDS = r"^[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d*)?$"
_POINT_THOUSANDS = r"^[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d*)?$"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberForm:
    """How a column writes its numbers.

    Attributes
    ----------
    decimal : str
        ``.`` or ``,``.
    thousands : str
        What parts thousands: ``,``, ``.`` or nothing.
    unit : str
        Unit that stands behind every number, as the column writes it; empty where there is none.
    """

    decimal: str = "."
    thousands: str = ""
    unit: str = ""


@dataclass(slots=True)
class NumberSurvey:
    """What a column of numbers holds, gathered batch by batch.

    Attributes
    ----------
    cells, plain : int
        Cells that say something, and those that are plain numbers.
    counts : dict of str to int
        Cells that show what comma and point are.
    with_point : int
        Plain numbers with a decimal point.
    not_grouped : int
        Of these, numbers in which the point cannot part thousands.
    examples : dict of str to str
        A cell of each kind.
    units : dict of str to int
        Units that stand behind numbers.
    """

    cells: int = 0
    plain: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_KINDS, 0))
    with_point: int = 0
    not_grouped: int = 0
    examples: dict[str, str] = field(default_factory=dict)
    units: dict[str, int] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)

    def add(self, cells: Column) -> None:
        """Take in cells: texts folded in width, null where they say nothing."""
        cells = cells.drop_null()
        self.cells += len(cells)
        if not len(cells):
            return
        try:
            cells.cast(pa.float64())
        except pa.ArrowInvalid:
            self._add_odd(cells)
            return
        self.plain += len(cells)
        self._look_at_plain(cells)

    def _look_at_plain(self, cells: Column) -> None:
        pointed = _compute.match_substring(cells, ".")
        n = int(_compute.sum(pointed).as_py() or 0)
        if n:
            self.with_point += n
            if not self.not_grouped:
                odd = _compute.match_substring_regex(cells.filter(pointed), r"^[+-]?[1-9]\d{0,2}\.\d{3}$")
                self.not_grouped += n - int(_compute.sum(odd).as_py() or 0)

    def _add_odd(self, cells: Column) -> None:
        gaps = _compute.match_substring_regex(cells, _GAPPED)
        if _compute.any(gaps).as_py():
            cells = _ungapped(cells)
        cells = self._without_units(cells)
        is_plain = _compute.match_substring_regex(cells, _PLAIN)
        plain = cells.filter(is_plain)
        self.plain += len(plain)
        if len(plain):
            self._look_at_plain(plain)
        rest = cells.filter(_compute.invert(is_plain))
        for kind, pattern in _KINDS.items():
            if not len(rest):
                return
            found = _compute.match_substring_regex(rest, pattern)
            n = int(_compute.sum(found).as_py() or 0)
            if n:
                self.counts[kind] += n
                self.examples.setdefault(kind, rest.filter(found)[0].as_py())
                rest = rest.filter(_compute.invert(found))
        if len(self.odd) < 3:
            self.odd += rest.slice(0, 3).to_pylist()

    def _without_units(self, cells: Column) -> Column:
        parts = _compute.extract_regex(
            cells, _WITH_UNIT.replace("^(", "^(?P<number>").replace(r"\s*([^\d\s", r"\s*(?P<unit>[^\d\s")
        )
        have = parts.is_valid()
        if not _compute.any(have).as_py():
            return cells
        units = parts.field("unit").filter(have).dictionary_encode()
        known = {text: find_unit(text.strip()) for text in units.dictionary.to_pylist()}
        counts = np.bincount(np.asarray(units.indices, np.int64), minlength=len(units.dictionary))
        for text, n in zip(units.dictionary.to_pylist(), counts.tolist(), strict=True):
            if known[text] is not None:
                self.units[text] = self.units.get(text, 0) + n
        good = _compute.is_in(
            parts.field("unit"), value_set=pa.array([t for t, u in known.items() if u is not None], pa.string())
        )
        return _compute.if_else(good, parts.field("number"), cells)

    def form(self, decimal: str | None) -> NumberForm | None:
        """Form of the column; None where nothing decides it, or where its numbers contradict each other.

        Parameters
        ----------
        decimal : str or None
            ``point`` or ``comma``, as stated by a person.
        """
        unit = next(iter(self.units)) if len(self.units) == 1 else ""
        if decimal is not None:
            comma = decimal == "comma"
            return NumberForm(decimal="," if comma else ".", thousands="." if comma else ",", unit=unit)
        points = self.counts["comma_thousands"] > 0
        commas = self.counts["comma_decimals"] > 0 or self.counts["point_thousands"] > 0
        if self.counts["open_comma"] and not points and not commas:
            points = self.not_grouped > 0  # a decimal point elsewhere decides it
        if points and commas:
            return None
        if points:
            return NumberForm(thousands=",", unit=unit)
        if commas:
            if self.with_point and self.not_grouped:
                return None
            return NumberForm(
                decimal=",", thousands="." if not self.with_point or self.counts["point_thousands"] else "", unit=unit
            )
        return None if self.counts["open_comma"] else NumberForm(unit=unit)

    @property
    def undecided(self) -> tuple[str, bool]:
        """A cell that could be two numbers, or two that contradict each other; and whether they do."""
        kinds = [kind for kind in ("comma_thousands", "comma_decimals", "point_thousands") if self.counts[kind]]
        if kinds and len(self.examples) > 1:
            return " and ".join(self.examples[kind] for kind in self.examples), True
        return next(iter(self.examples.values()), ""), bool(kinds)


def _ungapped(cells: Column) -> Column:
    gapped = _compute.match_substring_regex(cells, _GAPPED)
    return _compute.if_else(gapped, _compute.replace_substring_regex(cells, _GAP, ""), cells)


def parse(cells: Column, form: NumberForm) -> tuple[NDArray[np.float64], Bools]:
    """Numbers of a column, NaN where a cell is none, and which are finite numbers.

    Parameters
    ----------
    cells : n texts
        Folded in width, null where they say nothing.
    form : NumberForm
    """
    try:
        numbers = cells.cast(pa.float64())
        if form.decimal == "." or not _compute.any(_compute.match_substring(cells, ".")).as_py():
            return _finite(numbers)
    except pa.ArrowInvalid:
        pass
    text = _ungapped(cells)
    if form.unit:
        text = _compute.utf8_trim_whitespace(_compute.replace_substring_regex(text, rf"{_escaped(form.unit)}$", ""))
    if form.thousands:
        grouped = _compute.match_substring_regex(text, _COMMA_THOUSANDS if form.thousands == "," else _POINT_THOUSANDS)
        bare = _compute.replace_substring(text, form.thousands, "")
        text = _compute.if_else(grouped, bare, text)
        if form.decimal == "," and form.thousands == ".":
            stray = _compute.match_substring(text, ".")
            text = _compute.if_else(stray, None, text)
    if form.decimal == ",":
        text = _compute.replace_substring(text, ",", ".")
    is_plain = _compute.match_substring_regex(text, _PLAIN)
    plain = _compute.if_else(is_plain, text, None)
    return _finite(_compute.replace_substring_regex(plain, r"^\+", "").cast(pa.float64()))


def _escaped(text: str) -> str:
    return "".join(letter if letter.isalnum() else "\\" + letter for letter in text)


def _finite(numbers: Column) -> tuple[NDArray[np.float64], Bools]:
    value = np.asarray(numbers.fill_null(math.nan))
    return value, np.isfinite(value)
