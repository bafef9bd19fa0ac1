"""Raising: marks are claimed, signals read, alerts stepped and messages written, all in one transaction.

A mark is a row of `alert_inbox`. The triggers `alert_mark_insert` and `alert_mark_update` of migration 0009 write one
for each row of `detection` and `finding` that is new or changed, in the transaction that changes it; a meter's
verification needs none, it falls due by the clock. From there on five things follow each other: a *signal* (what was
found; `LocatedSignal` with its ids), an *alert* (`AlertCard`), a *notice* (what an alert has to say; `AddressedNotice`
to one recipient), a *letter* (notices sent together; `AddressedLetter`, `LetterText`) and a *message* (a row of the
outbox: `NewMessage`, `Message` once claimed, `MessageReceipt` once tried).

Killed anywhere before the commit, nothing of it happened and the marks are still there; after it, all of it did. One
worker at a time does it, by an advisory lock that goes with the transaction.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import psycopg

from analytics.alerting.desk import AddressedLetter, AlertCard
from analytics.alerting.lifecycle import Purpose
from analytics.alerting.rules import Recipient, Rules, audience
from analytics.alerting.words import compose
from analytics.domain.errors import ConfigurationError
from analytics.domain.severity import SEVERITIES
from streams.alerts import outbox, sources
from streams.alerts.aside import Aside, lenient
from streams.alerts.board_link import board_link
from streams.alerts.book import Book, identities_of, lay_out, lock
from streams.alerts.cases import open_case
from streams.alerts.config import AlertConfig, read_rules, shipped_rules
from streams.alerts.duties import remind_of_duties
from streams.alerts.gateways import tell_of_gateways
from streams.alerts.outbox import NewMessage, ref_of
from streams.alerts.reminders import remind_of_cases
from streams.alerts.sources import LocatedSignal
from streams.alerts.uploads import tell_of_uploads

__all__ = ["Raised", "Raiser", "rules_in_force", "rules_of", "write_letters"]

log = logging.getLogger("metering.alerts")

_CLAIM: Final = """
with taken as (
    delete from alert_inbox where id in (select id from alert_inbox order by id limit %s) returning source, source_id
)
select source, source_id from taken group by source, source_id
"""
_MARKS: Final = "select id from alert_inbox order by id limit %s"
_CLAIM_THESE: Final = """
with taken as (delete from alert_inbox where id = any(%s) returning source, source_id)
select source, source_id from taken group by source, source_id
"""
_DUE_CARDS: Final = "select id from alert where state not in ('cleared', 'dropped') and next_at <= %s order by id"
_ENDED: Final = """
select a.id from alert a join case_file c on c.alert_id = a.id
where c.closed_at is not null and a.state not in ('cleared', 'dropped')
    and not exists (select from alert_aside s
                    where s.source = 'alert' and s.source_key = a.id::text and s.solved_at is null)
order by a.id
"""
"""Alerts whose case is over: they end with it."""
_RULES: Final = "select id, source, body from alert_rules order by id desc limit 1"
_VERIFIED_EVERY: Final = timedelta(hours=1)
_STANDING_VERIFICATIONS: Final = """
select source_id, started_at, unit_id, point_id, meter_id from alert_source
where source = 'verification' and standing
"""
_BEFORE: Final = timedelta(days=3)
"""What a picture shows before the fault."""


class Raised(NamedTuple):
    """Counts of one round."""

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
    return (0, rules_of(None, None)) if row is None else (row[0], rules_of(row[1], row[2]))


def rules_of(source: str | None, body: str | None) -> Rules:
    """Rules as a row of `alert_rules` has them; those that ship where there is none."""
    if body is None:
        return read_rules(shipped_rules(), "default_rules.toml")
    return read_rules(body, source or "")


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
        lenient(connection)
        verify = self._verified_at is None or now - self._verified_at >= _VERIFIED_EVERY
        try:
            raised = await self._round(connection, now, _Share(verifications=verify))
        except psycopg.OperationalError:
            raise
        except Exception:
            log.exception("a round of alerts broke: it is done in parts, to find the row that is wrong")
            raised = await self._in_parts(connection, now, verify=verify)
        if verify and raised is not None:
            self._verified_at = now
        return raised

    async def _round(self, connection: psycopg.AsyncConnection, now: datetime, share: "_Share") -> Raised | None:
        """One transaction with this share of what there is to do."""
        aside = Aside()
        async with connection.transaction():
            if not await lock(connection, wait=False):
                return None
            rules = await self._rules(connection, aside)
            claimed = await self._claimed(connection, share)
            found = await self._found(connection, claimed, rules, now, share, aside)
            ended = await _ended(connection) if share.clock or share.cards else set()
            ids = [*share.cards, *(ended if share.clock else ())]
            book = await lay_out(
                connection, rules, found, now, zone=self._config.zone, ids=ids, clock=share.clock, aside=aside
            )
            for one in found:
                book.desk.signal(one.signal, now)
            for key, identity in book.ids.items():
                if identity in ended and not book.desk.cards[key].alert.phase.over:
                    book.desk.clear(key, now)
            if share.clock or share.cards:
                book.desk.tick(now)
            messages = await self._post(connection, book, found, now, aside)
            changed = len(book.desk.changed)
            await aside.keep(connection)
        return Raised(len(found), changed, messages, len(claimed) > 0)

    async def _in_parts(self, connection: psycopg.AsyncConnection, now: datetime, *, verify: bool) -> Raised | None:
        """Bisection after a failure: the same work in ever smaller parts; what fails alone is quarantined."""
        raised = Raised(0, 0, 0, more=False)
        marks = await (await connection.execute(_MARKS, (self._config.batch,))).fetchall()
        parts = [_Share(marks=[row[0] for row in marks])] if marks else []
        if verify:
            parts.append(_Share(meters=await _meters_due(connection, now)))
        due = await (await connection.execute(_DUE_CARDS, (now,))).fetchall()
        parts += [_Share(cards=[one]) for one in sorted({row[0] for row in due} | await _ended(connection))]
        while parts:
            share = parts.pop()
            try:
                done = await self._round(connection, now, share)
            except psycopg.OperationalError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it is parted down to one row
                halves = share.halves()
                parts += halves
                if not halves:
                    await _set_aside(connection, share, error)
                continue
            if done is None:
                return None
            raised = Raised(
                raised.signals + done.signals,
                raised.alerts + done.alerts,
                raised.messages + done.messages,
                raised.more or done.more,
            )
        return raised

    async def _claimed(self, connection: psycopg.AsyncConnection, share: "_Share") -> list[tuple[Any, ...]]:
        if share.marks is None:
            return await (await connection.execute(_CLAIM, (self._config.batch,))).fetchall()
        return await (await connection.execute(_CLAIM_THESE, (list(share.marks),))).fetchall()

    async def _post(
        self,
        connection: psycopg.AsyncConnection,
        book: Book,
        found: Sequence[LocatedSignal],
        now: datetime,
        aside: Aside,
    ) -> int:
        letters = book.desk.letters(now, waiting=_owners(book, self._config))
        by_identity = identities_of(found)
        await book.keep(connection, by_identity)
        drafts = write_letters(book, letters, self._config)
        for key in book.desk.opened:
            rule = book.desk.rules.named(book.desk.cards[key].rule)
            if rule is not None and rule.case:
                await open_case(connection, book.ids[key], None, now, self._config)
        drafts += await remind_of_cases(connection, now, self._config, book.desk.rules, book.people, aside)
        drafts += await remind_of_duties(connection, now, self._config, book.desk.rules, book.people, aside)
        drafts += await tell_of_gateways(connection, now, self._config, book.desk.rules, book.people, aside)
        drafts += await tell_of_uploads(connection, now, self._config, book.desk.rules, book.people, aside)
        await outbox.write(connection, drafts, now)
        return len(drafts)

    async def _rules(self, connection: psycopg.AsyncConnection, aside: Aside) -> Rules:
        row = await (await connection.execute("select coalesce(max(id), 0) from alert_rules")).fetchone()
        newest = int(row[0]) if row else 0
        if self._known is None or self._known.number != newest:
            try:
                self._known = _RulesInForce(*await rules_in_force(connection))
            except ConfigurationError as error:  # loaded past the checks: those before it go on to be in force
                aside.add("alert_rules", newest, error)
                rules = read_rules(shipped_rules(), "default_rules.toml") if self._known is None else self._known.rules
                self._known = _RulesInForce(newest, rules)
        return self._known.rules

    async def _found(
        self,
        connection: psycopg.AsyncConnection,
        claimed: Sequence[tuple[Any, ...]],
        rules: Rules,
        now: datetime,
        share: "_Share",
        aside: Aside,
    ) -> list[LocatedSignal]:
        seen = [row[1] for row in claimed if row[0] == "detection"]
        judged = [row[1] for row in claimed if row[0] == "finding"]
        found = await sources.detections(connection, seen, now, rules.severities, aside) if seen else []
        found += await sources.findings(connection, judged, now, aside) if judged else []
        if share.verifications or share.meters:
            due = await _verifications(connection, now, aside)
            found += [one for one in due if share.verifications or one.meter_id in share.meters]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """What one transaction is to do.

    Attributes
    ----------
    marks : sequence of int or None
        Of the inbox; None for as many as a batch takes.
    verifications : bool
        Whether all meters that are due are looked at.
    meters : sequence of int
        Else these.
    cards : sequence of int
        Alerts whose clock is looked at, where not that of all is.
    """

    marks: Sequence[int] | None = None
    verifications: bool = False
    meters: Sequence[int] = ()
    cards: Sequence[int] = ()

    @property
    def clock(self) -> bool:
        """Whether the clock of all alerts is looked at."""
        return self.marks is None and not self.meters and not self.cards

    def halves(self) -> "list[_Share]":
        """Two smaller shares; none of one that cannot be parted."""
        if self.marks is not None and len(self.marks) > 1:
            middle = len(self.marks) // 2
            return [_Share(marks=self.marks[:middle]), _Share(marks=self.marks[middle:])]
        if len(self.meters) > 1:
            middle = len(self.meters) // 2
            return [_Share(marks=(), meters=self.meters[:middle]), _Share(marks=(), meters=self.meters[middle:])]
        return []


async def _set_aside(connection: psycopg.AsyncConnection, share: _Share, error: BaseException) -> None:
    """Keep what broke a transaction by itself, and see that it does not do so again."""
    aside = Aside()
    async with connection.transaction():
        for mark in share.marks or ():
            row = await (
                await connection.execute("delete from alert_inbox where id = %s returning source, source_id", (mark,))
            ).fetchone()
            if row is not None:
                aside.add(row[0], row[1], error)
        for meter in share.meters:
            aside.add("verification_state", meter, error)
        for card in share.cards:
            await connection.execute("update alert set next_at = null where id = %s", (card,))
            aside.add("alert", card, error)
        await aside.keep(connection)


async def _ended(connection: psycopg.AsyncConnection) -> set[int]:
    return {row[0] for row in await (await connection.execute(_ENDED)).fetchall()}


async def _meters_due(connection: psycopg.AsyncConnection, now: datetime) -> list[int]:
    return [one.meter_id for one in await _verifications(connection, now, Aside()) if one.meter_id is not None]


async def _verifications(connection: psycopg.AsyncConnection, now: datetime, aside: Aside) -> list[LocatedSignal]:
    """Verifications that are due, and those that were and are no longer."""
    due = await sources.verifications(connection, now, aside)
    still = {one.meter_id for one in due}
    rows = await (await connection.execute(_STANDING_VERIFICATIONS)).fetchall()
    over = [row for row in rows if row[4] not in still]
    return due + await sources.verified(connection, [row[0] for row in over], now, aside)


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


def write_letters(book: Book, letters: Sequence[AddressedLetter], config: AlertConfig) -> list[NewMessage]:
    """Letters as messages of the outbox."""
    return [_draft(book, one, config) for one in letters]


def _draft(book: Book, one: AddressedLetter, config: AlertConfig) -> NewMessage:
    key = NewMessage.new_key()
    posts = one.letter.posts
    cards = [book.desk.cards[post.alert] for post in posts]
    ids = [book.ids[post.alert] for post in posts]
    units = {book.units[post.alert] for post in posts}
    single = len(posts) == 1
    board = board_link(
        config.board_url,
        alerts=ids,
        units={card.unit_code for card in cards},
        points={signal.point for card in cards for signal in card.examples},
        language=one.recipient.language,
        since=min(card.alert.since for card in cards),
        until=book.now,
    )
    text = compose(
        one.letter,
        book.desk.cards,
        language=one.recipient.language,
        role=one.recipient.role,
        zone=config.zone,
        ref=ref_of(key),
        board=board,
    )
    return NewMessage(
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


def _picture(card: AlertCard, now: datetime) -> dict[str, Any] | None:
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
