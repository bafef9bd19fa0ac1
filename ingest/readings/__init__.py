"""Files of readings: CSV, parquet, JSON lines; streamed, every row accounted for as a reading or a fault."""

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from ingest.readings.csv import read_csv
from ingest.readings.json_lines import read_json_lines
from ingest.readings.parquet import read_parquet
from ingest.readings.parts import FilePart, RowFault, UnreadableFile
from ingest.readings.writing import ReadingColumns, write_readings

__all__ = ["SUFFIXES", "FilePart", "ReadingColumns", "RowFault", "UnreadableFile", "read_readings", "write_readings"]

_READERS = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
}
SUFFIXES = (*_READERS, ".csv.gz", ".tsv.gz", ".jsonl.gz", ".ndjson.gz")


def read_readings(path: Path, *, zone: ZoneInfo, received_at: int) -> Iterator[FilePart]:
    """Parts of a file of readings, in order; its format is told by its suffix.

    Columns are those of the interchange files, with English or Chinese titles in any order; others are passed over.
    At most some hundred thousand rows are held at a time.

    Parameters
    ----------
    zone : ZoneInfo
        Zone of times without an offset.
    received_at : int
        For rows that do not say when they were received. [us since 1970-01-01 UTC]

    Raises
    ------
    UnreadableFile
        If the file is of no known format, lacks a column, or breaks off inside its container.
    OSError
        If it cannot be opened.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else suffixes[-1] if suffixes else ""
    if kind not in _READERS or (kind == ".parquet" and suffixes[-1] == ".gz"):
        raise UnreadableFile(f"{path.name}: must end in one of {', '.join(SUFFIXES)}")
    return _READERS[kind](path, zone=zone, received_at=received_at)
