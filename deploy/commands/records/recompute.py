"""`meterwarden recompute`."""

import asyncio
from datetime import datetime

import click

from deploy.commands.common.parameters import Instant
from deploy.settings import load as settings
from deploy.stack import Stack
from deploy.terminal import confirm, counted, say
from streams.store.ledger import rework
from streams.store.postgres.connections import connected

__all__ = ["command"]


@click.command()
@click.option("--unit", required=True, metavar="CODE", help="Of this energy-using unit.")
@click.option("--point", "points", multiple=True, metavar="CODE", help="Of this point alone; may be repeated.")
@click.option("--from", "since", type=Instant(), required=True, help="From this day or time on.")
@click.option("--reason", required=True, help="Why; kept with the history of the ledger.")
@click.option("--dry-run", is_flag=True, help="Show how much it is, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(*, unit: str, points: tuple[str, ...], since: datetime, reason: str, dry_run: bool, yes: bool) -> None:
    """Work consumption and detections out again from stored readings, from a day on; workers do it while they run.

    Nothing that was measured changes. Hours that come out other than they were get the next revision.
    """
    stack = Stack(settings())
    found = asyncio.run(_sized(stack.dsn, unit, points or None, since))
    wanted = len(points) if points else 1
    if len(found.points) < wanted:
        what = f"{len(found.points)} of {wanted} points" if points else "no points"
        raise click.ClickException(f"the ledger must have these of unit {unit} (it has {what})")
    what = f"{counted(len(found.points), 'point')} of {unit}, {found.hours:,} hours since {since:%Y-%m-%d %H:%M}"
    if dry_run:
        say(f"would be worked out again: {what}")
        return
    confirm(f"work out again: {what}", yes=yes)
    from deploy.ledger_loading import account  # noqa: PLC0415 - a question needs none of what loads ledgers

    source = f"recompute {unit} since {since.isoformat()}: {reason}"
    version = asyncio.run(_asked(stack.dsn, found, since, source, account()))
    say(f"asked for with ledger version {version}: {what}; workers do it now, or when they start")


async def _sized(dsn: str, unit: str, points: tuple[str, ...] | None, since: datetime) -> rework.Rework:
    async with connected(dsn, "recompute") as connection:
        return await rework.size(connection, unit, points, since)


async def _asked(dsn: str, found: rework.Rework, since: datetime, source: str, by: str) -> int:
    async with connected(dsn, "recompute", autocommit=False) as connection:
        return await rework.ask(connection, found, since, source=source, by=by)
