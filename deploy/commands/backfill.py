"""`meterwarden backfill`."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from analytics.domain.accuracy import in_service_factors
from analytics.standards.facts.factor_use import unused_factors
from deploy.commands.common.language import LANGUAGE
from deploy.commands.common.ledger_files import fault_lines
from deploy.commands.common.ledger_files import understood_lines as ledger_lines
from deploy.commands.common.parameters import ZoneName
from deploy.commands.common.reading_options import Questions, options_of, reading_options, understood_lines
from deploy.commands.ledger import FAULTY
from deploy.settings import load
from deploy.terminal import say
from ingest.ledgers import read_ledger
from ingest.readings import MeterDirectory
from ingest.readings.tally import Tally
from ingest.standard_files import read_standard, standards_from
from streams.backfill import ReadingsFile, Report, backfill

__all__ = ["command"]

_TELL_EVERY_S = 2.0
_MOST_STRANGE = 10
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--ledger", type=_FILE, required=True, help="Ledger of the units, .xlsx or .csv.")
@click.option("--readings", type=_FILE, multiple=True, required=True, help="File of readings; may be given again.")
@click.argument("more_readings", type=_FILE, nargs=-1, metavar="[FILE]...")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", required=True, help="Directory for the result files."
)
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Last local day to look at; silence is judged then.",
)
@click.option("--factors", type=_FILE, multiple=True, help="Factors to coal equivalent that were entered, .toml.")
@click.option(
    "--standard", "standards", type=_FILE, multiple=True, help="Edition, rules or facts to judge by beside what ships."
)
@click.option("--zone", type=ZoneName(), help="Zone of local days and times; else that of the settings.")
@LANGUAGE
@reading_options
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    ledger: Path,
    readings: tuple[Path, ...],
    more_readings: tuple[Path, ...],
    out: Path,
    as_of: datetime | None,
    factors: tuple[Path, ...],
    standards: tuple[Path, ...],
    zone: ZoneInfo | None,
    language: str,
    **given: Any,
) -> None:
    """Work files of readings out into result files, without Kafka or a database."""
    began = time.monotonic()
    zone = zone or load().zone
    report = read_ledger(ledger, zone=zone)
    for line in ledger_lines(report, language):
        say(line, err=True)
    if report.faults:
        for line in fault_lines(
            report, ledger, language, "未写出任何结果" if language == "zh" else "nothing is written"
        ):
            say(line)
        context.exit(FAULTY)
    received_at = time.time_ns() // 1000
    directory = MeterDirectory.of(report.ledger)
    questions = Questions(options_of(given), language)
    tally = Tally(directory=directory, received_at=received_at, detailed=False)
    sources = [
        ReadingsFile(
            path=path, zone=zone, received_at=received_at, tally=tally,
            opened=questions.opened(path, directory, received_at),
        )
        for path in (*readings, *more_readings)
    ]  # fmt: skip
    for source in sources:
        for line in () if source.opened is None else understood_lines(source.opened, language):
            say(line, err=True)
    questions.save(given["save_profile"])
    judged_by = standards_from([read_standard(path)[0] for path in (*standards, *factors)])
    for phrase in unused_factors(judged_by.factors.entered, report.ledger):
        say(phrase.of(language), err=True)
    done = backfill(
        report.ledger,
        sources,
        out,
        zone=zone,
        factors=judged_by.factors,
        standards=judged_by,
        as_of=None if as_of is None else as_of.date(),
        tell=_now_and_then(),
        in_service=in_service_factors(load().in_service),
    )
    for line in tally.lines(language):
        say(line, err=True)
    say(_summary(done, out, time.monotonic() - began))
    if done.sent and not done.accepted:
        say(f"{out}: no reading was accepted", err=True)
        context.exit(FAULTY)


def _now_and_then() -> Callable[[str], None]:
    """Tell how far it is, but not more often than somebody reads."""
    told = time.monotonic()

    def tell(line: str) -> None:
        nonlocal told
        if time.monotonic() - told >= _TELL_EVERY_S:
            told = time.monotonic()
            say(line, err=True)

    return tell


def _summary(report: Report, out: Path, took_s: float) -> str:
    lines = [f"{out}: " + ", ".join(f"{name} {rows}" for name, rows in report.rows.items()) + " rows"]
    if report.detections:
        lines.append("found: " + ", ".join(f"{kind} {n}" for kind, n in report.detections.most_common()))
    if report.reasons:
        lines.append("rejected: " + ", ".join(f"{reason} {n}" for reason, n in report.reasons.most_common()))
    if report.unexplained:
        lines.append(f"differences that nobody can explain, beside the amounts and not in them: {report.unexplained}")
    for (unit_code, meter_no), names in list(report.strange.items())[:_MOST_STRANGE]:
        lines.append(f"{unit_code} {meter_no}: only readings of registers nobody knows came: {', '.join(names[:5])}")
    if len(report.strange) > _MOST_STRANGE:
        lines.append(f"and of {len(report.strange) - _MOST_STRANGE} more meters")
    later = f" later={report.later}" if report.later else ""
    rate = report.sent / took_s
    lines.append(
        f"backfill: sent={report.sent} accepted={report.accepted} rejected={report.rejected}{later} "
        f"in {took_s:.1f} s, {rate:,.0f} readings/s"
    )
    return "\n".join(lines)
