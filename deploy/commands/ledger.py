"""`meterwarden ledger`: check, write the form for, and load the ledger of units."""

import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import click
import numpy as np

from analytics.domain.ledger import Ledger, LedgerFault
from deploy.commands.parameters import ZoneName
from deploy.settings import load as settings
from deploy.stack import Stack
from ingest.ledgers import LedgerReport, read_ledger
from ingest.ledgers.writing import write_ledger_template

__all__ = ["command"]

FAULTY: Final = 1
"""Exit code of a ledger with faults."""

_REQUIRED_WIDTH: Final = 64

_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_ZONE = click.option("--zone", type=ZoneName(), default="Asia/Shanghai", show_default=True, help="Zone of local times.")


@click.group()
def command() -> None:
    """Check and load the ledger of energy-using units, metering points and meters."""


@command.command()
@_FILE
@_ZONE
@click.pass_context
def check(context: click.Context, file: Path, zone: ZoneInfo) -> None:
    """Tell everything that is wrong with a ledger file, without loading it."""
    report = read_ledger(file, zone=zone)
    _tell(report, file)
    context.exit(FAULTY if report.faults else 0)


@command.command()
@_FILE
@_ZONE
@click.option(
    "--correct",
    is_flag=True,
    help="Installations that were loaded and are missing now never were (typed wrong): withdraw them.",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Local day from which another status or class of a meter holds; now without it.",
)
@click.pass_context
def load(context: click.Context, file: Path, zone: ZoneInfo, since: datetime | None, *, correct: bool) -> None:
    """Load a ledger file over the ledger in force: all of it, or nothing where anything is wrong.

    A meter that was taken away is ended by its row's installed_to. A row that was wrong from the start (its date,
    meter or point) is put right in the file, and the file is loaded with --correct: consumption since then is worked
    out anew.
    """
    began = None if since is None else since.replace(tzinfo=zone)
    if began is not None and began > datetime.now(zone):
        raise click.BadParameter(f"must not lie in the future (got {began.date()})", param_hint="--since")
    report = read_ledger(file, zone=zone)
    _tell(report, file)
    if report.faults:
        context.exit(FAULTY)
    from deploy.ledger_loading import load as into_database  # noqa: PLC0415 - a check needs no database driver

    loaded = into_database(Stack(settings()).dsn, report.ledger, file.name, correct=correct, since=began)
    if loaded.faults:
        click.echo(fault_table(loaded.faults, report.titles))
        click.echo(f"{file}: nothing is loaded; version {loaded.version} stays in force (--correct: rows typed wrong)")
        context.exit(FAULTY)
    if not loaded.loaded:
        click.echo(f"{file}: says what was loaded before; version {loaded.version} stays in force")
        return
    changes = loaded.changes
    for installation in changes.withdrawn:
        click.echo(f"{file}: withdrawn: {installation}")
    click.echo(
        f"{file}: loaded as version {loaded.version}: {len(changes.added_units)} units are new, "
        f"{len(changes.replaced_units)} replaced; installations: {changes.added} new, {changes.changed} changed"
    )


@command.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--language", type=click.Choice(["zh", "en"]), default="zh", show_default=True, help="Of its headers.")
def template(file: Path, language: str) -> None:
    """Write an empty ledger workbook to fill in."""
    if file.suffix.lower() != ".xlsx":
        raise click.BadParameter("the name must end in .xlsx", param_hint="FILE")
    write_ledger_template(file, language="zh" if language == "zh" else "en")
    click.echo(f"{file}: an empty ledger to fill in")


def _tell(report: LedgerReport, file: Path) -> None:
    if report.ignored:
        click.echo(f"{file}: columns that are not of the ledger, passed over: {', '.join(report.ignored)}", err=True)
    if report.faults:
        click.echo(fault_table(report.faults, report.titles))
        rows = len({fault.row for fault in report.faults})
        click.echo(f"{file}: faults: {len(report.faults)}, in rows: {rows}, of {report.rows} read; nothing is loaded")
    else:
        click.echo(f"{file}: {summary(report.ledger, report.rows)}")


def summary(ledger: Ledger, rows: int) -> str:
    """One sentence on what a sound ledger holds."""
    bare = int(np.sum(np.diff(ledger.point_installation_start) == 0))
    return (
        f"sound: {rows} rows, {len(ledger.unit_codes)} units, {len(ledger.point_codes)} points "
        f"({bare} of them without a meter), {len(ledger.meter_nos)} meters, {len(ledger.installations)} installations"
    )


def fault_table(faults: Sequence[LedgerFault], titles: Mapping[str, str]) -> str:
    """Faults as a table; columns are called what the file calls them."""
    lines = [("row", "column", "required", "got")]
    for fault in faults:
        title = titles.get(fault.column, fault.column)
        column = title if title == fault.column else f"{title} ({fault.column})"
        first, *more = textwrap.wrap(fault.required, _REQUIRED_WIDTH) or [""]
        lines.append((str(fault.row) if fault.row else "–", column or "–", first, fault.got))
        lines.extend(("", "", rest, "") for rest in more)
    widths = [max(_width(line[place]) for line in lines) for place in range(3)]
    return "\n".join("  ".join((*map(_padded, line, widths), line[3])).rstrip() for line in lines)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Columns of a terminal that a text takes: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
