"""The stream workers: as many processes as the settings say, each with its own log."""

import signal
import sys
from dataclasses import replace
from functools import partial
from typing import Protocol

from deploy.kafka_access import Login, environment_of
from deploy.roles import Service
from deploy.settings import Settings
from deploy.stack.daemon import Daemon, own_environment
from deploy.stack.part import PartStatus
from deploy.stack.places import Places
from deploy.stack.ports import answers, require_free
from deploy.stack.processes import until
from ingest.kafka_access import KafkaAccess

__all__ = ["Workers"]

_MODULE = "deploy.worker"
_SETTLE_S = 2.0


class Addresses(Protocol):
    """Where the servers are."""

    def kafka_access(self, login: Login) -> KafkaAccess:
        """Kafka, as a service logs in."""

    def address(self, service: Service) -> str:
        """The database, as a service logs in."""


class Workers:
    """All workers of an instance.

    They run as who calls `up`, not as the servers' account: they need the checkout, which may be in a closed home.
    """

    name = "workers"

    def __init__(self, settings: Settings, places: Places, *, addresses: Addresses) -> None:
        self._settings = settings
        self._places = places
        self._addresses = addresses

    def check(self) -> None:
        """Refuse taken ports of those that do not run."""
        for number, daemon in self._daemons(self._wanted()):
            port = self._port(number)
            if port and daemon.process() is None:
                require_free(port, part=self._name(number), setting="METERWARDEN_METRICS_PORT")

    def start(self) -> bool:
        """Start those that do not run, and stop those above the number."""
        for number, daemon in self._daemons(self._surplus()):
            daemon.stop(signal.SIGTERM, self._settings.stop_timeout_s)
            self._places.record(self._name(number)).unlink(missing_ok=True)
        missing = [(number, daemon) for number, daemon in self._daemons(self._wanted()) if daemon.process() is None]
        for number, daemon in missing:
            daemon.start(self._command(number), environ=self._environment())
        return bool(missing)

    def ready(self) -> None:
        """Wait until each has joined the servers and shows its metrics; without metrics, that it stays alive."""
        daemons = self._daemons(self._wanted())
        if daemons and not self._settings.workers.metrics_port:
            until(lambda: any(daemon.process() is None for _, daemon in daemons), _SETTLE_S)
        for number, daemon in daemons:
            daemon.ready(partial(self._answers, number), self._settings.start_timeout_s)

    def stop(self) -> bool:
        """Stop all; each finishes the batch it is at."""
        daemons = list(self._daemons(self._recorded()))
        for _, daemon in daemons:  # all at once, then wait for each
            process = daemon.process()
            if process is not None:
                process.signal(signal.SIGTERM)
        stopped = [daemon.stop(signal.SIGTERM, self._settings.stop_timeout_s) for _, daemon in daemons]
        return any(stopped)

    def kill(self) -> list[int]:
        """Kill all at once."""
        return [pid for _, daemon in self._daemons(self._recorded()) for pid in daemon.kill()]

    def status(self) -> PartStatus:
        """How many run."""
        alive = [
            (number, process.pid) for number, daemon in self._daemons(self._recorded()) if (process := daemon.process())
        ]
        working = [pid for number, pid in alive if self._answers(number)]
        wanted = self._settings.workers.count
        return PartStatus(
            name=self.name,
            healthy=len(working) == len(alive) == wanted,
            pids=tuple(pid for _, pid in alive),
            ports=tuple(filter(None, map(self._port, self._wanted()))),
            detail=f"{len(working)} of {wanted} work",
        )

    def _daemons(self, numbers: list[int]) -> list[tuple[int, Daemon]]:
        return [(number, self._daemon(number)) for number in numbers]

    def _daemon(self, number: int) -> Daemon:
        tag = self._tag(number)
        return Daemon(
            self._name(number),
            self._places,
            where=self._places.run,
            belongs=lambda _, command: tag in command,
            own_account=False,
        )

    def _name(self, number: int) -> str:
        return f"worker-{number}"

    def _tag(self, number: int) -> str:
        """Tells a worker of this instance from all others in a list of processes."""
        return f"--instance={self._places.home}#{number}"

    def _command(self, number: int) -> list[str]:
        return [sys.executable, "-m", _MODULE, self._tag(number)]

    def _answers(self, number: int) -> bool:
        port = self._port(number)
        return not port or answers(port)

    def _port(self, number: int) -> int:
        first = self._settings.workers.metrics_port
        return first + number - 1 if first else 0

    def _wanted(self) -> list[int]:
        return list(range(1, self._settings.workers.count + 1))

    def _recorded(self) -> list[int]:
        recorded = [int(path.stem.partition("-")[2]) for path in self._places.run.glob("worker-*.json")]
        return sorted({*recorded, *self._wanted()})

    def _surplus(self) -> list[int]:
        return [number for number in self._recorded() if number > self._settings.workers.count]

    def _environment(self) -> dict[str, str]:
        database = replace(self._settings.database, dsn=self._addresses.address("worker"))
        own = replace(self._settings, database=database)
        return own_environment(own) | environment_of(self._addresses.kafka_access("worker"))
