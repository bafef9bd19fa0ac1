"""`meterwarden regions`: several instances, a region each, seen in one."""

import click

from deploy.commands.common.tables import AS_JSON, listed
from deploy.regions import SHARED, join, leave, login, regions
from deploy.settings import load
from deploy.stack import Stack
from deploy.terminal import say

__all__ = ["command"]


@click.group()
def command() -> None:
    """See several regions, an instance each, in one database: schema `region`, for its staff."""


@command.command("login")
def give_login() -> None:
    """Make the login by which another instance may read what this one's staff may; its password is shown this once."""
    user, password = login(Stack(load()).dsn)
    say(f"user: {user}")
    say(f"password: {password}")


@command.command("join")
@click.argument("name")
@click.argument("address", metavar="ADDRESS|here")
def join_region(name: str, address: str) -> None:
    """Take a region in: postgresql://user:password@host/database, with the login that `regions login` gave there.

    `here` is this instance itself.
    """
    join(Stack(load()).dsn, name, address)
    say(f"{name} has joined: {', '.join(f'region.{view}' for view in SHARED)}")


@command.command("leave")
@click.argument("name")
def leave_region(name: str) -> None:
    """Take a region out of the views; its own database keeps all of it."""
    leave(Stack(load()).dsn, name)
    say(f"{name} has left")


@command.command("list")
@AS_JSON
def list_all(*, as_json: bool) -> None:
    """Show the regions, and which of them answer."""
    say(listed(regions(Stack(load()).dsn), as_json=as_json))
