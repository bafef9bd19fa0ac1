"""A workshop whose main meter and sub-meters were read hourly for months: long enough for a balance to name a meter.

Its loads are mixed of the same real series as the region's. Its meters err within their class and have noise, and two
faults are put in whose size and start are known.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import psycopg
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_HOUR, US_PER_SECOND
from analytics.domain.ledger import COLUMNS
from analytics.domain.quality import DetectionKind
from deploy.region.flows import local_offset_us
from deploy.region.loads import sample_loads
from deploy.region.messages import Message
from deploy.region.model import LedgerRow
from ingest.wire import CONTENT_TYPE, CONTENT_TYPE_BLOCK, MeterList, encode_block

__all__ = ["DAYS", "UNIT_CODE", "Named", "Planted", "Workshop", "build_workshop", "named", "settled"]

Floats = NDArray[np.float64]

UNIT_CODE: Final = "91999900DEMOW00001"
UNIT_NAME: Final = "云澜精工车间"
DAYS: Final = 130
_CHILDREN: Final = 8
_HOURS_A_DAY: Final = 24
_DAY_US: Final = _HOURS_A_DAY * US_PER_HOUR
_LATENCY_US: Final = 2 * US_PER_SECOND
_SPAN_H: Final = 96
_CHILD_LIMIT, _PARENT_LIMIT = 0.01, 0.005
_NOISE: Final = 0.1
"""Standard deviation of an hour's noise over the limit of error."""
_FAULTS: Final = (
    (2, DetectionKind.GAIN_STEP, -0.04, 85, 0),
    (5, DetectionKind.GAIN_DRIFT, 0.03, 70, 30),
)
"""Child, kind, size, first day, and over how many days it grows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A fault that was put in: from `start_us` on the meter's gain moves by `size`. [us since 1970-01-01 UTC], [1]."""

    kind: DetectionKind
    point: str
    meter_no: str
    size: float
    start_us: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Workshop:
    """Ledger, messages and truth; `days` are whole UTC days, the last of which is over at `end_us`."""

    rows: tuple[LedgerRow, ...]
    messages: list[Message]
    faults: tuple[Planted, ...]
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A detection of the balance, beside the fault that was put into its meter (None where there was none)."""

    meter_no: str
    kind: str
    size: float
    low: float
    high: float
    started_at: dt.datetime
    detected_at: dt.datetime
    watched: bool
    truth: Planted | None


def build_workshop(now_us: int, *, seed: int, zone: ZoneInfo) -> Workshop:
    """Four months up to now.

    Parameters
    ----------
    now_us : int
        [us since 1970-01-01 UTC]
    seed : int
    zone : ZoneInfo
        Of the shifts that its loads follow, and of the ledger's days.
    """
    rng = np.random.default_rng([seed, 40])
    end_us = now_us // US_PER_HOUR * US_PER_HOUR
    start_us = end_us // _DAY_US * _DAY_US - DAYS * _DAY_US
    hours = np.arange(start_us, end_us, US_PER_HOUR)
    local = (hours + local_offset_us(start_us, zone)) // US_PER_HOUR
    loads = sample_loads()
    flow = np.stack(
        [rng.uniform(40.0, 160.0) * loads.mix(rng, local, kind="electricity", parts=2) for _ in range(_CHILDREN)],
        axis=1,
    )
    total = flow.sum(axis=1)
    through = 0.004 * total.mean() + 1.003 * total + 0.004 * total**2 / total.mean()
    day = (hours - start_us) / _DAY_US
    gain = np.ones_like(flow)
    for child, _, size, first, grows in _FAULTS:
        gain[:, child] += size * np.clip((day - first) / max(grows, 1.0 / _HOURS_A_DAY), 0.0, 1.0)
    counted = np.column_stack((_read(through[:, None], _PARENT_LIMIT, rng), gain * _read(flow, _CHILD_LIMIT, rng)))
    dials = rng.uniform(1e3, 9e4, counted.shape[1]) + np.vstack((np.zeros(counted.shape[1]), counted.cumsum(axis=0)))
    rated = np.concatenate(([1.2 * through.max()], 1.2 * flow.max(axis=0)))
    return Workshop(
        rows=tuple(_row(place, float(rated[place]), start_us, zone) for place in range(_CHILDREN + 1)),
        messages=_messages(np.append(hours, end_us), np.round(dials, 2)),
        faults=tuple(
            Planted(
                kind=kind,
                point=_point(child + 1),
                meter_no=_meter(child + 1),
                size=size,
                start_us=start_us + first * _DAY_US,
            )
            for child, kind, size, first, _ in _FAULTS
        ),
        start_us=start_us,
        end_us=end_us,
    )


def _read(flow: Floats, limit: float, rng: np.random.Generator) -> Floats:
    """What meters of a class count of a flow: a steady error each, and noise."""
    error = rng.uniform(-0.6, 0.6, flow.shape[1]) * limit
    return np.asarray(flow * (1.0 + error + _NOISE * limit * rng.standard_normal(flow.shape)), np.float64)


def _point(place: int) -> str:
    return "W" if place == 0 else f"W-{place:02d}"


def _meter(place: int) -> str:
    return f"W{place:03d}"


def _row(place: int, rated: float, start_us: int, zone: ZoneInfo) -> LedgerRow:
    began = dt.datetime.fromtimestamp(start_us / 1e6, zone).date()
    columns = dict.fromkeys(COLUMNS, "")
    columns |= {
        "unit_code": UNIT_CODE,
        "unit_name": UNIT_NAME,
        "sub_unit": "" if place == 0 else f"{place} 号线",
        "level": "unit" if place == 0 else "sub_unit",
        "point": _point(place),
        "parent_point": "" if place == 0 else _point(0),
        "parent_complete": "yes" if place == 0 else "no",
        "carrier": "electricity",
        "direction": "in",
        "required": "yes",
        "rated_power_kw": f"{rated:.1f}",
        "meter_no": _meter(place),
        "serial_no": f"2026{place:06d}",
        "name": "电能表",
        "instrument": "electricity",
        "accuracy_class": "0.5S" if place == 0 else "1.0",
        "status": "qualified",
        "unit": "kWh",
        "multiplier": "1",
        "full_scale": "100000000",
        "max_rate": f"{2.0 * rated:.1f}",
        "interval_s": "3600",
        "verified_on": str(began - dt.timedelta(days=90)),
        "cycle_months": "72",
        "installed_from": str(began - dt.timedelta(days=60)),
    }
    return columns


def _messages(times: NDArray[np.int64], dials: Floats) -> list[Message]:
    """Blocks of four days each, as a collector sends what it has kept."""
    meters = MeterList.of([_meter(place) for place in range(dials.shape[1])])
    made = []
    for begin in range(0, len(times), _SPAN_H):
        at, value = times[begin : begin + _SPAN_H], dials[begin : begin + _SPAN_H]
        measured = np.repeat(at, dials.shape[1])
        block = encode_block(
            UNIT_CODE,
            meters=meters,
            meter=np.tile(np.arange(dials.shape[1]), len(at)),
            measured_at=measured,
            value=value.ravel(),
            units=["kWh"],
            received_at=measured + _LATENCY_US,
        )
        headers = ((CONTENT_TYPE, CONTENT_TYPE_BLOCK.encode()),)
        made.append(Message(int(at[-1]) + _LATENCY_US, UNIT_CODE, block, headers, value.size))
    return made


_SETTLED: Final = """
select coalesce(max(extract(epoch from b.next_hour)::int8), 0), not exists (select from alert_inbox)
from balance_state b join unit u on u.id = b.unit_id where u.code = %s
"""
_FOUND: Final = """
select meter_no, kind, magnitude, magnitude_low, magnitude_high, started_at, detected_at,
       coalesce((evidence ->> 'watched')::boolean, false)
from detection_list
where unit_code = %s and kind in ('gain_step', 'gain_drift') and state = 'open' order by detected_at, meter_no
"""


def settled(connection: psycopg.Connection, workshop: Workshop, *, lag_h: int) -> bool:
    """Whether the balance has been followed through the last day that is over, and alerts know what it found."""
    row = connection.execute(_SETTLED, (UNIT_CODE,)).fetchone()
    over = (workshop.end_us - lag_h * US_PER_HOUR) // _DAY_US * _DAY_US
    return row is not None and bool(row[1]) and int(row[0]) * US_PER_SECOND >= over


def named(connection: psycopg.Connection, workshop: Workshop) -> list[Named]:
    """Meters that the balance names now, each beside the truth."""
    truth = {fault.meter_no: fault for fault in workshop.faults}
    return [
        Named(
            meter_no=meter_no,
            kind=kind,
            size=size,
            low=low,
            high=high,
            started_at=started_at,
            detected_at=detected_at,
            watched=watched,
            truth=truth.get(meter_no),
        )
        for meter_no, kind, size, low, high, started_at, detected_at, watched in connection.execute(
            _FOUND, (UNIT_CODE,)
        ).fetchall()
    ]
