"""A ledger and files of readings to result files, by the same pure steps that run on a stream.

The files are read once, into a spool by units; each bucket of units goes through the steps once, in time order; and its
hours become days and totals. Memory is bounded by the largest bucket, not by the files.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from analytics.columns.aggregation import PointHours
from analytics.columns.register import EVENT_ROW, HOUR_ROW, last_of_each_hour
from analytics.domain.instants import US_PER_DAY, US_PER_HOUR
from analytics.domain.ledger import Ledger
from analytics.domain.quality import DetectionKind
from analytics.domain.registers import is_apart
from analytics.drift.groups import BalanceGroups
from analytics.drift.observability import judge
from analytics.drift.state import BalanceState
from analytics.health.arrival import HABIT_ROW
from analytics.health.habit import with_habits
from analytics.health.redundancy import SIGHT_ROW
from analytics.health.rises import learnt_rates, rise_verdict
from analytics.health.visible import best_of
from analytics.standards.coal import FactorTable
from analytics.standards.documents import Standards
from ingest.readings import FilePart, RowFault
from ingest.result_files import ResultDirectory
from ingest.standard_files import standards_from
from ingest.wire import Block
from streams.backfill.findings import finding_columns, judged, standing_columns
from streams.backfill.rows import (
    detection_columns,
    energy_day_columns,
    gain_columns,
    hour_columns,
    observability_columns,
    rejected_columns,
    unexplained_of,
)
from streams.backfill.spool import Spool
from streams.rows.detections import last_of_each_event
from streams.rows.layout import MAIN_REGISTER
from streams.steps.balance import follow, gain_rows
from streams.steps.state import PartitionState, rules_of
from streams.steps.step import StepResult, close_hours, step

__all__ = ["Report", "Source", "backfill", "end_of_day"]

SLICE = 500_000
"""Readings that go through the steps at once."""
BUCKET = 4_000_000
"""Readings that a bucket should hold; a unit with more has a bucket of its own."""

_SETTLED_US = 24 * US_PER_HOUR
"""Time after the last reading at which its hour counts as over; nothing more comes, so it is written incomplete."""
_ALL_ENDS = 2**62
"""Declared ends of installations count also after the newest reading."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAULTS = np.array([kind.value for kind in DetectionKind if kind.is_fault], np.int16)


class Source(Protocol):
    """A file of readings."""

    @property
    def name(self) -> str:
        """What it is called in `rejected`."""
        ...

    @property
    def likely_readings(self) -> int:
        """About how many readings it holds."""
        ...

    def parts(self) -> Iterator[FilePart]:
        """Its readings and faulty rows, once, in the order of the file."""
        ...


@dataclass(slots=True, kw_only=True)
class Report:
    """Result of a run; `sent` = `accepted` + `rejected`.

    Attributes
    ----------
    later : int
        Readings after the day that was asked for: not looked at, and not among those sent.
    reasons : Counter
        Rejected readings by reason.
    detections : Counter
        Rows of `detections` and `events` by kind.
    until_us : int
        The instant at which silence was judged. [us since 1970-01-01 UTC]
    unexplained : int
        Hours that stand beside a difference which nobody can explain.
    strange : dict
        Of meters that only readings of unknown registers came of: `(unit code, meter)` to the names of these.
    rows : mapping
        Rows of each result file.
    """

    sent: int = 0
    accepted: int = 0
    later: int = 0
    until_us: int = 0
    unexplained: int = 0
    strange: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    detections: Counter[str] = field(default_factory=Counter)
    rows: Mapping[str, int] = field(default_factory=dict)

    @property
    def rejected(self) -> int:
        """Readings that were refused, each with a row of its own or counted in one."""
        return self.reasons.total()


def end_of_day(day: date, zone: tzinfo) -> int:
    """Instant at which a local day ends. [us since 1970-01-01 UTC].

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> end_of_day(date(1970, 1, 1), ZoneInfo("Asia/Shanghai")) // 3_600_000_000
    16
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=1)
    return round((midnight - _EPOCH).total_seconds()) * 1_000_000


def backfill(
    ledger: Ledger,
    sources: Sequence[Source],
    out: Path,
    *,
    zone: tzinfo,
    factors: FactorTable,
    standards: Standards | None = None,
    as_of: date | None = None,
    tell: Callable[[str], None] = lambda _: None,
    slice_size: int = SLICE,
    in_service: Mapping[str, float] | None = None,
) -> Report:
    """Work files of readings out into a directory of result files; it appears whole or not at all.

    Parameters
    ----------
    ledger : Ledger
    sources : sequence of Source
        Readings in any order.
    out : Path
        Replaced where it holds earlier results, refused where it holds anything else.
    zone : tzinfo
        Of the local days.
    factors : FactorTable
        To coal equivalent.
    standards : Standards, optional
        What units are judged by; what ships, without it.
    as_of : date, optional
        Readings after the end of this local day are left out (the one at its closing midnight belongs to it), and
        silence is judged at its end; without it, at the newest reading.
    tell : callable
        Takes a line about how far it is, now and then.
    slice_size : int
        Readings that go through the steps at once; what comes out does not depend on it.
    in_service : mapping of str to float, optional
        By carrier what meters may be off in service, over the limit of their class; those that are known, without it.
    """
    limit_us = None if as_of is None else end_of_day(as_of, zone)
    run = _Run(ledger, zone, factors, standards or standards_from(), tell, slice_size, limit_us, in_service)
    with ResultDirectory(out) as results:
        likely = sum(source.likely_readings for source in sources)
        with Spool(results.scratch, ledger.unit_codes, buckets=-(-likely // BUCKET)) as spool:
            run.lay_aside(sources, spool, results)
            run.report.until_us = run.newest_us if run.limit_us is None else run.limit_us
            for bucket in range(len(spool.runs)):
                run.work_out(spool, bucket, [source.name for source in sources], results)
    run.report.rows = results.rows
    return run.report


def _names_of(result: StepResult, known: NDArray[np.bool_]) -> set[tuple[int, int]]:
    """Meter and register of readings beside main ones; marks in `known` the meters that have a main one."""
    rows = result.readings
    main = rows["register"] == MAIN_REGISTER
    known[rows["meter"][main]] = True
    if main.all():
        return set()
    pairs = np.unique(np.stack([rows["meter"][~main], rows["register"][~main].astype(np.int32)]), axis=1)
    return set(map(tuple, pairs.T.tolist()))


@dataclass(slots=True)
class _Run:
    """One backfill under way."""

    ledger: Ledger
    zone: tzinfo
    factors: FactorTable
    standards: Standards
    tell: Callable[[str], None]
    slice_size: int
    limit_us: int | None
    in_service: Mapping[str, float] | None = None
    newest_us: int = 0
    report: Report = field(default_factory=Report)

    def lay_aside(self, sources: Sequence[Source], spool: Spool, results: ResultDirectory) -> None:
        """Read the files, count what they hold, and keep what has to be worked out."""
        for number, source in enumerate(sources):
            for part in source.parts():
                for block in part.blocks:
                    self._lay_aside(block, number, spool)
                self._refuse(part.faults, source.name, results)
                self.tell(f"{source.name}: {part.share:.0%} read, {self.report.sent} readings so far")

    def _lay_aside(self, block: Block, file: int, spool: Spool) -> None:
        if self.limit_us is not None and (late := block.measured_at > self.limit_us).any():
            self.report.later += int(late.sum())
            block = block.take(~late)
        if not len(block):
            return
        self.report.sent += len(block)
        possible = block.measured_at[block.measured_at <= block.received_at]
        self.newest_us = max(self.newest_us, int(possible.max(initial=0)))
        spool.add(block, file=file)

    def _refuse(self, rows: Sequence[RowFault], file: str, results: ResultDirectory) -> None:
        self.report.sent += sum(row.readings for row in rows)
        for row in rows:
            self.report.reasons[row.reason.name.lower()] += row.readings
        if rows:
            results.write(
                "rejected",
                {
                    "row": [row.row for row in rows],
                    "reason": [row.reason.name.lower() for row in rows],
                    "required": [row.required for row in rows],
                    "got": [row.got for row in rows],
                    "unit_code": [row.unit_code or None for row in rows],
                    "meter_no": None,
                    "measured_at": None,
                    "value": None,
                    "unit": None,
                    "register": None,
                    "reading": [row.payload.decode("utf-8", "backslashreplace") for row in rows],
                    "file": [file] * len(rows),
                    "readings": [row.readings for row in rows],
                },
            )

    def work_out(self, spool: Spool, bucket: int, files: list[str], results: ResultDirectory) -> None:
        """Take a bucket of units through the steps, slice by slice, and write what comes of it."""
        state = PartitionState.empty(self.ledger.take_units(spool.runs[bucket]), rules=rules_of(self.zone))
        hours, events, sights = [np.empty(0, HOUR_ROW)], [np.empty(0, EVENT_ROW)], [np.empty(0, SIGHT_ROW)]
        habits = [np.empty(0, HABIT_ROW)]
        known, strange = np.zeros(len(state.ledger.meter_nos), np.bool_), set[tuple[int, int]]()
        for taken in spool.slices(bucket, self.slice_size):
            result = step(state, taken.blocks)
            self._count(result)
            strange |= _names_of(result, known)
            results.write("rejected", rejected_columns(result.refusals, taken, files))
            hours.append(result.hours)
            events.append(result.events)
            sights.append(result.sights)
            habits.append(result.habits)
        ends_us = _ALL_ENDS if self.limit_us is None else self.limit_us
        closed = close_hours(state, now_us=self.report.until_us, ends_us=ends_us)
        settled = close_hours(state, now_us=self.report.until_us + _SETTLED_US, ends_us=ends_us)
        known_hours = last_of_each_hour(np.concatenate([*hours, closed.hours, settled.hours]))
        hours.clear()
        self._write(
            known_hours,
            last_of_each_event(np.concatenate([*events, closed.events])),
            np.concatenate(sights),
            np.concatenate(habits),
            state,
            results,
        )
        for meter, register in sorted(strange):
            name = state.register_names[register]
            if not known[meter] and not is_apart(name):
                unit_code = state.ledger.unit_codes[state.ledger.meter_unit[meter]]
                self.report.strange.setdefault((unit_code, state.ledger.meter_nos[meter]), []).append(name)
        done = self.report.accepted + self.report.rejected
        self.tell(f"{done} of {self.report.sent} readings worked out")

    def _count(self, result: StepResult) -> None:
        late = len(result.late) + len(result.late_further)
        if late:
            raise AssertionError(f"readings in time order must not be late (got {late} that are)")
        self.report.accepted += len(result.readings)
        for refusal in result.refusals:
            self.report.reasons[refusal.reason.name.lower()] += len(refusal.rows)

    def _write(
        self,
        hours: NDArray[Any],
        events: NDArray[Any],
        sights: NDArray[Any],
        habits: NDArray[Any],
        state: PartitionState,
        results: ResultDirectory,
    ) -> None:
        ledger = state.ledger
        apart = unexplained_of(hours, events)
        self.report.unexplained += int(np.count_nonzero(apart))
        results.write("consumption_hour", hour_columns(hours, ledger, apart))
        results.write("unit_energy_day", energy_day_columns(hours, ledger, self.zone, self.factors, apart))
        events = events[np.lexsort((events["kind"], events["started"], events["point"]))]
        fault = np.isin(events["kind"], _FAULTS)
        for name, chosen in (("detections", fault), ("events", ~fault)):
            results.write(name, detection_columns(events[chosen], ledger))
        if len(ledger.unit_codes) and self.report.until_us:
            until_us, standards = self.report.until_us, self.standards
            assessment = judged(hours, events, ledger, standards=standards, until_us=until_us, zone=self.zone)
            results.write("findings", finding_columns(assessment))
            results.write("standings", standing_columns(assessment))
        self.report.detections.update(DetectionKind(kind).name.lower() for kind in events["kind"].tolist())
        rates = learnt_rates(state.points, np.arange(len(state.points)), ledger)
        self._balance(hours, sights, habits, ledger, results)
        results.write("observability", observability_columns([rise_verdict(rate) for rate in rates], ledger))

    def _balance(
        self,
        hours: NDArray[Any],
        sights: NDArray[Any],
        habits: NDArray[Any],
        ledger: Ledger,
        results: ResultDirectory,
    ) -> None:
        """Take the balances through all days that are over, and state what could be seen."""
        groups = BalanceGroups.from_ledger(ledger, self.in_service)
        state = BalanceState.empty(groups)
        if len(hours) and len(groups):
            first = int(hours["hour"].min())
            over = min(self.report.until_us // US_PER_DAY * 24, int(hours["hour"].max()) // 24 * 24 + 24)
            # the first hour of the day after is not looked at, and closes the last
            changes = follow(state, ledger, PointHours.from_register(hours), first=first, end=over + 1)
            rows = gain_rows(changes, ledger)
            results.write("detections", gain_columns(rows, ledger))
            self.report.detections.update(row.kind.name.lower() for row in rows)
        verdicts = best_of(judge(ledger, groups, state), sights)
        verdicts = with_habits(verdicts, habits, until_us=self.report.until_us)
        results.write("observability", observability_columns(verdicts, ledger))
