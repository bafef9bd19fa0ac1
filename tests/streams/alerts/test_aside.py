"""One bad row in any table that the raiser reads: it is set aside and reported, and every other alert is raised."""

from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from analytics.alerting.desk import Desk
from streams.alerts.config import AlertConfig
from tests.streams.alerts.place import NOW, detect, raised, rows, settled

pytestmark = pytest.mark.integration

_FINDING = (
    "insert into finding (unit_id, edition, clause, rule, mandatory, verdict, severity, required, found, required_zh, "
    "found_zh, as_of, opened_at) values (1, 'e', '4.1', 'rate', true, 'fail', '{severity}', 'r', 'f', 'r', 'f', "
    "'2026-01-01', {opened_at})"
)
_CASE = (
    "insert into case_file (unit_id, kind, state, opened_at, updated_at, due_on) "
    "values (1, '{kind}', 'ordered', now(), now(), {due_on})"
)
BAD: dict[str, tuple[str, str]] = {
    "detection": ("update detection set started_at = 'infinity' where point_id = 1", "detection"),
    "detection far away": ("update detection set started_at = '20000-01-01' where point_id = 1", "detection"),
    "detection severity": (
        (
            "alter table detection drop constraint if exists detection_severity_check; "
            "update detection set severity = 'odd' where point_id = 1"
        ),
        "detection",
    ),
    "silence": (
        (
            "alter table alert_silence drop constraint alert_silence_years; "
            "insert into alert_silence (starts_at, ends_at, reason, unit_id) values ('2000-01-01', '20000-01-01', 'x', 1)"  # noqa: E501 - SQL
        ),
        "alert_silence",
    ),
    "person": (
        (
            "alter table person drop constraint if exists person_role_check; "
            "alter table person drop constraint if exists person_check; "
            "insert into person (login, name, role, language) values ('odd', 'Odd', 'odd', 'zh')"
        ),
        "",
    ),
    "mailbox": ("insert into alert_mailbox (recipient, life) values ('li.na', '{\"waiting\": 7}')", "alert_mailbox"),
    "rules": ("insert into alert_rules (source, body, loaded_by) values ('bad', 'no toml =', 'x')", "alert_rules"),
    "alert life": (
        (
            "insert into alert (key, rule, unit_id, kind, severity, state, since, seen_at, updated_at, title_zh, title_en, "  # noqa: E501 - SQL
            "detections, standing, next_at, life) values ('x@1', 'r', 1, 'stuck', 'info', 'open', now(), now(), now(), '', "  # noqa: E501 - SQL
            "'', 1, 1, now() - interval '1 hour', '{}')"
        ),
        "alert",
    ),
    "detection numbers": (
        "update detection set energy_affected = 'NaN', magnitude = 'Infinity', confidence = 'NaN' where point_id = 1",
        "",
    ),
    "detection evidence": (
        'update detection set evidence = \'{"before": {"a": [1]}, "n": "x", "unit": 7}\' where point_id = 1',
        "",
    ),
    "finding": (_FINDING.format(severity="serious", opened_at="'infinity'"), "finding"),
    "finding far away": (_FINDING.format(severity="serious", opened_at="'20000-01-01'"), "finding"),
    "finding severity": (
        "alter table finding drop constraint finding_severity_check;"
        + _FINDING.format(severity="odd", opened_at="now()"),
        "finding",
    ),
    "case due": (_CASE.format(kind="stuck", due_on="'-infinity'"), "case_file"),
    "case long ago": (_CASE.format(kind="stuck", due_on="'4000-01-01 BC'"), "case_file"),
    "case of what nobody knows": (_CASE.format(kind="odd", due_on="'2020-01-01'"), ""),
    "review due": (
        (
            "insert into review (unit_id, year, origin, planned_by, state, due) "
            "values (1, 2020, 'plan', 'Li', 'correcting', '-infinity')"
        ),
        "review",
    ),
    "gateway": ("insert into gateway_state (name, delivered_at) values ('g', '-infinity')", "gateway_state"),
    "verification": (
        (
            "insert into verification (unit_id, meter_id, verified_on, verification_due) values (1, 1, '2020-01-01', "
            "'20000-01-01'), (1, 2, '-infinity', 'infinity')"
        ),
        "",
    ),
}

_IN_OFFICE_HOURS = ("case", "review", "gateway")


def at_work() -> datetime:
    """A morning on which deadlines are looked at."""
    config = AlertConfig()
    mornings = (NOW.astimezone(config.zone).replace(hour=10) + timedelta(days=day) for day in range(1, 15))
    return next(at for at in mornings if config.calendar.works(at.date()))


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_row_stops_nothing_and_is_reported(module_database: str, kind: str) -> None:
    dsn = settled(module_database)
    spoil, table = BAD[kind]
    detect(dsn, 1)
    detect(dsn, 3)
    with psycopg.connect(dsn) as connection:  # not committed until the end: constraints come back
        try:
            connection.execute(spoil.encode())
        except psycopg.errors.CheckViolation as error:
            pytest.skip(f"the table itself refuses it: {error.diag.message_primary}")
        connection.commit()
    try:
        for step in range(3):
            raised(dsn, (at_work() if kind.startswith(_IN_OFFICE_HOURS) else NOW) + timedelta(minutes=step))
        units = {row[0] for row in rows(dsn, "select unit_id from alert_list")}
        assert 2 in units, "the other unit's alert is raised"
        assert rows(dsn, "select count(*) from alert_inbox") == [(0,)], "and no mark stays behind"
        found = rows(dsn, "select source, error from alert_aside")
        assert not table or table in {source for source, _ in found}, found
    finally:
        _mend(dsn)


LATER: dict[str, str] = {
    "an alert with the key of another": "update alert set life = jsonb_set(life, '{key}', '\"z@1\"') where unit_id = 1",
    "an alert without a rule": "update alert set life = jsonb_set(life, '{rule}', '\"gone\"') where unit_id = 1",
    "an alert at the end of time": (
        "update alert set life = jsonb_set(life, '{alert,since}', '\"9999-12-31T23:59:59Z\"') where unit_id = 1"
    ),
    "a member's energy": "update alert_source set energy = 'NaN' where unit_id = 1",
    "a member's begin": "update alert_source set started_at = 'infinity' where unit_id = 1",
    "a member of another alert": (
        "update alert_source set alert_id = (select min(id) from alert where unit_id = 2) where unit_id = 1"
    ),
}
"""What happens to rows that the raiser wrote itself."""


@pytest.mark.parametrize("kind", LATER)
def test_a_row_that_goes_bad_later_stops_nothing(module_database: str, kind: str) -> None:
    dsn = settled(module_database)
    detect(dsn, 1)
    raised(dsn)
    detect(dsn, 3)
    raised(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        assert connection.execute(LATER[kind].encode()).rowcount > 0
    for point in (1, 2, 4):
        detect(dsn, point, kind="gap" if point == 1 else "stuck")
    rows(dsn, "update detection set energy_affected = 5, detected_at = now() where point_id = 1")
    for hours in range(3):
        raised(dsn, NOW + timedelta(hours=hours))
    assert "P4" in {row[0] for row in rows(dsn, "select point from alert_list")}, (
        "the other unit's next alert is raised"
    )
    assert rows(dsn, "select count(*) from alert_inbox") == [(0,)]
    told = {row[0] for row in rows(dsn, "select distinct unit_id from alert_message where purpose = 'escalate'")}
    assert 2 in told, "and its clock goes on"
    _mend(dsn)


def test_a_signal_that_breaks_the_desk_is_set_aside_alone(
    module_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = settled(module_database)
    for point in (1, 2, 3, 4):
        detect(dsn, point)
    whole: Any = Desk.signal

    def signal(self: Any, one: Any, now: Any) -> None:
        if one.point == "P2":
            raise OverflowError("date value out of range")
        whole(self, one, now)

    monkeypatch.setattr(Desk, "signal", signal)
    raised(dsn)
    assert {row[0] for row in rows(dsn, "select point from alert_list")} == {"P1", "P3", "P4"}
    [(source, key, error)] = rows(dsn, "select source, source_key, error from alert_aside")
    [(bad,)] = rows(dsn, "select id from detection where point_id = 2")
    assert (source, key, error) == ("detection", str(bad), "OverflowError: date value out of range")
    assert rows(dsn, "select count(*) from alert_inbox") == [(0,)]


def test_an_alert_whose_clock_breaks_is_set_aside_alone(module_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dsn = settled(module_database)
    detect(dsn, 1)
    detect(dsn, 3)
    raised(dsn)
    step: Any = Desk._step

    def broken(self: Any, key: str, event: Any) -> Any:
        if type(event).__name__ == "Tick" and self.cards[key].unit_code == "U1":
            raise RuntimeError("a clock that breaks")
        return step(self, key, event)

    monkeypatch.setattr(Desk, "_step", broken)
    raised(dsn, NOW + timedelta(hours=2))
    found = rows(dsn, "select source, error from alert_aside")
    assert found == [("alert", "RuntimeError: a clock that breaks")]
    assert rows(dsn, "select next_at is null from alert where unit_id = 1") == [(True,)]
    escalated = rows(dsn, "select distinct unit_id from alert_message where purpose = 'escalate'")
    assert escalated == [(2,)], "the other one is escalated"


def _mend(dsn: str) -> None:
    tables = "detection, finding, case_file, alert, alert_mailbox, alert_inbox, alert_aside, alert_silence, alert_rules"
    rows(dsn, f"truncate {tables}, verification cascade")
    rows(dsn, "delete from person where login = 'odd'")
    rows(dsn, "delete from review where due = '-infinity'")
    rows(dsn, "delete from gateway_state where delivered_at = '-infinity'")
    years = "starts_at >= '2000-01-01 00:00+00' and ends_at <= '2199-12-31 00:00+00'"
    rows(dsn, "alter table alert_silence drop constraint if exists alert_silence_years")
    rows(dsn, f"alter table alert_silence add constraint alert_silence_years check ({years})")
