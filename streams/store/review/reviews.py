"""Reviews in the database: each step in one transaction with its history; draws that can be repeated."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from analytics.domain.errors import RegistryError
from analytics.review.draw import drawn
from analytics.review.process import Recorded, Review, ReviewRefused
from streams.store.postgres.reading import rows_of
from streams.store.review.attachments import LARGEST_FILE, media_type

__all__ = [
    "add_papers",
    "attach_photo",
    "carry_over",
    "draw",
    "draws",
    "history",
    "keep",
    "listed",
    "of_year",
    "photos",
    "plan",
    "read",
    "record",
    "recorded",
    "verify_draw",
    "without_review",
    "without_self_check",
]

_LOCK: Final = "select pg_advisory_xact_lock(x'6d77000c'::int4)"
_UNITS: Final = "select code, id from unit where code = any(%s)"
_OPEN: Final = """
select u.code from review r join unit u on u.id = r.unit_id
where r.year = %s and r.state not in ('closed', 'handed_over') and u.code = any(%s)
    and (r.origin = 'self_check') = (%s = 'self_check') order by 1
"""
_PLAN: Final = """
insert into review (unit_id, year, origin, draw_id, planned_by) values (%s, %s, %s, %s, %s) returning id
"""
_EVENT: Final = """
insert into review_event (review_id, unit_id, by_name, action, state, note, facts)
select id, unit_id, %(by)s, %(action)s, state, %(note)s, %(facts)s from review where id = %(id)s
"""
_READ: Final = """
select r.id, u.code as unit_code, u.name as unit_name, r.unit_id, r.year, r.origin, r.draw_id, r.papers, r.rules,
       r.state, r.leader, r.members, r.visited_on, r.conclusion, r.failed, r.concluded_on, r.due, r.due_certain,
       r.corrected_on, r.rechecked_on, r.closed_on, r.reason
from review r join unit u on u.id = r.unit_id where r.id = %s
"""
_KEEP: Final = """
update review set state = %(state)s, leader = %(leader)s, members = %(members)s, visited_on = %(visited_on)s,
    conclusion = %(conclusion)s, failed = %(failed)s, concluded_on = %(concluded_on)s, due = %(due)s,
    due_certain = %(due_certain)s, corrected_on = %(corrected_on)s, rechecked_on = %(rechecked_on)s,
    closed_on = %(closed_on)s, reason = %(reason)s, rules = case when %(rules)s = '' then rules else %(rules)s end
where id = %(id)s
"""
_RECORD: Final = """
insert into review_item as i (review_id, unit_id, item, result, remark, recorded_by)
select id, unit_id, %(item)s, %(result)s, %(remark)s, %(by)s from review where id = %(id)s
on conflict (review_id, item) do update
set result = excluded.result, remark = excluded.remark, recorded_by = excluded.recorded_by,
    recorded_at = clock_timestamp()
where (i.result, i.remark) is distinct from (excluded.result, excluded.remark)
"""
_ITEMS: Final = "select item, result, remark from review_item where review_id = %s"
_PHOTO: Final = """
insert into review_photo (review_id, unit_id, item, name, media_type, sha256, content, taken_by)
select id, unit_id, %(item)s, %(name)s, %(type)s, %(sha256)s, %(content)s, %(by)s from review where id = %(id)s
returning id
"""
_PHOTOS: Final = """
select id, item, name, encode(sha256, 'hex') as sha256 from review_photo where review_id = %s order by item, id
"""
_MOST_PHOTOS: Final = 200
_CARRY: Final = """
insert into review_item (review_id, unit_id, item, result, remark, recorded_by)
select n.id, n.unit_id, i.item, i.result, '（沿用 ' || b.year || ' 年）' || i.remark, %(by)s
from review n
cross join lateral (
    select b.id, b.year from review b
    where b.unit_id = n.unit_id and b.origin = 'self_check' and b.state = 'closed' and b.year < n.year
    order by b.year desc, b.id desc limit 1
) b
join review_item i on i.review_id = b.id
where n.id = %(id)s
on conflict do nothing
"""
_MISSING: Final = """
select u.code as unit_code, u.name as unit_name, coalesce(n.state, 'none') as this_year, l.year as last_signed
from unit u
left join lateral (
    select state from review r where r.unit_id = u.id and r.origin = 'self_check' and r.year = %(year)s
    order by id desc limit 1
) n on true
left join lateral (
    select max(year) as year from review r
    where r.unit_id = u.id and r.origin = 'self_check' and r.state = 'closed' and r.year < %(year)s
) l on true
where n.state is distinct from 'closed' order by u.code
"""
_LIST: Final = """
select id, unit_code, unit_name, year, origin, state, visited_on, conclusion, failed, due, overdue
from review_list where (%(year)s::int4 is null or year = %(year)s) and (%(unit)s::text is null or unit_code = %(unit)s)
    and (origin = 'self_check') = %(own)s
order by year desc, overdue desc nulls last, due nulls last, unit_code
"""
_YEAR: Final = """
select r.id, r.unit_code, r.unit_name, r.origin, r.state, r.visited_on, r.conclusion, r.failed, r.concluded_on, r.due,
       r.overdue, r.corrected_on, r.rechecked_on, r.closed_on
from review_list r where r.year = %s and r.origin <> 'self_check' order by r.visited_on nulls last, r.unit_code, r.id
"""
_HISTORY: Final = """
select at, by_name, action, state, note, facts from review_event where review_id = %s order by id
"""


_DRAWS: Final = """
select id, year, cardinality(drawn) as drawn, cardinality(pool) as pool, reason, drawn_by, drawn_at
from review_draw where %(id)s::int4 is null or id = %(id)s order by id desc limit 50
"""
_UNREVIEWED: Final = """
select u.code from unit u
left join lateral (select grade from compliance_day c where c.unit_id = u.id order by day desc limit 1) g on true
where not exists (select from review r where r.unit_id = u.id and r.year = %s and r.origin <> 'self_check')
    and (%s::text[] = '{}' or g.grade = any(%s)) order by u.code
"""


async def plan(
    connection: psycopg.AsyncConnection,
    codes: Sequence[str],
    year: int,
    by: str,
    *,
    origin: str = "plan",
    draw_id: int | None = None,
) -> list[int]:
    """Put units into the plan of a year; ids of their reviews. In the caller's transaction.

    Raises
    ------
    RegistryError
        With every unit that is not in the ledger, or has a review of the year that is not over.
    """
    await connection.execute(_LOCK)
    wanted = list(dict.fromkeys(codes))
    units: dict[str, int] = dict(await (await connection.execute(_UNITS, (wanted,))).fetchall())
    unknown = [code for code in wanted if code not in units]
    if unknown:
        raise RegistryError(f"units must be of the ledger (not: {', '.join(unknown)})")
    twice = [row[0] for row in await (await connection.execute(_OPEN, (year, wanted, origin))).fetchall()]
    if twice:
        raise RegistryError(f"units must not have a review of {year} under way (these have: {', '.join(twice)})")
    made = []
    for code in wanted:
        row = await (await connection.execute(_PLAN, (units[code], year, origin, draw_id, by))).fetchone()
        assert row is not None, "returning gives a row"
        await _event(connection, row[0], by, "plan", facts={"year": year, "origin": origin, "draw": draw_id})
        made.append(int(row[0]))
    return made


async def without_review(connection: psycopg.AsyncConnection, year: int, grades: Sequence[str] = ()) -> list[str]:
    """Codes of units that the authority has not planned to review in a year, of some grades where any are given."""
    cursor = await connection.execute(_UNREVIEWED, (year, list(grades), list(grades)))
    return [row[0] for row in await cursor.fetchall()]


async def draws(connection: psycopg.AsyncConnection, identity: int | None = None) -> list[dict[str, Any]]:
    """Draws that were made, the newest first, or one of them."""
    return await rows_of(connection, _DRAWS, {"id": identity})


async def draw(
    connection: psycopg.AsyncConnection,
    pool: Collection[str],
    count: int,
    seed: str,
    year: int,
    by: str,
    *,
    reason: str = "",
) -> tuple[int, tuple[str, ...]]:
    """Draw units by lot into the plan of a year; the draw's id, and the codes. In the caller's transaction."""
    try:
        chosen = drawn(pool, count, seed)
    except ValueError as error:
        raise RegistryError(str(error)) from None
    query = """
    insert into review_draw (year, seed, pool, drawn, reason, drawn_by) values (%s, %s, %s, %s, %s, %s) returning id
    """
    row = await (await connection.execute(query, (year, seed, sorted(set(pool)), list(chosen), reason, by))).fetchone()
    assert row is not None, "returning gives a row"
    await plan(connection, chosen, year, by, origin="draw", draw_id=row[0])
    return int(row[0]), chosen


async def verify_draw(connection: psycopg.AsyncConnection, identity: int) -> dict[str, Any]:
    """A draw as it was made, and whether it comes out the same again; raises `RegistryError` where there is none."""
    query = "select id, year, seed, pool, drawn, reason, drawn_by, drawn_at from review_draw where id = %s"
    found = await rows_of(connection, query, (identity,))
    if not found:
        raise RegistryError(f"a draw must be one that was made (got {identity})")
    one = found[0]
    return {**one, "repeats": list(drawn(one["pool"], len(one["drawn"]), one["seed"])) == one["drawn"]}


async def read(
    connection: psycopg.AsyncConnection, identity: int, *, lock: bool = True
) -> tuple[Review, dict[str, Any]]:
    """A review, locked to take a step, and what else its row says; raises `ReviewRefused` where there is none."""
    found = await rows_of(connection, _READ + (" for update of r" if lock else ""), (identity,))
    if not found:
        raise ReviewRefused(f"a review must be one that is there (got {identity})")
    row = found[0]
    facts = {name: row.pop(name) for name in _FACTS}
    return Review(**{**row, "members": tuple(row["members"])}), facts


_FACTS: Final = ("id", "unit_code", "unit_name", "unit_id", "year", "origin", "draw_id", "papers", "rules")


async def keep(
    connection: psycopg.AsyncConnection,
    identity: int,
    after: Review,
    by: str,
    action: str,
    *,
    note: str = "",
    rules: str = "",
    facts: Mapping[str, object] | None = None,
) -> None:
    """Keep where a review stands after a step, with its history; in the caller's transaction."""
    row = asdict(after)
    await connection.execute(_KEEP, {**row, "members": list(after.members), "id": identity, "rules": rules})
    said = {name: value.isoformat() for name, value in row.items() if isinstance(value, date)}
    await _event(connection, identity, by, action, note=note, facts={**said, **(facts or {})})


async def add_papers(connection: psycopg.AsyncConnection, identity: int, papers: Mapping[str, date], by: str) -> None:
    """Keep which papers the unit has handed in; in the caller's transaction."""
    said = {name: day.isoformat() for name, day in papers.items()}
    await connection.execute("update review set papers = papers || %s where id = %s", (Jsonb(said), identity))
    await _event(connection, identity, by, "papers", facts=said)


async def record(connection: psycopg.AsyncConnection, identity: int, items: Mapping[int, Recorded], by: str) -> int:
    """Keep what was found of items; how many of them are new or changed. In the caller's transaction."""
    changed = {}
    for item, one in items.items():
        facts = {"id": identity, "item": item, "result": one.result, "remark": one.remark, "by": by}
        if (await connection.execute(_RECORD, facts)).rowcount:
            changed[str(item)] = {"result": one.result, "remark": one.remark}
    if changed:
        await _event(connection, identity, by, "record", facts=changed)
    return len(changed)


async def recorded(connection: psycopg.AsyncConnection, identity: int) -> dict[int, Recorded]:
    """What was found of a review's items."""
    rows = await (await connection.execute(_ITEMS, (identity,))).fetchall()
    return {item: Recorded(result=result, remark=remark) for item, result, remark in rows}


async def attach_photo(
    connection: psycopg.AsyncConnection,
    identity: int,
    item: int,
    name: str,
    content: bytes,
    by: str,
    *,
    once: bool = False,
) -> int:
    """Keep a photo of an item; its number. In the caller's transaction.

    With `once`, the same photo of the item again is the one that is there. Raises `ReviewRefused` for a file that is
    too large, neither JPEG, PNG nor PDF, or one more than a review may have.
    """
    kind = media_type(content)
    if kind is None or len(content) > LARGEST_FILE:
        raise ReviewRefused(f"{name!r} must be a JPEG, PNG or PDF file of at most {LARGEST_FILE} bytes")
    digest, taken = hashlib.sha256(content).digest(), await photos(connection, identity)
    same = [one["id"] for one in taken if once and (one["item"], one["sha256"]) == (item, digest.hex())]
    if same:
        return int(same[0])
    if len(taken) >= _MOST_PHOTOS:
        raise ReviewRefused(f"a review must have at most {_MOST_PHOTOS} photos")
    facts = {"id": identity, "item": item, "name": name, "type": kind, "sha256": digest, "content": content, "by": by}
    row = await (await connection.execute(_PHOTO, facts)).fetchone()
    assert row is not None, "the review was read before"
    await _event(connection, identity, by, "photo", facts={"item": item, "name": name, "sha256": digest.hex()})
    return int(row[0])


async def photos(connection: psycopg.AsyncConnection, identity: int) -> list[dict[str, Any]]:
    """Photos of a review, without their content."""
    return await rows_of(connection, _PHOTOS, (identity,))


async def listed(
    connection: psycopg.AsyncConnection, *, year: int | None = None, unit: str | None = None, self_checks: bool = False
) -> list[dict[str, Any]]:
    """Reviews, the overdue first; or self-checks of enterprises."""
    return await rows_of(connection, _LIST, {"year": year, "unit": unit, "own": self_checks})


async def carry_over(connection: psycopg.AsyncConnection, identity: int, by: str) -> int:
    """Take the answers of the unit's last signed self-check of an earlier year into a new one; how many.

    In the caller's transaction. A remark says of which year it is, so that nobody takes it for this year's.
    """
    return (await connection.execute(_CARRY, {"id": identity, "by": by})).rowcount


async def without_self_check(connection: psycopg.AsyncConnection, year: int) -> list[dict[str, Any]]:
    """Units that have signed no self-check of a year, with the year of their last one and where this year's stands."""
    return await rows_of(connection, _MISSING, {"year": year})


async def of_year(connection: psycopg.AsyncConnection, year: int) -> list[dict[str, Any]]:
    """The register of a year's reviews."""
    return await rows_of(connection, _YEAR, (year,))


async def history(connection: psycopg.AsyncConnection, identity: int) -> list[dict[str, Any]]:
    """Every step of a review."""
    return await rows_of(connection, _HISTORY, (identity,))


async def _event(
    connection: psycopg.AsyncConnection,
    identity: int,
    by: str,
    action: str,
    *,
    note: str = "",
    facts: Mapping[str, object],
) -> None:
    await connection.execute(_EVENT, {"id": identity, "by": by, "action": action, "note": note, "facts": Jsonb(facts)})
