"""Dry run over a file of readings, without sending it: for the command line, pages and programs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from analytics.domain.words import REJECT_REASONS
from ingest.readings import MeterDirectory, OpenedReadings
from ingest.readings.tally import Tally
from ingest.wire import Block
from ingest.wire.block import REGISTER_SEPARATOR

__all__ = ["ReadingCheck", "check_readings"]

_FIRST_ROWS = 5
_MOST_METERS = 30
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingCheck:
    """How a file was interpreted, and what would become of its readings.

    Attributes
    ----------
    name : str
    opened : OpenedReadings
    tally : Tally
    first : list of tuple
        The first readings as they will be: unit, meter, register, time, value, unit of measurement.
    missing : list of (str, str)
        Meters of the file's units that the file has no reading of.
    zone : ZoneInfo
    """

    name: str
    opened: OpenedReadings
    tally: Tally
    zone: ZoneInfo
    first: list[tuple[str, str, str, str, float, str]] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)

    def to_object(self, language: str = "en") -> dict[str, Any]:
        """The same for a program."""
        tally = self.tally
        return {
            "file": self.name,
            "readings": tally.total,
            "refused": tally.refused,
            "blank": tally.skipped,
            "notes": tally.notes,
            "understood": [
                {
                    "table": table.name,
                    "columns": {role: table.layout.titles[place].text for role, place in table.layout.places.items()}
                    | {
                        one.title: one.entry.meter_no if one.entry else one.register or "value"
                        for one in table.layout.values
                    },
                    "notes": [note.of(language) for note in table.notes],
                    "not_used": list(table.layout.others),
                    "no_meter_of_the_ledger": list(table.layout.strangers),
                }
                for table in self.opened.tables
            ],
            "passed_over": list(self.opened.passed_over),
            "first_rows": [
                dict(zip(("unit_code", "meter_no", "register", "measured_at", "value", "unit"), row, strict=True))
                for row in self.first
            ],
            "meters": [
                {
                    "unit_code": unit_code,
                    "meter_no": meter_no,
                    "register": register,
                    "readings": one.readings,
                    "first": self._when(one.first_us),
                    "last": self._when(one.last_us),
                    "interval_s": one.interval_s,
                    "units": sorted(one.units),
                }
                for (unit_code, meter_no, register), one in sorted(tally.meters.items())
            ],
            "missing": [{"unit_code": unit_code, "meter_no": meter_no} for unit_code, meter_no in self.missing],
            "refusals": [
                {
                    "reason": fault.reason.name.lower(),
                    "words": REJECT_REASONS[fault.reason.name.lower()].of(language),
                    "column": fault.column,
                    "required": fault.required,
                    "got": fault.examples,
                    "readings": fault.count,
                    "rows": fault.rows[:1000],
                }
                for fault in tally.faults.values()
            ],
        }

    def lines(self, language: str = "en") -> list[str]:
        """The same for a person."""
        zh = language == "zh"
        tally = self.tally
        sound = tally.total - tally.refused
        lines = [
            f"{self.name}：{tally.total} 条示值，其中 {sound} 条可用，{tally.refused} 条将被拒收；"
            f"空值 {tally.skipped} 个，合计或备注 {tally.notes} 行"
            if zh
            else f"{self.name}: {tally.total} readings, {sound} of them sound, {tally.refused} would be refused; "
            f"{tally.skipped} blank values and {tally.notes} rows of totals and remarks passed over"
        ]
        for table in self.opened.tables:
            lines += self._table_lines(table, language)
        lines += [f"  {'未读取' if zh else 'passed over'}: {reason}" for reason in self.opened.passed_over]
        lines.append("前几条：" if zh else "first readings:")
        lines += [f"  {' · '.join((unit, meter, *([register] if register else []), when, f'{value:.15g} {measure}'))}"
                  for unit, meter, register, when, value, measure in self.first]  # fmt: skip
        lines += self._meter_lines(language)
        lines += tally.lines(language)
        return lines

    def _table_lines(self, table: Any, language: str) -> list[str]:
        zh = language == "zh"
        layout = table.layout
        named = [f"{layout.titles[place].text} → {role}" for role, place in layout.places.items()]
        if layout.is_wide:
            named.append(f"{len(layout.values)} 列表计" if zh else f"{len(layout.values)} columns of meters")
        else:
            named += [f"{one.title} → {one.register or 'value'}" for one in layout.values]
        found = [f"  {table.name}: {', '.join(named)}"]
        return found + [f"  {note.of(language)}" for note in table.notes]

    def _meter_lines(self, language: str) -> list[str]:
        zh = language == "zh"
        lines = [
            f"{len(self.tally.meters)} 块表（寄存器）：" if zh else f"{len(self.tally.meters)} meters and registers:"
        ]
        for (_, meter_no, register), one in sorted(self.tally.meters.items())[:_MOST_METERS]:
            interval = (
                "" if one.interval_s is None else f"，间隔 {one.interval_s} s" if zh else f", every {one.interval_s} s"
            )
            name = meter_no if register == "main" else f"{meter_no} {register}"
            lines.append(f"  {name}: {one.readings}, {self._when(one.first_us)} … {self._when(one.last_us)}{interval}")
        if len(self.tally.meters) > _MOST_METERS:
            more = len(self.tally.meters) - _MOST_METERS
            lines.append(f"  另有 {more}" if zh else f"  and {more} more")
        if self.missing:
            names = ", ".join(meter_no for _, meter_no in self.missing[:_MOST_METERS])
            lines.append(
                f"台账中有而文件中没有的表计 {len(self.missing)} 块：{names}" if zh
                else f"meters of the ledger of which the file has nothing ({len(self.missing)}): {names}"
            )  # fmt: skip
        return lines

    def _when(self, us: int) -> str:
        return f"{(_EPOCH + timedelta(microseconds=us)).astimezone(self.zone):%Y-%m-%d %H:%M:%S%z}"


def check_readings(
    opened: OpenedReadings,
    name: str,
    *,
    zone: ZoneInfo,
    received_at: int,
    directory: MeterDirectory | None = None,
    tell: Callable[[float, int], None] = lambda *_: None,
) -> ReadingCheck:
    """Go through a whole file without sending anything.

    Parameters
    ----------
    directory : MeterDirectory, optional
        Meters of the ledger in force: what it would refuse is counted too.
    tell : callable
        Called with the share that has been read, and the readings so far.
    """
    tally = Tally(directory=directory, received_at=received_at)
    check = ReadingCheck(name=name, opened=opened, tally=tally, zone=zone)
    for part in opened.parts(zone=zone, received_at=received_at):
        for block in part.blocks:
            if len(check.first) < _FIRST_ROWS:
                check.first.extend(_rows(block, check._when, _FIRST_ROWS - len(check.first)))  # noqa: SLF001 - its own
        tally.add(part)
        tell(part.share, tally.readings)
    if directory is not None:
        units = {unit_code for unit_code, _, _ in tally.meters}
        have = {(unit_code, meter_no) for unit_code, meter_no, _ in tally.meters}
        check.missing.extend(
            (entry.unit_code, entry.meter_no)
            for entry in directory.meters
            if entry.unit_code in units and (entry.unit_code, entry.meter_no) not in have
        )
    return check


def _rows(block: Block, when: Callable[[int], str], most: int) -> list[tuple[str, str, str, str, float, str]]:
    found = []
    for i in range(min(most, len(block))):
        name, _, register = block.meters.names[int(block.meter[i])].partition(REGISTER_SEPARATOR)
        unit = block.units[int(block.unit[i])]
        time = when(int(block.measured_at[i]))
        found.append((block.unit_code, name, register, time, float(block.value[i]), unit))
    return found
