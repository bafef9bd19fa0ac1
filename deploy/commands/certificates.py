"""`meterwarden certificates`: what was verified or calibrated, by whom, until when, with the scan; and what is due."""

from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import click
import psycopg

from analytics.domain.errors import ConfigurationError
from analytics.domain.words import VERIFICATION
from analytics.review.certificates import CONCLUSIONS, KINDS, Certificate, certificate_rows, faults_of
from deploy.commands.common.language import LANGUAGE_OF_PAPERS, Bilingual, shown, told
from deploy.commands.common.tables import AS_JSON
from deploy.compliance import today
from deploy.database import inside
from deploy.settings import load as settings
from deploy.stack import Stack
from deploy.terminal import say
from ingest.files.sheet import read_sheet
from streams.compliance.standards import read_standards
from streams.store.review.attachments import LARGEST_FILE
from streams.store.review.certificates import (
    add_certificates,
    attach_scan,
    certificates,
    due_meters,
    read_scan,
    withdraw,
)

__all__ = ["command"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_BY = click.option("--by", required=True, help="Who enters it.")
_UNIT = click.option("--unit", metavar="CODE", help="Of one energy-using unit.")
_DAY = click.DateTime(["%Y-%m-%d"])
_MOST_SHOWN: Final = 20


@click.group(cls=Bilingual)
def command() -> None:
    """Enter certificates of verification and calibration, and see which meters are due."""


@command.command("list")
@_UNIT
@click.option("--meter", metavar="NUMBER", help="Management number.")
@click.option("--all", "every", is_flag=True, help="Every certificate, not the last two of each instrument.")
@AS_JSON
def list_command(*, unit: str | None, meter: str | None, every: bool, as_json: bool) -> None:
    """Show certificates, the newest first: the last two cycles of each instrument (GB 17167 5.3.3)."""
    rows = inside(lambda connection: certificates(connection, unit=unit, meter=meter, every=every))
    shown(rows, as_json=as_json, words={"kind": KINDS, "conclusion": CONCLUSIONS})


@command.command()
@click.option("--unit", "unit_code", required=True, metavar="CODE")
@click.option("--meter", "meter_no", required=True, metavar="NUMBER", help="Management number.")
@click.option("--kind", type=click.Choice([*KINDS]), default="verification", show_default=True)
@click.option("--number", required=True, help="Of the certificate.")
@click.option("--body", required=True, help="Who issued it.")
@click.option("--on", "verified_on", type=_DAY, required=True, help="Day of the verification.")
@click.option("--conclusion", type=click.Choice([*CONCLUSIONS]), required=True)
@click.option("--due", type=_DAY, help="Last day on which it holds.")
@click.option("--class", "accuracy_class", default="", help="Accuracy class as it is certified.")
@click.option("--note", default="")
@click.option("--scan", type=_FILE, help="JPEG, PNG or PDF.")
@_BY
def add(*, verified_on: datetime, due: datetime | None, scan: Path | None, by: str, **facts: str) -> None:
    """Enter a certificate."""
    one = Certificate(verified_on=verified_on.date(), due=None if due is None else due.date(), **facts)
    wrong = list(faults_of(one, today(settings().zone)))
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    (identity,) = _entered([one], [scan], by)
    if identity:
        told(zh=f"已录入证书 {identity}", en=f"certificate {identity} is entered")
    else:
        told(zh="该证书已在册", en="the certificate is there already")


@command.command()
@click.argument("file", type=_FILE)
@_BY
def load(file: Path, *, by: str) -> None:
    """Enter certificates from a table (.xlsx, .csv), all of them or none; scans lie beside it."""
    rows, faults = certificate_rows(read_sheet(file), today(settings().zone))
    scans = [file.parent / one.scan if one.scan else None for one in rows]
    faults = (*faults, *_missing(file, [one.row for one in rows], scans))
    if faults:
        more = len(faults) - _MOST_SHOWN
        raise ConfigurationError(
            "\n".join([f"{file}: {len(faults)} faults, nothing is entered", *faults[:_MOST_SHOWN]])
            + (f"\nand {more} more" if more > 0 else "")
        )
    entered = _entered([one.certificate for one in rows], scans, by)
    new = sum(one > 0 for one in entered)
    there = len(entered) - new
    told(
        zh=f"{file}：录入证书 {new} 份，已在册 {there} 份",
        en=f"{file}: {new} certificates entered, {there} there already",
    )


def _missing(file: Path, numbers: list[int], scans: list[Path | None]) -> list[str]:
    folder = file.parent.resolve()
    return [
        f"row {number}: scan must be a file in the folder of the table (got {scan.name!r})"
        for number, scan in zip(numbers, scans, strict=True)
        if scan is not None and not (scan.is_file() and scan.resolve().is_relative_to(folder))
    ]


def _entered(entered: list[Certificate], scans: list[Path | None], by: str) -> list[int]:
    async def work(connection: psycopg.AsyncConnection) -> list[int]:
        others = (await read_standards(connection)).facts.instruments
        identities = await add_certificates(connection, entered, by, others=others)
        for identity, scan in zip(identities, scans, strict=True):
            if scan is not None and identity:
                if scan.stat().st_size > LARGEST_FILE:
                    raise ConfigurationError(f"{scan} must have at most {LARGEST_FILE} bytes")
                await attach_scan(connection, identity, scan.name, scan.read_bytes(), by)
        return identities

    return inside(work)


@command.command("attach")
@click.argument("certificate", type=int)
@click.argument("file", type=_FILE)
@_BY
def attach_command(certificate: int, file: Path, *, by: str) -> None:
    """Attach the scan of a certificate."""
    content = file.read_bytes()
    inside(lambda connection: attach_scan(connection, certificate, file.name, content, by))
    told(zh=f"{file} 已附到证书 {certificate}", en=f"{file} is attached to certificate {certificate}")


@command.command("scan")
@click.argument("certificate", type=int)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
def scan_command(certificate: int, *, out: Path) -> None:
    """Write the scan of a certificate to a file."""
    _, content = inside(lambda connection: read_scan(connection, certificate))
    out.write_bytes(content)
    say(out)


@command.command("withdraw")
@click.argument("certificate", type=int)
@click.option("--reason", required=True)
@_BY
def withdraw_command(certificate: int, *, reason: str, by: str) -> None:
    """Take back a certificate that was entered by mistake; it stays on file."""
    inside(lambda connection: withdraw(connection, certificate, by, reason))
    told(zh=f"证书 {certificate} 已撤回", en=f"certificate {certificate} is withdrawn")


@command.command()
@_UNIT
@click.option("--days", type=click.IntRange(0, 3660), default=90, show_default=True, help="How far ahead.")
@AS_JSON
def due(*, unit: str | None, days: int, as_json: bool) -> None:
    """Name the meters in use that are overdue, soon due, or of which nothing is known."""
    found: list[dict[str, Any]] = inside(lambda connection: due_meters(connection, days=days, unit=unit))
    shown(found, as_json=as_json, words={"state": VERIFICATION})


@command.command()
@click.option("--unit", "code", required=True, metavar="CODE")
@click.option("--year", type=click.IntRange(2000, 2199), help="This year without it.")
@click.option("--lead-days", type=click.IntRange(0, 366), default=30, show_default=True, help="Sent before it is due.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File, ending in .xlsx.")
@LANGUAGE_OF_PAPERS
def plan(*, code: str, year: int | None, lead_days: int, out: Path, language: str) -> None:
    """Write the year's plan of verification and calibration (JJF 1356, item 31)."""
    from dashboards.reports.verification_plan import read_plan, write_plan  # noqa: PLC0415 - only this draws sheets

    chosen = settings()
    day: date = today(chosen.zone)
    made = read_plan(Stack(chosen).dsn, code, year or day.year, chosen.zone, lead_days=lead_days)
    write_plan(made, out, language=language)
    say(out)
