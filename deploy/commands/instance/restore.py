"""`meterwarden restore`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from analytics.domain.errors import MeterwardenError
from deploy.operations.archive import Manifest, manifest_of
from deploy.operations.restore import Restored, newest, put_back, too_old
from deploy.settings import Settings, load
from deploy.terminal import end_over, say, say_over

__all__ = ["command"]


@click.command()
@click.argument("backup", type=click.Path(exists=True, path_type=Path))
@click.option("--replace", is_flag=True, help="Put the database that is there aside, and the backup in its place.")
@click.option("--anyway", is_flag=True, help="Although Kafka has dropped some of what was sent since.")
def command(backup: Path, *, replace: bool, anyway: bool) -> None:
    """Put BACKUP (a file, or the newest of a folder) back into this instance, which must be down.

    The file is read and checked as a whole before anything changes. Then `meterwarden up` brings the schema to this
    version, and the workers store what Kafka holds above the backup.
    """
    settings, path = load(), newest(backup)
    manifest = manifest_of(path)
    _tell(settings, path, manifest)
    over = too_old(manifest, datetime.now(UTC))
    if over is not None:
        days = over.total_seconds() / 86_400
        text = f"the backup is {days:.1f} days older than what Kafka keeps: what was sent in these days is missing"
        if not anyway:
            raise MeterwardenError(f"{text}; take a newer one, or add --anyway")
        say(text, err=True)
    done = put_back(settings, path, replace=replace, report=_Progress())
    end_over()
    _tell_done(done)


class _Progress:
    """A line of progress each 16 MiB."""

    def __init__(self) -> None:
        self._shown = -1

    def __call__(self, read: int) -> None:
        if read >> 24 != self._shown:
            self._shown = read >> 24
            say_over(f"{read >> 20} MiB unpacked")


def _tell(settings: Settings, path: Path, manifest: Manifest) -> None:
    made = manifest.made_at.astimezone(settings.zone)
    say(f"{path}: of meterwarden {manifest.version}, as of {made:%F %T %Z}")


def _tell_done(done: Restored) -> None:
    say(f"put back to {done.cluster or 'the database of METERWARDEN_DATABASE'}")
    if done.aside is not None:
        say(f"what lay there before is in {done.aside}; remove it when all is well")
    for name, (then, now) in sorted(done.settings.items()):
        say(f"{name} was {then or 'not set'} when the backup was made (it is {now or 'not set'} now)")
    say("now run `meterwarden up`, and `meterwarden status` until every partition has nothing to do")
