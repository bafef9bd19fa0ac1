"""Parsing of the ledger's purpose cell: trade settlement and the purpose of table 4 are two facts.

``贸易结算 DN300`` is both: settled by, and a pipe of 300 mm. Contradicting facts (静态 and 动态) leave it open.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Final

__all__ = ["Purpose", "purpose_of"]

_NOT: Final = r"(?<!非)(?<!不)(?<!无)(?<!non-)(?<!not )(?<!no )"
_TRADE: Final = re.compile(rf"{_NOT}(?:贸易|trade|custody)", re.IGNORECASE)
_STATIC: Final = re.compile(rf"{_NOT}(?:静态|static)", re.IGNORECASE)
_DYNAMIC: Final = re.compile(rf"{_NOT}(?:动态|dynamic)", re.IGNORECASE)
_DC: Final = re.compile(r"直流|\bdc\b", re.IGNORECASE)
_MASS: Final = re.compile(rf"{_NOT}(?:质量|mass)", re.IGNORECASE)
_PLAIN: Final = re.compile(r"非质量|不用于质量|一般|普通|plain|not (?:for |a )?mass", re.IGNORECASE)
_PIPE: Final = re.compile(
    r"(?:dn|φ|ϕ|管径|口径|公称直径|公称通径)\s*[:=]?\s*(?:dn|φ)?\s*(\d{1,4})(?![\d.])|(?<![\d.])(\d{1,4})\s*mm\b",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"\d{1,4}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """Facts of a purpose cell; None if missing or contradictory.

    Attributes
    ----------
    trade : bool
        Whether it serves trade settlement.
    motion : str or None
        ``static`` or ``dynamic``, of weighing.
    pipe_mm : int or None
        Pipe diameter. [mm]
    direct_current : bool
    mass : bool or None
        Whether it serves the mass calculation of gas or steam.
    """

    trade: bool
    motion: str | None
    pipe_mm: int | None
    direct_current: bool
    mass: bool | None


@cache
def purpose_of(text: str) -> Purpose:
    """Facts of a cell.

    Examples
    --------
    >>> one = purpose_of("贸易结算 DN300")
    >>> one.trade, one.pipe_mm
    (True, 300)
    >>> purpose_of("非贸易结算，静态").trade, purpose_of("静态/动态").motion
    (False, None)
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    static, dynamic = bool(_STATIC.search(plain)), bool(_DYNAMIC.search(plain))
    pipes = {int(match[1] or match[2]) for match in _PIPE.finditer(plain)}
    if not pipes:
        pipes = {int(word) for word in re.split(r"[\s,;、/+]+", plain) if _NUMBER.fullmatch(word)}
    plainly = bool(_PLAIN.search(plain))
    mass = bool(_MASS.search(plain))
    return Purpose(
        trade=bool(_TRADE.search(plain)),
        motion=None if static == dynamic else "static" if static else "dynamic",
        pipe_mm=pipes.pop() if len(pipes) == 1 else None,
        direct_current=bool(_DC.search(plain)),
        mass=True if mass and not plainly else False if plainly and not mass else None,
    )
