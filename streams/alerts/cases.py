"""Cases in the database: every step in one transaction with its history, its deadline and its verdict."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from analytics.alerting.case import Action, Case, CaseRefused, act, opened
from analytics.alerting.workdays import Deadline
from analytics.domain.words import SITE_VERDICTS
from streams.alerts.config import AlertConfig
from streams.store.review.attachments import LARGEST_FILE, media_type

__all__ = [
    "LARGEST_FILE", "MOST_BYTES", "MOST_FILES", "Actor", "attach", "open_case", "take_step",
]  # fmt: skip

MOST_FILES: Final = 50
"""A case may have so many photos and certificates."""
MOST_BYTES: Final = 200 * 2**20
"""With so many bytes together."""

_OPEN: Final = """
insert into case_file (alert_id, detection_id, unit_id, point_id, meter_id, kind, state, opened_at, due_on, due_certain,
                       updated_at)
select a.id, (select min(s.source_id) from alert_source s where s.alert_id = a.id and s.source = 'detection'),
       a.unit_id, a.point_id, a.meter_id, a.kind, %(state)s, %(now)s, %(due)s, %(certain)s, %(now)s
from alert a where a.id = %(alert)s
on conflict (alert_id) do nothing
returning id, unit_id
"""
_READ: Final = """
select c.id, c.state, coalesce(h.login, '') as assignee, coalesce(c.verdict, '') as verdict, c.found_on, c.verdict_at,
       c.due_on, c.due_certain, c.closed_at, c.energy_recovered, c.unit_id, c.point_id, c.meter_id, c.detection_id,
       c.kind
from case_file c left join person h on h.id = c.assignee_id where c.id = %s for update of c
"""
_KEEP: Final = """
update case_file set state = %(state)s, assignee_id = (select id from person where login = %(assignee)s),
    verdict = nullif(%(verdict)s, ''), found_on = %(found_on)s, verdict_at = %(verdict_at)s, due_on = %(due)s,
    due_certain = %(certain)s, closed_at = %(closed_at)s, energy_recovered = %(energy)s, updated_at = %(now)s,
    reminded = case when due_on is distinct from %(due)s then '' else reminded end
where id = %(id)s
"""
_EVENT: Final = """
insert into case_event (case_id, unit_id, at, person_id, by_name, by_role, action, state, note, facts, internal)
values (%(id)s, %(unit_id)s, %(at)s, %(person)s, %(by)s, %(role)s, %(action)s, %(state)s, %(note)s, %(facts)s,
        %(internal)s)
returning id
"""
_VERDICT: Final = """
insert into meter_verdict (detection_id, unit_id, point_id, meter_id, kind, verdict, found_on, found_by, note)
select s.source_id, s.unit_id, s.point_id, s.meter_id, d.kind, %(verdict)s, %(found_on)s, %(by)s, %(note)s
from case_file c
join alert_source s on s.alert_id = c.alert_id and s.source = 'detection'
join detection d on d.id = s.source_id
where c.id = %(id)s and s.point_id is not null
"""
_JUDGED: Final = """
insert into alert_judged (case_id, unit_id, source, source_id, point_id, meter_id, kind, severity, magnitude, at)
select c.id, s.unit_id, s.source, s.source_id, s.point_id, s.meter_id, coalesce(d.kind, s.source), s.severity,
       s.magnitude, %(at)s
from case_file c
join alert_source s on s.alert_id = c.alert_id
left join detection d on s.source = 'detection' and d.id = s.source_id
where c.id = %(id)s
"""
_ATTACH: Final = """
insert into case_attachment (case_id, unit_id, name, media_type, sha256, content, person_id, by_role, internal)
select id, unit_id, %(name)s, %(type)s, %(sha256)s, %(content)s, %(person)s, %(role)s, %(internal)s
from case_file where id = %(id)s
returning id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who takes a step; no id is the system itself."""

    id: int | None
    name: str
    role: str | None = None


_SYSTEM: Final = Actor(id=None, name="meterwarden")


async def open_case(
    connection: psycopg.AsyncConnection, alert_id: int, actor: Actor | None, now: datetime, config: AlertConfig
) -> int:
    """The case of an alert, opened where there is none yet; its id. In the caller's transaction.

    Raises `CaseRefused` where there is no such alert.
    """
    case = opened(now.astimezone(config.zone).date(), config.calendar, config.terms)
    assert case.due is not None, "an open case has a deadline"
    parameters = {
        "alert": alert_id,
        "state": case.state,
        "now": now,
        "due": case.due.day,
        "certain": case.due.certain,
    }
    row = await (await connection.execute(_OPEN, parameters)).fetchone()
    if row is None:
        known = await (await connection.execute("select id from case_file where alert_id = %s", (alert_id,))).fetchone()
        if known is None:
            raise CaseRefused(f"a case must be of an alert that is there (got alert {alert_id})")
        return int(known[0])
    await _event(connection, row[0], row[1], now, actor or _SYSTEM, "open", "open", "", {"alert": alert_id})
    return int(row[0])


async def take_step(
    connection: psycopg.AsyncConnection,
    case_id: int,
    action: Action,
    actor: Actor,
    config: AlertConfig,
    *,
    internal: bool = True,
) -> Case:
    """Take a step of a case; in the caller's transaction. Its note is for the authority alone where it is internal.

    Raises
    ------
    CaseRefused
        Where there is no such case, the state does not allow the step, or the step lacks something.
    """
    async with connection.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(_READ, (case_id,))).fetchone()
    if row is None:
        raise CaseRefused(f"a case must be one that is there (got {case_id})")
    after = act(_case(row), action, calendar=config.calendar, terms=config.terms)
    await _check_assignee(connection, action)
    await _keep(connection, case_id, after, action.at)
    facts = {key: value.isoformat() if isinstance(value, date) else value for key, value in action.facts.items()}
    await _event(
        connection, case_id, row["unit_id"], action.at, actor, action.name, after.state, action.note, facts, internal
    )
    if action.name == "verdict":
        parameters = {
            "id": case_id,
            "verdict": after.verdict,
            "found_on": after.found_on,
            "by": actor.name,
            "note": action.note,
        }
        await connection.execute(_VERDICT, parameters)
        await connection.execute(_JUDGED, {"id": case_id, "at": action.at})
    return after


async def attach(
    connection: psycopg.AsyncConnection,
    case_id: int,
    name: str,
    content: bytes,
    action: Action,
    actor: Actor,
    config: AlertConfig,
    *,
    internal: bool = True,
) -> int:
    """Attach a photo or a certificate, for the authority alone where it is internal; its id.

    In the caller's transaction. Raises `CaseRefused` for a file that is empty, too large, neither JPEG, PNG nor PDF by
    its first bytes, or one more than a case may have.
    """
    kind = media_type(content)
    if kind is None:
        raise CaseRefused(f"{name!r} must be a JPEG, PNG or PDF file (got bytes that begin with {content[:8]!r})")
    if len(content) > LARGEST_FILE:
        raise CaseRefused(f"{name!r} must have at most {LARGEST_FILE} bytes (got {len(content)})")
    digest = hashlib.sha256(content).digest()
    facts = {"name": name, "bytes": len(content), "sha256": digest.hex()}
    step = Action(name="attach", at=action.at, today=action.today, facts=facts, note=action.note)
    await take_step(connection, case_id, step, actor, config, internal=internal)  # locks the case: the count holds
    await _check_room(connection, case_id, len(content))
    parameters = {
        "id": case_id,
        "name": name,
        "type": kind,
        "sha256": digest,
        "content": content,
        "person": actor.id,
        "role": actor.role,
        "internal": internal,
    }
    row = await (await connection.execute(_ATTACH, parameters)).fetchone()
    assert row is not None, "the case is there"
    return int(row[0])


async def _check_room(connection: psycopg.AsyncConnection, case_id: int, more: int) -> None:
    query = "select count(*), coalesce(sum(octet_length(content)), 0) from case_attachment where case_id = %s"
    row = await (await connection.execute(query, (case_id,))).fetchone()
    assert row is not None, "an aggregate has a row"
    files, size = int(row[0]) + 1, int(row[1]) + more
    if files > MOST_FILES or size > MOST_BYTES:
        raise CaseRefused(
            f"a case must have at most {MOST_FILES} files with {MOST_BYTES} bytes (with this one {files} with {size})"
        )


def _case(row: Mapping[str, Any]) -> Case:
    return Case(
        state=row["state"],
        assignee=row["assignee"],
        verdict=row["verdict"],
        found_on=row["found_on"],
        verdict_at=row["verdict_at"],
        due=Deadline(day=row["due_on"], certain=row["due_certain"]) if row["due_on"] else None,
        closed_at=row["closed_at"],
        energy_recovered=row["energy_recovered"],
    )


async def _check_assignee(connection: psycopg.AsyncConnection, action: Action) -> None:
    login = action.facts.get("assignee")
    if login is None:
        return
    query = "select 1 from person where login = %s and active and role in ('staff', 'inspector')"
    if await (await connection.execute(query, (login,))).fetchone() is None:
        raise CaseRefused(f"assignee must be the login of an active inspector or member of staff (got {login!r})")


async def _keep(connection: psycopg.AsyncConnection, case_id: int, case: Case, now: datetime) -> None:
    assert not case.verdict or case.verdict in SITE_VERDICTS, "checked by act"
    parameters = {
        "id": case_id,
        "state": case.state,
        "assignee": case.assignee,
        "verdict": case.verdict,
        "found_on": case.found_on,
        "verdict_at": case.verdict_at,
        "due": case.due.day if case.due else None,
        "certain": case.due.certain if case.due else True,
        "closed_at": case.closed_at,
        "energy": case.energy_recovered,
        "now": now,
    }
    await connection.execute(_KEEP, parameters)


async def _event(
    connection: psycopg.AsyncConnection,
    case_id: int,
    unit_id: int,
    at: datetime,
    actor: Actor,
    action: str,
    state: str,
    note: str,
    facts: Mapping[str, Any],
    internal: bool = True,
) -> None:
    parameters = {
        "id": case_id,
        "unit_id": unit_id,
        "at": at,
        "person": actor.id,
        "by": actor.name,
        "role": actor.role,
        "internal": internal,
        "action": action,
        "state": state,
        "note": note,
        "facts": Jsonb(dict(facts)),
    }
    await connection.execute(_EVENT, parameters)
