"""The cells of a small table that a person keeps: the first sheet of a workbook, or a CSV file in any encoding."""

import csv
import io
import warnings
import zipfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import openpyxl

from analytics.domain.errors import ConfigurationError
from ingest.files.encodings import encoding_of
from ingest.files.formulas import cell_name, uncalculated

__all__ = ["read_sheet"]

_ZIP: Final = b"PK\x03\x04"
_LARGEST: Final = 50 * 2**20
_MOST_ROWS: Final = 200_000
_DELIMITERS: Final = ",;\t，；"


def read_sheet(path: Path) -> Sequence[Sequence[object]]:
    """Rows of a table, as a spreadsheet counts them; an empty cell is None or an empty text.

    Raises
    ------
    ConfigurationError
        If the file cannot be read, or is larger than such a table ever is.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > _LARGEST:
        raise ConfigurationError(f"{path} must have at most {_LARGEST} bytes (got {len(data)})")
    rows = _workbook(data, path) if data.startswith(_ZIP) else _text(data, path)
    if len(rows) > _MOST_ROWS:
        raise ConfigurationError(f"{path} must have at most {_MOST_ROWS} rows (got more)")
    return rows


def _workbook(data: bytes, path: Path) -> list[Sequence[object]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of styles that it does not read
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                size = sum(part.file_size for part in archive.infolist())
            return _first_rows(data) if size <= 10 * _LARGEST else [()] * (_MOST_ROWS + 1)
    except Exception as error:
        raise ConfigurationError(f"{path} must be a workbook that can be read (got {error})") from error


def _first_rows(data: bytes) -> list[Sequence[object]]:
    book: Any = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    sheet = next((one for one in book.worksheets if one.sheet_state == "visible"), book.worksheets[0])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        formulas = uncalculated(archive, str(sheet._worksheet_path).lstrip("/"))  # noqa: SLF001 - openpyxl keeps the part's name to itself
    if formulas:
        row = min(formulas)
        place, formula = next(iter(formulas[row].items()))
        raise ValueError(
            f"{cell_name(row, place)} with {formula!r}, a formula that was never calculated: open and save the file in "
            "a spreadsheet; 公式从未计算，请用表格软件打开并保存"
        )
    sheet.reset_dimensions()
    return list(islice(sheet.iter_rows(values_only=True), _MOST_ROWS + 1))


def _text(data: bytes, path: Path) -> list[Sequence[object]]:
    try:
        text = data.decode(encoding_of(lambda: io.BytesIO(data)))
        head = "\n".join(text.splitlines()[:5])
        delimiter = max(_DELIMITERS, key=head.count)  # on a tie the first, which is the comma
        return [
            row
            for row, _ in zip(csv.reader(io.StringIO(text), delimiter=delimiter), range(_MOST_ROWS + 1), strict=False)
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path} must be a CSV file or a workbook (got {error})") from error
