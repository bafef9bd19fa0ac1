"""One server process of an instance: started once, found again by its record, stopped only when it is surely ours."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.settings import PREFIX, Settings, environment
from deploy.stack.errors import PartFailed
from deploy.stack.places import Places
from deploy.stack.processes import Process, find, launch, tail, until, works_in
from streams.logs import put_aside

__all__ = ["Daemon", "own_environment", "plain_environment"]


class Daemon:
    """The process behind a part's name in one instance."""

    def __init__(
        self,
        name: str,
        places: Places,
        *,
        where: Path,
        belongs: Callable[[int, tuple[str, ...]], bool],
        own_account: bool = True,
    ) -> None:
        self.name = name
        self._where = where
        self._places = places
        self._own_account = own_account
        self._belongs = belongs

    @property
    def log(self) -> Path:
        """What it prints."""
        return self._places.log(self.name)

    def process(self) -> Process | None:
        """The running process: as recorded, or found by its folder and command line when the record was lost.

        The folder, not its name: another container or chroot may have all the same names.
        """
        recorded = Process.read(self._places.record(self.name))
        if recorded is not None and recorded.alive():
            return recorded
        others = find(lambda pid, command: self._belongs(pid, command) and works_in(pid, self._where))
        return others[0] if others else None

    def start(self, command: Sequence[str], *, environ: Mapping[str, str]) -> Process:
        """Start it, keep its record, and put the old log aside.

        Raises `PartFailed` when it cannot even be started.
        """
        put_aside(self.log)
        try:
            account = self._places.account if self._own_account else None
            process = launch(command, account=account, environ=environ, log=self.log, where=self._where)
        except OSError as error:
            raise PartFailed(f"{self.name} could not be started: {error.strerror}: {error.filename}") from None
        process.write(self._places.record(self.name))
        return process

    def ready(self, healthy: Callable[[], bool], timeout_s: float, *, more: Path | None = None) -> None:
        """Wait until it is healthy.

        Raises `PartFailed` with the end of its log when it ended, or is not healthy in time.
        """

        def settled() -> bool:
            process = self.process()
            return process is None or healthy()

        timely = until(settled, timeout_s, pause_s=0.1)
        if timely and self.process() is not None:
            return
        what = f"is not healthy after {timeout_s:.0f} s" if not timely else "ended while starting"
        said = "\n".join(filter(None, (tail(self.log), tail(more) if more else "")))
        raise PartFailed(f"{self.name} {what}; the end of {more or self.log}:\n{said}")

    def stop(self, number: signal.Signals, timeout_s: float, *, last: signal.Signals = signal.SIGKILL) -> bool:
        """Ask it to stop, and make it when it does not; whether anything ran.

        Raises `PartFailed` when it will not go.
        """
        process = self.process()
        stopped = process is not None
        if process is not None:
            process.signal(number)
            if not process.wait(timeout_s):
                process.signal(last)
                if not process.wait(timeout_s):
                    raise PartFailed(f"{self.name} (process {process.pid}) does not end")
        self._places.record(self.name).unlink(missing_ok=True)
        return stopped

    def kill(self) -> list[int]:
        """Kill it at once; the pids that were killed."""
        process = self.process()
        if process is None or not process.signal(signal.SIGKILL):
            return []
        process.wait(30.0)
        return [process.pid]


def own_environment(settings: Settings) -> dict[str, str]:
    """What a process of ours sees of the environment: these settings, and whatever is none of ours."""
    foreign = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return foreign | environment(settings)


def plain_environment(places: Places) -> dict[str, str]:
    """What a server sees of the environment: nothing of ours."""
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOME": str(places.home)}
