"""`meterwarden migrate`."""

import click

from deploy.migrate import migrate, site_of
from deploy.settings import load
from deploy.stack import Stack
from deploy.terminal import say

__all__ = ["command"]


@click.command()
def command() -> None:
    """Bring the database to the schema of this version; `up` does so too."""
    settings = load()
    applied = migrate(Stack(settings).dsn, site=site_of(settings))
    say(f"applied: {', '.join(applied)}" if applied else "the schema is up to date")
