"""Outbox of messages: written in the transaction that raises them, claimed by the sender, settled with a receipt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

__all__ = ["Message", "NewMessage", "claim", "failed", "last_minute", "ref_of", "resend", "sent", "strangers", "write"]

_WRITE: Final = """
insert into alert_message (key, recipient, channel, address, person_id, unit_id, alert_ids, case_id, purpose, severity,
                           language, title, body, picture, next_at, created_at)
values (%(key)s, %(recipient)s, %(channel)s, %(address)s, %(person_id)s, %(unit_id)s, %(alert_ids)s, %(case_id)s,
        %(purpose)s, %(severity)s, %(language)s, %(title)s, %(body)s, %(picture)s, %(at)s, %(at)s)
"""
# what was noted before the clock was set back lies ahead: a message that nobody has tried yet, a lease that is over
_CLAIM: Final = """
update alert_message m
set state = 'sending', attempts = m.attempts + 1, leased_until = %(until)s
where m.id = (
    select id from alert_message
    where channel = %(channel)s
        and (
            state = 'waiting'
            and (next_at <= %(now)s or next_at = created_at and created_at > %(now)s::timestamptz + interval '1 minute')
            or state = 'sending'
            and (leased_until <= %(now)s or leased_until > %(until)s::timestamptz + interval '1 minute')
        )
    order by severity = 'serious' desc, id limit 1 for update skip locked
)
returning m.id, m.key, m.recipient, m.channel, m.address, m.person_id, m.alert_ids, m.case_id, m.purpose, m.severity,
          m.language, m.title, m.body, m.picture, m.attempts, m.created_at,
          (select p.standing from person p where p.id = m.person_id and p.active) as standing,
          (select p.role from person p where p.id = m.person_id and p.active) as role
"""
_SENT: Final = """
update alert_message set state = 'sent', sent_at = %s, receipt = %s, leased_until = null, error = null
where id = %s and state = 'sending' and attempts = %s
"""
_FAILED: Final = """
update alert_message set state = case when %(at)s::timestamptz is null then 'failed' else 'waiting' end,
    next_at = coalesce(%(at)s, next_at), error = %(error)s, leased_until = null
where id = %(id)s and state = 'sending' and attempts = %(attempts)s
"""
_STRANGERS: Final = """
update alert_message set error = 'the channel ' || channel || ' must be in the channels'' file (it is not)',
    next_at = %(now)s + interval '10 minutes'
where state = 'waiting' and next_at <= %(now)s and not channel = any(%(channels)s)
"""
_LAST_MINUTE: Final = """
select coalesce(sent_at, leased_until) from alert_message
where channel = %(channel)s and state = 'sent' and sent_at > %(now)s::timestamptz - interval '1 minute'
    and sent_at < %(now)s::timestamptz + interval '1 minute'
order by 1
"""
_RESEND: Final = """
update alert_message set state = 'waiting', next_at = now(), created_at = now(), error = null
where state = 'failed' and (%(ids)s::int8[] is null or id = any(%(ids)s))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message before it is stored; `key` is the same in all attempts to send it."""

    key: UUID
    recipient: str
    channel: str
    address: str = ""
    person_id: int | None = None
    unit_id: int | None = None
    alert_ids: Sequence[int] = ()
    case_id: int | None = None
    purpose: str
    severity: str
    language: str
    title: str
    body: str
    picture: Mapping[str, Any] | None = None

    @staticmethod
    def new_key() -> UUID:
        """A key that no other message has."""
        return uuid4()


def ref_of(key: UUID) -> str:
    """What stands in a message so that a person can tell one that came twice."""
    return key.hex[:10].upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message that was claimed."""

    id: int
    key: UUID
    recipient: str
    channel: str
    address: str
    person_id: int | None
    alert_ids: list[int]
    case_id: int | None
    purpose: str
    severity: str
    language: str
    title: str
    body: str
    picture: dict[str, Any] | None
    attempts: int
    created_at: datetime
    standing: int | None = None
    """Of the person, as it is now; None where there is none, or he has left."""
    role: str | None = None


async def write(connection: psycopg.AsyncConnection, drafts: Sequence[NewMessage], now: datetime) -> None:
    """Put messages into the outbox, in the caller's transaction."""
    if not drafts:
        return
    async with connection.cursor() as cursor:
        await cursor.executemany(_WRITE, [_row(draft, now) for draft in drafts])


def _row(draft: NewMessage, now: datetime) -> dict[str, Any]:
    return {
        "key": draft.key,
        "recipient": draft.recipient,
        "channel": draft.channel,
        "address": draft.address,
        "person_id": draft.person_id,
        "unit_id": draft.unit_id,
        "alert_ids": list(draft.alert_ids),
        "case_id": draft.case_id,
        "purpose": draft.purpose,
        "severity": draft.severity,
        "language": draft.language,
        "title": draft.title,
        "body": draft.body,
        "picture": None if draft.picture is None else Jsonb(dict(draft.picture)),
        "at": now,
    }


async def claim(
    connection: psycopg.AsyncConnection, channel: str, now: datetime, *, lease: timedelta
) -> Message | None:
    """The next message of a channel, ours until the lease is over; a sender that died leaves it to the next."""
    async with connection.cursor(row_factory=class_row(Message)) as cursor:
        await cursor.execute(_CLAIM, {"channel": channel, "now": now, "until": now + lease})
        return await cursor.fetchone()


async def sent(connection: psycopg.AsyncConnection, message: Message, receipt: str, now: datetime) -> bool:
    """Keep the receipt; False where the lease was over and somebody else has it."""
    cursor = await connection.execute(_SENT, (now, receipt, message.id, message.attempts))
    return cursor.rowcount == 1


async def failed(connection: psycopg.AsyncConnection, message: Message, error: str, again_at: datetime | None) -> None:
    """Keep why it failed, and when it is tried again; None gives it up, and keeps it."""
    parameters = {"at": again_at, "error": error, "id": message.id, "attempts": message.attempts}
    await connection.execute(_FAILED, parameters)


async def strangers(connection: psycopg.AsyncConnection, channels: Sequence[str], now: datetime) -> int:
    """Record in messages for unconfigured channels what is missing; returns their number."""
    cursor = await connection.execute(_STRANGERS, {"channels": list(channels), "now": now})
    return cursor.rowcount


async def last_minute(connection: psycopg.AsyncConnection, channel: str, now: datetime) -> list[datetime]:
    """When a channel was used within the last minute."""
    cursor = await connection.execute(_LAST_MINUTE, {"channel": channel, "now": now})
    return [row[0] for row in await cursor.fetchall()]


async def resend(connection: psycopg.AsyncConnection, ids: Sequence[int] | None) -> int:
    """Take messages up again that were given up; all of them where `ids` is None."""
    cursor = await connection.execute(_RESEND, {"ids": None if ids is None else list(ids)})
    return cursor.rowcount
