"""The web pages of an instance: a process of their own, and one more for a demo's region."""

import signal
import ssl
import sys
from collections.abc import Callable
from dataclasses import replace

from deploy.kafka_access import environment_of
from deploy.settings import Settings
from deploy.stack.daemon import Daemon, own_environment
from deploy.stack.errors import StackError
from deploy.stack.part import PartStatus
from deploy.stack.places import Places
from deploy.stack.ports import answers, require_free
from ingest.kafka_access import KafkaAccess

__all__ = ["Pages"]

_MODULE = "deploy.pages"


class Pages:
    """The pages' process, which runs as who calls `up`.

    Parameters
    ----------
    address : callable
        Gives the database's address as the API's role; asked for when the process is started.
    kafka : callable, optional
        Gives the way into Kafka, where uploaded readings go; without it none are taken.
    name : str
        ``pages``, or another for pages of another database beside it.
    port : int
        Of `METERWARDEN_PAGES_HOST`; 0 runs none.
    """

    def __init__(
        self,
        settings: Settings,
        places: Places,
        *,
        address: Callable[[], str],
        kafka: Callable[[], KafkaAccess] | None = None,
        name: str = "pages",
        port: int,
    ) -> None:
        self.name = name
        self._settings = settings
        self._places = places
        self._address = address
        self._kafka = kafka
        self._port = port

    @property
    def url(self) -> str:
        """Where they are on this machine."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._settings.pages.certificate else 'http'}://{host}:{self._port}"

    @property
    def _host(self) -> str:
        """An address by which they are reached on this machine."""
        host = self._settings.pages.host.strip("[]")
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - it is what people write

    def check(self) -> None:
        """Refuse a taken port, and a certificate that cannot be used."""
        certificate, key = self._settings.pages.certificate, self._settings.pages.key
        if self._port and certificate is not None and key is not None:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
            except (OSError, ValueError) as error:
                raise StackError(
                    "METERWARDEN_PAGES_CERTIFICATE and _KEY must be PEM files of a certificate and its key, "
                    f"which no password protects (got {certificate}, {key}: {error})"
                ) from None
        if self._port and self._daemon().process() is None:
            require_free(self._port, part=self.name, setting="METERWARDEN_PAGES_PORT")

    def start(self) -> bool:
        """Start them where they are asked for and do not run, stop them where they are asked for no longer."""
        daemon = self._daemon()
        if not self._port:
            daemon.stop(signal.SIGTERM, self._settings.stop_timeout_s)
            return False
        if daemon.process() is not None:
            return False
        daemon.start([sys.executable, "-m", _MODULE, self._tag], environ=self._environment())
        return True

    def ready(self) -> None:
        """Wait until they answer."""
        if self._port:
            self._daemon().ready(lambda: answers(self._port, self._host), self._settings.start_timeout_s)

    def stop(self) -> bool:
        """Stop them; a page under way is finished."""
        return self._daemon().stop(signal.SIGTERM, self._settings.stop_timeout_s)

    def kill(self) -> list[int]:
        """Kill them at once."""
        return self._daemon().kill()

    def status(self) -> PartStatus:
        """Whether they answer."""
        process = self._daemon().process()
        working = process is not None and bool(self._port) and answers(self._port, self._host)
        asked = bool(self._port)
        return PartStatus(
            name=self.name,
            healthy=working if asked else process is None,
            pids=(process.pid,) if process else (),
            ports=(self._port,) if asked else (),
            detail=(self.url if working else "do not answer") if asked else "not asked for",
        )

    @property
    def _tag(self) -> str:
        return f"--instance={self._places.home}#{self.name}"

    def _daemon(self) -> Daemon:
        tag = self._tag
        return Daemon(
            self.name,
            self._places,
            where=self._places.run,
            belongs=lambda _, command: tag in command,
            own_account=False,
        )

    def _environment(self) -> dict[str, str]:
        database = replace(self._settings.database, dsn=self._address())
        pages = replace(self._settings.pages, port=self._port)
        kafka = replace(self._settings.kafka, bootstrap=None)
        alerts = self._settings.alerts
        if self.name != "pages":
            alerts = replace(alerts, metrics_port=0)  # that page has the port already
        own = own_environment(replace(self._settings, kafka=kafka, database=database, pages=pages, alerts=alerts))
        return own | (environment_of(self._kafka()) if self._kafka else {})
