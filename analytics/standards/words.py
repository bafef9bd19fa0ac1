"""What levels, energies, instruments and reasons are called in both languages."""

from collections.abc import Mapping, Sequence
from typing import Final

from analytics.domain.finding import Phrase
from analytics.domain.ledger.vocabulary import CARRIER_WORDS, INSTRUMENT_WORDS

__all__ = ["LEVELS", "carrier_name", "clause_name", "instrument_name", "level_name", "listing"]

LEVELS: Final[Mapping[str, Phrase]] = {
    "unit": Phrase("into and out of the unit", "进出用能单位"),
    "sub_unit": Phrase("main sub-units", "主要次级用能单位"),
    "equipment": Phrase("main equipment", "主要用能设备"),
}
_CLAUSES: Final[Mapping[str, Phrase]] = {
    "completeness": Phrase("completeness", "完整率"),
    "consistency": Phrase("consistency", "一致性"),
    "day_start": Phrase("start of the day", "日统计起点"),
    "fault_open": Phrase("open fault", "故障修复"),
    "interval": Phrase("interval", "采集周期"),
    "month_start": Phrase("start of the month", "月统计起点"),
    "silent": Phrase("silence", "数据中断"),
    "upload_delay": Phrase("upload delay", "上传时延"),
}
"""Questions of documents whose clauses have no number here."""
_LISTED: Final = 8


def level_name(level: str) -> Phrase:
    """A level of metering in words."""
    return LEVELS.get(level, Phrase(level, level))


def carrier_name(carrier: str) -> Phrase:
    """An energy in words.

    Examples
    --------
    >>> carrier_name("natural_gas")
    Phrase(en='natural gas', zh='天然气')
    """
    return Phrase(carrier.replace("_", " "), CARRIER_WORDS.get(carrier, (carrier,))[0])


def clause_name(clause: str) -> Phrase:
    """A clause as a person reads it: its number, or what it is about.

    Examples
    --------
    >>> clause_name("4.3.5").zh, clause_name("completeness").zh
    ('4.3.5', '完整率')
    """
    return _CLAUSES.get(clause, Phrase(clause, clause))


def instrument_name(instrument: str) -> Phrase:
    """A kind of instrument in words."""
    return Phrase(instrument.replace("_", " "), INSTRUMENT_WORDS.get(instrument, (instrument,))[0])


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
