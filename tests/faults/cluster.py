"""A Kafka of three machines, as far as one machine can be three: brokers with addresses and folders of their own."""

import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final

from deploy.settings import Settings
from deploy.stack.jars import jars, java
from deploy.stack.kafka_probe import brokers
from deploy.stack.ports import free_ports
from deploy.stack.processes import until
from ingest.kafka_access import KafkaAccess

__all__ = ["Cluster", "cluster"]

_SOON_S: Final = 180.0
_HOSTS: Final = MappingProxyType({1: "127.0.0.1", 2: "127.0.0.2", 3: "127.0.0.3"})


class Cluster:
    """Three brokers, each a controller too: what is acknowledged is on two of them."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._folder = folder
        ports = free_ports(6)
        self._clients = dict(zip(_HOSTS, ports[:3], strict=True))
        self._controllers = dict(zip(_HOSTS, ports[3:], strict=True))
        library = f"{jars(settings.cache)}/*"
        self._java = [java(settings.java), "-Xms160m", "-Xmx320m", "-XX:+UseSerialGC", "-cp", library]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        name = uuid.uuid4().hex
        for node in _HOSTS:
            (folder / str(node)).mkdir()
            self._properties(node).write_text("".join(f"{key}={value}\n" for key, value in self._lines(node).items()))
            tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={name}", "-c", str(self._properties(node))]
            subprocess.run([*self._java, *tool], check=True, capture_output=True)

    @property
    def access(self) -> KafkaAccess:
        return KafkaAccess(",".join(f"{host}:{self._clients[node]}" for node, host in _HOSTS.items()))

    def start(self, *nodes: int) -> None:
        """Start brokers, all of them by default; wait until the cluster has them."""
        for node in nodes or _HOSTS:
            with (self._folder / str(node) / "log").open("ab") as sink:
                command = [*self._java, "kafka.Kafka", str(self._properties(node))]
                self._processes[node] = subprocess.Popen(command, stdout=sink, stderr=sink)
        assert until(lambda: brokers(self.access) == len(self._processes), _SOON_S), "the cluster has its brokers"

    def kill(self, node: int) -> None:
        """At once, as a power cut would."""
        process = self._processes.pop(node)
        process.kill()
        process.wait()

    def freeze(self, node: int) -> None:
        """Let a broker say nothing, as if the way to it were gone; what was open stays open."""
        self._processes[node].send_signal(signal.SIGSTOP)

    def thaw(self, node: int) -> None:
        self._processes[node].send_signal(signal.SIGCONT)
        assert until(lambda: brokers(self.access) == len(self._processes), _SOON_S), "it is one of them again"

    def close(self) -> None:
        for node in list(self._processes):
            self.kill(node)

    def _properties(self, node: int) -> Path:
        return self._folder / str(node) / "kafka.properties"

    def _lines(self, node: int) -> dict[str, object]:
        host = _HOSTS[node]
        voters = ",".join(f"{one}@{_HOSTS[one]}:{port}" for one, port in self._controllers.items())
        return {
            "process.roles": "broker,controller",
            "node.id": node,
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://{host}:{self._clients[node]},CONTROLLER://{host}:{self._controllers[node]}",
            "advertised.listeners": f"PLAINTEXT://{host}:{self._clients[node]}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": self._folder / str(node) / "data",
            "auto.create.topics.enable": "false",
            "default.replication.factor": 3,
            "min.insync.replicas": 2,
            "offsets.topic.replication.factor": 3,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 3,
            "transaction.state.log.min.isr": 2,
            "transaction.state.log.num.partitions": 4,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 2000,
            "log.cleaner.dedupe.buffer.size": 16 << 20,
            "num.network.threads": 2,
            "num.io.threads": 2,
        }


@contextmanager
def cluster(settings: Settings, folder: Path) -> Iterator[Cluster]:
    """A cluster that runs; it is gone afterwards."""
    made = Cluster(settings, folder)
    try:
        made.start()
        yield made
    finally:
        made.close()
