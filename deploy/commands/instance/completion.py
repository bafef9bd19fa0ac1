"""`meterwarden completion`."""

import click
from click.shell_completion import get_completion_class

from deploy.terminal import say

__all__ = ["command"]

_SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print what lets a shell complete commands and options; append it to the shell's start-up file."""
    made = get_completion_class(shell)
    assert made is not None, "click has these"
    say(made(context.find_root().command, {}, "meterwarden", "_METERWARDEN_COMPLETE").source())
