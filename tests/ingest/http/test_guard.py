"""The guard and its server, as a stranger meets them: by sockets, against a process whose memory is measured."""

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.stack.ports import free_ports
from ingest.http import Attempts
from ingest.http.attempts import address_of

ROOT = Path(__file__).parents[3]
SERVED = """
import re, sys
from ingest.http import Guard, Limits, Rule, Visitor, serve
from ingest.http.server import ConnectionLimits
from ingest.http.guard import bearer
from ingest.http.attempts import Attempts

class One:
    def credential(self, scope):
        token = bearer(scope)
        return None if token is None else token.encode()
    async def prove(self, scope):
        return Visitor("me") if bearer(scope) == "right" else None

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RuntimeError("the application broke off")
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    body = b"x" * 50_000_000 if scope["path"] == "/much" else str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"server", b"ours")]})
    for at in range(0, len(body), 65536):
        await send({"type": "http.response.body", "body": body[at:at + 65536], "more_body": True})
    await send({"type": "http.response.body", "body": b""})

limits = Limits(body_bytes=65536, body_s=8, answer_s=10, at_once=400, at_once_each=400)
few = Limits(body_bytes=65536, body_s=8, answer_s=10, at_once=4, at_once_each=2)
guard = Guard(app, name="test", default=limits, authenticator=One(), attempts=Attempts(burst=5, every_s=60),
              rules=[Rule(name="few", path=re.compile("/few"), limits=few)])
port, certificate, key = int(sys.argv[1]), *(sys.argv[2:] or [None, None])
patience = ConnectionLimits(head_s=8, close_s=2, total=600, each=600)
serve(guard, port=port, certificate=certificate, key=key, limits=patience)
"""


class Served:
    """A server in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        [self.port] = free_ports(1)
        command = [sys.executable, "-c", SERVED, str(self.port), *arguments]
        self.process = subprocess.Popen(command, cwd=ROOT)
        for _ in range(300):
            with suppress(OSError):
                self.connect().close()
                return
            time.sleep(0.1)
        raise TimeoutError("the server must answer")

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=120)

    def rss_mb(self) -> int:
        text = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        return int(text.partition("VmRSS:")[2].split()[0]) >> 10

    def ask(self, head: str, body: bytes = b"") -> str:
        with self.connect() as connection:
            connection.sendall(request(head) + body)
            return answer(connection)


def request(head: str) -> bytes:
    return (head.replace("\n", "\r\n") + "\r\nHost: x\r\n\r\n").encode()


def answer(connection: socket.socket) -> str:
    data = b""
    with suppress(ConnectionError):
        while part := connection.recv(65536):
            data += part
            if b"\r\n\r\n" in data and b"chunked" not in data and len(data) < 65536:
                head, _, body = data.partition(b"\r\n\r\n")
                length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), b"")
                if length and len(body) >= int(length.split(b":")[1]):
                    break
            if data.endswith(b"0\r\n\r\n"):
                break
    return data.decode("latin-1")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    server = Served()
    yield server
    server.process.terminate()
    server.process.wait(30)


RIGHT = "Authorization: Bearer right"


def test_a_body_within_its_limits_comes_through_and_the_answer_is_hardened(served: Served) -> None:
    text = served.ask(f"POST /x HTTP/1.1\n{RIGHT}\nContent-Length: 1000", b"y" * 1000).lower()
    assert text.startswith("http/1.1 200")
    assert "1000" in text
    assert "server:" not in text
    assert "x-content-type-options: nosniff" in text
    assert "frame-ancestors 'none'" in text
    assert "strict-transport-security" not in text, "only behind TLS"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (f"POST /x HTTP/1.1\n{RIGHT}\nContent-Length: 65537", 413),
        (f"POST /x HTTP/1.1\n{RIGHT}\nContent-Length: {400 * 2**20}", 413),
        ("POST /x HTTP/1.1\nContent-Length: 100", 401),
        (f"POST /x HTTP/1.1\nContent-Length: {600 * 2**20}", 413),
    ],
)
def test_what_is_too_large_or_unproven_is_refused_by_its_head_alone(served: Served, head: str, status: int) -> None:
    text = served.ask(head)  # no byte of the body is sent, and a body that is late would be a 408
    assert text.startswith(f"HTTP/1.1 {status}"), text[:200]


def test_hundreds_of_mebibytes_leave_the_memory_flat(served: Served) -> None:
    served.ask(f"POST /x HTTP/1.1\n{RIGHT}\nContent-Length: 10", b"y" * 10)
    before = served.rss_mb()
    for head, chunked in (
        (f"POST /x HTTP/1.1\n{RIGHT}\nTransfer-Encoding: chunked", True),
        (f"POST /x HTTP/1.1\n{RIGHT}\nContent-Length: {400 * 2**20}", False),
        ("POST /x HTTP/1.1\nTransfer-Encoding: chunked", True),
        (f"POST /x HTTP/1.1\nContent-Length: {600 * 2**20}", False),
    ):
        connection = served.connect()
        connection.sendall(request(head))
        part = b"100000\r\n" + b"z" * 2**20 + b"\r\n" if chunked else b"z" * 2**20
        with suppress(OSError):  # it is cut long before the end
            for _ in range(400):
                connection.sendall(part)
        connection.close()
    assert served.rss_mb() - before < 20, (before, served.rss_mb())


def test_300_slow_clients_are_cut_and_others_are_served_meanwhile(served: Served) -> None:
    before = served.rss_mb()
    slow = [served.connect() for _ in range(300)]
    for i, connection in enumerate(slow):
        if i % 2:
            connection.sendall(request(f"POST /x HTTP/1.1\n{RIGHT}\nContent-Length: 60000") + b"y")
        else:
            connection.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\n")  # a head that never ends
    text = served.ask(f"POST /x HTTP/1.1\n{RIGHT}\nContent-Length: 5", b"hello")
    assert text.startswith("HTTP/1.1 200"), text[:200]
    kept = {i for i in range(300) if is_held(slow[i])}
    assert len(kept) > 250, "a good client does not wait for them"
    end = time.monotonic() + 120
    while kept and time.monotonic() < end:
        kept = {i for i in kept if is_held(slow[i])}
        for i in kept:
            with suppress(OSError):
                slow[i].send(b"y")  # a byte now and then does not help
        time.sleep(0.2)
    for connection in slow:
        connection.close()
    assert not kept, f"{len(kept)} are still held"
    assert served.rss_mb() - before < 30


def is_held(connection: socket.socket) -> bool:
    """Whether the server has not closed it."""
    connection.settimeout(0.001)
    try:
        return bool(connection.recv(4096))
    except TimeoutError:
        return True
    except ConnectionError:
        return False
    finally:
        connection.settimeout(120)


def test_who_does_not_take_the_answer_is_cut(served: Served) -> None:
    connection = served.connect()
    connection.sendall(request(f"GET /much HTTP/1.1\n{RIGHT}"))
    time.sleep(16)
    size = 0
    with suppress(ConnectionError):
        while part := connection.recv(2**20):
            size += len(part)
    connection.close()
    assert size < 30_000_000, "the rest never comes"


def test_one_visitor_does_not_take_all_places(served: Served) -> None:
    held = [served.connect() for _ in range(2)]
    for connection in held:
        connection.sendall(request(f"POST /few HTTP/1.1\n{RIGHT}\nContent-Length: 10"))
    end = time.monotonic() + 7
    while served.ask(f"POST /few HTTP/1.1\n{RIGHT}\nContent-Length: 1", b"y").startswith("HTTP/1.1 200"):
        assert time.monotonic() < end, "until both of them are known, one more may come in"
    assert served.ask(f"POST /few HTTP/1.1\n{RIGHT}\nContent-Length: 1", b"y").startswith("HTTP/1.1 429")
    for connection in held:
        assert "408" in answer(connection)[:20], "too late, and told so"
        connection.close()
    assert served.ask(f"POST /few HTTP/1.1\n{RIGHT}\nContent-Length: 1", b"y").startswith("HTTP/1.1 200")


def test_wrong_tokens_are_limited_and_the_right_one_goes_on(served: Served) -> None:
    assert served.ask(f"GET /x HTTP/1.1\n{RIGHT}").startswith("HTTP/1.1 200")
    wrong = [served.ask(f"GET /x HTTP/1.1\nAuthorization: Bearer wrong{i}")[9:12] for i in range(8)]
    assert wrong == ["401"] * 5 + ["429"] * 3
    assert served.ask(f"GET /x HTTP/1.1\n{RIGHT}").startswith("HTTP/1.1 200")


def test_behind_tls_answers_ask_for_tls(tmp_path: Path) -> None:
    made = f"-nodes -days 1 -subj /CN=localhost -keyout {tmp_path}/key -out {tmp_path}/certificate"
    curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256"
    subprocess.run(f"openssl req -x509 {curve} {made}".split(), check=True, capture_output=True)
    server = Served(str(tmp_path / "certificate"), str(tmp_path / "key"))
    try:
        context = ssl.create_default_context(cafile=str(tmp_path / "certificate"))
        context.check_hostname = False
        with context.wrap_socket(server.connect()) as connection:
            connection.sendall(request(f"GET /x HTTP/1.1\n{RIGHT}"))
            assert "strict-transport-security: max-age=" in answer(connection).lower()
    finally:
        server.process.terminate()
        server.process.wait(30)


def test_guesses_come_back_with_time_and_addresses_are_counted_by_line() -> None:
    now = [0.0]
    attempts = Attempts(burst=3, every_s=10, clock=lambda: now[0])
    for _ in range(3):
        assert attempts.wait_s("a") == 0
        attempts.wrong("a")
    assert attempts.wait_s("a") == pytest.approx(10)
    assert attempts.wait_s("b") == 0
    now[0] = 10.0
    assert attempts.wait_s("a") == 0
    assert address_of("2001:db8::1") == address_of("2001:db8::ffff")
    assert address_of("::ffff:192.0.2.1") == "192.0.2.1"


def test_attempts_of_many_addresses_take_no_more_room_than_is_set() -> None:
    attempts = Attempts()
    for i in range(30_000):
        attempts.wrong(str(i))
        attempts.right(b"x", str(i))
    assert len(attempts._full_at) <= 10_000
    assert len(attempts._proven) <= 10_000
