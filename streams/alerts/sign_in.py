"""Passwords, invitations and sessions of people who open pages. Each function works in its caller's transaction.

A secret is kept as a digest or hash alone. A session and an invitation hold for how the person stood when they were
made: whoever leaves, or gets another role or unit, is signed out by that.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from psycopg.rows import dict_row

from analytics.domain.errors import MeterwardenError
from streams.alerts.people import NotFound, Who, digest_of, person_of, rows

__all__ = [
    "ADMINISTRATOR",
    "SHORTEST_PASSWORD",
    "PasswordRefused",
    "Session",
    "account_of",
    "checked_password",
    "end_session",
    "end_sessions",
    "first_administrator",
    "hash_of",
    "invite",
    "is_password",
    "keep_password",
    "make_administrator",
    "person_of_invitation",
    "session_of",
    "sessions_of",
    "start_session",
    "use_invitation",
]

ADMINISTRATOR: Final = "admin"
"""Login of the first administrator."""
SHORTEST_PASSWORD: Final = 10
_LONGEST_PASSWORD: Final = 200
_IDLE: Final = timedelta(hours=12)
_LONGEST: Final = timedelta(days=7)
_INVITED: Final = timedelta(hours=24)
_TOUCH: Final = timedelta(minutes=1)
_HASHER: Final = PasswordHasher()  # Argon2id with the library's parameters, which follow RFC 9106
_NOBODY: Final = _HASHER.hash(secrets.token_urlsafe(16))
"""Checked for a login that is not there, so that both take the same time."""
_SESSION: Final = """
select s.id as session_id, s.seen_at, a.administrator, p.id, p.login, p.name, p.role, p.unit_id,
       coalesce(u.code, '') as unit_code, p.language, p.standing
from sign_in.session s
join person p on p.id = s.person_id
join sign_in.account a on a.person_id = p.id
left join unit u on u.id = p.unit_id
where s.digest = %(digest)s and s.ended_at is null and s.expires_at > %(now)s and s.seen_at > %(idle)s
    and p.active and p.standing = s.standing
"""
_INVITATION: Final = """
select p.id, p.login, p.name, p.role, p.unit_id, coalesce(u.code, '') as unit_code, p.language, p.standing
from sign_in.invitation i
join person p on p.id = i.person_id
left join unit u on u.id = p.unit_id
where i.digest = %s and i.used_at is null and i.expires_at > %s and p.active and p.standing = i.standing
"""
_MARKED: Final = """
select p.id from sign_in.account a join person p on p.id = a.person_id
where a.administrator and p.active and p.role = 'staff' order by p.id limit 1
"""
_SESSIONS: Final = """
select s.id, p.login, p.name, s.began_at, s.seen_at, s.client, s.agent
from sign_in.session s join person p on p.id = s.person_id
where (%(person)s::int4 is null or s.person_id = %(person)s)
    and s.ended_at is null and s.expires_at > %(now)s and s.seen_at > %(idle)s
order by s.seen_at desc limit 500
"""


class PasswordRefused(MeterwardenError):  # noqa: N818 - named after what happened
    """A password that cannot be one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who is signed in, and by which session."""

    id: int
    person: Who
    administrator: bool


def checked_password(password: str, login: str) -> str:
    """The password; raises `PasswordRefused` where it is too short, too long, or says the login."""
    if not SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise PasswordRefused(
            f"a password must have {SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} letters (got {len(password)})"
        )
    if len(set(password)) < 5 or (login and login.lower() in password.lower()):
        raise PasswordRefused("a password must have five different letters at least, and not the login in it")
    return password


def hash_of(password: str) -> str:
    """Argon2id hash, about 50 ms of one core: not for the event loop."""
    return _HASHER.hash(password)


def is_password(kept: str | None, password: str) -> bool:
    """Whether a password is the one of a hash; as slow where there is none. Not for the event loop."""
    try:
        _HASHER.verify(kept or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


async def account_of(connection: psycopg.AsyncConnection, login: str) -> tuple[int, int, str | None] | None:
    """Id, standing and hash of who may sign in by this login; None where nobody may."""
    query = """
    select p.id, p.standing, a.password from person p join sign_in.account a on a.person_id = p.id
    where p.login = %s and p.active
    """
    row = await (await connection.execute(query, (login,))).fetchone()
    return None if row is None else (int(row[0]), int(row[1]), row[2])


async def keep_password(connection: psycopg.AsyncConnection, person_id: int, kept: str) -> None:
    """Keep a hash as a person's password; all sessions of the old one end."""
    await connection.execute(
        """
        insert into sign_in.account (person_id, password) values (%s, %s)
        on conflict (person_id) do update set password = excluded.password, changed_at = now()
        """,
        (person_id, kept),
    )
    await end_sessions(connection, person_id)


async def start_session(
    connection: psycopg.AsyncConnection, person_id: int, standing: int, now: datetime, *, client: str, agent: str
) -> str:
    """A session's token, which only its browser keeps. Sessions that were over long ago are forgotten."""
    token = secrets.token_urlsafe(32)
    await connection.execute(
        """
        insert into sign_in.session (digest, person_id, standing, began_at, seen_at, expires_at, client, agent)
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (digest_of(token), person_id, standing, now, now, now + _LONGEST, client[:100], agent[:200]),
    )
    await connection.execute("delete from sign_in.session where expires_at < %s", (now - timedelta(days=30),))
    return token


async def session_of(connection: psycopg.AsyncConnection, token: str, now: datetime) -> Session | None:
    """Whose session a token is; None where it is nobody's, ended, idle for 12 h or older than a week."""
    parameters = {"digest": digest_of(token), "now": now, "idle": now - _IDLE}
    async with connection.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(_SESSION, parameters)).fetchone()
    if row is None:
        return None
    session_id, administrator = row.pop("session_id"), row.pop("administrator")
    if now - row.pop("seen_at") > _TOUCH:
        await connection.execute("update sign_in.session set seen_at = %s where id = %s", (now, session_id))
    return Session(id=session_id, person=Who(**row), administrator=administrator)


async def end_session(connection: psycopg.AsyncConnection, session_id: int, *, of: int | None = None) -> bool:
    """End one session (of one person, where `of` is given); whether it went on until now."""
    cursor = await connection.execute(
        "update sign_in.session set ended_at = now() where id = %s and ended_at is null"
        " and (%s::int4 is null or person_id = %s)",
        (session_id, of, of),
    )
    return cursor.rowcount == 1


async def end_sessions(connection: psycopg.AsyncConnection, person_id: int) -> int:
    """End all sessions and open invitations of a person; how many sessions."""
    await connection.execute(
        "update sign_in.invitation set used_at = now() where person_id = %s and used_at is null", (person_id,)
    )
    cursor = await connection.execute(
        "update sign_in.session set ended_at = now() where person_id = %s and ended_at is null", (person_id,)
    )
    return cursor.rowcount


async def sessions_of(
    connection: psycopg.AsyncConnection, person_id: int | None, now: datetime
) -> list[dict[str, Any]]:
    """Sessions that go on, of one person or (None) of everybody, the newest first."""
    return await rows(connection, _SESSIONS, {"person": person_id, "now": now, "idle": now - _IDLE})


async def invite(connection: psycopg.AsyncConnection, person: Who, now: datetime) -> str:
    """The token of a link by which a person chooses a password, once, within a day; earlier links act no more."""
    await connection.execute("insert into sign_in.account (person_id) values (%s) on conflict do nothing", (person.id,))
    await connection.execute(
        "update sign_in.invitation set used_at = %s where person_id = %s and used_at is null", (now, person.id)
    )
    token = secrets.token_urlsafe(24)
    await connection.execute(
        "insert into sign_in.invitation (digest, person_id, standing, made_at, expires_at) values (%s, %s, %s, %s, %s)",
        (digest_of(token), person.id, person.standing, now, now + _INVITED),
    )
    return token


async def person_of_invitation(connection: psycopg.AsyncConnection, token: str, now: datetime) -> Who:
    """Who was invited; raises `NotFound` where the link was used, is over, or is nobody's."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(_INVITATION, (digest_of(token), now))).fetchone()
    if row is None:
        raise NotFound("an invitation must be one that was not used and is not over")
    return Who(**row)


async def use_invitation(connection: psycopg.AsyncConnection, token: str, now: datetime) -> None:
    """Use it up; raises `NotFound` where somebody was faster."""
    cursor = await connection.execute(
        "update sign_in.invitation set used_at = %s where digest = %s and used_at is null", (now, digest_of(token))
    )
    if cursor.rowcount != 1:
        raise NotFound("an invitation must be used once (this one was used before)")


async def make_administrator(
    connection: psycopg.AsyncConnection, person_id: int, *, administrator: bool = True
) -> None:
    """Let a person enter people and end their sessions, or no longer."""
    await connection.execute(
        """
        insert into sign_in.account (person_id, administrator) values (%s, %s)
        on conflict (person_id) do update set administrator = excluded.administrator
        """,
        (person_id, administrator),
    )


async def first_administrator(connection: psycopg.AsyncConnection, now: datetime) -> str | None:
    """An invitation for the first administrator, who is made; None where an administrator has a password."""
    known = await rows(
        connection,
        "select 1 as there from sign_in.account a join person p on p.id = a.person_id"
        " where a.administrator and a.password is not null and p.active limit 1",
    )
    if known:
        return None
    person = await _administrator(connection)
    await make_administrator(connection, person.id)
    return await invite(connection, person, now)


async def _administrator(connection: psycopg.AsyncConnection) -> Who:
    """A person of the staff to be administrator: whoever is marked as one, else a new one by a login that is free."""
    marked = await rows(connection, _MARKED)
    if marked:
        return await person_of(connection, identity=marked[0]["id"])
    for login in (ADMINISTRATOR, *(f"{ADMINISTRATOR}{n}" for n in range(2, 100))):
        made = await rows(
            connection,
            "insert into person (login, name, role) values (%s, %s, 'staff')"
            " on conflict (login) do nothing returning id",
            (login, "管理员"),
        )
        if made:
            return await person_of(connection, identity=made[0]["id"])
    raise NotFound(f"a login for the administrator must be free (got {ADMINISTRATOR} to {ADMINISTRATOR}99 taken)")
