"""Signing in: passwords, one-time links, sessions that end, forms that are ours, and guesses that wait."""

import re

import pytest

from deploy.web.doors import within
from ingest.http import Attempts
from tests.deploy.web.office import HOST, PASSWORD, Office

pytestmark = pytest.mark.integration


def test_a_stranger_is_sent_to_sign_in_and_comes_back_to_the_page(office: Office) -> None:
    browser = office.browser()
    answer = browser.get("/unit?unit=U1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?back=%2Funit%3Funit%3DU1")
    form = browser.get(answer.headers["location"])
    assert 'value="/unit?unit=U1"' in form.text
    back = {"login": "chief", "password": PASSWORD, "back": "/unit?unit=U1"}
    answer = browser.post("/sign-in", data=back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/unit?unit=U1")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert browser.get("/unit?unit=U1").status_code == 200


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb", "x", ""])
def test_no_link_leads_away(path: str) -> None:
    assert within(path) == "/"


def test_pages_run_no_script_and_are_not_kept(office: Office) -> None:
    headers = office.browser("chief").get("/today").headers
    assert "script-src" not in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


def test_a_cookie_is_bound_to_the_host_behind_tls(office: Office) -> None:
    answer = office.browser().post("https://testserver/sign-in", data={"login": "chief", "password": PASSWORD})
    assert answer.headers["set-cookie"].startswith("__Host-mw_session=")
    assert "secure" in answer.headers["set-cookie"].lower()


def test_a_one_time_link_makes_a_password_once_and_opening_it_uses_nothing_up(office: Office) -> None:
    login = office.somebody("operator")
    link = office.invited(login)
    browser = office.browser()
    for _ in range(2):  # chat systems open links to show what is behind them
        assert browser.get(link).status_code == 200
    short = {"password": "short", "again": "short"}
    assert browser.post(link, data=short).status_code == 422
    two = {"password": "night and day 24", "again": "night and day 25"}
    assert browser.post(link, data=two).status_code == 422
    chosen = {"password": "day and dark 24", "again": "day and dark 24"}
    assert browser.post(link, data=chosen).status_code == 303
    assert browser.get("/operations").status_code == 200
    assert office.browser().post(link, data=chosen).status_code == 404
    assert office.browser().get(link).status_code == 404
    assert office.browser().post("/sign-in", data={"login": login, "password": PASSWORD}).status_code == 401


def test_a_link_that_was_made_before_is_worth_nothing_after_the_next(office: Office) -> None:
    login = office.somebody()
    first, second = office.invited(login), office.invited(login)
    assert office.browser().get(first).status_code == 404
    assert office.browser().get(second).status_code == 200


def test_signing_out_ends_the_session_and_not_the_cookie_alone(office: Office) -> None:
    browser = office.browser("chief")
    token = browser.cookies["mw_session"]
    assert office.act(browser, "/account", "/sign-out").status_code == 303
    again = office.browser()
    again.cookies.set("mw_session", token)
    assert again.get("/today").status_code == 303


def test_another_role_or_unit_and_leaving_end_a_session(office: Office) -> None:
    login = office.somebody("inspector")
    browser = office.browser(login)
    assert browser.get("/today").status_code == 200
    office.rows("update person set role = 'operator' where login = %s returning id", login)
    assert browser.get("/operations").headers["location"].startswith("/sign-in")
    office.rows("update person set role = 'inspector' where login = %s returning id", login)
    assert browser.get("/today").status_code == 303, "what has ended does not come back"
    browser = office.browser(login)
    office.rows("update person set active = false where login = %s returning id", login)
    assert browser.get("/today").status_code == 303
    assert office.browser().post("/sign-in", data={"login": login, "password": PASSWORD}).status_code == 401


def test_an_idle_session_and_an_old_one_are_over(office: Office) -> None:
    for change in ("seen_at = now() - interval '13 hours'", "expires_at = now()"):
        browser = office.browser("chief")
        assert browser.get("/today").status_code == 200
        office.rows(f"update sign_in.session set {change} returning id")
        assert browser.get("/today").status_code == 303, change


def test_a_form_without_its_token_or_from_elsewhere_does_nothing(office: Office) -> None:
    browser = office.browser("chief")
    path = f"/alerts/{office.rows('select min(id) from alert')[0][0]}/comment"
    assert browser.post(path, data={"note": "forged"}).status_code == 403
    other = office.browser("first")
    foreign = office.act(browser, "/account", path, note="forged", csrf=_csrf(other.get("/account").text))
    assert foreign.status_code == 403
    assert browser.post(path, data={"note": "forged", "csrf": "钥匙"}).status_code == 403
    browser.headers["sec-fetch-site"] = "cross-site"
    assert office.act(browser, "/account", path, note="forged").status_code == 403
    del browser.headers["sec-fetch-site"]
    browser.headers["origin"] = "https://evil.example"
    assert office.act(browser, "/account", path, note="forged").status_code == 403
    assert browser.post("/sign-in", data={"login": "chief", "password": PASSWORD}).status_code == 403
    assert office.rows("select 1 from alert_event where note = 'forged'") == []


def test_wrong_passwords_wait_and_who_was_here_before_does_not(office: Office) -> None:
    from deploy.web.sign_in import Doors  # noqa: PLC0415 - of this alone

    login = office.somebody()
    known, stranger = office.browser(login), office.browser()
    wrong = {"login": login, "password": "a wrong password"}
    codes = [stranger.post("/sign-in", data=wrong).status_code for _ in range(10)]
    assert codes == [401] * 10
    assert office.browser().post("/sign-in", data={"login": "nobody-of-that-name", "password": "x"}).status_code == 401
    assert known.get("/unit").status_code == 200
    doors = Doors(Attempts(burst=3, every_s=60.0))
    for _ in range(4):
        doors.wrong("192.0.2.1", "second")
    assert doors.wait_s("192.0.2.1", "other") > 0, "an address that guesses waits for every login"
    for n in range(10):
        doors.wrong(f"192.0.2.{n + 2}", "second")
    assert doors.wait_s("192.0.2.99", "second") > 0, "a login that many guess at waits for strangers"
    doors.right("192.0.2.50", "second")
    assert doors.wait_s("192.0.2.50", "second") == 0, "and not for where it was opened before"


def test_refusals_and_sign_ins_are_in_the_log(office: Office) -> None:
    office.browser("chief")
    office.browser().post("/sign-in", data={"login": "guesser", "password": "guess"})
    portal = office.door.portal
    assert portal is not None
    portal.call(office.app.state.access_log.write)
    found = office.rows("select distinct event, who, claimed from access_log where door = 'pages'")
    assert ("login", "chief", "") in found
    assert ("refused", "", "guesser") in found
    assert office.rows("select 1 from access_log where claimed like %s or reason like %s", "%guess", "%hands%") == []


def test_changing_the_password_asks_for_the_present_one_and_ends_all_sessions(office: Office) -> None:
    login = office.somebody()
    browser, other = office.browser(login), office.browser(login)
    new = "in the month of May"
    facts = {"now": "not it at all", "new": new, "again": new}
    assert office.act(browser, "/account", "/account/password", **facts).status_code == 422
    facts["now"] = PASSWORD
    assert office.act(browser, "/account", "/account/password", **facts).status_code == 303
    assert (browser.get("/unit").status_code, other.get("/unit").status_code) == (303, 303)
    assert office.browser().post("/sign-in", data={"login": login, "password": new}).status_code == 303


def _csrf(text: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', text)
    assert found is not None
    return found[1]


def test_a_session_that_ran_out_at_an_upload_signs_in_again_and_goes_back(office: Office) -> None:
    browser = office.browser("second")
    office.rows("update sign_in.session set expires_at = now() returning id")
    file = {"file": ("台账.csv", b"unit_code\nU1\n")}
    answer = browser.post("/ledger", files=file, headers={"Referer": f"{HOST}/ledger"})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "刚才提交的内容没有收到" in answer.text
    assert '<input type="hidden" name="back" value="/ledger">' in answer.text
    again = browser.post("/sign-in", data={"login": "second", "password": PASSWORD, "back": "/ledger"})
    assert again.headers["location"] == "/ledger"
    abroad = browser.post("/sign-out", headers={"Referer": "http://elsewhere.example/x"})
    assert "elsewhere" not in abroad.text
    large = browser.post("/ledger", content=b"", headers={"Content-Length": str(2**40)})
    assert (large.status_code, "<!doctype html>" in large.text) == (413, True)
