"""`meterwarden ingest`."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from deploy.settings import load
from deploy.stack import Stack
from ingest.kafka.collector import Collected, Collector
from ingest.kafka.publisher import Publisher, create_topics
from ingest.readings import RowFault

__all__ = ["command"]

UNSENT = 1
"""Exit code when a row could not be sent."""


@click.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--format",
    "wire_format",
    type=click.Choice(["block", "json"]),
    default="block",
    show_default=True,
    help="Messages of some thousands of readings, or one JSON message a reading.",
)
@click.pass_context
def command(context: click.Context, files: tuple[Path, ...], wire_format: str) -> None:
    """Send files of readings (CSV, parquet, JSON lines) to Kafka; bad rows go too, to be rejected by the worker."""
    config = Stack(load()).kafka_config
    create_topics(config)
    with Publisher(config) as publisher, _Bars() as bars:
        collected = Collector(config, publisher, as_json=wire_format == "json").collect(files, bars.update)
    _tell(collected)
    context.exit(UNSENT if collected.unsendable else 0)


class _Bars:
    """A bar for each file, on the terminal's error stream; quiet where that is no terminal."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[readings]:,} readings, {task.fields[rate]:,.0f}/s"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._tasks: dict[Path, TaskID] = {}
        self._start = time.monotonic()

    def __enter__(self) -> Self:
        if self._progress.console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, path: Path, share: float, readings: int) -> None:
        """Show how much of a file is read and how many readings were handed over in all."""
        if path not in self._tasks:
            self._tasks[path] = self._progress.add_task(path.name, total=1.0, readings=0, rate=0.0)
        rate = readings / max(time.monotonic() - self._start, 1e-3)
        self._progress.update(self._tasks[path], completed=share, readings=readings, rate=rate)


def _tell(collected: Collected) -> None:
    if collected.faults:
        more = " (the first of them)" if collected.bad > len(collected.faults) else ""
        click.echo(f"rows that are no readings, sent as they are to be rejected{more}:", err=True)
        _tell_rows(collected.faults)
    if collected.unsendable:
        click.echo("rows too large to be sent:", err=True)
        _tell_rows(collected.unsendable)
    rate = collected.readings / max(collected.seconds, 1e-3)
    click.echo(
        f"ingest: sent={collected.readings} bad={collected.bad} unsent={len(collected.unsendable)} "
        f"messages={collected.messages} bytes={collected.bytes} seconds={collected.seconds:.1f} rate={rate:.0f}/s"
    )


def _tell_rows(rows: Sequence[tuple[Path, RowFault]]) -> None:
    for path, fault in rows:
        click.echo(
            f"  {path.name} row {fault.row}: {fault.reason.name.lower()}: must be {fault.required} (got {fault.got})",
            err=True,
        )
