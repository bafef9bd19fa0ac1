"""Normalisation of text for comparison: width, case, invisible and traditional characters, empty marks."""

import re
import unicodedata
from functools import lru_cache

__all__ = ["BLANKS", "BLANK_PATTERN", "INVISIBLE", "code_key", "is_blank", "plain", "tidy", "word_key"]

INVISIBLE = "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]"
"""Zero-width and control characters that copying from a page or a chat leaves behind."""

_INVISIBLE = re.compile(INVISIBLE)
_AS_TEXT = re.compile(r"=\"(.*)\"", re.DOTALL)
_APART = re.compile(r"[\s_*\-]+")

BLANKS = (
    "", "-", "--", "---", "—", "——", "–", "−", "―", "ー", "/", "\\", "//", "*", ".", "…", "...",
    "null", "none", "nil", "nan", "<na>", "n/a", "#n/a", "na", "#na", "n.a.", "nodata", "missing", "(null)", "(blank)",
    "#value!", "#ref!", "#div/0!", "#name?", "#null!", "#num!", "#spill!", "#calc!", "#####",
    "无", "空", "缺", "缺失", "缺测", "无数据", "暂无", "未采集", "未抄", "无效",
)  # fmt: skip
"""Customary marks for an empty cell, folded in width and case."""
_BLANKS = frozenset(BLANKS)

BLANK_PATTERN = r"(?i)^(" + "|".join(re.escape(word) for word in BLANKS) + r"|#+|[-—–−]+)$"
"""The same as a regular expression of RE2, for columns that are folded in width and have no blanks around."""

# only characters that occur in headers: these are compared, never stored, so a full table is not needed
_SIMPLER = str.maketrans(
    "單碼編號採時間讀數計錶儀電能總壓氣熱項類資產備質狀態級別點採樣測據標識註記錄運營檢驗證書週線設應給蒸溫製造廠產規範圍裝啟終頻動靜貿結"
    "與進門輸損補減費費區會負載載實際補齊種環關係統維護網絡層樓變壓倍率純淨軟雜說稱為業機構體個",
    "单码编号采时间读数计表仪电能总压气热项类资产备质状态级别点采样测据标识注记录运营检验证书周线设应给蒸温制造厂产规范围装启终频动静贸结"
    "与进门输损补减费费区会负载载实际补齐种环关系统维护网络层楼变压倍率纯净软杂说称为业机构体个",
)


def tidy(text: str) -> str:
    r"""Text as a person sees it: folded in width, without invisible letters, formula marks or blanks around.

    Examples
    --------
    >>> tidy('＝"Ｍ１"'), tidy("'007 "), tidy("kWh\u200b")
    ('M1', '007', 'kWh')
    """
    seen = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).strip()
    quoted = _AS_TEXT.fullmatch(seen)
    if quoted is not None:
        seen = quoted[1].strip()
    return seen[1:].strip() if seen.startswith("'") else seen


@lru_cache(maxsize=65536)
def code_key(text: str) -> str:
    """Comparison key of a code: codes that differ only in width or case are the same.

    Examples
    --------
    >>> code_key("ＤＢ－００１") == code_key("db-001")
    True
    """
    return " ".join(tidy(text).casefold().split())


def word_key(text: str) -> str:
    """Text in which only letters count: no blanks, no marks between words, simple letters, one case.

    Examples
    --------
    >>> word_key("Unit Code*"), word_key("管理編號"), word_key("  采集_时间 ")
    ('unitcode', '管理编号', '采集时间')
    """
    return _APART.sub("", tidy(text)).casefold().translate(_SIMPLER)


plain = word_key


def is_blank(text: str) -> bool:
    """Whether a cell counts as empty.

    Examples
    --------
    >>> [is_blank(text) for text in ("", " — ", "NULL", "#N/A", "无", "0")]
    [True, True, True, True, True, False]
    """
    folded = tidy(text).casefold()
    return folded in _BLANKS or (bool(folded) and not folded.strip("-—–−#"))
