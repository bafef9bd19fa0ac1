"""The pages killed in the middle of an upload: what was taken is there, nothing half is, and the page says so."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deploy.roles import service_address
from deploy.stack.ports import free_ports
from tests.deploy.web.office import PASSWORD, Office

pytestmark = pytest.mark.integration
LEDGER = b"unit_code\nU1\n" + b"# more\n" * 20_000
CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


@contextmanager
def running(dsn: str, port: int, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The pages as `up` runs them; killed at the end."""
    own = {"METERWARDEN_DATABASE": dsn, "METERWARDEN_PAGES_PORT": str(port), "METERWARDEN_HOME": str(home)}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("METERWARDEN_")} | own
    process = subprocess.Popen([sys.executable, "-m", "deploy.pages"], env=environ)
    try:
        for _ in range(600):
            assert process.poll() is None, "it ended while it started"
            try:
                httpx.get(f"http://127.0.0.1:{port}/sign-in")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait()


def test_an_upload_that_was_cut_is_not_there_and_one_that_was_taken_is(office: Office, tmp_path: Path) -> None:
    [port] = free_ports(1)
    dsn = service_address(office.dsn, "api", secret="of these tests")
    here = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=here, timeout=30) as browser:
        with running(dsn, port, tmp_path) as process:
            assert browser.post("/sign-in", data={"login": "first", "password": PASSWORD}).status_code == 303
            page = browser.get("/ledger").text
            [csrf, *_] = CSRF.findall(page)
            whole = httpx.Request("POST", f"{here}/ledger", data={"csrf": csrf}, files={"file": ("半个.csv", LEDGER)})
            body = whole.read()
            head = (
                f"POST /ledger HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n"
                f"Content-Type: {whole.headers['content-type']}\r\n"
                f"Cookie: mw_session={browser.cookies['mw_session']}\r\n\r\n"
            )
            with socket.create_connection(("127.0.0.1", port)) as door:
                door.sendall(head.encode() + body[: len(body) // 2])
                time.sleep(0.5)
                process.send_signal(signal.SIGKILL)
                process.wait()
        assert office.rows("select from sign_in.upload where name = '半个.csv'") == []
        with running(dsn, port, tmp_path) as process:
            page = browser.get("/ledger").text  # the session goes on
            assert "半个.csv" not in page
            assert "没有完整收到的文件不会列出；请重新上传。" in page
            taken = browser.post("/ledger", data={"csrf": csrf}, files={"file": ("整个.csv", LEDGER)})
            assert taken.status_code == 303, taken.text
            process.send_signal(signal.SIGKILL)
            process.wait()
        with running(dsn, port, tmp_path):
            assert "整个.csv" in browser.get("/ledger").text
        kept = office.rows("select content from sign_in.upload where name = '整个.csv'")
        assert [bytes(row[0]) for row in kept] == [LEDGER]
