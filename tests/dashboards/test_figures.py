"""Figures of panels against base tables, worked out another way: row by row, in Python."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.rows import dict_row

from dashboards.queries import query
from dashboards.web.asking import statement
from dashboards.web.rendering import question
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


@pytest.mark.parametrize("unit", [None, 1], ids=["staff", "enterprise"])
def test_what_flows_is_the_sum_of_the_days_shown(region: str, unit: int | None) -> None:
    """Whole months come from their sums, the rest from its days; a late day and a correction are in both."""
    today = NOW.astimezone(ZONE).date()
    spans = [(400, 0), (365, 0), (300, 45), (90, 0), (40, 12), (31, 1), (7, 0), (2, 1), (1, 0)]
    month = today.replace(day=1)
    last = month - timedelta(days=1)
    spans += [
        ((today - last.replace(day=1)).days, (today - month).days),
        ((today - last).days, (today - month).days - 1),
    ]
    with psycopg.connect(region) as connection, connection.transaction(force_rollback=True):
        connection.execute(
            """
            insert into consumption_day (day, amount, point_id, unit_id, completeness, measured, quality)
            select d::date, round((100 * random())::numeric, 6), p.id, 1, 1, 1, 0
            from metering_point p, generate_series(%s::date - 420, %s::date, '1 day') d
            where p.unit_id = 1 and p.code <> 'P5' and random() < 0.9
            on conflict (point_id, day) do update set amount = excluded.amount, revision = consumption_day.revision + 1
            """,
            (today, today),
        )
        connection.execute("delete from consumption_day where unit_id = 1 and day = %s::date - 33", (today,))
        days = connection.execute(
            "select p.code, d.day, d.amount from consumption_day d join metering_point p on p.id = d.point_id"
            " where d.unit_id = 1 and p.carrier = 'electricity'"
        ).fetchall()
        codes = connection.execute("select code from metering_point where unit_id = 1 and carrier = 'electricity'")
        points = sorted(code for (code,) in codes)
        path = "enterprise, public" if unit else "public"
        connection.execute(
            "select set_config('role', board.enrolled(%s)::text, true), set_config('search_path', %s, true)",
            (unit, path),
        )
        for first, end in spans:
            since, until = (datetime.combine(today - timedelta(days=ago), NOW.time(), ZONE) for ago in (first, end))
            within = [one for one in days if since.date() <= one[1] < until.date()]
            used = {code: sum(amount for point, _, amount in within if point == code) for code in points}
            known = {point for point, _, _ in within}
            facts = {"unit": "U1", "carrier": "electricity", "since__": since, "until__": until}
            rows = connection.execute(question("unit_flow").encode(), facts).fetchall()
            assert [row[0] for row in rows] == points
            for code, _, _, _, amount in rows:
                assert amount == (pytest.approx(used[code], rel=1e-12) if code in known else None), (first, end, code)
            nodes = connection.execute(statement(query("unit_flow_nodes")).encode(), facts).fetchall()
            for code, _, amount, _ in nodes:
                assert amount == (f"{round(used[code]):,} kWh" if code in known else "–"), (first, end, code)
        [role] = connection.execute("select current_user").fetchall()
        assert ("unit" in role[0]) == (unit is not None)


def test_a_unit_stands_as_judged_last_with_that_day_and_the_completeness_of_full_days(
    staff: psycopg.Connection, owner: psycopg.Connection
) -> None:
    today = datetime.now(UTC).astimezone(ZONE).date()
    parts: dict[str, list[float]] = {}
    carriers: dict[str, set[str]] = {}
    for unit, carrier, completeness in owner.execute(
        """
        select u.code, s.carrier, d.completeness from unit_energy_day d
        join energy_series s on s.id = d.series_id join unit u on u.id = s.unit_id
        where s.scope = 'unit' and d.day >= %s and d.day < %s
        """,
        (today - timedelta(days=7), today),
    ).fetchall():
        parts.setdefault(unit, []).append(completeness)
        carriers.setdefault(unit, set()).add(carrier)
    judged: dict[str, date] = dict(
        owner.execute("select u.code, max(c.day) from compliance_day c join unit u on u.id = c.unit_id group by 1")
    )
    shown = panel(staff, "region_units")
    assert len(shown) == 2
    for _, _, _, _, completeness, _, _, _, _, judged_for, _, code, _ in shown:
        share = sum(parts[code]) / (7 * len(carriers[code]))
        assert completeness == pytest.approx(100 * share, abs=0.051)
        assert judged_for == judged[code].isoformat()


def test_an_alert_has_the_energy_of_its_detection_and_leads_where_it_is_seen(
    staff: psycopg.Connection, owner: psycopg.Connection
) -> None:
    found: dict[int, float | None] = dict(
        owner.execute(
            "select a.id, d.energy_affected from alert a join detection d on d.id = a.key::int8"
            " where a.unit_id = 1 and a.state in ('open', 'acknowledged', 'clearing')"
        )
    )
    assert found
    assert None not in found.values()
    with staff.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(expand(query("unit_alerts"), TEN_DAYS, CHOSEN).encode()).fetchall()
    assert {row["alert"]: row["energy_affected"] for row in rows} == found
    assert {(row["point"] is None, row["board"]) for row in rows} <= {(True, "enterprise"), (False, "point")}


def test_a_verdict_stands_on_the_step_at_which_it_was_given(
    staff: psycopg.Connection, owner: psycopg.Connection
) -> None:
    owner.execute(
        "insert into case_event (case_id, unit_id, at, person_id, by_name, action, state, note)"
        " select id, unit_id, opened_at + interval '2 hours', 1, 'w', 'verdict', 'verdict', '' from case_file"
    )
    [(point,)] = owner.execute(
        "select p.code from case_file c join metering_point p on p.id = c.point_id where c.unit_id = 1"
    ).fetchall()
    with staff.cursor(row_factory=dict_row) as cursor:
        text = expand(query("point_cases"), TEN_DAYS, {**CHOSEN, "point": point})
        rows = cursor.execute(text.encode()).fetchall()
    assert {(row["action"], row["verdict_on_site"]) for row in rows} == {("verdict", "faulty"), ("comment", None)}


def test_completeness_by_point_and_day_and_amounts_by_hour_of_the_day_are_those_of_their_days(
    staff: psycopg.Connection, owner: psycopg.Connection
) -> None:
    first, last = (at.astimezone(ZONE).date() for at in (TEN_DAYS.since, TEN_DAYS.until))
    days = Counter(
        (code, round(100 * completeness, 1))
        for code, completeness in owner.execute(
            "select p.code, d.completeness from consumption_day d join metering_point p on p.id = d.point_id"
            " where p.unit_id = 1 and d.day between %s and %s",
            (first, last),
        )
    )
    assert sum(days.values()) > 70
    assert Counter((point, share) for _, point, share in panel(staff, "unit_points_days")) == days
    hours: Counter[tuple[date, str]] = Counter()
    for start, amount in owner.execute(
        "select h.start, h.amount from unit_energy_hour h join energy_series s on s.id = h.series_id"
        " where s.unit_id = 1 and s.scope = 'unit' and s.carrier = 'electricity' and h.start between %s and %s",
        (TEN_DAYS.since, TEN_DAYS.until),
    ).fetchall():
        local = start.astimezone(ZONE)
        hours[local.date(), f"{local:%H}"] += amount
    assert len(hours) > 200
    shown = {(at.date(), hour): amount for at, hour, amount in panel(staff, "unit_day_hours")}
    assert shown == pytest.approx(dict(hours))


def test_the_map_has_each_unit_that_has_a_place_and_its_state(
    staff: psycopg.Connection, owner: psycopg.Connection
) -> None:
    owner.execute("update unit set longitude = null, latitude = null where code = 'U2'")
    [(longitude, latitude)] = owner.execute("select longitude, latitude from unit where code = 'U1'").fetchall()
    [(state,)] = owner.execute(
        "select c.state from compliance_day c where c.unit_id = 1 order by c.day desc limit 1"
    ).fetchall()
    [(standing,)] = owner.execute(
        "select count(*) from alert where unit_id = 1 and state in ('open', 'acknowledged', 'clearing')"
    ).fetchall()
    assert panel(staff, "region_places") == [("第1钢铁厂", state, standing, longitude, latitude, "U1")]
