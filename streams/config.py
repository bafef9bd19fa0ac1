"""Settings of the workers, fixed at start."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from analytics.standards.coal import FactorTable
from ingest.kafka_access import KafkaAccess
from ingest.wire import DETECTIONS_TOPIC, HOURS_TOPIC, MAX_MESSAGE_BYTES, READINGS_TOPIC, REJECTED_TOPIC
from streams.alerts.config import AlertConfig
from streams.store.layers import LayersPolicy

__all__ = ["ADMISSION_GROUP", "GROUP", "StreamsConfig"]

GROUP = "metering.worker"
"""Consumer group of the workers, where no other is set."""

_ADMISSION = ".admission"
ADMISSION_GROUP = GROUP + _ADMISSION
"""Group of who admits what gateways sent, and name of its transactions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamsConfig:
    """Settings of one stream worker.

    Attributes
    ----------
    bootstrap : str
        Kafka servers, ``host:port`` with commas between.
    security : mapping of str to str
        How to get in there, as `ingest.kafka_access.KafkaAccess` has it; never shown.
    dsn : str
        The database; it may carry a password and is never shown.
    group : str
        Consumer group; workers of one group share the partitions.
    topic : str
        Where the readings come in.
    rejected_topic : str
        Where what was refused goes out.
    hours_topic : str
        Where hours go out, with their revision.
    detections_topic : str
        Where detections go out, each revision once.
    inboxes : str
        What the names of the topics begin with that gateways write to; empty where there are none.
    partitions : int
        Partitions of the topic where it has to be created; an existing topic keeps what it has.
    worker : str
        Name of this worker in logs, metrics and the fence.
    zone : ZoneInfo
        Zone of times without an offset, and of local days.
    factors : FactorTable or None
        Coal equivalents of totals; without it they have none.
    batch_readings : int
        Readings after which a transaction is full. [1]
    collect_s : float
        Longest time that a reading waits for others to share its transaction. [s]
    partition_bytes : int
        Fetched bytes of one partition that may wait before the partition is throttled. [byte]
    fetch_bytes : int
        Most bytes of one partition in one fetch. [byte]
    compute_threads : int
        Threads that decode and compute; the kernel releases the interpreter lock.
    connections : int
        Transactions of partitions under way at once.
    snapshot_s : float
        A partition's state is stored about this often. [s]
    snapshot_readings : int
        And after this many readings at the latest. [1]
    tick_s : float
        How often silence and hours that never filled are looked for. [s]
    ledger_s : float
        How often a newer ledger is looked for. [s]
    relay_s : float
        How often rejected readings are looked for. [s]
    totals_s : float
        How often stale totals are looked for. [s]
    compliance_s : float
        How often units are looked for that must be judged again. [s]
    balance_s : float
        How often it is looked for days of balances that are over; 0 leaves balances alone. [s]
    balance_lag_h : int
        So long after its end an hour counts as settled: what comes later is not looked at again by balances. [h]
    in_service : str
        What meters may be off in service, over the limit of their class, by carrier (`in_service_factors`).
    alerts : AlertConfig or None
        What alerts are raised by; None raises none.
    alerts_s : float
        How often new detections and findings are looked for. [s]
    layers : LayersPolicy
        When readings at rest are indexed, packed and dropped.
    layers_s : float
        How often that is looked for. [s]
    database_folder : Path or None
        Where the database lies, if on this machine: samples tell what is free there.
    samples_s : float
        How often the worker writes down how it does. [s]
    progress_s : float
        Interval between reports on its partitions. [s]
    session_s : float
        A worker without a heartbeat for this long loses its partitions. [s]
    heartbeat_s : float
        Interval between heartbeats. [s]
    max_message_bytes : int
        A larger message is rejected unread. [byte]
    metrics_port : int
        Port of the Prometheus page on `metrics_host`; 0 for none, -1 for one that is free.
    metrics_password : str, optional
        What the page asks for.
    telemetry : bool
        Whether OpenTelemetry is told what is stored.
    """

    bootstrap: str
    dsn: str = field(repr=False)
    security: Mapping[str, str] = field(default_factory=dict, repr=False)
    group: str = GROUP
    topic: str = READINGS_TOPIC
    rejected_topic: str = REJECTED_TOPIC
    hours_topic: str = HOURS_TOPIC
    detections_topic: str = DETECTIONS_TOPIC
    inboxes: str = ""
    partitions: int = 8
    worker: str = "worker"
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    factors: FactorTable | None = field(default=None, repr=False)
    batch_readings: int = 100_000
    collect_s: float = 0.2
    partition_bytes: int = 8 * 2**20
    fetch_bytes: int = 2 * 2**20
    compute_threads: int = 2
    connections: int = 4
    snapshot_s: float = 60.0
    snapshot_readings: int = 20_000_000
    tick_s: float = 15.0
    ledger_s: float = 2.0
    relay_s: float = 1.0
    totals_s: float = 2.0
    compliance_s: float = 10.0
    balance_s: float = 300.0
    balance_lag_h: int = 6
    in_service: str = ""
    alerts: AlertConfig | None = None
    alerts_s: float = 2.0
    layers: LayersPolicy = field(default_factory=LayersPolicy)
    layers_s: float = 60.0
    samples_s: float = 30.0
    database_folder: Path | None = None
    progress_s: float = 2.0
    session_s: float = 6.0
    heartbeat_s: float = 1.0
    max_message_bytes: int = MAX_MESSAGE_BYTES
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0
    metrics_password: str | None = field(default=None, repr=False)
    telemetry: bool = False

    @property
    def access(self) -> KafkaAccess:
        """How its clients get into Kafka."""
        return KafkaAccess(self.bootstrap, self.security)

    @property
    def admission_group(self) -> str:
        """Consumer group of who admits what gateways sent."""
        return self.group + _ADMISSION
