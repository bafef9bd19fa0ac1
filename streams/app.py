"""The worker as a Faust application: `create_app` puts it together, starting it connects it. Importing does nothing."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

from faust.types import TP

from ingest.metrics_page import MetricsPage, Pulse
from streams.admission.agent import Admission
from streams.agents.alerts import AlertsAgent
from streams.agents.balance import BalanceAgent
from streams.agents.courtesy import Courtesy
from streams.agents.detections import DetectionRelay
from streams.agents.passing import PassingOn
from streams.agents.relay import Publisher, Relay
from streams.agents.sampler import Sampler
from streams.agents.totals import TotalsAgent
from streams.compliance.agent import ComplianceAgent
from streams.compliance.stale import ComplianceStore
from streams.config import StreamsConfig
from streams.lanes import readings
from streams.lanes.lanes import Lanes
from streams.lanes.workshop import Workshop
from streams.metrics import WorkerMetrics
from streams.patience import in_rounds
from streams.rows.layout import Doing
from streams.source.broker import Broker, TopicFacts
from streams.source.consumer import BatchApp, BatchOptions, Position
from streams.source.credentials import credentials_of
from streams.source.incarnation import TopicGuard
from streams.source.topology import readings_topic
from streams.spans import spans_to_collector
from streams.steps.state import rules_of
from streams.store.access.admission import AdmissionStore
from streams.store.partitions import TimescaleStore
from streams.warm import warm_up

__all__ = ["WorkerApp", "create_app"]

log = logging.getLogger("metering.worker")

_STILL_S = 60.0
"""An event loop that stands for so long is dead; computing never holds it up for more than a second. [s]"""
_TROUBLE = frozenset({Doing.WAITING, Doing.REFUSED})
_EXTRA_CONNECTIONS = 8
"""For relays, totals, compliance, balances, layers and questions: they never wait for transactions of partitions."""


class WorkerApp(BatchApp):
    """A Faust application that stores the readings of the partitions it is assigned.

    Parameters
    ----------
    config : StreamsConfig
    """

    def __init__(self, config: StreamsConfig) -> None:
        self.config = config
        self.metrics = WorkerMetrics()
        self.page: MetricsPage | None = None
        self.pulse = Pulse(still_s=_STILL_S)
        self.lanes: Lanes | None = None
        self._tasks: list[asyncio.Task[None]] = []
        super().__init__(
            config.group,
            batch=BatchOptions(
                topics=frozenset({config.topic}), position_of=self._position_of, on_revoked=self._on_revoked
            ),
            broker=";".join(f"kafka://{server}" for server in config.access.servers),
            broker_credentials=credentials_of(config.access),
            store="memory://",
            web_enabled=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            consumer_auto_offset_reset="earliest",
            consumer_max_fetch_size=config.fetch_bytes,
            consumer_metadata_max_age_ms=5_000,  # until a topic that was deleted and made again is seen again
            broker_client_id=f"metering-{config.worker}",
            broker_session_timeout=config.session_s,
            broker_heartbeat_interval=config.heartbeat_s,
            broker_request_timeout=90.0,
            broker_commit_interval=1.0,
            stream_wait_empty=False,
            stream_recovery_delay=0.0,
        )

    async def _position_of(self, tp: TP) -> Position:
        assert self.lanes is not None, "made before the consumer starts"
        return await self.lanes.position_of(tp)

    async def _on_revoked(self, tps: set[TP]) -> None:
        if self.lanes is not None:
            await self.lanes.revoked(tps)

    async def on_start(self) -> None:
        """Put together what belongs to the event loop, then let Faust connect."""
        config = self.config
        self._open()
        began = time.monotonic()
        await asyncio.get_running_loop().run_in_executor(self.threads, warm_up, config.zone)
        log.info("steps compiled or loaded in %.1f s", time.monotonic() - began)
        facts = await self.broker.make_topic(config.topic, partitions=config.partitions)
        for outgoing in (config.rejected_topic, config.hours_topic, config.detections_topic):
            await self.broker.make_topic(outgoing, partitions=facts.partitions)
        self.shop = Workshop(
            config=config,
            store=self.store,
            metrics=self.metrics,
            guard=TopicGuard(self._topic),
            reader=self.consumer,
            threads=self.threads,
            aside=self.aside,
            slots=asyncio.Semaphore(config.connections),
            rules=rules_of(config.zone),
            spans=spans_to_collector() if config.telemetry else None,
        )
        lanes = Lanes(self.shop)
        self.lanes = lanes
        readings.register(self, readings_topic(self, config.topic, partitions=facts.partitions), lanes)
        self._start_agents(lanes)
        if config.metrics_port:
            self._open_page()
        await super().on_start()
        log.info("worker %s of group %s starts", config.worker, config.group)

    def _open(self) -> None:
        """Clients of Kafka and the database, and threads."""
        config = self.config
        self.broker = Broker(config.access, client=f"metering-{config.worker}")
        self.publisher = Publisher(config.access, client=f"metering-{config.worker}")
        self.store = TimescaleStore(
            config.dsn,
            group=config.group,
            owner=config.worker,
            connections=config.connections + _EXTRA_CONNECTIONS,
        )
        self.threads = ThreadPoolExecutor(config.compute_threads, "metering-compute")
        self.aside = ThreadPoolExecutor(1, "metering-aside")

    def _start_agents(self, lanes: Lanes) -> None:
        """Start everything that goes round beside the readings."""
        config, store, metrics = self.config, self.store, self.metrics
        courtesy = Courtesy(lanes)
        rejected = Relay(store, self.publisher, metrics, topic=config.rejected_topic)
        detections = DetectionRelay(store, self.publisher, metrics, topic=config.detections_topic)
        passing = PassingOn(store, self.publisher, metrics, topic=config.topic, partitions=lanes.partitions)
        totals = TotalsAgent(self.shop, store, lanes, self.publisher, courtesy)
        compliance = ComplianceAgent(ComplianceStore(store.connections, config.zone), lanes, courtesy)
        self._go_on(self._watch_ledger(), "ledger")
        self._go_on(self.shop.progress.run(store, config.progress_s), "progress")
        self._go_on(totals.run(config.totals_s), "totals")
        in_turn = partial(lanes.share, config.relay_s)
        self._go_on(rejected.run(in_turn), "relay")
        self._go_on(passing.run(in_turn), "passing on")
        self._go_on(compliance.run(config.compliance_s), "compliance")
        self._go_on(detections.run(in_turn), "detections")
        self._go_on(self._keep_layers(), "layers")
        self._go_on(Sampler(metrics, store, config.database_folder).run(config.samples_s), "samples")
        if config.inboxes:
            inboxes = AdmissionStore(store.connections)
            self._go_on(Admission(config, inboxes, self.broker, metrics, mine=lanes.first).run(), "admission")
        if config.balance_s > 0:
            self._go_on(BalanceAgent(self.shop, store, lanes, courtesy).run(config.balance_s), "balance")
        if config.alerts is not None:
            self._go_on(AlertsAgent(config.dsn, config.alerts).run(partial(lanes.share, config.alerts_s)), "alerts")

    def _open_page(self) -> None:
        self._go_on(self._beat(), "pulse")
        self.page = MetricsPage.open(
            self.metrics.registry,
            host=self.config.metrics_host,
            port=max(self.config.metrics_port, 0),
            password=self.config.metrics_password,
            alive=self.pulse.trouble,
            ready=self._not_ready,
        )
        log.info("metrics on port %d", self.page.port)

    async def on_stop(self) -> None:
        """Finish what was computed, leave the states behind, then let Faust leave the group."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.lanes is not None:
            await self.lanes.close()
        await super().on_stop()
        await self.publisher.close()
        await self.store.close()
        self.broker.close()
        for threads in (self.threads, self.aside):
            threads.shutdown(wait=False, cancel_futures=True)
        if self.page is not None:
            self.page.close()

    async def _topic(self) -> TopicFacts:
        return await self.broker.topic(self.config.topic)

    def _not_ready(self) -> str:
        """Why it cannot store readings now; asked by another thread."""
        assert self.lanes is not None, "made before the page"
        if not self.joined:
            return "it is not a member of its group yet"
        if self.lanes.starting:
            return "states of partitions are brought back"
        troubles = [one for one in self.shop.progress.reports if one.doing in _TROUBLE]
        return "; ".join(f"partition {one.partition.partition}: {one.detail}" for one in troubles)

    async def _beat(self) -> None:
        while True:
            self.pulse.beat()
            await asyncio.sleep(1.0)

    def _go_on(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=f"metering.{name}"))

    async def _keep_layers(self) -> None:
        """Index, pack and drop what has come to rest, one worker at a time; a fault is logged and tried again."""
        layers = self.store.layers(self.config.layers)

        async def maintain() -> None:
            if done := await layers.maintain(datetime.now(UTC)):
                log.info("layers of readings: %s", done)

        await in_rounds(maintain, self.config.layers_s, "the layers of readings are left for later", log=log)

    async def _watch_ledger(self) -> None:
        """Notice a newer ledger, or a newer verdict of an inspector, within seconds."""
        while True:
            began = time.monotonic()
            self.shop.learn(await self.shop.patiently(self.store.ledger_version, "tell the ledger version"))
            self.shop.newest_verdict = await self.shop.patiently(self.store.newest_verdict, "tell the newest verdict")
            await asyncio.sleep(max(self.config.ledger_s - (time.monotonic() - began), 0.1))


def create_app(config: StreamsConfig) -> WorkerApp:
    """A worker that is not started yet.

    Parameters
    ----------
    config : StreamsConfig
        Where Kafka and the database are, and how to go about it.
    """
    return WorkerApp(config)
