"""Totals of units: stale hours are claimed, and what is stored is replaced by what was worked out anew.

A claim deletes the marks it has seen and reads the hours afterwards, so an hour that is written meanwhile either is
seen here or leaves a mark for the next claim. A lock for each unit keeps two claims of one unit apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

import numpy as np
import psycopg

from analytics.domain.errors import StoreUnavailable
from analytics.domain.instants import US_PER_HOUR
from streams.rows.layout import (
    POINT_DAY_ROW,
    TOTAL_ROW,
    HourCounts,
    Hours,
    Int32s,
    Int64s,
    PointDays,
    SeriesName,
    Totals,
)
from streams.store import hours, marks
from streams.store.postgres.columns import fetch
from streams.store.postgres.copy import Column, Layout

__all__ = ["TEMPORARY", "TotalsClaim", "claim"]

_NAN: Final = float("nan")
_KEY: Final = np.dtype([("owner", np.int32), ("at", np.int64)])
_TOTAL: Final = (
    Column("unit_id", "int4"),
    Column("series_id", "int4"),
    Column("amount", "float8"),
    Column("tce", "float8", null=_NAN),
    Column("completeness", "float4"),
    Column("measured", "float4"),
    Column("quality", "int2"),
    Column("factor_id", "int4", null=0),
)


@dataclass(frozen=True, slots=True)
class _Table:
    """How one table of totals is replaced. Keys are its rows' owner (point or series) and time."""

    layout: Layout
    owner: str
    time_kind: str
    copy_in: LiteralString
    clear: LiteralString
    upsert: LiteralString
    keys: LiteralString
    remove: LiteralString


_COPY_IN: Final[LiteralString] = """
    copy {staged} ({time}, unit_id, series_id, amount, tce, completeness, measured, quality, factor_id)
    from stdin (format binary)
    """
_UPSERT: Final[LiteralString] = """
    with written as (
        insert into {table} as t
            ({time}, unit_id, series_id, amount, tce, completeness, measured, quality, factor_id)
        select {time}, unit_id, series_id, amount, tce, completeness, measured, quality, factor_id from {staged}
        on conflict (series_id, {time}) do update
        set amount = excluded.amount, tce = excluded.tce, completeness = excluded.completeness,
            measured = excluded.measured, quality = excluded.quality, factor_id = excluded.factor_id
        where (t.amount, t.tce, t.completeness, t.measured, t.quality, t.factor_id) is distinct from
            (excluded.amount, excluded.tce, excluded.completeness, excluded.measured, excluded.quality,
             excluded.factor_id)
        returning 0
    )
    select count(*), 0 from written
    """
"""Of totals of a unit by the hour and by the day: their tables differ in name and time alone."""
_HOURS: Final = _Table(
    layout=Layout(Column("at", "hour"), *_TOTAL),
    owner="series_id",
    time_kind="hour",
    copy_in=_COPY_IN.format(staged="total_hour_in", time="start"),
    clear="truncate total_hour_in",
    upsert=_UPSERT.format(table="unit_energy_hour", staged="total_hour_in", time="start"),
    keys="""
    select array_send(array_agg(t.series_id)), array_send(array_agg(t.start))
    from unnest(%(unit_ids)s::int4[], %(first)s::int8[], %(last)s::int8[]) as w (unit_id, first_us, last_us)
    cross join lateral (
        select e.series_id, e.start from unit_energy_hour e
        where e.unit_id = w.unit_id and e.start >= at_us(w.first_us) and e.start <= at_us(w.last_us) offset 0
    ) t
    """,
    remove="""
    delete from unit_energy_hour t using unnest(%(owners)s::int4[], %(times)s::int8[]) as w (series_id, start_us)
    where t.series_id = w.series_id and t.start = at_us(w.start_us)
    """,
)
_DAYS: Final = _Table(
    layout=Layout(Column("at", "date"), *_TOTAL),
    owner="series_id",
    time_kind="date",
    copy_in=_COPY_IN.format(staged="total_day_in", time="day"),
    clear="truncate total_day_in",
    upsert=_UPSERT.format(table="unit_energy_day", staged="total_day_in", time="day"),
    keys="""
    select array_send(array_agg(t.series_id)), array_send(array_agg(t.day))
    from unnest(%(unit_ids)s::int4[], %(first)s::int8[], %(last)s::int8[]) as w (unit_id, first_day, last_day)
    cross join lateral (
        select e.series_id, e.day from unit_energy_day e
        where e.unit_id = w.unit_id
            and e.day between date '1970-01-01' + w.first_day::int4 and date '1970-01-01' + w.last_day::int4
        offset 0
    ) t
    """,
    remove="""
    delete from unit_energy_day t using unnest(%(owners)s::int4[], %(times)s::int8[]) as w (series_id, day)
    where t.series_id = w.series_id and t.day = date '1970-01-01' + w.day::int4
    """,
)
_POINT_DAYS: Final = _Table(
    layout=Layout(
        Column("at", "date"),
        Column("amount", "float8"),
        Column("point_id", "int4"),
        Column("unit_id", "int4"),
        Column("completeness", "float4"),
        Column("measured", "float4"),
        Column("quality", "int2"),
    ),
    owner="point_id",
    time_kind="date",
    copy_in="""
    copy point_day_in (day, amount, point_id, unit_id, completeness, measured, quality) from stdin (format binary)
    """,
    clear="truncate point_day_in",
    upsert="""
    with written as (
        insert into consumption_day as d (day, amount, point_id, unit_id, completeness, measured, quality)
        select day, amount, point_id, unit_id, completeness, measured, quality from point_day_in
        on conflict (point_id, day) do update
        set amount = excluded.amount, completeness = excluded.completeness, measured = excluded.measured,
            quality = excluded.quality, unit_id = excluded.unit_id, revision = d.revision + 1
        where (d.amount, d.completeness, d.measured, d.quality, d.unit_id) is distinct from
            (excluded.amount, excluded.completeness, excluded.measured, excluded.quality, excluded.unit_id)
        returning d.revision
    )
    select count(*) filter (where revision = 0), count(*) filter (where revision > 0) from written
    """,
    keys="""
    select array_send(array_agg(t.point_id)), array_send(array_agg(t.day))
    from unnest(%(unit_ids)s::int4[], %(first)s::int8[], %(last)s::int8[]) as w (unit_id, first_day, last_day)
    cross join lateral (
        select d.point_id, d.day from consumption_day d
        where d.unit_id = w.unit_id
            and d.day between date '1970-01-01' + w.first_day::int4 and date '1970-01-01' + w.last_day::int4
        offset 0
    ) t
    """,
    remove="""
    delete from consumption_day t using unnest(%(owners)s::int4[], %(times)s::int8[]) as w (point_id, day)
    where t.point_id = w.point_id and t.day = date '1970-01-01' + w.day::int4
    """,
)

TEMPORARY: Final[tuple[LiteralString, ...]] = (
    """
    create temporary table total_hour_in (
        start timestamptz, unit_id int4, series_id int4, amount float8, tce float8, completeness float4,
        measured float4, quality int2, factor_id int4
    ) on commit delete rows
    """,
    """
    create temporary table total_day_in (
        day date, unit_id int4, series_id int4, amount float8, tce float8, completeness float4,
        measured float4, quality int2, factor_id int4
    ) on commit delete rows
    """,
    """
    create temporary table point_day_in (
        day date, amount float8, point_id int4, unit_id int4, completeness float4, measured float4, quality int2
    ) on commit delete rows
    """,
)

_SERIES_MISSING: Final = """
insert into energy_series (unit_id, scope, name, sub_unit, carrier, unit)
select distinct w.* from unnest(%s::int4[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
    as w (unit_id, scope, name, sub_unit, carrier, unit)
where not exists (
    select from energy_series s
    where (s.unit_id, s.scope, s.name, s.sub_unit, s.carrier, s.unit)
        = (w.unit_id, w.scope, w.name, w.sub_unit, w.carrier, w.unit)
)
on conflict do nothing
"""
_SERIES: Final = """
select w.ordinal, s.id
from unnest(%s::int4[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) with ordinality
    as w (unit_id, scope, name, sub_unit, carrier, unit, ordinal)
join energy_series s on (s.unit_id, s.scope, s.name, s.sub_unit, s.carrier, s.unit)
    = (w.unit_id, w.scope, w.name, w.sub_unit, w.carrier, w.unit)
"""
_FACTORS_MISSING: Final = """
insert into factor (description)
select distinct w.text from unnest(%s::text[]) as w (text)
where not exists (select from factor f where f.description = w.text)
on conflict do nothing
"""
FACTORS_LOCK: Final = "x'6d77000c'::int4"
"""Held shared while totals are made, alone while other factors come into force."""
_NO_OTHER_FACTORS: Final = f"select pg_try_advisory_xact_lock_shared({FACTORS_LOCK})"
_NEWEST_FACTORS: Final = "select coalesce(max(id), 0) from standard_document where kind = 'factors'"
_FACTOR_DOCUMENTS: Final = "select source, content from standard_document where kind = 'factors' order by id"
_FACTORS: Final = """
select w.ordinal, f.id
from unnest(%s::text[]) with ordinality as w (text, ordinal) join factor f on f.description = w.text
"""


class TotalsClaim:
    """`streams.ports.TotalsTransaction` on a connection that is in a transaction.

    `series` are the ids met before; those that this transaction meets first are in `met`, to be kept once it is
    committed.
    """

    def __init__(
        self, connection: psycopg.AsyncConnection, spans: marks.Spans, series: Mapping[SeriesName, int]
    ) -> None:
        self.met: dict[SeriesName, int] = {}
        self._series = series
        self._connection = connection
        self._spans = spans
        self._staged: set[LiteralString] = set()

    @property
    def unit_ids(self) -> Int32s:
        """Unit of each stale span."""
        return self._spans.unit_ids

    @property
    def first_hour(self) -> Int64s:
        """First hour of each span."""
        return self._spans.first_hour

    @property
    def last_hour(self) -> Int64s:
        """Last hour of each span, inclusive."""
        return self._spans.last_hour

    async def newest_factors(self) -> int:
        """Number of the document of factors that came last, 0 for none; no other comes into force meanwhile."""
        if not await self._value(_NO_OTHER_FACTORS):
            raise StoreUnavailable("other factors to coal equivalent are being put in force")
        return int(await self._value(_NEWEST_FACTORS))

    async def factor_documents(self) -> Sequence[tuple[str, str]]:
        """Source and content of the documents of factors, in the order in which they came."""
        return await (await self._connection.execute(_FACTOR_DOCUMENTS)).fetchall()

    async def _value(self, query: LiteralString) -> int:
        row = await (await self._connection.execute(query)).fetchone()
        assert row is not None, "an aggregate always has a row"
        return int(row[0])

    async def read_hours(self, point_ids: Int32s, from_hour: Int64s, to_hour: Int64s) -> Hours:
        """Stored hours of half-open windows, sorted by point and hour."""
        return await hours.in_windows(self._connection, point_ids, from_hour, to_hour)

    async def replace_point_days(
        self, rows: PointDays, unit_ids: Int32s, first_day: Int64s, last_day: Int64s
    ) -> HourCounts:
        """Days of the points of some units in windows of days."""
        columns = {name: rows[name] for name in POINT_DAY_ROW.names or () if name not in {"day", "amount"}}
        columns |= {"at": rows["day"], "amount": rows["amount"] / hours.MICRO}
        return await self._replace(_POINT_DAYS, columns, unit_ids, first_day, last_day)

    async def replace_unit_hours(self, totals: Totals, unit_ids: Int32s, first_hour: Int64s, last_hour: Int64s) -> int:
        """Hourly totals of some units in windows of hours."""
        columns = await self._columns(totals)
        return (await self._replace(_HOURS, columns, unit_ids, first_hour, last_hour)).inserted

    async def replace_unit_days(self, totals: Totals, unit_ids: Int32s, first_day: Int64s, last_day: Int64s) -> int:
        """Daily totals of some units in windows of days."""
        columns = await self._columns(totals)
        return (await self._replace(_DAYS, columns, unit_ids, first_day, last_day)).inserted

    async def _replace(
        self, table: _Table, columns: dict[str, np.ndarray], unit_ids: Int32s, first: Int64s, last: Int64s
    ) -> HourCounts:
        async with self._connection.cursor() as cursor:
            if table.clear in self._staged:
                await cursor.execute(table.clear)
            self._staged.add(table.clear)
            async with cursor.copy(table.copy_in) as copy:
                await copy.write(table.layout.pack(columns))
            await self._remove_others(table, columns, unit_ids, first, last)
            await cursor.execute(table.upsert)
            row = await cursor.fetchone()
        assert row is not None, "a count always has a row"
        return HourCounts(*row)

    async def _remove_others(
        self, table: _Table, columns: dict[str, np.ndarray], unit_ids: Int32s, first: Int64s, last: Int64s
    ) -> None:
        """Remove what is stored in the windows and not given any more; mostly nothing is."""
        scale = US_PER_HOUR if table.time_kind == "hour" else 1
        windows = {
            "unit_ids": unit_ids,
            "first": first.astype(np.int64) * scale,
            "last": last.astype(np.int64) * scale,
        }
        kinds = {"owner": "int4", "at": table.time_kind}
        stored = await fetch(self._connection, table.keys, windows, kinds, _KEY)
        given = columns[table.owner].astype(np.int64) << 32 | columns["at"].astype(np.int64)
        gone = ~np.isin(stored["owner"].astype(np.int64) << 32 | stored["at"], given)
        if gone.any():
            owners, times = stored["owner"][gone], stored["at"][gone] * scale
            await self._connection.execute(table.remove, {"owners": owners, "times": times})

    async def _columns(self, totals: Totals) -> dict[str, np.ndarray]:
        rows = totals.rows
        series_ids = await self._series_ids(totals.series)
        factor_ids = np.append(await self._factor_ids(totals.factors), 0)  # -1, the last, is no factor
        units = np.array([name.unit_id for name in totals.series], np.int32)
        columns = {name: rows[name] for name in TOTAL_ROW.names or () if name not in {"series", "factor", "amount"}}
        return columns | {
            "unit_id": units[rows["series"]],
            "series_id": series_ids[rows["series"]],
            "factor_id": factor_ids[rows["factor"]],
            "amount": rows["amount"] / hours.MICRO,
        }

    async def _series_ids(self, series: Sequence[SeriesName]) -> Int32s:
        strange = [name for name in series if name not in self._series and name not in self.met]
        if strange:
            parameters = [list(column) for column in zip(*strange, strict=True)]
            await self._connection.execute(_SERIES_MISSING, parameters)
            self.met.update(zip(strange, (await self._ids(_SERIES, parameters, len(strange))).tolist(), strict=True))
        ids = [self.met[name] if name in self.met else self._series[name] for name in series]
        return np.array(ids, np.int32)

    async def _factor_ids(self, factors: Sequence[str]) -> Int32s:
        await self._connection.execute(_FACTORS_MISSING, (list(factors),))
        return await self._ids(_FACTORS, (list(factors),), len(factors))

    async def _ids(self, query: LiteralString, parameters: Sequence[object], count: int) -> Int32s:
        cursor = await self._connection.execute(query, parameters)
        ids = np.zeros(count, np.int32)
        for ordinal, found in await cursor.fetchall():
            ids[ordinal - 1] = found
        assert ids.all(), "what was missing has been inserted"
        return ids


async def claim(
    connection: psycopg.AsyncConnection, unit_ids: Int32s | None, limit: int, series: Mapping[SeriesName, int]
) -> TotalsClaim:
    """Claim up to `limit` units with stale hours, inside a transaction."""
    return TotalsClaim(connection, await marks.claim(connection, unit_ids, limit), series)
