"""Findings live with ledger and data: opened, changed, closed, kept; judged again only when something changed."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from analytics.domain.errors import ConfigurationError
from analytics.domain.ledger import build_ledger
from ingest.standard_files import parse_standard, standards_from
from streams.agents.courtesy import Courtesy
from streams.compliance.agent import ComplianceAgent
from streams.compliance.evidence import Moment, read_point_energy
from streams.compliance.judge import judge
from streams.compliance.stale import ComplianceStore, part_of
from streams.compliance.standards import load_document
from streams.rows.layout import StoredLedger
from streams.store.ledger import load_ledger, read_ledger
from tests.analytics.standards.conftest import SHIPPED
from tests.ledger_rows import columns_of, metered
from tests.streams.site import Calm, OneLedger
from tests.streams.store.conftest import connected, opened
from tests.streams.store.test_views import asked

pytestmark = pytest.mark.integration

SHANGHAI = ZoneInfo("Asia/Shanghai")
SAID = {
    "serial_no": "S",
    "name": "电能表",
    "model": "X",
    "range": "1",
    "manufacturer": "云澜",
    "place": "here",
    "accuracy_class": "0.2S",
    "status": "qualified",
    "cycle_months": 72,
    "interval_s": 900,
}


def today() -> date:
    """Asked anew: a run of the tests may pass a midnight."""
    return datetime.now(SHANGHAI).date()


def meter(point: str, *, unit: str = "U1", verified: date | None = None, **facts: object) -> Mapping[str, object]:
    said = {
        **SAID,
        "serial_no": f"S-{unit}-{point}",
        "verified_on": (verified or today() - timedelta(days=400)).isoformat(),
    }
    return metered(point, f"M-{point}", unit_code=unit, **(said | facts))


async def load(dsn: str, *rows: Mapping[str, object], since: datetime | None = None) -> StoredLedger:
    ledger, faults = build_ledger(columns_of(*rows))
    assert not faults, faults[:3]
    async with connected(dsn) as connection:
        report = await load_ledger(connection, ledger, "test", since=since)
        assert not report.faults, report.faults
        return await read_ledger(connection)


async def judged(dsn: str, stored: StoredLedger) -> int:
    async with opened(dsn) as store:
        agent = ComplianceAgent(ComplianceStore(store.connections, SHANGHAI), OneLedger(stored), Courtesy(Calm()))
        return await agent.once(stored)


STANDING = """
select rule, verdict, severity, coalesce(point, '') from finding_list
where closed_at is null and unit_code = 'U1' and verdict <> 'pass'
    and rule not in ('conversion', 'production', 'raw_material')   -- which nobody has answered
order by 1, 4
"""


def test_a_ledger_change_opens_and_closes_findings_and_history_stays(empty: str) -> None:
    long_ago = today() - timedelta(days=4000)
    first = asyncio.run(load(empty, meter("A"), meter("B", verified=long_ago), meter("A", unit="U2")))
    assert asyncio.run(judged(empty, first)) == 2
    assert asked(empty, STANDING) == [("verification", "fail", "serious", "B")]
    assert asyncio.run(judged(empty, first)) == 0  # nothing has changed since
    opened_at = asked(empty, "select max(opened_at) from finding")[0][0]

    second = asyncio.run(load(empty, meter("A"), meter("B", verified=today() - timedelta(days=2))))
    assert asyncio.run(judged(empty, second)) == 1  # the other unit's ledger is as it was
    assert asked(empty, STANDING) == []
    closed = asked(empty, "select rule, point, closed_at >= opened_at from finding_list where verdict = 'fail'")
    assert sorted(closed) == [("verification", "B", True)]
    same = asked(
        empty, "select count(*) from finding where rule = 'ledger' and closed_at is null and opened_at <= %s", opened_at
    )
    assert same == [(2,)]  # what says the same goes on

    days = asked(
        empty,
        "select unit_code, state, findings, points_needed, points_present, meters from compliance_list order by 1",
    )
    assert days == [("U1", "compliant", 0, 2, 2, 2), ("U2", "compliant", 0, 1, 1, 1)]
    rates = asked(
        empty, "select unit_code, carrier, level, needed, present, rate, required, verdict from equipping_rate_list"
    )
    assert min(rates) == ("U1", "electricity", "unit", 2, 2, 100.0, 100.0, "pass")
    assert asked(empty, "select units, compliant, edition from compliance_region") == [
        (2, 2, "GB 17167-2006 (stands in for GB 17167-2025)")
    ]
    states = asked(empty, "select unit_code, point, state from verification_state order by 1, 2")
    assert states == [("U1", "A", "valid"), ("U1", "B", "valid"), ("U2", "A", "valid")]


SILENCE = """
insert into detection (unit_id, point_id, meter_id, kind, started_at, detected_at)
select i.unit_id, i.point_id, i.meter_id, 'silence', now() - interval '1 hour', now()
from ledger_meter i where i.unit_code = 'U1' and i.point = 'A'
"""


def test_a_silent_meter_is_found_and_forgotten_when_it_speaks(empty: str) -> None:
    stored = asyncio.run(load(empty, meter("A"), meter("B")))
    asyncio.run(judged(empty, stored))
    assert asked(empty, STANDING) == []
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(SILENCE)
    assert asyncio.run(judged(empty, stored)) == 1
    assert asked(empty, STANDING) == [("silent", "fail", "warning", "A")]
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("update detection set ended_at = now(), state = 'closed', stored_at = clock_timestamp()")
    assert asyncio.run(judged(empty, stored)) == 1
    assert asked(empty, STANDING) == []


DAYS = """
insert into consumption_day (day, amount, point_id, unit_id, completeness, measured, quality)
select d::date, 240, p.id, p.unit_id, s.share, s.share, 0
from metering_point p, lateral (select case p.code when 'A' then 1 else 0.5 end as share) s,
     generate_series(%(today)s::date - 40, %(today)s::date, interval '1 day') d;
"""
SERIES = """
insert into energy_series (unit_id, scope, name, carrier, unit) select id, 'unit', '', 'electricity', 'kWh' from unit
"""
TOTALS = """
insert into unit_energy_day (day, amount, tce, series_id, unit_id, completeness, measured, quality)
select d::date, 1000, null, s.id, s.unit_id, 1, 1, 0
from energy_series s, generate_series(%(today)s::date - 40, %(today)s::date, interval '1 day') d;
"""


READINGS = """
insert into reading_hot (measured_at, received_at, value, register_id, quality, unit)
select at, at, 1, r.id, 0, 1
from register r join ledger_meter m on m.meter_id = r.meter_id,
     lateral (select (%(today)s::date - 1)::timestamp at time zone 'Asia/Shanghai'
                  + case m.point when 'A' then interval '60 seconds' else interval '-61 seconds' end as at) t
"""


def test_data_energy_and_what_is_at_risk_are_read(empty: str) -> None:
    ended = today() - timedelta(days=10)
    first = ended - timedelta(days=364)
    over = meter("A", verified=first, cycle_months=None, verification_due=ended.isoformat())
    asyncio.run(load(empty, over, meter("B")))
    with psycopg.connect(empty, autocommit=True) as connection:
        for statement in (DAYS, SERIES, TOTALS, READINGS):
            connection.execute(statement.encode(), {"today": today()})

    async def ask() -> tuple[object, ...]:
        async with connected(empty) as connection:
            moment = Moment.of(today(), now=datetime.now(UTC), zone=SHANGHAI)
            found = await judge(connection, standards_from(), moment)
            series = await read_point_energy(connection, found.stored, ["A", "stranger"], ended, today())
            assert [(code, one.symbol, one.amount.sum()) for code, one in series.items()] == [("A", "kWh", 11 * 240.0)]
            past = await judge(connection, standards_from(), Moment.of(ended, now=datetime.now(UTC), zone=SHANGHAI))
        late = next(one for one in found.assessment.findings if one.rule == "verification" and one.point == "A")
        low = [one for one in found.assessment.findings if one.rule == "completeness" and one.point]
        return (
            late.evidence["at_risk"],
            [(one.point, one.evidence["completeness"]) for one in low],
            round(found.energy_day[0].tce or 0, 9),
            found.energy_year[0].days,
            [one.verdict.value for one in past.assessment.rates],
            [one.verdict.value for one in found.assessment.rates],
            [one.meters for one in found.assessment.findings if one.rule == "day_start"],
        )

    flagged = asked(empty, "select flag, meter_no, min(day), sum(amount) from point_day_flagged group by 1, 2")
    assert flagged == [("overdue", "M-A", ended + timedelta(days=1), 2400.0)]  # its last day is none of them
    at_risk, low, tce, days, before, after, starts = asyncio.run(ask())
    assert starts == [("M-B",)]
    assert at_risk == 2400.0  # ten days of 240
    assert low == [("B", 0.5)]
    assert tce == round(1000 * 0.0001229, 9)
    assert days == 40  # today is not over
    assert (before, after) == (["pass"], ["pass"])  # installed is installed, whatever its verification


RARE = """
insert into consumption_day (day, amount, point_id, unit_id, completeness, measured, quality)
select d::date, 8, p.id, p.unit_id, 1, 0, 1
from metering_point p, generate_series(%(today)s::date - 90, %(today)s::date - 1, interval '1 day') d
where d < %(today)s::date - case p.code when 'READ' then 29 else 61 end
"""


def test_a_meter_read_by_hand_once_a_month_is_judged_by_its_own_interval(empty: str) -> None:
    monthly: dict[str, Any] = {"interval_s": 30 * 86_400}
    asyncio.run(load(empty, meter("READ", **monthly), meter("LEFT", **monthly)))
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(RARE.encode(), {"today": today()})
        connection.execute(READINGS.encode(), {"today": today()})  # one of each, at 23:58:59

    async def ask() -> dict[str, tuple[object, ...]]:
        async with connected(empty) as connection:
            moment = Moment.of(today(), now=datetime.now(UTC), zone=SHANGHAI)
            found = (await judge(connection, standards_from(), moment)).assessment.findings
        return {
            "low": tuple((one.point, one.found.en) for one in found if one.rule == "completeness" and one.point),
            "starts": tuple(one.meters for one in found if one.rule == "day_start"),
            "interval": tuple(
                (one.rule, one.verdict.value, one.severity.value) for one in found if "interval" in one.rule
            ),
        }

    # the month before its last reading is known; of LEFT nobody has read two months; no day begins with such a reading
    assert asyncio.run(ask()) == {
        "low": (("LEFT", "0.0 %"),),
        "starts": (),
        "interval": (("interval_by_hand", "person", "info"),),
    }


def test_documents_are_checked_and_judged_by(empty: str) -> None:
    stored = asyncio.run(load(empty, meter("A", accuracy_class="1.0")))
    asyncio.run(judged(empty, stored))
    assert ("accuracy", "person", "info", "A") in asked(empty, STANDING)
    facts = '[[unit]]\nunit_code = "U1"\ntransformer_kva = 20000\nsource = "contract"\n'
    faulty = '[[unit]]\nunit_code = "U1"\ntransformer_kva = -1\n'

    async def load_text(text: str) -> int:
        async with connected(empty) as connection:
            return await load_document(connection, parse_standard(text, source="a.toml"), text, "a.toml")

    with pytest.raises(ConfigurationError, match="above 0"):
        asyncio.run(load_text(faulty))
    assert asyncio.run(load_text(facts)) == 1
    assert asyncio.run(load_text(facts)) == 0  # says the same
    assert asked(empty, "select count(*) from standard_document") == [(1,)]
    assert asyncio.run(judged(empty, stored)) == 1
    assert asked(empty, STANDING) == [("accuracy", "fail", "serious", "A")]  # category I asks for 0.5S


def test_a_part_of_a_ledger_keeps_its_ids(empty: str) -> None:
    stored = asyncio.run(load(empty, *(meter(point, unit=unit) for unit in ("U1", "U2", "U3") for point in "AB")))
    part = part_of(stored, stored.unit_ids[[0]].astype("int64") * 0 + 1)

    async def alone() -> StoredLedger:
        async with connected(empty) as connection:
            return await read_ledger(connection, units="U2".__eq__)

    expected = asyncio.run(alone())
    assert part.ledger.unit_codes == ("U2",)
    for name in ("unit_ids", "point_ids", "meter_ids", "register_ids"):
        assert getattr(part, name).tolist() == getattr(expected, name).tolist()


MONTHLY = """
insert into reading_hot (measured_at, received_at, value, register_id, quality, unit)
select o.at + s.away, o.at + s.away + s.late, 1, r.id, 0, 1
from register r join ledger_meter m on m.meter_id = r.meter_id
join (values ('A', interval '1 day', interval '60 minutes'), ('B', interval '-25 hours', interval '1 minute'),
             ('C', interval '20 days', interval '61 minutes'),
             ('E', interval '3 days', interval '0')) s (point, away, late) on s.point = m.point
cross join (select (%(opened)s::date)::timestamp at time zone 'Asia/Shanghai' as at) o
"""
MEASURED = """
insert into consumption_day (day, amount, point_id, unit_id, completeness, measured, quality)
select %(opened)s::date, 1, p.id, p.unit_id, 1, 0.1, 0 from metering_point p where p.code = 'D'
"""


def test_starts_of_months_and_upload_delays_are_read(empty: str) -> None:
    opened = date(2026, 10, 1)
    asyncio.run(load(empty, *(meter(point, interval_s=86_400) for point in "ABCD"), meter("E")))
    with psycopg.connect(empty, autocommit=True) as connection:
        for statement in (MONTHLY, MEASURED):
            connection.execute(statement.encode(), {"opened": opened})
    shipped = (SHIPPED / "supervision.toml").read_text(encoding="utf-8")
    entered = shipped.replace("[data_quality]\n", "[data_quality]\nupload_delay_min = 60\n")
    assert entered != shipped

    async def ask(day: date, text: str) -> dict[str, tuple[tuple[str, ...], ...]]:
        async with connected(empty) as connection:
            standards = standards_from([parse_standard(text, source="a.toml")])
            found = await judge(connection, standards, Moment.of(day, now=datetime.now(UTC), zone=SHANGHAI))
        rules = ("month_start", "upload_delay")
        about = [one for one in found.assessment.findings if one.rule in rules]
        return {rule: tuple(one.meters for one in about if one.rule == rule) for rule in rules}

    # A was read one day after the month began, B 25 hours before it, C not near it, D has an hour beside it; E is read
    # every quarter of an hour: what it lacks its completeness says
    assert asyncio.run(ask(date(2026, 10, 15), shipped)) == {"month_start": (("M-B",),), "upload_delay": ()}
    # on the first of the month itself the month before is looked at still
    assert asyncio.run(ask(date(2026, 10, 1), shipped))["month_start"] == ()
    assert asyncio.run(ask(date(2026, 10, 2), entered))["upload_delay"] == ()  # 60 minutes are in time
    assert asyncio.run(ask(date(2026, 10, 21), entered))["upload_delay"] == (("M-C",),)


async def rate_of(dsn: str, day: date) -> tuple[str, str, int, int]:
    """Class and status of the meter A, and Ns of Nl, as of a day."""
    async with connected(dsn) as connection:
        found = await judge(connection, standards_from(), Moment.of(day, now=datetime.now(UTC), zone=SHANGHAI))
    scene, rate = found.assessment.scene, found.assessment.rates[0]
    return scene.column("accuracy_class").of(0), scene.column("status").of(0), rate.present, rate.needed


PAST = "select point, status, accuracy_class, held_until = 'infinity' from installation_past_list order by held_until"


def test_a_past_day_is_judged_by_the_status_and_class_of_that_day(empty: str) -> None:
    def midnight(days_ago: int) -> datetime:
        day = today() - timedelta(days=days_ago)
        return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)

    def seen(days_ago: int) -> tuple[str, str, int, int]:
        return asyncio.run(rate_of(empty, today() - timedelta(days=days_ago)))

    asyncio.run(load(empty, meter("A"), meter("B")))
    assert asked(empty, PAST) == []
    asyncio.run(load(empty, meter("A", status="out_of_use"), meter("B"), since=midnight(20)))
    asyncio.run(load(empty, meter("A", status="qualified", accuracy_class="0.5S"), meter("B"), since=midnight(10)))
    assert asked(empty, PAST) == [("A", "qualified", "0.2S", False), ("A", "out_of_use", "0.2S", False)]
    assert seen(21) == ("0.2S", "qualified", 2, 2)
    assert seen(20) == ("0.2S", "out_of_use", 1, 2)  # the first day on which the change held
    assert seen(11) == ("0.2S", "out_of_use", 1, 2)
    assert seen(10) == ("0.5S", "qualified", 2, 2)
    assert seen(0) == ("0.5S", "qualified", 2, 2)

    asyncio.run(load(empty, meter("A", status="limited", accuracy_class="0.5S"), meter("B")))  # holds from now on
    assert seen(1) == ("0.5S", "qualified", 2, 2)
    assert seen(0) == ("0.5S", "limited", 2, 2)
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(DAYS.encode(), {"today": today()})
    flagged = asked(
        empty, "select min(day), max(day), count(*), min(flag) from point_day_flagged where meter_no = 'M-A'"
    )
    assert flagged == [(today() - timedelta(days=20), today() - timedelta(days=11), 10, "out_of_use")]
    # what a later load says of an earlier day replaces what was said of the days from then on
    asyncio.run(load(empty, meter("A", status="out_of_use", accuracy_class="0.5S"), meter("B"), since=midnight(15)))
    assert [seen(day)[1] for day in (21, 20, 16, 15, 10, 1, 0)] == [
        "qualified",
        "out_of_use",
        "out_of_use",
        "out_of_use",
        "out_of_use",
        "out_of_use",
        "out_of_use",
    ]
    assert seen(16)[0] == "0.2S"
    assert seen(15)[0] == "0.5S"
    assert asked(empty, "select count(*) from enterprise.installation_past_list") == [(0,)]  # nobody's rows but its own
