"""`meterwarden gateways`: who may bring readings, of which energy-using units, and their tokens."""

from datetime import UTC, datetime, timedelta
from typing import Any

import click
import psycopg

from analytics.domain.errors import MeterwardenError, RegistryError
from dashboards.web.work_words import GATEWAY_STATES
from deploy.commands.common.language import Bilingual, shown, told
from deploy.commands.common.parameters import Instant
from deploy.commands.common.tables import AS_JSON
from deploy.database import inside
from deploy.settings import load
from deploy.stack import Stack
from deploy.terminal import say
from ingest.gateway.access import inbox_of
from streams.store.access.gateway_state import forget_state
from streams.store.access.gateways import (
    add_gateway,
    bind,
    end_gateway,
    list_gateways,
    mark_kafka,
    read_bindings,
    rotate,
    unknown_units,
)

__all__ = ["command"]

_UNITS = click.option("--unit", "units", multiple=True, metavar="CODE", help="A unit that it may send; repeat it.")
_ALL = click.option("--all-units", is_flag=True, help="It may send those of every unit: a collector of the authority.")


@click.group(cls=Bilingual)
def command() -> None:
    """Enter who may bring readings, of which energy-using units."""


@command.command()
@click.argument("name")
@_UNITS
@_ALL
@click.option("--from", "valid_from", type=Instant(), help="When it begins to hold; now without it.")
@click.option("--until", "valid_to", type=Instant(), help="When it ends; never without it.")
@click.option("--note", default="", help="What it is, for people.")
def add(
    name: str,
    *,
    units: tuple[str, ...],
    all_units: bool,
    valid_from: datetime | None,
    valid_to: datetime | None,
    note: str,
) -> None:
    """Enter a gateway; its token is shown this once."""

    async def work(connection: psycopg.AsyncConnection) -> tuple[str, list[str]]:
        token = await add_gateway(
            connection,
            name,
            unit_codes=units,
            all_units=all_units,
            valid_from=valid_from,
            valid_to=valid_to,
            note=note,
        )
        return token, await unknown_units(connection, units)

    token, unknown = inside(work)
    _warn(unknown)
    told(
        zh=f"已登记 {name}；HTTP 和 MQTT 用的令牌如下，仅显示这一次：",
        en=f"{name} is entered; its token for HTTP and MQTT, shown this once:",
        err=True,
    )
    say(token)


@command.command("list")
@AS_JSON
def list_all(*, as_json: bool) -> None:
    """Show who is entered."""
    found: list[dict[str, Any]] = inside(list_gateways)
    shown(found, as_json=as_json, words={"state": GATEWAY_STATES})


@command.command("bind")
@click.argument("name")
@_UNITS
@_ALL
def bind_units(name: str, *, units: tuple[str, ...], all_units: bool) -> None:
    """Let a gateway send these units instead of those that it had."""

    async def work(connection: psycopg.AsyncConnection) -> list[str]:
        await bind(connection, name, unit_codes=units, all_units=all_units)
        return await unknown_units(connection, units)

    _warn(inside(work))
    told(
        zh=f"{name} 可报送：{'全部用能单位' if all_units else '、'.join(units)}",
        en=f"{name} may send {'all units' if all_units else ' '.join(units)}",
    )


@command.command("rotate")
@click.argument("name")
@click.option(
    "--overlap",
    type=click.IntRange(0, 24 * 90),
    default=0,
    show_default=True,
    help="How long the token before it still holds. [h]",
)
def rotate_token(name: str, *, overlap: int) -> None:
    """Give a gateway a new token, shown this once."""

    async def work(connection: psycopg.AsyncConnection) -> str:
        return await rotate(connection, name, overlap=timedelta(hours=overlap))

    say(inside(work))


@command.command("kafka")
@click.argument("name")
def give_login(name: str) -> None:
    """Let a gateway send by Kafka, or give it a new password there; the password is shown this once.

    It logs in as NAME (SCRAM-SHA-512) and may send to its own inbox, metering.inbox.NAME. What is of its units goes on
    from there, what is not is refused with the reason.
    """
    from deploy.stack.kafka_gateways import let_in  # noqa: PLC0415 - slow to import, and the other commands need it not
    from deploy.stack.kafka_quotas import share_of  # noqa: PLC0415 - likewise

    stack = Stack(load())
    found = inside(read_bindings).get(name)
    if found is None or (found.valid_to is not None and found.valid_to <= datetime.now(UTC)):
        raise RegistryError(f"a gateway must be one that is entered and not over (got {name!r})")
    since = datetime.now(UTC)
    password = stack.gateway_password(name, since)
    password = let_in(stack.access, name, share=share_of(stack.settings.kafka), known=found.kafka, password=password)
    inside(lambda connection: mark_kafka(connection, name, since))
    inbox, door = inbox_of(name), _door(stack)
    told(zh=f"{name} 发往 {door} 的 {inbox}", en=f"{name} sends to {inbox} at {door}", err=True)
    say(password)


@command.command()
@click.argument("name")
def end(name: str) -> None:
    """Let a gateway in no longer; one beside the database that is not entered is no longer watched."""

    async def work(connection: psycopg.AsyncConnection) -> bool | None:
        known = (await read_bindings(connection)).get(name)
        if known is None and await forget_state(connection, name):
            return None
        await end_gateway(connection, name)
        return known is not None and known.kafka

    has_login = inside(work)
    if has_login is None:
        told(zh=f"{name} 不再监视，待其再次上报", en=f"{name} is not watched until it reports again")
        return
    if has_login:
        from deploy.stack.kafka_gateways import keep_out  # noqa: PLC0415 - as above

        try:
            keep_out(Stack(load()).access, name)
        except MeterwardenError:
            inside(lambda connection: mark_kafka(connection, name, datetime.now(UTC)))
            told(
                zh=f"其读数自此拒收；再次运行 end {name} 后，其 Kafka 登录方才停用",
                en=f"its readings are refused from now on; its login in Kafka ends when `end {name}` is run again",
                err=True,
            )
            raise
    told(zh=f"{name} 已停用", en=f"{name} is let in no longer")


def _door(stack: Stack) -> str:
    kafka = stack.settings.kafka
    if kafka.bootstrap is not None or not kafka.gateway_port:
        return stack.bootstrap
    return f"{kafka.gateway_host}:{kafka.gateway_port}"


def _warn(unknown: list[str]) -> None:
    if unknown:
        told(
            zh=f"台账中尚无用能单位 {'、'.join(unknown)}：载入台账前其读数一律拒收",
            en=f"the ledger has no unit {', '.join(unknown)} yet: its readings are refused until it has",
            err=True,
        )
