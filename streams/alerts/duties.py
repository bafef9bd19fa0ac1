"""Reminders of duties that are no alerts: corrections and re-checks of reviews, and the self-check of the year."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from analytics.alerting.rules import Person, Rules, audience
from analytics.alerting.words import DutyFacts, duty_text
from streams.alerts.aside import Aside
from streams.alerts.config import AlertConfig
from streams.alerts.outbox import NewMessage
from streams.alerts.reminders import everybody_of, is_office_hour, reminder, stage_of

__all__ = ["remind_of_duties"]

_SOON_D: Final = 5
"""Working days before a term from which on reminders of it are sent."""
_SELF_CHECK_D: Final = 20
_REVIEWS: Final = """
select case r.state when 'correcting' then 'correction' else 'recheck' end as duty, r.id as ref, r.year, r.due,
       r.due_certain as certain, r.unit_id, u.code as unit_code, u.name as unit_name, coalesce(d.stage, '') as stage
from review r
join unit u on u.id = r.unit_id
left join duty_reminder d on d.unit_id = r.unit_id and d.ref = r.id
    and d.duty = case r.state when 'correcting' then 'correction' else 'recheck' end
where r.state in ('correcting', 'recheck') and r.due <= %(until)s
order by r.id
"""
_SELF_CHECKS: Final = """
select 'self_check' as duty, %(year)s::int8 as ref, %(year)s as year, %(due)s::date as due, true as certain,
       u.id as unit_id, u.code as unit_code, u.name as unit_name, coalesce(d.stage, '') as stage
from unit u
left join duty_reminder d on d.unit_id = u.id and d.duty = 'self_check' and d.ref = %(year)s
where exists (select from person p where p.unit_id = u.id and p.active)
    and not exists (select from review r where r.unit_id = u.id and r.year = %(year)s and r.origin = 'self_check'
                        and r.concluded_on is not null)
order by u.id
"""
_REMINDED: Final = """
insert into duty_reminder (unit_id, duty, ref, stage) values (%(unit_id)s, %(duty)s, %(ref)s, %(stage)s)
on conflict (unit_id, duty, ref) do update set stage = excluded.stage, reminded_at = clock_timestamp()
"""


async def remind_of_duties(
    connection: psycopg.AsyncConnection,
    now: datetime,
    config: AlertConfig,
    rules: Rules,
    people: Mapping[str, int],
    aside: Aside,
) -> list[NewMessage]:
    """Messages about terms that are near or over, each stage sent once; in the caller's transaction.

    Enterprises are reminded of their corrections and self-checks, inspectors of re-checks, staff of what is overdue.
    """
    today = now.astimezone(config.zone).date()
    if not config.calendar.works(today) or not is_office_hour(now, config):
        return []
    rows = await _rows(connection, _REVIEWS, {"until": config.calendar.after(today, _SOON_D).day})
    rows += await _self_checks(connection, today, config, rules)
    open_rows = aside.each("review", rows, lambda row: (row, stage_of(row["due"], today, config, _soon(row))), _key)
    due = [(row, stage) for row, stage in open_rows if stage and stage != row["stage"]]
    if not due:
        return []
    everybody = await everybody_of(connection, aside)

    def written(one: tuple[dict[str, Any], str]) -> tuple[dict[str, Any], list[NewMessage]]:
        row, stage = one
        return {**row, "stage": stage}, _drafts(row, stage, everybody, rules, people, today, config)

    drafts: list[NewMessage] = []
    for reminded, letters in aside.each("review", due, written, lambda one: _key(one[0])):
        await connection.execute(_REMINDED, reminded)
        drafts += letters
    return drafts


def _key(row: Mapping[str, Any]) -> object:
    return f"{row['duty']} {row['ref']} of unit {row['unit_id']}"


async def _self_checks(
    connection: psycopg.AsyncConnection, today: date, config: AlertConfig, rules: Rules
) -> list[dict[str, Any]]:
    """Units without a signed self-check, in the days before the day that the rules name."""
    if rules.self_check_by is None:
        return []
    due = date(today.year, *rules.self_check_by)
    if due > config.calendar.after(today, _SELF_CHECK_D).day:
        return []
    return await _rows(connection, _SELF_CHECKS, {"year": due.year, "due": due})


def _soon(row: Mapping[str, Any]) -> int:
    return _SELF_CHECK_D if row["duty"] == "self_check" else _SOON_D


async def _rows(connection: psycopg.AsyncConnection, query: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query.encode(), parameters)
        return await cursor.fetchall()


def _drafts(
    row: Mapping[str, Any],
    stage: str,
    everybody: Sequence[Person],
    rules: Rules,
    people: Mapping[str, int],
    today: date,
    config: AlertConfig,
) -> list[NewMessage]:
    names = ["inspectors"] if row["duty"] == "recheck" else ["enterprise"]
    names += ["staff"] if "overdue" in stage else []
    facts = DutyFacts(
        duty=row["duty"],
        unit_name=row["unit_name"],
        year=row["year"],
        due_on=row["due"],
        days_left=config.calendar.left(today, row["due"]),
        certain=row["certain"],
    )
    write = partial(duty_text, facts)
    receiving = audience(names, unit_code=row["unit_code"], rules=rules, people=everybody, zone=config.zone)
    return [reminder(one, stage, write, people, unit_id=row["unit_id"]) for one in receiving]
