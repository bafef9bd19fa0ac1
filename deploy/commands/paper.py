"""`meterwarden paper`: papers of supervision as .docx."""

from datetime import datetime
from pathlib import Path

import click

from dashboards.reports.gathering import unit_report
from dashboards.reports.papers import PAPERS, PaperFacts, write_paper
from deploy.compliance import today
from deploy.settings import load as settings
from deploy.stack import Stack
from deploy.terminal import say

__all__ = ["command"]


@click.command()
@click.argument("kind", type=click.Choice([*PAPERS]))
@click.option("--unit", "code", required=True, help="Code of the energy-using unit.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File, ending in .docx.")
@click.option("--number", default="", help="Number of the paper.")
@click.option("--authority", default="", help="Who issues it.")
@click.option("--basis", default="", help="Provision that an order rests on, as the authority writes it.")
@click.option("--due", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Until when is to be corrected.")
@click.option("--person", "people", multiple=True, help="Inspector or reviewer; may be given again.")
def command(
    *,
    kind: str,
    code: str,
    out: Path,
    number: str,
    authority: str,
    basis: str,
    due: datetime | None,
    people: tuple[str, ...],
) -> None:
    """Write a paper from what is judged today: order to correct, record of a visit, review report, self-check."""
    chosen = settings()
    day = today(chosen.zone)
    if due is not None and due.date() <= day:
        raise click.BadParameter(f"must lie after today, {day} (got {due.date()})", param_hint="--due")
    facts = PaperFacts(
        number=number,
        authority=authority,
        day=day,
        due=None if due is None else due.date(),
        basis=basis,
        people=people,
    )
    report = unit_report(Stack(chosen).dsn, code, f"{day:%Y-%m}", chosen.zone)
    try:
        write_paper(kind, report, facts, out)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    say(out)
