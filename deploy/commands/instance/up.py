"""`meterwarden up`."""

import click

from deploy.first_link import first_link
from deploy.settings import load
from deploy.stack import PARTS, Stack
from deploy.terminal import say

__all__ = ["command"]


@click.command()
@click.option("--only", "parts", multiple=True, type=click.Choice(PARTS), help="Just this part; may be repeated.")
def command(parts: tuple[str, ...]) -> None:
    """Start Kafka, the database, the workers and the pages, or what is gone of them."""
    stack = Stack(load(), say=lambda line: say(line, err=True))
    chosen = parts or PARTS
    started = stack.up(chosen)
    for part in stack.status():
        if part.name in chosen:
            how = "started" if part.name in started else "somebody else's" if part.external else "ran already"
            say(f"{part.name:<10}  {how}, {part.detail}")
    if "pages" in chosen and stack.pages_url:
        say(f"open {stack.pages_url}")
        link = first_link(stack.dsn, stack.pages_url)
        if link:
            say(f"first sign-in, once, within 24 h, as the administrator: {link}")
