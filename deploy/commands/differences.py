"""`meterwarden differences`: what registers rose by and nobody could explain, and a person's word on it."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, LiteralString
from zoneinfo import ZoneInfo

import click

from deploy.commands.common.language import Bilingual, shown, told
from deploy.commands.common.parameters import ZoneName
from deploy.commands.common.tables import AS_JSON
from deploy.settings import load as settings
from deploy.stack import Stack
from streams.store.ledger import LoadReport
from streams.store.ledger.differences import decide
from streams.store.postgres.connections import connected, connected_blocking

__all__ = ["command"]

_OPEN: Final = """
select u.code, m.meter_no, d.started_at, (d.evidence ->> 'before')::float8, (d.evidence ->> 'at')::float8,
       d.unexplained, s.symbol, d.evidence ->> 'unit'
from detection d
join unit u on u.id = d.unit_id
join meter m on m.id = d.meter_id
join metering_point p on p.id = d.point_id
left join measure_unit s on s.code = p.amount_unit
where d.kind = 'jump' and d.state <> 'withdrawn' and d.unexplained > 0
order by d.started_at
"""
_DECIDED: Final = "select loaded_at, source from ledger_version where source like 'difference %' order by id"
_ZONE = click.option("--zone", type=ZoneName(), help="Zone of local times; else that of the settings.")
_AT = click.option(
    "--at", "at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]), required=True,
    help="When the dial was first read after the jump, as `list` gives it.",
)  # fmt: skip
_WHO = click.option("--by", "who", required=True, help="Who decides.")
_WHY = click.option("--reason", "why", required=True, help="Why; kept with the ledger.")


def _decision(command: Callable[..., None]) -> Callable[..., None]:
    """Arguments and options of a command that decides on a difference."""
    for option in (_ZONE, _WHY, _WHO, _AT, click.argument("meter_no"), click.argument("unit_code")):
        command = option(command)
    return command


@click.group(cls=Bilingual)
def command() -> None:
    """Differences of registers that nobody could explain: list them, count them as use, or leave them out."""


@command.command("list")
@_ZONE
@AS_JSON
def list_command(zone: ZoneInfo | None, *, as_json: bool) -> None:
    """List differences that wait for a decision, and those decided."""
    zone = zone or settings().zone
    if as_json:
        names = ("unit_code", "meter_no", "at", "dial_before", "dial_after", "unexplained", "unit", "dial_unit")
        rows = [dict(zip(names, row, strict=True)) for row in _fetched(_OPEN)]
        shown(rows, as_json=True)
        return
    for code, meter_no, at, before, after, amount, symbol, dial_unit in _fetched(_OPEN):
        when = f"{code} {meter_no} {at.astimezone(zone):%Y-%m-%d %H:%M:%S}"
        told(
            zh=f"{when}：示值 {before:.12g} → {after:.12g} {dial_unit}，未解释差额 {amount:,.12g} {symbol}",
            en=f"{when}: dial {before:.12g} -> {after:.12g} {dial_unit}, {amount:,.12g} {symbol} not explained",
        )
    for loaded_at, source in _fetched(_DECIDED):
        day = f"{loaded_at.astimezone(zone):%Y-%m-%d %H:%M}"
        told(zh=f"{day} 已处理：{source}", en=f"decided {day}: {source}")


@command.command()
@_decision
def count(unit_code: str, meter_no: str, at: datetime, who: str, why: str, zone: ZoneInfo | None) -> None:
    """Count a difference as used; the hours since are worked out anew."""
    _decide(unit_code, meter_no, at, zone, f"counted by {who}: {why}", count=True)


@command.command()
@_decision
def leave(unit_code: str, meter_no: str, at: datetime, who: str, why: str, zone: ZoneInfo | None) -> None:
    """Leave a difference out for good: it was not used."""
    _decide(unit_code, meter_no, at, zone, f"left out by {who}: {why}", count=False)


@command.command()
@_decision
def undo(unit_code: str, meter_no: str, at: datetime, who: str, why: str, zone: ZoneInfo | None) -> None:
    """Take a decision back; what follows is worked out as before it."""
    _decide(unit_code, meter_no, at, zone, f"undone by {who}: {why}", count=None)


def _decide(
    unit_code: str, meter_no: str, at: datetime, zone: ZoneInfo | None, what: str, *, count: bool | None
) -> None:
    instant = at.replace(tzinfo=zone or settings().zone)
    report = asyncio.run(_decided(unit_code, meter_no, instant, what, count=count))
    for fault in report.faults:
        raise click.ClickException(f"required: {fault.required}; got: {fault.got}")
    about = f"{unit_code} {meter_no} {instant:%Y-%m-%d %H:%M}"
    told(zh=f"{about}：{what}；台账第 {report.version} 版", en=f"{about}: {what}; ledger {report.version}")


async def _decided(unit_code: str, meter_no: str, at: datetime, what: str, *, count: bool | None) -> LoadReport:
    async with connected(Stack(settings()).dsn, "differences") as connection:
        return await decide(connection, unit_code, meter_no, at, what, count=count)


def _fetched(query: LiteralString) -> list[tuple[Any, ...]]:
    with connected_blocking(Stack(settings()).dsn, "differences") as connection:
        return connection.execute(query).fetchall()
