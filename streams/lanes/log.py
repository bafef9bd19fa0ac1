"""Whether Kafka's log is the one that was stored: compared by its bytes at every assignment, not trusted by offsets.

A power cut takes the last second of a broker's log, an older copy more of it, and what is sent afterwards gets offsets
that were stored before. So the record that was stored last is looked at again. Where it is gone or another, the newest
mark that still holds says how far the log is the same, and what follows is read, though it lies below the fence.
"""

from dataclasses import dataclass
from typing import Protocol

from faust.types import TP

from ingest.wire import Fetched
from streams.lanes.marks import Marks, same
from streams.rows.layout import Incident, IncidentKind

__all__ = ["Log", "LogReader", "Parting", "compare"]


class LogReader(Protocol):
    """What is asked of the broker."""

    async def bounds(self, tp: TP) -> tuple[int, int]:
        """Oldest offset that is kept, and the one after the last that can be read."""

    async def at(self, tp: TP, offset: int) -> Fetched | None:
        """Batches from the one on that holds an offset; None where the log does not reach there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parting:
    """Point at which Kafka's log diverges from what is stored.

    Attributes
    ----------
    kind : IncidentKind
    to : int
        From here on the log has to be read.
    until : int
        Offsets below may hold records that are stored already,
    before_us : int
        if they are not newer than this. [us since 1970-01-01 UTC]
    marks : Marks
        Those that still hold.
    """

    kind: IncidentKind
    to: int
    until: int
    before_us: int
    marks: Marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A partition's log as it is now.

    Attributes
    ----------
    first, end : int
        Oldest offset that is kept, and the one after the last that can be read.
    epoch : int or None
        Under which leader the batch at the fence was written, as far as it is there.
    parting : Parting or None
        Divergence from what is stored, if any.
    """

    first: int
    end: int
    epoch: int | None
    parting: Parting | None

    def incident(self, fence: int) -> Incident | None:
        """The incident to be recorded, if any."""
        found = self.parting
        if found is None:
            return None
        what = {
            IncidentKind.LOG_SHORTER: f"Kafka's log ends at {self.end}, below the {fence} that are stored",
            IncidentKind.LOG_OTHER: f"Kafka's log holds other records below {fence} than those that are stored",
        }[found.kind]
        detail = f"{what}; it is read from {found.to} on, and what is stored already is passed over"
        return Incident(kind=found.kind, from_offset=found.to, to_offset=fence, detail=detail)


async def compare(reader: LogReader, tp: TP, *, fence: int, marks: Marks) -> Log:
    """Compare the log with what is stored below `fence`.

    Raises whatever the broker's client raises while the broker cannot be asked.
    """
    first, end = await reader.bounds(tp)
    if not len(marks):  # nothing is stored, or by a version that kept no marks
        parting = (
            None
            if fence <= end
            else Parting(kind=IncidentKind.LOG_SHORTER, to=min(first, fence), until=fence, before_us=2**62, marks=marks)
        )
        return Log(first=first, end=end, epoch=None, parting=parting)
    newest = marks[-1]
    if newest["offset"] < first and end >= fence:
        return Log(first=first, end=end, epoch=None, parting=None)  # nothing is left that could be another
    found = await _at(reader, tp, int(newest["offset"]), first, end)
    if found is not None and same(newest, found.records):
        following = await _at(reader, tp, fence, first, end)
        epoch = found.last_epoch if following is None else following.first_epoch
        return Log(first=first, end=end, epoch=epoch if epoch >= 0 else None, parting=None)
    kind = IncidentKind.LOG_OTHER if end > newest["offset"] else IncidentKind.LOG_SHORTER
    held = await _newest_that_holds(reader, tp, marks, first, end)
    to = int(marks["offset"][held]) + 1 if held >= 0 else first
    until = int(marks["offset"][held + 1]) + 1
    before_us = int(marks["time_us"].max())
    parting = Parting(kind=kind, to=max(to, first), until=until, before_us=before_us, marks=marks[: held + 1])
    return Log(first=first, end=end, epoch=None, parting=parting)


async def _newest_that_holds(reader: LogReader, tp: TP, marks: Marks, first: int, end: int) -> int:
    """Index of the newest mark whose record is still there, -1 for none: where one holds, those before it do."""
    low, high = -1, len(marks) - 1
    while high - low > 1:
        middle = (low + high) // 2
        offset = int(marks["offset"][middle])
        found = await _at(reader, tp, offset, first, end)
        if offset < first or (found is not None and same(marks[middle], found.records)):
            low = middle
        else:
            high = middle
    return low


async def _at(reader: LogReader, tp: TP, offset: int, first: int, end: int) -> Fetched | None:
    return await reader.at(tp, offset) if first <= offset < end else None
