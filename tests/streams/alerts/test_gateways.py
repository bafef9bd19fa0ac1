"""A gateway that has not delivered for hours is told once to those whom it concerns, and once that it is over."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from analytics.alerting.rule_table import parse_rules
from ingest.gateway.told import SpoolState
from streams.store.access.gateway_state import Sign, gateway_states, note
from streams.store.access.gateways import add_gateway, end_gateway
from tests.streams.alerts.place import ALWAYS, raised, rows, settled

pytestmark = pytest.mark.integration

MORNING = datetime(2026, 11, 23, 2, tzinfo=UTC)  # 10:00 in Shanghai
TOLD = "select recipient, title, body from alert_message where purpose = 'gateway' order by id"


def us(at: datetime) -> int:
    return round(at.timestamp() * 1e6)


def came(dsn: str, signs: Mapping[str, Sign]) -> None:
    async def keep() -> None:
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            await note(connection, signs)

    asyncio.run(keep())


def entered(dsn: str, name: str, *units: str) -> None:
    async def enter() -> None:
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            await add_gateway(connection, name, unit_codes=units)

    asyncio.run(enter())


def told(dsn: str, at: datetime) -> list[tuple[str, str]]:
    before = len(rows(dsn, TOLD))
    raised(dsn, at)
    return [(name, title) for name, title, _ in rows(dsn, TOLD)[before:]]


def test_a_gateway_that_went_silent_is_told_once_and_when_it_is_back(module_database: str) -> None:
    dsn = settled(module_database)
    rows(dsn, "insert into person (login, name, role, channel) values ('night', 'N', 'operator', 'hook')")
    entered(dsn, "boiler", "U1")
    came(dsn, {"boiler": Sign(delivered_us=us(MORNING))})
    assert told(dsn, MORNING + timedelta(hours=5)) == []
    first = told(dsn, MORNING + timedelta(hours=7))
    assert sorted(name for name, _ in first) == ["person:first", "person:li.na", "person:night"], "not the other unit"
    assert {title for _, title in first} == {"网关 boiler：已 7 小时无读数送达"}
    assert told(dsn, MORNING + timedelta(hours=7.5)) == [], "once"
    came(dsn, {"boiler": Sign(delivered_us=us(MORNING + timedelta(hours=7.6)))})
    assert {title for _, title in told(dsn, MORNING + timedelta(hours=7.7))} == {"网关 boiler：已恢复送达"}
    assert told(dsn, MORNING + timedelta(hours=17)) == [], "nobody is woken"
    assert told(dsn, MORNING + timedelta(hours=24))[0][1] == "网关 boiler：已 16 小时无读数送达"


def test_what_waits_and_what_was_given_up_is_told_with_what_to_do(module_database: str) -> None:
    dsn = settled(module_database)
    entered(dsn, "boiler", "U1", "U2")
    state = SpoolState(
        at_us=us(MORNING), readings=1234, stored_bytes=50, max_bytes=100, oldest_us=us(MORNING - timedelta(hours=9)),
        fault="MQTT broker:8883: certificate has expired",
    )  # fmt: skip
    came(dsn, {"boiler": Sign(delivered_us=us(MORNING), told=state)})
    assert {title for _, title in told(dsn, MORNING)} == {"网关 boiler：读数积压，最早一条已等待 9 小时"}
    bodies = {name: body for name, _, body in rows(dsn, TOLD)}
    assert "网关自述故障：MQTT broker:8883: certificate has expired" in bodies["person:li.na"]
    assert "用能单位：U1 U2" in bodies["person:li.na"]
    assert "待送读数：1,234 (50%)" in bodies["person:li.na"]
    for login, own, other in (("first", "U1", "U2"), ("second", "U2", "U1")):
        assert f"用能单位：{own}\n" in bodies[f"person:{login}"]
        assert other not in bodies[f"person:{login}"], "an enterprise reads of itself alone"
        assert "certificate" not in bodies[f"person:{login}"]
    full = SpoolState(at_us=us(MORNING) + 1, stored_bytes=90, max_bytes=100, dropped_readings=7)
    came(dsn, {"boiler": Sign(told=full)})
    after = told(dsn, MORNING + timedelta(minutes=1))
    assert {title for _, title in after} == {"网关 boiler：本地存储已用 90%", "网关 boiler：已放弃 7 条读数"}
    came(dsn, {"boiler": Sign(told=SpoolState(at_us=us(MORNING) + 2, max_bytes=100, dropped_readings=7))})
    assert {title for _, title in told(dsn, MORNING + timedelta(minutes=2))} == {"网关 boiler：已恢复送达"}


def test_rules_say_how_long_it_may_be_and_who_is_told(module_database: str) -> None:
    own = '\n[gateways]\nafter_h = 2\nof = { exporter = 30 }\ntell = ["staff"]\n'
    dsn = settled(module_database, ALWAYS + own)
    came(dsn, dict.fromkeys(("exporter", "here"), Sign(delivered_us=us(MORNING))))
    assert told(dsn, MORNING + timedelta(hours=3)) == [("person:wang", "网关 here：已 3 小时无读数送达")]
    assert ("person:wang", "网关 exporter：已 31 小时无读数送达") in told(dsn, MORNING + timedelta(hours=31))
    dsn = settled(module_database, ALWAYS + "\n[gateways]\nafter_h = 0\n")
    came(dsn, {"here": Sign(delivered_us=us(MORNING), told=SpoolState(at_us=5, dropped_readings=3))})
    assert told(dsn, MORNING + timedelta(days=4)) == []


def test_older_news_change_nothing_and_a_gateway_that_is_over_is_not_looked_at(module_database: str) -> None:
    dsn = settled(module_database)
    entered(dsn, "old", "U1")
    came(dsn, {"old": Sign(delivered_us=us(MORNING), told=SpoolState(at_us=us(MORNING), readings=5))})
    came(dsn, {"old": Sign(delivered_us=us(MORNING) - 9, told=SpoolState(at_us=us(MORNING) - 9, readings=7))})
    came(dsn, {"old": Sign(delivered_us=us(MORNING) - 9)})

    async def seen() -> list[tuple[datetime, datetime, int]]:
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            return [(r["delivered_at"], r["told_at"], r["waiting_readings"]) for r in await gateway_states(connection)]

    assert asyncio.run(seen()) == [(MORNING, MORNING, 5)]

    async def end() -> None:
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            await end_gateway(connection, "old")

    asyncio.run(end())
    assert asyncio.run(seen()) == []
    assert told(dsn, MORNING + timedelta(days=3)) == []


def test_a_clock_that_was_ahead_hides_neither_what_comes_later_nor_that_nothing_comes(module_database: str) -> None:
    dsn = settled(module_database)
    entered(dsn, "boiler", "U1")
    ahead = us(datetime.now(UTC) + timedelta(days=365))
    came(dsn, {"boiler": Sign(delivered_us=ahead, told=SpoolState(at_us=ahead, readings=5))})
    came(dsn, {"boiler": Sign(told=SpoolState(at_us=us(datetime.now(UTC)), readings=7))})
    state = "select waiting_readings, delivered_at <= now(), told_at <= now() from gateway_state"
    assert rows(dsn, state) == [(7, True, True)], "the clock of the gateway was set right"
    rows(dsn, "update gateway_state set delivered_at = now() + interval '1 year', told_at = now() + interval '1 year'")
    came(dsn, {"boiler": Sign(told=SpoolState(at_us=us(datetime.now(UTC)), readings=9))})
    assert rows(dsn, state) == [(9, True, True)], "the clock of this machine was set right"
    rows(dsn, "update gateway_state set delivered_at = now() + interval '1 year', oldest_at = null")
    assert told(dsn, MORNING) == []
    assert {title for _, title in told(dsn, MORNING + timedelta(hours=7))} == {"网关 boiler：已 7 小时无读数送达"}


@pytest.mark.parametrize(
    ("table", "place"),
    [({"after_h": -1}, "gateways.after_h"), ({"of": {"g": "6"}}, "gateways.of"), ({"tell": ["x"]}, "gateways.tell")],
)
def test_rules_that_are_none_are_refused(table: dict[str, object], place: str) -> None:
    _, faults = parse_rules({"rule": [{"name": "a", "tell": ["staff"]}], "gateways": table})
    assert [fault.place for fault in faults] == [place]
