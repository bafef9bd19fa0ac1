"""`meterwarden up`."""

import click

from deploy.settings import load
from deploy.stack import PARTS, Stack
from deploy.terminal import say

__all__ = ["command"]


@click.command()
@click.option("--only", "parts", multiple=True, type=click.Choice(PARTS), help="Just this part; may be repeated.")
def command(parts: tuple[str, ...]) -> None:
    """Start Kafka, the database and the workers, or what is gone of them."""
    stack = Stack(load(), say=lambda line: say(line, err=True))
    chosen = parts or PARTS
    started = stack.up(chosen)
    for part in stack.status():
        if part.name in chosen:
            how = "started" if part.name in started else "somebody else's" if part.external else "ran already"
            say(f"{part.name:<10}  {how}, {part.detail}")
