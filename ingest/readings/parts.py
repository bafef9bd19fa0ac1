"""Output of all readers of files of readings."""

from collections.abc import Sequence
from dataclasses import dataclass

from analytics.domain.quality import RejectReason
from ingest.files import UnreadableFile
from ingest.readings.words import title_of
from ingest.wire import Block

_SHOWN = 1000

__all__ = ["OPTIONAL", "REQUIRED", "FilePart", "RowFault", "UnreadableFile", "column_of", "columns_of"]

REQUIRED = ("unit_code", "meter_no", "measured_at", "value", "unit")
OPTIONAL = ("register", "quality", "received_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFault:
    """A row that is no reading.

    Attributes
    ----------
    row : int
        As a spreadsheet or editor counts: the first row of a CSV file under its header is 2, empty ones not counted;
        rows of parquet and lines of JSON begin at 1.
    column : str
        The column at fault, empty for the whole row.
    reason, required, got
        As in `ingest.wire.Fault`.
    payload : bytes
        The row as a JSON message: what the worker rejects for the same reason when it is sent.
    readings : int
        Readings refused with it.
    unit_code : str
        Where it could be read, else empty.
    """

    row: int
    column: str
    reason: RejectReason
    required: str
    got: str
    payload: bytes
    readings: int
    unit_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """Some rows of a file.

    Attributes
    ----------
    blocks : sequence of Block
        One a unit; ``message`` is the row number.
    faults : sequence of RowFault
        The other rows.
    share : float
        How much of the file has been read, 0 to 1.
    skipped : int
        Empty values: blank, a dash, NULL. They are no readings.
    notes : int
        Rows of totals and remarks.
    """

    blocks: Sequence[Block]
    faults: Sequence[RowFault]
    share: float
    skipped: int = 0
    notes: int = 0

    @property
    def readings(self) -> int:
        """Readings in the blocks."""
        return sum(map(len, self.blocks))


def column_of(title: str) -> str | None:
    """English name of the column a title means, None where it is none of ours.

    Examples
    --------
    >>> column_of("Measured At"), column_of("管理编号"), column_of("notes")
    ('measured_at', 'meter_no', None)
    """
    role = title_of(title).role
    return role if role in {*REQUIRED, *OPTIONAL} else None


def columns_of(titles: Sequence[str], where: str) -> dict[str, int]:
    """Places of our columns among a file's titles; `UnreadableFile` where one is missing or stands twice."""
    places: dict[str, int] = {}
    for place, title in enumerate(titles):
        name = column_of(title)
        if name is None:
            continue
        if name in places:
            raise UnreadableFile(f"{where}: one column must be {name} (got {titles[places[name]]!r} and {title!r})")
        places[name] = place
    missing = [name for name in REQUIRED if name not in places]
    if missing:
        got = ", ".join(titles)[:_SHOWN]
        raise UnreadableFile(
            f"{where}: columns must be {', '.join(REQUIRED)} ({', '.join(missing)} missing; got {got})"
        )
    return places
