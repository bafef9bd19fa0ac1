"""Apache Kafka as one local process: broker and controller in one (KRaft), on 127.0.0.1 only.

Nobody gets in without a login. Clients prove a password by SCRAM: it never crosses the connection. The broker itself,
which calls its own ports, has a password (PLAIN) that is new at each start: by that one `up` gives the others theirs,
so that an instance of whatever age, or one whose secret was lost, comes up the same way. Another process that took the
port first and were told it would hold the password of a broker that could not start.
"""

import base64
import logging
import re
import secrets
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from deploy.kafka_access import LOGINS, Login, access_of, scram, service_access, user_of
from deploy.settings import KafkaSettings, Settings
from deploy.stack.daemon import Daemon, plain_environment
from deploy.stack.errors import PartFailed, StackError
from deploy.stack.jars import RESOURCES, VERSION, jars, java, own_jar
from deploy.stack.kafka_listener import SCRAM_MODULE, gateway_listener
from deploy.stack.kafka_probe import Answer, ask, brokers
from deploy.stack.machines import LOGINS as FROM_ELSEWHERE
from deploy.stack.machines import check as check_machines
from deploy.stack.machines import kafka_address, kafka_door
from deploy.stack.part import PartStatus
from deploy.stack.places import Places, require_disk
from deploy.stack.ports import require_free
from deploy.stack.processes import identity
from ingest.kafka_access import KafkaAccess

__all__ = ["MESSAGE_BYTES", "ExternalKafka", "KafkaServer"]

# a 50 MB message shall arrive, so that it is us who refuse it and keep its beginning
MESSAGE_BYTES: Final = 64 << 20
_REQUEST_BYTES: Final = MESSAGE_BYTES + (8 << 20)
_MAIN: Final = "kafka.Kafka"
_BROKER: Final = user_of("broker")


class KafkaServer:
    """Our own Kafka."""

    name = "kafka"

    def __init__(self, settings: Settings, places: Places) -> None:
        self._settings = settings
        self._places = places
        self._data = places.data(self.name)
        self._properties = places.conf / "kafka.properties"
        self._daemon = Daemon(self.name, places, where=places.own_logs(self.name), belongs=self._belongs)

    @property
    def bootstrap(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self._settings.kafka.port}"

    def access(self, login: Login) -> KafkaAccess:
        """How a service of ours logs in."""
        return service_access(self.bootstrap, login, secret=self._places.known_secret("kafka"))

    def gateway_secret(self) -> str:
        """What passwords of gateways are made from."""
        return self._places.known_secret("kafka")

    def check(self) -> None:
        """Refuse a taken port, a short disk, a Java that is too old."""
        if self._daemon.process() is not None:
            return
        kafka = self._settings.kafka
        require_free(kafka.port, part=self.name, setting="METERWARDEN_KAFKA_PORT")
        require_free(kafka.controller_port, part=self.name, setting="METERWARDEN_KAFKA_CONTROLLER_PORT")
        if kafka.gateway_port:
            require_free(kafka.gateway_port, part=self.name, setting="METERWARDEN_KAFKA_GATEWAY_PORT")
            gateway_listener(kafka)
        machines = self._settings.machines
        check_machines(machines, port=machines.kafka_port, setting="METERWARDEN_MACHINES_HOST")
        require_disk(self._settings.home, self._settings.disk_free_mb)
        java(self._settings.java)

    def start(self) -> bool:
        """Start it when it does not run."""
        if self._daemon.process() is not None:
            return False
        program = java(self._settings.java)
        library = jars(self._places.cache)
        scratch = self._data / "tmp"  # snappy and zstd unpack their libraries there; /tmp may be noexec or closed
        for folder in (self._data, scratch, self._places.own_logs(self.name)):
            self._places.make_own(folder)
        self._places.secret("kafka")
        self._write_properties()
        heap = f"{self._settings.kafka.heap_mb}m"
        command = [
            program,
            f"-Xmx{heap}",
            f"-Xms{heap}",
            *_JVM,
            f"-Dmeterwarden.logs={self._places.own_logs(self.name)}",
            f"-Djava.io.tmpdir={scratch}",
        ]
        logging = self._places.write_conf(
            "log4j2.properties", (RESOURCES / "log4j2.properties").read_text(encoding="utf-8")
        )
        command += [f"-Dlog4j2.configurationFile={logging}"]
        own = self._places.write_conf("own.jar", own_jar())
        command += ["-cp", f"{own}:{library}/*"]
        self._format(command)
        self._daemon.start(
            [*command, _MAIN, str(self._properties)],
            environ=plain_environment(self._places),
        )
        return True

    def ready(self) -> None:
        """Wait until it answers for its metadata, and give our services their logins."""
        from deploy.stack.kafka_quotas import share_of  # noqa: PLC0415 - slow to import, and only `up` needs it
        from deploy.stack.kafka_rights import set_up_logins  # noqa: PLC0415 - likewise

        first = KafkaAccess(self.bootstrap, scram(_BROKER, self._broker_password(), mechanism="PLAIN"))
        with _knowingly_plain():
            self._daemon.ready(
                lambda: brokers(first) > 0,
                self._settings.start_timeout_s,
                more=self._places.own_logs(self.name) / "server.log",
            )
            logins = {login: self.access(login) for login in LOGINS}
            set_up_logins(first, logins, share_of(self._settings.kafka))

    def stop(self) -> bool:
        """Stop it; its log is closed cleanly."""
        return self._daemon.stop(signal.SIGTERM, self._settings.stop_timeout_s)

    def kill(self) -> list[int]:
        """Kill it at once."""
        return self._daemon.kill()

    def status(self) -> PartStatus:
        """How it is now."""
        process, kafka, machines = self._daemon.process(), self._settings.kafka, self._settings.machines
        elsewhere = machines.kafka_port if machines.host else 0
        answer = self._answer() if process is not None else None
        healthy = answer is not None and answer.brokers > 0
        return PartStatus(
            name=self.name,
            healthy=healthy,
            pids=(process.pid,) if process else (),
            ports=tuple(filter(None, (kafka.port, kafka.controller_port, kafka.gateway_port, elsewhere))),
            version=VERSION,
            detail="does not run" if answer is None else self.bootstrap if healthy else answer.refusal,
        )

    def answers(self) -> bool:
        """Whether it answers at its door for us; at that of gateways strangers may be in the way."""
        return self._answer().brokers > 0

    def _answer(self) -> Answer:
        try:
            return ask(self.access("admin"))
        except StackError as error:  # not its owner, or an instance of an earlier version
            return Answer(refusal=str(error))

    def _belongs(self, _pid: int, command: tuple[str, ...]) -> bool:
        return command[-2:] == (_MAIN, str(self._properties))

    def _write_properties(self) -> None:
        kafka = self._settings.kafka
        password = secrets.token_urlsafe(24)
        plain = f'{_PLAIN} required username="{_BROKER}" password="{password}" user_{_BROKER}="{password}";'
        gateways = gateway_listener(kafka) if kafka.gateway_port else None
        machines = self._settings.machines
        elsewhere = {user_of(login): self.access(login).security["sasl_plain_password"] for login in FROM_ELSEWHERE}
        doors = (f"CLIENTS://127.0.0.1:{kafka.port}", gateways.address if gateways else "", kafka_address(machines))
        listeners = ",".join(filter(None, doors))
        lines = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{kafka.controller_port}",
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{kafka.controller_port}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": "CLIENTS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT"
            + (",GATEWAYS:SASL_SSL" if gateways else "")
            + (",MACHINES:SASL_SSL" if machines.host else ""),
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "CLIENTS",
            # who gets in, and what they may do: nothing that no rule allows
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "sasl.mechanism.controller.protocol": "PLAIN",
            "listener.name.clients.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
            "listener.name.clients.scram-sha-512.sasl.jaas.config": f"{SCRAM_MODULE} required;",
            "listener.name.clients.plain.sasl.jaas.config": plain,
            "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.controller.plain.sasl.jaas.config": plain,
            **(gateways.properties if gateways else {}),
            **kafka_door(machines, elsewhere),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": f"User:{_BROKER};User:{user_of('admin')}",
            "log.dirs": self._data / "log",
            "num.partitions": kafka.partitions,
            "auto.create.topics.enable": "false",
            "message.max.bytes": MESSAGE_BYTES,
            "replica.fetch.max.bytes": MESSAGE_BYTES,
            # room is taken when a request states its size: without a bound few of them fill the heap, and all ends
            "socket.request.max.bytes": _REQUEST_BYTES,
            "queued.max.request.bytes": _REQUEST_BYTES + (gateways.request_bytes if gateways else 0),
            # one node: one copy of everything, and nobody to wait for
            "default.replication.factor": 1,
            "min.insync.replicas": 1,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 2000,
            # with no second copy, what is acknowledged must reach the disk soon
            "log.flush.interval.ms": kafka.flush_ms,
            "log.flush.scheduler.interval.ms": kafka.flush_ms,
            # a killed broker is registered anew when its old session is over; the default makes that 9 s
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
            # a small machine: the buffer of the log cleaner would be a quarter of the heap
            "log.cleaner.dedupe.buffer.size": 16 << 20,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "background.threads": 2,
            "num.recovery.threads.per.data.dir": 2,
        }
        text = "".join(f"{name}={value}\n" for name, value in lines.items())
        self._places.write_own_conf(self._properties.name, "# written at every start from the settings\n" + text)

    def _broker_password(self) -> str:
        try:
            said = re.search(rf'user_{re.escape(_BROKER)}="([^"]+)"', self._properties.read_text(encoding="utf-8"))
        except OSError as error:
            raise PartFailed(f"cannot read {self._properties}: {error.strerror}; only its owner can start it") from None
        if said is None:
            raise PartFailed(
                "the Kafka that runs was started by an earlier version and lets everybody in: "
                "stop it with `meterwarden down`, then `meterwarden up` starts it with logins"
            )
        return said[1]

    def _format(self, command: list[str]) -> None:
        """Prepare the storage at the first start."""
        if (self._data / "log" / "meta.properties").exists():
            return
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        quiet = [part for part in command if not part.startswith("-Dlog4j2.")]
        result = subprocess.run(
            [*quiet, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(self._properties)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd=self._data,
            env=plain_environment(self._places),
            **identity(self._places.account),
        )
        if result.returncode != 0:
            raise PartFailed(
                f"Kafka's storage could not be prepared: {(result.stdout + result.stderr).strip()[-1500:]}"
            )


_PLAIN: Final = "org.apache.kafka.common.security.plain.PlainLoginModule"
_JVM: Final = (
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:+ExitOnOutOfMemoryError",  # gone and restarted is better than half alive
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
)


@contextmanager
def _knowingly_plain() -> Iterator[None]:
    """Keep clients from warning that a password crosses the connection: it is the broker's, of this one start."""

    def told(record: logging.LogRecord) -> bool:
        return "in the clear" not in str(record.msg)

    logs = [logging.getLogger(name) for name in ("aiokafka.conn", "kafka.net.sasl.plain")]
    for log in logs:
        log.addFilter(told)
    try:
        yield
    finally:
        for log in logs:
            log.removeFilter(told)


class ExternalKafka:
    """Somebody else's Kafka: checked, never started or stopped."""

    name = "kafka"

    def __init__(self, kafka: KafkaSettings) -> None:
        self._access = access_of(kafka)

    @property
    def bootstrap(self) -> str:
        """Where clients connect."""
        return self._access.bootstrap

    def access(self, _login: Login) -> KafkaAccess:
        """How all of our services log in: as the settings say."""
        return self._access

    def check(self) -> None:
        """Nothing to refuse."""

    def start(self) -> bool:
        """Nothing to start."""
        return False

    def ready(self) -> None:
        """Check that it answers."""
        answer = ask(self._access)
        if answer.brokers == 0:
            raise PartFailed(f"the Kafka at {self.bootstrap} (METERWARDEN_KAFKA) {answer.refusal}")

    def stop(self) -> bool:
        """Nothing to stop."""
        return False

    def kill(self) -> list[int]:
        """Nothing to kill."""
        return []

    def status(self) -> PartStatus:
        """Whether it answers."""
        answer = ask(self._access)
        healthy = answer.brokers > 0
        detail = self.bootstrap if healthy else f"{self.bootstrap} {answer.refusal}"
        return PartStatus(name=self.name, healthy=healthy, external=True, detail=detail)
