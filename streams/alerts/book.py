"""Loading the alerting engine's state from the database, and storing changes, in one transaction under one lock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from analytics.alerting.desk import AlertCard, Desk, SignalState, Silence
from analytics.alerting.judged import Judged
from analytics.alerting.mailbox import Mailbox
from analytics.alerting.rules import Person, Rules
from analytics.alerting.words import title
from analytics.domain.severity import Severity
from streams.alerts.aside import Aside
from streams.alerts.sources import LocatedSignal

__all__ = ["LOCK", "Book", "identities_of", "lay_out"]

LOCK: Final = 0x6D77_0009  # of everything that changes alerts
_TRY: Final = "select pg_try_advisory_xact_lock(%s)"
_WAIT: Final = "select pg_advisory_xact_lock(%s)"

_PEOPLE: Final = """
select p.id, p.login, p.name, p.role, coalesce(u.code, ''), p.language, p.channel, p.address
from person p left join unit u on u.id = p.unit_id where p.active order by p.login
"""
_SILENCES: Final = """
select s.starts_at, s.ends_at, coalesce(u.code, ''), coalesce(p.code, ''), coalesce(s.kind, ''), s.id
from alert_silence s left join unit u on u.id = s.unit_id left join metering_point p on p.id = s.point_id
where s.ends_at > %s and s.starts_at <= %s
"""
_MEMBERS: Final = """
select s.source, s.source_id, a.key, s.standing, s.energy, s.energy_unit
from alert_source s join alert a on a.id = s.alert_id
join unnest(%s::text[], %s::int8[]) q (source, source_id) on (s.source, s.source_id) = (q.source, q.source_id)
"""
_JUDGED: Final = """
select q.source, q.source_id, j.source, j.source_id, j.at, j.severity, j.magnitude
from unnest(%(sources)s::text[], %(source_ids)s::int8[], %(kinds)s::text[], %(point_ids)s::int4[],
            %(meter_ids)s::int4[]) q (source, source_id, kind, point_id, meter_id)
join alert_judged j on (j.source, j.source_id) = (q.source, q.source_id)
    or (q.source = 'detection' and j.source = 'detection' and j.point_id = q.point_id and j.kind = q.kind
        and j.meter_id is not distinct from q.meter_id)
join case_file c on c.id = j.case_id and c.closed_at is not null
order by j.id
"""
_CARDS: Final = """
select id, key, state, unit_id, life from alert
where state not in ('cleared', 'dropped')
    and (subject = any(%(subjects)s) or key = any(%(keys)s) or id = any(%(ids)s) or next_at <= %(now)s::timestamptz)
"""
_OF_LETTERS: Final = "select id, key, state, unit_id, life from alert where key = any(%s)"
_INSERT: Final = """
insert into alert (key, rule, unit_id, point_id, meter_id, kind, severity, state, since, seen_at, raised_at, updated_at,
                   cleared_at, acknowledged_at, energy_affected, energy_unit, title_zh, title_en, detections, standing,
                   level, flaps, next_at, life)
values (%(key)s, %(rule)s, %(unit_id)s, %(point_id)s, %(meter_id)s, %(kind)s, %(severity)s, %(state)s, %(since)s,
        %(seen_at)s, %(raised_at)s, %(updated_at)s, %(cleared_at)s, %(acknowledged_at)s, %(energy_affected)s,
        %(energy_unit)s, %(title_zh)s, %(title_en)s, %(detections)s, %(standing)s, %(level)s, %(flaps)s, %(next_at)s,
        %(life)s)
returning id, key
"""
_UPDATE: Final = """
update alert set severity = %(severity)s, state = %(state)s, since = %(since)s, raised_at = %(raised_at)s,
    updated_at = %(updated_at)s, cleared_at = %(cleared_at)s, acknowledged_at = %(acknowledged_at)s,
    energy_affected = %(energy_affected)s, energy_unit = %(energy_unit)s, title_zh = %(title_zh)s,
    title_en = %(title_en)s, detections = %(detections)s, standing = %(standing)s, level = %(level)s,
    flaps = %(flaps)s, next_at = %(next_at)s, life = %(life)s, kind = %(kind)s,
    point_id = case when %(single)s then point_id end, meter_id = case when %(single)s then meter_id end
where id = %(id)s
"""
_SOURCE: Final = """
insert into alert_source (source, source_id, alert_id, unit_id, point_id, meter_id, standing, started_at, energy,
                          energy_unit, severity, magnitude)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (source, source_id) do update
set alert_id = excluded.alert_id, standing = excluded.standing, started_at = excluded.started_at,
    energy = excluded.energy, energy_unit = excluded.energy_unit, severity = excluded.severity,
    magnitude = excluded.magnitude
"""
_MAILBOX: Final = """
insert into alert_mailbox (recipient, next_at, life) values (%s, %s, %s)
on conflict (recipient) do update set next_at = excluded.next_at, life = excluded.life
"""
_HAPPENED: Final = "insert into alert_event (alert_id, unit_id, at, action) values (%s, %s, %s, %s)"


@dataclass(slots=True, kw_only=True)
class Book:
    """A desk, with the database ids of what it holds."""

    desk: Desk
    ids: dict[str, int]
    states: dict[str, str]
    units: dict[str, int]
    people: dict[str, int]
    now: datetime

    async def keep(self, connection: psycopg.AsyncConnection, found: Mapping[tuple[str, int], LocatedSignal]) -> None:
        """Put back what changed."""
        desk = self.desk
        fresh = [key for key in desk.changed if key not in self.ids]
        known = [key for key in desk.changed if key in self.ids]
        async with connection.cursor() as cursor:
            if fresh:
                rows = [self._row(key, found) for key in fresh]
                self.units.update((row["key"], row["unit_id"]) for row in rows)
                await cursor.executemany(_INSERT, rows, returning=True)
                more = True
                while more:
                    for identity, key in await cursor.fetchall():
                        self.ids[key] = identity
                    more = bool(cursor.nextset())
            if known:
                await cursor.executemany(_UPDATE, [self._row(key, found) for key in known])
            if desk.moved:
                await cursor.executemany(_SOURCE, [self._source(one, found[one]) for one in desk.moved if one in found])
            if desk.posted:
                await cursor.executemany(_MAILBOX, [self._mailbox(name) for name in desk.posted])
            turned = [
                (self.ids[key], self.units[key], self.now, desk.cards[key].alert.state)
                for key in desk.changed
                if desk.cards[key].alert.state != self.states.get(key)
            ]
            if turned:
                await cursor.executemany(_HAPPENED, turned)

    def _row(self, key: str, found: Mapping[tuple[str, int], LocatedSignal]) -> dict[str, Any]:
        card = self.desk.cards[key]
        alert = card.alert
        about = found.get(card.examples[0].identity)
        unit, amount = max(card.energy.items(), key=lambda item: item[1], default=("", None))
        row: dict[str, Any] = {
            "id": self.ids.get(key),
            "key": key,
            "rule": card.rule,
            "unit_id": about.unit_id if about else None,
            "point_id": about.point_id if about and card.single else None,
            "meter_id": about.meter_id if about and card.single else None,
            "single": card.single,
            "kind": card.examples[0].kind,
            "severity": alert.severity.value,
            "state": alert.state,
            "since": alert.since,
            "seen_at": alert.seen_at,
            "raised_at": alert.raised_at,
            "updated_at": self.now,
            "cleared_at": alert.cleared_at,
            "acknowledged_at": alert.acknowledged_at,
            "energy_affected": amount,
            "energy_unit": unit,
            "title_zh": title(card, "zh"),
            "title_en": title(card, "en"),
            "detections": alert.ever,
            "standing": alert.standing,
            "level": alert.level,
            "flaps": alert.flaps,
            "next_at": self.desk.due_at(card),
            "life": _json(card),
        }
        return row

    def _source(self, identity: tuple[str, int], found: LocatedSignal) -> tuple[Any, ...]:
        member = self.desk.members[identity]
        return (
            *identity,
            self.ids[member.key],
            found.unit_id,
            found.point_id,
            found.meter_id,
            member.standing,
            found.signal.started_at,
            member.energy,
            member.energy_unit,
            member.severity.value,
            member.magnitude,
        )

    def _mailbox(self, name: str) -> tuple[Any, ...]:
        mailbox = self.desk.mailboxes[name]
        return name, mailbox.next_at, _json(mailbox)


def identities_of(found: Iterable[LocatedSignal]) -> dict[tuple[str, int], LocatedSignal]:
    """Signals by what stays the same of them."""
    return {one.signal.identity: one for one in found}


async def lock(connection: psycopg.AsyncConnection, *, wait: bool) -> bool:
    """Be the only one who changes alerts, to the transaction's end; False where somebody else is and we do not wait."""
    cursor = await connection.execute(_WAIT if wait else _TRY, (LOCK,))
    row = await cursor.fetchone()
    return wait or bool(row and row[0])


async def lay_out(
    connection: psycopg.AsyncConnection,
    rules: Rules,
    found: Sequence[LocatedSignal],
    now: datetime,
    *,
    zone: ZoneInfo,
    ids: Sequence[int] = (),
    clock: bool = True,
    aside: Aside | None = None,
) -> Book:
    """A desk with all that these signals, these alerts and, where it is asked for, the clock can touch.

    Rows that cannot be read go to `aside`.
    """
    aside = aside or Aside()
    people = await (await connection.execute(_PEOPLE)).fetchall()
    silences = await (await connection.execute(_SILENCES, (now, now))).fetchall()
    desk = Desk(
        rules,
        people=aside.each("person", people, _person, lambda row: row[0]),
        silences=aside.each("alert_silence", silences, _silence, lambda row: row[5]),
        zone=zone,
    )
    book = Book(desk=desk, ids={}, states={}, units={}, people={row[1]: row[0] for row in people}, now=now)
    signals = [one.signal for one in found]
    sources = [signal.source.value for signal in signals], [signal.source_id for signal in signals]
    members = await (await connection.execute(_MEMBERS, sources)).fetchall()
    desk.lay(
        members={
            (row[0], row[1]): SignalState(key=row[2], standing=row[3], energy=row[4], energy_unit=row[5])
            for row in members
        }
    )
    desk.lay(judged=await _judged(connection, found) if found else {})
    subjects = {rule.subject(signal) for signal in signals if (rule := rules.rule_of(signal)) is not None}
    due = now if clock else None
    parameters = {"subjects": sorted(subjects), "keys": [row[2] for row in members], "ids": list(ids), "now": due}
    _lay_cards(book, await (await connection.execute(_CARDS, parameters)).fetchall(), aside)
    boxes = await (await connection.execute("select recipient, life from alert_mailbox")).fetchall()
    desk.lay(mailboxes=dict(aside.each("alert_mailbox", boxes, _mailbox, lambda row: row[0])))
    waiting = {post.alert for box in desk.mailboxes.values() for post in box.waiting} - desk.cards.keys()
    if waiting:
        _lay_cards(book, await (await connection.execute(_OF_LETTERS, (sorted(waiting),))).fetchall(), aside)
    return book


async def _judged(
    connection: psycopg.AsyncConnection, found: Sequence[LocatedSignal]
) -> dict[tuple[str, int], tuple[Judged, ...]]:
    """What was judged and closed of these signals, or of the same fault on the same meter."""
    parameters = {
        "sources": [one.signal.source.value for one in found],
        "source_ids": [one.signal.source_id for one in found],
        "kinds": [one.signal.kind for one in found],
        "point_ids": [one.point_id for one in found],
        "meter_ids": [one.meter_id for one in found],
    }
    judged: dict[tuple[str, int], tuple[Judged, ...]] = {}
    for row in await (await connection.execute(_JUDGED, parameters)).fetchall():
        one = Judged(identity=(row[2], row[3]), at=row[4], severity=Severity(row[5]), magnitude=row[6])
        judged[row[0], row[1]] = (*judged.get((row[0], row[1]), ()), one)
    return judged


def _lay_cards(book: Book, rows: Iterable[tuple[Any, ...]], aside: Aside) -> None:
    def lay(row: tuple[Any, ...]) -> None:
        identity, key, state, unit_id, life = row
        book.desk.lay([msgspec.convert(life, AlertCard)])
        book.ids[key], book.units[key], book.states[key] = identity, unit_id, state

    aside.each("alert", rows, lay, lambda row: row[0])


def _person(row: tuple[Any, ...]) -> Person:
    return Person(
        login=row[1],
        name=row[2],
        role=row[3],
        unit_code=row[4],
        language=row[5],
        channel=row[6],
        address=row[7],
    )


def _silence(row: tuple[Any, ...]) -> Silence:
    return Silence(starts_at=row[0], ends_at=row[1], unit_code=row[2], point=row[3], kind=row[4])


def _mailbox(row: tuple[Any, ...]) -> tuple[str, Mailbox]:
    return row[0], msgspec.convert(row[1], Mailbox)


def _json(value: object) -> Jsonb:
    return Jsonb(msgspec.to_builtins(value))
