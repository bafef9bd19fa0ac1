"""What reading a file of readings gives, whatever its format."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from analytics.domain.errors import MeterwardenError
from analytics.domain.quality import RejectReason
from ingest.wire import Block

__all__ = ["OPTIONAL", "REQUIRED", "FilePart", "RowFault", "UnreadableFile", "column_of", "columns_of"]

REQUIRED = ("unit_code", "meter_no", "measured_at", "value", "unit")
OPTIONAL = ("register", "quality", "received_at")

_CHINESE = {
    "unit_code": ("用能单位代码",),
    "meter_no": ("管理编号", "表号", "仪表编号"),
    "measured_at": ("采集时间", "计量时间", "抄表时间"),
    "value": ("示值", "读数", "表底数"),
    "unit": ("计量单位", "单位"),
    "register": ("寄存器", "示值类型"),
    "quality": ("质量码", "质量"),
    "received_at": ("接收时间",),
}


class UnreadableFile(MeterwardenError):  # noqa: N818 - named after what it is about
    """A file that holds no readings in any form we know; nothing of it was taken."""


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
    """

    blocks: Sequence[Block]
    faults: Sequence[RowFault]
    share: float

    @property
    def readings(self) -> int:
        """Readings in the blocks."""
        return sum(map(len, self.blocks))


def _plain(text: str) -> str:
    return re.sub(r"[\s_*-]+", "", unicodedata.normalize("NFKC", text)).casefold()


_NAMES = {_plain(name): name for name in (*REQUIRED, *OPTIONAL)}
_NAMES |= {_plain(chinese): name for name, spellings in _CHINESE.items() for chinese in spellings}


def column_of(title: str) -> str | None:
    """English name of the column a title means, None where it is none of ours.

    Examples
    --------
    >>> column_of("Measured At"), column_of("管理编号"), column_of("notes")
    ('measured_at', 'meter_no', None)
    """
    return _NAMES.get(_plain(title))


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
        raise UnreadableFile(
            f"{where}: columns must be {', '.join(REQUIRED)} ({', '.join(missing)} missing; got {', '.join(titles)})"
        )
    return places
