import asyncio
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from analytics.alerting.case import Action
from streams.agents.alerts import AlertsAgent
from streams.alerts.cases import open_case, take_step
from streams.alerts.config import AlertConfig
from streams.alerts.people import person_of
from streams.alerts.raiser import Raiser
from tests.streams.alerts.place import ALWAYS, NOW, detect, nursery, raised, rows, settled

pytestmark = pytest.mark.integration
MINUTE = timedelta(minutes=1)


def test_a_detection_becomes_an_alert_and_a_message_in_one_transaction(module_database: str) -> None:
    dsn = settled(module_database)
    detection = detect(dsn)
    result = raised(dsn)
    assert (result.signals, result.alerts, result.messages) == (1, 1, 1)
    [alert] = rows(
        dsn,
        "select unit_code, point, meter_no, kind, severity, state, energy_affected, energy_unit, detections, title_zh, "
        "title_en, raised_at from alert_list",
    )
    assert alert[:5] == ("U1", "P1", "M1", "stuck", "serious")
    assert alert[5:9] == ("open", 120.0, alert[7], 1)
    assert alert[9:11] == ("First P1 M1 停走", "First P1 M1: stuck")
    assert rows(dsn, "select recipient, channel, address, purpose, state, unit_id from alert_message") == [
        ("person:li.na", "mail", "li@example.org", "raise", "waiting", 1)
    ]
    assert rows(dsn, "select source, source_id, standing from alert_source") == [("detection", detection, True)]
    assert rows(dsn, "select action from alert_event") == [("open",)]
    assert raised(dsn, NOW + MINUTE).messages == 0, "nothing new, nothing said"


def test_it_clears_by_itself_when_the_fault_ends_and_says_so_once(module_database: str) -> None:
    dsn = settled(module_database)
    detection = detect(dsn)
    raised(dsn)
    rows(dsn, "update detection set state = 'closed', ended_at = %s where id = %s", NOW, detection)
    raised(dsn, NOW + MINUTE)
    assert rows(dsn, "select state from alert_list") == [("clearing",)]
    raised(dsn, NOW + 31 * MINUTE)
    raised(dsn, NOW + 90 * MINUTE)
    assert rows(dsn, "select state, cleared_at from alert_list") == [("cleared", NOW + 31 * MINUTE)]
    assert rows(dsn, "select purpose from alert_message order by id") == [("raise",), ("clear",)]


def closed_as_sound(dsn: str, alert: int, now: datetime) -> None:
    """An inspector looks at it, finds the meter sound and closes the case."""

    async def until_closed() -> None:
        config = AlertConfig()
        today = now.astimezone(config.zone).date()
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            person = (await person_of(connection, login="li.na")).actor
            case = await open_case(connection, alert, person, now, config)
            verdict = Action(name="verdict", at=now, today=today, facts={"verdict": "sound"}, note="")
            await take_step(connection, case, verdict, person, config)
            close = Action(name="close", at=now, today=today, facts={}, note="")
            await take_step(connection, case, close, person, config)

    asyncio.run(until_closed())


def test_an_alert_ends_with_its_case_and_says_so_once(module_database: str) -> None:
    dsn = settled(module_database)
    detect(dsn)
    raised(dsn)
    [(alert,)] = rows(dsn, "select id from alert")
    raised(dsn, NOW + timedelta(seconds=30))
    assert rows(dsn, "select state from alert") == [("open",)], "it stands as long as its case does"
    closed_as_sound(dsn, alert, NOW + MINUTE)
    raised(dsn, NOW + timedelta(minutes=2))
    assert rows(dsn, "select state from alert") == [("cleared",)]
    assert rows(dsn, "select count(*) from alert_message where purpose = 'clear'") == [(1,)]
    raised(dsn, NOW + timedelta(minutes=3))
    assert rows(dsn, "select count(*) from alert_message where purpose = 'clear'") == [(1,)]
    rows(dsn, "update detection set energy_affected = 130, stored_at = clock_timestamp()")
    raised(dsn, NOW + timedelta(minutes=4))
    assert rows(dsn, "select state from alert order by id") == [("cleared",)], "what was judged is not raised again"


def test_what_was_judged_is_raised_again_only_where_it_has_grown_or_is_another_fault(module_database: str) -> None:
    dsn = settled(module_database)
    fault = detect(dsn, kind="gain_step", magnitude=-0.05, severity="warning")
    raised(dsn)
    [(alert,)] = rows(dsn, "select id from alert")
    closed_as_sound(dsn, alert, NOW + MINUTE)
    raised(dsn, NOW + 2 * MINUTE)
    change = "update detection set {}, stored_at = clock_timestamp() where id = %s"

    def alerts(minute: int) -> int:
        assert raised(dsn, NOW + minute * MINUTE).signals > 0
        [(count,)] = rows(dsn, "select count(*) from alert where state not in ('cleared', 'dropped')")
        return int(count)

    rows(dsn, change.format("magnitude = -0.06, energy_affected = 900, confidence = 0.999"), fault)
    assert alerts(3) == 0, "its figures change a little"
    rows(dsn, change.format("state = 'closed', ended_at = started_at + interval '1 h'"), fault)
    assert alerts(4) == 0
    rows(dsn, change.format("state = 'open', ended_at = null"), fault)
    assert alerts(5) == 0, "it is told to be over, and is not"
    rows(dsn, change.format("state = 'withdrawn'"), fault)
    anew = detect(dsn, kind="gain_step", magnitude=-0.05, severity="warning", started_at=NOW - timedelta(hours=9))
    assert alerts(6) == 0, "the same fault, its onset found anew"
    detect(dsn, 2, kind="gain_step", magnitude=-0.05, severity="warning")
    assert alerts(7) == 1, "another meter"
    rows(dsn, change.format("magnitude = -0.12"), anew)
    assert alerts(8) == 2, "more than twice what was judged"
    detect(dsn, kind="gain_step", magnitude=-0.05, severity="warning", started_at=NOW + 8 * MINUTE)
    rows(dsn, "update alert set state = 'cleared', next_at = null where kind = 'gain_step' and point_id = 1")
    assert alerts(9) == 2, "a fault that began after the verdict"


def test_a_worse_severity_than_judged_is_raised_again(module_database: str) -> None:
    dsn = settled(module_database)
    fault = detect(dsn, severity="warning")
    raised(dsn)
    closed_as_sound(dsn, rows(dsn, "select id from alert")[0][0], NOW + MINUTE)
    raised(dsn, NOW + 2 * MINUTE)
    rows(dsn, "update detection set severity = 'serious', stored_at = clock_timestamp() where id = %s", fault)
    raised(dsn, NOW + 3 * MINUTE)
    assert rows(dsn, "select state, severity from alert order by id") == [("cleared", "warning"), ("open", "serious")]


def test_a_verification_that_was_judged_is_raised_again_when_it_is_overdue(module_database: str) -> None:
    dsn = settled(module_database, "")
    rows(dsn, "insert into verification (meter_id, unit_id, verification_due) values (3, 2, current_date + 20)")
    raised(dsn)
    closed_as_sound(dsn, rows(dsn, "select id from alert")[0][0], NOW + MINUTE)
    raised(dsn, NOW + 2 * MINUTE)
    raised(dsn, NOW + 70 * MINUTE)
    assert rows(dsn, "select state from alert") == [("cleared",)], "looked at each hour, told once"
    rows(dsn, "update verification set verification_due = current_date - 1")
    raised(dsn, NOW + 140 * MINUTE)
    assert rows(dsn, "select state from alert order by id")[0] == ("cleared",)
    assert rows(dsn, "select count(*) from alert where kind = 'verification'") == [(2,)]


def test_nobody_answers_and_staff_is_told(module_database: str) -> None:
    dsn = settled(module_database)
    detect(dsn)
    raised(dsn)
    raised(dsn, NOW + 60 * MINUTE)
    assert rows(dsn, "select recipient, purpose from alert_message order by id") == [
        ("person:li.na", "raise"),
        ("person:wang", "escalate"),
    ]


def test_a_silence_of_a_unit_is_one_alert_and_its_enterprise_alone_is_asked(module_database: str) -> None:
    dsn = settled(module_database)
    for point in (1, 2, 3):
        detect(dsn, point, kind="silence", severity="warning")
    raised(dsn)
    assert sorted(rows(dsn, "select unit_code, detections, point from alert_list")) == [
        ("U1", 2, None),
        ("U2", 1, "P3"),
    ]
    told = rows(dsn, "select recipient, unit_id, title from alert_message where recipient <> 'person:li.na' order by 1")
    assert [(row[0], row[1]) for row in told] == [("person:first", 1), ("person:second", 2)]
    assert told[0][2] == "【提醒】First 2/2 处无上报"


def test_findings_and_verifications_make_alerts_too(module_database: str) -> None:
    dsn = settled(module_database, "")
    rows(
        dsn,
        "insert into finding (unit_id, edition, clause, rule, mandatory, verdict, severity, required, found, "
        "required_zh, found_zh, as_of) values (1, 'GB 17167-2006', '4.3.5', 'rate', true, 'fail', 'serious', '100 %%', "
        "'80 %%', '100 %%', '80 %%', current_date)",
    )
    rows(dsn, "insert into verification (meter_id, unit_id, verification_due) values (3, 2, current_date + 20)")
    raised(dsn)
    assert sorted(rows(dsn, "select kind, unit_code, severity from alert_list")) == [
        ("finding", "U1", "serious"),
        ("verification", "U2", "info"),
    ]
    [row] = rows(
        dsn,
        "select body from alert_message where recipient = 'person:li.na' union all "
        "select life::text from alert_mailbox where recipient = 'person:li.na'",
    )[:1]
    assert row
    rows(dsn, "update verification set verification_due = current_date + 400")
    raised(dsn, NOW + 2 * 60 * MINUTE)
    raised(dsn, NOW + 4 * 60 * MINUTE)
    assert rows(dsn, "select state from alert_list where kind = 'verification'") == [("cleared",)]


def test_ten_thousand_detections_in_a_minute_are_a_handful_of_messages(module_database: str) -> None:
    dsn = settled(module_database, "")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            """
            insert into unit (id, code, name, version) overriding system value
                select i, 'U' || i, 'Unit ' || i, 1 from generate_series(3, 100) i;
            insert into metering_point (id, unit_id, code, parent_complete, level, carrier, direction, required,
                                        amount_unit) overriding system value
                select i, i %% 100 + 1, 'P' || i, false, 'unit', 'electricity', 'in', true, 1
                from generate_series(5, 10004) i;
        """.replace("%%", "%")
        )
    raiser = Raiser(AlertConfig())
    now = NOW.replace(hour=2)  # 10:00 in Shanghai, no quiet hours
    took = []
    for part in range(6):
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(
                """
                insert into detection (unit_id, point_id, kind, severity, started_at, detected_at)
                select unit_id, id, case when id % 50 = 0 then 'stuck' else 'silence' end,
                       case when id % 50 = 0 then 'serious' else 'warning' end, %s, %s
                from metering_point where id >= 5 and id % 6 = %s
                """.replace("id % ", "id %% "),
                (now, now, part),
            )
        at = now + part * timedelta(seconds=10)
        result = raised(dsn, at, raiser=raiser)
        took.append(result.signals)
    for minute in (30, 61, 120):
        raised(dsn, now + minute * MINUTE, raiser=raiser)
    assert sum(took) == 10_000
    messages = rows(dsn, "select title, length(body), alert_ids from alert_message where recipient = 'person:li.na'")
    assert 1 <= len(messages) <= 12, [row[0] for row in messages]
    assert max(row[1] for row in messages) < 3000
    told = {alert for row in messages for alert in row[2]}
    assert told == {row[0] for row in rows(dsn, "select id from alert_list")}, "no alert was forgotten"


def test_killed_between_raise_and_commit_twenty_times_and_nothing_is_lost_or_doubled(module_database: str) -> None:
    dsn = settled(module_database)
    detections = []
    with nursery() as run:
        for n in range(10):
            detections.append(detect(dsn, n % 4 + 1, started_at=NOW - timedelta(days=1 + n), kind="scale"))
            before = rows(dsn, "select count(*) from alert_message")
            for where in ("before", "after"):
                assert run({"what": "raise", "dsn": dsn, "where": where}) == -9
                assert rows(dsn, "select count(*) from alert_message") == before
            raised(dsn, NOW + n * timedelta(seconds=1))
    assert rows(dsn, "select count(*) from alert_inbox") == [(0,)]
    behind = rows(dsn, "select source_id from alert_source order by 1")
    assert [row[0] for row in behind] == sorted(detections)
    told = [
        alert for row in rows(dsn, "select alert_ids from alert_message where purpose = 'raise'") for alert in row[0]
    ]
    alerts = [row[0] for row in rows(dsn, "select id from alert_list")]
    assert sorted(told) == sorted(alerts)


def test_rules_that_were_broken_by_hand_are_reported_and_others_are_in_force(module_database: str) -> None:
    dsn = settled(module_database, ALWAYS + "nonsense = 3\n")
    detect(dsn)
    raised(dsn)
    [(source, error)] = rows(dsn, "select source, error from alert_aside")
    assert (source, "nonsense" in error) == ("alert_rules", True)
    assert rows(dsn, "select count(*) from alert_inbox") == [(0,)]
    assert rows(dsn, "select count(*) from alert") == [(1,)], "by the rules that ship"


def test_only_one_worker_raises_at_a_time(module_database: str) -> None:
    dsn = settled(module_database)

    async def meanwhile() -> object:
        async with (
            await psycopg.AsyncConnection.connect(dsn, autocommit=True) as one,
            await psycopg.AsyncConnection.connect(dsn, autocommit=True) as other,
            one.transaction(),
        ):
            await one.execute("select pg_advisory_xact_lock(%s)", (0x6D77_0009,))
            return await Raiser(AlertConfig()).once(other, NOW)

    assert asyncio.run(meanwhile()) is None


def test_history_may_be_added_to_but_not_rewritten(module_database: str) -> None:
    dsn = settled(module_database)
    detect(dsn)
    raised(dsn)
    for text in ("update alert_event set note = 'x'", "delete from alert_event"):
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            rows(dsn, text)


def test_a_deadline_that_is_over_is_reminded_of_once_a_stage(module_database: str) -> None:
    dsn = settled(module_database, ALWAYS.replace('tell = ["inspectors"]', 'tell = ["inspectors"]\ncase = true'))
    detect(dsn)
    monday = datetime(2026, 11, 23, 2, tzinfo=UTC)  # 10:00 in Shanghai
    raised(dsn, monday)
    assert rows(dsn, "select state, due_on, due_certain from case_list") == [("open", date(2026, 11, 24), True)]
    reminded = "select recipient, title from alert_message where purpose = 'reminder' order by id"
    assert [row[0] for row in rows(dsn, reminded)] == ["person:li.na"]
    for hours in (1, 2, 20):
        raised(dsn, monday + timedelta(hours=hours))
    assert len(rows(dsn, reminded)) == 1, "a stage is told once"
    raised(dsn, monday + timedelta(days=2))
    assert [row[0] for row in rows(dsn, reminded)][-2:] == ["person:li.na", "person:wang"], (
        "staff hears when it is over"
    )
    assert rows(dsn, reminded)[-1][1] == "核查任务 C000001 待派发：已逾期 1 个工作日"


def test_nobody_is_reminded_on_a_holiday(module_database: str) -> None:
    dsn = settled(module_database, ALWAYS.replace('tell = ["inspectors"]', 'tell = ["inspectors"]\ncase = true'))
    detect(dsn)
    saturday = datetime(2026, 11, 21, 2, tzinfo=UTC)  # 10:00 in Shanghai
    reminded = "select recipient from alert_message where purpose = 'reminder'"
    raised(dsn, saturday)
    assert rows(dsn, reminded) == []
    raised(dsn, saturday + timedelta(days=2))
    assert rows(dsn, reminded) == [("person:li.na",)]


def test_the_agent_of_a_worker_takes_what_waits(module_database: str) -> None:
    dsn = settled(module_database)
    detect(dsn)

    async def work() -> None:
        task = asyncio.create_task(AlertsAgent(dsn, AlertConfig()).run(0.05))
        try:
            async with asyncio.timeout(20):
                while not await asyncio.to_thread(rows, dsn, "select id from alert_message"):  # noqa: ASYNC110 - another process is asked
                    await asyncio.sleep(0.1)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(work())
    assert rows(dsn, "select count(*) from alert_inbox") == [(0,)]
