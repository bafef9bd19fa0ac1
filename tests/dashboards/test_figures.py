"""Figures of panels against base tables, worked out another way: row by row, in Python."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from dashboards.queries import query
from tests.dashboards.conftest import login
from tests.dashboards.grafana import Range, expand

pytestmark = pytest.mark.integration

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime.now(UTC)
TEN_DAYS = Range(since=NOW - timedelta(days=10), until=NOW, interval=timedelta(days=1))
CHOSEN = {"unit": "U1", "carrier": "electricity", "point": "P2"}


@pytest.fixture(scope="module")
def staff(region: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(login(region, None), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def owner(region: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(region, autocommit=True) as connection:
        yield connection


def panel(connection: psycopg.Connection, name: str) -> list[tuple[Any, ...]]:
    return connection.execute(expand(query(name), TEN_DAYS, CHOSEN).encode()).fetchall()


def test_the_demand_of_a_unit_is_its_highest_hour(staff: psycopg.Connection, owner: psycopg.Connection) -> None:
    rows = owner.execute(
        """
        select h.start, h.amount from unit_energy_hour h join energy_series s on s.id = h.series_id
        where s.unit_id = 1 and s.scope = 'unit' and s.carrier = 'electricity' and h.start between %s and %s
        """,
        (TEN_DAYS.since, TEN_DAYS.until),
    ).fetchall()
    hours: Counter[datetime] = Counter()
    for start, amount in rows:
        if amount is not None:
            hours[start] += amount
    assert len(hours) > 200
    highest = max(hours.values())
    [(demand, at, mean)] = panel(staff, "unit_demand")
    assert demand == pytest.approx(highest)
    assert at == min(start for start, amount in hours.items() if amount == highest)
    assert mean == pytest.approx(sum(hours.values()) / len(hours), abs=1e-3)


def test_the_calendar_counts_each_meter_in_the_month_its_newest_verification_ends(
    staff: psycopg.Connection, owner: psycopg.Connection
) -> None:
    newest: dict[int, tuple[date, Any]] = {}
    for meter, done, due in owner.execute(
        "select meter_id, verified_on, verification_due from verification"
    ).fetchall():
        newest[meter] = max(newest.get(meter, (date.min, date.min)), (done or date.min, due))
    installed = {
        row[0]
        for row in owner.execute(
            "select meter_id from installation where installed_to > now() and status <> 'out_of_use'"
        )
    }
    today = datetime.now(UTC).astimezone(ZONE).date()
    ends = Counter(
        f"{due:%Y-%m}" for meter, (_, due) in newest.items() if due is not None and due >= today and meter in installed
    )
    shown = panel(staff, "region_due_months")
    assert len(shown) == 13
    assert {month: meters for month, meters in shown if meters} == {
        month: meters for month, meters in ends.items() if month in {row[0] for row in shown}
    }
    assert 0 not in {meters for _, meters in shown}, "a bar of nothing has no number"


def test_the_age_of_alerts_counts_each_that_stands_once(staff: psycopg.Connection, owner: psycopg.Connection) -> None:
    found: Counter[tuple[str, str]] = Counter()
    now = datetime.now(UTC)
    for raised_at, severity in owner.execute(
        "select raised_at, severity from alert where state in ('open', 'clearing', 'acknowledged')"
    ).fetchall():
        days = (now - raised_at) / timedelta(days=1)
        age = (
            "< 1 d"
            if days < 1
            else "1–3 d"
            if days < 3
            else "3–7 d"
            if days < 7
            else "7–30 d"
            if days < 30
            else "> 30 d"
        )
        found[age, severity] += 1
    assert sum(found.values()) > 3
    shown = {
        (age, severity): count
        for age, *counts in panel(staff, "region_alert_age")
        for severity, count in zip(("serious", "warning", "info"), counts, strict=True)
    }
    assert len(shown) == 15
    assert {key: count for key, count in shown.items() if count is not None} == dict(found)
