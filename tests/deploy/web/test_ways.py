"""Whole ways in a real Chromium: an enterprise from two files to a report, and the staff on a Monday morning."""

import os
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from deploy.roles import service_address
from deploy.stack import Stack
from deploy.stack.ports import free_ports
from deploy.web import PagesConfig, create_pages
from ingest.http import Attempts
from ingest.http.server import server_of
from ingest.kafka.config import KafkaConfig
from ingest.kafka.publisher import create_topics
from tests.deploy.commands.test_compliance import GOLDEN, PLANT
from tests.deploy.web.office import PASSWORD, Office
from tests.deploy.web.test_browser import CHROMIUM, FLAGS

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(  # as the other tests in a browser
        CHROMIUM is None, reason="NO WAY WAS GONE IN A BROWSER: no chromium here (apt-get install chromium)"
    ),
]


@pytest.fixture(scope="module")
def address(plant: Office, stack: Stack) -> Iterator[str]:
    """The pages on a port of this machine, which send readings."""
    [port] = free_ports(1)
    access = stack.access
    prefix = f"ways-{uuid.uuid4().hex[:12]}."
    kafka = KafkaConfig(bootstrap=access.bootstrap, security=access.security, prefix=prefix, partitions=2)
    create_topics(kafka)
    dsn = service_address(plant.dsn, "api", secret="of these tests")
    server = server_of(create_pages(PagesConfig(dsn=dsn, kafka=kafka), attempts=Attempts(burst=1000)), port=port)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server ended while it started"
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="module")
def chromium(address: str) -> Iterator[Browser]:
    """A browser, opened after the pages: what sets them up runs event loops of its own."""
    assert address
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS), env=dict(os.environ))
        yield browser
        browser.close()


def opened(chromium: Browser, address: str, login: str) -> Page:
    """A laptop's page, signed in."""
    context = chromium.new_context(
        base_url=address, viewport={"width": 1366, "height": 768}, locale="zh-CN", accept_downloads=True
    )
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("登录名").fill(login)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.wait_for_load_state()
    return page


def test_an_enterprise_from_two_files_to_a_report(chromium: Browser, address: str, tmp_path: Path) -> None:
    first, chief = opened(chromium, address, "first"), opened(chromium, address, "chief")
    ledger = tmp_path / "台账.csv"
    lines = (GOLDEN / "ledger_plant.csv").read_text("utf-8").splitlines(keepends=True)
    kept = [lines[0], *(line for line in lines if line.startswith(PLANT))]
    ledger.write_text("".join(kept).replace("DTZ341,3×1.5(6)A", "DTZ342,3×1.5(6)A"), "utf-8")
    first.get_by_role("link", name="台账").first.click()
    first.locator("input[type=file]").set_input_files(ledger)
    first.get_by_role("button", name="检查").click()
    first.wait_for_url("**/ledger/*")
    assert "没有错误" in first.content()
    assert "DTZ342" in first.content(), "the difference is shown before anything is loaded"
    first.get_by_role("button", name="提交主管部门审核").click()
    chief.goto("/ledger")
    chief.get_by_role("link", name="台账.csv").click()
    chief.get_by_role("button", name="确认导入").click()
    chief.get_by_text("已导入。").wait_for()
    at = datetime.now().astimezone() - timedelta(days=1)
    readings = tmp_path / "读数.csv"
    rows = [
        f"{PLANT},M-E0,{at.replace(hour=hour, minute=0, second=0, microsecond=0).isoformat()},{100 + hour},kWh\n"
        for hour in range(6)
    ]
    readings.write_text("unit_code,meter_no,measured_at,value,unit\n" + "".join(rows), "utf-8")
    first.goto("/readings")
    first.locator("input[type=file]").set_input_files(readings)
    first.get_by_role("button", name="预览").click()
    first.wait_for_url("**/readings/*")
    first.get_by_role("button", name="确认发送").click()
    first.get_by_text("已发送。").wait_for()
    first.goto("/unit/reports")
    with first.expect_download() as download:
        first.get_by_role("link", name="工作簿（.xlsx）").first.click()
    assert Path(download.value.path()).read_bytes().startswith(b"PK")
    first.get_by_role("link", name="网页（.html）").first.click()
    assert "云澜示范化工有限公司" in first.content()


def test_the_staff_on_a_monday_morning(plant: Office, chromium: Browser, address: str, tmp_path: Path) -> None:
    chief = opened(chromium, address, "chief")
    assert chief.url.endswith("/today"), "the day begins with what is to be done"
    chief.get_by_role("link", name="用能单位").click()
    chief.get_by_role("searchbox").fill("出厂编号:SN10001;型号:DTZ341")  # what a plate's code says
    chief.get_by_role("button", name="查找").click()
    assert "M-E0" in chief.content()
    chief.get_by_role("link", name=PLANT).first.click()
    chief.get_by_role("link", name="检定证书").click()
    chief.get_by_label("用能单位管理编号").fill("M-E0")
    chief.get_by_label("证书编号").fill("J-2026-001")
    chief.get_by_label("检定（校准）机构").fill("市计量院")
    chief.get_by_label("检定/校准日期").fill("2026-10-01")
    chief.get_by_label("有效期至").fill("2032-09-30")
    scan = tmp_path / "证书.pdf"
    scan.write_bytes(b"%PDF-1.7 a scan")
    chief.get_by_label("扫描件").first.set_input_files(scan)
    chief.get_by_role("button", name="登记证书").click()
    chief.get_by_text("证书已登记。").wait_for()
    with chief.expect_download() as download:
        chief.get_by_role("link", name="证书.pdf").click()
    assert Path(download.value.path()).read_bytes() == scan.read_bytes()
    chief.goto(f"/unit/labels?unit={PLANT}")
    assert chief.locator(".labels svg").count() > 5
    chief.goto(f"/unit/reports?unit={PLANT}")
    with chief.expect_download() as download:
        chief.get_by_role("button", name="生成").click()
    assert download.value.suggested_filename.startswith("责令限期改正通知书")
    chief.goto("/rules")
    chief.get_by_role("button", name="试算（不发送）").click()
    chief.get_by_text("若按此规则且无人处理").wait_for()
    assert plant.rows("select from alert_rules") == []
