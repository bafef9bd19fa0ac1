"""`meterwarden alerts`: rules, what stands, what was sent, and planned work."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import psycopg

from analytics.alerting.rehearsal import Rehearsed
from analytics.alerting.rules import Rules
from deploy.alerting import alert_config
from deploy.channels import channels_text, read_text
from deploy.commands.common.parameters import Instant
from deploy.commands.common.tables import AS_JSON, listed
from deploy.database import inside
from deploy.settings import load as settings
from deploy.stack.places import Places
from deploy.terminal import counted, say
from streams.alerts.channels import deliver, read_channels
from streams.alerts.config import read_rules, shipped_rules
from streams.alerts.outbox import resend
from streams.alerts.people import acknowledge, person_of, rows, silence
from streams.alerts.rehearsing import rehearsed

__all__ = ["command"]

_OUTBOX: Final = """
select channel, '' as recipient, state, messages, attempts, last_sent_at,
       case state when 'waiting' then next_at end as waiting_until, left(last_error, 60) as last_error
from outbox_state
union all
select '', recipient, 'held', jsonb_array_length(life -> 'waiting'), 0, null, next_at, null
from alert_mailbox where jsonb_array_length(life -> 'waiting') > 0
order by 1, 2, 3
"""
"""Messages by channel, and what quiet hours and rates hold back for each recipient until when."""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_AS = click.option("--as", "login", required=True, metavar="LOGIN", help="Who does it.")


@click.group()
def command() -> None:
    """Who is notified of what, what stands, and what was sent."""


@command.command()
@click.argument("file", type=_FILE)
def check(file: Path) -> None:
    """Report every fault of a file of rules, without loading it."""
    say(_said("right", read_rules(read_text(file, "FILE"), str(file))))


@command.command("load")
@click.argument("file", type=_FILE)
def load_rules(file: Path) -> None:
    """Put a file of rules in force: all of it, or nothing where it has a fault."""
    text = read_text(file, "FILE")
    rules = read_rules(text, str(file))

    async def work(connection: psycopg.AsyncConnection) -> None:
        await connection.execute(
            "insert into alert_rules (source, body, loaded_by) values (%s, %s, current_user)", (file.name, text)
        )

    inside(work)
    say(_said("in force", rules))


@command.command("rules")
@click.option("--shipped", is_flag=True, help="Those that ship, to begin a file with.")
def show_rules(*, shipped: bool) -> None:
    """Print the rules in force."""

    async def work(connection: psycopg.AsyncConnection) -> str:
        found = await rows(connection, "select body from alert_rules order by id desc limit 1")
        return str(found[0]["body"]) if found else shipped_rules()

    say(shipped_rules() if shipped else inside(work), nl=False)


@command.command("channels")
def check_channels() -> None:
    """Check the channels' file, and list the channels without their secrets."""
    path = settings().alerts.channels
    for name, channel in read_channels(channels_text(settings()), str(path)).items():
        picture = "with pictures" if channel.pictures else "text alone"
        say(f"{name}: {channel.url.partition(':')[0]}, {channel.per_minute} a minute, {picture}")


@command.command("test")
@click.option("--channel", required=True, help="A name of the channels' file.")
@click.option("--to", "address", default="", help="What {address} in its URL stands for.")
def test_channel(channel: str, address: str) -> None:
    """Send one test message by a channel, now; nothing is stored, and the exit code is 1 where it was not taken."""
    channels = read_channels(channels_text(settings()), str(settings().alerts.channels))
    if channel not in channels:
        raise click.BadParameter(f"--channel must be one of {', '.join(channels) or 'none'} (got {channel})")
    if "{address}" in channels[channel].url and not address:
        raise click.BadParameter(f"the URL of channel {channel} holds {{address}}: --to must be given")
    at = datetime.now(settings().zone)
    delivery = deliver(
        channels[channel], address=address, key=f"test-{at:%Y%m%d%H%M%S}", severity="info", picture=None,
        title="Meterwarden 测试消息 / test message",
        body=f"{at:%Y-%m-%d %H:%M:%S}：通道 {channel} 可用，无需处理。\n"
        f"Channel {channel} works; nothing is to be done.",
    )  # fmt: skip
    say(delivery.said)
    if not delivery.sent:
        raise click.exceptions.Exit(1)


@command.command("dry-run")
@click.option("--since", type=Instant(), required=True, help="From this day or time on.")
@click.option("--rules", "file", type=_FILE, help="These rules, instead of those in force.")
@click.option("--full", is_flag=True, help="With the text of each message.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def dry_run(*, since: datetime, file: Path | None, full: bool, as_json: bool) -> None:
    """Show what rules would have sent if nobody had answered; nothing is sent or kept."""
    given = None if file is None else read_rules(read_text(file, "--rules"), str(file))
    until = datetime.now(UTC)

    zone = settings().zone
    sent, signals = inside(lambda connection: rehearsed(connection, given, since=since, until=until, zone=zone))
    for one in sent:
        at = one.at.astimezone(settings().zone)
        if as_json:
            say(json.dumps({**_object(one), "at": at.isoformat()}, ensure_ascii=False))
        else:
            say(f"{at:%m-%d %H:%M}  {one.recipient:<20} {one.title}")
            if full:
                say("".join(f"    {line}\n" for line in one.body.splitlines()))
    if not as_json:
        recipients = sorted({one.recipient for one in sent})
        each = ", ".join(f"{name} {sum(one.recipient == name for one in sent)}" for name in recipients)
        say(f"{counted(len(sent), 'message')} of {signals} detections and findings" + (f": {each}" if each else ""))


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@AS_JSON
def list_alerts(*, everything: bool, limit: int, as_json: bool) -> None:
    """Show the alerts that stand, the newest first."""
    query = """
    select id, severity, state, to_char(since at time zone local_zone(), 'MM-DD HH24:MI') as since, detections,
           title_zh, coalesce(acknowledged_by, '') as with, coalesce(case_number, '') as case
    from alert_list where %s or state not in ('cleared', 'dropped') order by id desc limit %s
    """
    _show(query, (everything, limit), as_json=as_json)


@command.command()
@click.argument("alert", type=int)
@_AS
@click.option("--note", default="", help="What is being done.")
def ack(alert: int, *, login: str, note: str) -> None:
    """Take care of an alert: it is not escalated further."""
    config = alert_config(settings())

    async def work(connection: psycopg.AsyncConnection) -> None:
        person = await person_of(connection, login=login)
        await acknowledge(connection, alert, person, datetime.now(UTC), config, note)

    inside(work)
    say(f"alert {alert} is with {login}")


@command.command("silence")
@click.option("--unit", default="", metavar="CODE", help="Of this unit; all units without it.")
@click.option("--point", default="", metavar="CODE", help="Of this metering point alone.")
@click.option("--kind", default="", help="Of this kind alone.")
@click.option("--from", "starts_at", type=Instant(), help="From then on; now without it.")
@click.option("--to", "ends_at", type=Instant(), required=True, help="Until then.")
@click.option("--reason", required=True)
@_AS
def plan(*, login: str, starts_at: datetime | None, ends_at: datetime, **what: str) -> None:
    """Plan work: no alert is sent for what it covers; alerts that still stand afterwards are."""
    begin = starts_at or datetime.now(UTC)
    if ends_at <= begin:
        raise click.BadParameter(f"--to must be after {begin.isoformat()} (got {ends_at.isoformat()})")

    async def work(connection: psycopg.AsyncConnection) -> int:
        person = await person_of(connection, login=login)
        return await silence(connection, person, starts_at=begin, ends_at=ends_at, **what)

    say(f"silence {inside(work)} until {ends_at.isoformat()}")


@command.command()
@click.option("--resend", "again", is_flag=True, help="Take up again what was given up.")
@click.option("--failed", is_flag=True, help="Each message that was given up or does not get through.")
@AS_JSON
def outbox(*, again: bool, failed: bool, as_json: bool) -> None:
    """Show how many messages wait and until when, went and failed, and what is held for whom."""
    if again:

        async def work(connection: psycopg.AsyncConnection) -> int:
            return await resend(connection, None)

        say(f"{inside(work)} messages wait again")
    elif failed:
        _show(
            "select id, channel, recipient, state, attempts, title, error from alert_message "
            "where state <> 'sent' and error is not null order by id desc limit 100",
            as_json=as_json,
        )
    else:
        _show(_OUTBOX, as_json=as_json)


@command.command("renew-links")
def renew_links() -> None:
    """Make a new secret for the links of messages: all that were sent before act no longer."""
    Places.of(settings()).new_secret("links")
    say("links that were sent before act no longer")


@command.command("set-aside")
@click.option("--solved", type=int, metavar="ID", help="Mark one as seen to.")
@AS_JSON
def set_aside(solved: int | None, *, as_json: bool) -> None:
    """Show rows that could not become, or be part of, an alert; all others went on."""
    if solved is not None:
        query = "update alert_aside set solved_at = now() where id = %s returning id, source, source_key"
        _show(query, (solved,), as_json=as_json)
    else:
        _show(
            "select id, seen_at, source, source_key, error from alert_aside where solved_at is null "
            "order by id desc limit 100",
            as_json=as_json,
        )


@command.command()
@AS_JSON
def statistics(*, as_json: bool) -> None:
    """Show how often each detector was right, as found on site."""
    _show(
        "select kind, cases, verdicts, faulty, data_path, sound, load_changed, round(precision::numeric, 2) as hits, "
        "round(median_days_to_verdict::numeric, 1) as days_to_verdict, overdue, energy_recovered, energy_unit "
        "from case_statistics order by 1",
        as_json=as_json,
    )


def _show(query: str, parameters: Any = None, *, as_json: bool = False) -> None:
    async def work(connection: psycopg.AsyncConnection) -> list[dict[str, Any]]:
        return await rows(connection, query, parameters)

    say(listed(inside(work), as_json=as_json))


def _said(verb: str, rules: Rules) -> str:
    return f"{verb}: {len(rules.rules)} rules, {len(rules.recipients)} recipients, {len(rules.regions)} regions"


def _object(one: Rehearsed) -> dict[str, str]:
    return {
        "recipient": one.recipient,
        "channel": one.channel,
        "purpose": one.purpose,
        "severity": one.severity,
        "title": one.title,
        "body": one.body,
    }
