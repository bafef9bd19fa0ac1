"""The API against a real database: roles, the case's whole way, links, and a stranger at every door."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from deploy.api import ApiConfig, create_api
from ingest.http import Attempts
from streams.alerts.links import Deed, Link, sign_link
from streams.alerts.people import new_token
from streams.store.postgres.connections import Connections
from tests.streams.alerts.place import NOW, detect, raised, rows, settled

pytestmark = pytest.mark.integration
SECRET = b"s" * 32
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
CERTIFICATE = {
    "number": "J-1", "body": "市计量测试院", "conclusion": "qualified", "verified_on": "2026-03-01", "due": "2027-02-28"
}  # fmt: skip
LOGINS = ("li.na", "wang", "first", "second")


class Office:
    """An API with people at its door."""

    def __init__(self, dsn: str, client: TestClient, app: FastAPI, tokens: dict[str, str]) -> None:
        self.dsn = dsn
        self.client = client
        self.app = app
        self.tokens = tokens

    def ask(self, login: str, method: str, path: str, **facts: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[login]}"}
        return self.client.request(method, path, headers=headers, **facts)

    def got(self, login: str, method: str, path: str, **facts: Any) -> Any:
        answer = self.ask(login, method, path, **facts)
        assert answer.is_success, (path, answer.status_code, answer.text)
        return answer.json() if answer.content else None


@pytest.fixture
def office(module_database: str) -> Iterator[Office]:
    dsn = settled(module_database)
    detect(dsn, 1)
    raised(dsn)
    app = create_api(ApiConfig(dsn=dsn, secret=lambda: SECRET), attempts=Attempts(burst=1000))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Office(dsn, client, app.app, tokens_of(dsn))  # type: ignore[arg-type]  # a FastAPI inside its guard


def tokens_of(dsn: str) -> dict[str, str]:
    import asyncio  # noqa: PLC0415 - of this alone

    async def make() -> dict[str, str]:
        connections = Connections(dsn, size=1)
        async with connections.connection() as connection:
            ids = dict(await (await connection.execute("select login, id from person")).fetchall())
            tokens = {login: await new_token(connection, ids[login]) for login in LOGINS}
        await connections.close()
        return tokens

    return asyncio.run(make())


def link(office: Office, deed: Deed, *, login: str = "li.na", alert: int = 1, expires: datetime | None = None) -> str:
    [(person, standing)] = rows(office.dsn, "select id, standing from person where login = %s", login)
    made = Link.fresh(person, alert, deed, expires or datetime.now(UTC) + timedelta(days=1), standing=standing)
    return "/act/" + sign_link(made, SECRET)


def test_the_whole_way_from_the_alert_to_the_closed_case(office: Office) -> None:
    [alert] = office.got("li.na", "GET", "/alerts")
    assert (alert["unit_code"], alert["point"], alert["state"]) == ("U1", "P1", "open")
    office.got("li.na", "POST", f"/alerts/{alert['id']}/acknowledge", json={"note": "我去看"})
    assert office.got("li.na", "GET", f"/alerts/{alert['id']}")["acknowledged_by"] == "李娜"
    case = office.got("li.na", "POST", f"/alerts/{alert['id']}/case")
    assert office.got("wang", "POST", f"/alerts/{alert['id']}/case")["id"] == case["id"], "one case an alert"
    at = f"/cases/{case['id']}"
    office.got("wang", "POST", f"{at}/dispatch", json={"assignee": "li.na"})
    office.got("li.na", "POST", f"{at}/arrive", json={})
    stored = office.got("li.na", "POST", f"{at}/files", files={"file": ("现场.png", PNG)}, params={"internal": "false"})
    after = office.got("li.na", "POST", f"{at}/verdict", json={"verdict": "faulty", "note": "计度器卡死"})
    assert (after["state"], after["verdict"]) == ("verdict", "faulty")
    after = office.got("li.na", "POST", f"{at}/order", json={})
    due = datetime.fromisoformat(after["due_on"]).date()
    assert 40 <= (due - datetime.now(UTC).date()).days <= 55, "30 working days"
    assert office.got("first", "POST", f"{at}/corrected", json={"note": "已换表"})["state"] == "recheck"
    ics = office.ask("li.na", "GET", f"{at}/deadline.ics").text
    assert "BEGIN:VEVENT\r\n" in ics
    assert "待复查" in ics
    after = office.got("li.na", "POST", f"{at}/pass", json={"energy_recovered": 1234.5})
    assert (after["state"], after["energy_recovered"]) == ("closed", 1234.5)
    steps = [(one["by"], one["action"]) for one in office.got("wang", "GET", f"{at}/history")]
    assert steps == [
        ("李娜", "open"),
        ("王强", "dispatch"),
        ("李娜", "arrive"),
        ("李娜", "attach"),
        ("李娜", "verdict"),
        ("李娜", "order"),
        ("First", "corrected"),
        ("李娜", "pass"),
    ]
    file = office.ask("first", "GET", f"{at}/files/{stored['id']}")
    assert file.content == PNG
    assert file.headers["content-type"] == "image/png"
    [verdict] = rows(office.dsn, "select detection_id, point_id, kind, verdict, found_by, note from meter_verdict")
    assert verdict == (1, 1, "stuck", "faulty", "李娜", "计度器卡死")
    [statistics] = office.got("li.na", "GET", "/statistics")
    assert (statistics["kind"], statistics["precision"], statistics["energy_recovered"]) == ("stuck", 1.0, 1234.5)


def test_what_does_not_fit_is_refused_and_nothing_is_kept(office: Office) -> None:
    case = office.got("li.na", "POST", "/alerts/1/case")["id"]
    before = rows(office.dsn, "select count(*) from case_event")
    for path, given, status, words in (
        ("pass", {}, 409, "a case that is open must be given one of dispatch, arrive, verdict"),
        ("verdict", {"verdict": "broken"}, 422, "data_path"),
        ("verdict", {}, 422, "Field required"),
        ("verdict", {"verdict": "sound", "found_on": "2199-01-01"}, 409, "found_on must be a day up to"),
        ("dispatch", {"assignee": "first"}, 409, "assignee must be the login of an active inspector"),
        ("verdict", {"verdict": "sound", "extra": 1}, 422, "Extra inputs"),
    ):
        answer = office.ask("li.na", "POST", f"/cases/{case}/{path}", json=given)
        assert (answer.status_code, words in answer.text) == (status, True), answer.text
    bad = office.ask("li.na", "POST", f"/cases/{case}/files", files={"file": ("a.png", b"MZ executable")})
    assert (bad.status_code, "must be a JPEG, PNG or PDF" in bad.text) == (409, True)
    assert rows(office.dsn, "select count(*) from case_event") == before
    assert rows(office.dsn, "select state from alert_list") == [("open",)], "the alert is kept"
    assert rows(office.dsn, "select count(*) from meter_verdict") == [(0,)]


def test_a_link_asks_first_acts_once_and_only_for_its_person(office: Office) -> None:
    path = link(office, Deed.VERDICT)
    for _ in range(3):
        page = office.client.get(path)
        assert page.status_code == 200
        assert "器具有故障" in page.text
    assert rows(office.dsn, "select count(*) from case_file") == [(0,)], "opening changes nothing"
    bad = office.client.post(path, data={"verdict": "nonsense"})
    assert bad.status_code == 422
    missing = office.client.post(path, data={})
    assert (missing.status_code, "verdict must be one of" in missing.text) == (409, True)
    done = office.client.post(path, data={"verdict": "load_changed", "note": "停产"})
    assert done.status_code == 200, done.text
    assert rows(office.dsn, "select verdict, state from case_list") == [("load_changed", "verdict")]
    again = office.client.post(path, data={"verdict": "faulty"})
    assert (again.status_code, "used before" in again.text) == (410, True)
    seen = office.client.get(path)
    assert (seen.status_code, "<form" in seen.text) == (200, False), "a used link has nothing to fill in"
    for text in (seen.text, again.text):
        assert re.search(r"<li>\d{4}-\d\d-\d\d \d\d:\d\d · 李娜 · 负荷变化 / load changed · 停产</li>", text), text
    other = office.client.get(link(office, Deed.VERDICT)).text
    assert ("李娜 · 负荷变化" in other, "<form" in other) == (True, True), "an open link says what was answered, too"
    asked = office.client.get(link(office, Deed.COMMENT, login="first")).text
    assert "主管部门 / the authority · 负荷变化" in asked
    assert "停产" not in asked
    assert "李娜" not in asked, "the enterprise reads neither names nor what is the authority's alone"
    old = link(office, Deed.ACKNOWLEDGE, expires=datetime.now(UTC) - timedelta(minutes=1))
    assert office.client.post(old).status_code == 410
    assert office.client.post(path[:-3] + "AAA").status_code == 404
    stranger = link(office, Deed.COMMENT, login="second")
    assert office.client.get(stranger).status_code == 404
    assert office.client.post(stranger, data={"note": "x"}).status_code == 404
    rows(office.dsn, "update person set active = false where login = 'li.na'")
    assert office.client.post(link(office, Deed.ACKNOWLEDGE)).status_code == 410


def test_without_a_token_or_with_one_that_is_over_nothing_is_told(office: Office) -> None:
    paths = [path for path in office.app.openapi()["paths"] if not path.startswith("/act")]
    for path in paths:
        for method in office.app.openapi()["paths"][path]:
            for headers in ({}, {"Authorization": "Bearer mw_nonsense"}, {"Authorization": "Basic eDp5"}):
                filled = path.format(alert_id=1, case_id=1, file_id=1, silence_id=1, certificate_id=1)
                answer = office.client.request(method, filled, headers=headers)
                assert answer.status_code == 401, (method, path, answer.status_code)
    rows(office.dsn, "update api_token set revoked_at = now()")
    assert office.ask("wang", "GET", "/me").status_code == 401


def test_a_person_of_one_enterprise_at_every_door_of_another(office: Office) -> None:
    case = office.got("li.na", "POST", "/alerts/1/case")["id"]
    file = office.got("li.na", "POST", f"/cases/{case}/files", files={"file": ("a.png", PNG)})["id"]
    bodies: dict[str, dict[str, Any]] = {
        "verdict": {"verdict": "sound"},
        "dispatch": {"assignee": "li.na"},
        "hand-over": {"assignee": "li.na"},
    }
    begin = NOW + timedelta(days=1)
    plan = {"starts_at": begin.isoformat(), "ends_at": (begin + timedelta(hours=1)).isoformat(), "reason": "x"}
    before = world(office.dsn)
    seen = 0
    for path, methods in office.app.openapi()["paths"].items():
        if path.startswith("/act"):
            continue
        filled = path.format(alert_id=1, case_id=case, file_id=file, silence_id=1, certificate_id=1)
        for method in methods:
            given: dict[str, Any] = {"json": bodies.get(path.rpartition("/")[2], {"note": "x"})}
            if path == "/silences":
                given = {"json": plan}
            if path == "/certificates":
                given = {"json": {"unit_code": "U1", "meter_no": "M1", **CERTIFICATE}}
            if path.endswith(("/files", "/scan")) and method == "post":
                given = {"files": {"file": ("a.png", PNG)}}
            answer = office.ask("second", method, filled, **({} if method in {"get", "delete"} else given))
            seen += 1
            if path in {"/me", "/alerts", "/cases"} or (method, path) == ("get", "/certificates"):
                assert answer.status_code == 200
                assert answer.json() == [] or path == "/me"
            else:
                assert answer.status_code in {403, 404}, (method, path, answer.status_code, answer.text)
            assert "P1" not in answer.text
            assert "First" not in answer.text
    assert seen >= 25
    assert world(office.dsn) == before, "nothing was changed"


def test_an_enterprise_sees_and_comments_its_own_and_decides_nothing(office: Office) -> None:
    case = office.got("li.na", "POST", "/alerts/1/case")["id"]
    assert [one["id"] for one in office.got("first", "GET", "/alerts")] == [1]
    office.got("first", "POST", "/alerts/1/comment", json={"note": "我们停产检修"})
    office.got("first", "POST", f"/cases/{case}/comment", json={"note": "请周五来"})
    for path in ("/alerts/1/acknowledge", f"/cases/{case}/verdict", f"/cases/{case}/close", f"/cases/{case}/arrive"):
        given = {"verdict": "sound"} if path.endswith("verdict") else {}
        assert office.ask("first", "POST", path, json=given).status_code == 403, path
    for path in ("/outbox", "/statistics", "/silences"):
        assert office.ask("first", "GET", path).status_code == 403
    said = [(one["by"], one["note"]) for one in office.got("li.na", "GET", "/alerts/1/history")]
    assert ("First", "我们停产检修") in said
    assert office.ask("li.na", "GET", "/outbox").status_code == 403, "for staff"
    assert office.got("wang", "GET", "/outbox")[0]["messages"] == 1


def test_planned_work_can_be_entered_and_ended(office: Office) -> None:
    begin = datetime.now(UTC)
    plan = {
        "unit": "U2",
        "starts_at": begin.isoformat(),
        "ends_at": (begin + timedelta(hours=3)).isoformat(),
        "reason": "检修",
    }
    identity = office.got("li.na", "POST", "/silences", json=plan)["id"]
    detect(office.dsn, 3)
    raised(office.dsn, begin + timedelta(minutes=1))
    assert rows(office.dsn, "select count(*) from alert_message where unit_id = 2") == [(0,)]
    office.got("wang", "DELETE", f"/silences/{identity}")
    assert office.ask("wang", "DELETE", f"/silences/{identity}").status_code == 404
    raised(office.dsn, begin + timedelta(hours=3, minutes=1))
    assert rows(office.dsn, "select count(*) from alert_message where unit_id = 2") == [(1,)]
    for bad, status in (
        ({"unit": "U9"}, 404),
        ({"point": "P1", "unit": ""}, 409),
        ({"ends_at": plan["starts_at"]}, 409),
        ({"starts_at": "2026-11-22T08:00:00"}, 422),
    ):
        assert office.ask("li.na", "POST", "/silences", json=plan | bad).status_code == status, bad


def test_a_database_that_is_gone_is_told_as_such() -> None:
    app = create_api(ApiConfig(dsn="postgresql://nobody:hunter2@127.0.0.1:1/x", secret=lambda: SECRET))
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/me", headers={"Authorization": "Bearer x"})
    assert answer.status_code == 503
    assert "hunter2" not in answer.text


def world(dsn: str) -> list[Any]:
    """What the API could have changed."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        tables = (
            "alert",
            "alert_event",
            "alert_silence",
            "case_file",
            "case_event",
            "case_attachment",
            "meter_verdict",
        )
        return [connection.execute(f"select * from {name} order by 1".encode()).fetchall() for name in tables]


def test_an_enterprise_enters_its_own_certificates_and_sees_no_others(office: Office) -> None:
    today = datetime.now(ZoneInfo("Asia/Shanghai")).date()
    facts = {"unit_code": "U1", "meter_no": "M1", **CERTIFICATE}
    dates = {"verified_on": str(today - timedelta(days=30)), "due": str(today + timedelta(days=335))}
    stored = office.got("first", "POST", "/certificates", json=facts | dates)
    at = f"/certificates/{stored['id']}/scan"
    assert office.ask("first", "POST", "/certificates", json=facts | dates).status_code == 409, "entered once"
    assert office.ask("second", "POST", "/certificates", json=facts | dates | {"number": "J-2"}).status_code == 404
    assert office.ask("second", "GET", at).status_code == 404
    assert office.ask("first", "GET", at).status_code == 404, "no scan yet"
    office.got("first", "POST", at, files={"file": ("证书.png", PNG)})
    scan = office.ask("first", "GET", at)
    assert (scan.content, scan.headers["content-type"]) == (PNG, "image/png")
    assert office.ask("first", "POST", at, files={"file": ("x.exe", b"MZ")}).status_code == 409
    listed = office.got("first", "GET", "/certificates", params={"meter": "M1"})
    assert [(one["number"], one["scan"], one["cycle"]) for one in listed] == [("J-1", "证书.png", 1)]
    assert office.got("second", "GET", "/certificates") == []
    assert [one["unit_code"] for one in office.got("wang", "GET", "/certificates")] == ["U1"]
    wrong = office.ask("first", "POST", "/certificates", json=facts | dates | {"due": None, "number": "J-3"})
    assert (wrong.status_code, "due must be given" in wrong.json()["detail"]) == (409, True)
    late = {"verified_on": str(today + timedelta(days=2)), "number": "J-4"}
    assert office.ask("first", "POST", "/certificates", json=facts | dates | late).status_code == 409
    assert office.ask("first", "POST", "/certificates", json=facts | dates | {"meter_no": "X"}).status_code == 404
