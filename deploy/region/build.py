"""A whole region from a seed."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_HOUR, US_PER_SECOND
from analytics.domain.quality import DetectionKind, RejectReason
from deploy.region.arrivals import Column, join, late_arrivals, refuse_repeats
from deploy.region.bad_input import bad_columns, raw_messages
from deploy.region.entries import register_entry
from deploy.region.faults import LASTING, Planned, break_segments, gain, plan_faults
from deploy.region.flows import local_offset_us, true_flows
from deploy.region.further import further_series
from deploy.region.history import FOREVER, declared_segments, install_meters
from deploy.region.ledger_rows import ledger_rows
from deploy.region.loads import sample_loads
from deploy.region.meters import canonical_factor, stated_factor
from deploy.region.model import US_PER_QUARTER, Event, Fault, Meter, Point, Readings, Region, Segment, Truth
from deploy.region.plan import plan_points, plan_units
from deploy.region.registers import Counter, dial_shown, reading_times
from deploy.region.spoil import Rows, magnitude_of, spoil

__all__ = ["build_region"]

DEFAULT_SEED = 20_261_122
DEFAULT_ZONE = "Asia/Shanghai"
DEFAULT_START_US = 1_792_771_200_000_000  # 2026-10-24 00:00 in Shanghai
Floats = NDArray[np.float64]
Instants = NDArray[np.int64]

_QUARTERS_PER_DAY = 96
_QUARTER_S = 900
_LATENCY_S = 3
_TOO_EARLY = 8


def build_region(
    seed: int = DEFAULT_SEED,
    *,
    days: float = 30.0,
    units: int = 12,
    start_us: int = DEFAULT_START_US,
    zone: str = DEFAULT_ZONE,
    until_us: int | None = None,
    horizon_days: float | None = None,
    with_faults: bool = True,
) -> Region:
    """Build a region: ledger, readings as they arrive, and the truth behind them.

    The same arguments give the same region to the last byte. With the same `horizon_days` a longer region begins
    with the shorter one.

    Parameters
    ----------
    seed : int
        Draws everything that is random.
    days : float
        Length; cut to whole quarter hours. [d]
    units : int
        Energy-using units; 12 differ, further ones repeat them.
    start_us : int
        A full hour. [us since 1970-01-01 UTC]
    zone : str
        IANA name of local time.
    until_us : int, optional
        Leave out what is received later; not before the last quarter hour, or the truth says more than the readings.
        [us since 1970-01-01 UTC]
    horizon_days : float, optional
        Stretch into which one set of faults and the ledger's events are laid; by default `days`, at most 30. [d]
    with_faults : bool
        Without, meters err only within their class, and nothing is late or refused.

    Returns
    -------
    Region

    Raises
    ------
    ValueError
        If `start_us` is not a full hour, or the span is shorter than two hours.
    ConfigurationError
        If the sample loads are not installed.
    """
    if start_us % US_PER_HOUR or days * _QUARTERS_PER_DAY < 8:
        raise ValueError(f"a region starts at a full hour and lasts two hours or more (got {start_us} us, {days} d)")
    builder = _Builder(seed, days, units, start_us, ZoneInfo(zone), horizon_days or min(days, 30.0), with_faults)
    region = builder.build()
    return region if until_us is None else _received_until(region, until_us)


class _Builder:
    """What the steps of building share."""

    def __init__(
        self, seed: int, days: float, units: int, start_us: int, zone: ZoneInfo, horizon_days: float, with_faults: bool
    ) -> None:
        self.seed, self.start_us, self.zone = seed, start_us, zone
        self.horizon_days, self.with_faults = horizon_days, with_faults
        self.quarters_n = int(days * _QUARTERS_PER_DAY)
        self.units = plan_units(units)
        self.points = plan_points(seed, units)
        self.segments = declared_segments(
            seed, self.points, install_meters(seed, self.points), start_us=start_us, horizon_days=horizon_days
        )
        self.planned: dict[int, list[Planned]] = {}
        self.ratios: dict[int, list[Planned]] = {}
        self.touched: set[int] = set()
        self.faults: list[Fault] = []
        self.events: list[Event] = []
        self.last_dials: dict[tuple[int, int], float] = {}
        self.meter_nos: dict[str, int] = {}
        self.stated: dict[str, int] = {}

    def build(self) -> Region:
        flow = true_flows(
            self.points,
            sample_loads(),
            seed=self.seed,
            start_us=self.start_us,
            quarters_n=self.quarters_n,
            zone=self.zone,
        )
        if self.with_faults:
            self._plan_faults()
        columns: list[Column] = []
        plain: list[int] = []
        for index, segments in self.segments.items():
            made = self._columns(self.points[index], flow[index])
            if index not in self.touched and segments[0].meter.interval_s == _QUARTER_S:
                plain.append(len(columns))
            columns += made
        if self.with_faults:
            columns = self._disturbed(columns, plain)
        readings = join(columns)
        refuse_repeats(readings)
        region = self._region(flow, readings)
        return replace(region, raw=raw_messages(region, horizon_days=self.horizon_days)) if self.with_faults else region

    def _plan_faults(self) -> None:
        end_us = self.start_us + self.quarters_n * US_PER_QUARTER
        for planned in plan_faults(
            self.seed,
            self.points,
            self.segments,
            start_us=self.start_us,
            end_us=end_us,
            horizon_days=self.horizon_days,
        ):
            if planned.kind is DetectionKind.RATIO:
                self.ratios.setdefault(planned.point, []).append(planned)
            if planned.start_us < end_us:
                self.planned.setdefault(planned.point, []).append(planned)
            if planned.start_us < self.start_us + self.horizon_days * 24 * US_PER_HOUR:
                self.touched.add(planned.point)

    def _columns(self, point: Point, flow: Floats) -> list[Column]:
        """Readings of one point as they are sent, one column for each of its meters."""
        planned = self.planned.get(point.index, [])
        edges = self.start_us + US_PER_QUARTER * np.arange(len(flow) + 1)
        gains = [g for p in planned if (g := gain(p, edges)) is not None]
        factor = np.prod(gains, axis=0) if gains else np.ones(len(flow))
        counter = Counter.of(flow, factor if gains else None, self.start_us)
        alone = len(self.segments[point.index]) == 1  # whatever a fault breaks later: see `further_series`
        segments = self._settle(point, counter, planned)
        meter = segments[0].meter
        times = reading_times(
            meter,
            (self.seed, *point.stream, 7),
            start_us=self.start_us,
            quarters_n=self.quarters_n,
            day_shift_us=local_offset_us(self.start_us, self.zone),
        )
        value, which = counter.read(segments, times)
        self._note_events(point, segments, times, value, which)
        latency = np.random.default_rng([self.seed, *point.stream, 8]).integers(1, _LATENCY_S + 1, len(times))
        rows = Rows(times, times + latency * US_PER_SECOND, value, which)
        hourly = point.rated * point.load / canonical_factor(point, meter) * stated_factor(meter)
        for fault in planned:
            rows = self._spoil(point, meter, fault, rows, hourly)
        made = [
            Column(
                point.unit,
                _index(self.meter_nos, number),
                _index(self.stated, meter.stated_unit),
                *_of(rows, np.isin(rows.segment, [k for k, s in enumerate(segments) if s.meter.meter_no == number])),
            )
            for number in dict.fromkeys(s.meter.meter_no for s in segments)
        ]
        quarter = (times - self.start_us) // US_PER_QUARTER
        shifted = [replace(p, start_us=p.start_us - self.start_us) for p in self.ratios.get(point.index, [])]
        further = (
            further_series(
                self.seed, point, meter, shifted, flow, flow * factor, quarter, horizon_days=self.horizon_days
            )
            if alone
            else ()
        )
        return made + [
            Column(
                point.unit,
                _index(self.meter_nos, register_entry(meter.meter_no, one.name)),
                _index(self.stated, one.unit),
                times,
                times + latency * US_PER_SECOND,
                one.value,
            )
            for one in further
        ]

    def _settle(self, point: Point, counter: Counter, planned: Sequence[Planned]) -> list[Segment]:
        """The point's segments, with what only the counted amounts can tell: dials at changes, and faulty breaks."""
        segments = self.segments[point.index]
        for k, segment in enumerate(segments[1:], 1):
            before = segments[k - 1]
            end = counter.dial(before, np.array([segment.start_us]))
            if np.isnan(segment.first):
                segments[k] = replace(segment, first=float(end[0]))
            self.last_dials[point.index, k - 1] = float(dial_shown(before.meter, end)[0] / stated_factor(before.meter))
        for fault in planned:
            begin = counter.dial(segments[-1], np.array([fault.start_us]))
            segments[-1:] = break_segments(fault, point, segments[-1], begin)
        return segments

    def _note_events(
        self, point: Point, segments: Sequence[Segment], times: Instants, value: Floats, which: NDArray[np.int64]
    ) -> None:
        """Rollovers as the dial shows them, and what the ledger declares."""
        code = self.units[point.unit].code

        def note(kind: str, number: str, start: int, end: int, magnitude: float) -> None:
            self.events.append(
                Event(
                    kind=kind,
                    unit_code=code,
                    point=point.code,
                    meter_no=number,
                    start_us=start,
                    end_us=end,
                    magnitude=magnitude,
                )
            )

        falls = np.flatnonzero((np.diff(value) < 0) & (np.diff(which) == 0))
        for row in falls.tolist():
            meter = segments[int(which[row])].meter
            note("rollover", meter.meter_no, int(times[row]), int(times[row + 1]), meter.full_scale)
        for before, after in pairwise(segments):
            if after.declared and after.start_us < times[-1]:
                changed = before.meter.meter_no == after.meter.meter_no
                kind = "multiplier_change" if changed else "replacement"
                note(kind, after.meter.meter_no, after.start_us, after.start_us, after.meter.multiplier)

    def _spoil(self, point: Point, meter: Meter, fault: Planned, rows: Rows, hourly: float) -> Rows:
        inside = int(((rows.measured_at >= fault.start_us) & (rows.measured_at < fault.end_us)).sum())
        self.faults.append(
            Fault(
                kind=fault.kind,
                unit_code=self.units[point.unit].code,
                point=point.code,
                meter_no=meter.meter_no,
                start_us=fault.start_us,
                end_us=FOREVER if fault.kind in LASTING else fault.end_us,
                magnitude=magnitude_of(fault, inside, hourly),
                conserves=fault.conserves,
                note=fault.note,
            )
        )
        return spoil(fault, rows, meter, hourly) if inside else rows

    def _disturbed(self, columns: list[Column], plain: Sequence[int]) -> list[Column]:
        """Some of it late, and beside it what nobody should accept."""
        late = late_arrivals(
            self.seed, self.units, columns, plain, start_us=self.start_us, horizon_days=self.horizon_days
        )
        names = list(self.meter_nos)
        self.events += [replace(e, meter_no=names[int(e.meter_no)] if e.meter_no else "") for e in late]
        bad = bad_columns(
            self.seed,
            self.units,
            [columns[i] for i in plain],
            start_us=self.start_us,
            horizon_days=self.horizon_days,
            meter_index=lambda number: _index(self.meter_nos, number),
            unit_index=lambda symbol: _index(self.stated, symbol),
        )
        return [*columns, *bad, *self._not_installed(columns)]

    def _not_installed(self, columns: Sequence[Column]) -> list[Column]:
        """A new meter that is heard of some hours before it is installed."""
        made = []
        names = list(self.meter_nos)
        for column in columns:
            if names[column.meter].endswith("R") and len(column.value) > _TOO_EARLY:
                early = slice(0, _TOO_EARLY)
                ahead = 4 * US_PER_HOUR
                made.append(
                    replace(
                        column,
                        measured_at=column.measured_at[early] - ahead,
                        received_at=column.received_at[early] - ahead,
                        value=column.value[early],
                        expected=int(RejectReason.NOT_INSTALLED),
                    )
                )
        return made

    def _region(self, flow: Floats, readings: Readings) -> Region:
        return Region(
            seed=self.seed,
            start_us=self.start_us,
            end_us=self.start_us + self.quarters_n * US_PER_QUARTER,
            zone=self.zone.key,
            units=self.units,
            points=self.points,
            ledger_rows=ledger_rows(
                self.seed,
                self.units,
                self.points,
                self.segments,
                self.last_dials,
                start_us=self.start_us,
                zone=self.zone,
            ),
            meter_nos=tuple(self.meter_nos),
            stated_units=tuple(self.stated),
            readings=readings,
            raw=(),
            truth=Truth(
                quarter=flow,
                segments=tuple(s for index in sorted(self.segments) for s in self.segments[index]),
                faults=tuple(sorted(self.faults, key=lambda f: (f.kind, f.start_us, f.meter_no))),
                events=tuple(self.events),
            ),
        )


def _received_until(region: Region, until_us: int) -> Region:
    return replace(
        region,
        readings=region.readings.take(region.readings.received_at <= until_us),
        raw=tuple(message for message in region.raw if message.received_at <= until_us),
    )


def _index(places: dict[str, int], name: str) -> int:
    return places.setdefault(name, len(places))


def _of(rows: Rows, mine: NDArray[np.bool_]) -> tuple[Instants, Instants, Floats]:
    part = rows.take(mine)
    return part.measured_at, part.received_at, part.value
