"""Evidence of a signal in words: what was measured, how large it is, and what else it could be.

Messages and pages use the same sentences. What a person cannot act on (scores, windows of the detectors) is left out;
it stays in the stored evidence.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import Any, Final

from analytics.alerting.signal import FINDING, VERIFICATION
from analytics.domain.words import EDITIONS, Language, Phrase, due_phrase

__all__ = ["evidence_in_words", "evidence_of_detection", "evidence_of_finding", "percent"]

_LIKELY: Final = 0.05
"""Other explanations below this share are not named. [1]"""
_ENDINGS: Final = MappingProxyType(
    {
        "withdrawn": Phrase(zh="变化已可忽略，撤回", en="the change is negligible now: withdrawn"),
        "back": Phrase(zh="误差已恢复", en="the error went back"),
        "again": Phrase(zh="误差再次变化，另行告警", en="the error changed again, which is reported by itself"),
        "replaced": Phrase(zh="器具已更换", en="the meter was replaced"),
        "verdict": Phrase(zh="已有现场结论", en="ended by the verdict on site"),
        "learnt": Phrase(
            zh="长期未能确定原因，按新的差额继续", en="no cause was found for months; the balance goes on from here"
        ),
        "retold": Phrase(zh="改由另一条检出表示", en="reported as another detection"),
    }
)
"""By `analytics.drift.change.Ending`."""


def evidence_in_words(
    kind: str, evidence: Mapping[str, Any], *, magnitude: float | None, language: Language, zone: tzinfo
) -> list[str]:
    """Sentences on what a detection, a finding or a due verification rests on.

    Parameters
    ----------
    kind : str
        One of `analytics.alerting.signal.KINDS`.
    evidence : mapping
        As stored; of an error of a meter with ``magnitude_low`` and ``magnitude_high`` [1], of amounts with
        ``amount_unit``.
    magnitude : float or None
        Of the detection; of an error of a meter the share that is counted too much, negative too little. [1]
    language : str
        ``zh`` or ``en``.
    zone : tzinfo
        Whose dates are given.

    Returns
    -------
    list of str
        Empty where nothing is known.

    Examples
    --------
    >>> found = {"magnitude_low": -0.043, "magnitude_high": -0.038, "started_between": [1792108800, 1792281600]}
    >>> evidence_in_words("gain_step", found, magnitude=-0.0403, language="en", zone=UTC)
    ['error −4.0 % (95 %: −4.3 % to −3.8 %)', 'began between 2026-10-16 and 2026-10-18']
    """
    told = _BY_KIND.get(kind, _register)
    return [part for part in told(evidence, magnitude, language, zone) if part]


def evidence_of_detection(row: Mapping[str, Any]) -> dict[str, Any]:
    """The stored evidence with what is stored beside it: the interval of its size, and the unit of its amounts.

    Parameters
    ----------
    row : mapping
        With ``evidence``, ``magnitude_low`` and ``magnitude_high`` [1 for an error], and ``energy_unit``.
    """
    found = dict(row["evidence"]) if isinstance(row["evidence"], dict) else {}
    if row["magnitude_low"] is not None and row["magnitude_high"] is not None:
        found |= {"magnitude_low": row["magnitude_low"], "magnitude_high": row["magnitude_high"]}
    return found | {"amount_unit": row["energy_unit"]} if row["energy_unit"] else found


def evidence_of_finding(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a finding rests on, of the columns that state it; English stands in where there is no Chinese."""
    return {
        "edition": row["edition"],
        "clause": row["clause"],
        "required": row["required_zh"] or row["required"],
        "found": row["found_zh"] or row["found"],
        "required_en": row["required"],
        "found_en": row["found"],
    }


def percent(share: float, digits: int = 1) -> str:
    """A share with its sign as people write it.

    Examples
    --------
    >>> percent(-0.0403), percent(0.5, 0)
    ('−4.0 %', '+50 %')
    """
    return f"{100 * share:+.{digits}f} %".replace("-", "−")


def _register(evidence: Mapping[str, Any], _: float | None, language: Language, __: tzinfo) -> list[str]:
    """Of one register: what it is, the dial before, at and after, and how many readings."""
    zh = language == "zh"
    unit = _with(evidence.get("unit"))
    dial = [
        f"{word.of(language)} {_number(evidence[name])}{unit}"
        for name, word in _DIAL
        if isinstance(evidence.get(name), int | float)
    ]
    parts = [_what(evidence, language)]
    if dial:
        parts.append(("示值" if zh else "dial ") + ("，" if zh else ", ").join(dial))
    count = evidence.get("n")
    if isinstance(count, int) and count > 1:
        parts.append(f"涉及读数 {count:,} 个" if zh else f"{count:,} readings")
    amount = _with(evidence.get("amount_unit"))
    for name, word in _AMOUNTS:
        if isinstance(evidence.get(name), int | float):
            parts.append(f"{word.of(language)} {_number(evidence[name])}{amount}")
    return parts


def _gap(evidence: Mapping[str, Any], _: float | None, language: Language, __: tzinfo) -> list[str]:
    zh, unit = language == "zh", _with(evidence.get("unit"))
    before, after, missing = evidence.get("before"), evidence.get("after"), evidence.get("n")
    parts = [_what(evidence, language)]
    if isinstance(missing, int) and missing:
        parts.append(f"缺 {missing:,} 个读数" if zh else f"{missing:,} readings missing")
    if isinstance(before, int | float) and isinstance(after, int | float):
        parts.append(
            f"示值之前 {_number(before)}{unit}，之后 {_number(after)}{unit}"
            if zh
            else f"dial before {_number(before)}{unit}, after {_number(after)}{unit}"
        )
    return parts


def _silence(evidence: Mapping[str, Any], _: float | None, language: Language, __: tzinfo) -> list[str]:
    last, unit = evidence.get("before"), _with(evidence.get("unit"))
    parts = [_what(evidence, language)]
    if isinstance(last, int | float):
        parts.append(f"最后示值 {_number(last)}{unit}" if language == "zh" else f"last dial {_number(last)}{unit}")
    return parts


def _stuck(evidence: Mapping[str, Any], _: float | None, language: Language, __: tzinfo) -> list[str]:
    zh, unit = language == "zh", _with(evidence.get("unit"))
    parts = [_what(evidence, language)]
    dial, readings = evidence.get("dial"), evidence.get("readings_at_that_value")
    if isinstance(dial, int | float) and isinstance(readings, int):
        parts.append(
            f"示值 {_number(dial)}{unit}，连续 {readings:,} 次相同"
            if zh
            else f"dial {_number(dial)}{unit} in {readings:,} readings"
        )
    after, usual = evidence.get("dial_afterwards"), evidence.get("usual_use_in_that_time")
    if isinstance(after, int | float):
        parts.append(f"之后示值 {_number(after)}{unit}" if zh else f"dial afterwards {_number(after)}{unit}")
    if isinstance(usual, int | float) and usual > 0:
        amount = _with(evidence.get("amount_unit"))
        parts.append(
            f"同期通常消费量 {usual:,.4g}{amount}" if zh else f"usually used in that time: {usual:,.4g}{amount}"
        )
    return parts


def _clock(evidence: Mapping[str, Any], _: float | None, language: Language, __: tzinfo) -> list[str]:
    zh = language == "zh"
    parts = [_what(evidence, language)]
    now, usual = evidence.get("lateness_s"), evidence.get("usual_lateness_s")
    if isinstance(now, int | float) and isinstance(usual, int | float):
        late = f"晚到 {now:,.0f} 秒" if now >= 0 else f"早到 {-now:,.0f} 秒"
        late_en = f"{now:,.0f} s late" if now >= 0 else f"{-now:,.0f} s early"
        parts.append(f"现{late}，平时晚到 {usual:,.0f} 秒" if zh else f"{late_en}, usually {usual:,.0f} s late")
    uploads = evidence.get("uploads_that_agree")
    if isinstance(uploads, int):
        parts.append(f"{uploads} 次上传一致" if zh else f"{uploads} uploads agree")
    if evidence.get("proven") is False:
        parts.append("也可能是传输变慢" if zh else "or the transmission became slower")
    return parts


def _ratio(evidence: Mapping[str, Any], _: float | None, language: Language, __: tzinfo) -> list[str]:
    zh = language == "zh"
    parts = [_what(evidence, language)]
    low, high = evidence.get("ratio_low"), evidence.get("ratio_high")
    if isinstance(low, int | float) and isinstance(high, int | float):
        parts.append(f"95 % 区间 {low:.3f} 至 {high:.3f}" if zh else f"95 %: {low:.3f} to {high:.3f}")
    counted, expected = evidence.get("counted_kwh"), evidence.get("expected_kwh")
    if isinstance(counted, int | float) and isinstance(expected, int | float):
        parts.append(
            f"计得 {counted:,.0f} kWh，应为 {expected:,.0f} kWh"
            if zh
            else f"counted {counted:,.0f} kWh where {expected:,.0f} kWh would be right"
        )
    likely = evidence.get("likely" if zh else "likely_en")
    if likely:
        parts.append(f"可能原因：{likely}" if zh else f"likely: {likely}")
    power = evidence.get("power" if zh else "power_en")
    if power:
        parts.append(f"功率{power}" if zh else f"power {power}")
    windows = evidence.get("windows")
    if isinstance(windows, int):
        parts.append(f"比对 {windows:,} 个时段" if zh else f"{windows:,} periods compared")
    return parts


def _gain(evidence: Mapping[str, Any], magnitude: float | None, language: Language, zone: tzinfo) -> list[str]:
    """An error that a balance found: how large, since when, and which other meters could explain it."""
    zh = language == "zh"
    parts = []
    low, high = evidence.get("magnitude_low"), evidence.get("magnitude_high")
    if magnitude is not None:
        around = ""
        if isinstance(low, int | float) and isinstance(high, int | float):
            between = f"{percent(low)}{' 至 ' if zh else ' to '}{percent(high)}"
            around = f"（95 % 区间 {between}）" if zh else f" (95 %: {between})"
        parts.append(f"{'误差 ' if zh else 'error '}{percent(magnitude)}{around}")
    parts.append(_began(evidence, language, zone))
    others = _candidates(evidence, language, least=_LIKELY)[1:]
    if others:
        listed = ("；" if zh else "; ").join(others)
        parts.append(f"也可能是：{listed}" if zh else f"could also be: {listed}")
    if evidence.get("watched") is True:
        parts.append("可能仍在准确度等级允许范围内，继续观察" if zh else "it may still hold its class: watched")
    ending = _ENDINGS.get(str(evidence.get("ending", "")))
    return [*parts, ending.of(language) if ending else ""]


def _balance(evidence: Mapping[str, Any], _: float | None, language: Language, zone: tzinfo) -> list[str]:
    """A balance that changed, where no meter could be named."""
    zh = language == "zh"
    parts = []
    lacks, unit = evidence.get("lacks_per_hour"), str(evidence.get("unit") or "")
    if isinstance(lacks, int | float):
        size = f"{abs(lacks):,.4g} {unit}/h"
        zh_word, en_word = ("缺", "lacks") if lacks >= 0 else ("多", "has in excess")
        parts.append(f"该平衡{zh_word} {size}" if zh else f"the balance {en_word} {size}")
    parts.append(_began(evidence, language, zone))
    named = _candidates(evidence, language, least=_LIKELY)
    if named:
        listed = ("；" if zh else "; ").join(named)
        parts.append(f"可能的原因：{listed}" if zh else f"it could be: {listed}")
    ending = _ENDINGS.get(str(evidence.get("ending", "")))
    return [*parts, ending.of(language) if ending else ""]


def _began(evidence: Mapping[str, Any], language: Language, zone: tzinfo) -> str:
    between = evidence.get("started_between")
    if not isinstance(between, list | tuple) or len(between) != 2:
        return ""
    first, last = (f"{datetime.fromtimestamp(at, UTC).astimezone(zone):%Y-%m-%d}" for at in between)
    if first == last:
        return f"自 {first} 起" if language == "zh" else f"began on {first}"
    return f"起始于 {first} 至 {last} 之间" if language == "zh" else f"began between {first} and {last}"


def _candidates(evidence: Mapping[str, Any], language: Language, least: float) -> list[str]:
    """Explanations of a change of a balance, the likeliest first."""
    found = [one for one in evidence.get("candidates") or () if isinstance(one, Mapping)]
    found.sort(key=lambda one: -float(one.get("share", 0)))
    return [_candidate(one, language) for one in found if float(one.get("share", 0)) >= least]


def _candidate(one: Mapping[str, Any], language: Language) -> str:
    zh = language == "zh"
    share = f"{float(one['share']):.0%}".replace("%", " %")
    if one.get("unmetered"):
        return f"未计量的负荷（可能性 {share}）" if zh else f"a load without a meter ({share})"
    error = percent(float(one["magnitude"])) if isinstance(one.get("magnitude"), int | float) else ""
    parent = ("上级表 " if zh else "the parent ") if one.get("parent") else ""
    about = f"，其误差为 {error}" if error and zh else f", its error would be {error}" if error else ""
    return (
        f"{parent}{one.get('point', '')}（可能性 {share}{about}）"
        if zh
        else f"{parent}{one.get('point', '')} ({share}{about})"
    )


def _interval(evidence: Mapping[str, Any], _: float | None, language: Language, __: tzinfo) -> list[str]:
    stated, kept = evidence.get("ledger_min"), evidence.get("readings_min")
    if not isinstance(stated, int | float) or not isinstance(kept, int | float):
        return [_what(evidence, language)]
    if language == "zh":
        return [f"台账采集间隔 {_number(stated)} 分钟，实际 {_number(kept)} 分钟"]
    return [f"the ledger states {_number(stated)} min, readings come each {_number(kept)} min"]


def _finding(evidence: Mapping[str, Any], _: float | None, language: Language, __: tzinfo) -> list[str]:
    zh = language == "zh"
    required = evidence.get("required" if zh else "required_en")
    found = evidence.get("found" if zh else "found_en")
    edition, clause = str(evidence.get("edition") or ""), str(evidence.get("clause") or "")
    named = EDITIONS[edition].of(language) if edition in EDITIONS else edition
    number = named.partition("（")[0].partition(" (")[0]  # what stands in for what is told where the unit was judged
    return [
        " ".join(filter(None, (number, clause))),
        (f"要求：{required}" if zh else f"required: {required}") if required else "",
        (f"实际：{found}" if zh else f"found: {found}") if found else "",
    ]


def _verification(evidence: Mapping[str, Any], _: float | None, language: Language, __: tzinfo) -> list[str]:
    due, left = evidence.get("verification_due"), evidence.get("days_left")
    zh = language == "zh"
    return [
        (f"有效期至 {due}" if zh else f"valid until {due}") if due else "",
        due_phrase(left).of(language) if isinstance(left, int) else "",
    ]


def _what(evidence: Mapping[str, Any], language: Language) -> str:
    return str(evidence.get("what" if language == "zh" else "what_en") or "")


def _number(value: float) -> str:
    return f"{value:,.10g}".replace("-", "−")


def _with(unit: object) -> str:
    return f" {unit}" if unit else ""


_DIAL: Final = (
    ("before", Phrase(zh="之前", en="before")),
    ("at", Phrase(zh="当时", en="at the time")),
    ("after", Phrase(zh="之后", en="after")),
)
_AMOUNTS: Final = (
    ("amount", Phrase(zh="其间消费量", en="used meanwhile")),
    ("unexplained", Phrase(zh="未解释差额", en="unexplained")),
)
_BY_KIND: Final[Mapping[str, Callable[[Mapping[str, Any], float | None, Language, tzinfo], list[str]]]] = (
    MappingProxyType(
        {
            "gap": _gap,
            "silence": _silence,
            "stuck": _stuck,
            "clock": _clock,
            "ratio": _ratio,
            "gain_step": _gain,
            "gain_drift": _gain,
            "balance_change": _balance,
            "interval": _interval,
            FINDING: _finding,
            VERIFICATION: _verification,
        }
    )
)
