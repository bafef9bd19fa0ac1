"""Statistics of a file of readings, accumulated part by part: faults by kind, meters, registers, times."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from analytics.domain.instants import US_PER_HOUR
from analytics.domain.quality import RejectReason
from analytics.domain.registers import MAIN
from analytics.domain.units import find_unit
from analytics.domain.words import REJECT_REASONS
from ingest.files.ranges import row_ranges
from ingest.readings.directory import MeterDirectory, MeterEntry
from ingest.readings.parts import FilePart, RowFault
from ingest.readings.requirements import (
    A_TIME_THAT_HAS_COME,
    KNOWN_UNIT,
    OF_LEDGER,
    THERE,
    UNIT_OF_LEDGER,
    in_chinese,
)
from ingest.wire import Block
from ingest.wire.block import REGISTER_SEPARATOR

__all__ = ["FoldedFault", "MeterTally", "Tally"]

_EXAMPLES = 3
_LEAST_STEPS = 8
_NOTHING = frozenset({"null", "nothing"})
_NOBODY: tuple[str, str] = ("", "")


@dataclass(slots=True)
class FoldedFault:
    """Rows at fault in one way.

    Attributes
    ----------
    reason : RejectReason
    column : str
        Column at fault, empty for the whole row.
    required : str
    count : int
        Readings.
    rows : list of int
        Row numbers, ascending as they came.
    examples : list of str
        What stands there, some of it.
    """

    reason: RejectReason
    column: str
    required: str
    count: int = 0
    rows: list[int] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    def add(self, rows: Iterable[int], count: int, example: str) -> None:
        """Count more of them."""
        self.count += count
        self.rows.extend(rows)
        if len(self.examples) < _EXAMPLES and example not in self.examples:
            self.examples.append(example)

    def line(self, language: str) -> str:
        """One line for a person."""
        what = REJECT_REASONS[self.reason.name.lower()].of(language)
        where = row_ranges(self.rows)
        got = ", ".join(self.examples)
        if language == "zh":
            return f"{self.count} 条：{what}（要求{in_chinese(self.required)}；实际如 {got}）；第 {where} 行"
        return f"{self.count} readings: {what} (must be {self.required}; got {got}); rows {where}"


@dataclass(slots=True)
class MeterTally:
    """Readings of one register of one meter.

    Attributes
    ----------
    readings : int
    first_us, last_us : int
        [us since 1970-01-01 UTC]
    units : set of str
        Units of measurement stated.
    intervals : dict of int to int
        How often two readings are so far apart. [s]
    steps, falls : int
        Readings that follow one at another time, and of these the ones below it: a dial does not fall.
    """

    readings: int = 0
    first_us: int = np.iinfo(np.int64).max
    last_us: int = np.iinfo(np.int64).min
    units: set[str] = field(default_factory=set)
    intervals: dict[int, int] = field(default_factory=dict)
    steps: int = 0
    falls: int = 0
    _last_seen: int | None = None
    _last: tuple[int, float] | None = None

    def add(self, times: Any, units: set[str]) -> None:
        """Take in readings in the order of the file."""
        self.readings += len(times)
        self.first_us, self.last_us = min(self.first_us, int(times.min())), max(self.last_us, int(times.max()))
        self.units |= units
        if self._last_seen is not None:
            times = np.concatenate([[self._last_seen], times])
        self._last_seen = int(times[-1])
        apart, counts = np.unique(np.diff(times) // 1_000_000, return_counts=True)
        if len(apart) > 1000:
            order = np.argsort(-counts)[:1000]
            apart, counts = apart[order], counts[order]
        for seconds, n in zip(apart.tolist(), counts.tolist(), strict=True):
            self.intervals[seconds] = self.intervals.get(seconds, 0) + n

    def follow(self, times: Any, values: Any) -> None:
        """Count steps and falls of readings in the order of the file, which may be either order of time."""
        if self._last is not None:
            times, values = np.append(self._last[0], times), np.append(self._last[1], values)
        self._last = int(times[-1]), float(values[-1])
        later = np.sign(np.diff(times))
        self.steps += int(np.count_nonzero(later))
        self.falls += int(np.count_nonzero(np.diff(values) * later < 0))

    @property
    def is_like_amounts(self) -> bool:
        """Whether it falls so often that it can be no dial."""
        return self.steps >= _LEAST_STEPS and self.falls * 4 >= self.steps

    @property
    def interval_s(self) -> int | None:
        """Most frequent distance of two readings, None for a single one. [s]"""
        known = {seconds: n for seconds, n in self.intervals.items() if seconds > 0}
        return max(known, key=lambda seconds: (known[seconds], -seconds)) if known else None


@dataclass(slots=True)
class Tally:
    """Accumulated statistics of a file.

    Attributes
    ----------
    directory : MeterDirectory or None
        With it, readings are held against the ledger as the workers will.
    received_at : int
        [us since 1970-01-01 UTC]
    readings, skipped, notes : int
        Readings in sound rows, values that say nothing, rows of totals and remarks.
    strangers : int
        Readings in rows at fault since the ledger has no such meter, which would have given the rest.
    faults : dict
        By reason, column and requirement.
    meters : dict
        By unit code, meter number and register.
    """

    directory: MeterDirectory | None
    received_at: int
    detailed: bool = True
    readings: int = 0
    skipped: int = 0
    notes: int = 0
    faults: dict[tuple[RejectReason, str, str], FoldedFault] = field(default_factory=dict)
    meters: dict[tuple[str, str, str], MeterTally] = field(default_factory=dict)
    strangers: int = 0
    _known: dict[tuple[str, str], MeterEntry | None] = field(default_factory=dict)

    def add(self, part: FilePart) -> None:
        """Count a part."""
        self.skipped += part.skipped
        self.notes += part.notes
        self.add_faults(part.faults)
        for block in part.blocks:
            self.readings += len(block)
            self._add_block(block)

    def add_faults(self, faults: Iterable[RowFault]) -> None:
        """Count rows at fault."""
        for fault in faults:
            stranger = self._stranger(fault)
            if stranger:
                self._fault(RejectReason.UNKNOWN_METER, "meter_no", OF_LEDGER).add(
                    [fault.row], fault.readings, repr(stranger)
                )
                self.strangers += fault.readings
                continue
            self._fault(fault.reason, fault.column, fault.required).add([fault.row], fault.readings, fault.got)

    def _stranger(self, fault: RowFault) -> str:
        """Number of a meter that the ledger does not have, of a row that lacks only what the ledger would give."""
        if self.directory is None or fault.column not in {"unit", "unit_code"} or fault.got not in _NOTHING:
            return ""
        try:
            said = msgspec.json.decode(fault.payload)
        except msgspec.DecodeError:
            return ""
        number = said.get("meter_no") if isinstance(said, dict) else None
        return number if isinstance(number, str) and self.directory.meter(number) is None else ""

    def _fault(self, reason: RejectReason, column: str, required: str) -> FoldedFault:
        key = reason, column, required
        if key not in self.faults:
            self.faults[key] = FoldedFault(reason, column, required)
        return self.faults[key]

    def _add_block(self, block: Block) -> None:
        order = np.argsort(block.meter, kind="stable")
        cuts = np.flatnonzero(np.diff(block.meter[order])) + 1
        for rows in np.split(order, cuts):
            if not len(rows):
                continue
            name, _, register = block.meters.names[int(block.meter[rows[0]])].partition(REGISTER_SEPARATOR)
            key = block.unit_code, name, register or MAIN
            tally = self.meters.setdefault(key, MeterTally())
            units = {block.units[i] for i in np.unique(block.unit[rows]).tolist()}
            tally.follow(block.measured_at[rows], block.value[rows])
            if self.detailed:
                tally.add(block.measured_at[rows], units)
            else:
                tally.readings += len(rows)
                tally.units |= units
            if self.directory is not None:
                self._hold_against(block, rows, name, register)

    def _hold_against(self, block: Block, rows: Any, name: str, register: str) -> None:
        """Count what the ledger will refuse."""
        directory = self.directory
        assert directory is not None
        pair = block.unit_code, name
        if pair not in self._known:
            self._known[pair] = directory.meter(name, block.unit_code)
        entry = self._known[pair]
        numbers = block.message[rows].tolist()
        if entry is None:
            known = directory.units.get(block.unit_code.casefold()) is not None
            reason = RejectReason.UNKNOWN_METER if known else RejectReason.UNKNOWN_UNIT_CODE
            required = OF_LEDGER if known else UNIT_OF_LEDGER
            example = f"{name!r} of {block.unit_code!r}" if known else repr(block.unit_code)
            self._fault(reason, "meter_no" if known else "unit_code", required).add(numbers, len(rows), example)
            return
        future = block.measured_at[rows] > self.received_at + US_PER_HOUR
        if future.any():
            self._fault(RejectReason.FUTURE, "measured_at", A_TIME_THAT_HAS_COME).add(
                block.message[rows[future]].tolist(), int(future.sum()), _when(int(block.measured_at[rows[future][0]]))
            )
        there = np.zeros(len(rows), np.bool_)
        for start, end in entry.installed:
            there |= (block.measured_at[rows] >= start) & (block.measured_at[rows] <= end)
        away = ~there & ~future
        if away.any():
            self._fault(RejectReason.NOT_INSTALLED, "measured_at", THERE).add(
                block.message[rows[away]].tolist(),
                int(away.sum()),
                f"{name} at {_when(int(block.measured_at[rows[away][0]]))}",
            )
        if not register:
            self._check_units(block, rows, entry)

    def _check_units(self, block: Block, rows: Any, entry: MeterEntry) -> None:
        wanted = find_unit(entry.unit) if entry.unit else None
        for place in np.unique(block.unit[rows]).tolist():
            text = block.units[place]
            unit = find_unit(text)
            mine = rows[block.unit[rows] == place]
            numbers = block.message[mine].tolist()
            if unit is None:
                self._fault(RejectReason.UNKNOWN_UNIT, "unit", KNOWN_UNIT).add(numbers, len(mine), repr(text))
            elif wanted is not None and unit.kind is not wanted.kind:
                required = f"a unit that converts to {wanted.symbol}"
                example = f"{text!r} of {entry.meter_no}"
                self._fault(RejectReason.UNIT_MISMATCH, "unit", required).add(numbers, len(mine), example)

    @property
    def refused(self) -> int:
        """Readings that are refused, in rows at fault and by the ledger."""
        return sum(fault.count for fault in self.faults.values())

    @property
    def total(self) -> int:
        """All readings, sound or not."""
        at_fault = {RejectReason.UNKNOWN_METER, RejectReason.UNKNOWN_UNIT_CODE, RejectReason.NOT_INSTALLED,
                    RejectReason.UNKNOWN_UNIT, RejectReason.UNIT_MISMATCH, RejectReason.FUTURE}  # fmt: skip
        whole = sum(fault.count for fault in self.faults.values() if fault.reason not in at_fault)
        return self.readings + whole + self.strangers

    @property
    def worst(self) -> FoldedFault | None:
        """The one reason for which most readings would be refused, None where there is none such."""
        worst = max(self.faults.values(), key=lambda fault: fault.count, default=None)
        return worst if worst is not None and worst.count * 2 > self.total else None

    @property
    def without_main(self) -> dict[tuple[str, str], list[str]]:
        """Registers of meters of which no main register came, by unit and meter: they have no consumption."""
        found: dict[tuple[str, str], list[str]] = {}
        for unit_code, name, register in self.meters:
            found.setdefault((unit_code, name), []).append(register)
        return {pair: sorted(names) for pair, names in found.items() if MAIN not in names}

    def lines(self, language: str = "en") -> list[str]:
        """Summary for a person, a line each."""
        folded = sorted(self.faults.values(), key=lambda fault: -fault.count)
        lines = [fault.line(language) for fault in folded]
        bare = self.without_main
        if bare:
            (_, name), registers = next(iter(bare.items()))
            more = len(bare) - 1
            listed = ", ".join(registers[:6])
            lines.append(
                f"{len(bare)} 块表没有主寄存器（示值类型）的示值，不计消费量：{name} 只有 {listed}"
                + (" 等" if more else "")
                if language == "zh"
                else f"no reading of the main register came of {name} (only {listed})"
                + (f", nor of {more} other meters" if more else "")
                + ": they have no consumption"
            )
        falling = self.like_amounts
        if falling:
            names = ", ".join(falling[:6])
            lines.append(
                f"{len(falling)} 块表的示值有四分之一以上比前一次小（{names}）：请核对文件中是否为消费量而不是表计示值"
                if language == "zh"
                else f"of {len(falling)} meters a quarter of the values and more are below the one before ({names}): "
                f"are they what was used in between, and not what the dial shows?"
            )
        return lines

    @property
    def like_amounts(self) -> list[str]:
        """Meters whose main register falls too often for a dial."""
        return sorted(
            name for (_, name, register), one in self.meters.items() if register == MAIN and one.is_like_amounts
        )


def _when(us: int) -> str:
    return str(np.datetime64(us, "us").astype("datetime64[m]")) + "Z"
