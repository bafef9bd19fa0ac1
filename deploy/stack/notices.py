"""The sender of alerts and the HTTP API, each a process where the settings ask for it."""

import signal
import sys
from dataclasses import replace
from typing import Final

from deploy.roles import Service
from deploy.settings import KafkaSettings, Settings
from deploy.stack.daemon import Daemon, own_environment
from deploy.stack.part import PartStatus
from deploy.stack.places import Places
from deploy.stack.ports import answers, require_free
from deploy.stack.processes import until
from deploy.stack.workers import Addresses

__all__ = ["Notices"]

_MODULES: Final[dict[Service, str]] = {"sender": "deploy.sender", "api": "deploy.serve"}
_SETTLE_S: Final = 2.0


class Notices:
    """Sender and API of an instance; they run as who calls `up`."""

    name = "alerts"

    def __init__(self, settings: Settings, places: Places, *, addresses: Addresses) -> None:
        self._settings = settings
        self._places = places
        self._addresses = addresses

    def check(self) -> None:
        """Refuse a file of channels that cannot be used, and a taken port of an API that does not run."""
        if self._settings.alerts.channels:
            from deploy.channels import channels_text  # noqa: PLC0415 - it looks into this package itself
            from streams.alerts.channels import read_channels  # noqa: PLC0415 - most instances have none

            read_channels(channels_text(self._settings), str(self._settings.alerts.channels))
        port = self._settings.alerts.api_port
        if port and self._daemon("api").process() is None:
            require_free(port, part="api", setting="METERWARDEN_API_PORT")

    def start(self) -> bool:
        """Start what is asked for and does not run, and stop what is asked for no longer."""
        started = False
        for name in _MODULES:
            daemon = self._daemon(name)
            if name not in self._wanted():
                daemon.stop(signal.SIGTERM, self._settings.stop_timeout_s)
            elif daemon.process() is None:
                daemon.start([sys.executable, "-m", _MODULES[name], self._tag(name)], environ=self._environment(name))
                started = True
        return started

    def ready(self) -> None:
        """Wait until the API answers, and see that the sender stays alive."""
        for name in self._wanted():
            daemon = self._daemon(name)
            if name == "sender":
                until(lambda daemon=daemon: daemon.process() is None, _SETTLE_S)  # type: ignore[misc]  # a default binds it
            daemon.ready(lambda name=name: self._answers(name), self._settings.start_timeout_s)  # type: ignore[misc]  # as above

    def stop(self) -> bool:
        """Stop both; a message that is being sent is finished."""
        stopped = [self._daemon(name).stop(signal.SIGTERM, self._settings.stop_timeout_s) for name in _MODULES]
        return any(stopped)

    def kill(self) -> list[int]:
        """Kill both at once."""
        return [pid for name in _MODULES for pid in self._daemon(name).kill()]

    def status(self) -> PartStatus:
        """Which run."""
        wanted = self._wanted()
        alive = {name: process.pid for name in _MODULES if (process := self._daemon(name).process())}
        working = [name for name in alive if self._answers(name)]
        port = self._settings.alerts.api_port
        return PartStatus(
            name=self.name,
            healthy=sorted(working) == sorted(wanted) == sorted(alive),
            pids=tuple(alive.values()),
            ports=(port,) if port else (),
            detail=f"{' and '.join(working) or 'none'} of {' and '.join(wanted)} work" if wanted else "not asked for",
        )

    def _wanted(self) -> list[str]:
        alerts = self._settings.alerts
        return [name for name, asked in (("sender", alerts.channels), ("api", alerts.api_port)) if asked]

    def _answers(self, name: str) -> bool:
        return name != "api" or answers(self._settings.alerts.api_port)

    def _daemon(self, name: str) -> Daemon:
        tag = self._tag(name)
        return Daemon(
            name,
            self._places,
            where=self._places.run,
            belongs=lambda _, command: tag in command,
            own_account=False,
        )

    def _tag(self, name: str) -> str:
        return f"--instance={self._places.home}#{name}"

    def _environment(self, name: Service) -> dict[str, str]:
        database = replace(self._settings.database, dsn=self._addresses.address(name))
        nothing = KafkaSettings()  # neither has anything to do with Kafka, nor needs a password of it
        return own_environment(replace(self._settings, database=database, kafka=nothing))
