"""Progress reports of a worker's partitions, written to the database every few seconds, for people and `status`."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from faust.types import TP

from streams.patience import in_rounds
from streams.rows.layout import Doing, PartitionReport, TopicPartition

__all__ = ["Progress"]

log = logging.getLogger("metering.progress")


class Reports(Protocol):
    """Destination of progress reports."""

    async def report(self, reports: Sequence[PartitionReport]) -> None:
        """Tell how partitions do."""


class Progress:
    """The newest report of each partition that this worker has."""

    def __init__(self) -> None:
        self._reports: dict[TP, PartitionReport] = {}

    def tell(
        self,
        partition: TopicPartition,
        doing: Doing,
        detail: str = "",
        *,
        fence: int,
        end: int | None = None,
        moved_at: float | None = None,
    ) -> None:
        """Record the progress of a partition.

        Parameters
        ----------
        fence : int
            Where it stands.
        end : int, optional
            After the last offset that can be read.
        moved_at : float, optional
            When the fence moved last. [s since 1970-01-01 UTC]
        """
        self._reports[TP(partition.topic, partition.partition)] = PartitionReport(
            partition=partition,
            doing=doing,
            detail=detail,
            next_offset=fence,
            end_offset=end,
            moved_at=None if moved_at is None else datetime.fromtimestamp(moved_at, UTC),
        )

    def forget(self, tp: TP) -> None:
        """Report no more of a partition that goes away."""
        self._reports.pop(tp, None)

    @property
    def reports(self) -> list[PartitionReport]:
        """All there are."""
        return list(self._reports.values())

    async def run(self, store: Reports, every_s: float) -> None:
        """Report them until cancelled; what cannot be reported now is reported in a later round."""
        what = "how partitions do is reported later"
        await in_rounds(lambda: store.report(self.reports), every_s, what, log=log, level=logging.DEBUG)
