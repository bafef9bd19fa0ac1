"""`meterwarden status`."""

import dataclasses
import json
from importlib.metadata import version

import click

from deploy.settings import load
from deploy.stack import PartStatus, Stack
from deploy.stack.places import DiskUse, disk_use
from deploy.terminal import say

__all__ = ["command"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """Tell how each part is; the exit code is 0 when all are healthy, 1 when not."""
    settings = load()
    parts = Stack(settings).status()
    disk = disk_use(settings.home)
    healthy = all(part.healthy for part in parts)
    if as_json:
        report = {
            "healthy": healthy,
            "version": version("meterwarden"),
            "home": str(settings.home),
            "parts": [dataclasses.asdict(part) for part in parts],
            "disk": dataclasses.asdict(disk),
        }
        say(json.dumps(report, indent=2))
    else:
        say(_table(parts))
        say(_sentence(str(settings.home), disk))
    context.exit(0 if healthy else 1)


def _table(parts: list[PartStatus]) -> str:
    rows = [("part", "health", "pids", "ports", "version", "detail")]
    for part in parts:
        health = "healthy" if part.healthy else "DOWN" if not part.pids and not part.external else "NOT HEALTHY"
        pids = "external" if part.external else " ".join(map(str, part.pids)) or "–"
        rows.append((part.name, health, pids, " ".join(map(str, part.ports)) or "–", part.version or "–", part.detail))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)


def _sentence(home: str, disk: DiskUse) -> str:
    return f"{home}: data {disk.data_mb} MiB, logs {disk.logs_mb} MiB, free {disk.free_mb} MiB"
