import asyncio
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from analytics.domain.errors import StoreUnavailable
from ingest.gateway.access import Gateway, Gateways, digest_of, new_token
from ingest.gateway.commit import GroupCommit
from ingest.gateway.http import HttpIntake, HttpLimits, create_app
from ingest.gateway.spool import Spool
from ingest.wire import decode_records

TOKEN, NEXT_TOKEN = new_token(), new_token()
GATEWAYS = Gateways.of(
    [Gateway(id=1, name="plant-1", unit_codes=frozenset({"U1", "U2"}))],
    {digest_of(token): ("plant-1", None) for token in (TOKEN, NEXT_TOKEN)},
)
ZONE = ZoneInfo("Asia/Shanghai")


def reading(**changes: object) -> dict[str, object]:
    sound = {
        "unit_code": "U1", "meter_no": "M1", "measured_at": "2026-11-30T08:00:00+08:00", "value": 1.5, "unit": "kWh",
    }  # fmt: skip
    return {name: value for name, value in (sound | changes).items() if value is not None}


class Registry:
    def __init__(self) -> None:
        self.down = False

    async def current(self) -> Gateways:
        if self.down:
            raise StoreUnavailable("the database must answer")
        return GATEWAYS


class Place:
    def __init__(self, folder: Path, **limits: Any) -> None:
        self.spool = Spool(folder, max_bytes=10 * 2**20)
        self.commit = GroupCommit(self.spool)
        self.registry = Registry()
        self.intake = HttpIntake(self.commit, self.registry, ZONE, HttpLimits(**limits))
        self.app = create_app(self.intake)

    def post(self, content: bytes, *, token: str | None = TOKEN, **headers: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
                given = {"Authorization": f"Bearer {token}"} if token else {}
                return await client.post("/readings", content=content, headers=given | headers)

        return asyncio.run(ask())

    def get(self, path: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
                return await client.get(path)

        return asyncio.run(ask())

    def kept(self) -> list[tuple[str, str, float, str]]:
        """Unit, meter, value and unit of measurement of what is in the spool."""
        found = []
        for stored in self.spool.read():
            blocks, faults = decode_records([stored.entry.payload], timestamps_us=[0], zone=ZONE)
            assert not faults
            for block in blocks:
                assert block.unit_code == stored.entry.key
                found += [
                    (block.unit_code, block.meters.names[m], v, block.units[u])
                    for m, v, u in zip(block.meter, block.value.tolist(), block.unit, strict=True)
                ]
        return found

    def close(self) -> None:
        self.commit.close()
        self.spool.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path / "spool")
    yield found
    found.close()


def as_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (as_json(reading()), {}),
        (as_json([reading(), reading(unit_code="U2", register="power", unit="kW")]), {}),
        (as_json({"unit_code": "U1", "readings": [reading(unit_code=None)]}), {}),
        (
            as_json(reading()) + b"\n\n" + as_json(reading(meter_no="M2")) + b"\n",
            {"Content-Type": "application/x-ndjson"},
        ),
        (gzip.compress(as_json([reading()] * 50)), {"Content-Encoding": "gzip"}),
    ],
    ids=["single", "array", "envelope", "lines", "gzip"],
)
def test_every_form_is_kept_and_counted(place: Place, content: bytes, headers: dict[str, str]) -> None:
    answer = place.post(content, **headers)
    assert answer.status_code == 202, answer.text
    kept = place.kept()
    assert answer.json() == {"accepted": len(kept), "rejected": 0, "rows": []}
    assert kept[0] == ("U1", "M1", 1.5, "kWh")
    if len(kept) == 2 and b"power" in content:
        assert kept[1] == ("U2", "M1\x1fpower", 1.5, "kW")


def test_bad_rows_are_told_each_and_the_others_kept(place: Place) -> None:
    rows = [
        reading(), reading(value="x"), reading(measured_at="noon"), reading(meter_no=None), reading(unit_code="U9"),
        reading(value="x"), reading(meter_no="M2"), 7,
    ]  # fmt: skip
    answer = place.post(as_json(rows))
    assert answer.status_code == 202
    told = answer.json()
    assert (told["accepted"], told["rejected"]) == (2, 6)
    assert [(row["row"], row["reason"]) for row in told["rows"]] == [
        (1, "not_a_number"), (2, "bad_time"), (3, "missing_field"), (4, "unknown_unit_code"), (5, "not_a_number"),
        (7, "malformed"),
    ]  # fmt: skip
    assert told["rows"][0]["required"] == "value: a finite number"
    assert told["rows"][0]["got"] == '"x"'
    assert [meter for _, meter, _, _ in place.kept()] == ["M1", "M2"]


def test_nothing_acceptable_is_422_and_no_json_is_400(place: Place) -> None:
    answer = place.post(as_json([reading(unit_code="U9")]))
    assert (answer.status_code, answer.json()["rejected"]) == (422, 1)
    assert place.post(as_json([])).status_code == 202
    for content in (b"", b"?", b'{"unit_code"', b'"text"', b"\xff\xfe"):
        answer = place.post(content)
        assert answer.status_code in (400, 422), (content, answer.text)
    assert place.kept() == []


def test_only_a_token_that_holds_lets_in_and_two_hold_while_one_is_replaced(place: Place) -> None:
    content = as_json(reading())
    assert place.post(content, token=None).status_code == 401
    assert place.post(content, token="mwg_wrong").status_code == 401
    assert place.post(content, token=None, Authorization=f"Basic {TOKEN}").status_code == 401
    assert place.post(content, token=NEXT_TOKEN).status_code == 202
    place.registry.down = True
    assert place.post(content).status_code == 503


def test_size_and_encoding_are_limited(tmp_path: Path) -> None:
    place = Place(tmp_path, body_bytes=1000)
    assert place.post(b" " * 1001).status_code == 413
    bomb = gzip.compress(b" " * 10_000_000)
    assert len(bomb) > 1000  # too long as it is
    assert place.post(gzip.compress(b" " * 300_000), **{"Content-Encoding": "gzip"}).status_code == 413
    assert place.post(b"x", **{"Content-Encoding": "gzip"}).status_code == 400
    assert place.post(gzip.compress(b"[]")[:-9], **{"Content-Encoding": "gzip"}).status_code == 400
    assert place.post(b"x", **{"Content-Encoding": "br"}).status_code == 415
    assert place.kept() == []
    place.close()


def test_gzip_of_several_members_is_kept_whole(place: Place) -> None:
    members = [gzip.compress(part) for part in (b"[", as_json(reading()), b",", as_json(reading(meter_no="M2")), b"]")]
    answer = place.post(b"".join(members), **{"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["accepted"]) == (202, 2)
    assert place.post(gzip.compress(b"[]") + b"rest", **{"Content-Encoding": "gzip"}).status_code == 400
    bomb = gzip.compress(b" " * 2**20) * 17
    assert place.post(bomb, **{"Content-Encoding": "gzip"}).status_code == 413


def test_too_fast_is_429_with_the_time_to_wait(tmp_path: Path) -> None:
    place = Place(tmp_path, readings_per_s=10.0, burst_s=2.0)
    content = as_json([reading()] * 15)
    assert place.post(content).status_code == 202
    answer = place.post(content)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 2
    assert len(place.kept()) == 15
    place.close()


def test_full_spool_is_429_and_nothing_of_it_is_kept(place: Place) -> None:
    place.spool._max_bytes = 100
    answer = place.post(as_json([reading()] * 100))
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "30"
    assert "must have room" in answer.json()["detail"]
    assert place.kept() == []


def test_counts_can_be_read(place: Place) -> None:
    place.post(as_json([reading(), reading(value=None)]))
    place.post(b"?", token=None)
    text = place.get("/metrics").text
    assert 'metering_gateway_readings_total{result="accepted",way="http"} 1.0' in text
    assert 'metering_gateway_readings_total{result="rejected",way="http"} 1.0' in text
    assert 'metering_gateway_http_refused_total{status="401"} 1.0' in text
    assert place.get("/health").text == "ok\n"
    assert "/readings" in place.get("/openapi.json").json()["paths"]


def test_counts_are_for_this_machine_or_who_has_the_password(place: Place) -> None:
    async def ask(client: str, **given: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=place.app, client=(client, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as session:
            return await session.get("/metrics", **given)

    assert asyncio.run(ask("127.0.0.1")).status_code == 200
    refused = asyncio.run(ask("10.0.0.7"))
    assert (refused.status_code, "metering" in refused.text) == (403, False)
    assert "METERWARDEN_METRICS_PASSWORD" in refused.json()["detail"]

    place.intake.metrics_password = "s\u00e9same"
    for client in ("127.0.0.1", "10.0.0.7"):
        for given in ({}, {"auth": ("prometheus", "sesame")}, {"auth": ("s\u00e9same", "")}):
            refused = asyncio.run(ask(client, **given))
            assert (refused.status_code, refused.headers["WWW-Authenticate"][:5]) == (401, "Basic")
        told = asyncio.run(ask(client, auth=httpx.BasicAuth("prometheus", "s\u00e9same")))
        assert "metering_gateway_readings" in told.text
