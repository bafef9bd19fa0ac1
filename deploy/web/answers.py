"""Responses: rendered pages, and redirects after an action."""

import time
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse

from dashboards.web.rendering import POLICY, page
from dashboards.web.values import instant
from deploy.web.doors import Visit, language_of, within

__all__ = ["HEADERS", "answer", "failed", "go", "refused_at_the_door"]

HEADERS: Final = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", "Referrer-Policy": "same-origin"}


def answer(
    request: Request, name: str, *, visit: Visit | None = None, here: str = "", status: int = 200, **facts: Any
) -> HTMLResponse:
    """A page.

    Parameters
    ----------
    name : str
        Of its template.
    here : str
        Which part of the menu it is.
    facts
        What the template shows.
    """
    language = visit.language if visit else language_of(request)
    now = datetime.now(UTC)
    query = f"?{request.url.query}" if request.url.query else ""
    facts.setdefault("words", name)
    facts.setdefault("back", request.url.path + query if request.method == "GET" else "/")
    body = page(
        name,
        language=language,
        visit=visit,
        here=here,
        now=now,
        now_text=instant(now, request.app.state.config.alerts.zone),
        **facts,
    )
    return HTMLResponse(body, status_code=status, headers={**HEADERS, **_timing(request, visit)})


def failed(request: Request, why: str, status: int, detail: str = "") -> HTMLResponse:
    """The page that says what did not work."""
    return answer(request, "failed", visit=getattr(request.state, "visit", None), status=status, why=why, detail=detail)


def refused_at_the_door(request: Request, status: int, detail: str) -> HTMLResponse:
    """What the guard refuses before a page is asked: a session that is over signs in again, and then goes back."""
    if status != 401:
        return failed(request, "refused", status, detail)
    came = urlsplit(request.headers.get("referer", ""))
    here = came.netloc == request.headers.get("host")
    back = within(came.path + (f"?{came.query}" if came.query else "")) if here else "/"
    return answer(
        request,
        "sign_in",
        status=401,
        back=back,
        fault="ended",
        login="",
        openid=request.app.state.config.openid is not None,
    )


def go(path: str) -> RedirectResponse:
    """On to another page after an act, so that reloading does not repeat it."""
    return RedirectResponse(path, status_code=303, headers={"Cache-Control": "no-store"})


def _timing(request: Request, visit: Visit | None) -> dict[str, str]:
    """How long a page took and how often it asked the database; not shown to enterprises."""
    if visit is None or visit.person.role == "enterprise":
        return {}
    spent_ms = (time.perf_counter() - request.state.began) * 1000
    return {"Server-Timing": f'page;dur={spent_ms:.0f}, questions;desc="{visit.questions}"'}
