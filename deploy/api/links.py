"""Action links in messages: a confirmation page, and the action on its submission.

Opening a link changes nothing, since chat systems open links to show what is behind them.
"""

from collections.abc import Mapping
from html import escape
from typing import Annotated, Any, Literal

import psycopg
from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import HTMLResponse

from analytics.domain.words import CASE_ACTIONS, SITE_VERDICTS, Phrase
from deploy.api.doors import Connection, Now, own_alert, seen
from deploy.api.shapes import Problem, Verdict, Words
from streams.alerts.links import Deed, Link, open_link
from streams.alerts.people import Who, acknowledge, comment, give_verdict, link_used, person_of_link, rows, use_link

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

_STYLE = (
    "body{font:1.1em sans-serif;max-width:36em;margin:2em auto;padding:0 1em;overflow-wrap:anywhere}"
    "h1{font-size:1.4em}h2{font-size:1.1em}textarea{width:100%}"
)
_USED = "<p><b>此链接已用过 / This link was used before</b></p>"
_ANSWERS = {
    "alert_history": "select at, coalesce(by_name, shared_by) as by, action, coalesce(note, shared_note) as note,"
    " null as verdict from {seen} where alert_id = %(alert)s and action in ('acknowledge', 'comment')",
    "case_history": "select at, coalesce(by_name, shared_by) as by, action, coalesce(note, shared_note) as note,"
    " coalesce(facts, shared_facts) ->> 'verdict' as verdict from {seen}"
    " where action in ('verdict', 'corrected', 'pass', 'close')"
    " and case_id = (select id from case_file where alert_id = %(alert)s)",
}
_BY = {"authority": "主管部门 / the authority"}
_ANSWERED = {
    "acknowledge": Phrase(zh="已受理", en="acknowledged"),
    "comment": Phrase(zh="备注", en="note"),
    **CASE_ACTIONS,
    **SITE_VERDICTS,
}


@router.get("/{token}", response_class=HTMLResponse)
async def ask(token: Token, connection: Connection, at: Now, request: Request) -> HTMLResponse:
    """What the link would do, and a button."""
    link = open_link(token, request.app.state.config.secret(), at)
    person = await person_of_link(connection, link)
    alert = await own_alert(connection, person, link.alert_id)
    said = await _answers(connection, person, link.alert_id, request)
    if await link_used(connection, link):
        return _page(f"{_about(alert)}{_USED}{said}")
    choices = "".join(
        f"<p><label><input type=radio name=verdict value={word} required> {name.zh} / {name.en}</label></p>"
        for word, name in SITE_VERDICTS.items()
    )
    return _page(
        f"{_about(alert)}<p>{escape(person.name)}</p>{said}"
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
    alert = await own_alert(connection, person, link.alert_id)
    if await link_used(connection, link):
        said = await _answers(connection, person, link.alert_id, request)
        return _page(f"{_about(alert)}{_USED}{said}", status=410)
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


def _about(alert: Mapping[str, Any]) -> str:
    return f"<h1>{escape(alert['title_zh'])}</h1><p>{escape(alert['title_en'])}</p>"


async def _answers(connection: psycopg.AsyncConnection, person: Who, alert_id: int, request: Request) -> str:
    """What people have answered so far, and when, as far as this person may see it."""
    zone = request.app.state.config.alerts.zone
    found: list[dict[str, Any]] = []
    for view, query in _ANSWERS.items():
        found += await rows(connection, query.format(seen=await seen(connection, view, person)), {"alert": alert_id})
    lines = []
    for one in sorted(found, key=lambda row: row["at"]):
        word = _ANSWERED.get(one["verdict"] or "") or _ANSWERED[one["action"]]
        parts = (
            f"{one['at'].astimezone(zone):%Y-%m-%d %H:%M}",
            _BY.get(one["by"] or "", one["by"] or ""),
            f"{word.zh} / {word.en}",
            one["note"],
        )
        lines.append(f"<li>{escape(' · '.join(filter(None, parts)))}</li>")
    return f"<h2>已有答复 / Answers so far</h2><ul>{''.join(lines)}</ul>" if lines else ""


def _page(body: str, *, status: int = 200) -> HTMLResponse:
    head = "<!doctype html><html lang=zh><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    return HTMLResponse(
        f"{head}<title>Meterwarden</title><style>{_STYLE}</style>{body}</html>", status_code=status, headers=_HEADERS
    )
