"""Reminders of terms: of cases here, of other duties in `streams.alerts.duties`; each stage of a term is sent once."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, Final, Protocol

import psycopg
from psycopg.rows import dict_row

from analytics.alerting.rules import Person, Recipient, Rules, audience
from analytics.alerting.words import CaseFacts, LetterText, case_text
from streams.alerts.aside import Aside
from streams.alerts.config import AlertConfig
from streams.alerts.outbox import NewMessage, ref_of

__all__ = ["everybody_of", "is_office_hour", "remind_of_cases", "reminder", "stage_of"]

_SOON_D: Final = 2
_OVERDUE_EVERY_D: Final = 5

_DUE: Final = """
select c.id, c.number, c.state, c.unit_id, u.name as unit_name, u.code as unit_code, coalesce(p.code, '') as point,
       c.kind, c.due_on, c.due_certain, c.reminded, coalesce(h.name, '') as assignee, coalesce(h.login, '') as login
from case_file c
join unit u on u.id = c.unit_id
left join metering_point p on p.id = c.point_id
left join person h on h.id = c.assignee_id
where c.closed_at is null and c.due_on <= %s
"""
_REMINDED: Final = "update case_file set reminded = %s where id = %s"
_EVERYBODY: Final = """
select p.login, p.name, p.role, coalesce(u.code, '') as unit_code, p.language, p.channel, p.address
from person p left join unit u on u.id = p.unit_id where p.active order by p.login
"""


class WritesText(Protocol):
    """The text of a reminder in a language, with the reference that an answer to it can be matched by."""

    def __call__(self, *, language: str, ref: str) -> LetterText: ...


async def remind_of_cases(
    connection: psycopg.AsyncConnection,
    now: datetime,
    config: AlertConfig,
    rules: Rules,
    people: Mapping[str, int],
    aside: Aside | None = None,
) -> list[NewMessage]:
    """Messages about deadlines that are near or over, each stage of one sent once; in the caller's transaction."""
    today = now.astimezone(config.zone).date()
    if not config.calendar.works(today) or not is_office_hour(now, config):
        return []
    async with connection.cursor(row_factory=dict_row) as cursor:
        rows = await (await cursor.execute(_DUE, (config.calendar.after(today, _SOON_D).day,))).fetchall()
    aside = aside or Aside()
    staged = aside.each("case_file", rows, lambda row: (row, stage_of(row["due_on"], today, config)), _id)
    due = [(row, stage) for row, stage in staged if stage and stage != row["reminded"]]
    if not due:
        return []
    everybody = await everybody_of(connection, aside)

    def written(one: tuple[dict[str, Any], str]) -> tuple[int, str, list[NewMessage]]:
        row, stage = one
        return row["id"], stage, _reminders(row, stage, everybody, rules, people, today, config)

    drafts: list[NewMessage] = []
    for case, stage, letters in aside.each("case_file", due, written, lambda one: one[0]["id"]):
        await connection.execute(_REMINDED, (stage, case))
        drafts += letters
    return drafts


async def everybody_of(connection: psycopg.AsyncConnection, aside: Aside) -> list[Person]:
    """All active persons, but for rows that nothing can be made of, which are set aside."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        known = await (await cursor.execute(_EVERYBODY)).fetchall()
    return aside.each("person", known, lambda row: Person(**row), lambda row: row["login"])


def _id(row: Mapping[str, Any]) -> object:
    return row["id"]


def _reminders(
    row: Mapping[str, Any],
    stage: str,
    everybody: Sequence[Person],
    rules: Rules,
    people: Mapping[str, int],
    today: date,
    config: AlertConfig,
) -> list[NewMessage]:
    names = ["inspectors"] if not row["login"] else []
    names += ["staff"] if "overdue" in stage else []
    receiving = {
        one.name: one for one in audience(names, unit_code="", rules=rules, people=everybody, zone=config.zone)
    }
    receiving |= {
        one.name: one
        for one in audience(
            ["inspectors", "staff"],
            unit_code="",
            rules=rules,
            people=[person for person in everybody if person.login == row["login"]],
            zone=config.zone,
        )
    }
    write = partial(case_text, _facts(row, today, config))
    return [
        reminder(one, stage, write, people, unit_id=row["unit_id"], case_id=row["id"]) for one in receiving.values()
    ]


def reminder(
    recipient: Recipient,
    stage: str,
    write: WritesText,
    people: Mapping[str, int],
    *,
    unit_id: int | None,
    case_id: int | None = None,
) -> NewMessage:
    """One reminder for one recipient; it warns where the term is over.

    Parameters
    ----------
    stage : str
        As `stage_of` gives it.
    people : mapping of str to int
        Ids of persons by their logins.
    """
    key = NewMessage.new_key()
    text = write(language=recipient.language, ref=ref_of(key))
    return NewMessage(
        key=key,
        recipient=recipient.name,
        channel=recipient.channel,
        address=recipient.address,
        person_id=people.get(recipient.person),
        unit_id=unit_id,
        case_id=case_id,
        purpose="reminder",
        severity="warning" if "overdue" in stage else "info",
        language=recipient.language,
        title=text.title,
        body=text.body,
    )


def is_office_hour(now: datetime, config: AlertConfig) -> bool:
    """Reminders come in office hours."""
    return 8 <= now.astimezone(config.zone).hour < 18


def stage_of(due: date, today: date, config: AlertConfig, soon_d: int = _SOON_D) -> str:
    """How near a deadline is, empty where it is further off than `soon_d` working days."""
    left = config.calendar.left(today, due)
    if left > soon_d:
        return ""
    if left > 0:
        return f"{due}: soon"
    return f"{due}: due" if left == 0 and today <= due else f"{due}: overdue {-left // _OVERDUE_EVERY_D}"


def _facts(row: Mapping[str, Any], today: date, config: AlertConfig) -> CaseFacts:
    return CaseFacts(
        number=row["number"],
        state=row["state"],
        unit_name=row["unit_name"],
        point=row["point"],
        kind=row["kind"],
        due_on=row["due_on"],
        days_left=config.calendar.left(today, row["due_on"]),
        assignee=row["assignee"],
        certain=row["due_certain"],
    )
