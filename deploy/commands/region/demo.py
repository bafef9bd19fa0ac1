"""`meterwarden demo`."""

import click
from rich.console import Console

from deploy.demo import demo
from deploy.region import DEFAULT_SEED
from deploy.settings import load
from deploy.terminal import say

__all__ = ["command"]

_NARROWEST = 118


@click.command()
@click.option("--seed", default=DEFAULT_SEED, show_default=True, help="Another seed makes another region.")
@click.option("--days", default=30.0, show_default=True, type=click.FloatRange(1.0, 92.0), help="Length of the region.")
@click.option("--units", default=12, show_default=True, type=click.IntRange(1, 200), help="Energy-using units.")
@click.pass_context
def command(context: click.Context, seed: int, days: float, units: int) -> None:
    """Send a made-up region through the whole stack and hold what comes out against the truth."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_NARROWEST)
    result = demo(load(), console=console, seed=seed, days=days, units=units)
    account = result.account
    say(
        f"demo: sent={account.sent} accepted={account.accepted} rejected={account.rejected} "
        f"lost={account.lost} doubled={account.doubled}"
    )
    context.exit(0 if result.ok else 1)
