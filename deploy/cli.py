"""The command `meterwarden`: a table of commands, each imported only when it is called."""

import importlib
import logging
from typing import Any, Final

import click

from analytics.domain.errors import MeterwardenError
from deploy.commands.common.examples import with_examples
from deploy.private import keep_private
from deploy.terminal import say

__all__ = ["COMMANDS", "ROOMS", "cli", "main"]

COMMANDS: Final = {
    "up": "Start Kafka, the database and the workers, or what is gone.",
    "down": "Stop the workers, Kafka and the database cleanly.",
    "status": "Show the state of each part and each partition.",
    "doctor": "Look for what keeps this instance from running.",
    "plan": "Show what machines a site of some size needs.",
    "settings": "Show what is set and where, and write a file of settings.",
    "completion": "Print what lets a shell complete commands and options.",
    "migrate": "Bring the database to the schema of this version.",
    "backup": "Write the database, its secrets and settings into one file.",
    "restore": "Put a backup back into an instance that is down.",
    "machine": "Print the settings of workers on another machine.",
    "regions": "See several regions, an instance each, in one database.",
    "partitions": "Spread the units over more partitions of Kafka.",
    "ledger": "Check and load the ledger of units, metering points and meters.",
    "standard": "Check and load editions, rules, factors and facts.",
    "comply": "Judge a unit, clause by clause.",
    "paper": "Write an order to correct, a record of a visit, a review report or a self-check as .docx.",
    "certificates": "Enter certificates of verification, and see which meters are due.",
    "review": "Plan reviews of metering, draw by lot, record, conclude, check again.",
    "self-check": "Do an enterprise's yearly self-check, and see who lacks one.",
    "report": "Write a unit's month, or the region's, as .xlsx and .html.",
    "ingest": "Send files of readings to Kafka.",
    "upload": "Bring hours, days and months to the official platform.",
    "readings": "Export stored readings as the meters sent them.",
    "recompute": "Work a period out again from stored readings.",
    "rejected": "List what the workers refused, send it again, or clear it.",
    "backfill": "Work files of readings out into result files, without servers.",
    "differences": "Decide on differences of registers that nobody could explain.",
    "gaps": "Evaluate spans without data, beside what was measured.",
    "alerts": "Set who is notified of what, and see what stands and was sent.",
    "cases": "Follow an alert until what was found is corrected.",
    "people": "Enter who is notified of alerts and who may act on them.",
    "gateway": "Read meters, take in HTTP and MQTT, and bring it all to Kafka.",
    "gateways": "Enter who may bring readings, of which units.",
    "dashboards": "Put the boards into Grafana, enterprises apart.",
    "simulate": "Keep pushing the readings of a made-up region.",
    "demo": "Send a made-up region through the whole stack and check it.",
}
"""Each command and what the overview says of it; its module has the same name, with `_` for `-`."""

ROOMS: Final = {
    **dict.fromkeys(("up", "down", "status", "migrate", "backup", "restore", "partitions", "regions"), "instance"),
    **dict.fromkeys(("doctor", "machine", "plan", "settings", "completion"), "instance"),
    **dict.fromkeys(("readings", "recompute"), "records"),
    **dict.fromkeys(("demo", "simulate"), "region"),
}
"""Subfolder of `deploy.commands` of those commands that are in one."""

FAULT: Final = 2
"""Exit code of an error whose cause lies outside the program; it is printed without a traceback."""


class LazyGroup(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands, in the order of a day's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import one."""
        if cmd_name not in COMMANDS:
            return None
        room = f"{ROOMS[cmd_name]}." if cmd_name in ROOMS else ""
        command = importlib.import_module(f"deploy.commands.{room}{cmd_name.replace('-', '_')}").command
        if not isinstance(command, click.Command):
            raise TypeError(
                f"deploy.commands.{cmd_name}.command must be a click command (got {type(command).__name__})"
            )
        return with_examples(command, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """The overview, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; our own errors are shown without a traceback."""
        try:
            return super().invoke(ctx)
        except MeterwardenError as error:
            say(f"meterwarden: {error}", err=True)
            ctx.exit(FAULT)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="meterwarden", message="%(package)s %(version)s")
def cli() -> None:
    """Energy meters' readings, from the device to hourly consumption, with every reading accounted for."""


def main() -> None:
    """Run the command line; what libraries log of servers that are away is not for the terminal."""
    logging.getLogger().addHandler(logging.NullHandler())
    keep_private()
    cli(prog_name="meterwarden")
