"""Chinese versions of the descriptions of factors, which are stored in English."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from analytics.domain.units import CARRIERS
from analytics.standards.words import carrier_name
from ingest.standard_files import shipped_standards

__all__ = ["factor_in_chinese"]

_PHRASES: Final = (
    ("seen in two or more sources", "见于两个以上来源"),
    ("seen in one source", "见于一个来源"),
    ("general knowledge, no source seen", "一般知识，未见来源"),
    ("fuel as entered", "燃料按录入"),
    ("entered:", "录入："),
    ("enter the measured calorific value or a factor", "请录入实测热值或折标系数"),
    ("enter the fuel or a factor", "请录入燃料种类或折标系数"),
    ("enter a factor", "请录入折标系数"),
    ("enter the year's", "请录入当年数值"),
    ("unknown: meters count ", "未知：表计计量 "),
    (", the factor entered is per ", "，而录入的系数为每 "),
    ("unknown: ", "未知："),
    ("gas counted by mass may be LNG or compressed pipeline gas", "按质量计量的燃气可能是液化天然气或压缩天然气"),
    (
        "whether the energy counted is by the net or the gross calorific value is not known",
        "按热量计量时未说明是低位还是高位发热量",
    ),
    (
        "the mass of steam says its heat only with pressure and temperature",
        "蒸汽质量须结合压力、温度才能折算热量",
    ),
    (
        "an energy-carrying medium is counted only where its making consumes energy, and not by default",
        "耗能工质仅在其生产消耗能源时计入，默认不计",
    ),
    ("is a default of the 2008 edition", "为 2008 版缺省值"),
    ("recovered energy was counted with the fuel it came from", "回收余能已随其来源燃料计入"),
    ("the ledger does not say which energy it is", "台账未说明是何种能源"),
    (" to ", " ~ "),
    (" is ", " 为 "),
    (" in ", "，"),
    ("; ", "；"),
)


def factor_in_chinese(text: str) -> str:
    """A factor's text for a Chinese reader; words that nobody has translated stay.

    Examples
    --------
    >>> factor_in_chinese("electricity_equivalent 0.1229 kgce/kWh; GB/T 2589-2020; seen in two or more sources")
    '电力（当量值） 0.1229 kgce/kWh；GB/T 2589-2020；见于两个以上来源'
    """
    for english, chinese in _PHRASES:
        text = text.replace(english, chinese)
    names = _names()
    text = re.sub(r"[a-z][a-z0-9_]+", lambda match: names.get(match[0], match[0]), text)
    return text.replace("(", "（").replace(")", "）")


@cache
def _names() -> Mapping[str, str]:
    """Energies of the tables and of the ledger."""
    tables: Mapping[str, Any] = shipped_standards().factors
    rows = [row for name in ("fuel", "electricity_heat", "medium") for row in tables.get(name, ())]
    return {name: carrier_name(name).zh for name in CARRIERS} | {row["energy"]: row["zh"] for row in rows}
