"""`meterwarden machine`."""

import shlex

import click

from deploy.settings import load
from deploy.stack import Stack
from deploy.terminal import say

__all__ = ["command"]


@click.command()
@click.option(
    "--ca",
    default="/etc/meterwarden/ca.pem",
    show_default=True,
    help="File on the other machine of who signed this one's certificate; `system`: one that it trusts anyway.",
)
def command(ca: str) -> None:
    """Print the settings by which workers of another machine reach Kafka and the database of this one.

    NAME=value lines for a shell or systemd, passwords among them: keep them in a file that its owner alone can read.
    """
    for name, value in Stack(load()).worker_elsewhere(ca).items():
        say(f"{name}={shlex.quote(value)}")
