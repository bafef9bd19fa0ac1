"""Certificates of a unit's meters: what is due, what was entered, with the scan; the unit or the staff enters them."""

from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Path, Request, Response

from analytics.domain.errors import RegistryError
from analytics.review.certificates import CONCLUSIONS, KINDS, Certificate, faults_of
from deploy.web.answers import answer, go
from deploy.web.asking import asking, unit_href
from deploy.web.doors import Acting, ActingViewer, NotAllowed, Now, Viewer, Visit, Writing
from deploy.web.units import Code, here_of, own_code, unit_tabs
from streams.alerts.people import NotFound, rows
from streams.compliance.standards import read_standards
from streams.store.review.attachments import LARGEST_FILE
from streams.store.review.certificates import add_certificates, attach_scan, read_scan, withdraw

__all__ = ["router"]

router = APIRouter()
Identity = Annotated[int, Path(ge=1, lt=2**63)]
_METERS: Final = """
select distinct meter_no from ledger_meter
where unit_code = %(unit)s and installed_from <= now() and (installed_to is null or installed_to > now())
order by 1 limit 1000
"""
_OWN: Final = "select unit_code, meter_no, scan, scan_type from certificate_list where id = %(certificate)s"
_TEXTS: Final = ("meter_no", "kind", "number", "body", "conclusion", "accuracy_class", "note")


@router.get("/unit/certificates")
async def listed(request: Request, visit: Viewer, unit: Code = "", done: Code = "") -> Response:
    """What is due, what was entered, and a form for one more."""
    code = own_code(visit, unit)
    async with asking(request, visit) as ask:
        found = await ask.unit(code)
        due = ask.tabled(await ask.own("unit_due", unit=code), unit=code)
        kept = await ask.own("unit_certificates", unit_id=found["unit_id"])
        meters = [row["meter_no"] for row in await ask.rows(_METERS, {"unit": code})]
        table = ask.tabled(kept, unit=code)
    return answer(
        request,
        "certificates",
        visit=visit,
        here=here_of(visit),
        unit=found,
        tabs=unit_tabs(visit, code, "certificates"),
        due=due,
        table=table,
        kept=[(row["_certificate"], f"{row['meter_no']} · {row['certificate_number']}") for row in kept],
        meters=meters,
        kinds=[(name, text.of(visit.language)) for name, text in KINDS.items()],
        conclusions=[(name, text.of(visit.language)) for name, text in CONCLUSIONS.items()],
        done=done in {"entered", "there", "attached", "withdrawn"} and done,
    )


@router.post("/unit/certificates")
async def enter(request: Request, visit: Acting, connection: Writing, at: Now) -> Response:
    """Enter a certificate, with its scan where one is given; an enterprise enters its own unit's alone."""
    code = await _writable(request, visit, visit.field("unit", 200))
    one = _certificate(visit, code)
    today = at.astimezone(request.app.state.config.alerts.zone).date()
    faults = list(faults_of(one, today))
    if faults:
        raise RegistryError("\n".join(faults))
    scan = await visit.file("scan", LARGEST_FILE)
    others = (await read_standards(connection)).facts.instruments
    by = visit.person.login
    [identity] = await add_certificates(connection, [one], by, others=others, own=code)
    if identity and scan is not None:
        await attach_scan(connection, identity, *scan, by)
    return go(unit_href(code, "certificates", done="entered" if identity else "there"))


@router.post("/certificates/{certificate}/scan")
async def attach(request: Request, visit: Acting, certificate: Identity, connection: Writing) -> Response:
    """Attach the scan of a certificate, which stays as it is."""
    code = await _writable(request, visit, (await _owned(request, visit, certificate))["unit_code"])
    scan = await visit.file("scan", LARGEST_FILE)
    if scan is None:
        raise RegistryError("a scan must be a file (got none)")
    await attach_scan(connection, certificate, *scan, visit.person.login)
    return go(unit_href(code, "certificates", done="attached"))


@router.get("/certificates/{certificate}/scan")
async def scan_of(request: Request, visit: Viewer, certificate: Identity, connection: Writing) -> Response:
    """The scan as it was attached."""
    found = await _owned(request, visit, certificate)
    if found["scan"] is None:
        raise NotFound(f"a scan must be one that was attached (certificate {certificate} has none)")
    name, content = await read_scan(connection, certificate)
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
    return Response(content, media_type=found["scan_type"], headers=headers)


@router.post("/certificates/{certificate}/withdraw")
async def take_back(request: Request, visit: ActingViewer, certificate: Identity, connection: Writing) -> Response:
    """Take back what was entered by mistake: the staff any, an enterprise what its own people entered."""
    code = await _writable(request, visit, (await _owned(request, visit, certificate))["unit_code"])
    if visit.person.role == "enterprise":
        query = """
        select from certificate c join person p on p.login = c.entered_by
        where c.id = %s and p.unit_id = %s
        """
        if not await rows(connection, query, (certificate, visit.person.unit_id)):
            raise NotAllowed
    await withdraw(connection, certificate, visit.person.login, visit.field("note"))
    return go(unit_href(code, "certificates", done="withdrawn"))


def _certificate(visit: Visit, code: str) -> Certificate:
    """A certificate as the form says it."""
    if visit.field("kind") not in KINDS or visit.field("conclusion") not in CONCLUSIONS:
        raise RegistryError(f"kind and conclusion must be of {', '.join(KINDS)} and of {', '.join(CONCLUSIONS)}")
    try:
        days = {name: date.fromisoformat(text) for name in ("verified_on", "due") if (text := visit.field(name, 20))}
    except ValueError:
        raise RegistryError("a day must be YYYY-MM-DD (got something else)") from None
    if "verified_on" not in days:
        raise RegistryError("verified_on must be a day (got nothing)")
    texts = {name: visit.field(name, 500) for name in _TEXTS}
    return Certificate(unit_code=code, **days, **texts)  # type: ignore[arg-type]  # days by their names


async def _writable(request: Request, visit: Visit, code: str) -> str:
    """The unit that is written to: any for the staff, the enterprise's own for its people, as they see it."""
    if visit.person.role not in {"staff", "enterprise"}:
        raise NotAllowed
    async with asking(request, visit) as ask:
        return str((await ask.unit(own_code(visit, code)))["unit_code"])


async def _owned(request: Request, visit: Visit, certificate: int) -> dict[str, Any]:
    """A certificate that this person may see; raises `NotFound`."""
    async with asking(request, visit) as ask:
        found = await ask.rows(_OWN, {"certificate": certificate})
    if not found:
        raise NotFound(f"a certificate must be one that is there, and yours to see (got {certificate})")
    return dict(found[0])
