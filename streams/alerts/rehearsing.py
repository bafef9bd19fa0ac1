"""What rules would have sent, from what was detected and found; nothing is sent or kept."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import psycopg

from analytics.alerting.rehearsal import Rehearsed, rehearse
from analytics.alerting.rules import Person, Rules
from streams.alerts import sources
from streams.alerts.people import rows
from streams.alerts.raiser import rules_in_force

__all__ = ["rehearsed"]

_PEOPLE: Final = """
select p.login, p.name, p.role, coalesce(u.code, '') as unit_code, p.language, p.channel, p.address
from person p left join unit u on u.id = p.unit_id where p.active order by p.login
"""


async def rehearsed(
    connection: psycopg.AsyncConnection, rules: Rules | None, *, since: datetime, until: datetime, zone: ZoneInfo
) -> tuple[list[Rehearsed], int]:
    """Messages that would have left if nobody had answered, and how many detections and findings there were.

    Parameters
    ----------
    rules : Rules or None
        Those in force without them.
    """
    asked = rules or (await rules_in_force(connection))[1]
    people = [Person(**row) for row in await rows(connection, _PEOPLE)]
    signals = [one.signal for one in await sources.history(connection, since, asked.severities)]
    return list(rehearse(asked, signals, people=people, zone=zone, since=since, until=until)), len(signals)
