"""Files of readings as sources of a backfill."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from ingest.readings import FilePart, OpenedReadings, open_readings
from ingest.readings.tally import Tally

__all__ = ["ReadingsFile"]

_DENSE_BYTES, _PLAIN_BYTES = 6, 50
"""Fewest bytes per reading in a compressed, and in a plain file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingsFile:
    """A file of readings in any format of the interchange files.

    Attributes
    ----------
    path : Path
    zone : ZoneInfo
        Of times without an offset.
    received_at : int
        For readings without a time of receipt. [us since 1970-01-01 UTC]
    opened : OpenedReadings, optional
        The file understood with what the ledger knows and what a person settled; by itself without it.
    tally : Tally, optional
        Counts what the file comes to.
    """

    path: Path
    zone: ZoneInfo
    received_at: int
    opened: OpenedReadings | None = None
    tally: Tally | None = None

    @property
    def name(self) -> str:
        """Its path as it was given."""
        return str(self.path)

    @property
    def likely_readings(self) -> int:
        """At most so many readings, by its size."""
        dense = self.path.suffix.lower() in {".parquet", ".gz", ".zip", ".xlsx"}
        return self.path.stat().st_size // (_DENSE_BYTES if dense else _PLAIN_BYTES) + 1

    def parts(self) -> Iterator[FilePart]:
        """Its readings and faulty rows."""
        opened = self.opened or open_readings(self.path, latest_us=self.received_at)
        for part in opened.parts(zone=self.zone, received_at=self.received_at):
            if self.tally is not None:
                self.tally.add(part)
            yield part
