"""`meterwarden self-check`: an enterprise's yearly self-check (JJF 1356, 8), from last year's answers on."""

from datetime import date, datetime

import click

from analytics.review import process
from deploy.commands.common.tables import AS_JSON, listed
from deploy.compliance import today
from deploy.database import inside
from deploy.settings import load as settings
from deploy.terminal import say
from streams.compliance.reviewing import open_self_check
from streams.compliance.reviewing import sign as sign_one
from streams.store.review import reviews

__all__ = ["command"]

_YEAR = click.option("--year", type=click.IntRange(2000, 2199), help="This year without it.")
_BY = click.option("--by", required=True, help="Who does it.")


@click.group()
def command() -> None:
    """Do an enterprise's yearly self-check: open, fill in (`review sheet`, `review record`), sign."""


@command.command("open")
@click.option("--unit", "code", required=True, metavar="CODE")
@_YEAR
@_BY
def open_command(*, code: str, year: int | None, by: str) -> None:
    """Begin the self-check of a year with the answers of the last one that was signed."""
    of = year or today(settings().zone).year

    identity, carried = inside(lambda connection: open_self_check(connection, code, of, by))
    say(f"self-check {identity} of {of}: {carried} answers are those of the last one")


@command.command()
@click.argument("self_check", type=int)
@click.option("--on", "on", type=click.DateTime(["%Y-%m-%d"]), help="Day; today without it.")
@_BY
def sign(self_check: int, *, on: datetime | None, by: str) -> None:
    """Sign a self-check whose every item is answered; it counts for items 49 to 52 of the review from then on."""
    now = today(settings().zone)
    day: date = now if on is None else on.date()
    if day > now:
        raise click.BadParameter(f"must not lie in the future (got {day})", param_hint="--on")

    after = inside(lambda connection: sign_one(connection, self_check, by=by, day=day))
    say(f"self-check {self_check} is signed: {process.CONCLUSIONS[after.conclusion].en}, {after.failed} do not conform")


@command.command("list")
@_YEAR
@click.option("--unit", metavar="CODE")
@AS_JSON
def list_command(*, year: int | None, unit: str | None, as_json: bool) -> None:
    """Show self-checks."""
    rows = inside(lambda connection: reviews.listed(connection, year=year, unit=unit, self_checks=True))
    say(listed(rows, as_json=as_json))


@command.command()
@_YEAR
@AS_JSON
def due(*, year: int | None, as_json: bool) -> None:
    """Name the units that have signed no self-check of the year."""
    of = year or today(settings().zone).year
    say(listed(inside(lambda connection: reviews.without_self_check(connection, of)), as_json=as_json))
