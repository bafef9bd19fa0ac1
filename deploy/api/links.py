"""Action links in messages: a confirmation page, and the action on its submission.

Opening a link changes nothing, since chat systems open links to show what is behind them.
"""

from html import escape
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import HTMLResponse

from analytics.domain.words import SITE_VERDICTS
from deploy.api.doors import Connection, Now, own_alert
from deploy.api.shapes import Problem, Verdict, Words
from streams.alerts.links import Deed, Link, open_link
from streams.alerts.people import acknowledge, comment, give_verdict, person_of_link, use_link

__all__ = ["router"]

_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": "Refused, and why",
        "content": {"application/json": {"schema": Problem.model_json_schema()}},  # the pages themselves are HTML
    }
    for status in (404, 408, 409, 410, 413, 429, 503)
}
router = APIRouter(prefix="/act", tags=["links"], responses=_REFUSALS)
Token = Annotated[str, Path(max_length=200, pattern=r"^[A-Za-z0-9_-]+$")]
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_SHARE = (
    "<p><label><input type=checkbox name=shared value=yes> 备注对用能单位可见 / "
    "The enterprise may read the note</label></p>"
)
_BUTTON = {
    Deed.ACKNOWLEDGE: "受理 / Acknowledge",
    Deed.VERDICT: "提交结论 / Submit",
    Deed.COMMENT: "提交反馈 / Answer",
}


@router.get("/{token}", response_class=HTMLResponse)
async def ask(token: Token, connection: Connection, at: Now, request: Request) -> HTMLResponse:
    """What the link would do, and a button."""
    link = open_link(token, request.app.state.config.secret(), at)
    person = await person_of_link(connection, link)
    alert = await own_alert(connection, person, link.alert_id)
    choices = "".join(
        f"<p><label><input type=radio name=verdict value={word} required> {name.zh} / {name.en}</label></p>"
        for word, name in SITE_VERDICTS.items()
    )
    return _page(
        f"<h1>{escape(alert['title_zh'])}</h1><p>{escape(alert['title_en'])}</p><p>{escape(person.name)}</p>"
        f"<form method=post>{choices if link.deed is Deed.VERDICT else ''}"
        "<p><label>备注 / Note<br><textarea name=note rows=4 maxlength=4000></textarea></label></p>"
        f"{_SHARE if person.role != 'enterprise' else ''}<p><button>{_BUTTON[link.deed]}</button></p></form>"
    )


@router.post("/{token}", response_class=HTMLResponse)
async def act(
    token: Token,
    connection: Connection,
    at: Now,
    request: Request,
    verdict: Annotated[Verdict | Literal[""], Form()] = "",
    note: Annotated[Words, Form()] = "",
    shared: Annotated[Literal["yes", ""], Form()] = "",
) -> HTMLResponse:
    """Do it, once."""
    config = request.app.state.config
    link: Link = open_link(token, config.secret(), at)
    person = await person_of_link(connection, link)
    await own_alert(connection, person, link.alert_id)
    await use_link(connection, link)
    if link.deed is Deed.ACKNOWLEDGE:
        await acknowledge(connection, link.alert_id, person, at, config.alerts, note, internal=not shared)
    elif link.deed is Deed.VERDICT:
        await give_verdict(
            connection, link.alert_id, person, at, config.alerts, verdict=verdict, note=note, internal=not shared
        )
    else:
        await comment(connection, link.alert_id, person, at, note, internal=not shared)
    return _page("<h1>已记录 / Recorded</h1>")


def _page(body: str) -> HTMLResponse:
    head = "<!doctype html><html lang=zh><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    style = "<title>Meterwarden</title><style>body{font:1.1em sans-serif;max-width:36em;margin:2em auto;padding:0 1em}"
    return HTMLResponse(f"{head}{style} textarea{{width:100%}}</style>{body}</html>", headers=_HEADERS)
