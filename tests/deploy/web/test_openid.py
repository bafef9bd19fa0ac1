"""Signing in by a provider that nobody here wrote (npm's oidc-provider): who is let in, and who is not."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from fastapi.testclient import TestClient

from deploy.stack.ports import free_ports
from deploy.web.openid import OpenId
from tests.deploy.web.office import HOST, Office

HERE = Path(__file__).parent / "openid"
PLACE = Path(sys.prefix) / "openid"
NODE = shutil.which("node")
SECRET = "of these tests & more"
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(  # a provider is a tool of tests that the product needs not
        NODE is None or not (PLACE / "node_modules").is_dir(),
        reason="OPENID CONNECT WAS NOT TRIED: no provider here (apt-get install npm, then deploy/setup.sh tools)",
    ),
]


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """The provider, with a login for whoever asks."""
    [port] = free_ports(1)
    assert NODE is not None
    command = [NODE, str(HERE / "provider.mjs"), str(port), f"{HOST}/sign-in/openid/back"]
    with subprocess.Popen(command, cwd=PLACE, stderr=subprocess.DEVNULL) as process:
        address = f"http://127.0.0.1:{port}"
        for _ in range(300):
            assert process.poll() is None, "it ended while it started"
            try:
                httpx.get(f"{address}/jwks")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield address
        process.kill()


@pytest.fixture
def asked(office: Office, issuer: str) -> Iterator[OpenId]:
    """Pages that let people in by it."""
    before = office.app.state.config
    provider = OpenId(issuer=issuer, client="pages", secret=SECRET)
    office.app.state.config = replace(before, openid=provider)
    yield provider
    office.app.state.config = before


def proven(location: str, login: str) -> str:
    """Where the provider sends somebody back to, after its own forms."""
    with httpx.Client(follow_redirects=False) as person:
        for _ in range(12):
            if location.startswith(HOST):
                return location.removeprefix(HOST)
            answer = person.get(location)
            if answer.is_redirect:
                location = urljoin(location, answer.headers["location"])
                continue
            action = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            assert action is not None, answer.text
            assert prompt is not None, answer.text
            facts = {"prompt": prompt[1], "login": login, "password": "x"}
            sent = person.post(urljoin(location, action[1]), data=facts)
            location = urljoin(location, sent.headers["location"])
    raise AssertionError("the provider must send people back")


def begun(browser: TestClient, back: str = "/alerts") -> str:
    answer = browser.get("/sign-in/openid", params={"back": back})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def test_who_is_entered_here_is_signed_in_and_goes_back(office: Office, asked: OpenId) -> None:
    browser = office.browser()
    assert "/sign-in/openid?back=" in browser.get("/sign-in").text
    back = proven(begun(browser), "li.na")
    answer = browser.get(back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/alerts")
    assert "Li.Na" in browser.get("/alerts").text
    assert asked.secret not in browser.get("/account").text


def test_who_is_proven_but_not_entered_is_told_so(office: Office, asked: OpenId) -> None:
    browser = office.browser()
    answer = browser.get(proven(begun(browser), "stranger"))
    assert (answer.status_code, "您尚未登记" in answer.text) == (403, True), asked
    assert browser.get("/alerts").status_code == 303


def test_an_answer_of_another_browser_or_sign_in_lets_nobody_in(office: Office, asked: OpenId) -> None:
    browser, other = office.browser(), office.browser()
    back = proven(begun(browser), "chief")
    assert other.get(back).status_code == 401, asked
    begun(other)
    assert other.get(back).status_code == 401, "another state"
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code == 401, "once"
    assert browser.get("/sign-in/openid/back?error=access_denied&state=x").status_code == 401


@pytest.mark.parametrize("wrong", [{"secret": "a guess"}, {"claim": "employee_number"}])
def test_pages_that_the_provider_does_not_know_or_tell_let_nobody_in(
    office: Office, asked: OpenId, wrong: dict[str, str]
) -> None:
    browser = office.browser()
    back = proven(begun(browser), "chief")
    kept = begun_with(office, asked, wrong)
    try:
        assert browser.get(back).status_code == 401
    finally:
        office.app.state.config = kept
    assert browser.get("/alerts").status_code == 303


def begun_with(office: Office, asked: OpenId, wrong: dict[str, str]) -> object:
    """The configuration before it is a wrong one."""
    before = office.app.state.config
    office.app.state.config = replace(before, openid=replace(asked, **wrong))
    return before


def test_a_provider_in_another_name_or_away_lets_nobody_in(office: Office, asked: OpenId) -> None:
    browser = office.browser()
    begun_with(office, asked, {"issuer": asked.issuer.replace("127.0.0.1", "localhost")})
    assert browser.get("/sign-in/openid").status_code == 409
    begun_with(office, asked, {"issuer": "http://elsewhere.example"})
    answer = browser.get("/sign-in/openid")
    assert (answer.status_code, "must be https" in answer.text) == (409, True)


def test_without_a_provider_there_is_none_of_it(office: Office) -> None:
    browser = office.browser()
    assert "openid" not in browser.get("/sign-in").text
    assert browser.get("/sign-in/openid").headers["location"] == "/sign-in"
    assert browser.get("/sign-in/openid/back?code=x&state=y").headers["location"] == "/sign-in"
