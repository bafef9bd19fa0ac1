"""`meterwarden upload`: to the official platform, by profile."""

import json
import logging
import signal
import sys
import threading
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import click
import psycopg

from analytics.domain.errors import ConfigurationError, MeterwardenError, RegistryError
from deploy.commands.common.parameters import Instant
from deploy.commands.common.tables import AS_JSON, listed
from deploy.database import inside
from deploy.settings import load
from deploy.terminal import say
from ingest.upload.client import REGISTRATION, Platform, Uploaded, Uploader
from ingest.upload.codes import parse_code
from ingest.upload.figures import (
    COMPLETE,
    CONSISTENT,
    DAY,
    MONTH,
    Amount,
    Figures,
    Item,
    Plan,
    inconsistent_months,
    plan_of,
)
from ingest.upload.outbox import Outbox
from ingest.upload.profile import platform_profile
from ingest.upload.slot import begin_of, keep_uploading, slot_of
from streams.logs import log_to

__all__ = ["command"]

INCOMPLETE: Final = 1
"""Exit code where data was refused, or is less complete than platforms ask for."""
log = logging.getLogger("metering.upload")

_ESTIMATED: Final = 1
_PLANNED: Final = "planned until"
_FIRST: Final = "planned since"
_HOURS: Final = """
select p.code, h.start, h.amount, h.completeness, h.quality
from consumption_hour h join metering_point p on p.id = h.point_id join unit u on u.id = p.unit_id
where u.code = %s and p.code = any(%s) and h.start >= %s and h.start < %s
"""
_POINTS: Final = """
select p.code from metering_point p join unit u on u.id = p.unit_id where u.code = %s and p.code = any(%s)
"""
_NOTE: Final = """
insert into official_upload as o (unit_code, platform, tried_at, done_at, accepted, refused, waiting, corrected, answer)
values (%(unit)s, %(platform)s, now(),
        case when %(refused)s + %(waiting)s = 0 and %(answer)s = '' then now() end,
        %(accepted)s, %(refused)s, %(waiting)s, %(corrected)s, %(answer)s)
on conflict (unit_code, platform) do update
set tried_at = excluded.tried_at, done_at = coalesce(excluded.done_at, o.done_at), accepted = excluded.accepted,
    refused = excluded.refused, waiting = excluded.waiting, corrected = excluded.corrected, answer = excluded.answer
"""
_ANSWER_CHARACTERS: Final = 500
_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Config:
    platform: Platform
    items: Sequence[Item]
    outbox: Path
    required: float
    slot: time | None = None


@click.group()
def command() -> None:
    """Bring hours, days and months to the official platform; a gap is never sent as 0."""


@command.command()
@_FILE
@click.option("--since", type=Instant(), help="From when; the day before yesterday without it.")
@click.option("--until", type=Instant(), help="Until when; the last local midnight without it.")
@click.pass_context
def plan(context: click.Context, file: Path, since: datetime | None, until: datetime | None) -> None:
    """Show what would be sent and how complete it is; nothing is sent."""
    config = _read(file)
    found, *_ = _plan(config, since, until)
    _show(found.figures)
    context.exit(INCOMPLETE if _incomplete(found.figures) else 0)


@command.command()
@_FILE
@click.option("--since", type=Instant(), help="From when; the last month and this, from the first run on.")
@click.option("--until", type=Instant(), help="Until when; the last local midnight without it.")
@click.option("--daily", is_flag=True, help="Stay, and do it every day at the slot that the platform gave.")
@click.pass_context
def run(context: click.Context, file: Path, since: datetime | None, until: datetime | None, *, daily: bool) -> None:
    """Register, check versions, send the configuration, and send what is not acknowledged."""
    config = _read(file)
    if daily:
        if since or until:
            raise click.UsageError("--daily knows since when and until when")
        log_to(sys.stderr)
        _stay(config)
        return
    done, waiting = _upload(config, since, until)
    context.exit(INCOMPLETE if done.refused or waiting else 0)


def _upload(config: _Config, since: datetime | None = None, until: datetime | None = None) -> tuple[Uploaded, int]:
    """Upload once; what came of it, and how many data wait still."""
    outbox = Outbox(config.outbox)
    done, said = Uploaded(), ""
    try:
        found, begin, end = _plan(config, since or _begin(outbox), until)
        _show(found.figures)
        outbox.put(found.data)
        if since is None:
            outbox.remember(_PLANNED, end.isoformat())
        if outbox.remembered(_FIRST) is None:
            outbox.remember(_FIRST, begin.isoformat())
        _show_inconsistent(config, outbox)
        uploader = Uploader(config.platform, outbox)
        uploader.check_versions()
        uploader.configure(config.items)
        done = uploader.upload()
        said = done.answer
    except MeterwardenError as error:
        said = str(error)
        raise
    finally:
        counts = outbox.counts()
        outbox.close()
        _note(config, done, counts, said)
    waiting = counts.get("waiting", 0)
    say(
        f"upload: accepted={done.accepted} refused={done.refused} "
        f"waiting={waiting} corrected={counts.get('corrected', 0)}"
    )
    if done.refused:
        say(done.answer, err=True)
    return done, waiting


def _note(config: _Config, done: Uploaded, counts: Mapping[str, int], said: str) -> None:
    """Keep how a run went where the page on operations finds it; the outbox is what counts."""
    facts = {
        "unit": config.platform.enterprise_code,
        "platform": urlsplit(config.platform.url).netloc,
        "accepted": done.accepted,
        "refused": counts.get("refused", 0),
        "waiting": counts.get("waiting", 0),
        "corrected": counts.get("corrected", 0),
        "answer": said[:_ANSWER_CHARACTERS],
    }

    async def keep(connection: psycopg.AsyncConnection) -> None:
        await connection.execute(_NOTE.encode(), facts)

    try:
        inside(keep)
    except MeterwardenError as error:
        log.warning("how the upload went is not in the database: %s", error)


def _begin(outbox: Outbox) -> datetime | None:
    """From when on this run looks; None before the first."""
    ended, first = outbox.remembered(_PLANNED), outbox.remembered(_FIRST)
    earliest = outbox.first()
    if ended is None or (first is None and earliest is None):
        return None
    zone, midnight = load().zone, _midnight()
    began = datetime.fromisoformat(first) if first is not None else earliest
    assert began is not None, "one of them is there"
    last_end = datetime.fromisoformat(ended).astimezone(zone)
    began = began.astimezone(zone) if began.tzinfo is not None else began.replace(tzinfo=zone)
    here = [at.replace(tzinfo=None) for at in (began, last_end, midnight)]
    return begin_of(*here).replace(tzinfo=zone)


def _slot(config: _Config) -> time | None:
    if config.slot is not None:
        return config.slot
    outbox = Outbox(config.outbox)
    try:
        given = outbox.remembered(REGISTRATION)
    finally:
        outbox.close()
    text = json.loads(given).get("uploadTime") if given is not None else None
    return slot_of(str(text)) if text else None


def _stay(config: _Config) -> None:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    zone = load().zone

    def once() -> bool:
        return not _upload(config)[1]

    keep_uploading(once, lambda: _slot(config), now=lambda: datetime.now(zone).replace(tzinfo=None), wait=stopping.wait)


@command.command()
@_FILE
@click.option("--state", type=click.Choice(["waiting", "sent", "refused", "corrected"]), help="Show these data.")
@AS_JSON
def status(file: Path, state: str | None, *, as_json: bool) -> None:
    """Show what was sent, what waits, what was refused, and what was corrected after it was accepted."""
    config = _read(file)
    outbox = Outbox(config.outbox)
    try:
        if state is None:
            rows: list[dict[str, Any]] = [
                {"state": name, "data": count} for name, count in sorted(outbox.counts().items())
            ]
            slot = _slot(config)
            say(f"slot of every day: {slot or 'not known before the registration'}", err=True)
        else:
            rows = [
                {
                    "code": kept.datum.code,
                    "kind": kept.datum.stat_type,
                    "start": kept.datum.start,
                    "value": kept.datum.value,
                    "sent": kept.sent_value,
                    "attempts": kept.attempts,
                    "answer": kept.answer,
                }
                for kept in outbox.list(state)
            ]
        say(listed(rows, as_json=as_json))
    finally:
        outbox.close()


def _show(figures: Sequence[Figures]) -> None:
    kinds = ("hours", "days", "months", "years")
    for one in figures:
        first = f", the first missing {one.missing[0]:%Y-%m-%d %H:%M}" if one.missing else ""
        share = (
            f"{one.complete} of {one.periods} ({one.completeness:.1%})" if one.periods else "none is over in the span"
        )
        say(f"{one.code} {kinds[one.stat_type]}: {share}{first}", err=True)


def _show_inconsistent(config: _Config, outbox: Outbox) -> None:
    """Say which months are sent beside days that do not add up to them."""
    for item in config.items:
        for month, share in inconsistent_months(outbox.values(item.code, DAY), outbox.values(item.code, MONTH)):
            say(
                f"{item.code} {month:%Y-%m}: days that sum to the month within {CONSISTENT:.0%} are required "
                f"(they differ by {share:.1%}: `upload status FILE --state corrected`)",
                err=True,
            )


def _incomplete(figures: Sequence[Figures]) -> bool:
    return any(one.completeness < COMPLETE for one in figures)


def _midnight() -> datetime:
    return datetime.now(load().zone).replace(hour=0, minute=0, second=0, microsecond=0)


def _plan(config: _Config, since: datetime | None, until: datetime | None) -> tuple[Plan, datetime, datetime]:
    """What is to be sent, from when and until when."""
    zone, midnight = load().zone, _midnight()
    end = (until or midnight).astimezone(zone)
    begin = (since or midnight - timedelta(days=2)).astimezone(zone)
    points = sorted({point for item in config.items for point in item.points})
    hours = inside(lambda connection: _hours(connection, config.platform.enterprise_code, points, begin, end, zone))
    planned = plan_of(
        config.items,
        hours,
        since=begin.replace(tzinfo=None),
        until=end.replace(tzinfo=None),
        required=config.required,
        stat_types=[one for one in config.platform.profile.stat_types if one <= 2],
    )
    return planned, begin, end


async def _hours(
    connection: psycopg.AsyncConnection,
    unit_code: str,
    points: Sequence[str],
    begin: datetime,
    end: datetime,
    zone: ZoneInfo,
) -> list[Amount]:
    known = await connection.execute("select from unit where code = %s", (unit_code,))
    if await known.fetchone() is None:
        raise RegistryError(f"the ledger must have the unit (it has none with the code {unit_code})")
    cursor = await connection.execute(_POINTS.encode(), (unit_code, list(points)))
    there = {code for (code,) in await cursor.fetchall()}
    if strange := [code for code in points if code not in there]:
        raise RegistryError(
            f"the ledger must have the metering points that items name (unit {unit_code} has no {', '.join(strange)})"
        )
    cursor = await connection.execute(_HOURS.encode(), (unit_code, list(points), begin, end))
    return [
        Amount(
            point=point,
            start=hour.astimezone(zone).replace(tzinfo=None),
            amount=Decimal(repr(amount)),
            completeness=completeness,
            estimated=bool(quality & _ESTIMATED),
        )
        for point, hour, amount, completeness, quality in await cursor.fetchall()
        if amount is not None
    ]


def _read(path: Path) -> _Config:
    try:
        found: Mapping[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} must be TOML ({error})") from None
    faults: list[str] = []
    head = found.get("platform", {})
    faults += [
        f"[platform] {name} must be a text (got {head.get(name)!r})"
        for name in ("url", "region", "enterprise_code", "profile")
        if not isinstance(head.get(name), str) or not head[name]
    ]
    slot = None
    try:
        slot = slot_of(str(head["slot"])) if "slot" in head else None
    except ConfigurationError as error:
        faults.append(f"[platform] {error}")
    items = [
        item
        for number, row in enumerate(found.get("item", ()), 1)
        if (item := _item(row, f"item {number}", faults)) is not None
    ]
    if not items:
        faults.append("a table [[item]] is required")
    if faults:
        raise ConfigurationError(f"{path}: " + "; ".join(faults))
    ca = head.get("ca")
    return _Config(
        platform=Platform(
            url=head["url"],
            region=head["region"],
            enterprise_code=head["enterprise_code"],
            profile=platform_profile(head["profile"], path.parent),
            enterprise=found.get("enterprise", {}),
            ca=path.parent / ca if ca else None,
        ),
        items=items,
        outbox=path.parent / str(head.get("outbox", "outbox.sqlite")),
        required=float(head.get("completeness", 1.0)),
        slot=slot,
    )


def _item(row: Mapping[str, Any], place: str, faults: list[str]) -> Item | None:
    before = len(faults)
    try:
        parse_code(str(row.get("code", "")))
    except ConfigurationError as error:
        faults.append(f"{place}: {error}")
    points: dict[str, Decimal] = {}
    for point, factor in dict(row.get("points", {})).items():
        try:
            points[point] = Decimal(str(factor))
        except InvalidOperation:
            faults.append(f"{place}: the factor of {point} must be a number (got {factor!r})")
    if not points:
        faults.append(f"{place}: points must be a table of metering points and factors, as {{ P1 = 1 }}")
    if len(faults) > before:
        return None
    return Item(
        code=row["code"],
        name=str(row.get("name", row["code"])),
        points=points,
        scope=int(row.get("scope", 0)),
        input_type=int(row.get("input_type", 4)),
        decimals=int(row.get("decimals", 2)),
    )
