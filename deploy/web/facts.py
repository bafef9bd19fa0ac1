"""Facts about units that the ledger does not hold, entered by the staff: checked, then put in force."""

from importlib.resources import files
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from analytics.domain.errors import ConfigurationError
from analytics.standards.documents import Document
from dashboards.web.panels import table_of
from deploy.web.answers import answer, go
from deploy.web.doors import ActingStaff, Staff, Visit, Writing
from deploy.web.ledgers import ledger_tabs
from ingest.standard_files import parse_standard, standards_from
from streams.alerts.people import rows
from streams.compliance.standards import load_document, read_documents

__all__ = ["router"]

router = APIRouter(prefix="/facts")
_LONGEST: Final = 200_000
_LISTED: Final = """
select name as document, source, loaded_at from standard_document where kind = 'facts' order by id desc limit 100
"""
_PLAIN: Final = {"Content-Disposition": 'attachment; filename="facts.toml"', "X-Content-Type-Options": "nosniff"}


@router.get("")
async def start(request: Request, visit: Staff, connection: Writing) -> Response:
    """A form, and what was loaded."""
    return await _shown(request, visit, connection)


@router.get("/form.toml")
async def form(_: Staff) -> Response:
    """The form to fill in, with an example of each table."""
    text = files("analytics.standards").joinpath("facts_form.toml").read_text(encoding="utf-8")
    return Response(text, media_type="application/toml", headers=_PLAIN)


@router.post("/check")
async def check(request: Request, visit: ActingStaff, connection: Writing) -> Response:
    """Everything that is wrong with it, beside what is in force; nothing is loaded."""
    text = await _given(visit)
    try:
        standards_from([*(one.document for one in await read_documents(connection)), _facts(text)])
    except ConfigurationError as error:
        return await _shown(request, visit, connection, text=text, fault=str(error), status=422)
    return await _shown(request, visit, connection, text=text, sound=True)


@router.post("")
async def load(request: Request, visit: ActingStaff, connection: Writing) -> Response:
    """Put facts in force, or nothing of them where anything is wrong."""
    text = await _given(visit)
    try:
        await load_document(connection, _facts(text), text, f"page, {visit.person.login}")
    except ConfigurationError as error:
        return await _shown(request, visit, connection, text=text, fault=str(error), status=422)
    return go("/facts")


def _facts(text: str) -> Document:
    """The text as facts; raises `ConfigurationError` for anything else, which is loaded by command alone."""
    document = parse_standard(text, source="facts")
    if document.kind != "facts":
        raise ConfigurationError(f"it must be facts about units (it is of kind {document.kind!r})")
    return document


async def _given(visit: Visit) -> str:
    """A file where one was chosen, else the text."""
    file = await visit.file("file", _LONGEST)
    if file is None:
        return visit.field("text", _LONGEST).replace("\r\n", "\n") + "\n"
    try:
        return file[1].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file[0]} must be in UTF-8: {error}") from None


async def _shown(
    request: Request,
    visit: Visit,
    connection: Any,
    *,
    text: str = "",
    fault: str = "",
    sound: bool = False,
    status: int = 200,
) -> Response:
    zone = request.app.state.config.alerts.zone
    found = await rows(connection, _LISTED)
    table = table_of(found, language=visit.language, zone=zone, href=lambda _column, _row: "")
    tabs = ledger_tabs(visit, "facts")
    shown = {"text": text, "fault": fault, "sound": sound, "table": table, "tabs": tabs}
    return answer(request, "facts", visit=visit, here="ledger", status=status, **shown)
