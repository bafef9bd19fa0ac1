"""The whole stack of one instance: Kafka, the database, the workers, who tells of alerts, and the pages."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final

from deploy.kafka_access import Login
from deploy.roles import Service, service_address
from deploy.settings import Settings
from deploy.stack.errors import StackError
from deploy.stack.kafka_server import ExternalKafka, KafkaServer
from deploy.stack.keeper import KeeperPart
from deploy.stack.machines import elsewhere
from deploy.stack.notices import Notices
from deploy.stack.pages import Pages
from deploy.stack.part import Part, PartStatus
from deploy.stack.places import Places, exclusive, held
from deploy.stack.postgres_server import ExternalDatabase, PostgresServer
from deploy.stack.processes import Process
from deploy.stack.programs import fetch
from deploy.stack.workers import Workers

if TYPE_CHECKING:
    from ingest.kafka.config import KafkaConfig
    from ingest.kafka_access import KafkaAccess

__all__ = ["PARTS", "SERVERS", "Stack"]

SERVERS: Final = ("postgresql", "kafka")
PARTS: Final = (*SERVERS, "workers", "alerts", "pages")
_OF_PROCESS: Final = {"sender": "alerts", "api": "alerts", "pages": "pages", **{name: name for name in SERVERS}}
"""The part that a process belongs to; `worker-1` and so on belong to the workers."""


class Stack:
    """One instance: start it, stop it, look at it.

    Everything can be repeated: `up` starts what is gone and leaves the rest, `down` stops what runs. Only processes
    that are surely ours are ever signalled.

    Parameters
    ----------
    settings
        Where the instance lives, its ports, and servers that exist already.
    say
        Gets a line at each step that may take long.
    """

    def __init__(self, settings: Settings, *, say: Callable[[str], None] = lambda _line: None) -> None:
        self.settings = settings
        self._say = say
        self._places = Places.of(settings)
        database = settings.database.dsn
        self._kafka = (
            KafkaServer(settings, self._places) if settings.kafka.bootstrap is None else ExternalKafka(settings.kafka)
        )
        self._database = PostgresServer(settings, self._places) if database is None else ExternalDatabase(database)

    @property
    def bootstrap(self) -> str:
        """Kafka's address for clients."""
        return self._kafka.bootstrap

    @property
    def access(self) -> "KafkaAccess":
        """How Kafka's owner logs in to it, password included."""
        return self.kafka_access("admin")

    def kafka_access(self, login: Login) -> "KafkaAccess":
        """How a service logs in to Kafka; an existing one lets all of them in as the settings say."""
        return self._kafka.access(login)

    @property
    def dsn(self) -> str:
        """The database's address for its owner, password included.

        Raises `StackError` before the first `up`.
        """
        return self._database.dsn

    def address(self, service: Service) -> str:
        """The database's address for a service, which has a role of its own; see `deploy.roles.service_address`."""
        return self._address(self.dsn, service)

    def _address(self, dsn: str, service: Service) -> str:
        if self.settings.database.roles == "same":
            return dsn
        return service_address(dsn, service, secret=self._places.secret("database_roles"))

    def worker_elsewhere(self, ca: str) -> dict[str, str]:
        """Settings by which workers of another machine reach this one's Kafka and database; passwords are among them.

        Parameters
        ----------
        ca : str
            File over there of who signed the certificate; ``system`` for what that machine trusts.

        Raises
        ------
        StackError
            If Kafka or the database is somebody else's, or no other machine is let in.
        """
        machines, kafka, database = self.settings.machines, self._kafka, self._database
        if machines.host is None or not isinstance(kafka, KafkaServer) or not isinstance(database, PostgresServer):
            raise StackError(
                "other machines must be let in to Kafka and the database of this one: set METERWARDEN_MACHINES_HOST, "
                "_CERTIFICATE and _KEY and start both anew (of servers that exist, workers need the addresses alone)"
            )
        return elsewhere(self.settings, kafka.access("worker"), self.address("worker"), ca=ca)

    @property
    def pages_url(self) -> str:
        """Where the pages are; '' where none are asked for."""
        return self.settings.pages.url or (self._pages().url if self.settings.pages.port else "")

    def show(self, dsn: str) -> str:
        """Serve pages of another database of this instance, anew, until `down`; their address, '' where there are none.

        Raises `StackError` if their port is taken or they do not start.
        """
        pages = self._demo_pages(dsn)
        with self._alone():
            pages.stop()
            pages.check()
            self._start([pages])
        return pages.url if self.settings.pages.port else ""

    @property
    def kafka_config(self) -> "KafkaConfig":
        """Settings of Kafka for ingest, as its owner."""
        return self._kafka_config("admin")

    @property
    def sending(self) -> "KafkaConfig":
        """The same for who sends readings and does nothing else."""
        return self._kafka_config("ingest")

    def _kafka_config(self, login: Login) -> "KafkaConfig":
        from ingest.kafka.config import KafkaConfig  # noqa: PLC0415 - as below

        access = self.kafka_access(login)
        partitions = self.settings.kafka.partitions
        return KafkaConfig(
            bootstrap=access.bootstrap, security=access.security, partitions=partitions, zone=self.settings.zone
        )

    def gateway_password(self, name: str, since: datetime) -> str:
        """Password of a gateway that is given one now; empty where Kafka is somebody else's."""
        from deploy.stack.kafka_gateways import password_of  # noqa: PLC0415 - slow to import

        if not isinstance(self._kafka, KafkaServer):
            return ""
        return password_of(name, since, secret=self._kafka.gateway_secret())

    def let_gateways_in(self) -> list[str]:
        """Make the logins again that gateways had in Kafka, where it is new and the database is not; their names."""
        if not isinstance(self._kafka, KafkaServer):
            return []
        from deploy.stack.kafka_gateways import let_in_again, logins_of  # noqa: PLC0415 - slow to import
        from deploy.stack.kafka_quotas import share_of  # noqa: PLC0415 - likewise

        secret, share = self._kafka.gateway_secret(), share_of(self.settings.kafka)
        made = let_in_again(self.access, logins_of(self.dsn), share=share, secret=secret)
        if made:
            self._say(f"gateways get in to Kafka again with the passwords that they had: {', '.join(made)}")
        return made

    def up(self, parts: Collection[str] = PARTS) -> list[str]:
        """Start what is gone of these parts, and wait until all of them are healthy.

        Before workers, sender or API start, the database is migrated; before the workers, the topics are made.

        Returns
        -------
        list[str]
            The parts that had to be started.

        Raises
        ------
        StackError
            If a port is taken, the disk is short, or a program is missing: then nothing was started. If a part
            does not start or become healthy.
        """
        fetch(self.settings, say=self._say)
        with self._alone():
            servers = [part for part in self._chosen(parts) if part.name in SERVERS]
            for part in self._chosen(parts):
                part.check()  # all of them before any is started
            started = self._start(servers)
            if {"workers", "alerts", "pages"} & set(parts):
                self._migrate()
            if "workers" in parts:
                self._create_topics()
                self.let_gateways_in()
                started += self._start([self._workers()])
            if "alerts" in parts:
                started += self._start([self._notices()])
            if "pages" in parts:
                started += self._start([self._pages()])
            if self.watched():  # else it would end at once: a Kafka that exists is not ours to keep
                keeper = self._keeper()
                keeper.start()
                keeper.ready()
        return started

    def down(self, parts: Collection[str] = PARTS) -> list[str]:
        """Stop these parts cleanly, workers first; the parts that ran."""
        if not self._places.run.is_dir():
            return []
        if set(parts) >= set(PARTS):
            self._keeper().stop()
        with self._alone():
            beside = [self._demo_pages()] if "pages" in parts else []
            return [part.name for part in reversed([*self._chosen(parts), *beside]) if part.stop()]

    def kill(self, part: str) -> list[int]:
        """Kill a part at once, as a power cut would; the pids that were killed."""
        return [pid for chosen in self._chosen([part]) for pid in chosen.kill()]

    def status(self) -> list[PartStatus]:
        """Every part as it is now, and the keeper where there is one.

        Beside a demo, which has its own pages and ran its own worker, the parts that nobody started are left out.
        """
        keeper = [self._keeper().status()] if self.settings.keeper == "on" and self.watched() else []
        parts, demo = [part.status() for part in self._chosen(PARTS)], self._demo_pages().status()
        if demo.pids:
            started = {part.name for name in self.watched() if (part := self._part_of(name)) is not None}
            parts = [one for one in parts if one.pids or one.external or one.name in started]
            parts.append(demo)
        return parts + keeper

    def watched(self) -> list[str]:
        """Processes that were started and not stopped by `down`, whether they run or not."""
        names = sorted(path.stem for path in self._places.run.glob("*.json"))
        return [name for name in names if self._part_of(name) is not None]

    def ended(self) -> list[str]:
        """Those that do not run."""
        recorded = ((name, Process.read(self._places.record(name))) for name in self.watched())
        return [name for name, process in recorded if process is not None and not process.alive()]

    def trim_logs(self) -> None:
        """Keep servers' own logs within their bounds."""
        if isinstance(self._database, PostgresServer):
            self._database.trim_logs()

    def answers(self) -> dict[str, tuple[int, bool]]:
        """Of servers of ours that run: their pid, and whether they answer us."""
        kafka = self._kafka
        process = Process.read(self._places.record(kafka.name))
        if process is None or not process.alive() or not isinstance(kafka, KafkaServer):
            return {}
        return {kafka.name: (process.pid, kafka.answers())}

    def end(self, process: str, pid: int) -> None:
        """Kill a process at once if it still is this one, and neither `up` nor `down` is at work."""
        with held(self._places.run / "lock") as alone:
            part, known = self._part_of(process), Process.read(self._places.record(process))
            if alone and part is not None and known is not None and known.pid == pid:
                part.kill()

    def revive(self, process: str) -> bool:
        """Start what is gone of the part that a process belongs to; False while `up` or `down` is at work.

        Raises as `up` does; it does not wait until the part is healthy.
        """
        with held(self._places.run / "lock") as alone:
            part = self._part_of(process)
            if not alone or part is None or process not in self.ended():
                return False
            part.check()
            part.start()
            return True

    def _part_of(self, process: str) -> Part | None:
        name = "workers" if process.startswith("worker-") else _OF_PROCESS.get(process)
        return None if name is None else self._chosen([name])[0]

    def _start(self, parts: Collection[Part]) -> list[str]:
        started = [part.name for part in parts if part.start()]
        if started:
            self._say(f"starting {' and '.join(started)}")
        for part in parts:  # they start at the same time
            part.ready()
        return started

    def _chosen(self, parts: Collection[str]) -> list[Part]:
        unknown = set(parts) - set(PARTS)
        if unknown:
            raise StackError(f"the parts are {', '.join(PARTS)} (got {', '.join(sorted(unknown))})")
        known: list[Part] = [self._database, self._kafka, self._workers(), self._notices(), self._pages()]
        return [part for part in known if part.name in parts]

    def _workers(self) -> Workers:
        return Workers(self.settings, self._places, addresses=self)

    def _notices(self) -> Notices:
        return Notices(self.settings, self._places, addresses=self)

    def _keeper(self) -> KeeperPart:
        return KeeperPart(self.settings, self._places)

    def _pages(self) -> Pages:
        return Pages(
            self.settings,
            self._places,
            address=lambda: self.address("api"),
            kafka=lambda: self.kafka_access("ingest"),
            port=self.settings.pages.port,
        )

    def _demo_pages(self, dsn: str = "") -> Pages:
        port = self.settings.pages.port
        return Pages(
            self.settings,
            self._places,
            address=lambda: self._address(dsn, "api"),
            name="pages-demo",
            port=port + 1 if port else 0,
        )

    def _migrate(self) -> None:
        """Bring the database to what workers, sender and API expect: their roles are made there too."""
        from deploy.migrate import migrate, site_of  # noqa: PLC0415 - slow to import, and most commands need it not

        migrate(self.dsn, site=site_of(self.settings))

    def _create_topics(self) -> None:
        from ingest.kafka.publisher import create_topics  # noqa: PLC0415 - likewise

        create_topics(self.kafka_config)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        wait_s = self.settings.start_timeout_s + self.settings.stop_timeout_s
        with exclusive(self._places.run / "lock", what="another `meterwarden up` or `down`", timeout_s=wait_s):
            yield
