"""`meterwarden up`."""

from collections.abc import Collection

import click

from deploy.first_link import first_link
from deploy.settings import load
from deploy.stack import PARTS, PartStatus, Stack
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
            say(f"{part.name:<10}  {_how(part, started)}{part.detail}")
    if "pages" in chosen and stack.pages_url:
        say(f"open {stack.pages_url}")
        link = first_link(stack.dsn, stack.pages_url)
        if link:
            say(f"first sign-in, once, within 24 h, as the administrator: {link}")


def _how(part: PartStatus, started: Collection[str]) -> str:
    if part.name in started:
        return "started, "
    if part.external:
        return "somebody else's, "
    return "ran already, " if part.pids else ""  # nobody asked for it
