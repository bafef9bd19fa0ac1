"""Kafka settings of the intake, fixed at start."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from analytics.domain.errors import ConfigurationError
from ingest.kafka_access import KafkaAccess
from ingest.wire import DETECTIONS_TOPIC, HOURS_TOPIC, MAX_MESSAGE_BYTES, READINGS_TOPIC, REJECTED_TOPIC

__all__ = ["KEPT_DAYS", "KafkaConfig", "TopicSpec"]

KEPT_DAYS: Final[Mapping[str, int]] = {READINGS_TOPIC: 7, REJECTED_TOPIC: 30, HOURS_TOPIC: 7, DETECTIONS_TOPIC: 30}
"""For how long each topic keeps what was sent, where settings say nothing else. [d]"""
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """A topic as it shall be made."""

    name: str
    partitions: int
    kept_days: float

    @property
    def retention_ms(self) -> int:
        """How long a message is kept. [ms]"""
        return round(self.kept_days * _DAY_MS)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaConfig:
    """How to reach Kafka and what our topics are like.

    Attributes
    ----------
    bootstrap : str
        Servers, ``host:port`` with commas between.
    prefix : str
        Put before every topic's name; empty in production.
    partitions : int
        Of a topic that has to be made.
    replication : int
        Replicas of a topic that has to be made; -1 leaves it to the broker.
    kept_days : mapping of str to float
        How long a topic keeps its messages, by name without prefix, where it shall differ from the design. [d]
    max_message_bytes : int
        The largest message that topics take. [byte]
    linger_ms : int
        How long a message may wait for others to share a request. [ms]
    max_unacked_bytes : int
        Sent and not yet acknowledged; more makes the sender wait. [byte]
    delivery_timeout_s : float
        A message that is not acknowledged after this time has failed. [s]
    bootstrap_timeout_s : float
        How long to try to reach a server before giving up. [s]
    zone : ZoneInfo
        Zone of times without an offset.
    security : mapping of str to str
        kafka-python's ``security_protocol``, ``ssl_…`` and ``sasl_…`` options, as they are; never shown.

    Examples
    --------
    >>> config = KafkaConfig(bootstrap="localhost:9092", prefix="test-")
    >>> config.topic("metering.readings")
    'test-metering.readings'
    """

    bootstrap: str
    prefix: str = ""
    partitions: int = 8
    replication: int = -1
    kept_days: Mapping[str, float] = field(default_factory=dict)
    max_message_bytes: int = MAX_MESSAGE_BYTES
    linger_ms: int = 20
    max_unacked_bytes: int = 64 * 2**20
    delivery_timeout_s: float = 120.0
    bootstrap_timeout_s: float = 30.0
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    security: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        _ = self.access  # refuses what is no security
        unknown = sorted(set(self.kept_days) - set(KEPT_DAYS))
        if unknown:
            raise ConfigurationError(f"kept_days must be of {', '.join(KEPT_DAYS)} (got {', '.join(unknown)})")
        if self.delivery_timeout_s * 1000 < self.linger_ms + 1000:
            raise ConfigurationError(
                f"delivery_timeout_s must exceed linger_ms by 1 s (got {self.delivery_timeout_s:g})"
            )
        for name, low in (("partitions", 1), ("max_message_bytes", 1024), ("max_unacked_bytes", 1024)):
            if getattr(self, name) < low:
                raise ConfigurationError(f"{name} must be at least {low} (got {getattr(self, name)})")

    @property
    def access(self) -> KafkaAccess:
        """How its clients get in."""
        return KafkaAccess(self.bootstrap, self.security)

    def topic(self, name: str) -> str:
        """Full name of a topic of `ingest.wire`."""
        return self.prefix + name

    @property
    def topics(self) -> tuple[TopicSpec, ...]:
        """All topics there shall be."""
        return tuple(
            TopicSpec(name=self.topic(name), partitions=self.partitions, kept_days=self.kept_days.get(name, days))
            for name, days in KEPT_DAYS.items()
        )
