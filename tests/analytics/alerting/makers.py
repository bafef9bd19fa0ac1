"""Signals, rules and people for the tests of alerts."""

import tomllib
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from analytics.alerting.desk import Desk
from analytics.alerting.rule_table import parse_rules
from analytics.alerting.rules import Person, Rules
from analytics.alerting.signal import Signal, Source
from analytics.domain.severity import Severity

T0 = datetime(2026, 11, 23, 2, tzinfo=UTC)  # a Monday, 10:00 in Shanghai
MINUTE = timedelta(minutes=1)
ZONE = ZoneInfo("Asia/Shanghai")

INSPECTOR = Person(login="li.na", name="李娜", role="inspector", channel="mail", address="li@example.org")
STAFF = Person(login="wang", name="王强", role="staff", channel="mail", address="wang@example.org")
ENTERPRISE = Person(
    login="u1", name="First", role="enterprise", unit_code="U1", channel="mail", address="u1@example.org"
)
PEOPLE = (INSPECTOR, STAFF, ENTERPRISE)


def rules_of(text: str) -> Rules:
    rules, faults = parse_rules(tomllib.loads(text))
    assert not faults, faults
    return rules


def default_rules() -> Rules:
    return rules_of((files("analytics.alerting") / "default_rules.toml").read_text("utf-8"))


def signal(number: int = 1, **facts: Any) -> Signal:
    plain: dict[str, Any] = {
        "source": Source.DETECTION,
        "source_id": number,
        "unit_code": "U1",
        "unit_name": "First",
        "point": f"P{number}",
        "meter_no": f"M{number}",
        "kind": "stuck",
        "severity": Severity.SERIOUS,
        "started_at": T0,
        "seen_at": T0,
    }
    return Signal(**plain | facts)


def desk_of(rules: Rules, **facts: Any) -> Desk:
    return Desk(rules, people=PEOPLE, zone=ZONE, **facts)
