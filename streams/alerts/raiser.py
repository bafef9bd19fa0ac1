"""Raising: marks are claimed, signals read, alerts stepped and messages written, all in one transaction.

Killed anywhere before the commit, nothing of it happened and the marks are still there; after it, all of it did. One
worker at a time does it, by an advisory lock that goes with the transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import psycopg

from analytics.alerting.desk import Card, Outgoing
from analytics.alerting.lifecycle import Purpose
from analytics.alerting.rules import Recipient, Rules, audience
from analytics.alerting.words import compose
from analytics.domain.severity import SEVERITIES
from streams.alerts import outbox, sources
from streams.alerts.book import Book, identities_of, lay_out, lock
from streams.alerts.cases import open_case, remind
from streams.alerts.config import AlertConfig, read_rules, shipped_rules
from streams.alerts.outbox import Draft, ref_of
from streams.alerts.sources import Found

__all__ = ["Raised", "Raiser", "rules_in_force", "write_letters"]

_CLAIM: Final = """
with taken as (
    delete from alert_inbox where id in (select id from alert_inbox order by id limit %s) returning source, source_id
)
select source, source_id from taken group by source, source_id
"""
_RULES: Final = "select id, source, body from alert_rules order by id desc limit 1"
_VERIFIED_EVERY: Final = timedelta(hours=1)
_STANDING_VERIFICATIONS: Final = """
select source_id, started_at, unit_id, point_id, meter_id from alert_source
where source = 'verification' and standing
"""
_BEFORE: Final = timedelta(days=3)
"""What a picture shows before the fault."""


class Raised(NamedTuple):
    """What one round did."""

    signals: int
    alerts: int
    messages: int
    more: bool


@dataclass(slots=True)
class _RulesInForce:
    number: int
    rules: Rules


async def rules_in_force(connection: psycopg.AsyncConnection) -> tuple[int, Rules]:
    """The rules loaded last and their number, or number 0 and those that ship."""
    row = await (await connection.execute(_RULES)).fetchone()
    if row is None:
        return 0, read_rules(shipped_rules(), "default_rules.toml")
    return row[0], read_rules(row[2], row[1])


class Raiser:
    """Raises what is new and steps what is due.

    Parameters
    ----------
    config : AlertConfig
    """

    def __init__(self, config: AlertConfig) -> None:
        self._config = config
        self._known: _RulesInForce | None = None
        self._verified_at: datetime | None = None

    async def once(self, connection: psycopg.AsyncConnection, now: datetime) -> Raised | None:
        """One round; None where another worker is at it.

        Parameters
        ----------
        connection
            In autocommit mode and idle.
        now : datetime
        """
        async with connection.transaction():
            if not await lock(connection, wait=False):
                return None
            rules = await self._rules(connection)
            claimed = await (await connection.execute(_CLAIM, (self._config.batch,))).fetchall()
            found = await self._found(connection, claimed, rules, now)
            book = await lay_out(connection, rules, found, now, zone=self._config.zone)
            for one in found:
                book.desk.signal(one.signal, now)
            book.desk.tick(now)
            messages = await self._post(connection, book, found, now)
            changed = len(book.desk.changed)
        if self._verified_at is None or now - self._verified_at >= _VERIFIED_EVERY:
            self._verified_at = now
        return Raised(len(found), changed, messages, len(claimed) > 0)

    async def _post(
        self, connection: psycopg.AsyncConnection, book: Book, found: Sequence[Found], now: datetime
    ) -> int:
        letters = book.desk.letters(now, waiting=_owners(book, self._config))
        by_identity = identities_of(found)
        await book.keep(connection, by_identity)
        drafts = write_letters(book, letters, self._config)
        for key in book.desk.opened:
            rule = book.desk.rules.named(book.desk.cards[key].rule)
            if rule is not None and rule.case:
                await open_case(connection, book.ids[key], None, now, self._config)
        drafts += await remind(connection, now, self._config, book.desk.rules, book.people)
        await outbox.write(connection, drafts, now)
        return len(drafts)

    async def _rules(self, connection: psycopg.AsyncConnection) -> Rules:
        row = await (await connection.execute("select coalesce(max(id), 0) from alert_rules")).fetchone()
        newest = int(row[0]) if row else 0
        if self._known is None or self._known.number != newest:
            self._known = _RulesInForce(*await rules_in_force(connection))
        return self._known.rules

    async def _found(
        self, connection: psycopg.AsyncConnection, claimed: Sequence[tuple[Any, ...]], rules: Rules, now: datetime
    ) -> list[Found]:
        seen = [row[1] for row in claimed if row[0] == "detection"]
        judged = [row[1] for row in claimed if row[0] == "finding"]
        found = await sources.detections(connection, seen, now, rules.severities) if seen else []
        found += await sources.findings(connection, judged, now) if judged else []
        if self._verified_at is None or now - self._verified_at >= _VERIFIED_EVERY:
            found += await _verifications(connection, now)
        return found


async def _verifications(connection: psycopg.AsyncConnection, now: datetime) -> list[Found]:
    """Verifications that are due, and those that were and are no longer."""
    due = await sources.verifications(connection, now)
    still = {one.meter_id for one in due}
    rows = await (await connection.execute(_STANDING_VERIFICATIONS)).fetchall()
    over = [row for row in rows if row[4] not in still]
    return due + await sources.verified(connection, [row[0] for row in over], now)


def _owners(book: Book, config: AlertConfig) -> tuple[Recipient, ...]:
    """Recipients whose mailbox has something that waits."""
    waiting = {name for name, box in book.desk.mailboxes.items() if box.waiting}
    rules, found = book.desk.rules, {}
    names = {name for rule in rules.rules for name in (*rule.tell, *(n for tier in rule.escalate for n in tier))}
    units = {
        book.desk.cards[post.alert].unit_code
        for name in waiting
        for post in book.desk.mailboxes[name].waiting
        if post.alert in book.desk.cards
    }
    for unit in sorted(units):
        for one in audience(sorted(names), unit_code=unit, rules=rules, people=book.desk.people, zone=config.zone):
            found[one.name] = one
    return tuple(one for name, one in found.items() if name in waiting)


def write_letters(book: Book, letters: Sequence[Outgoing], config: AlertConfig) -> list[Draft]:
    """Letters as messages of the outbox."""
    return [_draft(book, one, config) for one in letters]


def _draft(book: Book, one: Outgoing, config: AlertConfig) -> Draft:
    key = Draft.new_key()
    posts = one.letter.posts
    cards = [book.desk.cards[post.alert] for post in posts]
    ids = [book.ids[post.alert] for post in posts]
    units = {book.units[post.alert] for post in posts}
    single = len(posts) == 1
    board = config.board_url.replace("{alert}", str(ids[0]) if single else "")
    text = compose(
        one.letter,
        book.desk.cards,
        language=one.recipient.language,
        role=one.recipient.role,
        zone=config.zone,
        ref=ref_of(key),
        board=board,
    )
    return Draft(
        key=key,
        recipient=one.recipient.name,
        channel=one.recipient.channel,
        address=one.recipient.address,
        person_id=book.people.get(one.recipient.person),
        unit_id=units.pop() if len(units) == 1 else None,
        alert_ids=ids,
        purpose=posts[0].purpose.value if single else "digest",
        severity=max((post.severity for post in posts), key=SEVERITIES.index).value,
        language=one.recipient.language,
        title=text.title,
        body=text.body,
        picture=_picture(cards[0], book.now) if single and posts[0].purpose is not Purpose.CLEAR else None,
    )


def _picture(card: Card, now: datetime) -> dict[str, Any] | None:
    signal = card.examples[0]
    if not card.single or not signal.point or signal.source.value != "detection":
        return None
    return {
        "unit_code": signal.unit_code,
        "point": signal.point,
        "meter_no": signal.meter_no,
        "kind": signal.kind,
        "from": max(signal.started_at - _BEFORE, now - timedelta(days=14)).isoformat(),
        "fault_from": signal.started_at.isoformat(),
        "fault_to": (signal.ended_at or now).isoformat(),
        "to": now.isoformat(),
    }
