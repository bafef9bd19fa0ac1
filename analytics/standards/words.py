"""Names of levels, energies, instruments and clauses in both languages."""

from collections.abc import Mapping, Sequence
from typing import Final

from analytics.domain.words import CARRIERS, INSTRUMENTS, LEVELS, Phrase, name_of

__all__ = ["carrier_name", "clause_name", "instrument_name", "level_name", "listing"]

_CLAUSES: Final[Mapping[str, Phrase]] = {
    "completeness": Phrase(en="completeness", zh="完整率"),
    "consistency": Phrase(en="consistency", zh="一致性"),
    "day_start": Phrase(en="start of the day", zh="日统计起点"),
    "fault_open": Phrase(en="open fault", zh="故障修复"),
    "interval": Phrase(en="interval", zh="采集周期"),
    "month_start": Phrase(en="start of the month", zh="月统计起点"),
    "silent": Phrase(en="silence", zh="数据中断"),
    "upload_delay": Phrase(en="upload delay", zh="上传时延"),
}
"""Names of checks whose clauses have no number here."""
_LISTED: Final = 8


def level_name(level: str) -> Phrase:
    """A level of metering in words."""
    return name_of(LEVELS, level)


def carrier_name(carrier: str) -> Phrase:
    """An energy in words.

    Examples
    --------
    >>> carrier_name("natural_gas").zh
    '天然气'
    """
    return name_of(CARRIERS, carrier)


def clause_name(clause: str) -> Phrase:
    """A clause as a person reads it: its number, or what it is about.

    Examples
    --------
    >>> clause_name("4.3.5").zh, clause_name("completeness").zh
    ('4.3.5', '完整率')
    """
    return _CLAUSES.get(clause, Phrase(en=clause, zh=clause))


def instrument_name(instrument: str) -> Phrase:
    """A kind of instrument in words."""
    return name_of(INSTRUMENTS, instrument)


def listing(names: Sequence[str], *, chinese: bool = False) -> str:
    """Names in a row, the first ones where there are many.

    Examples
    --------
    >>> listing(["M1", "M2"])
    'M1, M2'
    """
    joiner, rest = ("、", " 等 {} 个") if chinese else (", ", " and {} more")
    shown = joiner.join(names[:_LISTED])
    if len(names) <= _LISTED:
        return shown
    return shown + rest.format(len(names) if chinese else len(names) - _LISTED)
