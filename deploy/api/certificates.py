"""Certificates of verification and calibration: looked up, entered with their scans; an enterprise its own."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Query, Request, Response, UploadFile

from analytics.domain.errors import RegistryError
from analytics.review.certificates import Certificate, faults_of
from deploy.api.alerts import REFUSALS
from deploy.api.doors import Connection, Me, Now, own_certificate, seen
from deploy.api.shapes import Ask, CertificateIn, CertificateOut, Identity, Limit, Page, Stored
from streams.alerts.people import Who, rows
from streams.store.review.attachments import LARGEST_FILE
from streams.store.review.certificates import add_certificates, attach_scan, read_scan

__all__ = ["router"]

router = APIRouter(tags=["certificates"], responses=REFUSALS)

_LIST = """
select id, unit_code, unit_name, meter_no, cycle, kind, number, body, verified_on, conclusion, due, accuracy_class, scan
from {seen}
where (%(unit)s::text is null or unit_code = %(unit)s) and (%(meter)s::text is null or meter_no = %(meter)s)
    and (%(every)s::boolean or cycle <= 2) and (%(before)s::int8 is null or id < %(before)s)
order by id desc limit %(limit)s
"""


@router.get("/certificates")
async def list_certificates(
    person: Me,
    connection: Connection,
    unit: Ask = None,
    meter: Ask = None,
    every: Annotated[bool, Query(description="All, not the last two cycles of each instrument.")] = False,
    before: Page = None,
    limit: Limit = 100,
) -> list[CertificateOut]:
    """Certificates, the last entered first; an enterprise's person sees its own unit's."""
    query = _LIST.format(seen=await seen(connection, "certificate_list", person))
    parameters = {"unit": unit, "meter": meter, "every": every, "before": before, "limit": limit}
    return [CertificateOut.model_validate(row) for row in await rows(connection, query, parameters)]


@router.post("/certificates", status_code=201)
async def add_certificate(
    given: CertificateIn, person: Me, connection: Connection, at: Now, request: Request
) -> Stored:
    """Enter a certificate of a meter of the ledger; an enterprise's person of its own unit's."""
    one = Certificate(**given.model_dump())
    faults = list(faults_of(one, at.astimezone(request.app.state.config.alerts.zone).date()))
    if faults:
        raise HTTPException(409, "; ".join(faults))
    own = person.unit_code if person.role == "enterprise" else None
    (identity,) = await _entered(connection, one, person, own)
    if not identity:
        raise HTTPException(409, f"a certificate must be entered once (number {one.number!r} of that day is there)")
    return Stored(id=identity)


async def _entered(connection: Connection, one: Certificate, person: Who, own: str | None) -> list[int]:
    try:
        return await add_certificates(connection, [one], person.name, own=own)
    except RegistryError as error:
        raise HTTPException(404, str(error)) from error


@router.post("/certificates/{certificate_id}/scan", status_code=201)
async def add_scan(certificate_id: Identity, file: UploadFile, person: Me, connection: Connection) -> Stored:
    """Attach the scan, a JPEG, PNG or PDF."""
    await own_certificate(connection, person, certificate_id)
    content: Any = await file.read(LARGEST_FILE + 1)
    name = "".join(letter for letter in (file.filename or "scan")[:200] if letter.isprintable()) or "scan"
    try:
        await attach_scan(connection, certificate_id, name, content, person.name)
    except RegistryError as error:
        raise HTTPException(409, str(error)) from error
    return Stored(id=certificate_id)


@router.get("/certificates/{certificate_id}/scan", response_class=Response)
async def get_scan(certificate_id: Identity, person: Me, connection: Connection) -> Response:
    """The scan as it was attached."""
    found = await own_certificate(connection, person, certificate_id)
    if found["scan"] is None:
        raise HTTPException(404, f"a scan must be one that was attached (certificate {certificate_id} has none)")
    name, content = await read_scan(connection, certificate_id)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type=found["scan_type"], headers=headers)
