"""The command `meterwarden`: a table of commands, each imported only when it is called."""

import importlib
from importlib.util import find_spec
from typing import Any, Final

import click

from analytics.domain.errors import MeterwardenError

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS: Final = {
    name: f"deploy.commands.{name}"
    for name in (
        "up",
        "down",
        "status",
        "migrate",
        "ledger",
        "ingest",
        "rejected",
        "backfill",
        "simulate",
        "demo",
    )
}
FAULT: Final = 2
"""Exit code of an error that is told plainly: something to mend outside the program."""


class LazyGroup(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands of this installation, in the order of a day's work."""
        return [name for name, module in COMMANDS.items() if find_spec(module) is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(COMMANDS[cmd_name]).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name]}.command must be a click command (got {type(command).__name__})")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; our own errors are told without a traceback."""
        try:
            return super().invoke(ctx)
        except MeterwardenError as error:
            click.echo(f"meterwarden: {error}", err=True)
            ctx.exit(FAULT)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="meterwarden", message="%(package)s %(version)s")
def cli() -> None:
    """Energy meters' readings, from the device to hourly consumption, with every reading accounted for."""


def main() -> None:
    """Run the command line."""
    cli(prog_name="meterwarden")
