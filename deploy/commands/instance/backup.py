"""`meterwarden backup`."""

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from deploy.operations.archive import Manifest
from deploy.operations.backup import back_up
from deploy.settings import load
from deploy.terminal import end_over, say, say_over

__all__ = ["command"]


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def command(folder: Path) -> None:
    """Write a backup of the database, its secrets and settings into FOLDER, while everything runs.

    One file, readable by its owner alone. `meterwarden restore` puts it back; what was sent since is stored again from
    Kafka, as far as Kafka still keeps it.
    """
    settings = load()
    shown = [-1]

    def report(read: int, total: int) -> None:
        percent = 100 * read // max(total, 1)
        if percent != shown[0]:
            shown[0] = percent
            say_over(f"{read >> 20} of about {total >> 20} MiB copied, {percent} %")

    path, manifest = back_up(settings, folder, report=report)
    end_over()
    stored = sum(sum(partitions.values()) for partitions in manifest.fences.values())
    say(f"{path}: {path.stat().st_size / 2**20:,.1f} MiB, as of {manifest.made_at.astimezone(settings.zone):%F %T %Z}")
    say(f"holds what came of {stored:,} records of Kafka, and secrets: keep it as you keep passwords")
    say(_lasting(manifest, settings.zone))


def _lasting(manifest: Manifest, zone: ZoneInfo) -> str:
    if manifest.kept_s is None:
        return "how long Kafka keeps what is sent is not known: only what it still has can be stored after a restore"
    until = (manifest.made_at + timedelta(seconds=manifest.kept_s)).astimezone(zone)
    days = manifest.kept_s / 86_400
    return (
        f"Kafka keeps readings for {days:g} days: after {until:%F %T %Z} this backup is too old, for Kafka has dropped "
        f"some of what came after it; make one at least every {days / 2:g} days"
    )
