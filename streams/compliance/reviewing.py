"""Steps of a review that need what units are judged by; commands and pages take them here.

Each works in its caller's transaction.
"""

from collections.abc import Mapping
from datetime import date, datetime, tzinfo
from typing import Final

import psycopg

from analytics.alerting.workdays import Calendar
from analytics.domain.errors import RegistryError
from analytics.domain.finding import Verdict
from analytics.domain.toml import parse_toml
from analytics.review import process
from analytics.review.process import Recorded, Review, ReviewRefused, Terms
from analytics.standards.documents import document_of
from analytics.standards.review import ReviewResult
from streams.compliance.evidence import Moment
from streams.compliance.judge import judge, review_of
from streams.compliance.standards import load_document, read_standards
from streams.store.review import reviews

__all__ = ["PAPERS", "conclude", "judged", "open_self_check", "record_items", "sign", "terms"]

PAPERS: Final = (
    *("profile", "self_check_report", "rules", "statistics"),
    *("B.1", "B.2", "B.3", "B.4", "B.5", "B.6", "B.7", "B.8", "B.9", "B.10"),
    *("figure_B.1", "figure_B.2", "figure_B.3", "figure_B.4"),
)
"""What a unit hands in (JJF 1356, 9.3.1)."""
_FACT: Final = """
name = {name}
[[self_check]]
unit_code = {code}
year = {year}
done_on = {day}
by = {by}
result = {result}
"""


async def judged(connection: psycopg.AsyncConnection, code: str, at: datetime, zone: tzinfo) -> ReviewResult:
    """The sheet of a unit as far as data and entered answers fill it; raises `RegistryError` where there is none."""
    moment = Moment.of(at.astimezone(zone).date(), now=at, zone=zone)
    found = await judge(connection, await read_standards(connection), moment, code.__eq__)
    if not found.stored.ledger.unit_codes:
        raise RegistryError(f"the ledger must have the unit (it has none with the code {code})")
    return review_of(found, 0)


async def terms(connection: psycopg.AsyncConnection) -> Terms:
    """How long things may take, by the rules in force. [working days]"""
    days = (await read_standards(connection)).rules.review_terms
    return Terms(correction=days[0], recheck=days[1])


async def record_items(
    connection: psycopg.AsyncConnection, review: int, items: Mapping[int, Recorded], by: str, *, also: int | None = None
) -> int:
    """Keep what was found of items of a review that is under way; how many of them are new or changed.

    Parameters
    ----------
    also : int, optional
        An item that must be of the sheet, too: a photo is of it.
    """
    before, _ = await reviews.read(connection, review)
    if before.state != "open":  # also a self-check, which is open from the first
        raise ReviewRefused(f"the review must be under review for that (it is {process.STATES[before.state].en})")
    known = {one.number for one in (await read_standards(connection)).review.items}
    wrong = sorted(({*items, *([] if also is None else [also])}) - known)
    if wrong:
        raise ReviewRefused(f"items must be of the sheet (got {', '.join(map(str, wrong))})")
    return await reviews.record(connection, review, items, by)


async def conclude(
    connection: psycopg.AsyncConnection,
    review: int,
    *,
    by: str,
    day: date,
    at: datetime,
    zone: tzinfo,
    calendar: Calendar,
    note: str = "",
) -> Review:
    """Draw the conclusion of the authority's review from its items."""
    before, facts = await reviews.read(connection, review)
    if facts["origin"] == "self_check":
        raise ReviewRefused(f"a review must be the authority's ({review} is a self-check: `self-check sign`)")
    standards = await read_standards(connection)
    sheet = await judged(connection, facts["unit_code"], at, zone)
    days = standards.rules.review_terms
    after = process.concluded(
        before,
        {one.number: one.may_not_apply for one in standards.review.items},
        await reviews.recorded(connection, review),
        {one.item.number for one in sheet.results if one.by == "data" and one.verdict is Verdict.FAIL},
        basic_up_to=standards.review.basic_up_to,
        day=day,
        terms=Terms(correction=days[0], recheck=days[1]),
        calendar=calendar,
    )
    await reviews.keep(connection, review, after, by, "conclude", note=note, rules=standards.review.number)
    return after


async def open_self_check(connection: psycopg.AsyncConnection, code: str, year: int, by: str) -> tuple[int, int]:
    """Begin the self-check of a year; its number, and how many answers are those of the last one that was signed."""
    (identity,) = await reviews.plan(connection, [code], year, by, origin="self_check")
    await reviews.keep(connection, identity, Review(state="open"), by, "open")
    return identity, await reviews.carry_over(connection, identity, by)


async def sign(connection: psycopg.AsyncConnection, self_check: int, *, by: str, day: date) -> Review:
    """Sign a self-check whose every item is answered; units are judged from it from then on."""
    before, facts = await reviews.read(connection, self_check)
    if facts["origin"] != "self_check":
        raise ReviewRefused(f"it must be a self-check (review {self_check} is the authority's)")
    standards = await read_standards(connection)
    items = {one.number: one.may_not_apply for one in standards.review.items}
    said = await reviews.recorded(connection, self_check)
    after = process.signed(before, items, said, basic_up_to=standards.review.basic_up_to, by=by, day=day)
    await reviews.keep(connection, self_check, after, by, "sign", rules=standards.review.number)
    result = f"{process.CONCLUSIONS[after.conclusion].zh}（不符合 {after.failed} 项）"
    await _as_fact(connection, facts["unit_code"], facts["year"], day, by, result)
    return after


async def _as_fact(connection: psycopg.AsyncConnection, code: str, year: int, day: date, by: str, result: str) -> None:
    """What units are judged from has it, too."""
    texts = {"name": f"self-check {code} {year}", "code": code, "by": by, "result": result}
    text = _FACT.format(year=year, day=day, **{name: _quoted(value) for name, value in texts.items()})
    await load_document(connection, document_of(parse_toml(text), source="self-check"), text, "self-check")


def _quoted(text: str) -> str:
    """A basic string of TOML."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
