"""`meterwarden gateways`: who may bring readings, of which energy-using units, and their tokens."""

from datetime import datetime, timedelta
from typing import Any

import click
import psycopg

from deploy.commands.common.parameters import Instant
from deploy.commands.common.tables import table
from deploy.database import inside
from deploy.terminal import say
from streams.store.access.gateways import add_gateway, bind, end_gateway, list_gateways, rotate, unknown_units

__all__ = ["command"]

_UNITS = click.option("--unit", "units", multiple=True, metavar="CODE", help="A unit that it may send; repeat it.")
_ALL = click.option("--all-units", is_flag=True, help="It may send those of every unit: a collector of the authority.")


@click.group()
def command() -> None:
    """Enter who may bring readings, of which energy-using units."""


@command.command()
@click.argument("name")
@_UNITS
@_ALL
@click.option("--from", "valid_from", type=Instant(), help="When it begins to hold; now without it.")
@click.option("--until", "valid_to", type=Instant(), help="When it ends; never without it.")
@click.option("--note", default="", help="What it is, for people.")
def add(
    name: str,
    *,
    units: tuple[str, ...],
    all_units: bool,
    valid_from: datetime | None,
    valid_to: datetime | None,
    note: str,
) -> None:
    """Enter a gateway; its token is shown this once."""

    async def work(connection: psycopg.AsyncConnection) -> tuple[str, list[str]]:
        token = await add_gateway(
            connection,
            name,
            unit_codes=units,
            all_units=all_units,
            valid_from=valid_from,
            valid_to=valid_to,
            note=note,
        )
        return token, await unknown_units(connection, units)

    token, unknown = inside(work)
    _warn(unknown)
    say(token)


@command.command("list")
def list_all() -> None:
    """Show who is entered."""
    found: list[dict[str, Any]] = inside(list_gateways)
    say(table(found))


@command.command("bind")
@click.argument("name")
@_UNITS
@_ALL
def bind_units(name: str, *, units: tuple[str, ...], all_units: bool) -> None:
    """Let a gateway send these units instead of those that it had."""

    async def work(connection: psycopg.AsyncConnection) -> list[str]:
        await bind(connection, name, unit_codes=units, all_units=all_units)
        return await unknown_units(connection, units)

    _warn(inside(work))
    say(f"{name} may send {'all units' if all_units else ' '.join(units)}")


@command.command("rotate")
@click.argument("name")
@click.option(
    "--overlap",
    type=click.IntRange(0, 24 * 90),
    default=0,
    show_default=True,
    help="How long the token before it still holds. [h]",
)
def rotate_token(name: str, *, overlap: int) -> None:
    """Give a gateway a new token, shown this once."""

    async def work(connection: psycopg.AsyncConnection) -> str:
        return await rotate(connection, name, overlap=timedelta(hours=overlap))

    say(inside(work))


@command.command()
@click.argument("name")
def end(name: str) -> None:
    """Let a gateway in no longer."""

    async def work(connection: psycopg.AsyncConnection) -> None:
        await end_gateway(connection, name)

    inside(work)
    say(f"{name} is let in no longer")


def _warn(unknown: list[str]) -> None:
    if unknown:
        say(f"the ledger has no unit {', '.join(unknown)} yet: its readings are refused until it has", err=True)
