"""`meterwarden rejected`: what the workers refused, and sending it again."""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
import psycopg

from analytics.domain.errors import MeterwardenError
from analytics.domain.quality import RejectReason
from deploy.commands.common.parameters import Instant
from deploy.settings import load
from deploy.stack import Stack
from deploy.terminal import confirm, counted, say
from ingest.kafka.publisher import Publisher
from ingest.kafka.replay import send_again
from ingest.wire import shown
from streams.store.postgres.connections import connected
from streams.store.rejected import Chosen, RejectedRecord, mark_replayed, remove, select
from streams.store.rejected import count as rows_of

__all__ = ["command"]

_PAGE: Final = 500
_ONE_REPLAY: Final = 7_254_118_903  # of this project's advisory locks


class ReplayRuns(MeterwardenError):  # noqa: N818 - named after what is the matter
    """Somebody else is replaying rejected readings at this moment."""


_REASON = click.option(
    "--reason", type=click.Choice([reason.name.lower() for reason in RejectReason]), help="Only those refused so."
)
_UNIT = click.option("--unit", metavar="CODE", help="Only those of this energy-using unit.")
_SINCE = click.option("--since", type=Instant(), help="Only those refused at this time or later.")


@click.group()
def command() -> None:
    """List what the workers refused, send it again, or clear it."""


@command.command("list")
@_REASON
@_UNIT
@_SINCE
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many rows.")
@click.option("--after", type=int, default=0, help="Go on after the row with this id.")
@click.option("--pending", is_flag=True, help="Only those that were not replayed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the original bytes.")
def list_rows(
    *,
    reason: str | None,
    unit: str | None,
    since: datetime | None,
    limit: int,
    after: int,
    pending: bool,
    as_json: bool,
) -> None:
    """Show what was refused, by reason, where it came from, what was required and what came."""
    settings = load()

    async def rows() -> list[RejectedRecord]:
        async with connected(Stack(settings).dsn, "rejected") as connection:
            return await select(
                connection, after=after, reason=reason, unit_code=unit, since=since, pending=pending, limit=limit
            )

    found = asyncio.run(rows())
    if as_json:
        for row in found:
            say(json.dumps(_object(row), ensure_ascii=False))
        return
    say(_table(found, settings.zone))
    if len(found) == limit:
        say(f"there may be more: --after {found[-1].id}")


@command.command()
@_REASON
@_UNIT
@_SINCE
@click.option("--received-now", is_flag=True, help="As if it came now: the clock was behind when it really did.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent, and send nothing.")
def replay(*, reason: str | None, unit: str | None, since: datetime | None, received_now: bool, dry_run: bool) -> None:
    """Send what was refused to the workers again, as it came, after the ledger or a setting was mended."""
    stack = Stack(load())
    filters = {"reason": reason, "unit_code": unit, "since": since}
    if dry_run:
        rows, readings = asyncio.run(_counted(stack.dsn, filters))
        say(_said("would replay", rows, readings))
        return
    with Publisher(stack.kafka_config) as publisher:
        rows, readings = asyncio.run(_replayed(stack.dsn, publisher, filters, received_now=received_now))
    say(_said("replayed", rows, readings))


@command.command()
@_REASON
@_UNIT
@_SINCE
@click.option("--until", type=Instant(), help="Only those refused before this time.")
@click.option("--replayed", is_flag=True, help="Only those that were sent again.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(
    *, reason: str | None, unit: str | None, since: datetime | None, until: datetime | None, replayed: bool, yes: bool
) -> None:
    """Forget what was refused, for good: shows how many rows it would be, and asks."""
    dsn = Stack(load()).dsn
    chosen = asyncio.run(_chosen(dsn, reason=reason, unit_code=unit, since=since, until=until, replayed=replayed))
    found = asyncio.run(_count_of(dsn, chosen))
    rows, waiting = sum(one[1] for one in found), sum(one[3] for one in found)
    if not rows:
        say("nothing that was refused fits")
        return
    for name, count, readings, open_ in found:
        say(f"{name}: rows={count} readings={readings}, not sent again: {open_}")
    question = f"forget {counted(rows, 'row')} for good" + (f", {waiting} of them never sent again" if waiting else "")
    confirm(question, yes=yes)
    say(f"cleared: rows={asyncio.run(_removed(dsn, chosen))}")


async def _chosen(dsn: str, **filters: Any) -> Chosen:
    async with connected(dsn, "rejected") as connection:
        return Chosen(last=await _last_id(connection), **filters)


async def _count_of(dsn: str, chosen: Chosen) -> list[tuple[str, int, int, int]]:
    async with connected(dsn, "rejected") as connection:
        return await rows_of(connection, chosen)


async def _removed(dsn: str, chosen: Chosen) -> int:
    async with connected(dsn, "rejected") as connection:
        await _lock(connection)  # a replay that runs would send what is gone
        return await remove(connection, chosen)


async def _replayed(
    dsn: str, publisher: Publisher, filters: dict[str, Any], *, received_now: bool
) -> tuple[Counter[str], int]:
    """Send page by page; a page is marked after its last acknowledgement.

    Killed between, a page is sent twice, and the worker marks the readings of the second time as duplicates: nothing
    is lost and nothing is doubled.
    """
    rows: Counter[str] = Counter()
    readings = 0
    async with connected(dsn, "rejected") as connection:
        await _lock(connection)
        # what is refused again while this runs gets a higher id: it waits for the next replay
        last = await _last_id(connection)
        async for page in _pages(connection, last, filters):
            for row in page:
                send_again(
                    publisher,
                    row.topic,
                    row.payload,
                    unit_code=row.unit_code,
                    readings=row.readings,
                    received_at=_us(datetime.now(UTC) if received_now else row.stored_at),
                )
            publisher.flush()
            await mark_replayed(connection, [row.id for row in page])
            rows.update(row.reason for row in page)
            readings += sum(row.readings for row in page)
    return rows, readings


async def _counted(dsn: str, filters: dict[str, Any]) -> tuple[Counter[str], int]:
    rows: Counter[str] = Counter()
    readings = 0
    async with connected(dsn, "rejected") as connection:
        async for page in _pages(connection, await _last_id(connection), filters):
            rows.update(row.reason for row in page)
            readings += sum(row.readings for row in page)
    return rows, readings


async def _pages(
    connection: psycopg.AsyncConnection, last: int, filters: dict[str, Any]
) -> AsyncIterator[list[RejectedRecord]]:
    """Rows that were not replayed, up to the id `last`."""
    after = 0
    while True:
        page = await select(connection, after=after, pending=True, limit=_PAGE, **filters)
        page = [row for row in page if row.id <= last]
        if not page:
            return
        yield page
        after = page[-1].id


async def _lock(connection: psycopg.AsyncConnection) -> None:
    cursor = await connection.execute("select pg_try_advisory_lock(%s)", (_ONE_REPLAY,))
    row = await cursor.fetchone()
    if not row or not row[0]:
        raise ReplayRuns("one replay at a time: another one is running")


async def _last_id(connection: psycopg.AsyncConnection) -> int:
    cursor = await connection.execute("select coalesce(max(id), 0) from rejected")
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


def _us(when: datetime) -> int:
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _said(verb: str, rows: Counter[str], readings: int) -> str:
    reasons = ", ".join(f"{reason} {n}" for reason, n in rows.most_common()) or "nothing"
    return f"{verb}: rows={rows.total()} readings={readings} ({reasons})"


def _object(row: RejectedRecord) -> dict[str, Any]:
    try:
        payload = {"payload": row.payload.decode()}
    except UnicodeDecodeError:
        payload = {"payload_base64": base64.b64encode(row.payload).decode()}
    return {
        "id": row.id,
        "stored_at": row.stored_at.astimezone(UTC).isoformat(),
        "reason": row.reason,
        "required": row.required,
        "got": row.got,
        "unit_code": row.unit_code,
        "topic": row.topic,
        "partition": row.partition,
        "offset": row.kafka_offset,
        "position": row.position,
        "readings": row.readings,
        "replayed_at": row.replayed_at.astimezone(UTC).isoformat() if row.replayed_at else None,
        **payload,
    }


def _table(found: Sequence[RejectedRecord], zone: ZoneInfo) -> str:
    lines = [("id", "stored", "reason", "unit", "record", "readings", "required", "got", "replayed")]
    lines += [
        (
            str(row.id),
            f"{row.stored_at.astimezone(zone):%Y-%m-%d %H:%M:%S}",
            row.reason,
            row.unit_code or "–",
            f"{row.partition}/{row.kafka_offset}" + (f"[{row.position}]" if row.position >= 0 else ""),
            str(row.readings),
            shown(row.required, 40),
            shown(row.got, 40),
            f"{row.replayed_at.astimezone(zone):%Y-%m-%d %H:%M:%S}" if row.replayed_at else "–",
        )
        for row in found
    ]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)
