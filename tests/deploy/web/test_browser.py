"""The pages in a real Chromium: a phone's width, no serious findings of axe, whole ways, what a file leaves open."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, sync_playwright

from deploy.roles import service_address
from deploy.stack.ports import free_ports
from deploy.web import PagesConfig, create_pages
from ingest.http import Attempts
from ingest.http.server import server_of
from tests.deploy.web.office import PASSWORD, Office

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(  # a browser is a tool of tests that the product needs not
        CHROMIUM is None, reason="NO PAGE WAS OPENED IN A BROWSER: no chromium here (apt-get install chromium)"
    ),
]
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LIGHT = (
    "/today",
    "/unit?unit=U1",
    "/unit/energy?unit=U1",
    "/unit/compliance?unit=U1",
    "/unit/meters?unit=U1",
    "/units",
    "/operations",
    "/cases/{case}",
    "/point/health?unit=U1&point=P3",
    "/point?unit=U1&point=P3",
    "/alerts/{alert}",
    "/ledger",
    "/unit/certificates?unit=U1",
    "/unit/labels?unit=U1",
    "/point/work?unit=U1&point=P3",
    "/reviews",
    "/silences",
    "/rules",
    "/facts",
    "/gateways",
    "/people",
    "/account",
)
DARK = ("/today", "/alerts/{alert}", "/unit/energy?unit=U1", "/operations")


@pytest.fixture(scope="module")
def address(office: Office) -> Iterator[str]:
    """The pages on a port of this machine."""
    [port] = free_ports(1)
    dsn = service_address(office.dsn, "api", secret="of these tests")
    server = server_of(create_pages(PagesConfig(dsn=dsn), attempts=Attempts(burst=1000)), port=port)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server ended while it started"
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


_CUT: Final = """
Array.from(document.querySelectorAll('table.stacked td'))
    .filter(cell => cell.offsetParent && cell.getBoundingClientRect().right > 390).map(cell => cell.dataset.name)
"""


@pytest.fixture(scope="module")
def browser(address: str) -> Iterator[BrowserContext]:
    """A phone with 390 pixels, signed in as staff; closed at the end."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS), env=dict(os.environ))
        context = chromium.new_context(viewport={"width": 390, "height": 844}, base_url=address, locale="zh-CN")
        signed_in(context.new_page(), "chief")
        yield context
        chromium.close()


def signed_in(page: Page, login: str, back: str = "") -> None:
    page.goto(back or "/sign-in")
    page.get_by_label("登录名").fill(login)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.wait_for_load_state()


def test_pages_fit_a_phone_and_axe_finds_nothing_serious(office: Office, browser: BrowserContext) -> None:
    [(alert,)] = office.rows("select min(id) from alert where unit_id = 1 and point_id is not null")
    [(case,)] = office.rows("select min(id) from case_file where unit_id = 1")
    page, axe = browser.new_page(), Axe()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    for scheme, path in [("light", path) for path in LIGHT] + [("dark", path) for path in DARK]:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its words
        page.goto(path.format(alert=alert, case=case))
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        assert page.evaluate(_CUT) == [], f"no column of a table is off the screen of {path}"
        told = axe.run(page).response
        assert len(told["passes"]) > 10, "it looked"
        found = [
            (one["id"], [node["html"][:150] for node in one["nodes"][:2]])
            for one in told["violations"]
            if one["impact"] in {"serious", "critical"}
        ]
        assert found == [], (scheme, path)
    assert said == [], "nothing is refused by the policy or missing"


def test_from_the_message_to_the_verdict_on_a_phone(office: Office, browser: BrowserContext) -> None:
    [(alert,)] = office.rows("select id from alert where unit_id = 1 and kind = 'scale'")
    chromium = browser.browser
    assert chromium is not None
    phone = chromium.new_context(viewport={"width": 390, "height": 844}, locale="zh-CN")
    page = phone.new_page()
    base = page_of(browser)
    signed_in(page, "li.na", back=f"{base}/alerts/{alert}")  # the message's link, opened by a stranger's phone
    assert page.url == f"{base}/alerts/{alert}", "and on to the alert after signing in"
    page.get_by_label("器具有故障").check()
    page.locator("form[action$='/verdict'] textarea").fill("铅封破损")
    page.get_by_role("button", name="提交现场结论").click()
    page.wait_for_url("**/cases/*")
    assert "铅封破损" in page.content()
    page.goto(f"{base}/alerts/{alert}")  # the link, opened twice
    assert page.get_by_text("打开核查任务").count() == 1
    verdicts = office.rows("select verdict from case_file where alert_id = %s", alert)
    assert verdicts == [("faulty",)]
    phone.close()


def page_of(context: BrowserContext) -> str:
    """Where the pages are."""
    url = context.pages[0].url
    return "/".join(url.split("/", 3)[:3])


def test_a_list_without_levels_is_asked_for_them_and_takes_the_choice(
    office: Office, browser: BrowserContext, tmp_path: Path
) -> None:
    ledger = tmp_path / "电表清单.csv"
    ledger.write_text("计量点编号,能源种类,管理编号,器具名称,计量单位\nJD-01,电力,DB-001,三相电能表,kWh\n", "utf-8")
    page = browser.new_page()

    def checked(level: str = "") -> None:
        page.goto("/ledger")
        page.locator("input[type=file]").set_input_files(ledger)
        page.locator("details summary").click()
        page.get_by_label("用能单位代码").fill("N4")
        page.get_by_label("用能单位名称").fill("浏览器里的单位")
        page.get_by_label("启用日期").fill("2025-12-01")
        if level:
            page.get_by_label("计量级别").select_option(label=level)
        page.get_by_role("button", name="检查").click()
        page.wait_for_url("**/ledger/*")

    checked()
    assert "计量级别" in page.get_by_role("main").inner_text(), "it is asked for"
    assert page.get_by_role("button", name="确认导入").count() == 0
    checked("进出用能单位")
    assert "没有错误" in page.content()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="确认导入").click()
    page.get_by_text("已导入。").wait_for()
    found = office.rows("select p.level from metering_point p join unit u on u.id = p.unit_id where u.code = 'N4'")
    assert found == [("unit",)]
