"""`meterwarden dashboards`: apply, remove, write."""

import csv
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, cast

import click
import psycopg
from psycopg.conninfo import conninfo_to_dict

from analytics.domain.errors import ConfigurationError
from analytics.domain.words import LANGUAGES, Language
from deploy.grafana.apply import Applier
from deploy.grafana.files import write as write_files
from deploy.grafana.plan import Step
from deploy.grafana.reach import reach
from deploy.grafana.roles import Book, enrol, new_password, units
from deploy.grafana.server import Grafana
from deploy.grafana.wanted import TEAMS, Connection, wanted
from deploy.settings import Settings, load
from deploy.stack import Stack
from deploy.terminal import say
from streams.store.postgres.connections import connected_blocking

__all__ = ["command"]

_STAFF: Final = "Meterwarden"
_STEPS_SHOWN: Final = 40


@click.group()
def command() -> None:
    """The boards: one organization for the staff, one for each unit, each with a database role of its own."""


_seen = click.option("--database-at", metavar="HOST:PORT", help="Where Grafana finds the database; else as here.")
_staff = click.option("--staff", default=_STAFF, show_default=True, help="Name of the staff's organization.")


@command.command()
@_seen
@_staff
@click.option("--unit", "only", multiple=True, metavar="CODE", help="Leave other units of the ledger as they are.")
@click.option("--rotate-days", default=90.0, show_default=True, help="Change passwords older than this; 0 changes all.")
@click.option("--members", type=click.Path(path_type=Path, exists=True), help="CSV of login, unit_code, role, team.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--plan", "plan_only", is_flag=True, help="Show what would be done, and stop.")
def apply(
    database_at: str | None, staff: str, only: tuple[str, ...], rotate_days: float, members: Path | None, yes: bool,
    plan_only: bool,
) -> None:  # fmt: skip
    """Put everything into Grafana that is not there yet. Shows its plan first; safe to repeat at any time."""
    settings = load()
    with _applier(settings, database_at, staff, frozenset(only) or None) as applier:
        _do(applier, applier.plan(rotate_days=rotate_days), yes=yes, plan_only=plan_only)
        if plan_only:
            return
        if members is not None:
            applier.members(_people(members))
        for name, fault in applier.sick().items():
            say(f"the data source of {name} does not answer: {fault}", err=True)


@command.command()
@_seen
@_staff
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--plan", "plan_only", is_flag=True, help="Show what would be done, and stop.")
def remove(database_at: str | None, staff: str, yes: bool, plan_only: bool) -> None:
    """Take out of Grafana what `apply` put in, and nothing else."""
    with _applier(load(), database_at, staff, None) as applier:
        _do(applier, applier.plan(rotate_days=float("inf"), remove=True), yes=yes, plan_only=plan_only)


@command.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@_seen
@_staff
@click.option("--unit", metavar="CODE", help="For the organization of this unit; else for the staff's.")
@click.option("--org", default=1, show_default=True, help="Id of the organization in Grafana.")
@click.option("--language", type=click.Choice(LANGUAGES), multiple=True, help="Else both.")
@click.option("--new-password", "renew", is_flag=True, help="Give the role a new password and write it down.")
def write(
    directory: Path, database_at: str | None, staff: str, unit: str | None, org: int, language: tuple[str, ...],
    renew: bool,
) -> None:  # fmt: skip
    """Write files for Grafana's file provisioning into DIRECTORY."""
    settings = load()
    languages = cast("tuple[Language, ...]", language or LANGUAGES)
    with _owner(settings) as connection:
        chosen = [one for one in units(connection) if one.code == unit]
        if unit is not None and not chosen:
            raise ConfigurationError(f"--unit must be a unit of the ledger (got {unit!r})")
        want = wanted(
            chosen,
            enrol(connection, chosen),
            _connection(connection, database_at),
            staff=staff,
            languages=languages,
            pages=settings.pages.url,
        )[-1]
        role = want.datasource["user"]
        password = new_password(connection, role) if renew else None
        files = write_files(directory, want, org_id=org, password=password)
        if renew:
            Book(connection, "").handed(role)
    for file in files:
        say(file)
    if not renew:
        say(f"the password of {role} comes from METERWARDEN_DATASOURCE_PASSWORD in Grafana's environment")


def _do(applier: Applier, steps: list[Step], *, yes: bool, plan_only: bool) -> None:
    if not steps:
        say("everything is as it should be")
        return
    organization = None
    for step in steps[:_STEPS_SHOWN]:
        if step.organization != organization:
            organization = step.organization
            say(organization)
        say(f"  {step}")
    if len(steps) > _STEPS_SHOWN:
        say(f"  … and {len(steps) - _STEPS_SHOWN} more")
    if plan_only:
        return
    if not yes:
        click.confirm(f"take these {len(steps)} steps?", abort=True)
    with click.progressbar(length=len(steps), label=f"{len(steps)} steps") as bar:
        applier.take(steps, lambda _step: bar.update(1))


@contextmanager
def _applier(settings: Settings, database_at: str | None, staff: str, only: frozenset[str] | None) -> Iterator[Applier]:
    grafana = settings.grafana
    if grafana.url is None or grafana.password is None:
        raise ConfigurationError(
            "METERWARDEN_GRAFANA and METERWARDEN_GRAFANA_PASSWORD must name a Grafana (9.4 or later) and its "
            "administrator's password (got none)"
        )
    server = Grafana(grafana.url, user=grafana.user, password=grafana.password, zone=settings.zone.key)
    with closing(server), _owner(settings) as connection:
        say(f"Grafana {server.version()} at {grafana.url}")
        seen, pages = _connection(connection, database_at), settings.pages.url
        yield Applier(server, connection, seen, staff=staff, only=only, pages=pages)


@contextmanager
def _owner(settings: Settings) -> Iterator[psycopg.Connection]:
    with connected_blocking(Stack(settings).address("boards"), "dashboards") as connection:
        if connection.execute("select to_regclass('board.organization')").fetchone() == (None,):
            raise ConfigurationError("the database must be of this version: run `meterwarden migrate` first")
        yield connection


def _connection(connection: psycopg.Connection, database_at: str | None) -> Connection:
    """How a data source reaches the database that we are connected to."""
    info = connection.info
    return reach(conninfo_to_dict(info.dsn), database=info.dbname, at=database_at or f"{info.host}:{info.port}")


def _people(file: Path) -> list[tuple[str, str, str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for number, row in enumerate(rows, 2):
        if not row.get("login") or row.get("role", "Viewer") not in {"Viewer", "Editor", "Admin"}:
            raise ConfigurationError(
                f"{file} row {number} must have a login, and a role of Viewer, Editor or Admin (got {row})"
            )
        if row.get("team") and (row["team"] not in TEAMS or row.get("unit_code")):
            raise ConfigurationError(
                f"{file} row {number}: a team must be of the staff, and one of {', '.join(TEAMS)} (got {row})"
            )
    return [
        (row["login"], row.get("unit_code") or "", row.get("role") or "Viewer", row.get("team") or "") for row in rows
    ]
