"""`meterwarden gaps`: evaluate spans without data by a written method, approve, take back (JJF 1356, 7.2)."""

from datetime import UTC, datetime, timedelta
from typing import Final

import click
import psycopg

from analytics.review.gaps import METHODS, Evaluation, GapRefused, like_days, neighbours
from deploy.commands.common.language import LANGUAGE
from deploy.commands.common.parameters import Instant
from deploy.commands.common.tables import AS_JSON, listed
from deploy.database import inside
from deploy.terminal import say
from streams.store.review import gaps

__all__ = ["command"]

_BY = click.option("--by", required=True, help="Who does it.")
_LOOK_BACK: Final = timedelta(days=22)
_LONGEST: Final = timedelta(days=31)


@click.group()
def command() -> None:
    """Evaluate missing data beside what was measured, never in it; approved by another person, taken back whole."""


@command.command("list")
@click.option("--unit", metavar="CODE")
@click.option("--all", "every", is_flag=True, help="Those that were withdrawn, too.")
@AS_JSON
def list_command(*, unit: str | None, every: bool, as_json: bool) -> None:
    """Show evaluations."""
    rows = inside(lambda connection: gaps.evaluations(connection, unit=unit, every=every))
    say(listed(rows, as_json=as_json))


@command.command()
@click.option("--unit", required=True, metavar="CODE")
@click.option("--point", required=True)
@click.option("--from", "since", type=Instant(), required=True, help="First hour without data.")
@click.option("--to", "until", type=Instant(), required=True, help="End of the last one.")
@click.option("--method", type=click.Choice([*METHODS]), required=True)
@click.option("--amount", type=click.FloatRange(min=0), help="Of the methods that are not worked out here.")
@click.option("--procedure", default="", help="How it was done; worked out for neighbours and like_days.")
@click.option("--reliability", default="", help="Why it is to be believed; likewise.")
@LANGUAGE
@_BY
def fill(
    *,
    unit: str,
    point: str,
    since: datetime,
    until: datetime,
    method: str,
    amount: float | None,
    procedure: str,
    reliability: str,
    language: str,
    by: str,
) -> None:
    """Evaluate a span of full hours without evidence; it waits for approval."""
    _check_span(since, until)
    worked_out = method in {"neighbours", "like_days"}
    if worked_out == (amount is not None):
        raise click.UsageError("--amount is of check_meter, balance and manual, and needed for these")

    async def work(connection: psycopg.AsyncConnection) -> tuple[int, float]:
        inputs: dict[str, object] = {}
        value, how, why = amount, procedure, reliability
        if worked_out:
            hours = await gaps.measured_hours(connection, unit, point, since - _LOOK_BACK, until)
            made = _worked_out(method, hours, since, until)
            value, inputs = made.amount, {"hours": made.hours}
            how, why = how or made.procedure.of(language), why or made.reliability.of(language)
        if value is None or not how.strip() or not why.strip():
            raise GapRefused("--procedure and --reliability must be given for this method (JJF 1356, 7.2)")
        facts = {"amount": value, "method": method, "procedure": how, "reliability": why, "inputs": inputs, "by": by}
        return await gaps.fill(connection, unit, point, since, until, **facts), value  # type: ignore[arg-type]  # by name

    identity, value = inside(work)
    say(f"evaluation {identity} of {point}: {value:g}, waits for approval")


def _check_span(since: datetime, until: datetime) -> None:
    for name, one in (("--from", since), ("--to", until)):
        if one.astimezone(UTC).replace(minute=0, second=0, microsecond=0) != one:
            raise click.BadParameter(f"must be a full hour (got {one})", param_hint=name)
    if not timedelta() < until - since <= _LONGEST:
        raise click.BadParameter(f"must be up to {_LONGEST.days} days after --from (got {until})", param_hint="--to")
    if until > datetime.now(UTC):
        raise click.BadParameter(f"must not lie in the future (got {until})", param_hint="--to")


def _worked_out(method: str, hours: dict[int, float], since: datetime, until: datetime) -> Evaluation:
    start, end = (int(one.timestamp() // 3600) for one in (since, until))
    return like_days(hours, start, end) if method == "like_days" else neighbours(hours, start, end)


@command.command()
@click.argument("evaluation", type=int)
@_BY
def approve(evaluation: int, *, by: str) -> None:
    """Approve an evaluation that somebody else made."""
    inside(lambda connection: gaps.approve(connection, evaluation, by))
    say(f"evaluation {evaluation} is approved")


@command.command()
@click.argument("evaluation", type=int)
@click.option("--reason", required=True)
@_BY
def withdraw(evaluation: int, *, reason: str, by: str) -> None:
    """Take an evaluation back; it stays on file."""
    inside(lambda connection: gaps.withdraw(connection, evaluation, by, reason))
    say(f"evaluation {evaluation} is withdrawn")
