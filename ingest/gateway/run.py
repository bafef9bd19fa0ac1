"""A running gateway: spool, forwarder, links, MQTT and HTTP; reloading keeps unchanged links open."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import uvicorn
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from analytics.domain.errors import ConfigurationError
from ingest.gateway.access import Gateway, GatewayRegistry, Gateways
from ingest.gateway.commit import GroupCommit
from ingest.gateway.config import GatewayConfig, HttpConfig
from ingest.gateway.drivers import Outcome
from ingest.gateway.forward import Forwarder, Sink
from ingest.gateway.http import HttpIntake, create_app
from ingest.gateway.links import Link
from ingest.gateway.mqtt import MqttIntake
from ingest.gateway.rounds import DeviceState, LinkWorker, Recorder
from ingest.gateway.spool import Spool
from ingest.http.server import ConnectionLimits, server_of

__all__ = ["FixedRegistry", "RunningGateway", "Told"]

log = logging.getLogger("metering.gateway")

Told = Callable[[DeviceState, Outcome | None], None]


class FixedRegistry:
    """The senders of a configuration file, where there is no database to ask."""

    def __init__(self, config: HttpConfig) -> None:
        gateways = [
            Gateway(id=number, name=name, unit_codes=frozenset(units))
            for number, (name, (units, _)) in enumerate(config.senders.items())
        ]
        tokens = {bytes.fromhex(one): (name, None) for name, (_, hashes) in config.senders.items() for one in hashes}
        self._known = Gateways.of(gateways, tokens)

    async def current(self) -> Gateways:
        """The senders."""
        return self._known


@dataclass(slots=True, kw_only=True)
class _Http:
    server: uvicorn.Server
    thread: threading.Thread


class RunningGateway:
    """Everything that a configuration asks for, running.

    Parameters
    ----------
    connect : callable or None
        Makes a connection to Kafka; None keeps everything in the spool, or nothing at all in a dry run.
    topics : mapping of int to str
        Topic of each kind of message.
    registry : GatewayRegistry, optional
        Who may send by HTTP; without one those of the configuration.
    dry : bool
        Devices are read and reported, nothing is stored or sent.
    clock : callable
        What rounds go by. [s since 1970-01-01 UTC]
    tick_s : float
        How often it is looked at. [s]
    metrics_password : str, optional
        What ``/metrics`` asks for.
    tell : callable, optional
        Gives the message in which it tells of itself, as `ingest.gateway.status.state_message` does.
    """

    def __init__(
        self,
        config: GatewayConfig,
        *,
        connect: Callable[[], Sink] | None,
        topics: Mapping[int, str],
        registry: GatewayRegistry | None = None,
        dry: bool = False,
        told: Told = lambda *_: None,
        clock: Callable[[], float] = time.time,
        tick_s: float = 1.0,
        metrics_password: str | None = None,
        tell: "Callable[[RunningGateway], bytes] | None" = None,
    ) -> None:
        self._metrics_password = metrics_password
        self.config, self._told, self._registry = config, told, registry
        self._clock, self._tick_s = clock, tick_s
        self._closing = threading.Event()
        store = config.store
        self.spool = (
            None
            if dry
            else Spool(
                store.path,
                max_bytes=store.max_bytes,
                keep_us=round(store.keep_s * 1e6),
                reserve_bytes=store.reserve_bytes,
            )
        )
        self.commit = GroupCommit(self.spool) if self.spool is not None else None
        self.forwarder = None
        if self.spool is not None and connect is not None:
            told_of = partial(tell, self) if tell is not None else None
            self.forwarder = Forwarder(self.spool, connect, topics, tell=told_of)
        self.recorder = Recorder(self.commit, self._closing)
        self.metrics = CollectorRegistry()
        self._counts = Counter(
            "metering_gateway_readings", "Readings that came", ["way", "result"], registry=self.metrics
        )
        self.metrics.register(_Health(self))
        self.workers: dict[str, LinkWorker] = {}
        self.mqtt: list[MqttIntake] = []
        self._http: _Http | None = None
        self.delivered: dict[str, int] = {}
        """When the last readings of each sender by HTTP were kept. [us since 1970-01-01 UTC]"""

    def start(self) -> None:
        """Begin; raises `ConfigurationError` where a port is taken."""
        if self.forwarder is not None:
            self.forwarder.start()
        self._set_links(self.config)
        if self.commit is not None:
            self._start_mqtt(self.config)
            if self.config.http is not None:
                self._http = self._start_http(self.config.http)

    def reload(self, config: GatewayConfig) -> list[str]:
        """Take another configuration: links that stay the same stay open.

        Returns
        -------
        list of str
            What only another start takes over.
        """
        fixed = ("id", "store", "kafka", "http", "metrics_port")
        left = [name for name in fixed if getattr(config, name) != getattr(self.config, name)]
        if list(config.mqtt) != list(self.config.mqtt) and self.commit is not None:
            for intake in self.mqtt:
                intake.close()
            self.mqtt.clear()
            self._start_mqtt(config)
        self._set_links(config)
        self.config = config
        return left

    def close(self, *, drain_s: float = 5.0) -> None:
        """End: first nothing comes in, then what is in the spool goes out as far as there is time. [s]"""
        self._closing.set()
        if self._http is not None:
            self._http.server.should_exit = True
            self._http.thread.join()
        for intake in self.mqtt:
            intake.close()
        for worker in self.workers.values():
            worker.close()
        if self.commit is not None:
            self.commit.close()
        if self.forwarder is not None:
            self.forwarder.close(drain_s=drain_s)
        if self.spool is not None:
            self.spool.close()

    def states(self) -> list[DeviceState]:
        """All devices, and how they are."""
        return [state for worker in list(self.workers.values()) for state in worker.states()]

    def _set_links(self, config: GatewayConfig) -> None:
        wanted = {link.name: link for link in config.links}
        for name in list(self.workers):
            if wanted.get(name) != self.workers[name].link.config:
                self.workers.pop(name).close()
        for name, link in wanted.items():
            devices = config.devices_of(name)
            worker = self.workers.get(name)
            if worker is not None:
                worker.set_devices(devices)
                continue
            worker = LinkWorker(
                Link(link),
                devices,
                self.recorder,
                config.zone,
                profiles=config.profiles,
                max_clock_error_s=config.max_clock_error_s,
                told=self._told,
                clock=self._clock,
                tick_s=self._tick_s,
            )
            self.workers[name] = worker
            worker.start()

    def _start_mqtt(self, config: GatewayConfig) -> None:
        assert self.commit is not None, "not a dry run"
        accepted, rejected = (self._counts.labels("mqtt", result) for result in ("accepted", "rejected"))

        def counted(good: int, bad: int) -> None:
            accepted.inc(good)
            rejected.inc(bad)

        for broker in config.mqtt:
            intake = MqttIntake(broker, self.commit, config.zone, counted=counted)
            intake.start()
            self.mqtt.append(intake)

    def _start_http(self, config: HttpConfig) -> _Http:
        assert self.commit is not None, "not a dry run"
        registry = self._registry or FixedRegistry(config)
        intake = HttpIntake(
            self.commit,
            registry,
            self.config.zone,
            limits=config.limits,
            metrics=self.metrics,
            readings=self._counts,
            metrics_password=self._metrics_password,
            delivered=self.delivered,
        )
        server = server_of(
            create_app(intake),
            host=config.host,
            port=config.port,
            limits=ConnectionLimits(idle_s=75.0),
            certificate=config.certificate,
            key=config.key,
            client_ca=config.client_ca,
        )
        thread = threading.Thread(target=_serve, args=(server,), name="http", daemon=True)
        thread.start()
        end = time.monotonic() + 15.0
        while not server.started:
            if not thread.is_alive() or time.monotonic() > end:
                raise ConfigurationError(f"[http] {config.host}:{config.port} must be free (the server did not start)")
            time.sleep(0.02)
        return _Http(server=server, thread=thread)


def _serve(server: uvicorn.Server) -> None:
    try:
        server.run()
    except SystemExit:  # uvicorn's way to say that the port is taken
        log.exception("the HTTP server did not start")


class _Health(Collector):
    """Prometheus collector of spool, forwarder, links and devices."""

    def __init__(self, gateway: RunningGateway) -> None:
        self._gateway = gateway

    def collect(self) -> Sequence[Metric]:
        """Spool, forwarder, links and devices."""
        gateway = self._gateway
        families: list[Metric] = []

        def gauge(name: str, text: str, value: float) -> None:
            family = GaugeMetricFamily(f"metering_gateway_{name}", text)
            family.add_metric([], value)
            families.append(family)

        if gateway.spool is not None:
            stats = gateway.spool.stats()
            age_s = time.time() - stats.oldest_us / 1e6 if stats.oldest_us is not None else 0.0
            gauge("spool_bytes", "On disk", stats.bytes)
            gauge("spool_max_bytes", "Most there may be", gateway.config.store.max_bytes)
            gauge("spool_readings", "Not yet acknowledged by Kafka", stats.readings)
            gauge("spool_oldest_seconds", "Age of the oldest of these", age_s)
            gauge("spool_dropped_readings", "Given up: full, and older than is kept", stats.dropped_readings)
            gauge("spool_damaged_bytes", "Went bad on the disk, seen since the start", stats.damaged_bytes)
        if gateway.forwarder is not None:
            gauge("kafka_reachable", "Whether Kafka takes messages", float(not gateway.forwarder.error))
        families += self._links() + self._devices()
        return families

    def _links(self) -> list[Metric]:
        names = (
            ("reads", "Times a device was asked"),
            ("failures", "Times it gave no value"),
            ("readings", "Readings taken"),
            ("late_rounds", "Rounds left out because the one before was not over"),
            ("busy_s", "Seconds that the line was in use"),
        )
        families: list[Metric] = []
        for name, text in names:
            family = GaugeMetricFamily(f"metering_gateway_link_{name}", text, labels=["link"])
            for link, worker in self._gateway.workers.items():
                family.add_metric([link], float(getattr(worker.counts, name)))
            families.append(family)
        return families

    def _devices(self) -> list[Metric]:
        status = GaugeMetricFamily(
            "metering_gateway_device_ok", "Whether a device gives values", labels=["link", "meter_no", "status"]
        )
        clock = GaugeMetricFamily(
            "metering_gateway_device_clock_offset_seconds", "Its clock less ours", labels=["link", "meter_no"]
        )
        for state in self._gateway.states():
            if state.status:
                labels = [state.config.link, state.config.meter_no]
                status.add_metric([*labels, state.status], float(state.status == "ok"))
                if state.clock_offset_s is not None:
                    clock.add_metric(labels, state.clock_offset_s)
        return [status, clock]
