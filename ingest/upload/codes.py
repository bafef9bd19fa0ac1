"""Data codes ``aa-bb-ccdd-eeffff-gg``, which identify uploaded quantities.

======= ===================================== =======================================
 digits  part                                  where none applies
======= ===================================== =======================================
 1–2     process (by industry)                 00
 3–4     process unit                          00
 5–6     equipment                             00
 7–8     number of the equipment               00
 9–10    class: 01 primary, 02 secondary, …    –
 11–14   variety: 3300 electricity, …          –
 15–16   use: 10 purchased, 30 output          –
======= ===================================== =======================================

The dictionaries of a platform are the truth; those here are what public code of uploaders holds.
"""

import re
from typing import Final, NamedTuple

from analytics.domain.errors import ConfigurationError

__all__ = ["DataCode", "Scope", "parse_code"]

_FORM: Final = re.compile(r"(\d\d)-?(\d\d)-?(\d\d)(\d\d)-?(\d\d)(\d{4})-?(\d\d)")
Scope = int
"""1 whole plant, 2 process, 3 process unit, 4 key equipment."""


class DataCode(NamedTuple):
    """A data code in its parts."""

    process: str
    unit: str
    equipment: str
    number: str
    energy_class: str
    variety: str
    use: str

    def text(self, *, hyphens: bool = True) -> str:
        """As platforms write it, with hyphens or without.

        Examples
        --------
        >>> parse_code("00000000023300-10".replace("-", "")).text()
        '00-00-0000-023300-10'
        """
        parts = (
            self.process, self.unit, self.equipment + self.number, self.energy_class + self.variety, self.use,
        )  # fmt: skip
        return ("-" if hyphens else "").join(parts)

    @property
    def scope(self) -> Scope:
        """The narrowest scope that its parts allow."""
        if self.equipment != "00":
            return 4
        if self.unit != "00":
            return 3
        return 2 if self.process != "00" else 1


def parse_code(text: str) -> DataCode:
    """Data code in a text of 16 digits, with or without hyphens.

    Raises
    ------
    ConfigurationError
        For anything else, and for an equipment number without an equipment.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ConfigurationError(f"a data code must be 16 digits as 00-00-0000-023300-10 (got {text!r})")
    code = DataCode(*found.groups())
    if code.equipment == "00" and code.number != "00":
        raise ConfigurationError(f"a data code with an equipment number must name the equipment (got {text!r})")
    return code
