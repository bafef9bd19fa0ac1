"""`meterwarden people`: who is notified, who may act, and their tokens."""

from datetime import UTC, datetime, timedelta
from typing import Any

import click
import psycopg

from deploy.commands.common.language import option
from deploy.commands.common.tables import AS_JSON, listed
from deploy.database import inside
from deploy.settings import load
from deploy.stack import Stack
from deploy.terminal import counted, say
from streams.alerts.people import add_person, end_person, new_token, person_of, revoke_tokens, rows
from streams.alerts.sign_in import end_sessions, make_administrator
from streams.alerts.sign_in import invite as sign_in_link

__all__ = ["command"]


@click.group()
def command() -> None:
    """Enter who is notified of alerts and who may act on them."""


@command.command()
@click.argument("login")
@click.option("--name", required=True)
@click.option("--role", type=click.Choice(["staff", "inspector", "enterprise", "operator"]), required=True)
@click.option("--unit", default="", metavar="CODE", help="Whose; of the enterprise's role alone.")
@option("zh", "Of what the person is sent and sees.")
@click.option("--channel", default="", help="A name of the channels' file; without it nothing is sent.")
@click.option("--address", default="", help="What {address} in the channel's URL stands for.")
def add(**facts: str) -> None:
    """Enter a person, or change what is known of one."""

    async def work(connection: psycopg.AsyncConnection) -> int:
        return await add_person(connection, **facts)

    inside(work)
    say(f"{facts['login']} is entered")


@command.command("list")
@AS_JSON
def list_people(*, as_json: bool) -> None:
    """Show who is entered."""

    async def work(connection: psycopg.AsyncConnection) -> list[dict[str, Any]]:
        query = """
        select p.login, p.name, p.role, u.code as unit, p.channel, p.address, p.active,
               (select count(*) from api_token t where t.person_id = p.id and t.revoked_at is null
                   and t.expires_at > now()) as tokens
        from person p left join unit u on u.id = p.unit_id order by p.login
        """
        return await rows(connection, query)

    say(listed(inside(work), as_json=as_json))


@command.command()
@click.argument("login")
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="How long it holds.")
@click.option("--label", default="", help="What it is for.")
def token(login: str, *, days: int, label: str) -> None:
    """Make a token for the HTTP API; it is shown this once."""

    async def work(connection: psycopg.AsyncConnection) -> str:
        person = await person_of(connection, login=login)
        expires_at = datetime.now(UTC) + timedelta(days=days)
        return await new_token(connection, person.id, label=label, expires_at=expires_at)

    say(inside(work))


@command.command()
@click.argument("login")
@click.option(
    "--administrator/--no-administrator", default=None, help="May, or may no longer, enter people on the pages."
)
def invite(login: str, *, administrator: bool | None) -> None:
    """Make a one-time link by which a person chooses a password for the pages; earlier links act no more."""

    async def work(connection: psycopg.AsyncConnection) -> str:
        person = await person_of(connection, login=login)
        if administrator is not None:
            await make_administrator(connection, person.id, administrator=administrator)
        return await sign_in_link(connection, person, datetime.now(UTC))

    token = inside(work)
    url = Stack(load()).pages_url
    say(f"{url}/invitation/{token} (once, within 24 h)")


@command.command()
@click.argument("login")
def sign_out(login: str) -> None:
    """End all sessions and sign-in links of a person."""

    async def work(connection: psycopg.AsyncConnection) -> int:
        return await end_sessions(connection, (await person_of(connection, login=login)).id)

    say(f"{inside(work)} sessions of {login} are ended")


@command.command()
@click.argument("login")
def end(login: str) -> None:
    """Let a person in no longer: tokens end, links act no more, nothing is sent; the histories keep the name."""

    async def work(connection: psycopg.AsyncConnection) -> tuple[int, int]:
        return await end_person(connection, (await person_of(connection, login=login)).id)

    tokens, messages = inside(work)
    say(f"{login} is let in no longer: {counted(tokens, 'token')} ended, {counted(messages, 'message')} not sent")


@command.command()
@click.argument("login")
def revoke(login: str) -> None:
    """End all tokens of a person."""

    async def work(connection: psycopg.AsyncConnection) -> int:
        return await revoke_tokens(connection, (await person_of(connection, login=login)).id)

    say(f"{inside(work)} tokens of {login} are ended")
