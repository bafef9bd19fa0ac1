"""Each unit's standing over the years, as the judgements and reviews of those years left it."""

from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

__all__ = ["standing"]

_STANDING: Final = """
with judged as (
    select distinct on (unit_id, extract(year from day)) unit_id, extract(year from day)::int4 as year, day, edition,
           state, grade, findings, serious, person, meters, meters_overdue
    from compliance_day order by unit_id, extract(year from day), day desc
), reviewed as (
    select unit_id, year, count(*) filter (where origin <> 'self_check') as reviews,
           (array_agg(conclusion order by concluded_on desc nulls last, id desc)
               filter (where origin <> 'self_check' and conclusion <> ''))[1] as conclusion,
           sum(failed) filter (where origin <> 'self_check') as failed,
           count(*) filter (where origin <> 'self_check' and failed > 0) as ordered,
           count(*) filter (where origin <> 'self_check' and failed > 0 and state = 'closed') as corrected,
           count(*) filter (where origin <> 'self_check' and due < local_day(now())) as overdue,
           count(*) filter (where state = 'handed_over') as handed_over,
           string_agg(reason, '；' order by id) filter (where state = 'handed_over') as reason,
           bool_or(origin = 'self_check' and state = 'closed') as self_checked
    from review group by unit_id, year
)
select u.code as unit_code, u.name as unit_name, coalesce(j.year, r.year) as year, j.day as as_of, j.edition, j.state,
       j.grade, j.findings, j.serious, j.person, j.meters, j.meters_overdue, coalesce(r.reviews, 0) as reviews,
       r.conclusion, r.failed, coalesce(r.ordered, 0) as ordered, coalesce(r.corrected, 0) as corrected,
       coalesce(r.overdue, 0) as overdue, coalesce(r.handed_over, 0) as handed_over, r.reason,
       coalesce(r.self_checked, false) as self_checked
from judged j
full join reviewed r on (r.unit_id, r.year) = (j.unit_id, j.year)
join unit u on u.id = coalesce(j.unit_id, r.unit_id)
where %(unit)s::text is null or u.code = %(unit)s
order by u.code, 3
"""


async def standing(connection: psycopg.AsyncConnection, unit: str | None = None) -> list[dict[str, Any]]:
    """A row a unit and year: its last judgement of the year, its reviews, and what became of them."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_STANDING.encode(), {"unit": unit})
        return await cursor.fetchall()
