"""`meterwarden ledger`: check, write the form for, and load the ledger of units."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from analytics.domain.ledger import Difference
from deploy.commands.common.language import LANGUAGE, option
from deploy.commands.common.ledger_bounds import bounds
from deploy.commands.common.ledger_files import (
    fault_lines,
    ledger_options,
    read_and_ask,
    summary,
    understood_lines,
)
from deploy.commands.common.parameters import ZoneName
from deploy.commands.common.reading_options import is_terminal
from deploy.commands.common.tables import table
from deploy.settings import load as settings
from deploy.stack import Stack
from deploy.terminal import counted, say
from ingest.ledgers import LedgerReport
from ingest.ledgers.folding import folded, lines_of
from ingest.ledgers.marking import write_completed, write_marked
from ingest.ledgers.wording import in_chinese
from ingest.ledgers.writing import write_ledger_template

__all__ = ["command"]

FAULTY: Final = 1
"""Exit code of a ledger with faults."""

_TAKEN: Final = "must not exist yet: a form does not replace what was filled in"
_MOST_KEPT: Final = 10_000  # changes of one load that are kept with it
_YES = click.option("--yes", is_flag=True, help="Agree to what changes of the ledger in force.")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would change, and load nothing.")
_XLSX = click.Path(dir_okay=False, path_type=Path)
_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_ZONE = click.option("--zone", type=ZoneName(), default="Asia/Shanghai", show_default=True, help="Zone of local times.")


@click.group()
def command() -> None:
    """Check and load the ledger of energy-using units, metering points and meters."""


@command.command()
@_FILE
@_ZONE
@ledger_options
@LANGUAGE
@click.option("--marked", type=_XLSX, metavar="FILE.xlsx", help="Write the same workbook, faults coloured, why beside.")
@click.option("--completed", type=_XLSX, metavar="FILE.xlsx", help="Write the ledger with what was inferred, marked.")
@click.option("--force", is_flag=True, help="Replace what --marked and --completed name; never FILE itself.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: what was understood, faults by kind.")
@click.pass_context
def check(
    context: click.Context,
    /,
    file: Path,
    zone: ZoneInfo,
    language: str,
    *,
    marked: Path | None,
    completed: Path | None,
    force: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Show what was understood of a ledger file and everything that is wrong with it, without loading it."""
    for written in (marked, completed):
        if written is not None:
            _free(written, file, force=force)
    report, _ = read_and_ask(file, zone, given, language)
    if marked is not None:
        say(f"{marked}: {counted(write_marked(file, report, marked, language=language), 'cell')} marked", err=True)
    if completed is not None and report.table.header is not None:
        say(_completed(completed, write_completed(report, completed, language=language), report, language), err=True)
    if as_json:
        say(json.dumps(_object(report, language), ensure_ascii=False, indent=2))
    else:
        _tell(report, file, language)
    context.exit(FAULTY if report.faults else 0)


def _free(written: Path, file: Path, *, force: bool) -> None:
    """Refuse to write over the file that is checked, and over any other one unless told to."""
    if written.exists() and (not force or written.samefile(file)):
        way_out = "" if written.samefile(file) else " (--force replaces it)"
        raise click.ClickException(f"{written} {_TAKEN}{way_out}")


def _new(form: Path) -> None:
    if form.exists():
        raise click.ClickException(f"{form} {_TAKEN}")


def _completed(target: Path, cells: int, report: LedgerReport, language: str) -> str:
    if language == "zh":
        return f"{target}：推断 {cells} 格" + ("；待定各项答复或填写后方可载入" if report.questions else "")
    still = "; it can be loaded when what is open is answered or filled in" if report.questions else ""
    return f"{target}: {counted(cells, 'cell')} inferred{still}"


def _object(report: LedgerReport, language: str) -> dict[str, Any]:
    return {
        "sound": not report.faults,
        "rows": report.rows,
        "sheet": report.sheet,
        "understood": dict(report.understood),
        "proposed": dict(report.proposed),
        "ignored": list(report.ignored),
        "passed_over": report.passed_over,
        "questions": [
            {"option": one.option, "text": one.text.zh if language == "zh" else one.text.en, "choices": one.choices}
            for one in report.questions
        ],
        "inferred": [
            {"row": one.row, "column": one.column, "why": one.why.zh if language == "zh" else one.why.en}
            for one in report.inferred
        ],
        "faults": [
            {
                "column": kind.column,
                "title": kind.title,
                "required": in_chinese(kind.required) if language == "zh" else kind.required,
                "got": kind.got,
                "rows": kind.rows,
            }
            for kind in folded(report.faults, report.titles)
        ],
    }


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
@_YES
@_DRY_RUN
@ledger_options
@LANGUAGE
@click.pass_context
def load(
    context: click.Context,
    /,
    file: Path,
    zone: ZoneInfo,
    since: datetime | None,
    language: str,
    *,
    correct: bool,
    yes: bool,
    dry_run: bool,
    **given: Any,
) -> None:
    """Load a ledger file over the ledger in force: all of it, or nothing where anything is wrong.

    A meter that was taken away is ended by its row's installed_to. A row that was wrong from the start (its date,
    meter or point) is put right in the file, and the file is loaded with --correct: consumption since then is worked
    out anew. What changes of the ledger in force is shown first, and asked.
    """
    began = None if since is None else since.replace(tzinfo=zone)
    if began is not None and began > datetime.now(zone):
        raise click.BadParameter(f"must not lie in the future (got {began.date()})", param_hint="--since")
    report, _ = read_and_ask(file, zone, given, language)
    _tell(report, file, language)
    if report.faults:
        context.exit(FAULTY)
    from deploy.ledger_loading import Origin, account, proposed  # noqa: PLC0415 - a check needs no database driver
    from deploy.ledger_loading import load as into_database  # noqa: PLC0415

    dsn = Stack(settings()).dsn
    proposal = proposed(dsn, report.ledger, zone, correct=correct)
    if proposal.faults:
        for line in lines_of(proposal.faults, report.titles, language):
            say(line)
        version = proposal.version
        say(f"{file}: nothing is loaded; version {version} stays in force (--correct: rows typed wrong)")
        context.exit(FAULTY)
    _agreed(context, proposal.difference, language, yes=yes, dry_run=dry_run)
    origin = Origin(by=account(), over=proposal.version, changes=proposal.difference.to_object()[:_MOST_KEPT])
    loaded = into_database(dsn, report.ledger, file.name, correct=correct, since=began, origin=origin)
    if loaded.faults:
        for line in lines_of(loaded.faults, report.titles, language):
            say(line)
        say(f"{file}: nothing is loaded; version {loaded.version} stays in force (--correct: rows typed wrong)")
        context.exit(FAULTY)
    if not loaded.loaded:
        say(f"{file}: holds nothing new; version {loaded.version} stays in force")
        return
    changes = loaded.changes
    for installation in changes.withdrawn:
        say(f"{file}: withdrawn: {installation}")
    added, replaced = len(changes.added_units), len(changes.replaced_units)
    if language == "zh":
        say(
            f"{file}：已载入为第 {loaded.version} 版：用能单位新增 {added} 家，替换 {replaced} 家；"
            f"安装记录新增 {changes.added} 条，变更 {changes.changed} 条"
        )
        return
    say(
        f"{file}: loaded as version {loaded.version}: {added} {'unit is' if added == 1 else 'units are'} new, "
        f"{replaced} replaced; installations: {changes.added} new, {changes.changed} changed"
    )


def _agreed(context: click.Context, found: Difference, language: str, *, yes: bool, dry_run: bool) -> None:
    """Show what a load changes, and go on only where somebody agrees or nothing in force is touched."""
    zh = language == "zh"
    for line in found.lines(language):
        say(line)
    if dry_run:
        say("试运行：未载入" if zh else "dry run: nothing is loaded")
        context.exit(0)
    if not found.needs_a_word or yes:
        return
    if is_terminal():
        if click.confirm("载入这些变更？" if zh else "load these changes?", default=False, err=True):
            return
    else:
        say(
            "以上变更会改动现行台账，未载入；确认无误请加 --yes" if zh
            else "these changes touch the ledger in force: nothing is loaded; --yes agrees to them", err=True,
        )  # fmt: skip
    context.exit(FAULTY)


@command.command()
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many loads.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a load, with every change.")
def history(limit: int, *, as_json: bool) -> None:
    """List the loads, the newest first: when, by whom, from what, and how much each changed."""
    from deploy.ledger_loading import history as loads  # noqa: PLC0415 - as above

    found = loads(Stack(settings()).dsn, limit)
    if as_json:
        for row in found:
            say(json.dumps(row, ensure_ascii=False, default=str))
        return
    for row in found:
        row["loaded_at"] = row["loaded_at"].astimezone(settings().zone)
        row["units"] = len(row["units"] or ())
        row.pop("details")
    say(table(found))


@command.command()
@click.argument("version", type=click.IntRange(1))
@_ZONE
@_YES
@_DRY_RUN
@LANGUAGE
@click.pass_context
def restore(context: click.Context, version: int, zone: ZoneInfo, language: str, *, yes: bool, dry_run: bool) -> None:
    """Go back to an earlier version of the ledger, as a new version; points that came since stay as they are."""
    from deploy.ledger_loading import Origin, account, gone_back_to, proposed  # noqa: PLC0415 - as above
    from deploy.ledger_loading import load as into_database  # noqa: PLC0415

    dsn = Stack(settings()).dsn
    ledger, kept = gone_back_to(dsn, version)
    proposal = proposed(dsn, ledger, zone)
    if kept:
        say(f"points that came after version {version} stay as they are: {', '.join(kept[:20])}", err=True)
    if not proposal.difference.changes:
        say(f"version {proposal.version} is the same as version {version}")
        return
    _agreed(context, proposal.difference, language, yes=yes, dry_run=dry_run)
    origin = Origin(
        by=account(), over=proposal.version, restored=version, changes=proposal.difference.to_object()[:_MOST_KEPT]
    )
    loaded = into_database(dsn, ledger, f"version {version}", correct=True, origin=origin)
    if loaded.faults:
        for line in lines_of(loaded.faults, {}, language):
            say(line)
        context.exit(FAULTY)
    say(f"version {version} is in force again, as version {loaded.version}")


@command.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@option("zh", "Of its headers.")
@click.option("--example", is_flag=True, help="With filled rows: a replaced meter, a changed transformer.")
def template(file: Path, language: str, *, example: bool) -> None:
    """Write a ledger workbook to fill in; columns that a meter needs are marked."""
    if file.suffix.lower() != ".xlsx":
        raise click.BadParameter("the name must end in .xlsx", param_hint="FILE")
    _new(file)
    write_ledger_template(file, language="zh" if language == "zh" else "en", example=example)
    say(f"{file}: {'a ledger with example rows' if example else 'an empty ledger to fill in'}")


def _tell(report: LedgerReport, file: Path, language: str) -> None:
    for line in understood_lines(report, language):
        say(line, err=True)
    if report.faults:
        for line in fault_lines(report, file, language):
            say(line)
    else:
        say(f"{file}: {summary(report.ledger, report.rows, language)}")
        for phrase in bounds(report.ledger):
            say(f"{file}: {phrase.of(language)}")
