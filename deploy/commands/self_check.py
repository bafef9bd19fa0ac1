"""`meterwarden self-check`: an enterprise's yearly self-check (JJF 1356, 8), from last year's answers on."""

from datetime import date, datetime
from typing import Final

import click
import psycopg

from analytics.domain.toml import parse_toml
from analytics.review import process
from analytics.review.process import Review, ReviewRefused
from analytics.standards.documents import document_of
from deploy.commands.common.tables import table
from deploy.compliance import today
from deploy.database import inside
from deploy.settings import load as settings
from deploy.terminal import say
from streams.compliance.standards import load_document, read_standards
from streams.store.review import reviews

__all__ = ["command"]

_YEAR = click.option("--year", type=click.IntRange(2000, 2199), help="This year without it.")
_BY = click.option("--by", required=True, help="Who does it.")
_FACT: Final = """
name = {name}
[[self_check]]
unit_code = {code}
year = {year}
done_on = {day}
by = {by}
result = {result}
"""


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

    async def work(connection: psycopg.AsyncConnection) -> tuple[int, int]:
        (identity,) = await reviews.plan(connection, [code], of, by, origin="self_check")
        await reviews.keep(connection, identity, Review(state="open"), by, "open")
        return identity, await reviews.carry_over(connection, identity, by)

    identity, carried = inside(work)
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

    async def work(connection: psycopg.AsyncConnection) -> Review:
        before, facts = await reviews.read(connection, self_check)
        if facts["origin"] != "self_check":
            raise ReviewRefused(f"it must be a self-check (review {self_check} is the authority's)")
        standards = await read_standards(connection)
        items = {one.number: one.may_not_apply for one in standards.review.items}
        said = await reviews.recorded(connection, self_check)
        after = process.signed(before, items, said, basic_up_to=standards.review.basic_up_to, by=by, day=day)
        await reviews.keep(connection, self_check, after, by, "sign", rules=standards.review.number)
        result = f"{process.CONCLUSIONS[after.conclusion].zh}（不符合 {after.failed} 项）"
        await _as_fact(connection, facts["unit_code"], facts["year"], day, by, result)
        return after

    after = inside(work)
    say(f"self-check {self_check} is signed: {process.CONCLUSIONS[after.conclusion].en}, {after.failed} do not conform")


async def _as_fact(connection: psycopg.AsyncConnection, code: str, year: int, day: date, by: str, result: str) -> None:
    """What units are judged from has it, too."""
    texts = {"name": f"self-check {code} {year}", "code": code, "by": by, "result": result}
    text = _FACT.format(year=year, day=day, **{name: _quoted(value) for name, value in texts.items()})
    await load_document(connection, document_of(parse_toml(text), source="self-check"), text, "self-check")


def _quoted(text: str) -> str:
    """A basic string of TOML."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


@command.command("list")
@_YEAR
@click.option("--unit", metavar="CODE")
def list_command(*, year: int | None, unit: str | None) -> None:
    """Show self-checks."""
    say(table(inside(lambda connection: reviews.listed(connection, year=year, unit=unit, self_checks=True))))


@command.command()
@_YEAR
def due(*, year: int | None) -> None:
    """Name the units that have signed no self-check of the year."""
    of = year or today(settings().zone).year
    say(table(inside(lambda connection: reviews.without_self_check(connection, of))))
