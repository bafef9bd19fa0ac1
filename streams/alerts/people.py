"""What people do: tokens, acknowledgements, comments, silences. Each function works in its caller's transaction."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row, dict_row

from analytics.alerting.case import Action
from analytics.alerting.lifecycle import AlertIsOver
from analytics.domain.errors import MeterwardenError
from streams.alerts.address import is_one_address
from streams.alerts.book import lay_out, lock
from streams.alerts.cases import Actor, open_case, take_step
from streams.alerts.config import AlertConfig
from streams.alerts.links import Link, LinkRefused
from streams.alerts.raiser import rules_in_force

__all__ = [
    "AddressRefused",
    "NotFound",
    "SilenceRefused",
    "Who",
    "acknowledge",
    "add_person",
    "comment",
    "digest_of",
    "end_person",
    "give_verdict",
    "link_used",
    "new_token",
    "person_of",
    "person_of_link",
    "revoke_tokens",
    "rows",
    "silence",
    "use_link",
    "who",
]

_PREFIX: Final = "mw_"
_YEARS: Final = datetime(2000, 1, 2, tzinfo=UTC), datetime(2199, 12, 30, tzinfo=UTC)
"""Of silences, a day inside what the table takes, whatever the offset."""
_WHO: Final = """
select p.id, p.login, p.name, p.role, p.unit_id, coalesce(u.code, '') as unit_code, p.language, p.standing
from person p left join unit u on u.id = p.unit_id
"""
_TOKEN: Final = (
    _WHO
    + """
join api_token t on t.person_id = p.id
where t.digest = %s and t.revoked_at is null and t.expires_at > %s and p.active
"""
)
_ADD: Final = """
insert into person (login, name, role, unit_id, language, channel, address)
values (%(login)s, %(name)s, %(role)s, (select id from unit where code = %(unit)s), %(language)s, %(channel)s,
        %(address)s)
on conflict (login) do update
set name = excluded.name, role = excluded.role, unit_id = excluded.unit_id, language = excluded.language,
    channel = excluded.channel, address = excluded.address, active = true
returning id
"""
_NOTE: Final = """
insert into alert_event (alert_id, unit_id, at, action, person_id, by_role, note, internal)
select id, unit_id, %s, %s, %s, %s, %s, %s from alert where id = %s and raised_at is not null
"""
_SILENCE: Final = """
insert into alert_silence (unit_id, point_id, kind, starts_at, ends_at, reason, person_id)
values (%(unit)s, %(point)s, %(kind)s, %(starts_at)s, %(ends_at)s, %(reason)s, %(person)s) returning id
"""


class NotFound(MeterwardenError):  # noqa: N818 - named after what is the matter
    """Something that is not there, or not for who asks."""


class AddressRefused(MeterwardenError):  # noqa: N818 - named after what happened
    """What should be one person's address and is not."""


class SilenceRefused(MeterwardenError):  # noqa: N818 - named after what happened
    """Planned work at a time that makes no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """A person who is signed in."""

    id: int
    login: str
    name: str
    role: str
    unit_id: int | None
    unit_code: str
    language: str
    standing: int

    @property
    def actor(self) -> Actor:
        """As histories name them."""
        return Actor(id=self.id, name=self.name, role=self.role)


async def rows(connection: psycopg.AsyncConnection, query: str, parameters: Any = None) -> list[dict[str, Any]]:
    """Rows of a query of ours, by the names of their columns."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query.encode(), parameters)
        return await cursor.fetchall()


async def who(connection: psycopg.AsyncConnection, token: str, now: datetime) -> Who | None:
    """Whose token it is; None where it is nobody's, over or revoked."""
    async with connection.cursor(row_factory=class_row(Who)) as cursor:
        await cursor.execute(_TOKEN.encode(), (digest_of(token), now))
        return await cursor.fetchone()


async def person_of(connection: psycopg.AsyncConnection, *, identity: int | None = None, login: str = "") -> Who:
    """An active person by id or login; `NotFound` where there is none."""
    async with connection.cursor(row_factory=class_row(Who)) as cursor:
        await cursor.execute((_WHO + "where (p.id = %s or p.login = %s) and p.active").encode(), (identity, login))
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"a person must be one who is there and active (got {login or identity})")
    return found


async def add_person(
    connection: psycopg.AsyncConnection,
    *,
    login: str,
    name: str,
    role: str,
    unit: str = "",
    language: str = "zh",
    channel: str = "",
    address: str = "",
) -> int:
    """Enter a person, or change what is known of one; the id.

    Raises `NotFound` where an enterprise's person has no unit that the ledger knows.
    """
    if address and not is_one_address(address):
        raise AddressRefused(
            "an address must be one: at most 254 letters without blanks, commas, semicolons or quotes "
            f"(got {address!r}); for several people enter several, or a channel of their own"
        )
    known = await rows(connection, "select id from unit where code = %s", (unit,))
    if (role == "enterprise") != bool(known):
        raise NotFound(
            "a person of an enterprise must have a unit of the ledger, and nobody else may "
            f"(got role {role}, unit {unit!r})"
        )
    parameters = {
        "login": login,
        "name": name,
        "role": role,
        "unit": unit,
        "language": language,
        "channel": channel,
        "address": address,
    }
    row = await (await connection.execute(_ADD, parameters)).fetchone()
    assert row is not None, "an upsert returns its row"
    return int(row[0])


async def new_token(
    connection: psycopg.AsyncConnection, person_id: int, *, label: str = "", expires_at: datetime | None = None
) -> str:
    """A token of a person's own; only its digest is kept, so it is seen this once."""
    token = _PREFIX + secrets.token_urlsafe(32)
    await connection.execute(
        "insert into api_token (person_id, digest, label, expires_at) "
        "values (%s, %s, %s, coalesce(%s::timestamptz, 'infinity'))",
        (person_id, digest_of(token), label, expires_at),
    )
    return token


async def revoke_tokens(connection: psycopg.AsyncConnection, person_id: int) -> int:
    """End all tokens of a person; how many there were."""
    cursor = await connection.execute(
        "update api_token set revoked_at = now() where person_id = %s and revoked_at is null", (person_id,)
    )
    return cursor.rowcount


async def end_person(connection: psycopg.AsyncConnection, person_id: int) -> tuple[int, int]:
    """Let a person in no longer: how many tokens ended, and how many messages to him are not sent.

    His links act no longer, for they hold for how he stood. What he did stays in the histories.
    """
    cursor = await connection.execute(
        "select count(*) from api_token where person_id = %s and revoked_at is null and expires_at > now()",
        (person_id,),
    )
    row = await cursor.fetchone()
    await connection.execute("update person set active = false where id = %s", (person_id,))
    withdrawn = await connection.execute(
        "update alert_message set state = 'withdrawn' where person_id = %s and state = 'waiting'", (person_id,)
    )
    return (int(row[0]) if row else 0), withdrawn.rowcount


async def acknowledge(
    connection: psycopg.AsyncConnection,
    alert_id: int,
    person: Who,
    now: datetime,
    config: AlertConfig,
    note: str = "",
    *,
    internal: bool = True,
) -> None:
    """Take care of an alert: its escalation stops. The note is for the authority alone where it is internal.

    Raises `NotFound`, and `AlertIsOver` where it does not stand.
    """
    await lock(connection, wait=True)
    await _alert(connection, alert_id)
    _, rules = await rules_in_force(connection)
    book = await lay_out(connection, rules, [], now, zone=config.zone, ids=[alert_id])
    key = next((key for key, identity in book.ids.items() if identity == alert_id), None)
    if key is None or book.desk.cards[key].alert.phase.over:
        raise AlertIsOver(f"an alert must stand to be acknowledged (alert {alert_id} is over)")
    book.desk.acknowledge(key, now)
    await book.keep(connection, {})
    await connection.execute(
        "update alert set acknowledged_by = coalesce(acknowledged_by, %s) where id = %s", (person.id, alert_id)
    )
    await _add_note(connection, alert_id, person, now, "acknowledge", note, internal=internal)


async def comment(
    connection: psycopg.AsyncConnection,
    alert_id: int,
    person: Who,
    now: datetime,
    note: str,
    *,
    internal: bool = True,
) -> None:
    """Comment on an alert, for the authority alone where it is internal; raises `NotFound`."""
    await _add_note(connection, alert_id, person, now, "comment", note, internal=internal)


async def _add_note(
    connection: psycopg.AsyncConnection,
    alert_id: int,
    person: Who,
    now: datetime,
    action: str,
    note: str,
    *,
    internal: bool,
) -> None:
    parameters = (now, action, person.id, person.role, note, internal, alert_id)
    cursor = await connection.execute(_NOTE, parameters)
    if cursor.rowcount != 1:
        raise NotFound(f"an alert must be one that is there (got {alert_id})")


async def give_verdict(
    connection: psycopg.AsyncConnection,
    alert_id: int,
    person: Who,
    now: datetime,
    config: AlertConfig,
    *,
    verdict: str,
    note: str,
    internal: bool = True,
) -> int:
    """Record what was found on site; the case, which is opened where there was none."""
    await _alert(connection, alert_id)
    case = await open_case(connection, alert_id, person.actor, now, config)
    today = now.astimezone(config.zone).date()
    action = Action(name="verdict", at=now, today=today, facts={"verdict": verdict}, note=note)
    await take_step(connection, case, action, person.actor, config, internal=internal)
    return case


async def person_of_link(connection: psycopg.AsyncConnection, link: Link) -> Who:
    """Who a link acts for, as he stands now.

    Raises `LinkRefused` where he has left, has another role or unit than when the link was made, or may not do it.
    """
    async with connection.cursor(row_factory=class_row(Who)) as cursor:
        await cursor.execute((_WHO + "where p.id = %s and p.active").encode(), (link.person_id,))
        person = await cursor.fetchone()
    if person is None or person.standing != link.standing or person.role not in link.deed.roles:
        raise LinkRefused("a link must be used by who it was made for, in the same role (this changed meanwhile)")
    return person


async def link_used(connection: psycopg.AsyncConnection, link: Link) -> bool:
    """Whether a link was used before."""
    return bool(await rows(connection, "select true as used from link_use where nonce = %s", (link.nonce,)))


async def use_link(connection: psycopg.AsyncConnection, link: Link) -> None:
    """Use a link up; raises `LinkRefused` where it was used before."""
    cursor = await connection.execute(
        "insert into link_use (nonce, person_id, action) values (%s, %s, %s) on conflict do nothing",
        (link.nonce, link.person_id, link.deed.name.lower()),
    )
    if cursor.rowcount != 1:
        raise LinkRefused("a link must be used once (this one was used before)")


async def silence(
    connection: psycopg.AsyncConnection,
    person: Who,
    *,
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    unit: str = "",
    point: str = "",
    kind: str = "",
) -> int:
    """Plan work: nothing is reported of what it covers in that time; its id.

    Raises `NotFound` for what it would cover, `SilenceRefused` for a time that is none or outside the years 2000 to
    2199.
    """
    low, high = _YEARS
    if not low <= starts_at < ends_at <= high:
        raise SilenceRefused(
            f"a silence must end after it starts, between {low:%Y-%m-%d} and {high:%Y-%m-%d} "
            f"(got {starts_at.isoformat()} to {ends_at.isoformat()})"
        )
    unit_id = point_id = None
    if unit:
        unit_id = await _one(connection, "select id from unit where code = %s", (unit,), f"unit {unit!r}")
    if point:
        point_id = await _one(
            connection,
            "select id from metering_point where unit_id = %s and code = %s",
            (unit_id, point),
            f"point {point!r} of unit {unit!r}",
        )
    parameters = {
        "unit": unit_id,
        "point": point_id,
        "kind": kind or None,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "reason": reason,
        "person": person.id,
    }
    row = await (await connection.execute(_SILENCE, parameters)).fetchone()
    assert row is not None, "an insert returns its row"
    return int(row[0])


async def _one(connection: psycopg.AsyncConnection, query: str, parameters: Sequence[Any], what: str) -> int:
    found = await rows(connection, query, parameters)
    if not found:
        raise NotFound(f"{what} must be in the ledger (it is not)")
    return int(found[0]["id"])


async def _alert(connection: psycopg.AsyncConnection, alert_id: int) -> None:
    if not await rows(connection, "select 1 as there from alert where id = %s and raised_at is not null", (alert_id,)):
        raise NotFound(f"an alert must be one that is there (got {alert_id})")


def digest_of(token: str) -> bytes:
    """SHA-256 of a token: what is kept of it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
