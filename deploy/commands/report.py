"""`meterwarden report`: what an enterprise and a reviewer take away, as .xlsx and .html."""

import re
from pathlib import Path

import click

from dashboards.reports import region_page, region_workbook, unit_page, unit_workbook
from dashboards.reports.gathering import region_report, unit_report
from deploy.commands.common.language import LANGUAGE_OF_PAPERS
from deploy.settings import load as settings
from deploy.stack import Stack
from deploy.terminal import say

__all__ = ["command"]


class Month(click.ParamType):
    """A month such as 2026-10."""

    name = "YYYY-MM"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The month, checked."""
        if not re.fullmatch(r"(19|20)\d\d-(0[1-9]|1[0-2])", value):
            self.fail(f"must be a month such as 2026-10 (got {value!r})", param, ctx)
        return value


@click.command()
@click.option("--unit", "code", help="Code of the energy-using unit.")
@click.option("--region", is_flag=True, help="All units instead of one.")
@click.option("--month", type=Month(), help="Month, such as 2026-10.")
@click.option("--from", "since", type=Month(), help="First of several months, in place of --month.")
@click.option("--to", "until", type=Month(), help="Last of them.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Directory.")
@LANGUAGE_OF_PAPERS
def command(
    *, code: str | None, region: bool, month: str | None, since: str | None, until: str | None, out: Path, language: str
) -> None:
    """Write a unit's month or months (or the region's) as a workbook in the forms' columns and as a page."""
    if (code is None) != region:
        raise click.UsageError("exactly one of --unit CODE and --region must be given")
    first, last = _months(month, since, until)
    chosen = settings()
    dsn = Stack(chosen).dsn
    span = first if first == last else f"{first}-{last}"
    stem = f"{'region' if code is None else re.sub(r'[^0-9A-Za-z_-]', '_', code)}-{span}"
    out.mkdir(parents=True, exist_ok=True)
    workbook, page = out / f"{stem}.xlsx", out / f"{stem}.html"
    if code is None:
        summary = region_report(dsn, first, chosen.zone, until=last)
        region_workbook(summary, workbook, language=language)
        page.write_text(region_page(summary, language=language), encoding="utf-8")
    else:
        report = unit_report(dsn, code, first, chosen.zone, until=last)
        unit_workbook(report, workbook, language=language)
        page.write_text(unit_page(report, language=language), encoding="utf-8")
    say(f"{workbook}\n{page}")


def _months(month: str | None, since: str | None, until: str | None) -> tuple[str, str]:
    """First and last month of what was given: one month, or two ends."""
    if month is not None and since is None and until is None:
        return month, month
    if month is None and since is not None and until is not None:
        return since, until
    raise click.UsageError("either --month or both --from and --to must be given")
