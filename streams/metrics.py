"""Prometheus metrics of a worker; every name starts with ``metering_``."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from analytics.domain.quality import RejectReason

__all__ = ["WorkerMetrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class WorkerMetrics:
    """Counters and gauges of one worker, in a registry of its own so that two workers in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.readings = Counter("metering_readings", "Readings stored.", registry=self.registry)
        self.messages = Counter("metering_messages", "Kafka records dealt with.", registry=self.registry)
        self.rejected = Counter("metering_rejected", "Readings refused.", ("reason",), registry=self.registry)
        self.late = Counter("metering_late", "Readings that came after later ones.", registry=self.registry)
        self.hours = Counter("metering_hours", "Hours written, by what it did.", ("what",), registry=self.registry)
        self.detections = Counter("metering_detections", "Detections written.", registry=self.registry)
        self.poison = Counter("metering_poison", "Messages that broke a step.", registry=self.registry)
        self.fence_lost = Counter("metering_fence_lost", "Transactions refused by the fence.", registry=self.registry)
        self.lost_offsets = Counter(
            "metering_lost_offsets", "Offsets that Kafka dropped before they were read.", registry=self.registry
        )
        self.incidents = Counter(
            "metering_log_incidents",
            "Partitions whose log was not what it had been.",
            ("kind",),
            registry=self.registry,
        )
        self.repeated = Counter(
            "metering_repeated", "Readings passed over because the log was read again.", registry=self.registry
        )
        self.totals = Counter("metering_totals", "Daily totals new or changed.", registry=self.registry)
        self.published = Counter("metering_published", "Records published.", ("topic",), registry=self.registry)
        self.lag = self._gauge("metering_lag", "Records of a partition not yet stored.")
        self.fence_at = self._gauge("metering_fence_moved_at", "When a partition's fence moved last. [s]")
        self.fence_age = self._gauge("metering_fence_age_seconds", "Age of the oldest reading fetched, not stored.")
        self.snapshot_age = self._gauge("metering_snapshot_age_seconds", "Age of a partition's snapshot.")
        self.transaction = Histogram(
            "metering_transaction_seconds", "Time of one transaction.", buckets=_SECONDS, registry=self.registry
        )
        self.compute = Histogram(
            "metering_compute_seconds", "Time to decode and compute a batch.", buckets=_SECONDS, registry=self.registry
        )
        self.database_wait = Counter(
            "metering_database_wait_seconds", "Time spent waiting for a database that is away.", registry=self.registry
        )
        self.ledger_version = self._gauge("metering_ledger_version", "Ledger in use.")

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, ("partition",), registry=self.registry)

    def reject(self, reason: RejectReason, readings: int) -> None:
        """Count refused readings."""
        self.rejected.labels(reason.name.lower()).inc(readings)

    def follow_fence(self, partition: int) -> None:
        """Note that a fence moved now."""
        self.fence_at.labels(partition).set(time.time())

    def follow_ages(self, partition: int, *, snapshot_at: float, waiting_since: float | None) -> None:
        """Let the ages be computed when they are asked for; arguments are `time.monotonic` values. [s]"""
        self.snapshot_age.labels(partition).set(time.monotonic() - snapshot_at)
        self.fence_age.labels(partition).set(0.0 if waiting_since is None else time.monotonic() - waiting_since)

    def forget(self, partition: int) -> None:
        """Drop the gauges of a partition that is another worker's now."""
        for gauge in (self.lag, self.fence_at, self.fence_age, self.snapshot_age, self.ledger_version):
            try:
                gauge.remove(partition)
            except KeyError:
                continue
