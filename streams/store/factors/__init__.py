"""Factors to coal equivalent that are in force, so that workers' totals, boards and reports go by the same ones.

Whoever makes totals holds the lock below shared while it does; who puts factors in force holds it alone, and converts
the totals of the past in the same transaction. So no total by a former factor is written after that.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import psycopg

from analytics.standards.coal import FactorSeries, FactorTable
from ingest.standard_files import parse_standard, standards_from
from streams.store.totals import FACTORS_LOCK

__all__ = ["convert_past", "factors_of"]

_FIRST_DAY: Final = -200_000
_END_DAY: Final = 2_000_000
"""Days that a piece without a beginning or an end is given. [d since 1970-01-01]"""
_LOCK: Final = f"select pg_advisory_xact_lock({FACTORS_LOCK})"
_SERIES: Final = """
select s.id, s.carrier, s.unit, u.code from energy_series s join unit u on u.id = s.unit_id
"""
_TEXTS: Final = """
insert into factor (description) select distinct w.text from unnest(%s::text[]) w (text) on conflict do nothing
"""
_PIECES: Final = """
create temporary table factor_piece on commit drop as
select w.series_id, date '1970-01-01' + w.first_day as first_day, date '1970-01-01' + w.end_day as end_day,
       nullif(w.tce, 'NaN') as tce, f.id as factor_id
from unnest(%s::int4[], %s::int4[], %s::int4[], %s::float8[], %s::text[]) w (series_id, first_day, end_day, tce, text)
join factor f on f.description = w.text
"""
_DAYS: Final = """
update unit_energy_day t set tce = t.amount * p.tce, factor_id = p.factor_id
from factor_piece p
where t.series_id = p.series_id and t.day >= p.first_day and t.day < p.end_day
    and (t.factor_id, t.tce) is distinct from (p.factor_id, t.amount * p.tce)
"""
_HOURS: Final = """
update unit_energy_hour t set tce = t.amount * p.tce, factor_id = p.factor_id
from factor_piece p
where t.series_id = p.series_id and t.start >= p.first_day::timestamp at time zone local_zone()
    and t.start < p.end_day::timestamp at time zone local_zone()
    and (t.factor_id, t.tce) is distinct from (p.factor_id, t.amount * p.tce)
"""


class _Piece(NamedTuple):
    series_id: int
    first_day: int
    end_day: int
    tce: float
    text: str


def factors_of(documents: Sequence[tuple[str, str]]) -> FactorTable:
    """Factors that ship and those of documents (source and content), in the order in which they were loaded."""
    return standards_from([parse_standard(content, source=source) for source, content in documents]).factors


async def convert_past(connection: psycopg.AsyncConnection, before: FactorTable, after: FactorTable) -> int:
    """Convert what was totalled by the factors that hold now; how many totals changed.

    Safe to repeat. Inside the transaction that puts the factors in force: it keeps out whoever makes totals.
    """
    await connection.execute(_LOCK)
    rows = await (await connection.execute(_SERIES)).fetchall()
    pieces = [
        piece
        for series_id, carrier, unit, code in rows
        if not _same(before.series(carrier, unit, code), after.series(carrier, unit, code))
        for piece in _pieces(series_id, after.series(carrier, unit, code))
    ]
    if not pieces:
        return 0
    columns = [list(column) for column in zip(*pieces, strict=True)]
    await connection.execute(_TEXTS, (columns[-1],))
    await connection.execute(_PIECES, columns)
    await connection.execute("analyze factor_piece")
    changed = [(await connection.execute(statement)).rowcount for statement in (_DAYS, _HOURS)]
    return sum(changed)


def _same(one: FactorSeries, other: FactorSeries) -> bool:
    return (
        one.text == other.text
        and np.array_equal(one.first_day, other.first_day)
        and np.array_equal(one.tce_per_unit, other.tce_per_unit, equal_nan=True)
    )


def _pieces(series_id: int, series: FactorSeries) -> Iterator[_Piece]:
    starts = [max(day, _FIRST_DAY) for day in series.first_day.tolist()]
    ends = [*starts[1:], _END_DAY]
    for start, end, tce, text in zip(starts, ends, series.tce_per_unit.tolist(), series.text, strict=True):
        yield _Piece(series_id, start, end, tce, text)
