"""Files of readings as people have them: recognised by all that they hold, streamed, every row accounted for.

`open_readings` understands a file and raises what it leaves open; `read_readings` gives its readings. What a whole
file comes to is in `ingest.readings.check`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

from ingest.files import Content, Kind, UnreadableFile, contents
from ingest.readings.conversion import parts_of
from ingest.readings.csv import CsvTable
from ingest.readings.directory import MeterDirectory
from ingest.readings.json_lines import read_json_lines
from ingest.readings.options import ReadingOptions
from ingest.readings.parquet import read_parquet
from ingest.readings.parts import FilePart, RowFault
from ingest.readings.recognition import Question, Recognised, Unsettled, recognised
from ingest.readings.tables import RawTable
from ingest.readings.workbook import sheet_tables
from ingest.readings.writing import ReadingColumns, write_readings

__all__ = [
    "FilePart", "MeterDirectory", "OpenedReadings", "Question", "ReadingColumns", "ReadingOptions", "Recognised",
    "RowFault", "UnreadableFile", "Unsettled", "open_readings", "read_readings", "write_readings",
]  # fmt: skip

_PLAIN = ReadingOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedReadings:
    """A file whose content is understood and can be read.

    Attributes
    ----------
    tables : sequence of Recognised
        Its tables, empty for JSON lines and parquet, which say themselves what they hold.
    passed_over : sequence of str
        Sheets or members that hold no readings, each with why.
    """

    tables: Sequence[Recognised]
    passed_over: Sequence[str]
    _contents: Sequence[Content]
    _directory: MeterDirectory | None
    _options: ReadingOptions

    def parts(self, *, zone: ZoneInfo, received_at: int) -> Iterator[FilePart]:
        """Its readings and faulty rows, in order.

        Parameters
        ----------
        zone : ZoneInfo
            Zone of times without an offset.
        received_at : int
            For rows without a time of receipt. [us since 1970-01-01 UTC]
        """
        for table in self.tables:
            yield from parts_of(
                table, directory=self._directory, options=self._options, zone=zone, received_at=received_at
            )
        for content in self._contents:
            if content.kind is Kind.JSON:
                yield from read_json_lines(content, zone=zone, received_at=received_at)
            elif content.kind is Kind.PARQUET:
                yield from read_parquet(content, zone=zone, received_at=received_at)


def open_readings(
    source: Path | bytes,
    *,
    name: str | None = None,
    directory: MeterDirectory | None = None,
    options: ReadingOptions = _PLAIN,
    latest_us: int,
) -> OpenedReadings:
    """Understand a file: CSV in any encoding, workbook, archive, JSON lines or parquet; what it is, its bytes say.

    Parameters
    ----------
    source : Path or bytes
        The file, or what was uploaded.
    name : str, optional
        What it is called; the path's name without it.
    directory : MeterDirectory, optional
        Meters of the ledger: what a file leaves out is taken from there where only one thing can be meant.
    options : ReadingOptions
        What a person settled.
    latest_us : int
        Now. [us since 1970-01-01 UTC]

    Raises
    ------
    Unsettled
        If the file leaves open what it says.
    UnreadableFile
        If it holds no readings in any form that is known, or contradicts itself.
    OSError
        If it cannot be opened.
    """
    found = contents(source, name)
    called = name or (source.name if isinstance(source, Path) else "upload")
    _check_name(called, found)
    tables: list[Recognised] = []
    errors: list[UnreadableFile] = []
    plain = [content for content in found if content.kind in {Kind.JSON, Kind.PARQUET}]
    for content in found:
        for table, label in _tables(content, options):
            try:
                tables.append(recognised(table, label, directory=directory, options=options, latest_us=latest_us))
            except UnreadableFile as error:
                errors.append(error)
    unsettled = [error for error in errors if isinstance(error, Unsettled)]
    if unsettled or (errors and not tables and not plain):
        raise (unsettled or errors)[0]
    if not tables and not plain:
        raise UnreadableFile(f"{called}: must hold a table of readings (got none)")
    return OpenedReadings(
        tables=tables, passed_over=[str(error) for error in errors], _contents=plain, _directory=directory,
        _options=options,
    )  # fmt: skip


def _tables(content: Content, options: ReadingOptions) -> Iterator[tuple[RawTable, str]]:
    if content.kind is Kind.WORKBOOK:
        sheets = sheet_tables(content, options.sheet)
        if not sheets:
            raise UnreadableFile(f"{content.name}: must hold a sheet of readings (got none that is visible and filled)")
        for sheet in sheets:
            yield sheet, content.name if len(sheets) == 1 else f"{content.name} [{sheet.where}]"
    elif content.kind is Kind.TEXT:
        yield CsvTable(content, encoding=options.encoding, delimiter=options.delimiter), content.name


def _check_name(name: str, found: Sequence[Content]) -> None:
    if name.lower().endswith(".parquet") and any(content.kind is not Kind.PARQUET for content in found):
        raise UnreadableFile(f"{name}: must be a whole parquet file (got something else)")


def read_readings(
    path: Path,
    *,
    zone: ZoneInfo,
    received_at: int,
    directory: MeterDirectory | None = None,
    options: ReadingOptions = _PLAIN,
) -> Iterator[FilePart]:
    """Parts of a file of readings, in order; as `open_readings` understands it.

    At most some hundred thousand rows are held at a time.
    """
    opened = open_readings(path, directory=directory, options=options, latest_us=received_at)
    return chain(opened.parts(zone=zone, received_at=received_at), [FilePart(blocks=(), faults=(), share=1.0)])
