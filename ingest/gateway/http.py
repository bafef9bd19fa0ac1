"""Intake by HTTP: ``POST /readings``, answered when it is on the disk.

The body is what may be on Kafka as JSON: one reading, an array, ``{"unit_code", "readings"}``; or JSON lines with the
content type ``application/x-ndjson``. Any of them may come with ``Content-Encoding: gzip``.

====  =====================================================================================================
202   kept: ``{"accepted": n, "rejected": m, "rows": [{"row", "reason", "required", "got"}, …]}``
400   not JSON, or not gzip
401   no token, or one that is nobody's
413   the body, or what it unpacks to, is too large
415   another content encoding
422   no row of it can be accepted; the same body as 202
429   too fast, or there is no room: after ``Retry-After`` seconds; nothing of it was kept
====  =====================================================================================================
"""

import asyncio
import logging
import math
import re
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry, Counter, generate_latest

from analytics.domain.errors import MeterwardenError
from ingest.gateway.access import Gateway, GatewayRegistry, digest_of
from ingest.gateway.bucket import Bucket
from ingest.gateway.commit import GroupCommit
from ingest.gateway.rows import Judge, Judged, entries_of, lines_of
from ingest.gateway.spool import SpoolFull
from ingest.http import Guard, Limits, Rule, Visitor
from ingest.http.guard import Scope, bearer
from ingest.http.telemetry import telemetry
from ingest.metrics_page import CHALLENGE, is_loopback, may_read
from ingest.wire import Block

__all__ = ["HttpIntake", "HttpLimits", "create_app"]

log = logging.getLogger("metering.gateway.http")

_LINES: Final = frozenset({"application/x-ndjson", "application/jsonl", "application/x-jsonlines"})
_ROWS_SHOWN: Final = 1000
_RETRY_FULL_S: Final = 30
_BODY_S: Final = 60.0
_ANSWER_S: Final = 120.0
_AT_ONCE: Final = 512
_EACH: Final = 64  # requests of one gateway at once: they share flushes
_encode = msgspec.json.Encoder().encode

_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["unit_code", "meter_no", "measured_at", "value", "unit"],
    "properties": {
        "unit_code": {"type": "string", "description": "code of the energy-using unit"},
        "meter_no": {"type": "string", "description": "number of the meter in the ledger"},
        "measured_at": {"type": "string", "description": "ISO 8601 with an offset"},
        "value": {"type": "number", "description": "the dial, before the multiplier"},
        "unit": {"type": "string", "examples": ["kWh"]},
        "register": {"type": "string"},
        "quality": {"type": "integer"},
        "received_at": {"type": "string"},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """How much may come.

    Attributes
    ----------
    body_bytes : int
        Of one request, unpacked too. [byte]
    readings_per_s : float
        Of one sender, on average; 0 for any. [1/s]
    burst_s : float
        Readings of so many seconds may come at once. [s]
    """

    body_bytes: int = 16 * 2**20
    readings_per_s: float = 0.0
    burst_s: float = 60.0


@dataclass(slots=True)
class HttpIntake:
    """What the endpoint stands on.

    Attributes
    ----------
    commit : GroupCommit
        Where readings are kept.
    registry : GatewayRegistry
        Who may send, and readings of which units.
    zone : ZoneInfo
        Zone of times without an offset.
    metrics : CollectorRegistry
        Where counts are kept.
    readings : Counter, optional
        Readings by way and result, where others count in it too.
    metrics_password : str, optional
        What ``/metrics`` asks for; without one only this machine may read it.
    """

    commit: GroupCommit
    registry: GatewayRegistry
    zone: ZoneInfo
    limits: HttpLimits = field(default_factory=HttpLimits)
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    readings: Counter | None = None
    metrics_password: str | None = field(default=None, repr=False)
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000
    delivered: dict[str, int] = field(default_factory=dict)
    """When the last readings of each sender were kept. [us since 1970-01-01 UTC]"""
    _judges: dict[str, Judge] = field(default_factory=dict)
    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def judge_of(self, sender: Gateway) -> Judge:
        """A sender's judge: it remembers the names that this sender uses."""
        judge = self._judges.get(sender.name)
        if judge is None:
            judge = self._judges[sender.name] = Judge(self.zone)
        return judge

    def wait_s(self, sender: Gateway, readings: int) -> float:
        """How long a sender must wait before so many readings are taken; 0 for not at all. [s]"""
        if not self.limits.readings_per_s:
            return 0.0
        bucket = self._buckets.get(sender.name)
        if bucket is None:
            bucket = self._buckets[sender.name] = Bucket(self.limits.readings_per_s, burst_s=self.limits.burst_s)
        return bucket.take(readings)


class _Refused(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers or {}


class _Tokens:
    """Proves gateways by their tokens, before a byte of the body is read."""

    def __init__(self, intake: HttpIntake) -> None:
        self._intake = intake

    def credential(self, scope: Scope) -> bytes | None:
        """Digest of the bearer token."""
        token = bearer(scope)
        return digest_of(token) if token is not None else None

    async def prove(self, scope: Scope) -> Visitor | None:
        """The gateway; raises `TransientError` where who may send cannot be looked up."""
        token = bearer(scope)
        known = await self._intake.registry.current()
        now = datetime.fromtimestamp(self._intake.now_us() / 1e6, UTC)
        gateway = known.of_token(token, now) if token is not None else None
        return Visitor(gateway.name, gateway) if gateway is not None else None


def create_app(intake: HttpIntake) -> Guard:
    """The intake as an ASGI application.

    Parameters
    ----------
    intake : HttpIntake
    """
    app = FastAPI(
        title="Meterwarden intake",
        summary="Readings in; what is answered with 202 is on the disk.",
        telemetry=telemetry(),
    )
    counts = intake.readings or Counter(
        "metering_gateway_readings", "Readings that came", ["way", "result"], registry=intake.metrics
    )
    accepted_count, rejected_count = counts.labels("http", "accepted"), counts.labels("http", "rejected")
    turned_away = Counter(
        "metering_gateway_http_refused", "Requests that were refused", ["status"], registry=intake.metrics
    )

    async def readings(request: Request) -> Response:
        try:
            judged = await _taken(intake, request)
        except _Refused as refused:
            turned_away.labels(str(refused.status)).inc()
            return _json({"detail": refused.detail}, refused.status, refused.headers)
        accepted_count.inc(judged.accepted)
        rejected_count.inc(judged.rejected)
        return _json(_account(judged), 202 if judged.accepted or not judged.rejected else 422)

    async def health() -> Response:
        return Response("ok\n", media_type="text/plain")

    async def metrics(request: Request) -> Response:
        refusal = _metrics_refusal(intake.metrics_password, request)
        return refusal or Response(generate_latest(intake.metrics), media_type="text/plain; version=0.0.4")

    array = {"oneOf": [_SCHEMA, {"type": "array", "items": _SCHEMA}]}
    app.add_api_route(
        "/readings",
        readings,
        methods=["POST"],
        status_code=202,
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": array}}}},
    )
    app.add_api_route("/health", health, methods=["GET"], include_in_schema=False)
    app.add_api_route("/metrics", metrics, methods=["GET"], include_in_schema=False)
    limits = Limits(
        body_bytes=intake.limits.body_bytes, body_s=_BODY_S, answer_s=_ANSWER_S, at_once=_AT_ONCE, at_once_each=_EACH
    )
    return Guard(
        app,
        name="intake",
        rules=[Rule(name="/readings", path=re.compile("/readings"), limits=limits)],
        default=Limits(proven=False, body_bytes=0),
        authenticator=_Tokens(intake),
        on_event=lambda event: turned_away.labels(str(event.status)).inc() if event.event != "login" else None,
    )


def _metrics_refusal(password: str | None, request: Request) -> Response | None:
    """Names of devices and links are nobody else's: a password, or this machine."""
    if password is None:
        here = is_loopback(request.client.host if request.client else "")
        detail = "metrics are read from elsewhere with a password alone: METERWARDEN_METRICS_PASSWORD"
        return None if here else _json({"detail": detail}, 403)
    if may_read(request.headers.get("authorization"), password):
        return None
    return _json({"detail": "the password of METERWARDEN_METRICS_PASSWORD is required"}, 401, CHALLENGE)


async def _taken(intake: HttpIntake, request: Request) -> Judged:
    sender: Gateway = request.scope["state"]["visitor"].whole
    units = None if sender.all_units else sender.unit_codes
    body = await _body(request, intake.limits.body_bytes)
    now_us = intake.now_us()
    judge = intake.judge_of(sender)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _LINES:
        judged = judge.lines(lines_of(body), units=units, now_us=now_us)
    else:
        judged = judge.message(body, units=units, now_us=now_us)
    if not judged.accepted and any(row.row < 0 for row in judged.rows):
        whole = judged.rows[0]
        raise _Refused(400, f"{whole.required} is required (got {whole.got})")
    wait_s = intake.wait_s(sender, judged.accepted + judged.rejected)
    if wait_s:
        detail = f"at most {intake.limits.readings_per_s:g} readings/s of {sender.name} are taken"
        raise _Refused(429, detail, {"Retry-After": str(math.ceil(wait_s))})
    await _keep(intake, judged.blocks, now_us)
    if judged.accepted:
        intake.delivered[sender.name] = now_us
    return judged


async def _keep(intake: HttpIntake, blocks: list[Block], now_us: int) -> None:
    if not blocks:
        return
    try:
        await asyncio.wrap_future(intake.commit.submit(entries_of(blocks, now_us)))
    except SpoolFull as error:
        log.warning("readings are refused: %s", error)
        raise _Refused(429, str(error), {"Retry-After": str(_RETRY_FULL_S)}) from None
    except MeterwardenError as error:
        log.error("readings are refused: %s", error)  # noqa: TRY400 - the message is all there is to it
        raise _Refused(503, str(error), {"Retry-After": str(_RETRY_FULL_S)}) from None


async def _body(request: Request, limit: int) -> bytes:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise _Refused(415, f"Content-Encoding must be gzip or none (got {encoding})", {"Accept-Encoding": "gzip"})
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _Refused(413, f"a body must have at most {limit} bytes")
        parts.append(part)
    body = b"".join(parts)
    return _unpacked(body, limit) if encoding == "gzip" else body


def _unpacked(body: bytes, limit: int) -> bytes:
    """Body of gzip, no longer than `limit` whatever its bytes claim."""
    data = b""
    while body:  # a file of gzip may have several members, one behind the other
        unpacker = zlib.decompressobj(wbits=31)
        try:
            data += unpacker.decompress(body, limit + 1 - len(data))
        except zlib.error as error:
            raise _Refused(400, f"gzip is required, as Content-Encoding says (got {error})") from None
        if len(data) > limit:
            raise _Refused(413, f"a body must have at most {limit} bytes when unpacked")
        if not unpacker.eof:
            raise _Refused(400, "a whole gzip stream is required (got one cut off)")
        body = unpacker.unused_data
    return data


def _account(judged: Judged) -> dict[str, Any]:
    rows = [
        {"row": row.row, "reason": row.reason.name.lower(), "required": row.required, "got": row.got}
        for row in judged.rows[:_ROWS_SHOWN]
    ]
    return {"accepted": judged.accepted, "rejected": judged.rejected, "rows": rows}


def _json(content: dict[str, Any], status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(_encode(content), status, headers, media_type="application/json")
