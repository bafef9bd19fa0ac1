"""Who may bring readings, of which units, and their tokens: for administrators."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Path, Request, Response

from analytics.domain.errors import RegistryError
from dashboards.web.values import cell, heading
from deploy.web.answers import answer, go
from deploy.web.doors import ActingAdministrator, Administrator, Visit, Writing
from deploy.web.people import people_tabs
from streams.store.access.gateways import (
    add_gateway,
    bind,
    end_gateway,
    list_gateways,
    mark_kafka,
    read_bindings,
    rotate,
    unknown_units,
)

__all__ = ["router"]

router = APIRouter(prefix="/gateways")
_COLUMNS = ("gateway", "units", "valid_since", "valid_until", "gateway_state", "tokens", "kafka_since", "note")
_MOST_HOURS = 24 * 90
Name = Path(max_length=63)


@router.get("")
async def listed(request: Request, visit: Administrator, connection: Writing) -> Response:
    """Who is entered."""
    return await _shown(request, visit, connection)


@router.post("")
async def add(request: Request, visit: ActingAdministrator, connection: Writing) -> Response:
    """Enter a gateway; its token is shown this once."""
    name, codes, every = visit.field("name", 63), _codes(visit), visit.field("all_units", 10) == "yes"
    token = await add_gateway(connection, name, unit_codes=codes, all_units=every, note=visit.field("note", 500))
    unknown = await unknown_units(connection, codes)
    return await _shown(request, visit, connection, token=token, of=name, unknown=unknown)


@router.post("/{name}/bind")
async def rebind(visit: ActingAdministrator, name: str, connection: Writing) -> Response:
    """Let a gateway send these units instead of those that it had."""
    every = visit.field("all_units", 10) == "yes"
    await bind(connection, name, unit_codes=_codes(visit), all_units=every)
    return go("/gateways")


@router.post("/{name}/rotate")
async def new_token(request: Request, visit: ActingAdministrator, name: str, connection: Writing) -> Response:
    """A new token, shown this once; the one before ends now or after some hours."""
    hours = visit.field("hours", 5) or "0"
    if not hours.isdecimal() or int(hours) > _MOST_HOURS:
        raise RegistryError(f"hours must be 0 to {_MOST_HOURS} (got {hours!r})")
    token = await rotate(connection, name, overlap=timedelta(hours=int(hours)))
    return await _shown(request, visit, connection, token=token, of=name)


@router.post("/{name}/end")
async def end(request: Request, visit: ActingAdministrator, name: str, connection: Writing) -> Response:
    """Let a gateway in no longer; a login in Kafka is ended by `meterwarden gateways end`, which may."""
    known = (await read_bindings(connection)).get(name)
    await end_gateway(connection, name)
    if known is not None and known.kafka:
        await mark_kafka(connection, name, datetime.now(UTC))
        return await _shown(request, visit, connection, kafka=name)
    return go("/gateways")


def _codes(visit: Visit) -> list[str]:
    return visit.field("units").replace(",", " ").replace("，", " ").split()


async def _shown(
    request: Request,
    visit: Visit,
    connection: Any,
    *,
    token: str = "",
    of: str = "",
    unknown: list[str] | None = None,
    kafka: str = "",
) -> Response:
    zone, now = request.app.state.config.alerts.zone, datetime.now(UTC)
    found = await list_gateways(connection)
    entered = [
        {
            "name": row["name"],
            "over": row["until"] is not None and row["until"] <= now,
            "cells": [cell(column, row[column_of(column)], language=visit.language, zone=zone) for column in _COLUMNS],
        }
        for row in found
    ]
    return answer(
        request,
        "gateways",
        visit=visit,
        here="people",
        tabs=people_tabs(visit, "gateways"),
        headings=[heading(name, visit.language) for name in _COLUMNS],
        gateways=entered,
        token=token,
        of=of,
        unknown=", ".join(unknown or ()),
        kafka=kafka,
    )


def column_of(shown: str) -> str:
    """What the registry calls a column."""
    renamed = {"gateway": "name", "valid_since": "since", "valid_until": "until", "gateway_state": "state"}
    return renamed.get(shown, shown)
