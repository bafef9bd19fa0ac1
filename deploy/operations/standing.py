"""Progress of each partition by Kafka and the database: whether what was sent is being stored."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, Literal

import psycopg
from kafka.errors import KafkaError, UnknownTopicOrPartitionError

from analytics.alerting.gateway import gateway_stage
from analytics.alerting.rules import Rules
from analytics.domain.errors import MeterwardenError
from ingest.kafka_access import KafkaAccess
from streams.alerts.gateways import facts_of
from streams.alerts.raiser import rules_in_force
from streams.rows.layout import Doing
from streams.source.broker import Broker, TopicFacts
from streams.store.access.gateway_state import gateway_states
from streams.store.postgres.connections import connected, connected_blocking

__all__ = ["Standing", "State", "StoredIncident", "gateways", "incidents", "judged", "standings"]

State = Literal["idle", "moving", "busy", "standing", "refused", "unserved"]

_HEARD_S: Final = 10.0
"""A worker reports every two seconds; after this time without a report it no longer owns the partition. [s]"""
_BUSY_S: Final = 300.0
"""While a state is restored or the past recomputed, progress may pause for this long. [s]"""
_RECENTLY_S: Final = 10.0
_BUSY: Final = frozenset({Doing.RESTORING, Doing.REPLAYING, Doing.RECOMPUTING})

_ROWS: Final = """
with layout as (
    select topic_id from stream_layout where consumer_group = %(group)s and topic_id = %(topic_id)s
)
select f.partition, f.next_offset,
    extract(epoch from clock_timestamp() - coalesce(f.moved_at, f.assigned_at))::float8,
    case when p.topic_id = f.topic_id then p.worker end, case when p.topic_id = f.topic_id then p.doing end,
    case when p.topic_id = f.topic_id then p.detail end,
    extract(epoch from clock_timestamp() - p.told_at)::float8,
    extract(epoch from clock_timestamp() - p.changed_at)::float8
from layout join stream_fence f using (topic_id)
    left join stream_partition p using (consumer_group, topic, partition)
where f.consumer_group = %(group)s
"""
_INCIDENTS: Final = """
select kind, partition, from_offset, to_offset, detail, repeated, found_at from stream_incident
where consumer_group = %s and topic = %s and found_at > now() - interval '1 day' order by found_at desc limit 20
"""
_MIGRATED: Final = "select to_regclass('gateway_state') is not null"
_OF_GATEWAYS: Final = (
    "name",
    "unit_codes",
    "waiting_readings",
    "waiting_bytes",
    "max_bytes",
    "dropped_readings",
    "fault",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Progress of one partition.

    Attributes
    ----------
    partition : int
    next_offset, end_offset : int
        Records below the first are stored; those below the other are there to be read.
    worker : str
        Who has it; empty for nobody.
    still_s : float or None
        For how long its fence has not moved; None before the first assignment. [s]
    told_s, changed_s : float or None
        Since when its worker has reported nothing, and nothing new. [s]
    doing, detail : str
        What its worker tells.
    state : State
    """

    partition: int
    next_offset: int
    end_offset: int
    worker: str = ""
    still_s: float | None = None
    told_s: float | None = None
    changed_s: float | None = None
    doing: str = ""
    detail: str = ""
    state: State = "idle"

    @property
    def lag(self) -> int:
        """Records that are there and not stored."""
        return max(self.end_offset - self.next_offset, 0)

    @property
    def healthy(self) -> bool:
        """Whether it moves or has nothing to do."""
        return self.state in {"idle", "moving", "busy"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredIncident:
    """Something that happened to Kafka's log within the last day."""

    kind: str
    partition: int
    from_offset: int
    to_offset: int
    detail: str
    repeated: int
    found_at: datetime


def standings(
    access: KafkaAccess, dsn: str, *, group: str, topic: str, patience_s: float, heard_s: float = _HEARD_S
) -> list[Standing]:
    """How each partition of a topic does; none where the topic was not made yet.

    What seems to stand still is looked at again until it has moved, or the patience is over.

    Raises
    ------
    MeterwardenError
        Where Kafka or the database does not answer, or the schema is older than this version.
    """
    look, end = _Look(access, dsn, group, topic), time.monotonic() + patience_s
    try:
        first = look.first(end)
        found = judged(first, first, heard_s=heard_s)
        while not all(one.healthy or one.state == "refused" for one in found) and time.monotonic() < end:
            time.sleep(min(0.5, patience_s))
            found = judged(first, look.now(), heard_s=heard_s)
    finally:
        look.close()
    return found


def judged(first: Sequence[Standing], now: Sequence[Standing], *, heard_s: float = _HEARD_S) -> list[Standing]:
    """Partitions with their state, as they were at a first look and are now.

    Examples
    --------
    >>> then = Standing(partition=0, next_offset=5, end_offset=9, told_s=1.0, still_s=60.0, doing="reading")
    >>> [one.state for one in judged([then], [then])]
    ['standing']
    >>> [one.state for one in judged([then], [replace(then, next_offset=7)])]
    ['moving']
    """
    before = {one.partition: one.next_offset for one in first}
    return [
        replace(one, state=_state(one, moved=one.next_offset > before.get(one.partition, 0), heard_s=heard_s))
        for one in now
    ]


def _state(one: Standing, *, moved: bool, heard_s: float) -> State:
    served = _within(one.told_s, heard_s)
    if served and one.doing == Doing.REFUSED:
        return "refused"
    if not one.lag:
        return "idle"
    if not served:
        return "unserved"
    if moved or (one.next_offset and _within(one.still_s, _RECENTLY_S)):
        return "moving"
    if one.doing in _BUSY and _within(one.changed_s, _BUSY_S):
        return "busy"
    return "standing"


def _within(since_s: float | None, most_s: float) -> bool:
    """Whether something was so recently; what lies far ahead was noted before the clock was set back, and is over."""
    return since_s is not None and -most_s < since_s < most_s


def incidents(dsn: str, *, group: str, topic: str) -> list[StoredIncident]:
    """What was found of the topic's logs within a day, the newest first."""
    with _connected(dsn) as connection:
        rows = connection.execute(_INCIDENTS, (group, topic)).fetchall()
    names = StoredIncident.__slots__
    return [StoredIncident(**dict(zip(names, row, strict=True))) for row in rows]


def gateways(dsn: str, *, zone: tzinfo) -> list[dict[str, Any]]:
    """Each gateway that ever reported or delivered: last delivery, what waits in its spool, and what is wrong."""
    found, rules = asyncio.run(_gateways(dsn))
    now = datetime.now(UTC)
    shown = []
    for row in found:
        facts = facts_of(row)
        times = {
            name: row[name].astimezone(zone) if row[name] is not None else None
            for name in ("delivered_at", "told_at", "oldest_at")
        }
        shown.append(
            {name: row[name] for name in _OF_GATEWAYS}
            | times
            | {
                "stage": gateway_stage(facts, now, rules.gateways),
                "spool_used": facts.waiting_bytes / facts.max_bytes if facts.max_bytes else None,
            }
        )
    return shown


async def _gateways(dsn: str) -> tuple[list[dict[str, Any]], Rules]:
    async with connected(dsn, "status", timeout_s=5) as connection:
        return await gateway_states(connection), (await rules_in_force(connection))[1]


class _Look:
    """Positions in Kafka and in the database at an instant."""

    def __init__(self, access: KafkaAccess, dsn: str, group: str, topic: str) -> None:
        self._broker = Broker(access, client="meterwarden-status")
        self._dsn = dsn
        self._group = group
        self._topic = topic

    def first(self, end: float) -> list[Standing]:
        """As `now`; a server that is slow to answer is asked until `end` (`time.monotonic`)."""
        while True:
            try:
                return self.now()
            except MeterwardenError:
                if time.monotonic() >= end:
                    raise
            time.sleep(0.5)

    def now(self) -> list[Standing]:
        try:
            facts, ends = asyncio.run(self._ends())
        except UnknownTopicOrPartitionError:
            return []
        except KafkaError as error:
            raise MeterwardenError(f"Kafka must answer where topic {self._topic} ends (got: {error})") from None
        rows = self._rows(facts)
        nobody = Standing(partition=0, next_offset=0, end_offset=0)
        return [
            replace(rows.get(number, nobody), partition=number, end_offset=end) for number, end in sorted(ends.items())
        ]

    async def _ends(self) -> tuple[TopicFacts, dict[int, int]]:
        facts = await self._broker.topic(self._topic)
        return facts, await self._broker.ends(self._topic, facts.partitions)

    def _rows(self, facts: TopicFacts) -> Mapping[int, Standing]:
        with _connected(self._dsn) as connection:
            found = connection.execute(_ROWS, {"group": self._group, "topic_id": facts.topic_id}).fetchall()
        return {
            number: Standing(
                partition=number,
                next_offset=fence,
                end_offset=fence,
                worker=worker or "",
                still_s=still_s,
                told_s=told_s if worker else None,
                changed_s=changed_s,
                doing=doing or "",
                detail=detail or "",
            )
            for number, fence, still_s, worker, doing, detail, told_s, changed_s in found
        }

    def close(self) -> None:
        self._broker.close()


@contextmanager
def _connected(dsn: str) -> Iterator[psycopg.Connection]:
    with connected_blocking(dsn, "status", timeout_s=5) as connection:
        row = connection.execute(_MIGRATED).fetchone()
        if row is None or not row[0]:
            raise MeterwardenError("the database must have the schema of this version: run `meterwarden migrate`")
        yield connection
