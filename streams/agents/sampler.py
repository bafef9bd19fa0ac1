"""Periodic samples of a worker's metrics, stored in the database for the dashboards.

The numbers are those of its Prometheus page; of a counter, what was added since the sample before.
"""

import logging
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from streams.metrics import WorkerMetrics
from streams.patience import in_rounds
from streams.store.samples import PartitionSample, WorkerSample

__all__ = ["Sampler", "Samples", "counted", "partitions"]

log = logging.getLogger("metering.sampler")


class Samples(Protocol):
    """Where samples are kept."""

    async def add_sample(self, at: datetime, done: WorkerSample, partitions: Sequence[PartitionSample]) -> None:
        """Store one."""


class Sampler:
    """See the module's docstring.

    Parameters
    ----------
    metrics : WorkerMetrics
        Of this worker.
    samples : Samples
        Where they go.
    folder : Path, optional
        Where the database lies, if on this machine.
    """

    def __init__(self, metrics: WorkerMetrics, samples: Samples, folder: Path | None = None) -> None:
        self._metrics = metrics
        self._samples = samples
        self._folder = folder
        self._before = counted(metrics)
        self._at = time.monotonic()

    async def run(self, every_s: float) -> None:
        """Until cancelled; a sample that cannot be stored is part of the next one."""
        await in_rounds(lambda: self.once(datetime.now(UTC)), every_s, "a sample waits", log=log)

    async def once(self, at: datetime) -> None:
        """Store what was done since the last one."""
        now, counts = time.monotonic(), counted(self._metrics)
        readings, rejected, transactions, transaction_s, wait_s = (
            new - old for new, old in zip(counts, self._before, strict=True)
        )
        done = WorkerSample(
            span_s=now - self._at,
            readings=round(readings),
            rejected=round(rejected),
            transactions=round(transactions),
            transaction_s=transaction_s,
            database_wait_s=wait_s,
            disk_free_bytes=_free_bytes(self._folder),
        )
        await self._samples.add_sample(at, done, partitions(self._metrics))
        self._before, self._at = counts, now


def _free_bytes(folder: Path | None) -> int | None:
    """What is free on a folder's disk; None without one, or where it cannot be asked."""
    try:
        return None if folder is None else shutil.disk_usage(folder).free
    except OSError:
        return None


def counted(metrics: WorkerMetrics) -> tuple[float, ...]:
    """Readings, refused, transactions, their time and the time waited, since the worker began."""
    names = (
        "metering_readings_total",
        "metering_rejected_total",
        "metering_transaction_seconds_count",
        "metering_transaction_seconds_sum",
        "metering_database_wait_seconds_total",
    )
    found = dict.fromkeys(names, 0.0)
    for family in metrics.registry.collect():
        for sample in family.samples:
            if sample.name in found:
                found[sample.name] += sample.value
    return tuple(found.values())


def partitions(metrics: WorkerMetrics) -> list[PartitionSample]:
    """How each partition of this worker is."""
    found: dict[int, dict[str, float]] = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            if "partition" in sample.labels:
                found.setdefault(int(sample.labels["partition"]), {})[sample.name] = sample.value
    return [
        PartitionSample(
            partition=partition,
            lag=None if "metering_lag" not in said else round(said["metering_lag"]),
            fence_age_s=said.get("metering_fence_age_seconds"),
            snapshot_age_s=said.get("metering_snapshot_age_seconds"),
        )
        for partition, said in sorted(found.items())
    ]
