"""A review on a phone without a net, over TLS with an authority of our own: the server is away, nothing is lost."""

import base64
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import BrowserContext, Page, sync_playwright

from deploy.roles import service_address
from deploy.stack.ports import free_ports
from deploy.web import PagesConfig, create_pages
from ingest.http import Attempts
from ingest.http.server import server_of
from tests.deploy.commands.test_compliance import PLANT
from tests.deploy.web.office import PASSWORD, Office
from tests.deploy.web.test_browser import CHROMIUM, FLAGS
from tests.ingest.gateway.brokers import Certificate, certificate

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(  # as the other tests in a browser
        CHROMIUM is None, reason="NO VISIT WITHOUT A NET WAS TRIED: no chromium here (apt-get install chromium)"
    ),
]
PNG = b"\x89PNG\r\n\x1a\n taken without a net"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pages are, when they are."""

    dsn: str
    port: int
    folder: Path
    tls: Certificate

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @contextmanager
    def served(self) -> Iterator[None]:
        """The pages answer."""
        app = create_pages(
            PagesConfig(dsn=service_address(self.dsn, "api", secret="of these tests")), attempts=Attempts(burst=1000)
        )
        server = server_of(app, port=self.port, certificate=self.tls.certificate, key=self.tls.key)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server ended while it started"
            time.sleep(0.05)
        yield
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()

    @property
    def pin(self) -> str:
        """Digest of the server's key, by which this browser alone trusts it."""
        public = x509.load_pem_x509_certificate(self.tls.certificate.read_bytes()).public_key()
        spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(hashlib.sha256(spki).digest()).decode()


@contextmanager
def phone(place: Place) -> Iterator[BrowserContext]:
    flags = [*FLAGS, f"--ignore-certificate-errors-spki-list={place.pin}"]
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(place.folder / "profile"), executable_path=CHROMIUM, args=flags, env=dict(os.environ),
            viewport={"width": 390, "height": 844}, base_url=place.url, locale="zh-CN",
        )  # fmt: skip
        yield context
        context.close()


def signed_in(page: Page) -> None:
    page.get_by_label("登录名").fill("li.na")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.wait_for_url("**/visit")


def test_a_visit_without_a_net_loses_nothing(plant: Office, tmp_path: Path) -> None:
    [port] = free_ports(1)
    place = Place(plant.dsn, port, tmp_path, certificate(tmp_path))
    chief = plant.browser("chief")
    at = plant.act(chief, "/reviews", "/reviews", unit=PLANT, year="2031").headers["location"]
    team = {"leader": "王审查员", "members": "李审查员", "visited_on": "2026-01-01"}
    assert plant.act(chief, at, f"{at}/open", **team).status_code == 303
    review = int(at.rpartition("/")[2])
    errors: list[str] = []
    with phone(place) as context:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        with place.served():
            page.goto(f"{at}/visit")
            signed_in(page)
            page.wait_for_selector("#kept[data-ready=yes]", state="attached")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.reload()  # the server is away: the page comes from the phone
        page.locator("input[name=item_1][value=fail]").check()
        page.locator("textarea[name=remark_1]").fill("标识脱落")
        page.locator("input[name=item_2][value=pass]").check()
        page.locator("textarea[name=remark_3]").fill("铭牌待核对")  # and no result yet
        page.locator("input[data-photo='1']").set_input_files(
            {"name": "现场.png", "mimeType": "image/png", "buffer": PNG}
        )
        page.wait_for_selector("#kept[data-count='3']")
        page.wait_for_selector("#kept[data-open='1']")
        assert "待上传：3" in page.locator("#kept").inner_text()
        assert page.locator("#kept").inner_text().rstrip().endswith("尚不上传的项目：3")
        page.close()
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{at}/visit")  # the phone was put away meanwhile
        page.wait_for_selector("#kept[data-count='3']")
        assert page.locator("textarea[name=remark_1]").input_value() == "标识脱落"
        assert page.locator("input[name=item_2][value=pass]").is_checked()
        assert page.locator("textarea[name=remark_3]").input_value() == "铭牌待核对"
        assert plant.rows("select from review_item where review_id = %s", review) == []
        plant.rows("update sign_in.session set expires_at = now() returning id")  # and the session ran out
        with place.served():
            page.goto(f"{at}/visit")  # which asks to sign in, and comes back
            signed_in(page)
            page.wait_for_selector("#kept[data-count='0']")
            found = plant.rows(
                "select item, result, remark, recorded_by from review_item where review_id = %s order by 1", review
            )
            assert found == [(1, "fail", "标识脱落", "Li.Na"), (2, "pass", "", "Li.Na")], "a remark alone waits"
            page.locator("input[name=item_3][value=pass]").check()
            page.wait_for_selector("#kept[data-count='0'][data-open='0']")
            query = "select result, remark from review_item where review_id = %s and item = 3"
            assert plant.rows(query, review) == [("pass", "铭牌待核对")]
            kept = plant.rows("select item, name, content from review_photo where review_id = %s", review)
            assert [(item, name, bytes(content)) for item, name, content in kept] == [(1, "现场.png", PNG)]
            page.locator("#forget").click()
            page.wait_for_url(f"**/reviews/{review}")
            assert page.evaluate(f"caches.open('visit').then(c => c.match('{at}/visit')).then(f => f === undefined)")
    assert errors == []
