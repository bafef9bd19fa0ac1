"""Accuracy classes as they stand on certificates: ordered where the standard orders them, never a float."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import total_ordering
from types import MappingProxyType
from typing import Final

from analytics.domain.errors import MeterwardenError
from analytics.domain.units import CARRIERS

__all__ = [
    "IN_SERVICE",
    "AccuracyClass",
    "AccuracyClassError",
    "InService",
    "error_limit",
    "in_service_factors",
    "parse_accuracy_class",
]


class AccuracyClassError(MeterwardenError):
    """A text that is no accuracy class."""


_NUMBERED = re.compile(r"(?P<number>\d{1,2}(?:\.\d{1,3})?)(?P<special>S?)")
_LETTERED = re.compile(r"[A-E]|I{1,4}|IV")


@total_ordering
@dataclass(frozen=True, slots=True)
class AccuracyClass:
    """Class of a meter; `0.2S` is stricter than `0.2`, and no number.

    The stricter class is the smaller one. A class named by a letter or a roman number equals itself and compares with
    no other: TypeError.

    Attributes
    ----------
    text : str
        As written here: `0.5S`, `1`, `2.5`, `B`, `III`.
    number : Decimal or None
        Limit of error that names the class, None for classes named by a letter or a roman number. [%]
    special : bool
        An S class: the limit holds down to a smaller load.

    Examples
    --------
    >>> sorted(map(parse_accuracy_class, ["1.0", "0.2", "0.5S", "0.2S"]))[0].text
    '0.2S'
    """

    text: str
    number: Decimal | None
    special: bool = False

    def __str__(self) -> str:
        return self.text

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, AccuracyClass) or self.number is None or other.number is None:
            return NotImplemented
        return self.rank < other.rank

    @property
    def rank(self) -> int:
        """Place in the order of strictness, smaller is stricter; -1 where the class has no place in it."""
        return -1 if self.number is None else 2 * int(self.number * 1000) + (not self.special)

    def at_least_as_strict_as(self, required: "AccuracyClass") -> bool | None:
        """Whether a meter of this class may stand where `required` is asked for; None where they cannot be compared.

        Examples
        --------
        >>> parse_accuracy_class("0.5S").at_least_as_strict_as(parse_accuracy_class("0.5"))
        True
        >>> parse_accuracy_class("B").at_least_as_strict_as(parse_accuracy_class("1.0")) is None
        True
        """
        if self.number is None or required.number is None:
            return True if self.text == required.text else None
        return self.rank <= required.rank


def parse_accuracy_class(text: str) -> AccuracyClass:
    """Class that a certificate or ledger names: ``0.5S``, ``1.0``, ``2.5级``, ``Class 2``, ``B``, ``Ⅲ``.

    Classes named by a letter or a roman number are kept, but have no place in the order of numbers: which number such a
    class stands for is a matter of the instrument's own standard.

    Raises
    ------
    AccuracyClassError
        If the text is none of these.

    Examples
    --------
    >>> str(parse_accuracy_class("0.2s 级")), str(parse_accuracy_class("1.0"))
    ('0.2S', '1')
    """
    plain = re.sub(r"\s+|级|等级|准确度|CLASS|CL\.?", "", unicodedata.normalize("NFKC", text).upper())
    match = _NUMBERED.fullmatch(plain)
    if match is not None and Decimal(match["number"]) > 0:
        number = Decimal(match["number"]).normalize()
        special = bool(match["special"])
        return AccuracyClass(f"{number:f}{match['special']}", number, special)
    if _LETTERED.fullmatch(plain):
        return AccuracyClass(plain, None)
    raise AccuracyClassError(f"accuracy class {text[:40]!r} is not known: expected one like 0.5S, 1.0, 2.5 or B")


def error_limit(text: str, *, unknown: float) -> float:
    """Limit of error that names a class, `unknown` where the text names none or a class without a number. [1].

    Examples
    --------
    >>> error_limit("0.5S", unknown=0.02), error_limit("B", unknown=0.02)
    (0.005, 0.02)
    """
    try:
        number = parse_accuracy_class(text).number if text else None
    except AccuracyClassError:
        number = None
    return unknown if number is None else float(number) / 100


@dataclass(frozen=True, slots=True)
class InService:
    """Maximum permissible error in service of a carrier's meters, as a multiple of the limit of their class.

    Attributes
    ----------
    factor : float
        [1]
    certainty : str
        How certain the figure is.
    source : str
    """

    factor: float
    certainty: str
    source: str


IN_SERVICE: Final[Mapping[str, InService]] = MappingProxyType(
    {"water": InService(2.0, "one source, not the regulation itself", "class 2 at common flow: 2 % new, 4 % in use")}
)
"""By carrier; of others, electricity among them, no limit in service is known, and that of the class holds."""
_MOST_IN_SERVICE = 10.0


def in_service_factors(text: str) -> Mapping[str, float]:
    """Factors by carrier: those entered, like ``water=2,electricity=1.5``, beside those that are known.

    Raises
    ------
    ValueError
        If it is no such list, with the carrier or factor that is wrong.

    Examples
    --------
    >>> sorted(in_service_factors("electricity=1.5").items())
    [('electricity', 1.5), ('water', 2.0)]
    """
    factors = {carrier: known.factor for carrier, known in IN_SERVICE.items()}
    for part in filter(None, (one.strip() for one in text.split(","))):
        carrier, _, number = (one.strip() for one in part.partition("="))
        if carrier not in CARRIERS:
            raise ValueError(f"must name carriers, {', '.join(CARRIERS)}, like water=2")
        try:
            factor = float(number)
        except ValueError:
            factor = 0.0
        if not 0.1 <= factor <= _MOST_IN_SERVICE:
            raise ValueError(f"must give {carrier} a factor from 0.1 to {_MOST_IN_SERVICE:g}")
        factors[carrier] = factor
    return MappingProxyType(factors)
