"""Tables whose times stand outside their rows, across the top or in a line above: made into a column of their own."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ingest.files import UnreadableFile, tidy
from ingest.readings.layout import header_of
from ingest.readings.options import ReadingOptions
from ingest.readings.tables import BrokenRow, RawBatch, RawTable
from ingest.readings.times import clock_of_day, is_dated, is_month
from ingest.readings.words import title_of

__all__ = ["DatedTable", "TurnedTable", "dated", "turned"]

_HEADER_ROWS = 40
_LEAST = 3
"""Least number of times in a row for it to be a header of times."""
_IDS = frozenset({"meter_no", "serial_no", "point", "name"})
_KEPT = _IDS | {"unit_code", "unit_name", "unit", "register", "date", "measured_at"}
_DAY = re.compile(r"(3[01]|[12]\d|0?[1-9])\s*[日号號]")
_MONTH_ABOVE = re.compile(r"(20\d\d)\s*[-/.年]\s*(1[0-2]|0?[1-9])(?:\s*月|(?!\d))")
_AMOUNTS = re.compile(
    r"用[电水气汽热能]?量|[消耗]费?量|耗[电水气汽热能]|[电水气汽热能]耗|电量统计|consumption|usage", re.IGNORECASE
)
_DIALS = re.compile(r"表底|表码|示数|示值|读数|抄见|止码|底码|抄表|reading|dial|index", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Across:
    """Last header row of a table, its headers, places of the columns that are kept, and of those headed by a time."""

    row: int
    titles: tuple[str, ...]
    kept: tuple[int, ...]
    times: tuple[int, ...]
    words: tuple[str, ...]


class TurnedTable:
    """A table a row a meter and a column a time, as one of a row a reading.

    Parameters
    ----------
    table : RawTable
    across : _Across
    """

    def __init__(self, table: RawTable, across: _Across) -> None:
        self._table, self._across = table, across
        self.where, self.title, self.typed, self.delimiter = table.where, table.title, table.typed, table.delimiter
        self.uncalculated = table.uncalculated

    @property
    def head(self) -> Sequence[Sequence[str]]:
        """Its first rows."""
        rows, across = self._table.head, self._across
        made = [list(row) for row in rows[: across.row]]
        titles = [across.titles[place] for place in across.kept]
        time, value = _new_titles(titles)
        made.append([*titles, time, value])
        for row in rows[across.row + 1 :]:
            kept = [row[place] if place < len(row) else "" for place in across.kept]
            made += [
                [*kept, word, row[place] if place < len(row) else ""]
                for place, word in zip(across.times, across.words, strict=True)
            ]
        return made

    def batches(self, below: int, width: int, needed: int) -> Iterator[RawBatch]:  # noqa: ARG002 - as wide as it is
        """All rows below one of the first, those of a meter next to each other."""
        across = self._across
        full = max(len(across.titles), *(place + 1 for place in (*across.kept, *across.times)))
        for batch in self._table.batches(across.row, full, min(across.times) + 1):
            n, m = len(batch.number), len(across.times)
            rows: Any = pa.array(np.repeat(np.arange(n), m))
            columns = [batch.columns[place].take(rows) for place in across.kept]
            columns.append(pa.array(list(across.words) * n, pa.string()))
            order: Any = pa.array(np.arange(n * m).reshape(m, n).T.reshape(-1))
            columns.append(pa.concat_arrays([batch.columns[place] for place in across.times]).take(order))
            broken = [BrokenRow(one.row, one.cells, one.required, one.got) for one in batch.broken]
            yield RawBatch(columns=columns, number=np.repeat(batch.number, m), share=batch.share, broken=broken)


def _new_titles(titles: Sequence[str]) -> tuple[str, str]:
    """Headers of the two new columns: a time of day where a date is kept."""
    dated = any(title_of(title).role in {"date", "measured_at"} for title in titles)
    return ("时间" if dated else "采集时间"), "示值"


class DatedTable:
    """A table of one reading time, which stands above it, with that time in each row.

    Parameters
    ----------
    table : RawTable
    row : int
        Index of its header row.
    time : str
        As it stands above.
    """

    def __init__(self, table: RawTable, row: int, time: str) -> None:
        self._table, self._row, self._time = table, row, time
        self._width = len(table.head[row])
        self.where, self.title, self.typed, self.delimiter = table.where, table.title, table.typed, table.delimiter
        self.uncalculated = table.uncalculated

    @property
    def head(self) -> Sequence[Sequence[str]]:
        """Its first rows."""
        rows = self._table.head
        made = [list(row) for row in rows[: self._row]]
        made.append([*rows[self._row], "采集时间"])
        for row in rows[self._row + 1 :]:
            said = any(cell.strip() for cell in row)
            made.append([*row[: self._width], *[""] * (self._width - len(row)), self._time if said else ""])
        return made

    def batches(self, below: int, width: int, needed: int) -> Iterator[RawBatch]:
        """All rows below one of the first."""
        for batch in self._table.batches(below, width - 1, min(needed, width - 1)):
            filled: Any = pa.array([self._time] * len(batch.number), pa.string())
            yield RawBatch(
                columns=[*batch.columns, filled], number=batch.number, share=batch.share, broken=batch.broken
            )


_READ_AT: Final = re.compile(
    r"(?:抄表|抄见|读表|读数|采集|计量|冻结|数据|reading|read|meter)\s*(?:日期|时间|时刻|date|time)?(?:日期|时间|date|time)\s*[:：]?\s*(.+)",
    re.IGNORECASE,
)
_DATE: Final = re.compile(
    r"\d{4}\s*[-/.年]\s*\d{1,2}\s*[-/.月]\s*\d{1,2}\s*日?(?:\s*\d{1,2}[:时点]\d{0,2}(?::\d{2})?分?)?"
)


def dated(table: RawTable, row: int) -> RawTable | None:
    """The table with the one time that a line above its header says it was read at; None where none or several do."""
    lines = [" ".join(tidy(cell) for cell in line if cell.strip()) for line in table.head[:row]]
    said = [match[1] for line in lines if (match := _READ_AT.search(line))]
    times = {time for text in said for time in _DATE.findall(text)}
    return DatedTable(table, row, times.pop().strip()) if len(times) == 1 else None


def turned(table: RawTable, name: str, options: ReadingOptions) -> RawTable:
    """The table, turned where its times stand across.

    Raises
    ------
    UnreadableFile
        If what stands across says a day of a month alone, and no line above says of which; if months run on into
        another year without one; or if the table is of amounts.
    """
    found = _across(table.head, options)
    if found is None:
        return table
    above = " ".join(tidy(cell) for row in table.head[: found.row] for cell in row if cell.strip())
    words = _instants(found, f"{table.title} {above}")
    if words is None:
        raise UnreadableFile(
            f"{name}: the columns of a table with times across must each give when the dial was read, year, month and "
            f"day (got {', '.join(found.words[:3])} …: write the dates in full, such as 2026-06-30 24:00)",
            zh=f"{name}：表头只写了月份或日（如 {found.words[0]}），无法确定抄表时刻，请写全日期，如 2026-06-30 24:00",
        )
    amount = _AMOUNTS.search(above)
    if any(map(is_month, words)) and amount is not None and not _DIALS.search(above):
        raise UnreadableFile(
            f"{name}: must hold register values, what the dial shows (got {amount[0]!r} above a column a month, which "
            f"is what was used in between)",
            zh=f"{name}：需要表计示值（每月一列，其上写有 {amount[0]!r}，是消费量，不是示值）",
        )
    return TurnedTable(table, replace(found, words=tuple(words)))


def _across(rows: Sequence[Sequence[str]], options: ReadingOptions) -> _Across | None:
    for number in range(min(len(rows), _HEADER_ROWS)):
        for depth in (1, 2):
            if number + depth <= len(rows):
                found = _headed([tidy(cell) for cell in header_of(rows, number, depth)], number + depth - 1, options)
                if found is not None:
                    return found
    return None


def _headed(cells: Sequence[str], row: int, options: ReadingOptions) -> _Across | None:
    """Times across that a header names."""
    roles = [options.role(cell) or title_of(cell).role for cell in cells]
    kept = [place for place, role in enumerate(roles) if role in _KEPT]
    if not any(roles[place] in _IDS for place in kept) or "value" in roles:
        return None
    dated = any(roles[place] in {"date", "measured_at"} for place in kept)
    times = [place for place, cell in enumerate(cells) if cell and roles[place] is None and _is_time(cell, dated=dated)]
    if len(times) < _LEAST:
        return None
    return _Across(row, tuple(cells), tuple(kept), tuple(times), tuple(cells[place] for place in times))


def _is_time(cell: str, *, dated: bool) -> bool:
    if dated:
        return clock_of_day([cell]) is not None and not cell.replace(".", "").isdigit()
    return is_dated([cell]) or is_month(cell) or _DAY.fullmatch(cell) is not None


def _instants(found: _Across, above: str) -> Sequence[str] | None:
    """What stands across as times, months among them; None where it says too little."""
    words = found.words
    if _new_titles([found.titles[place] for place in found.kept])[0] == "时间" or is_dated(words):
        return words
    days = [_DAY.fullmatch(word) for word in words]
    if all(days):
        months = set(_MONTH_ABOVE.findall(above))
        if len(months) != 1:
            return None
        year, month = months.pop()
        return [f"{year}-{int(month):02d}-{int(day[1]):02d}" for day in days if day is not None]
    if not all(map(is_month, words)):
        return None
    alone = [int(word[1]) for one in words if (word := _ALONE.match(one)) is not None]
    return words if alone == sorted(set(alone)) else None


_ALONE = re.compile(r"(1[0-2]|0?[1-9])\s*月")
