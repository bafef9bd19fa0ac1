"""Meters of a ledger by everything that files call them, so that a file need not say what the ledger knows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from analytics.domain.ledger import OPEN_END, Ledger
from analytics.domain.units import unit_of
from ingest.files import code_key, word_key

__all__ = ["MeterDirectory", "MeterEntry"]

_DASHES = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_LETTER = re.compile(r"[0-9a-z]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MeterEntry:
    """A meter of the ledger.

    Attributes
    ----------
    unit_code, meter_no : str
        As the ledger has them.
    unit : str
        Symbol of the unit of its register, empty where it was replaced by one that counts in another.
    installed : tuple of (int, int)
        From when to when it stands somewhere, half open. [us since 1970-01-01 UTC]
    """

    unit_code: str
    meter_no: str
    unit: str
    installed: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class MeterDirectory:
    """Meters by unit and number, and by what else names one alone.

    Attributes
    ----------
    meters : tuple of MeterEntry
    units : mapping of str to str
        Code of each unit by its folded code, and by its folded name where no other unit has it.
    """

    meters: tuple[MeterEntry, ...]
    units: Mapping[str, str]
    _by_pair: Mapping[tuple[str, str], MeterEntry]
    _by_name: Mapping[str, tuple[MeterEntry, ...]]

    @classmethod
    def of(cls, ledger: Ledger) -> Self:
        """Directory of a ledger."""
        entries = _entries(ledger)
        names: dict[str, dict[tuple[str, str], MeterEntry]] = {}
        for entry, also in zip(entries, _other_names(ledger), strict=True):
            for name in (entry.meter_no, *also):
                if name:
                    names.setdefault(code_key(name), {})[entry.unit_code, entry.meter_no] = entry
        units: dict[str, str] = {}
        called: dict[str, set[str]] = {}
        for code, name in zip(ledger.unit_codes, ledger.unit_names, strict=True):
            called.setdefault(word_key(name), set()).add(code)
        units |= {name: min(codes) for name, codes in called.items() if len(codes) == 1 and name}
        units |= {code_key(code): code for code in ledger.unit_codes}
        return cls(
            tuple(entries),
            units,
            {(entry.unit_code, code_key(entry.meter_no)): entry for entry in entries},
            {name: tuple(found.values()) for name, found in names.items()},
        )

    def unit_code(self, text: str) -> str | None:
        """Code of the unit that a text names, by code or name; None where there is none."""
        return self.units.get(code_key(text)) or self.units.get(word_key(text))

    def meter(self, name: str, unit_code: str | None = None) -> MeterEntry | None:
        """The one meter that a name means: its number, else its point, serial number or name; None for none or several.

        Parameters
        ----------
        name : str
        unit_code : str, optional
            Only meters of this unit.
        """
        return self._known(code_key(name), unit_code) or self._known(code_key(_dashed(name)), unit_code)

    def _known(self, key: str, unit_code: str | None) -> MeterEntry | None:
        if unit_code is not None and (unit_code, key) in self._by_pair:
            return self._by_pair[unit_code, key]
        found = [one for one in self._by_name.get(key, ()) if unit_code is None or one.unit_code == unit_code]
        numbered = [one for one in found if code_key(one.meter_no) == key]
        found = numbered or found
        return found[0] if len(found) == 1 else None

    def several(self, name: str) -> tuple[str, ...]:
        """Codes of the units that have a meter of this name."""
        return tuple(sorted({one.unit_code for one in self._by_name.get(code_key(name), ())}))

    def inside(self, text: str, unit_code: str | None = None) -> tuple[MeterEntry, str] | None:
        """The one meter that a longer text names, and what else it says; None where it names none or several.

        A name counts where no letter or digit goes on before or after it; of names inside each other the longest does.
        """
        folded = code_key(text)
        best: tuple[int, MeterEntry, str] | None = None
        for name in self._by_name:
            at = folded.find(name)
            if at < 0 or (best is not None and len(name) <= best[0]) or not _stands_alone(folded, at, len(name)):
                continue
            entry = self.meter(name, unit_code)
            if entry is not None:
                best = len(name), entry, f"{folded[:at]} {folded[at + len(name) :]}".strip(" -_:/|,;")
        return None if best is None else (best[1], best[2])


def _dashed(name: str) -> str:
    """A number as a keyboard has it: a word processor makes other dashes of a hyphen."""
    return _DASHES.sub("-", name)


def _stands_alone(text: str, at: int, length: int) -> bool:
    before, after = text[at - 1 : at] if at else "", text[at + length : at + length + 1]
    first, last = text[at], text[at + length - 1]
    joined_before = bool(_LETTER.match(before)) and bool(_LETTER.match(first))
    joined_after = bool(_LETTER.match(after)) and bool(_LETTER.match(last))
    return not joined_before and not joined_after


def _entries(ledger: Ledger) -> list[MeterEntry]:
    installed = ledger.installations
    found = []
    for meter, (number, unit) in enumerate(zip(ledger.meter_nos, ledger.meter_unit.tolist(), strict=True)):
        mine = _installations(ledger, meter)
        symbols = {unit_of(int(code)).symbol for code in installed.unit[mine].tolist()}
        spans = zip(installed.installed_from[mine].tolist(), installed.installed_to[mine].tolist(), strict=True)
        found.append(
            MeterEntry(
                ledger.unit_codes[unit], number, symbols.pop() if len(symbols) == 1 else "", tuple(sorted(spans))
            )
        )
    return found


def _installations(ledger: Ledger, meter: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    start, end = ledger.meter_installation_start[meter : meter + 2].tolist()
    return np.asarray(ledger.meter_installations[start:end], np.int64)


def _other_names(ledger: Ledger) -> list[set[str]]:
    """Names beside its number that mean a meter: serial numbers, name, and a point that had no other meter."""
    rows = ledger.rows
    serial, name = rows.text("serial_no"), rows.text("name")
    point_meters: dict[int, set[int]] = {}
    found: list[set[str]] = []
    for meter in range(len(ledger.meter_nos)):
        mine = _installations(ledger, meter)
        also: set[str] = set()
        for one in mine.tolist():
            row = int(ledger.installations.row[one])
            also |= {serial.values[serial.codes[row]], name.values[name.codes[row]]}
            point_meters.setdefault(int(ledger.installations.point[one]), set()).add(meter)
        found.append(also - {""})
    ends = ledger.installations.installed_to
    for point, meters in point_meters.items():
        if len(meters) == 1 and (ends[ledger.installations.point == point] == OPEN_END).any():
            found[next(iter(meters))].add(ledger.point_codes[point])
    return found
