"""A small ledger judged on a day, for tests."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from analytics.domain.finding import Finding
from analytics.domain.ledger import Ledger
from analytics.standards.assessment import Assessment, assess
from analytics.standards.edition_tables import load_edition
from analytics.standards.editions import EditionBook
from analytics.standards.facts import Facts
from analytics.standards.rules import Rules, load_rules
from analytics.standards.scene import Evidence, Scene
from tests.analytics.standards.conftest import SHIPPED
from tests.ledgers import ledger_of

__all__ = ["DAY", "ZONE", "day_of", "judge", "metered", "named", "scene_of", "shipped_rules"]

ZONE = ZoneInfo("Asia/Shanghai")


def day_of(text: str) -> int:
    return date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()


DAY = day_of("2026-11-22")


def shipped_book() -> EditionBook:
    return EditionBook([load_edition(tomllib.loads((SHIPPED / "gb17167_2006.toml").read_text(encoding="utf-8")))])


def shipped_rules() -> Rules:
    return load_rules(tomllib.loads((SHIPPED / "supervision.toml").read_text(encoding="utf-8")))


def metered(point: str, **facts: object) -> Mapping[str, object]:
    """A point with a meter that has everything a ledger should say, verified long into the future."""
    plain: dict[str, object] = {
        "point": point,
        "meter_no": f"M-{point}",
        "serial_no": f"S-{point}",
        "name": "表",
        "model": "X",
        "range": "0~1",
        "manufacturer": "云澜",
        "place": "here",
        "instrument": "electricity",
        "accuracy_class": "0.2S",
        "status": "qualified",
        "verified_on": day_of("2025-01-01"),
        "verification_due": day_of("2030-12-31"),
        "interval_s": 900.0,
    }
    return plain | facts


def judge(
    rows: Ledger | Sequence[Mapping[str, object]],
    *,
    day: int = DAY,
    facts: Facts | None = None,
    rules: Rules | None = None,
    book: EditionBook | None = None,
    **evidence: Any,
) -> Assessment:
    ledger = rows if isinstance(rows, Ledger) else ledger_of(*rows)
    return assess(
        ledger,
        book=book or shipped_book(),
        rules=rules or shipped_rules(),
        facts=facts or Facts(),
        evidence=replace(Evidence.none(ledger), **evidence),
        day=day,
        at_us=day * 86_400_000_000,
        zone=ZONE,
    )


def scene_of(*rows: Mapping[str, object], day: int = DAY, **evidence: Any) -> Scene:
    ledger = ledger_of(*rows)
    book = shipped_book()
    return Scene.of(
        ledger,
        applied=tuple(book.applied(day) for _ in ledger.unit_codes),
        rules=shipped_rules(),
        facts=Facts(),
        evidence=replace(Evidence.none(ledger), **evidence),
        day=day,
        at_us=day * 86_400_000_000,
    )


def named(assessment: Assessment, rule: str, **facts: object) -> list[Finding]:
    """Findings of a rule that say these things."""
    return [
        finding
        for finding in assessment.findings
        if finding.rule == rule and all(getattr(finding, name) == value for name, value in facts.items())
    ]
