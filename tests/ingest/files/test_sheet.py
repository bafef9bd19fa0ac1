"""Small tables that a person keeps."""

from pathlib import Path

import openpyxl
import pytest

from analytics.domain.errors import ConfigurationError
from ingest.files.sheet import read_sheet


def kept(folder: Path, *rows: list[object]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    path = folder / "a.xlsx"
    book.save(path)
    return path


def test_a_sheet_is_read_as_it_stands(tmp_path: Path) -> None:
    assert list(read_sheet(kept(tmp_path, ["a", "b"], [1, "x"]))) == [("a", "b"), (1, "x")]


def test_a_formula_that_was_never_calculated_is_no_empty_cell(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"B2 with '=A2\+1', a formula that was never calculated"):
        read_sheet(kept(tmp_path, ["a", "b"], [1, "=A2+1"]))
