"""What an enterprise is shown of its own cases, links after a change of role, and answers that no JSON can hold."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streams.alerts import cases as cases_module
from streams.alerts.links import Deed
from tests.deploy.api.test_api import PNG, Office, link, office
from tests.streams.alerts.place import rows

__all__ = ["office"]  # the fixture

pytestmark = pytest.mark.integration
HIDDEN = ("李娜", "王强", "li.na", "wang", "内部", "现场")


def test_an_enterprise_sees_no_names_assignees_or_internal_notes_of_the_authority(office: Office) -> None:
    case = office.got("li.na", "POST", "/alerts/1/case")["id"]
    at = f"/cases/{case}"
    office.got("li.na", "POST", "/alerts/1/acknowledge", json={"note": "内部：先看电表箱"})
    office.got("li.na", "POST", "/alerts/1/comment", json={"note": "内部：不要提前通知"})
    office.got("li.na", "POST", "/alerts/1/comment", json={"note": "请备好图纸", "internal": False})
    office.got("first", "POST", "/alerts/1/comment", json={"note": "我们停产检修"})
    office.got("wang", "POST", f"{at}/dispatch", json={"assignee": "li.na", "note": "内部派单"})
    office.got("li.na", "POST", f"{at}/arrive", json={})
    office.got("li.na", "POST", f"{at}/files", files={"file": ("现场.png", PNG)})
    shared = office.got("li.na", "POST", f"{at}/files?internal=false", files={"file": ("notice.png", PNG)})["id"]
    own = office.got("first", "POST", f"{at}/files", files={"file": ("bill.png", PNG)})["id"]
    office.got("li.na", "POST", f"{at}/verdict", json={"verdict": "faulty", "note": "内部：疑似人为"})
    office.got("li.na", "POST", f"{at}/order", json={"days": 5, "note": "五日内更换", "internal": False})
    told = {
        path: office.ask("first", "GET", path)
        for path in (
            "/alerts",
            "/alerts/1",
            "/alerts/1/history",
            "/cases",
            at,
            f"{at}/history",
            f"{at}/files",
            f"{at}/deadline.ics",
        )
    }
    for path, answer in told.items():
        assert answer.status_code == 200, (path, answer.text)
        text = json.dumps(answer.json(), ensure_ascii=False) if path[-4:] != ".ics" else answer.text
        assert [word for word in HIDDEN if word in text] == [], (path, text)
    notes = [(one["by"], one["note"]) for one in told["/alerts/1/history"].json()]
    assert ("authority", "请备好图纸") in notes
    assert ("First", "我们停产检修") in notes
    assert ("authority", "") in notes
    steps = {one["action"]: one for one in told[f"{at}/history"].json()}
    assert (steps["order"]["note"], steps["order"]["facts"]) == ("五日内更换", {"days": 5})
    assert steps["verdict"]["facts"] == {"verdict": "faulty"}
    assert (told[at].json()["assignee"], told["/alerts/1"].json()["acknowledged_by"]) == (None, None)
    assert told["/alerts/1"].json()["level"] is None
    assert {one["id"] for one in told[f"{at}/files"].json()} == {shared, own}
    assert office.ask("first", "GET", f"{at}/files/{shared}").status_code == 200
    internal = next(one["id"] for one in office.got("wang", "GET", f"{at}/files") if one["name"] == "现场.png")
    assert office.ask("first", "GET", f"{at}/files/{internal}").status_code == 404
    assert office.got("first", "GET", "/cases", params={"assignee": "li.na"}) == [], "nor by asking for it"
    seen = [(one["by"], one["note"]) for one in office.got("wang", "GET", f"{at}/history")]
    assert ("王强", "内部派单") in seen, "the authority sees all of it"


def test_an_inspector_who_went_to_an_enterprise_keeps_no_name_in_another_s_history(office: Office) -> None:
    office.got("li.na", "POST", "/alerts/1/comment", json={"note": "内部：不要提前通知"})
    rows(office.dsn, "update person set role = 'enterprise', unit_id = 2 where login = 'li.na'")
    text = office.ask("first", "GET", "/alerts/1/history").text
    assert "李娜" not in text
    assert "内部" not in text


def test_a_link_acts_only_while_its_person_stands_as_when_it_was_made(office: Office) -> None:
    paths = {deed: link(office, deed) for deed in Deed}
    rows(office.dsn, "update person set role = 'enterprise', unit_id = 1 where login = 'li.na'")
    for deed, path in paths.items():
        assert office.client.get(path).status_code == 410, deed
        answer = office.client.post(path, data={"verdict": "sound"} if deed is Deed.VERDICT else {})
        assert (answer.status_code, "changed meanwhile" in answer.text) == (410, True), deed
    for deed in (Deed.VERDICT, Deed.ACKNOWLEDGE):
        path = link(office, deed)  # made for who now is of the enterprise: it may not do that at all
        assert office.client.post(path, data={"verdict": "sound"}).status_code == 410, deed
    assert office.client.post(link(office, Deed.COMMENT), data={"note": "x"}).status_code == 200
    assert rows(office.dsn, "select count(*) from meter_verdict") == [(0,)]
    assert rows(office.dsn, "select state from alert_list") == [("open",)]
    assert office.ask("li.na", "GET", "/me").status_code == 401, "a token of the role before is over, too"


def test_who_comes_back_is_not_let_in_by_what_he_had_before(office: Office) -> None:
    path = link(office, Deed.ACKNOWLEDGE)
    rows(office.dsn, "update person set active = false where login = 'li.na'")
    rows(office.dsn, "update person set active = true where login = 'li.na'")
    assert office.client.post(path).status_code == 410
    assert office.ask("li.na", "GET", "/me").status_code == 401


def test_half_letters_and_infinities_are_refused_not_an_error(office: Office) -> None:
    case = office.got("li.na", "POST", "/alerts/1/case")["id"]
    office.got("li.na", "POST", f"/cases/{case}/verdict", json={"verdict": "sound"})
    bearer = {"Authorization": f"Bearer {office.tokens['li.na']}", "Content-Type": "application/json"}
    for path, body in (
        ("/alerts/1/comment", b'{"note": "\\ud800"}'),
        ("/alerts/1/comment", b'{"\\udfff": 1}'),
        (f"/cases/{case}/close", b'{"energy_recovered": 1e400}'),
        (f"/cases/{case}/close", b'{"energy_recovered": NaN}'),
        (f"/cases/{case}/close", b'{"energy_recovered": 1' + b"0" * 500 + b"}"),
        (f"/cases/{case}/order", b'{"days": -1e400}'),
    ):
        answer = office.client.post(path, content=body, headers=bearer)
        assert answer.status_code == 422, (path, body[:40], answer.status_code, answer.text)
    for body in (b"[" * 60_000, b'{"note": 1' + b"0" * 50_000 + b"}", b"{", b"\xff"):
        answer = office.client.post("/alerts/1/comment", content=body, headers=bearer)
        assert answer.status_code in {400, 422}, (body[:20], answer.status_code)


@pytest.mark.parametrize(
    ("starts_at", "ends_at"),
    [
        ("2026-11-30T00:00:00+08:00", "9999-12-31T23:59:59-14:00"),
        ("0001-01-01T00:00:00+14:00", "2026-12-01T00:00:00Z"),
        ("2026-11-30T00:00:00+08:00", "2200-01-01T00:00:00Z"),
        ("2026-11-30T00:00:00+08:00", "2026-11-30T00:00:00+09:00"),
    ],
)
def test_a_silence_at_a_time_that_makes_no_sense_is_refused(office: Office, starts_at: str, ends_at: str) -> None:
    plan = {"starts_at": starts_at, "ends_at": ends_at, "reason": "x"}
    answer = office.ask("li.na", "POST", "/silences", json=plan)
    assert answer.status_code in {409, 422}, answer.text
    assert rows(office.dsn, "select count(*) from alert_silence") == [(0,)]


def test_a_case_has_so_many_files_and_no_more(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases_module, "MOST_FILES", 3)
    case = office.got("li.na", "POST", "/alerts/1/case")["id"]
    path, put = f"/cases/{case}/files", {"file": ("a.png", PNG)}
    sent = [office.ask("first", "POST", path, files=put).status_code for _ in range(5)]
    assert sent == [201, 201, 201, 409, 409]
    assert rows(office.dsn, "select count(*) from case_attachment") == [(3,)]


def test_logins_and_refusals_are_kept_and_nothing_secret_with_them(office: Office) -> None:
    secret = link(office, Deed.ACKNOWLEDGE)
    office.client.get(secret[:-4] + "AAAA")
    office.ask("li.na", "GET", "/me")
    office.ask("first", "GET", "/outbox")
    office.client.get("/me", headers={"Authorization": "Bearer mw_guess-0815"})
    portal: Any = office.client.portal
    portal.call(office.app.state.access_log.write)
    kept = rows(office.dsn, "select door, event, who, route, status from access_log order by id")
    assert ("api", "login", "li.na", "api", 200) in kept
    assert ("api", "refused", "first", "api", 403) in kept
    assert ("api", "refused", "", "api", 401) in kept
    assert ("api", "refused", "", "/act/{token}", 404) in kept
    whole = str(rows(office.dsn, "select l::text from access_log l"))
    assert "guess-0815" not in whole
    assert secret.rpartition("/")[2][:20] not in whole


def test_every_answer_is_hardened_and_nothing_comes_from_outside(office: Office) -> None:
    answers = [
        office.ask("li.na", "GET", "/alerts"),
        office.client.get("/alerts"),
        office.client.get("/nowhere"),
        office.client.get("/openapi.json"),
        office.client.get(link(office, Deed.COMMENT)),
        office.ask("li.na", "POST", "/alerts/1/comment", json={"note": 7}),
    ]
    assert [answer.status_code for answer in answers] == [200, 401, 401, 200, 200, 422]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy, "no address of others"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers
    for path in ("/docs", "/redoc"):
        assert office.ask("li.na", "GET", path).status_code == 404


def test_old_tokens_are_refused_within_their_time(office: Office) -> None:
    later = datetime.now(UTC) - timedelta(seconds=1)
    rows(office.dsn, "update api_token set expires_at = %s", later)
    assert office.ask("wang", "GET", "/me").status_code == 401
