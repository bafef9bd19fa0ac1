"""Lists of devices as people keep them: CSV or .xlsx with a header, Chinese or English, one device a row."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from python_calamine import CalamineError, CalamineWorkbook

from analytics.domain.errors import ConfigurationError

__all__ = ["read_devices"]

_COLUMNS: Final = {
    "link": ("link", "链路", "通道", "总线"),
    "protocol": ("protocol", "协议", "规约"),
    "address": ("address", "地址", "通信地址", "表地址"),
    "profile": ("profile", "型号模板", "模板", "表型"),
    "meter_no": ("meter_no", "用能单位管理编号", "管理编号"),
    "unit_code": ("unit_code", "用能单位代码", "统一社会信用代码"),
    "points": ("points", "采集项", "测点"),
    "interval": ("interval", "采集周期", "周期"),
}
_REQUIRED: Final = ("protocol", "address", "meter_no")


def read_devices(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a list and their numbers, from 2.

    Raises
    ------
    ConfigurationError
        If the file cannot be read, or lacks a column.
    """
    try:
        rows = _xlsx(path) if path.suffix.lower() == ".xlsx" else _csv(path)
    except (OSError, CalamineError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path} must be a list of devices, .csv or .xlsx ({error})") from error
    header = [cell.strip().lstrip("\ufeff") for cell in rows[0]] if rows else []
    places = {
        name: next((header.index(title) for title in titles if title in header), None)
        for name, titles in _COLUMNS.items()
    }
    missing = [f"{name} ({_COLUMNS[name][1]})" for name in _REQUIRED if places[name] is None]
    if missing:
        raise ConfigurationError(
            f"{path}: columns {', '.join(missing)} are required (got {', '.join(header) or 'none'})"
        )
    for number, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        found: dict[str, Any] = {
            name: row[at].strip() if at is not None and at < len(row) else "" for name, at in places.items()
        }
        points = found["points"].replace("，", ",").replace("、", ",")
        found["points"] = tuple(part.strip() for part in points.split(",") if part.strip()) or None
        yield number, found


def _csv(path: Path) -> list[list[str]]:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030")
    return list(csv.reader(io.StringIO(text, newline="")))


def _xlsx(path: Path) -> list[list[str]]:
    sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
    return [[_text(cell) for cell in row] for row in sheet.to_python(skip_empty_area=False)]


def _text(cell: object) -> str:
    # an address typed as a number comes as a float; its leading zeros are lost, which the address check then tells
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
