"""Evidence in words: every kind, in both languages, without a name of the code."""

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from analytics.alerting.evidence import evidence_in_words
from analytics.alerting.signal import KINDS
from analytics.domain.words import LANGUAGES, Language

ZONE = ZoneInfo("Asia/Shanghai")
_REGISTER = {
    "what": "示值异常",
    "what_en": "the dial is odd",
    "before": 10.0,
    "at": -1.0,
    "after": 11.5,
    "n": 3,
    "unit": "MWh",
}
_BALANCE = {
    "score": 4.08,
    "as_of": 1795996800,
    "watched": False,
    "unit": "kWh",
    "started_between": [1792108800, 1792281600],
    "candidates": [
        {"point": "W-03", "share": 0.7, "parent": False, "magnitude": -0.0403},
        {"point": "W-01", "share": 0.2, "parent": True, "magnitude": 0.011},
        {"unmetered": True, "share": 0.08},
        {"point": "W-09", "share": 0.02, "parent": False, "magnitude": 0.5},
    ],
}
FOUND: dict[str, tuple[float | None, dict[str, Any]]] = dict.fromkeys(KINDS, (None, _REGISTER)) | {
    "stuck": (
        30.2,
        {"what": "停走", "what_en": "stuck", "dial": 5.0, "readings_at_that_value": 121, "unit": "MWh"}
        | {"usual_use_in_that_time": 3468.7, "most_surprising_before": 0.0, "surprise": 12.0, "amount_unit": "GJ"},
    ),
    "clock": (
        400.0,
        {"what": "时钟超前", "what_en": "the clock is ahead", "proven": True, "uploads_that_agree": 8}
        | {"lateness_s": -406.6, "usual_lateness_s": 13.0},
    ),
    "ratio": (
        -0.5,
        {"what": "二者必有一错", "what_en": "one of the two is wrong", "check": "primary_power", "windows": 448}
        | {"ratio": 0.5001, "ratio_low": 0.4987, "ratio_high": 0.5015}
        | {"counted_kwh": 60400.0, "expected_kwh": 120782.3},
    ),
    "gain_step": (-0.0403, _BALANCE | {"magnitude_low": -0.043, "magnitude_high": -0.038}),
    "gain_drift": (0.022, _BALANCE | {"watched": True, "ending": "retold"}),
    "balance_change": (None, _BALANCE | {"lacks_per_hour": 12.3}),
    "finding": (
        None,
        {
            "edition": "GB 17167-2006 (stands in for GB 17167-2025)",
            "clause": "4.3.8",
            "required": "不低于 0.5 级",
            "found": "1 级",
        }
        | {"required_en": "class 0.5 or better", "found_en": "class 1"},
    ),
    "verification": (None, {"verification_due": "2025-02-17", "days_left": -652}),
}


def words(kind: str, language: Language) -> list[str]:
    magnitude, evidence = FOUND[kind]
    return evidence_in_words(kind, evidence, magnitude=magnitude, language=language, zone=ZONE)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_told_without_names_of_the_code(kind: str, language: Language) -> None:
    told = " ".join(words(kind, language))
    assert told
    assert not re.search(r"[a-z]_[a-z]|True|False|None|17\d{8}|score|windows", told), told
    if language == "zh":
        assert not re.search(r"[a-z]{3,}", re.sub(r"kWh|MWh|GJ", "", told)), told


def test_an_error_is_told_with_its_interval_its_beginning_and_what_else_it_could_be() -> None:
    assert words("gain_step", "zh") == [
        "误差 −4.0 %（95 % 区间 −4.3 % 至 −3.8 %）",
        "起始于 2026-10-16 至 2026-10-18 之间",
        "也可能是：上级表 W-01（可能性 20 %，其误差为 +1.1 %）；未计量的负荷（可能性 8 %）",
    ]


def test_a_balance_that_nobody_can_name_lists_who_it_could_be() -> None:
    told = words("balance_change", "en")
    assert told[0] == "the balance lacks 12.3 kWh/h"
    assert told[2].startswith("it could be: W-03 (70 %, its error would be −4.0 %); the parent W-01")
    assert "W-09" not in told[2]


def test_amounts_keep_their_own_unit_and_not_the_dials() -> None:
    told = evidence_in_words(
        "gap",
        {"amount": 1500.0, "unit": "MWh", "amount_unit": "GJ", "before": 1.0},
        magnitude=None,
        language="en",
        zone=ZONE,
    )
    assert "MWh" not in "".join(part for part in told if "used" in part)
    told = evidence_in_words(
        "reset", {"amount": 1500.0, "unit": "MWh", "amount_unit": "GJ"}, magnitude=None, language="en", zone=UTC
    )
    assert told == ["used meanwhile 1,500 GJ"]


def test_dates_are_of_the_readers_zone() -> None:
    at = int(datetime(2026, 10, 15, 20, tzinfo=UTC).timestamp())
    evidence = {"started_between": [at, at]}
    assert evidence_in_words("gain_step", evidence, magnitude=None, language="zh", zone=ZONE) == ["自 2026-10-16 起"]
