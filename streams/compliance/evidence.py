"""Evidence for the compliance assessment, read from the database, for the points of some units on a day."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_DAY, US_PER_HOUR
from analytics.domain.ledger import NO_DAY, NO_INSTANT
from analytics.domain.units import unit_of
from analytics.standards.energy import EnergyDays
from analytics.standards.factors import EPOCH_ORDINAL
from analytics.standards.rules import DataQualityRules
from analytics.standards.scene import Certificates, Evidence, Use, UseKey, certificate_in_force, days_between_readings
from streams.rows.layout import StoredLedger

__all__ = ["Moment", "read_energy", "read_evidence", "read_point_energy"]

_YEAR: Final = 365
_NEAR: Final = timedelta(minutes=30)
_NEAR_MONTH: Final = timedelta(days=15)

_USES: Final = """
with d as (
    select series_id, sum(amount) as amount, count(*) as days from unit_energy_day
    where unit_id = any(%(units)s) and day > %(first)s and day <= %(day)s group by series_id
)
select s.unit_id, s.scope, s.sub_unit, s.name, s.carrier, s.unit, d.amount, d.days,
       case when s.scope <> 'unit' then (
           select max(h.amount) from unit_energy_hour h
           where h.series_id = s.id and h.start >= %(from_at)s and h.start < %(until_at)s
       ) end
from d join energy_series s on s.id = d.series_id
"""
_POINT_DAYS: Final = """
select point_id, sum(measured)::float8, sum(completeness)::float8 from consumption_day
where unit_id = any(%(units)s) and day between %(window_from)s and %(window_to)s group by point_id
"""
_RARE_DAYS: Final = """
select w.point_id, sum(d.completeness)::float8
from unnest(%(points)s::int4[], %(days)s::int4[]) w (point_id, days)
join consumption_day d on d.point_id = w.point_id
    and d.day > %(window_to)s::date - w.days and d.day <= %(window_to)s::date
group by w.point_id
"""
_FIRST_DAY: Final = "select unit_id, min(day) from consumption_day where unit_id = any(%(units)s) group by unit_id"
_NEAR_MIDNIGHT: Final = """
select register_id, min(abs(extract(epoch from measured_at - %(midnight)s))) from (
    select register_id, measured_at from reading_hot
    where measured_at between %(near_from)s and %(near_to)s and register_id = any(%(registers)s)
    union all
    select register_id, measured_at from reading_unpacked
    where day between %(near_day)s::date - 1 and %(near_day)s::date + 1 and register_id = any(%(registers)s)
        and measured_at between %(near_from)s and %(near_to)s
) r group by register_id
"""
_MONTH_OPENED: Final = """
select distinct point_id from consumption_day
where unit_id = any(%(units)s) and measured > 0
    and day >= %(opened)s::date - %(limit)s and day < %(opened)s::date + %(limit)s
"""
_NEAR_DAY: Final = """
select register_id, min(abs(extract(epoch from measured_at - %(opened_at)s))) / 86400 from (
    select register_id, measured_at from reading_hot
    where measured_at between %(near_from)s and %(near_to)s and register_id = any(%(registers)s)
    union all
    select register_id, measured_at from reading_unpacked
    where day between %(near_from)s::date and %(near_to)s::date and register_id = any(%(registers)s)
        and measured_at between %(near_from)s and %(near_to)s
) r group by register_id
"""
_IN_TIME: Final = """
select register_id, count(*), count(*) filter (where received_at - measured_at <= %(delay_min)s * interval '1 minute')
from (
    select register_id, measured_at, received_at from reading_hot
    where measured_at >= %(midnight)s and measured_at < %(day_end)s and register_id = any(%(registers)s)
    union all
    select register_id, measured_at, received_at from reading_unpacked
    where day between %(near_day)s::date - 1 and %(near_day)s::date + 1 and register_id = any(%(registers)s)
        and measured_at >= %(midnight)s and measured_at < %(day_end)s
) r group by register_id
"""
_FAULTS: Final = """
select point_id, kind, (extract(epoch from min(started_at)) * 1000000)::int8 from detection
where unit_id = any(%(units)s) and kind in ('silence', 'gap', 'stuck') and state <> 'withdrawn'
    and started_at < %(at)s and (ended_at is null and state = 'open' or ended_at >= %(at)s)
group by point_id, kind
"""
_CERTIFICATES: Final = """
select meter_id, verified_on - date '1970-01-01', verification_due - date '1970-01-01', failed from verification
where unit_id = any(%(units)s)
"""
_AT_RISK: Final = """
select w.point_id, sum(d.amount)
from unnest(%(points)s::int4[], %(dues)s::date[]) w (point_id, due)
join consumption_day d on d.point_id = w.point_id and d.day > w.due and d.day <= %(day)s
group by w.point_id
"""
_ENERGY: Final = """
select s.unit_id, s.scope, s.sub_unit, s.name, s.carrier, s.unit, array_agg(d.day - date '1970-01-01' order by d.day),
       array_agg(d.amount order by d.day), array_agg(d.completeness order by d.day)
from unit_energy_day d join energy_series s on s.id = d.series_id
where d.unit_id = any(%(units)s) and d.day between %(first)s and %(last)s and s.scope = any(%(scopes)s)
group by s.id
order by s.unit_id, s.scope, s.sub_unit, s.name, s.carrier
"""
_MONTHS: Final = """
select s.unit_id, s.carrier, to_char(d.day, 'YYYY-MM'), sum(d.amount)
from unit_energy_day d join energy_series s on s.id = d.series_id
where d.unit_id = any(%(units)s) and s.scope = 'unit' and to_char(d.day, 'YYYY-MM') = any(%(months)s)
group by 1, 2, 3
"""
_POINT_ENERGY: Final = """
select point_id, array_agg(day - date '1970-01-01' order by day), array_agg(amount order by day),
       array_agg(completeness::float8 order by day)
from consumption_day where point_id = any(%(points)s) and day between %(first)s and %(last)s group by point_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The day that is judged.

    Attributes
    ----------
    day : date
        Local.
    at : datetime
        The instant of it at which meters are counted: now, or the day's end.
    zone : tzinfo
        Of local days.
    """

    day: date
    at: datetime
    zone: tzinfo

    @classmethod
    def of(cls, day: date, *, now: datetime, zone: tzinfo) -> "Moment":
        """A day seen from now: its end, or now where it is not over."""
        end = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=1)
        return cls(day=day, at=min(end - timedelta(microseconds=1), now), zone=zone)

    @property
    def number(self) -> int:
        """The day. [d since 1970-01-01]"""
        return self.day.toordinal() - EPOCH_ORDINAL

    @property
    def at_us(self) -> int:
        """The instant. [us since 1970-01-01 UTC]"""
        return round(self.at.timestamp() * 1_000_000)

    @property
    def midnight(self) -> datetime:
        """The one that opens the day."""
        return datetime(self.day.year, self.day.month, self.day.day, tzinfo=self.zone)

    @property
    def over(self) -> bool:
        """Whether the day is."""
        return self.at >= self.midnight + timedelta(days=1) - timedelta(microseconds=1)

    @property
    def last_whole_day(self) -> date:
        """The day itself where it is over, else the one before."""
        return self.day if self.over else self.day - timedelta(days=1)


class _Index:
    """Ledger index of database ids; -1 for ids that are not in it."""

    def __init__(self, ids: NDArray[np.int32]) -> None:
        self._place = {one: i for i, one in enumerate(ids.tolist())}

    def get(self, one: int) -> int:
        return self._place.get(one, -1)


async def read_evidence(
    connection: psycopg.AsyncConnection,
    stored: StoredLedger,
    moment: Moment,
    *,
    rules: DataQualityRules,
    months: Sequence[str] = (),
) -> Evidence:
    """What is stored about a ledger's points on a day.

    Parameters
    ----------
    connection : AsyncConnection
    stored : StoredLedger
    moment : Moment
    rules : DataQualityRules
        Which windows and delays are asked for.
    months : sequence of str
        For which monthly figures were entered (``2026-10``).
    """
    ledger, points = stored.ledger, _Index(stored.point_ids)
    window_days = rules.window_days
    parameters = _parameters(stored, moment, window_days)
    asked = _Asked(connection, parameters)
    certificates = await _certificates(asked, stored)
    silent, fault = await _faults(asked, points, len(ledger.point_codes))
    return Evidence(
        uses=await _uses(asked, stored),
        completeness=await _completeness(asked, stored, moment, window_days, points),
        start_deviation_s=await _deviation(asked, stored, moment),
        month_deviation_d=await _month_deviation(asked, stored, moment, rules.month_start_days),
        in_time=await _in_time(asked, stored, moment, rules.upload_delay_min),
        silent_since=silent,
        fault_since=fault,
        at_risk=await _at_risk(asked, stored, certificates, moment, points),
        certificates=certificates,
        month_days=await _month_days(asked, stored, months) if months else {},
    )


class _Asked:
    """Questions with the parameters that they share."""

    def __init__(self, connection: psycopg.AsyncConnection, parameters: Mapping[str, Any]) -> None:
        self._connection = connection
        self._parameters = parameters

    async def rows(self, query: str, **more: object) -> list[tuple[Any, ...]]:
        cursor = await self._connection.execute(query.encode(), {**self._parameters, **more})
        return await cursor.fetchall()


def _parameters(stored: StoredLedger, moment: Moment, window_days: int) -> Mapping[str, Any]:
    first, whole = moment.day - timedelta(days=_YEAR), moment.last_whole_day
    opened = datetime(whole.year, whole.month, whole.day, tzinfo=moment.zone)  # its chunk has come to rest: indexed
    return {
        "units": stored.unit_ids.tolist(),
        "day": moment.day,
        "first": first,
        "from_at": datetime(first.year, first.month, first.day, tzinfo=moment.zone) + timedelta(days=1),
        "until_at": moment.midnight + timedelta(days=1),
        "window_from": whole - timedelta(days=window_days - 1),
        "window_to": whole,
        "midnight": opened,
        "day_end": datetime.combine(whole + timedelta(days=1), time(), tzinfo=moment.zone),
        "near_from": opened - _NEAR,
        "near_to": opened + _NEAR,
        "near_day": whole,
        "at": moment.at,
    }


async def _uses(asked: _Asked, stored: StoredLedger) -> Mapping[UseKey, Use]:
    units = _Index(stored.unit_ids)
    found: dict[UseKey, Use] = {}
    for unit, scope, sub_unit, name, carrier, symbol, amount, days, most in await asked.rows(_USES):
        part = sub_unit if scope == "equipment" else name if scope == "sub_unit" else ""
        key = UseKey(units.get(unit), scope, part, name if scope == "equipment" else part, carrier)
        use = Use(amount=amount, days=days, most_in_an_hour=np.nan if most is None else most, symbol=symbol)
        if key not in found or use.amount > found[key].amount:  # of steam in t and in GJ the greater one
            found[key] = use
    return found


async def _completeness(
    asked: _Asked, stored: StoredLedger, moment: Moment, window_days: int, points: _Index
) -> NDArray[np.float64]:
    ledger = stored.ledger
    units = _Index(stored.unit_ids)
    first = np.full(len(ledger.unit_codes), np.iinfo(np.int64).max)
    for unit, day in await asked.rows(_FIRST_DAY):
        first[units.get(unit)] = day.toordinal() - EPOCH_ORDINAL
    last = moment.last_whole_day.toordinal() - EPOCH_ORDINAL
    made = ledger.installations
    began = np.full(len(ledger.point_codes), np.iinfo(np.int64).max)
    np.minimum.at(began, made.point, made.installed_from // US_PER_DAY + 1)
    start = np.maximum(np.maximum(first[ledger.point_unit], last - window_days + 1), began)
    due = last - days_between_readings(made, len(ledger.point_codes)) - start + 1
    slow = np.zeros(len(ledger.point_codes), np.bool_)  # read less than hourly: every hour between is an estimate
    slow[made.point[(made.interval_us > US_PER_HOUR) | (made.interval_us == 0)]] = True
    received = np.zeros(len(ledger.point_codes))
    for point, measured, evident in await asked.rows(_POINT_DAYS):
        place = points.get(point)
        if place >= 0:
            received[place] = evident if slow[place] else measured
    apart = days_between_readings(made, len(ledger.point_codes))
    rare = np.flatnonzero(
        2 * apart > window_days
    )  # read so seldom that the window says nothing: its own, twice as long
    if len(rare):
        own = np.maximum(np.maximum(first[ledger.point_unit[rare]], last - 2 * apart[rare] + 1), began[rare])
        due[rare], received[rare] = last - apart[rare] - own + 1, 0.0
        spans = {"points": stored.point_ids[rare].tolist(), "days": (2 * apart[rare]).tolist()}
        for point, evident in await asked.rows(_RARE_DAYS, **spans):
            received[points.get(point)] = evident
    return np.where(due > 0, np.minimum(received / np.maximum(due, 1), 1.0), np.nan)


async def _deviation(asked: _Asked, stored: StoredLedger, moment: Moment) -> NDArray[np.float64]:
    deviation = np.full(len(stored.ledger.point_codes), np.nan)
    of_register = _registers(stored, moment.at_us, moment.at_us, longest_us=US_PER_DAY)
    for register, seconds in await asked.rows(_NEAR_MIDNIGHT, registers=list(of_register)):
        deviation[of_register[register]] = float(seconds)
    return deviation


def _registers(
    stored: StoredLedger, since_us: int, at_us: int, *, slow: bool = False, longest_us: int | None = None
) -> dict[int, int]:
    """Points by register, of the meters that stand there from one instant to another.

    Of the slow ones, if so asked; or without those that are read less often than `longest_us`, of which no day starts
    with a reading.
    """
    made = stored.ledger.installations
    stands = (made.installed_from <= since_us) & (made.installed_to > at_us)
    if slow:
        stands &= made.interval_us > US_PER_HOUR
    if longest_us is not None:
        stands &= made.interval_us <= longest_us
    return dict(zip(stored.register_ids[made.meter[stands]].tolist(), made.point[stands].tolist(), strict=True))


async def _month_deviation(
    asked: _Asked, stored: StoredLedger, moment: Moment, limit_days: float
) -> NDArray[np.float64]:
    """How far from the month's start meters were read that are read less than hourly; others have their hours.

    Where an hour was measured beside the start a reading is near. Of a frequent meter without one nothing is said here:
    its completeness does, and its readings of a month would be far too many to look through.
    """
    opened = (moment.last_whole_day - timedelta(days=math.ceil(limit_days))).replace(day=1)
    opened_at = datetime(opened.year, opened.month, opened.day, tzinfo=moment.zone)
    deviation = np.full(len(stored.ledger.point_codes), np.nan)
    of_register = _registers(stored, round(opened_at.timestamp() * 1_000_000), moment.at_us, slow=True)
    points = _Index(stored.point_ids)
    near = {points.get(point) for (point,) in await asked.rows(_MONTH_OPENED, opened=opened, limit=int(limit_days))}
    far = [register for register, point in of_register.items() if point not in near]
    if far:
        span = {"near_from": opened_at - _NEAR_MONTH, "near_to": min(opened_at + _NEAR_MONTH, moment.at)}
        for register, days in await asked.rows(_NEAR_DAY, registers=far, opened_at=opened_at, **span):
            deviation[of_register[register]] = float(days)
    return deviation


async def _in_time(asked: _Asked, stored: StoredLedger, moment: Moment, delay_min: float | None) -> NDArray[np.float64]:
    share = np.full(len(stored.ledger.point_codes), np.nan)
    if delay_min is None:
        return share
    of_register = _registers(stored, moment.at_us, moment.at_us)
    for register, count, quick in await asked.rows(_IN_TIME, registers=list(of_register), delay_min=delay_min):
        share[of_register[register]] = quick / count
    return share


async def _faults(asked: _Asked, points: _Index, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    never = np.iinfo(np.int64).max
    silent, fault = np.full(count, never), np.full(count, never)
    for point, kind, since in await asked.rows(_FAULTS):
        place = points.get(point)
        if place < 0:
            continue
        fault[place] = min(int(fault[place]), since)
        if kind == "silence":
            silent[place] = min(int(silent[place]), since)
    return np.where(silent == never, NO_INSTANT, silent), np.where(fault == never, NO_INSTANT, fault)


async def _certificates(asked: _Asked, stored: StoredLedger) -> Certificates:
    meters = _Index(stored.meter_ids)
    rows = [
        (meters.get(meter), NO_DAY if since is None else since, NO_DAY if due is None else due, failed)
        for meter, since, due, failed in await asked.rows(_CERTIFICATES)
        if meters.get(meter) >= 0
    ]
    columns = np.array(rows, np.int32).reshape(-1, 4)
    return Certificates(
        meter=columns[:, 0], verified_on=columns[:, 1], due=columns[:, 2], failed=columns[:, 3].astype(np.bool_)
    )


async def _at_risk(
    asked: _Asked, stored: StoredLedger, certificates: Certificates, moment: Moment, points: _Index
) -> NDArray[np.float64]:
    ledger, made = stored.ledger, stored.ledger.installations
    at_risk = np.full(len(ledger.point_codes), np.nan)
    _, due, _ = certificate_in_force(ledger, certificates, moment.number)
    stands = np.flatnonzero((made.installed_from <= moment.at_us) & (made.installed_to > moment.at_us))
    over = due[made.meter[stands]]
    late = (over != NO_DAY) & (over < moment.number)
    if not late.any():
        return at_risk
    ids = stored.point_ids[made.point[stands[late]]].tolist()
    dues = [date.fromordinal(day + EPOCH_ORDINAL) for day in over[late].tolist()]
    for point, amount in await asked.rows(_AT_RISK, points=ids, dues=dues):
        at_risk[points.get(point)] = amount
    return at_risk


async def _month_days(
    asked: _Asked, stored: StoredLedger, months: Sequence[str]
) -> Mapping[tuple[int, str, str], float]:
    units = _Index(stored.unit_ids)
    rows = await asked.rows(_MONTHS, months=list(months))
    return {(units.get(unit), carrier, month): float(amount) for unit, carrier, month, amount in rows}


async def read_energy(
    connection: psycopg.AsyncConnection,
    unit_ids: Sequence[int],
    first: date,
    last: date,
    scopes: Sequence[str] = ("unit",),
) -> Mapping[tuple[int, str, str, str], tuple[EnergyDays, ...]]:
    """Daily totals from one local day to another, both included, by (unit id, scope, sub-unit, name)."""
    parameters = {"units": list(unit_ids), "first": first, "last": last, "scopes": list(scopes)}
    cursor = await connection.execute(_ENERGY, parameters)
    found: dict[tuple[int, str, str, str], list[EnergyDays]] = {}
    async for unit, scope, sub_unit, name, carrier, symbol, days, amounts, shares in cursor:
        one = EnergyDays(
            carrier=carrier,
            symbol=symbol,
            day=np.array(days, np.int64),
            amount=np.array(amounts, np.float64),
            completeness=np.array(shares, np.float64),
        )
        found.setdefault((unit, scope, sub_unit, name), []).append(one)
    return {key: tuple(series) for key, series in found.items()}


async def read_point_energy(
    connection: psycopg.AsyncConnection, stored: StoredLedger, codes: Sequence[str], first: date, last: date
) -> Mapping[str, EnergyDays]:
    """Daily amounts of some points of a unit's ledger, by code; those without any, and strangers, are left out."""
    place = {code: i for i, code in enumerate(stored.ledger.point_codes)}
    of_id = {int(stored.point_ids[place[code]]): code for code in codes if code in place}
    parameters = {"points": list(of_id), "first": first, "last": last}
    cursor = await connection.execute(_POINT_ENERGY, parameters)
    return {
        of_id[point]: EnergyDays(
            carrier=stored.ledger.point_carrier[place[of_id[point]]],
            symbol=unit_of(int(stored.ledger.point_canonical[place[of_id[point]]])).symbol,
            day=np.array(days, np.int64),
            amount=np.array(amounts, np.float64),
            completeness=np.array(shares, np.float64),
        )
        for point, days, amounts, shares in await cursor.fetchall()
    }
