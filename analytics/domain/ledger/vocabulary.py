"""Permitted values of each ledger column: words with their Chinese, and bounds of numbers."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import tzinfo
from functools import partial
from types import MappingProxyType

from analytics.domain.accuracy import AccuracyClassError, parse_accuracy_class
from analytics.domain.ledger.cells import CellError, Parser, Taken, code, day, instant_us, number, span, text, word
from analytics.domain.ledger.faults import listed
from analytics.domain.ledger.schema import COLUMNS
from analytics.domain.ledger.trade_words import ALSO, NOTHING_WORDS, in_digits, multiplier, taken_for
from analytics.domain.spelling import tidy
from analytics.domain.units import UnitError, parse_unit
from analytics.domain.words import CARRIERS, DIRECTIONS, INSTRUMENTS, LEVELS, STATUSES, Phrase, Phrases

__all__ = [
    "CARRIER_WORDS",
    "CHOICES",
    "DIRECTION_WORDS",
    "INSTRUMENT_WORDS",
    "LEVEL_WORDS",
    "PURPOSE_WORDS",
    "STATUS_WORDS",
    "parsers",
    "spellings",
]

Words = Mapping[str, tuple[str, ...]]


def _spellings(names: Phrases, **others: tuple[str, ...]) -> Words:
    """Chinese that a cell may say: the name of the word tables first, then what else is written."""
    return MappingProxyType({code: (name.zh, *others.get(code, ())) for code, name in names.items()})


LEVEL_WORDS: Words = _spellings(
    LEVELS,
    unit=("用能单位",),
    sub_unit=("主要次级用能单位", "进出次级用能单位", "次级用能单位"),
    equipment=("用能设备",),
)
DIRECTION_WORDS: Words = _spellings(DIRECTIONS, **{"in": ("流入", "进", "入")}, out=("流出", "出"), own=("自产自用",))
CARRIER_WORDS: Words = _spellings(
    CARRIERS,
    electricity=("电", "电能"),
    coal=("煤", "原煤"),
    lpg=("液化石油气", "石油液化气"),
    recoverable_residual_energy=("余能",),
    other=("其它",),
)
"""Energy names of GB 17167-2006 tables 1 and 3, each with its Chinese."""
INSTRUMENT_WORDS: Words = _spellings(
    INSTRUMENTS,
    electricity=("电表",),
    oil_flow=("油流量表(装置)",),
    gas_flow=("气体流量表(装置)", "燃气表"),
    steam_flow=("蒸汽流量计",),
    water_flow=("水流量表(装置)", "水表"),
    heat=("热能表",),
)
STATUS_WORDS: Words = _spellings(STATUSES)
PURPOSE_WORDS: Words = MappingProxyType(
    {
        "trade": ("贸易结算", "贸易"),
        "static": ("静态", "静态计量"),
        "dynamic": ("动态", "动态计量"),
    }
)
CHOICES: Mapping[str, Words] = MappingProxyType(
    {
        "level": LEVEL_WORDS,
        "direction": DIRECTION_WORDS,
        "carrier": CARRIER_WORDS,
        "instrument": INSTRUMENT_WORDS,
        "status": STATUS_WORDS,
    }
)
"""Columns that say one of a few words; each word with its Chinese, the usual one first."""
_FLAG_WORDS: Words = MappingProxyType(
    {
        "yes": ("是", "y", "true", "1", "√", "有"),
        "no": ("否", "n", "false", "0", "×", "无"),
    }
)

_MONTHS = {
    **dict.fromkeys(("月", "个月", "months", "month"), 1.0),
    **dict.fromkeys(("年", "years", "year", "yr", "y", "a"), 12.0),
}
_YEARS = {"半": 0.5, **{numeral: float(i) for i, numeral in enumerate("一二三四五六七八九十", 1)}, "两": 2.0}
_SECONDS = {
    **dict.fromkeys(("s", "秒"), 1.0),
    **dict.fromkeys(("min", "分", "分钟"), 60.0),
    **dict.fromkeys(("h", "时", "小时"), 3600.0),
    **dict.fromkeys(("d", "天", "日"), 86400.0),
}
_LONGEST_CYCLE_MONTHS = 600
_LONGEST_INTERVAL_S = 31_622_400
_LARGEST = 1e15
_SUCH_AS = {"longitude": "118.7969", "latitude": "32.0603 (is it the longitude?)"}
_PIPE = re.compile(r"(?:dn)?\s*(\d{1,4})\s*(?:mm)?", re.IGNORECASE)


def _folded(words: Words, also: Words = MappingProxyType({})) -> dict[str, str]:
    named = {
        unicodedata.normalize("NFKC", spelling).casefold(): english
        for english, chinese in words.items()
        for spelling in (english, english.replace("_", ""), *chinese)
    }
    return {spelling: english for english, spellings in also.items() for spelling in spellings} | named


def _choice(name: str) -> Parser:
    choice = listed([f"{english} ({chinese[0]})" for english, chinese in CHOICES[name].items()])
    return partial(word, words=_folded(CHOICES[name], ALSO.get(name, {})), choice=choice)


def spellings(name: str) -> Mapping[str, str]:
    """Everything that a column of few words may say, folded, each with its English word.

    Examples
    --------
    >>> spellings("carrier")["自来水"]
    'water'
    """
    return _folded(CHOICES[name], ALSO.get(name, {}))


def _flag(cell: object) -> bool:
    return word(cell, _FOLDED_FLAGS, "yes or no (是 or 否)") == "yes"


_FOLDED_FLAGS = _folded(_FLAG_WORDS, ALSO["flag"])
_FOLDED_PURPOSES = _folded(PURPOSE_WORDS, ALSO["purpose"])


def _bounded(low: float, high: float, required: str, *, strict: bool = False) -> Parser:
    def parse(cell: object) -> float:
        value = number(cell)
        if not low <= value <= high or (strict and value == low):
            raise CellError(required)
        return value

    return parse


_POSITIVE = _bounded(0.0, _LARGEST, f"a number above 0, at most {_LARGEST:g}", strict=True)
_NOT_NEGATIVE = _bounded(0.0, _LARGEST, f"a number from 0 to {_LARGEST:g}")
_MULTIPLIER = _bounded(1e-6, 1e9, "a number above 0, from 1e-06 to 1e+09", strict=False)


def _degrees(name: str, most: int) -> Parser:
    return _bounded(-most, most, f"a {name} in decimal degrees from -{most} to {most}, such as {_SUCH_AS[name]}")


def _cycle_months(cell: object) -> float:
    plain = tidy(cell) if isinstance(cell, str) else ""
    if len(plain) == 2 and plain[1] == "年" and plain[0] in _YEARS:
        return 12 * _YEARS[plain[0]]
    months = span(cell, _MONTHS, "whole months, such as 12")
    if months != int(months) or not 1 <= months <= _LONGEST_CYCLE_MONTHS:
        raise CellError(f"whole months from 1 to {_LONGEST_CYCLE_MONTHS}")
    return months


def _interval_s(cell: object) -> float:
    plain = tidy(cell) if isinstance(cell, str) else ""
    if plain.startswith("每"):
        cell = plain[1:] if plain[1:2].isdigit() else f"1{plain[1:]}"
    seconds = span(cell, _SECONDS, "seconds, such as 900")
    if not 0.001 <= seconds <= _LONGEST_INTERVAL_S:
        raise CellError(f"seconds above 0, at most {_LONGEST_INTERVAL_S} (366 days)")
    return seconds


def _unit(cell: object) -> str:
    try:
        return parse_unit(text(cell)).symbol
    except UnitError as error:
        _, _, why = str(error).partition(" is ambiguous: ")
        raise CellError(f"a unit such as kWh, GJ, m3, t or ×10 kWh{f' ({why})' if why else ''}") from None


def _accuracy_class(cell: object) -> object:
    said = str(cell) if isinstance(cell, float | int) else text(cell)
    try:
        if in_digits(said) != said:
            found = parse_accuracy_class(in_digits(said)).text
            return Taken(found, Phrase(en=f"{said} is class {found}", zh=f"{said}即{found}级"))
        return parse_accuracy_class(said).text
    except AccuracyClassError:
        raise CellError("an accuracy class such as 0.5S, 1.0 or 2.5") from None


def _purpose(cell: object) -> str:
    plain = text(cell)
    pipe = _PIPE.fullmatch(unicodedata.normalize("NFKC", plain))
    if pipe is not None:
        return pipe[1]
    return _FOLDED_PURPOSES.get(unicodedata.normalize("NFKC", plain).casefold(), plain)


def parsers(zone: tzinfo) -> Mapping[str, Parser]:
    """What reads the cells of each column; local times are those of `zone`."""
    instant: Parser = partial(instant_us, zone=zone)
    made: dict[str, Parser] = dict.fromkeys(COLUMNS, text)
    made |= dict.fromkeys(("unit_code", "point", "parent_point", "meter_no", "serial_no"), code)
    made |= dict.fromkeys(("full_scale", "max_rate"), _POSITIVE)
    made |= dict.fromkeys(
        ("annual_use", "rated_power_kw", "hourly_use", "first_reading", "last_reading"), _NOT_NEGATIVE
    )
    made |= {"longitude": _degrees("longitude", 180), "latitude": _degrees("latitude", 90)}
    made |= dict.fromkeys(("parent_complete", "required"), _flag)
    made |= dict.fromkeys(("verified_on", "verification_due"), day)
    made |= dict.fromkeys(("installed_from", "installed_to"), instant)
    made |= {name: _choice(name) for name in CHOICES}
    made |= {
        "purpose": _purpose,
        "accuracy_class": _accuracy_class,
        "cycle_months": _cycle_months,
        "unit": _unit,
        "multiplier": partial(multiplier, plain=_MULTIPLIER),
        "interval_s": _interval_s,
    }
    for name, words, taken in NOTHING_WORDS:
        made[name] = taken_for(words, taken, made[name])
    return made
