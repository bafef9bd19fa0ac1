"""Reasons for which a collection point needs no meter: notes of GB 17167's tables, chosen by code or by their words.

A reason is read clause by clause (between commas). Every clause has to be a note's own words or one that says nothing
for or against (how it is settled); a cell with anything else is free text: it does not exempt, a person has to decide.
 Words are never searched for inside a sentence: "非辅助能源" is not "辅助能源".
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

from analytics.domain.words import Phrase

__all__ = ["EXEMPTIONS", "Exemption", "exemption_of", "reasons_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """A reason for exemption in the standard.

    Attributes
    ----------
    code : str
        What a ledger cell can hold.
    name : Phrase
        The reason's words.
    note : Phrase
        Where the standard states it.
    levels, carriers : frozenset of str
        To which points it applies; no carriers means all.
    """

    code: str
    name: Phrase
    note: Phrase
    levels: frozenset[str]
    carriers: frozenset[str]

    def applies(self, level: str, carrier: str) -> bool:
        """Whether the note is about points of a level and energy."""
        return level in self.levels and (not self.carriers or carrier in self.carriers)


def _exemption(code: str, zh: str, en: str, note: tuple[str, str], levels: str, carriers: str = "") -> Exemption:
    return Exemption(
        code=code,
        name=Phrase(zh=zh, en=en),
        note=Phrase(zh=note[0], en=note[1]),
        levels=frozenset(levels.split()),
        carriers=frozenset(carriers.split()),
    )


EXEMPTIONS: Final[Mapping[str, Exemption]] = MappingProxyType(
    {
        one.code: one
        for one in (
            _exemption(
                "heating",
                "季节性采暖用",
                "seasonal heating",
                ("表3注1、注2", "table 3, notes 1 and 2"),
                "unit sub_unit",
                "steam hot_water",
            ),
            _exemption(
                "auxiliary",
                "辅助能源且低于表2限定值",
                "auxiliary energy below the limit of table 2",
                ("表3注3", "table 3, note 3"),
                "equipment",
                "electricity steam water",
            ),
            _exemption(
                "assessable",
                "所在可单独考核的用能单元已配备",
                "inside a separately assessable unit that has a meter",
                ("表2注1", "table 2, note 1"),
                "equipment",
            ),
            _exemption(
                "group",
                "所在集中管理同类用能设备的用能单元已配备",
                "inside a centrally managed group of like devices that has a meter",
                ("表2注2", "table 2, note 2"),
                "equipment",
            ),
            _exemption(
                "below_limit",
                "低于限定值",
                "below the limit",
                ("表1、表2", "tables 1 and 2"),
                "sub_unit equipment",
            ),
        )
    }
)
"""By code; a cell holds the code, the note (表3注1) or the words."""

_LIMIT = r"(?:的)?(?:规定)?(?:的)?限(?:定)?(?:额|量)?值?(?:规定)?"
_USED = (
    r"(?:年|小时)?(?:能源)?(?:用能量|用能|能耗|能源消耗量|消耗量|消费量|用量|用电量|用水量|用气量|用汽量|负荷"
    r"|(?:额定|装机|总)?功率)?"
)
_OF = r"(?:gb ?17167)?(?:表 ?[12]|主要(?:次级)?用能单位|主要次级用能单位|主要用能设备)?"
_UNIT = r"(?:可单独(?:进行)?(?:能源)?(?:计量)?考核的)?(?:用能单元|装置|系统|工序|工段|车间|生产线)"
_GROUP = r"(?:集中管理的?)?(?:同类(?:用能)?设备的?)?(?:用能单元|锅炉房|泵房|空压站|空压机房|机组)"
_METERED = (
    r"(?:总表|总管|整体|统一|集中|单独)?(?:已|已经|均已|统一)?(?:安装|装设|装有|装|配备|配有|设有|计量)(?:了|有)?"
    r"(?:能源)?(?:计量)?(?:器具|装置|表计|电能表|电表|总表|表)?"
)
_HAS = r"(?: that (?:is metered|has a meter))?"
_HEATING = r"(?:季节性|季节|冬季|冬天)?(?:采暖|供暖|取暖|采暖供热)"
_PATTERNS: Final = tuple(
    (code, re.compile(pattern, re.IGNORECASE))
    for code, pattern in (
        ("heating", r"heating|表 ?3 ?(?:的)?注 ?[12](?:的)?"),
        ("heating", rf"{_HEATING}(?:期|季)?(?:用)?(?:的)?(?:蒸汽|热水|热力|热能|热源|汽|热)?(?:使用|之用)?"),
        ("heating", r"(?:steam|hot water)? ?(?:for|of)? ?(?:the )?seasonal heating(?: (?:steam|hot water|only))?"),
        ("auxiliary", r"auxiliary(?: energy)?(?: below the limit(?: of table 2)?)?|表 ?3 ?(?:的)?注 ?3"),
        (
            "auxiliary",
            (
                rf"(?:作为?|用作|属于?|仅作)?辅助(?:性)?(?:能源|用能|用电|用汽|用气|用水|蒸汽|电力|水)"
                rf"(?:且|并)?(?:{_USED}(?:低于|小于|未达到?|不足){_OF}{_LIMIT}(?:以下)?)?"
            ),
        ),
        (
            "assessable",
            rf"assessable|inside a(?: separately)? assessable unit{_HAS}|表 ?2 ?(?:的)?注 ?1",
        ),
        ("assessable", rf"(?:所在|所属|位于)?(?:的)?{_UNIT}(?:内)?{_METERED}"),
        (
            "assessable",
            rf"(?:由)?(?:所在|所属)?(?:的)?{_UNIT}(?:内)?(?:已|均)?(?:由)?(?:总表|统一|集中){{1,2}}(?:进行)?计量",
        ),
        (
            "group",
            rf"group|(?:inside )?(?:a )?centrally managed(?: group)?(?: of like devices)?{_HAS}|表 ?2 ?(?:的)?注 ?2",
        ),
        ("group", rf"(?:所在|所属|位于)?(?:的)?{_GROUP}(?:内)?(?:{_METERED}|集中管理)"),
        (
            "group",
            rf"(?:由)?(?:所在|所属)?(?:的)?{_GROUP}(?:内)?(?:已|均)?(?:由)?(?:总表|统一|集中){{1,2}}(?:进行)?(?:管理|计量)",
        ),
        ("group", r"集中管理(?:的)?同类(?:用能)?设备"),
        ("below_limit", r"below_limit|below (?:the )?limits?(?: of table [12])?"),
        ("below_limit", rf"{_USED}(?:低于|小于|未达到?|未超过|达不到|不足|不到){_OF}{_LIMIT}(?:以下)?"),
    )
)
_NEUTRAL: Final = re.compile(
    r"(?:按|依|根据)(?:供热|采暖|供暖|建筑)?(?:面积|热力公司)(?:结算|计费|收费|计量)(?:费用)?"
    r"|(?:settled|billed|paid) by (?:floor )?area"
    r"|无需(?:单独)?配备(?:计量器具)?|可不(?:单独)?(?:配备|装表)|免配",
    re.IGNORECASE,
)
_SPLIT: Final = re.compile(r"[,;:。、()\n]+")
_LEAD: Final = re.compile(r"^(?:因为?|由于|属于?|系|原因是?:?|依据:?|gb ?17167(?:-\d{4})?:?)\s*", re.IGNORECASE)


@cache
def exemption_of(text: str) -> Exemption | None:
    """The reason that a cell gives, None for free text and for two reasons at once.

    Examples
    --------
    >>> exemption_of("季节性采暖用蒸汽，按面积结算").code
    'heating'
    >>> exemption_of("表2注1").code, exemption_of("非辅助能源，暂缓安装") is None
    ('assessable', True)
    >>> exemption_of("季节性生产，每年停机三个月") is None
    True
    """
    plain = unicodedata.normalize("NFKC", text).strip().casefold()
    if plain in EXEMPTIONS:
        return EXEMPTIONS[plain]
    whole = _code(plain)
    if whole:
        return EXEMPTIONS[whole]
    codes: set[str] = set()
    for clause in filter(None, map(_bare, _SPLIT.split(plain))):
        code = _code(clause)
        if not code and not _NEUTRAL.fullmatch(clause):
            return None
        codes.add(code)
    codes.discard("")
    if codes == {"auxiliary", "below_limit"}:
        return EXEMPTIONS["auxiliary"]
    if codes == {"assessable", "group"}:  # both require the same, a meter above
        return EXEMPTIONS["group"]
    return EXEMPTIONS[codes.pop()] if len(codes) == 1 else None


def _bare(clause: str) -> str:
    return _LEAD.sub("", clause.strip(" .()"))


def _code(clause: str) -> str:
    return next((code for code, pattern in _PATTERNS if pattern.fullmatch(_bare(clause))), "")


def reasons_text() -> Phrase:
    """The reasons that a cell may choose from."""
    return Phrase(
        zh="、".join(f"{one.code}（{one.name.zh}，{one.note.zh}）" for one in EXEMPTIONS.values()),
        en=", ".join(f"{one.code} ({one.name.en}; {one.note.en})" for one in EXEMPTIONS.values()),
    )
