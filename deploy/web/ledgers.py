"""A ledger in the browser: uploaded, checked, compared, submitted by an enterprise, loaded by the staff.

Nothing is loaded by uploading. What came is kept as it came, so that a server that is killed in between loses nothing.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final

import psycopg
from fastapi import APIRouter, Request, Response
from fastapi import Path as PathField
from psycopg.types.json import Jsonb

from analytics.domain.errors import LedgerError
from analytics.domain.ledger import COLUMNS
from dashboards.web.panels import Table, table_of
from deploy.ledger_loading import Proposal, history, load, proposed
from deploy.web.answers import answer, go
from deploy.web.doors import Acting, ActingStaff, NotAllowed, Now, Reader, Visit, Writing
from deploy.web.keeping import make_room
from deploy.web.units import tabs_of
from ingest.ledgers import LedgerOptions, LedgerReport, read_ledger
from ingest.ledgers.folding import folded
from ingest.ledgers.wording import in_chinese
from streams.alerts.people import NotFound, rows
from streams.store.ledger import Origin

__all__ = ["LARGEST_LEDGER", "keep_upload", "ledger_tabs", "router"]

router = APIRouter(prefix="/ledger")
Identity = Annotated[int, PathField(ge=1, lt=2**63)]
LARGEST_LEDGER: Final = 20 * 2**20
_KEPT: Final = 10_000
_SUFFIXES: Final = frozenset({".xlsx", ".csv", ".xls", ".txt", ".tsv"})
_READING: Final = asyncio.Semaphore(2)
_REMEMBERED: Final[dict[bytes, LedgerReport]] = {}
_FEW: Final = 4
_OWN: Final = "%(staff)s or u.person_id = %(person)s or u.unit_id = %(unit)s"
_LIST: Final = f"""
select u.id, u.name as source, p.name as loaded_by, n.code as unit_code, u.uploaded_at, u.sound, u.submitted_at,
       u.decided_at, u.decision, u.note
from sign_in.upload u join person p on p.id = u.person_id left join unit n on n.id = u.unit_id
where u.kind = 'ledger' and ({_OWN})
order by (u.submitted_at is not null and u.decided_at is null) desc, u.id desc limit 50
"""  # noqa: S608 - all ours
_ONE: Final = f"""
select u.*, p.login, p.name as person_name from sign_in.upload u join person p on p.id = u.person_id
where u.id = %(id)s and u.kind = 'ledger' and ({_OWN})
"""  # noqa: S608 - all ours
_KEEP: Final = """
insert into sign_in.upload (kind, person_id, unit_id, name, content, options, sound)
values ('ledger', %(person)s, %(unit)s, %(name)s, %(content)s, %(options)s, %(sound)s) returning id
"""
_DECIDE: Final = """
update sign_in.upload set decided_at = %(at)s, decided_by = %(by)s, decision = %(decision)s, note = %(note)s
where id = %(id)s and decided_at is null returning id
"""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a file says, beside what is in force."""

    report: LedgerReport
    proposal: Proposal | None
    foreign: tuple[str, ...]
    """Units in it that are not the enterprise's."""

    @property
    def sound(self) -> bool:
        """Whether it can be loaded."""
        return not self.report.faults and not self.foreign and self.proposal is not None and not self.proposal.faults


@router.get("")
async def start(request: Request, visit: Reader, connection: Writing) -> Response:
    """A form for a file, and what came before."""
    _require(visit)
    config = request.app.state.config
    listed = await rows(connection, _LIST, _whose(visit))
    loads: Table | None = None
    if visit.person.role == "staff":
        found = await asyncio.to_thread(history, config.dsn, 20)
        names = ("version", "loaded_at", "loaded_by", "source", "rows", "changes")
        loads = _table(request, visit, [{name: row[name] for name in names} for row in found])
    shown = [
        {
            "_upload": row["id"],
            "source": row["source"],
            "unit_code": row["unit_code"],
            "loaded_by": row["loaded_by"],
            "uploaded_at": row["uploaded_at"],
            "upload_state": _state(row),
            "note": row["note"],
        }
        for row in listed
    ]
    uploads = _table(request, visit, shown)
    tabs = ledger_tabs(visit, "ledger")
    return answer(request, "ledger", visit=visit, here="ledger", uploads=uploads, loads=loads, tabs=tabs)


def ledger_tabs(visit: Visit, here: str) -> list[dict[str, Any]]:
    """The ledger, and what the staff enters beside it."""
    return tabs_of(visit, "ledger", here, {"ledger": "/ledger", "facts": "/facts"}) if _is_staff(visit) else []


def _is_staff(visit: Visit) -> bool:
    return visit.person.role == "staff"


@router.post("")
async def upload(request: Request, visit: Acting, connection: Writing) -> Response:
    """Take a file and show what it says; nothing is loaded."""
    _require(visit)
    given = await visit.file("file", LARGEST_LEDGER)
    if given is None:
        raise LedgerError("a ledger must be a file (got none)")
    name, content = given
    if len(content) > LARGEST_LEDGER:
        raise LedgerError(f"a ledger must have at most {LARGEST_LEDGER} bytes (got more)")
    options = {key: visit.field(key, 200) for key in ("unit_code", "unit_name", "installed_from", "level", "sheet")}
    options = {key: text for key, text in options.items() if text}
    if visit.person.role == "enterprise":
        options.setdefault("unit_code", visit.person.unit_code)
    return go(f"/ledger/{await keep_upload(request, visit, connection, content, name, options)}")


async def keep_upload(
    request: Request,
    visit: Visit,
    connection: psycopg.AsyncConnection,
    content: bytes,
    name: str,
    options: Mapping[str, str],
) -> int:
    """Keep a ledger as it came, to be looked at; its number."""
    seen = await _seen(request, visit, content, name, options)
    facts = {
        "person": visit.person.id,
        "unit": visit.person.unit_id,
        "name": name,
        "content": content,
        "options": Jsonb(dict(options)),
        "sound": seen.sound,
    }
    await make_room(connection, visit.person.id, "ledger", len(content))
    [row] = await rows(connection, _KEEP, facts)
    return int(row["id"])


@router.get("/{identity}")
async def look(request: Request, visit: Reader, identity: Identity, connection: Writing) -> Response:
    """What a file says: faults, or the difference to the ledger in force, and what can be done."""
    found = await _one(connection, visit, identity)
    seen = await _seen(request, visit, bytes(found["content"]), found["name"], found["options"])
    report, zh = seen.report, visit.language == "zh"
    faults = [
        {
            "row": _rows_text(kind.rows),
            "column": kind.title or (COLUMNS[kind.column].chinese if zh and kind.column in COLUMNS else kind.column),
            "required_text": in_chinese(kind.required) if zh else kind.required,
            "got": ", ".join(map(str, kind.got[:3])),
        }
        for kind in folded([*report.faults, *(seen.proposal.faults if seen.proposal else ())], report.titles)
    ]
    lines = seen.proposal.difference.lines(visit.language, most=200) if seen.proposal else []
    return answer(
        request,
        "ledger_file",
        visit=visit,
        here="ledger",
        words="ledger",
        upload=found,
        rows_read=report.rows,
        understood=[(header, _named(column, zh=zh)) for header, column in report.understood.items()],
        questions=[one.text.zh if zh else one.text.en for one in report.questions],
        faults=_table(request, visit, faults),
        foreign=", ".join(seen.foreign),
        lines=lines,
        sound=seen.sound,
        version=seen.proposal.version if seen.proposal else 0,
        units=", ".join(report.ledger.unit_codes),
    )


@router.post("/{identity}/submit")
async def submit(visit: Acting, identity: Identity, connection: Writing, at: Now) -> Response:
    """Hand a sound ledger to the staff."""
    found = await _one(connection, visit, identity)
    if visit.person.role != "enterprise" or found["person_id"] != visit.person.id:
        raise NotAllowed
    if not found["sound"]:
        raise LedgerError("a ledger must be without faults to be submitted (this one has some)")
    await connection.execute(
        "update sign_in.upload set submitted_at = coalesce(submitted_at, %s) where id = %s", (at, identity)
    )
    return go("/ledger")


@router.post("/{identity}/refuse")
async def refuse(visit: ActingStaff, identity: Identity, connection: Writing, at: Now) -> Response:
    """Give a ledger back, with the reason."""
    await _one(connection, visit, identity)
    await _decide(connection, visit, identity, at, "refused")
    return go("/ledger")


@router.post("/{identity}/load")
async def load_it(request: Request, visit: ActingStaff, identity: Identity, connection: Writing, at: Now) -> Response:
    """Load it over the version that was looked at; refused where another came in between."""
    found = await _one(connection, visit, identity)
    seen = await _seen(request, visit, bytes(found["content"]), found["name"], found["options"])
    if not seen.sound or seen.proposal is None:
        raise LedgerError("a ledger must be without faults to be loaded (this one has some now)")
    if str(seen.proposal.version) != visit.field("version", 20):
        raise LedgerError(
            f"the ledger in force must be the one that was looked at (version {visit.field('version', 20)}, "
            f"now it is {seen.proposal.version}); look at the difference again"
        )
    await _decide(connection, visit, identity, at, "loaded")  # first: it holds the row until the load is through
    by = visit.person.login if found["login"] == visit.person.login else f"{visit.person.login} for {found['login']}"
    origin = Origin(by=by, over=seen.proposal.version, changes=seen.proposal.difference.to_object()[:_KEPT])
    config = request.app.state.config
    loaded = await asyncio.to_thread(load, config.dsn, seen.report.ledger, found["name"], origin=origin)
    if loaded.faults:
        raise LedgerError(f"a ledger must fit the one in force (it has {len(loaded.faults)} faults beside it)")
    return go(f"/ledger/{identity}")


async def _decide(connection: psycopg.AsyncConnection, visit: Visit, identity: int, at: Any, decision: str) -> None:
    facts = {"id": identity, "at": at, "by": visit.person.id, "decision": decision, "note": visit.field("note")}
    if not await rows(connection, _DECIDE, facts):
        raise LedgerError("a ledger must be decided once (this one was)")


async def _one(connection: psycopg.AsyncConnection, visit: Visit, identity: int) -> dict[str, Any]:
    _require(visit)
    found = await rows(connection, _ONE, {**_whose(visit), "id": identity})
    if not found:
        raise NotFound(f"an upload must be one that is there, and yours to see (got {identity})")
    return found[0]


async def _seen(request: Request, visit: Visit, content: bytes, name: str, options: Mapping[str, str]) -> _Seen:
    config = request.app.state.config
    own = visit.person.unit_code if visit.person.role == "enterprise" else None
    async with _READING:
        return await asyncio.to_thread(_read, config.dsn, config.alerts.zone, content, name, dict(options), own)


def _read(dsn: str, zone: Any, content: bytes, name: str, options: dict[str, str], own: str | None) -> _Seen:
    """Read a file and hold it against the ledger in force; an enterprise's may name its own unit alone."""
    report = _report(zone, content, name, options)
    foreign = tuple(code for code in report.ledger.unit_codes if own is not None and code != own)
    if report.faults or foreign:
        return _Seen(report, None, foreign)
    return _Seen(report, proposed(dsn, report.ledger, zone), ())


def _report(zone: Any, content: bytes, name: str, options: dict[str, str]) -> LedgerReport:
    """What a file says; of the last few it is remembered, since looking and loading follow each other."""
    key = hashlib.sha256(repr((name, sorted(options.items()))).encode() + content).digest()
    known = _REMEMBERED.pop(key, None)
    report = known or _parsed(zone, content, name, options)
    _REMEMBERED[key] = report
    while len(_REMEMBERED) > _FEW:
        _REMEMBERED.pop(next(iter(_REMEMBERED)), None)
    return report


def _parsed(zone: Any, content: bytes, name: str, options: dict[str, str]) -> LedgerReport:
    suffix = Path(name).suffix.lower()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"ledger{suffix if suffix in _SUFFIXES else ''}"
        path.write_bytes(content)
        asked = LedgerOptions(**options)  # type: ignore[arg-type]  # texts alone
        report = read_ledger(path, zone=zone, options=asked)
        if report.proposed:  # what headers are taken for is shown before anything is loaded
            report = read_ledger(path, zone=zone, options=replace(asked, columns=dict(report.proposed)))
    return report


def _table(request: Request, visit: Visit, found: list[dict[str, Any]]) -> Table | None:
    return table_of(
        found,
        language=visit.language,
        zone=request.app.state.config.alerts.zone,
        href=lambda column, row: f"/ledger/{row['_upload']}" if column == "source" and "_upload" in row else "",
    )


def _whose(visit: Visit) -> dict[str, Any]:
    return {"staff": visit.person.role == "staff", "person": visit.person.id, "unit": visit.person.unit_id}


def _require(visit: Visit) -> None:
    if visit.person.role not in {"staff", "enterprise"}:
        raise NotAllowed


def _state(row: Mapping[str, Any]) -> str:
    if row["decision"]:
        return str(row["decision"])
    return "submitted" if row["submitted_at"] else "checked" if row["sound"] else "faulty"


def _named(column: str, *, zh: bool) -> str:
    return COLUMNS[column].chinese if zh and column in COLUMNS else column


def _rows_text(found: list[int]) -> str:
    listed = ", ".join(map(str, found[:12]))
    return f"{listed} … ({len(found)})" if len(found) > 12 else listed
