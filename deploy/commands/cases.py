"""`meterwarden cases`: from the alert to the verdict, the order and the re-check."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
import psycopg

from analytics.alerting.case import ACTIONS, Action
from analytics.domain.words import SITE_VERDICTS
from deploy.alerting import alert_config
from deploy.commands.common.parameters import CaseNumber, number_of
from deploy.commands.common.tables import AS_JSON, listed
from deploy.database import inside
from deploy.settings import load as settings
from deploy.terminal import say
from streams.alerts.cases import attach, open_case, take_step
from streams.alerts.people import person_of, rows

__all__ = ["command"]

_AS = click.option("--as", "login", required=True, metavar="LOGIN", help="Who does it.")
_NOTE = click.option("--note", default="", help="A remark for the history.")


@click.group()
def command() -> None:
    """Follow an alert until what was found is corrected."""


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that are closed, too.")
@AS_JSON
def list_cases(*, everything: bool, as_json: bool) -> None:
    """Show the cases that are open, the most urgent first."""
    query = """
    select number as case, state, due_on, overdue, unit_name, point, kind, assignee, verdict
    from case_list where %s or closed_at is null order by due_on nulls last, id limit 200
    """
    _show(query, (everything,), as_json=as_json)


@command.command()
@click.argument("case", type=CaseNumber())
@AS_JSON
def show(case: int, *, as_json: bool) -> None:
    """Show every step of a case."""
    query = "select at, by_name as by, action, state, note, facts from case_history where case_id = %s order by id"
    _show(query, (case,), as_json=as_json)


@command.command("open")
@click.argument("alert", type=int)
@_AS
def open_one(alert: int, *, login: str) -> None:
    """Open the case of an alert."""

    async def work(connection: psycopg.AsyncConnection) -> int:
        person = await person_of(connection, login=login)
        return await open_case(connection, alert, person.actor, datetime.now(UTC), alert_config(settings()))

    say(f"case {number_of(inside(work))}")


@command.command()
@click.argument("case", type=CaseNumber())
@click.argument("action", type=click.Choice([name for name in ACTIONS if name != "attach"]))
@_AS
@_NOTE
@click.option("--assignee", metavar="LOGIN", help="Of dispatch and hand_over.")
@click.option("--verdict", type=click.Choice([*SITE_VERDICTS]), help="Of verdict.")
@click.option("--found-on", type=click.DateTime(["%Y-%m-%d"]), help="Of verdict; today without it.")
@click.option("--days", type=int, help="Of order and fail: working days.")
@click.option("--energy-recovered", type=float, help="Of pass and close.")
def step(case: int, action: str, *, login: str, note: str, found_on: datetime | None, **facts: Any) -> None:
    """Take a step of a case."""
    given: dict[str, Any] = {key: value for key, value in facts.items() if value is not None}
    if found_on is not None:
        given["found_on"] = date(found_on.year, found_on.month, found_on.day)

    async def work(connection: psycopg.AsyncConnection) -> str:
        config, now = alert_config(settings()), datetime.now(UTC)
        person = await person_of(connection, login=login)
        taken = Action(name=action, at=now, today=now.astimezone(config.zone).date(), facts=given, note=note)
        after = await take_step(connection, case, taken, person.actor, config)
        due = f", due on {after.due.day}" if after.due else ""
        guessed = "" if after.due is None or after.due.certain else " (no holidays are known of that year)"
        return f"case {number_of(case)} is {after.state}{due}{guessed}"

    say(inside(work))


@command.command("attach")
@click.argument("case", type=CaseNumber())
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_AS
@_NOTE
def attach_file(case: int, file: Path, *, login: str, note: str) -> None:
    """Attach a JPEG, PNG or PDF to a case."""
    content = file.read_bytes()

    async def work(connection: psycopg.AsyncConnection) -> int:
        config, now = alert_config(settings()), datetime.now(UTC)
        person = await person_of(connection, login=login)
        action = Action(name="attach", at=now, today=now.astimezone(config.zone).date(), note=note)
        return await attach(connection, case, file.name, content, action, person.actor, config)

    say(f"file {inside(work)} of case {number_of(case)}")


def _show(query: str, parameters: Any, *, as_json: bool) -> None:
    async def work(connection: psycopg.AsyncConnection) -> list[dict[str, Any]]:
        return await rows(connection, query, parameters)

    say(listed(inside(work), as_json=as_json))
