"""Rows of a table that was understood, as blocks of readings and as faults in the words of the file."""

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analytics.domain.quality import RejectReason
from analytics.domain.registers import MAIN
from ingest.files import is_blank, tidy, word_key
from ingest.readings import numbers as number_forms
from ingest.readings import times as time_forms
from ingest.readings.cells import mapped, number_cells, tidied
from ingest.readings.directory import MeterDirectory
from ingest.readings.layout import ValueColumn
from ingest.readings.options import ReadingOptions
from ingest.readings.parts import FilePart, RowFault
from ingest.readings.recognition import Recognised, time_cells
from ingest.readings.rows import Rows, blocks_and_faults
from ingest.readings.tables import BrokenRow, RawBatch
from ingest.readings.times import TimeForm, Times
from ingest.readings.words import register_of, title_of

__all__ = ["parts_of"]

Bools = NDArray[np.bool_]
_TOTALS = (
    "合计|总计|小计|累计|平均|平均值|最大|最大值|最小|最小值|备注|注|说明|制表|制表人|填表人|审核|审核人"
    "|total|totals|sum|subtotal|average|avg|mean|min|max|note|notes|remark"
)
_GOOD = frozenset({"good", "ok", "valid", "normal", "goodnonspecific", "良好", "好", "正常", "有效", "合格"})
_TIMES = frozenset({"measured_at", "date", "time"})
_NAMERS = ("meter_no", "serial_no", "point", "name")
_TOTAL_PATTERN = rf"(?i)^\s*({_TOTALS})\s*([:：(（].*)?$"


def parts_of(
    found: Recognised,
    *,
    directory: MeterDirectory | None,
    options: ReadingOptions,
    zone: ZoneInfo,
    received_at: int,
) -> Iterator[FilePart]:
    """Readings of a table, in order.

    Parameters
    ----------
    received_at : int
        For rows without a time of receipt. [us since 1970-01-01 UTC]
    """
    make = _Maker(found, directory, options, zone, received_at)
    layout = found.layout
    for batch in found.table.batches(layout.below, layout.width, layout.needed):
        yield make.part(batch)


class _Maker:
    def __init__(
        self,
        found: Recognised,
        directory: MeterDirectory | None,
        options: ReadingOptions,
        zone: ZoneInfo,
        received_at: int,
    ) -> None:
        self._found, self._directory, self._options = found, directory, options
        self._zone, self._received_at = zone, received_at
        self._resolved: dict[tuple[str | None, str | None], tuple[str, str, str]] = {}
        self._stated = options.unit_code

    def part(self, batch: RawBatch) -> FilePart:
        layout = self._found.layout
        cells = time_cells(batch.columns, layout)
        times = time_forms.parse(cells, self._found.times, self._zone)
        counted, noted = self._counted(batch, times)
        blocks: list[Any] = []
        faults: list[RowFault] = []
        skipped = int((~counted).sum()) - noted
        rows = batch if counted.all() else _taken(batch, counted)
        if not counted.all():
            cells = cells.filter(pa.array(counted))
            times = Times(times.us[counted], times.assumed[counted], times.readable[counted])
        for one in layout.values:
            numbers = number_cells(rows.columns[one.place])
            there = np.asarray(numbers.is_valid())
            skipped += int((~there).sum()) if layout.is_wide or len(layout.values) > 1 else 0
            if not there.any():
                continue
            made = self._rows(rows, one, cells, times, numbers, there)
            more, wrong = blocks_and_faults(made, zone=self._zone, received_at=self._received_at)
            blocks += more
            faults += wrong
        faults += [self._of_broken(row) for row in batch.broken]
        return FilePart(blocks=blocks, faults=faults, share=batch.share, skipped=skipped, notes=noted)

    def _counted(self, batch: RawBatch, times: Times) -> tuple[Bools, int]:
        """Rows that are readings or should be, and how many of the others are totals and notes."""
        layout = self._found.layout
        valued = np.zeros(len(batch.number), np.bool_)
        for one in layout.values:
            valued |= np.asarray(number_cells(batch.columns[one.place]).is_valid())
        counted = valued.copy()
        noted = int((~valued & ~times.readable).sum())
        odd = np.flatnonzero(valued & ~times.readable)
        if len(odd):
            picked = [batch.columns[layout.places["measured_at"]]]
            picked += [batch.columns[place] for role, place in layout.places.items() if role == "meter_no"]
            first = batch.columns[0].take(pa.array(odd))
            texts = [column.take(pa.array(odd)) for column in (*picked,)] + [first]
            total = np.zeros(len(odd), np.bool_)
            heads = mapped(texts[0], lambda text: "head" if title_of(text).role in _TIMES else None)
            total |= np.asarray(heads.is_valid())  # the header again, as on each page of a printed table
            for column in texts:
                found: Any = pa.compute.match_substring_regex(tidied(column), _TOTAL_PATTERN)
                total |= np.asarray(found.fill_null(False))
            counted[odd[total]] = False
            noted += int(total.sum())
        return counted, noted

    def _rows(self, batch: RawBatch, one: ValueColumn, cells: Any, times: Times, numbers: Any, there: Bools) -> Rows:
        every = bool(there.all())
        kept = pa.array(there)

        def of(column: Any) -> Any:
            return column if every else column.filter(kept)

        values = number_forms.parse(of(numbers), self._found.numbers)
        here = times if every else Times(times.us[there], times.assumed[there], times.readable[there])
        n = int(there.sum())
        unit_code, meter_no, ledger_unit = self._meters(batch, one, of, n)
        columns: dict[str, Any] = {
            "unit_code": unit_code,
            "meter_no": meter_no,
            "measured_at": of(cells),
            "value": of(batch.columns[one.place]),
            "unit": self._unit(batch, one, of, ledger_unit, n),
        }
        register = self._register(batch, one, of, n)
        if register is not None:
            columns["register"] = register
        for name in ("quality", "received_at"):
            if name in self._found.layout.places:
                columns[name] = of(tidied(batch.columns[self._found.layout.places[name]]))
        if "quality" in columns:
            columns["quality"] = mapped(columns["quality"], _without_good)
        layout = self._found.layout
        used = {*layout.places.values(), *(value.place for value in layout.values)}
        others = {
            title.text: of(batch.columns[k]) for k, title in enumerate(layout.titles) if k not in used and title.text
        }
        form = TimeForm(
            families=tuple(dict.fromkeys((*self._found.times.families, "ymd"))), order=self._found.times.order
        )
        return Rows(
            columns=columns, others=others, number=batch.number if every else batch.number[there], times=here,
            values=values, received_form=form,
        )  # fmt: skip

    def _meters(self, batch: RawBatch, one: ValueColumn, of: Any, n: int) -> tuple[Any, Any, Any]:
        """Unit code, meter number and the ledger's unit of measurement of each row."""
        places = self._found.layout.places
        entry = one.entry or self._found.layout.meter
        if entry is not None:
            return _repeated(entry.unit_code, n), _repeated(entry.meter_no, n), _repeated(entry.unit, n)
        code_place = places.get("unit_code", places.get("unit_name"))
        codes = _repeated(None, n) if code_place is None else of(batch.columns[code_place])
        name_place = next((places[role] for role in _NAMERS if role in places), None)
        if one.meter_no or name_place is None:
            names = _repeated(one.meter_no or self._options.meter_no, n)
        else:
            names = of(batch.columns[name_place])
        codes, names = codes.dictionary_encode(), names.dictionary_encode()
        code_texts, name_texts = codes.dictionary.to_pylist(), names.dictionary.to_pylist()
        code_index = np.asarray(codes.indices.fill_null(len(code_texts)), np.int64)
        name_index = np.asarray(names.indices.fill_null(len(name_texts)), np.int64)
        pairs, index = np.unique(code_index * (len(name_texts) + 1) + name_index, return_inverse=True)
        code_texts.append(None)
        name_texts.append(None)
        which = [divmod(int(pair), len(name_texts)) for pair in pairs]
        resolved = [self._resolve(code_texts[c], name_texts[m]) for c, m in which]
        taken: Any = pa.array(index)
        made = [pa.array([one[k] or None for one in resolved], pa.string()).take(taken) for k in range(3)]
        return made[0], made[1], made[2]

    def _resolve(self, code_text: str | None, name_text: str | None) -> tuple[str, str, str]:
        found = self._resolved.get((code_text, name_text))
        if found is None:
            found = self._resolved[code_text, name_text] = self._looked_up(code_text, name_text)
        return found

    def _looked_up(self, code_text: str | None, name_text: str | None) -> tuple[str, str, str]:
        code, name = _said(code_text) or self._stated or "", _said(name_text)
        if self._directory is None:
            return code, name, ""
        known = self._directory.unit_code(code) if code else None
        entry = self._directory.meter(name, known) if name and (known or not code) else None
        if entry is None and name.endswith(".0") and (known or not code):
            entry = self._directory.meter(name[:-2], known)
        if entry is None:
            only = {one.unit_code for one in self._directory.meters}
            return known or code or (only.pop() if len(only) == 1 else ""), name, ""
        return entry.unit_code, entry.meter_no, entry.unit

    def _unit(self, batch: RawBatch, one: ValueColumn, of: Any, ledger_unit: Any, n: int) -> Any:
        place = self._found.layout.places.get("unit")
        default = self._found.unit or one.unit
        register = one.register and one.register != MAIN
        fallback = _repeated(default, n) if default else _repeated(None, n) if register else ledger_unit
        if place is None:
            return fallback
        stated = mapped(of(batch.columns[place]), _said)
        return pa.compute.coalesce(stated, fallback)

    def _register(self, batch: RawBatch, one: ValueColumn, of: Any, n: int) -> Any:
        if one.register:
            return _repeated(one.register, n)
        place = self._found.layout.places.get("register")
        if place is None:
            return None
        return mapped(of(batch.columns[place]), lambda text: register_of(text) or tidy(text))

    def _of_broken(self, row: BrokenRow) -> RowFault:
        payload = msgspec.json.encode({"row": row.row, "cells": row.cells})
        return RowFault(
            row=row.row, column="", reason=RejectReason.MISSING_FIELD, required=row.required, got=row.got,
            payload=payload, readings=1, unit_code="",
        )  # fmt: skip


def _without_good(text: str) -> str:
    """What a sender states of the quality; nothing where it states in words that it is sound."""
    return "" if word_key(text) in _GOOD else text


def _said(text: str | None) -> str:
    return "" if text is None or is_blank(text) else tidy(text)


def _repeated(text: str | None, n: int) -> Any:
    return pa.nulls(n, pa.string()) if not text else pa.repeat(pa.scalar(text, pa.string()), n)


def _taken(batch: RawBatch, rows: Bools) -> RawBatch:
    kept = pa.array(rows)
    return RawBatch(
        columns=[column.filter(kept) for column in batch.columns], number=batch.number[rows], share=batch.share
    )
