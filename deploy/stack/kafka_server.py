"""Apache Kafka as one local process: broker and controller in one (KRaft), on 127.0.0.1 only."""

import base64
import signal
import subprocess
import uuid
from typing import Final

from deploy.settings import Settings
from deploy.stack.daemon import Daemon, plain_environment
from deploy.stack.errors import PartFailed
from deploy.stack.jars import RESOURCES, VERSION, jars, java
from deploy.stack.kafka_probe import brokers
from deploy.stack.part import PartStatus
from deploy.stack.places import Places, require_disk
from deploy.stack.ports import require_free
from deploy.stack.processes import identity

__all__ = ["MESSAGE_BYTES", "ExternalKafka", "KafkaServer"]

# a 50 MB message shall arrive, so that it is us who refuse it and keep its beginning
MESSAGE_BYTES: Final = 64 << 20
_MAIN: Final = "kafka.Kafka"


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

    def check(self) -> None:
        """Refuse a taken port, a short disk, a Java that is too old."""
        if self._daemon.process() is not None:
            return
        kafka = self._settings.kafka
        require_free(kafka.port, part=self.name, setting="METERWARDEN_KAFKA_PORT")
        require_free(kafka.controller_port, part=self.name, setting="METERWARDEN_KAFKA_CONTROLLER_PORT")
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
        command += ["-cp", f"{library}/*"]
        self._format(command)
        self._daemon.start(
            [*command, _MAIN, str(self._properties)],
            environ=plain_environment(self._places),
        )
        return True

    def ready(self) -> None:
        """Wait until it answers for its metadata."""
        self._daemon.ready(
            lambda: brokers(self.bootstrap) > 0,
            self._settings.start_timeout_s,
            more=self._places.own_logs(self.name) / "server.log",
        )

    def stop(self) -> bool:
        """Stop it; its log is closed cleanly."""
        return self._daemon.stop(signal.SIGTERM, self._settings.stop_timeout_s)

    def kill(self) -> list[int]:
        """Kill it at once."""
        return self._daemon.kill()

    def status(self) -> PartStatus:
        """How it is now."""
        process = self._daemon.process()
        healthy = process is not None and brokers(self.bootstrap) > 0
        return PartStatus(
            name=self.name,
            healthy=healthy,
            pids=(process.pid,) if process else (),
            ports=(self._settings.kafka.port, self._settings.kafka.controller_port),
            version=VERSION,
            detail=self.bootstrap if healthy else "does not run" if process is None else "does not answer",
        )

    def _belongs(self, _pid: int, command: tuple[str, ...]) -> bool:
        return command[-2:] == (_MAIN, str(self._properties))

    def _write_properties(self) -> None:
        kafka = self._settings.kafka
        lines = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{kafka.controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{kafka.port},CONTROLLER://127.0.0.1:{kafka.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{kafka.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": self._data / "log",
            "num.partitions": kafka.partitions,
            "auto.create.topics.enable": "false",
            "message.max.bytes": MESSAGE_BYTES,
            "replica.fetch.max.bytes": MESSAGE_BYTES,
            "socket.request.max.bytes": 2 * MESSAGE_BYTES,
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
        self._places.write_conf(self._properties.name, "# written at every start from the settings\n" + text)

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


class ExternalKafka:
    """Somebody else's Kafka: checked, never started or stopped."""

    name = "kafka"

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def check(self) -> None:
        """Nothing to refuse."""

    def start(self) -> bool:
        """Nothing to start."""
        return False

    def ready(self) -> None:
        """Check that it answers."""
        if brokers(self.bootstrap) == 0:
            raise PartFailed(f"the Kafka at {self.bootstrap} (METERWARDEN_KAFKA) does not answer")

    def stop(self) -> bool:
        """Nothing to stop."""
        return False

    def kill(self) -> list[int]:
        """Nothing to kill."""
        return []

    def status(self) -> PartStatus:
        """Whether it answers."""
        healthy = brokers(self.bootstrap) > 0
        detail = self.bootstrap if healthy else f"{self.bootstrap} does not answer"
        return PartStatus(name=self.name, healthy=healthy, external=True, detail=detail)
