"""`meterwarden readings`: raw readings out of the store, as the meters sent them."""

import gzip
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import click
from psycopg import sql

from analytics.domain.registers import is_apart
from deploy.commands.common.parameters import Instant
from deploy.commands.common.tables import AS_JSON, listed
from deploy.settings import load as settings
from deploy.stack import Stack
from deploy.terminal import say
from streams.store.postgres.connections import connected_blocking

__all__ = ["command"]

_SELECT: Final = """
select {unit_code}, {meter_no}, to_char(measured_at, 'YYYY-MM-DD"T"HH24:MI:SS.USTZH:TZM') as measured_at, value, unit,
       nullif({register}, 'main') as register, nullif(quality & 255, 0) as quality,
       to_char(received_at, 'YYYY-MM-DD"T"HH24:MI:SS.USTZH:TZM') as received_at
from reading
where measured_at >= {since} and measured_at < {until} and day between {first} and {last}
    and unit_code = coalesce({unit}, unit_code)
"""
"""Of `quality` what the sender stated, and not what was found on arrival."""
_TEXT: Final = "case when {0} ~ '^[=+@-]' then '''' || {0} else {0} end"
"""A text that no spreadsheet takes for a formula; `ingest` leaves the mark out again."""
_METERS: Final = " and meter_no = any ({meters})"
_POINTS: Final = " and point = any ({points})"
_ORDER: Final = " order by unit_code, meter_no, register, measured_at"

_STRANGE: Final = """
select l.unit_code, l.meter_no, array_agg(distinct l.register order by l.register), max(h.measured_at)
from register_list l
cross join lateral (
    select r.measured_at from reading_hot r where r.register_id = l.register_id order by r.measured_at desc limit 1
) h
where l.register not in ('main', 'device_status') and l.unit_code = coalesce(%(unit)s, l.unit_code)
    and not exists (select from consumption_hour c where c.point_id = l.point_id)
group by 1, 2 order by 1, 2
"""
"""Of narrow readings alone: what stopped coming long ago is no news."""


@click.group()
def command() -> None:
    """Export stored readings as the meters sent them."""


@command.command()
@click.option("--unit", metavar="CODE", help="Of this energy-using unit; all without it.")
@AS_JSON
def strange(*, unit: str | None, as_json: bool) -> None:
    """List meters of which only registers came that nobody knows: nothing of them is counted."""
    with connected_blocking(Stack(settings()).dsn, "readings") as connection:
        found = connection.execute(_STRANGE, {"unit": unit}).fetchall()
    rows = [
        {"unit_code": code, "meter_no": meter_no, "registers": ", ".join(names), "last_at": last_at}
        for code, meter_no, registers, last_at in found
        for names in [[name for name in registers if not is_apart(name)]]
        if names
    ]
    say(listed(rows, as_json=as_json))


@command.command()
@click.option("--unit", metavar="CODE", help="Of this energy-using unit; all without it.")
@click.option("--meter", "meters", multiple=True, metavar="NO", help="Of this meter alone; may be repeated.")
@click.option("--point", "points", multiple=True, metavar="CODE", help="Of this metering point alone; may be repeated.")
@click.option("--from", "since", type=Instant(), required=True, help="From this day or time on.")
@click.option("--to", "until", type=Instant(), required=True, help="Until before this day or time.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="A .csv or .csv.gz; - prints.",
)
def export(
    *,
    unit: str | None,
    meters: tuple[str, ...],
    points: tuple[str, ...],
    since: datetime,
    until: datetime,
    out: Path,
) -> None:
    """Write readings as a file that `ingest` and `backfill` take again: dial values, before any multiplier."""
    if until <= since:
        raise click.BadParameter(f"--to must be after {since.isoformat()} (got {until.isoformat()})")
    if str(out) != "-" and not out.name.endswith((".csv", ".csv.gz")):
        raise click.BadParameter(f"--out must end in .csv or .csv.gz (got {out.name})")
    query = _query(unit, meters, points, since, until)
    with _target(out) as file:
        count = _copied(query, file)
    say(f"{out}: {count:,} readings", err=str(out) == "-")


def _query(
    unit: str | None, meters: tuple[str, ...], points: tuple[str, ...], since: datetime, until: datetime
) -> sql.Composed:
    text = _SELECT + (_METERS if meters else "") + (_POINTS if points else "") + _ORDER
    texts = {name: sql.SQL(_TEXT).format(sql.Identifier(name)) for name in ("unit_code", "meter_no", "register")}
    chosen = sql.SQL(text).format(
        unit_code=texts["unit_code"] + sql.SQL(" as unit_code"),
        meter_no=texts["meter_no"] + sql.SQL(" as meter_no"),
        register=texts["register"],
        since=sql.Literal(since),
        until=sql.Literal(until),
        first=sql.Literal(since.astimezone(UTC).date()),
        last=sql.Literal(until.astimezone(UTC).date()),
        unit=sql.Literal(unit),
        meters=sql.Literal(list(meters)),
        points=sql.Literal(list(points)),
    )
    return sql.SQL("copy ({}) to stdout (format csv, header)").format(chosen)


def _copied(query: sql.Composed, file: IO[bytes]) -> int:
    """Rows that came, the head not counted."""
    zone = str(settings().zone)
    with connected_blocking(Stack(settings()).dsn, "readings") as connection:
        connection.execute("select set_config('timezone', %s, false)", (zone,))
        with connection.cursor() as cursor:
            with cursor.copy(query) as copy:
                for block in copy:
                    file.write(block)
            return cursor.rowcount


@contextmanager
def _target(out: Path) -> Iterator[IO[bytes]]:
    """The file, which appears whole or not at all, and for its owner alone."""
    if str(out) == "-":
        yield sys.stdout.buffer
        return
    draft = out.with_name(f".{out.name}.part")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as raw:
            if out.name.endswith(".gz"):
                with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed:
                    yield packed  # type: ignore[misc]  # what writes bytes
            else:
                yield raw
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
