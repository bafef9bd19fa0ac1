"""Messages about gateways: one that has not delivered for hours, whose spool fills, or that gave readings up."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

import psycopg

from analytics.alerting.gateway import GatewayFacts, GatewayStage, gateway_stage, gateway_text, is_told
from analytics.alerting.rules import Person, Recipient, Rules, audience
from streams.alerts.aside import Aside
from streams.alerts.config import AlertConfig
from streams.alerts.outbox import NewMessage
from streams.alerts.reminders import everybody_of, is_office_hour, reminder
from streams.store.access.gateway_state import gateway_states

__all__ = ["facts_of", "tell_of_gateways"]

_STAGED: Final = """
update gateway_state set staged_at = case when stage = %(stage)s then staged_at else %(now)s end, stage = %(stage)s,
    told_dropped = dropped_readings
where name = %(name)s
"""
_SET_BACK: Final = (
    "update gateway_state set delivered_at = %(now)s where delivered_at > %(now)s::timestamptz + interval '1 hour'"
)
"""After the clock was set back: from now on, not from an instant that is still to come."""


async def tell_of_gateways(
    connection: psycopg.AsyncConnection,
    now: datetime,
    config: AlertConfig,
    rules: Rules,
    people: Mapping[str, int],
    aside: Aside,
) -> list[NewMessage]:
    """Messages about gateways whose stage got worse or is over, in office hours; in the caller's transaction."""
    if not is_office_hour(now, config):
        return []

    def staged(row: Mapping[str, Any]) -> tuple[Mapping[str, Any], GatewayFacts, GatewayStage]:
        facts = facts_of(row)
        return row, facts, gateway_stage(facts, now, rules.gateways)

    due = []
    await connection.execute(_SET_BACK, {"now": now})
    states = await gateway_states(connection)
    for row, facts, stage in aside.each("gateway_state", states, staged, lambda row: row["name"]):
        dropped = max(facts.dropped_readings - (row["told_dropped"] or 0), 0)
        if stage == row["stage"] and facts.dropped_readings == (row["told_dropped"] or 0):
            continue
        await connection.execute(_STAGED, {"name": facts.name, "stage": stage, "now": now})
        if dropped and rules.gateways.patience(facts.name):
            due.append((facts, "dropped", dropped))
        if is_told(row["stage"], stage):
            due.append((facts, stage, 0))
    if not due:
        return []
    everybody = await everybody_of(connection, aside)
    return [
        draft
        for facts, stage, dropped in due
        for draft in _drafts(facts, stage, dropped, now, everybody, rules, people, config)
    ]


def facts_of(row: Mapping[str, Any]) -> GatewayFacts:
    """What is known of a gateway, out of a row of `gateway_states`."""
    return GatewayFacts(
        name=row["name"],
        unit_codes=row["unit_codes"],
        delivered_at=row["delivered_at"],
        told_at=row["told_at"],
        oldest_at=row["oldest_at"],
        waiting_readings=row["waiting_readings"] or 0,
        waiting_bytes=row["waiting_bytes"] or 0,
        max_bytes=row["max_bytes"] or 0,
        dropped_readings=row["dropped_readings"] or 0,
        fault=row["fault"],
    )


def _drafts(
    facts: GatewayFacts,
    stage: str,
    dropped: int,
    now: datetime,
    everybody: Sequence[Person],
    rules: Rules,
    people: Mapping[str, int],
    config: AlertConfig,
) -> list[NewMessage]:
    found: dict[str, tuple[Recipient, GatewayFacts]] = {}
    for code in facts.unit_codes or [""]:  # the enterprises of all its units
        # an enterprise reads of itself alone: what a gateway of several says of itself may name meters of others
        own = facts if len(facts.unit_codes) == 1 else replace(facts, unit_codes=[code], fault="")
        for one in audience(rules.gateways.tell, unit_code=code, rules=rules, people=everybody, zone=config.zone):
            found.setdefault(one.name, (one, own if one.role == "enterprise" else facts))
    drafts = []
    for recipient, shown in found.values():
        write = partial(gateway_text, shown, stage, now, dropped=dropped, zone=config.zone)
        draft = reminder(recipient, stage, write, people, unit_id=None)
        drafts.append(replace(draft, purpose="gateway", severity="warning" if stage else "info"))
    return drafts
