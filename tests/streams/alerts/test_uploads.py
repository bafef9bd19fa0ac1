"""An upload to an official platform that is late or refused is told once, when more is refused, and when it is over."""

from datetime import UTC, datetime, timedelta

import pytest

from analytics.alerting.rule_table import parse_rules
from tests.streams.alerts.place import ALWAYS, raised, rows, settled

pytestmark = pytest.mark.integration

MORNING = datetime(2026, 11, 23, 2, tzinfo=UTC)  # 10:00 in Shanghai
DAY = timedelta(days=1)
TOLD = "select recipient, title, body from alert_message where purpose = 'upload' order by id"
RUN = """
insert into official_upload as o (unit_code, platform, first_at, tried_at, done_at, refused, waiting, answer)
values ('U1', 'platform.example', %s, %s, %s, %s, %s, %s)
on conflict (unit_code, platform) do update set tried_at = excluded.tried_at,
    done_at = coalesce(excluded.done_at, o.done_at), refused = excluded.refused, waiting = excluded.waiting,
    answer = excluded.answer
"""


def ran(dsn: str, at: datetime, *, refused: int = 0, waiting: int = 0, answer: str = "") -> None:
    """What `meterwarden upload run` notes."""
    done = None if refused or waiting or answer else at
    rows(dsn, RUN, at, at, done, refused, waiting, answer)


def told(dsn: str, at: datetime) -> set[tuple[str, str]]:
    before = len(rows(dsn, TOLD))
    raised(dsn, at)
    return {(name, title) for name, title, _ in rows(dsn, TOLD)[before:]}


def test_what_a_platform_refuses_reaches_staff_and_the_units_own_people(module_database: str) -> None:
    dsn = settled(module_database)
    ran(dsn, MORNING, refused=7, answer="responseCode 1: 数据超限")
    refused = "U1 向 platform.example 上传：7 条数据被拒"
    assert told(dsn, MORNING + timedelta(hours=9)) == set(), "nobody is woken"
    assert told(dsn, MORNING) == {("person:wang", refused), ("person:first", refused)}, "not the other unit"
    assert "平台答复：responseCode 1: 数据超限" in rows(dsn, TOLD)[0][2]
    assert told(dsn, MORNING + timedelta(hours=1)) == set(), "once"
    ran(dsn, MORNING + DAY, refused=9)
    assert ("person:wang", "U1 向 platform.example 上传：9 条数据被拒") in told(dsn, MORNING + DAY)
    ran(dsn, MORNING + DAY * 1.1)
    assert ("person:wang", "U1 向 platform.example 上传：已全部确认") in told(dsn, MORNING + DAY * 1.1)
    assert told(dsn, MORNING + DAY * 1.2) == set()


def test_one_that_is_not_acknowledged_or_does_not_run_is_told_as_late(module_database: str) -> None:
    dsn = settled(module_database)
    ran(dsn, MORNING, waiting=5, answer="no answer")
    assert told(dsn, MORNING + DAY) == set(), "the first run is a day old"
    ran(dsn, MORNING + DAY * 2, waiting=9, answer="no answer")
    late = told(dsn, MORNING + DAY * 2.1)
    assert ("person:wang", "U1 向 platform.example 上传：已 2 天未全部确认") in late
    assert "建议：检查到平台的网络" in rows(dsn, TOLD)[-1][2]
    ran(dsn, MORNING + DAY * 3)
    assert ("person:wang", "U1 向 platform.example 上传：已全部确认") in told(dsn, MORNING + DAY * 3)
    assert ("person:wang", "U1 向 platform.example 上传：已 3 天未全部确认") in told(dsn, MORNING + DAY * 6)
    assert "上传程序一天以上未运行" in rows(dsn, TOLD)[-1][2]


def test_rules_say_how_long_it_may_be_and_who_is_told(module_database: str) -> None:
    dsn = settled(module_database, ALWAYS + '\n[uploads]\nafter_h = 100\ntell = ["inspectors"]\n')
    ran(dsn, MORNING, waiting=5)
    assert told(dsn, MORNING + DAY * 4) == set()
    assert told(dsn, MORNING + DAY * 5) == {("person:li.na", "U1 向 platform.example 上传：已 5 天未全部确认")}
    dsn = settled(module_database, ALWAYS + "\n[uploads]\nafter_h = 0\n")
    ran(dsn, MORNING, refused=5)
    assert told(dsn, MORNING + DAY * 8) == set()
    _, faults = parse_rules({"rule": [{"name": "a", "tell": ["staff"]}], "uploads": {"tell": ["x"], "after_h": -1}})
    assert [fault.place for fault in faults] == ["uploads.after_h", "uploads.tell"]
