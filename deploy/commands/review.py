"""`meterwarden review`: reviews of energy metering, from the plan to the re-check and the year's summary."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import psycopg

from analytics.review import process
from analytics.review.process import Recorded, Terms
from analytics.standards.review import ReviewResult
from dashboards.reports.review_sheets import items_in, write_handover, write_items, write_year
from dashboards.reports.standing import write_standing
from dashboards.web.work_words import HANDED_IN, REVIEW_ACTIONS
from deploy.alerting import alert_config
from deploy.commands.common.language import Bilingual, shown, told
from deploy.commands.common.tables import AS_JSON
from deploy.compliance import today
from deploy.database import inside
from deploy.settings import load as settings
from deploy.terminal import counted, say
from ingest.files.sheet import read_sheet
from streams.compliance.reviewing import PAPERS, judged, record_items, terms
from streams.compliance.reviewing import conclude as conclude_one
from streams.compliance.standards import read_standards
from streams.store.review import reviews
from streams.store.review.standing import standing as read_standing

__all__ = ["command"]

T = TypeVar("T")
_ID = click.argument("review", type=int)
_BY = click.option("--by", required=True, help="Who does it.")
_NOTE = click.option("--note", default="", help="A remark for the history.")
_ON = click.option("--on", "on", type=click.DateTime(["%Y-%m-%d"]), help="Day; today without it.")
_YEAR = click.option("--year", type=click.IntRange(2000, 2199), help="This year without it.")
_OUT = click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
_WORDS = {"state": process.STATES, "origin": process.ORIGINS, "conclusion": process.CONCLUSIONS}
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=Bilingual)
def command() -> None:
    """Plan reviews of energy metering, draw units by lot, record, conclude, check again, sum the year up."""


def _today() -> date:
    return today(settings().zone)


def _day(on: datetime | None) -> date:
    day = _today() if on is None else on.date()
    if day > _today():
        raise click.BadParameter(f"must not lie in the future (got {day})", param_hint="--on")
    return day


@command.command()
@_YEAR
@click.option("--unit", "codes", multiple=True, required=True, metavar="CODE", help="May be given again.")
@click.option("--other", is_flag=True, help="Beside the plan, after a report or a request.")
@_BY
def plan(*, year: int | None, codes: tuple[str, ...], other: bool, by: str) -> None:
    """Put units into the plan of a year."""
    of, origin = year or _today().year, "other" if other else "plan"
    made = inside(lambda connection: reviews.plan(connection, codes, of, by, origin=origin))
    told(
        zh=f"已列入 {of} 年计划：审查 {'、'.join(map(str, made))}",
        en=f"planned for {of}: reviews {', '.join(map(str, made))}",
    )


@command.command()
@_YEAR
@click.option("--count", type=click.IntRange(1, 100_000), help="How many units.")
@click.option("--seed", default="", help="Of the draw, such as a number drawn in public; made and kept without it.")
@click.option("--grade", "grades", multiple=True, help="Only units of this grade; may be given again.")
@click.option("--reason", default="", help="Kept with the draw.")
@click.option("--verify", type=int, metavar="DRAW", help="Show a draw, and whether it comes out the same again.")
@click.option("--by", help="Who draws.")
def draw(
    *,
    year: int | None,
    count: int | None,
    seed: str,
    grades: tuple[str, ...],
    reason: str,
    verify: int | None,
    by: str | None,
) -> None:
    """Draw units by lot (随机抽查) among those without a review of the year; anybody can repeat it from its seed."""
    if verify is not None:
        shown([inside(lambda connection: reviews.verify_draw(connection, verify))])
        return
    if count is None or not by:
        raise click.UsageError("--count and --by must be given, or --verify DRAW")
    of, chance = year or _today().year, seed or secrets.token_hex(16)

    async def work(connection: psycopg.AsyncConnection) -> tuple[int, tuple[str, ...], int]:
        pool = await reviews.without_review(connection, of, grades)
        identity, codes = await reviews.draw(connection, pool, count, chance, of, by, reason=reason)
        return identity, codes, len(pool)

    identity, codes, pool = inside(work)
    told(
        zh=f"抽取 {identity}，种子 {chance}：{pool} 家中抽取 {len(codes)} 家",
        en=f"draw {identity}, seed {chance}: {len(codes)} of {counted(pool, 'unit')}",
    )
    for code in codes:
        say(code)


@command.command("list")
@_YEAR
@click.option("--unit", metavar="CODE")
@AS_JSON
def list_command(*, year: int | None, unit: str | None, as_json: bool) -> None:
    """Show reviews, the overdue first."""
    rows = inside(lambda connection: reviews.listed(connection, year=year, unit=unit))
    shown(rows, as_json=as_json, words=_WORDS)


@command.command()
@_ID
@AS_JSON
def show(review: int, *, as_json: bool) -> None:
    """Show every step of a review."""
    steps = inside(lambda connection: reviews.history(connection, review))
    shown(steps, as_json=as_json, words={**_WORDS, "action": REVIEW_ACTIONS})


@command.command("open")
@_ID
@click.option("--leader", required=True)
@click.option("--member", "members", multiple=True, required=True, help="May be given again.")
@click.option("--visit", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Day of the visit.")
@_BY
def open_command(review: int, *, leader: str, members: tuple[str, ...], visit: datetime, by: str) -> None:
    """Name the team and the day of the visit."""
    _step(review, by, "open", lambda before: process.opened(before, leader, members, visit.date()))


@command.command()
@_ID
@click.option("--received", "names", multiple=True, type=click.Choice(PAPERS), required=True)
@_ON
@_BY
def papers(review: int, *, names: tuple[str, ...], on: datetime | None, by: str) -> None:
    """Keep which papers the unit has handed in; those that are missing are named."""
    day = _day(on)

    async def work(connection: psycopg.AsyncConnection) -> list[str]:
        _, facts = await reviews.read(connection, review)
        await reviews.add_papers(connection, review, dict.fromkeys(names, day), by)
        return [one for one in PAPERS if one not in {*facts["papers"], *names}]

    missing = inside(work)
    if missing:
        told(zh=f"缺：{'、'.join(HANDED_IN[one].zh for one in missing)}", en=f"missing: {', '.join(missing)}")
    else:
        told(zh="材料齐全", en="all papers are there")


@command.command()
@_ID
@_OUT
def sheet(review: int, *, out: Path) -> None:
    """Write the sheet of items for the visit (.xlsx), with what the data show; fill it in, then `record --file`."""
    if out.exists():
        raise click.ClickException(f"{out} must not exist yet: a form does not replace what was filled in")

    async def work(connection: psycopg.AsyncConnection) -> None:
        before, facts = await reviews.read(connection, review)
        judged = await _judged(connection, facts["unit_code"])
        said, taken = await reviews.recorded(connection, review), await reviews.photos(connection, review)
        team = "、".join((before.leader, *before.members)) or "________"
        foot = f"审查组：{team}    审查日期：{before.visited_on or '________'}    被审查单位（盖章）：________"
        write_items(out, f"{facts['unit_name']} 能源计量现场审查表", judged, said, taken, foot)

    inside(work)
    say(out)


async def _judged(connection: psycopg.AsyncConnection, code: str) -> ReviewResult:
    return await judged(connection, code, datetime.now(UTC), settings().zone)


@command.command()
@_ID
@click.option("--file", type=_FILE, help="A sheet of items that was filled in.")
@click.option("--item", type=click.IntRange(1, 999))
@click.option("--result", type=click.Choice([*process.RESULTS]))
@click.option("--remark", default="")
@click.option("--photo", "photos", multiple=True, type=_FILE, help="Of the item; may be given again.")
@_BY
def record(
    review: int,
    *,
    file: Path | None,
    item: int | None,
    result: str | None,
    remark: str,
    photos: tuple[Path, ...],
    by: str,
) -> None:
    """Record what was found of an item, with photos, or a whole sheet."""
    items = {} if file is None else items_in(read_sheet(file))
    if item is not None and result is not None:
        items[item] = Recorded(result=result, remark=remark)
    if file is not None and not items:
        raise click.UsageError(f"{file} must have a result in at least one row (got none)")
    if not items and not (item and photos):
        raise click.UsageError("--file, or --item with --result or --photo, must be given")

    async def work(connection: psycopg.AsyncConnection) -> int:
        changed = await record_items(connection, review, items, by, also=item)
        for photo in photos:
            await reviews.attach_photo(connection, review, item or 0, photo.name, photo.read_bytes(), by)
        return changed

    if photos and item is None:
        raise click.UsageError("--photo needs --item")
    changed = inside(work)
    told(
        zh=f"新记或改记 {changed} 项，保存照片 {len(photos)} 张",
        en=f"{changed} items are new or changed, {len(photos)} photos kept",
    )


@command.command()
@_ID
@_ON
@_BY
@_NOTE
def conclude(review: int, *, on: datetime | None, by: str, note: str) -> None:
    """Draw the conclusion from the items; what does not conform is corrected within the term."""
    day = _day(on)

    async def work(connection: psycopg.AsyncConnection) -> process.Review:
        calendar, zone = alert_config(settings()).calendar, settings().zone
        now = datetime.now(UTC)
        return await conclude_one(connection, review, by=by, day=day, at=now, zone=zone, calendar=calendar, note=note)

    _told(review, inside(work))


@command.command()
@_ID
@_ON
@_BY
@_NOTE
def corrected(review: int, *, on: datetime | None, by: str, note: str) -> None:
    """The unit reports that it has corrected; the re-check is due within the term."""
    day, calendar = _day(on), alert_config(settings()).calendar

    _step(review, by, "corrected", lambda before, of: process.corrected(before, day, of, calendar), terms, note=note)


@command.command()
@_ID
@click.option("--result", type=click.Choice(["passed", "failed"]), required=True)
@_ON
@_BY
@_NOTE
def recheck(review: int, *, result: str, on: datetime | None, by: str, note: str) -> None:
    """Check again: closed where everything was corrected, else corrected within another term."""
    day, calendar = _day(on), alert_config(settings()).calendar

    def after(before: process.Review, of: Terms) -> process.Review:
        return process.rechecked(before, passed=result == "passed", day=day, terms=of, calendar=calendar)

    _step(review, by, "recheck", after, terms, note=note)


@command.command("hand-over")
@_ID
@click.option("--reason", required=True)
@_OUT
@_ON
@_BY
def hand_over(review: int, *, reason: str, out: Path, on: datetime | None, by: str) -> None:
    """Hand a unit over that did not correct or refuses, with what was found and done as a file (.docx)."""
    day, zone = _day(on), settings().zone

    async def work(connection: psycopg.AsyncConnection) -> process.Review:
        before, facts = await reviews.read(connection, review)
        after = process.handed_over(before, reason, day)
        await reviews.keep(connection, review, after, by, "hand_over", note=reason)
        subjects = {one.number: one.subject for one in (await read_standards(connection)).review.items}
        said, taken = await reviews.recorded(connection, review), await reviews.photos(connection, review)
        write_handover(out, after, facts, said, subjects, taken, await reviews.history(connection, review), zone)
        return after

    _told(review, inside(work))
    say(out)


@command.command()
@_YEAR
@_OUT
def summary(*, year: int | None, out: Path) -> None:
    """Write the year's summary of the region and the register of who was reviewed (.xlsx)."""
    of = year or _today().year

    async def work(connection: psycopg.AsyncConnection) -> tuple[list[dict[str, Any]], int]:
        row = await (await connection.execute("select count(*) from unit")).fetchone()
        return await reviews.of_year(connection, of), 0 if row is None else int(row[0])

    rows, units = inside(work)
    figures = write_year(out, of, rows, units, _today())
    planned, concluded, overdue = figures["planned"], figures["concluded"], figures["overdue"]
    told(
        zh=f"{of} 年：计划 {planned} 家，已有结论 {concluded} 家，逾期 {overdue} 家",
        en=f"{of}: {planned} planned, {concluded} concluded, {overdue} overdue",
    )
    say(out)


@command.command()
@click.option("--unit", metavar="CODE", help="One unit; all without it.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File, ending in .csv.")
@_BY
def standing(*, unit: str | None, out: Path, by: str) -> None:
    """Write each unit's standing over the years, with a description beside it, for credit records."""
    if out.suffix != ".csv":
        raise click.BadParameter(f"must end in .csv (got {out.name!r})", param_hint="--out")
    rows = inside(lambda connection: read_standing(connection, unit))
    described = write_standing(out, rows, datetime.now(settings().zone), by)
    told(zh=f"{out}：{len(rows)} 行\n{described}", en=f"{out}: {len(rows)} rows\n{described}")


def _step(
    review: int,
    by: str,
    action: str,
    step: Callable[..., process.Review],
    given: Callable[[psycopg.AsyncConnection], Awaitable[T]] | None = None,
    *,
    note: str = "",
) -> None:
    """Take a step of a review, with what it needs of the database beside the review."""

    async def work(connection: psycopg.AsyncConnection) -> process.Review:
        before, _ = await reviews.read(connection, review)
        after = step(before) if given is None else step(before, await given(connection))
        await reviews.keep(connection, review, after, by, action, note=note)
        return after

    _told(review, inside(work))


def _told(review: int, after: process.Review) -> None:
    state = process.STATES[after.state]
    conclusion = process.CONCLUSIONS[after.conclusion] if after.conclusion else None
    zh = f"审查 {review}：{state.zh}" + (f"，{conclusion.zh}" if conclusion else "")
    en = f"review {review} is {state.en}" + (f", {conclusion.en}" if conclusion else "")
    if after.due:
        zh, en = f"{zh}，期限 {after.due}", f"{en}, due on {after.due}"
    if not after.due_certain:
        zh, en = f"{zh}（该年节假日未知）", f"{en} (no holidays are known of that year)"
    told(zh=zh, en=en)
