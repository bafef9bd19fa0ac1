"""Readings in the browser: uploaded, shown as they would be sent, and sent to Kafka when a person agrees.

The staff's file may name any unit; what would be refused goes along, to be rejected with its reason. An enterprise's is
sent only where every reading is its own unit's and none would be refused.
"""

import asyncio
import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final

import psycopg
from fastapi import APIRouter, Request, Response
from fastapi import Path as PathField
from psycopg.types.json import Jsonb

from dashboards.web.panels import table_of
from deploy.web.answers import answer, go
from deploy.web.doors import Acting, NotAllowed, Now, Reader, Visit, Writing
from deploy.web.keeping import make_room
from ingest.kafka.collector import Collector
from ingest.kafka.config import KafkaConfig
from ingest.kafka.publisher import Publisher
from ingest.readings import MeterDirectory, UnreadableFile, open_readings
from ingest.readings.check import ReadingCheck, check_readings
from ingest.readings.options import ReadingOptions
from ingest.readings.recognition import Question, Unsettled
from streams.alerts.people import NotFound, rows
from streams.store.ledger import read_ledger
from streams.store.postgres.connections import connected

__all__ = ["LARGEST_READINGS", "router"]

router = APIRouter(prefix="/readings")
Identity = Annotated[int, PathField(ge=1, lt=2**63)]
LARGEST_READINGS: Final = 20 * 2**20
_AT_ONCE: Final = asyncio.Semaphore(1)
_SETTLED: Final = (
    "dates", "decimal", "reading_day", "reading_year", "unit_code", "meter_no", "unit", "sheet", "encoding",
    "delimiter",
)  # fmt: skip
_KEEP: Final = """
insert into sign_in.upload (kind, person_id, unit_id, name, content, options, sound)
values ('readings', %(person)s, %(unit)s, %(name)s, %(content)s, %(options)s, false) returning id
"""
_ONE: Final = """
select id, person_id, name, content, options, decision from sign_in.upload
where id = %(id)s and kind = 'readings' and person_id = %(person)s
"""
_SENT: Final = """
select sent_at, sent_by, name, readings, bad from reading_file
where %(staff)s or sha256 in (
    select sha256(content) from sign_in.upload
    where person_id = %(person)s and kind = 'readings' and decision is not null
)
order by id desc limit 20
"""
_NOTE: Final = """
insert into reading_file (sha256, name, readings, bad, sent_by)
values (%(sha256)s, %(name)s, %(readings)s, %(bad)s, %(by)s)
"""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a file comes to; either it is checked, or it leaves something open."""

    check: ReadingCheck | None
    questions: tuple[Question, ...] = ()
    own: str | None = None

    @property
    def sendable(self) -> bool:
        """Whether it may be sent as it is."""
        if self.check is None or self.check.tally.total == 0 or self.check.tally.worst is not None:
            return False
        if self.own is None:
            return True
        return self.check.tally.refused == 0 and {unit for unit, _, _ in self.check.tally.meters} == {self.own}


@router.get("")
async def start(request: Request, visit: Reader, connection: Writing) -> Response:
    """A form for a file, and what was sent before."""
    _require(request, visit)
    facts = {"staff": visit.person.role == "staff", "person": visit.person.id}
    sent = _tabled(request, visit, await rows(connection, _SENT, facts))
    return answer(request, "readings", visit=visit, here="readings", sent=sent)


@router.post("")
async def upload(request: Request, visit: Acting, connection: Writing) -> Response:
    """Take a file; nothing is sent."""
    _require(request, visit)
    given = await visit.file("file", LARGEST_READINGS)
    if given is None:
        raise UnreadableFile("readings must be a file (got none)")
    name, content = given
    if len(content) > LARGEST_READINGS:
        raise UnreadableFile(f"a file must have at most {LARGEST_READINGS} bytes (got more)")
    facts = {
        "person": visit.person.id,
        "unit": visit.person.unit_id,
        "name": name,
        "content": content,
        "options": Jsonb({}),
    }
    await make_room(connection, visit.person.id, "readings", len(content))
    [row] = await rows(connection, _KEEP, facts)
    return go(f"/readings/{row['id']}")


@router.get("/{identity}")
async def look(request: Request, visit: Reader, identity: Identity, connection: Writing) -> Response:
    """What was understood of a file and what would become of it, or what it leaves open."""
    found = await _one(request, connection, visit, identity)
    seen = await _seen(request, visit, found)
    before = await rows(
        connection,
        "select sent_at, sent_by, readings from reading_file where sha256 = %s order by id desc limit 1",
        (hashlib.sha256(found["content"]).digest(),),
    )
    language = visit.language
    return answer(
        request,
        "readings_file",
        visit=visit,
        here="readings",
        words="readings",
        upload=found,
        lines=seen.check.lines(language) if seen.check else (),
        questions=[
            {
                "field": one.field,
                "text": one.text.of(language),
                "choices": [(code, text.of(language)) for code, text in one.choices.items()],
            }
            for one in seen.questions
        ],
        sendable=seen.sendable and not found["decision"],
        before=_tabled(request, visit, before),
    )


@router.post("/{identity}/settle")
async def settle(request: Request, visit: Acting, identity: Identity, connection: Writing) -> Response:
    """State what the file leaves open."""
    found = await _one(request, connection, visit, identity)
    said = {name: text for name in _SETTLED if (text := visit.field(name, 100))}
    options = {**found["options"], **said}
    ReadingOptions(**options)  # a wrong answer is refused here, not kept
    await connection.execute("update sign_in.upload set options = %s where id = %s", (Jsonb(options), identity))
    return go(f"/readings/{identity}")


@router.post("/{identity}/send")
async def send(request: Request, visit: Acting, identity: Identity, connection: Writing, at: Now) -> Response:
    """Send it, once; a server killed meanwhile leaves it unsent here, and what went twice is marked as duplicates."""
    found = await _one(request, connection, visit, identity)
    taken = await rows(
        connection,
        "update sign_in.upload set decided_at = %s, decided_by = %s, decision = 'loaded'"
        " where id = %s and decision is null returning id",
        (at, visit.person.id, identity),
    )
    if not taken:
        raise UnreadableFile("a file must be sent once (this one was)")
    seen = await _seen(request, visit, found)
    if not seen.sendable or seen.check is None:
        raise UnreadableFile("a file must be understood and sound to be sent (its check lists what is not)")
    config = replace(request.app.state.config.kafka, zone=request.app.state.config.alerts.zone)
    async with _AT_ONCE:
        await asyncio.to_thread(_sent, config, seen.check)
    facts = {
        "sha256": hashlib.sha256(found["content"]).digest(),
        "name": found["name"],
        "readings": seen.check.tally.total,
        "bad": seen.check.tally.refused,
        "by": visit.person.login,
    }
    await connection.execute(_NOTE, facts)
    return go(f"/readings/{identity}")


def _sent(config: KafkaConfig, check: ReadingCheck) -> None:
    with Publisher(config) as publisher:
        Collector(config, publisher).collect([Path(check.name)], opened=lambda _path: check.opened)


async def _seen(request: Request, visit: Visit, found: dict[str, Any]) -> _Seen:
    config = request.app.state.config
    own = visit.person.unit_code if visit.person.role == "enterprise" else None
    async with _AT_ONCE:
        directory = await _directory(config.dsn, own)
        return await asyncio.to_thread(_checked, found, directory, config.alerts.zone, own)


def _checked(found: dict[str, Any], directory: MeterDirectory, zone: Any, own: str | None) -> _Seen:
    now = time.time_ns() // 1000
    options = ReadingOptions(**found["options"])
    try:
        opened = open_readings(
            bytes(found["content"]), name=found["name"], directory=directory, options=options, latest_us=now
        )
    except Unsettled as error:
        return _Seen(None, error.questions, own)
    check = check_readings(opened, found["name"], zone=zone, received_at=now, directory=directory)
    return _Seen(check, (), own)


async def _directory(dsn: str, own: str | None) -> MeterDirectory:
    """Meters of the ledger in force, or of the enterprise's own alone: others' are not even recognised."""
    async with connected(dsn, "readings") as connection:
        ledger = (await read_ledger(connection, units=None if own is None else own.__eq__)).ledger
    return await asyncio.to_thread(MeterDirectory.of, ledger)


async def _one(request: Request, connection: psycopg.AsyncConnection, visit: Visit, identity: int) -> dict[str, Any]:
    _require(request, visit)
    found = await rows(connection, _ONE, {"id": identity, "person": visit.person.id})
    if not found:
        raise NotFound(f"an upload must be one that is there, and yours (got {identity})")
    return found[0]


def _tabled(request: Request, visit: Visit, found: list[dict[str, Any]]) -> Any:
    zone = request.app.state.config.alerts.zone
    return table_of(found, language=visit.language, zone=zone, href=lambda _column, _row: "")


def _require(request: Request, visit: Visit) -> None:
    if visit.person.role not in {"staff", "enterprise"}:
        raise NotAllowed
    if request.app.state.config.kafka is None:
        raise NotFound("readings are sent where a Kafka is (these pages have none)")
