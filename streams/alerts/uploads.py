"""Messages about uploads to official platforms that are late or refused."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

import psycopg

from analytics.alerting.rules import Person, Rules, audience
from analytics.alerting.upload import UploadFacts, UploadStage, is_upload_told, upload_stage, upload_text
from streams.alerts.aside import Aside
from streams.alerts.config import AlertConfig
from streams.alerts.outbox import NewMessage
from streams.alerts.reminders import everybody_of, is_office_hour, reminder
from streams.store.postgres.reading import rows_of

__all__ = ["tell_of_uploads", "upload_facts", "upload_states"]

_STATES: Final = """
select o.unit_code, o.platform, o.first_at, o.tried_at, o.done_at, o.refused, o.waiting, o.corrected, o.answer, o.stage,
       o.told_refused
from official_upload o order by o.unit_code, o.platform
"""
_STAGED: Final = """
update official_upload set staged_at = case when stage = %(stage)s then staged_at else %(now)s end, stage = %(stage)s,
    told_refused = %(refused)s
where unit_code = %(unit)s and platform = %(platform)s
"""


async def upload_states(connection: psycopg.AsyncConnection) -> list[dict[str, Any]]:
    """All uploads to official platforms, with what people were told of each."""
    return await rows_of(connection, _STATES)


def upload_facts(row: Mapping[str, Any]) -> UploadFacts:
    """What is known of an upload, out of a row of `upload_states`."""
    return UploadFacts(
        unit_code=row["unit_code"],
        platform=row["platform"],
        first_at=row["first_at"],
        tried_at=row["tried_at"],
        done_at=row["done_at"],
        refused=row["refused"],
        waiting=row["waiting"],
        answer=row["answer"],
    )


async def tell_of_uploads(
    connection: psycopg.AsyncConnection,
    now: datetime,
    config: AlertConfig,
    rules: Rules,
    people: Mapping[str, int],
    aside: Aside,
) -> list[NewMessage]:
    """Messages about uploads whose stage got worse or is over, in office hours; in the caller's transaction."""
    if not is_office_hour(now, config):
        return []

    def staged(row: Mapping[str, Any]) -> tuple[Mapping[str, Any], UploadFacts, UploadStage]:
        facts = upload_facts(row)
        return row, facts, upload_stage(facts, now, rules.uploads)

    due = []
    states = await upload_states(connection)
    for row, facts, stage in aside.each("official_upload", states, staged, _key):
        refused = facts.refused if stage else 0
        if (stage, refused) == (row["stage"], row["told_refused"]):
            continue
        facts_kept = {"unit": facts.unit_code, "platform": facts.platform}
        await connection.execute(_STAGED, {**facts_kept, "stage": stage, "now": now, "refused": refused})
        if is_upload_told(row["stage"], stage, refused=refused, told_refused=row["told_refused"]):
            due.append((facts, stage))
    if not due:
        return []
    everybody = await everybody_of(connection, aside)
    return [draft for facts, stage in due for draft in _drafts(facts, stage, now, everybody, rules, people, config)]


def _key(row: Mapping[str, Any]) -> object:
    return f"{row['unit_code']} to {row['platform']}"


def _drafts(
    facts: UploadFacts,
    stage: UploadStage,
    now: datetime,
    everybody: Sequence[Person],
    rules: Rules,
    people: Mapping[str, int],
    config: AlertConfig,
) -> list[NewMessage]:
    receiving = audience(rules.uploads.tell, unit_code=facts.unit_code, rules=rules, people=everybody, zone=config.zone)
    write = partial(upload_text, facts, stage, now, zone=config.zone)
    return [
        replace(
            reminder(one, stage, write, people, unit_id=None),
            purpose="upload",
            severity="warning" if stage else "info",
        )
        for one in receiving
    ]
