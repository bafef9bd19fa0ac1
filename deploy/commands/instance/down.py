"""`meterwarden down`."""

import click

from deploy.settings import load
from deploy.stack import PARTS, Stack
from deploy.terminal import say

__all__ = ["command"]


@click.command()
@click.option("--only", "parts", multiple=True, type=click.Choice(PARTS), help="Just this part; may be repeated.")
def command(parts: tuple[str, ...]) -> None:
    """Stop the workers, Kafka and the database cleanly, in this order."""
    stopped = Stack(load()).down(parts or PARTS)
    say(f"stopped: {', '.join(stopped)}" if stopped else "nothing ran")
