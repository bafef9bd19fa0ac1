"""Whatever a form, an address or a body says, a page answers: it refuses or keeps it, and never breaks."""

import re
from collections.abc import Iterator
from itertools import cycle, islice

import pytest
from fastapi.testclient import TestClient

from tests.deploy.web.office import Office
from tests.deploy.web.test_pages import ROLES, attached, paths_of, routes

__all__ = ["attached"]

pytestmark = pytest.mark.integration
WORDS = (
    "a\0b",
    "9" * 400,
    "-1",
    "1e999",
    "nan",
    "²",
    "٣",
    "0001-01-01T00:00",
    "9999-12-31T23:59:59+14:00",
    "0001-01-01",
    "9999-12-31",
    "infinity",
    "2026-W01-1",
    "'\"><script>alert(1)</script>",
    "%s %(x)s {0} {{ 7 * 7 }}",
    "../../etc/passwd",
    "a\r\nSet-Cookie: b=c",
    "\N{RIGHT-TO-LEFT OVERRIDE}\N{GRINNING FACE}" * 900,
)
NUMBERS = ("0", "-1", "1", str(2**31), str(2**63 - 1), str(2**63), "9" * 80, "x", "%00", "1%0d%0a")
QUERIES = ("unit", "point", "month", "range", "carrier", "state", "severity", "q", "done", "year", "back")
SOUND = {
    "unit": "U1",
    "unit_code": "U1",
    "point": "P2",
    "meter_no": "M2",
    "kind": "verification",
    "conclusion": "qualified",
    "verified_on": "2026-01-01",
    "verdict": "faulty",
    "year": "2026",
    "count": "1",
    "days": "3",
    "reason": "tried",
    "note": "tried",
    "login": "somebody",
    "name": "Somebody",
    "role": "inspector",
    "language": "zh",
    "at": "2026-01-01T00:00",
    "last_reading": "1",
    "first_reading": "0",
    "starts_at": "2026-01-01T00:00",
    "ends_at": "2026-01-02T00:00",
    "word": "used",
    "which": "2026-01-01T00:00:00+08:00 M2",
    "leader": "Li",
    "members": "Li",
    "visited_on": "2026-01-01",
    "result": "passed",
    "item": "1",
    "item_1": "pass",
    "remark_1": "tried",
}


FIELDS = (*SOUND, "version", "hours", "units", "carrier", "sheet", "installed_from", "rules", "text", "passed", "other")


def acting(office: Office) -> Iterator[str]:
    """Every path that acts, of the first unit."""
    [(alert, case, review)] = office.rows(
        "select (select min(id) from alert where unit_id = 1), (select min(id) from case_file where unit_id = 1),"
        " (select min(id) from review where unit_id = 1)"
    )
    filled = {"alert": alert, "case": case, "review": review, "step": "close", "identity": 1, "certificate": 1}
    filled |= {"login": "night", "name": "g", "silence_id": 1, "session_id": 2**40, "token": "x", "photo": 1, "file": 1}
    for path in sorted(routes(office, "post")):
        if path != "/sign-out":
            yield path.format(**filled)


def token_of(browser: TestClient) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', browser.get("/account").text)
    assert found is not None, "still signed in"
    return found[1]


@pytest.mark.parametrize("role", ["chief", "enterprise"])
def test_no_word_in_a_form_breaks_a_page(office: Office, role: str) -> None:
    browser = office.browser(role if role == "chief" else office.somebody())
    csrf, tried, broken = token_of(browser), zip(cycle(FIELDS), cycle(WORDS), strict=False), []
    for path in acting(office):
        for name, word in islice(tried, 10):
            answer = browser.post(path, data={**SOUND, name: word, "csrf": csrf})
            if answer.status_code >= 500 or "b=c" in answer.headers.get("set-cookie", ""):
                broken.append((path, name, word[:20], answer.status_code))
    assert broken == []


def test_no_address_breaks_a_page(office: Office) -> None:
    browser, sound = office.browser("chief"), paths_of(office, 1)
    broken = []

    def get(address: str) -> None:
        answer = browser.get(address)
        if answer.status_code >= 500:
            broken.append((address[:80], answer.status_code))

    words = cycle(WORDS)
    for path in ROLES:
        if "{" in path:
            for number in NUMBERS:
                get(re.sub(r"\{[a-z_]+\}", number, path))
        address, _, query = sound[path].partition("?")
        for name in QUERIES:
            word = next(words)
            given = dict(pair.split("=", 1) for pair in query.split("&") if pair) | {name: word[:300]}
            answer = browser.get(address, params=given)
            if answer.status_code >= 500:
                broken.append((f"{path}?{name}={word[:20]}", answer.status_code))
    for path in ("/people/%00/invite", "/gateways/%00/end", "/invitation/%00", "/assets/%00", "/%2e%2e/etc", "//x"):
        get(path)
    assert broken == []


def test_no_body_breaks_a_page(office: Office) -> None:
    browser = office.browser("chief")
    bodies = (
        ("application/json", b'{"csrf": 1}'),
        ("application/x-www-form-urlencoded", b"csrf=%ff%fe&note=%ed%a0%80&=&&&%"),
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=csrf\r\n\r\nhalf"),
        (
            "multipart/form-data; boundary=x; charset=none",
            b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n',
        ),
        ("text/plain", b"\xff" * 1000),
        ("", b""),
    )
    broken = []
    for path in (*acting(office), "/sign-out", "/sign-in", "/language"):
        for kind, body in bodies:
            answer = browser.post(path, content=body, headers={"Content-Type": kind} if kind else {})
            if not 300 <= answer.status_code < 500:
                broken.append((path, kind, body[:30], answer.status_code))
    assert broken == []
    assert browser.get("/account").status_code == 200, "and nobody was signed out"


@pytest.mark.parametrize("login", ["a\0b", "x" * 200, "%", "'", "\N{GRINNING FACE}", ""])
def test_no_login_breaks_the_door(office: Office, login: str) -> None:
    browser = office.browser()
    assert browser.post("/sign-in", data={"login": login, "password": "a\0b" * 9}).status_code in {401, 422, 429}
    assert browser.get("/sign-in", params={"back": "/\0"}).status_code == 200
