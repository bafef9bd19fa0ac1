"""Reminders of corrections, re-checks and self-checks: to whom they are due, once a stage, on working days."""

from datetime import UTC, datetime, timedelta

import pytest

from analytics.alerting.rule_table import parse_rules
from tests.streams.alerts.place import ALWAYS, raised, rows, settled

pytestmark = pytest.mark.integration

MONDAY = datetime(2026, 11, 23, 2, tzinfo=UTC)  # 10:00 in Shanghai
TOLD = "select recipient, title from alert_message where purpose = 'reminder' order by id"
REVIEW = """
insert into review (unit_id, year, origin, state, conclusion, failed, concluded_on, due, planned_by)
values (%s, 2026, %s, %s, 'basic', 2, '2026-10-12', %s, '李工')
"""


def told(dsn: str, at: datetime) -> list[tuple[str, str]]:
    """Who is newly reminded, and of what."""
    before = len(rows(dsn, TOLD))
    raised(dsn, at)
    return [(name, title.partition(" ")[2]) for name, title in rows(dsn, TOLD)[before:]]


def test_a_correction_is_the_enterprises_and_a_recheck_the_inspectors(module_database: str) -> None:
    dsn = settled(module_database)
    rows(dsn, REVIEW, 1, "plan", "correcting", "2026-11-24")
    rows(dsn, REVIEW, 2, "plan", "recheck", "2026-11-25")
    assert told(dsn, MONDAY - timedelta(days=1)) == [], "a Sunday"
    first = told(dsn, MONDAY)
    assert [name for name, _ in first] == ["person:first", "person:li.na"]
    assert first[0][1].endswith("2026年能源计量审查不符合项整改：还剩 1 个工作日")
    assert first[1][1].endswith("2026年能源计量审查整改复查：还剩 2 个工作日")
    assert told(dsn, MONDAY + timedelta(hours=3)) == [], "a stage is told once"
    assert told(dsn, MONDAY + timedelta(hours=12)) == [], "nobody is woken"
    over = told(dsn, MONDAY + timedelta(days=2))
    assert [name for name, _ in over] == ["person:first", "person:wang", "person:li.na"]
    assert over[0][1].endswith("已逾期 1 个工作日")
    rows(dsn, "update review set state = 'closed', closed_on = '2026-11-25' where id > 0")
    assert told(dsn, MONDAY + timedelta(days=10)) == []


def test_a_self_check_is_reminded_of_where_the_rules_name_its_day(module_database: str) -> None:
    december = datetime(2026, 12, 7, 2, tzinfo=UTC)
    assert told(settled(module_database), december) == []
    dsn = settled(module_database, ALWAYS + '\n[self_check]\nby = "12-31"\n')
    assert told(dsn, MONDAY) == [], "too early"
    rows(dsn, REVIEW, 2, "self_check", "closed", "2026-12-01")
    assert [name for name, _ in told(dsn, december)] == ["person:first"], "the other has signed"
    assert told(dsn, december + timedelta(days=1)) == []


@pytest.mark.parametrize("by", ["12-32", "02-29", "soon", "12"])
def test_a_day_that_is_none_is_refused(by: str) -> None:
    _, faults = parse_rules({"rule": [{"name": "a", "tell": ["staff"]}], "self_check": {"by": by}})
    assert [fault.place for fault in faults] == ["self_check.by"]
