"""The gateway killed, its disk filled, its broker killed, at random: what was acknowledged arrives, and none twice."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from deploy.region.session import Place, fresh_place, load, working
from deploy.settings import Settings
from deploy.stack import Stack
from deploy.stack.ports import free_ports
from ingest.gateway.access import digest_of, new_token

TOKEN = new_token()
METERS = 20
LEDGER = "用能单位代码,计量级别,计量点编号,能源种类,管理编号,器具类别,计量单位,启用日期\n" + "".join(
    f"U1,unit,P{i},电力,M{i},电能表,kWh,2020-01-01\n" for i in range(METERS)
)
COUNTS = "select count(*), count(distinct (register_id, measured_at)) from reading_hot"


class Gateway:
    """The gateway as a process, started again whenever it is gone."""

    def __init__(self, folder: Path, spool: Path, place: Place) -> None:
        (self.port,) = free_ports(1)
        self.file = folder / "gateway.toml"
        login, password = place.kafka.security, folder / "password"
        password.write_text(login["sasl_plain_password"], encoding="utf-8")
        password.chmod(0o600)
        self.file.write_text(
            f'[gateway]\nid = "g"\nunit_code = "U1"\n[store]\npath = "{spool}"\nmax = "6MiB"\nreserve = "1B"\n'
            f'[kafka]\nbootstrap = "{place.kafka.bootstrap}"\ntopic = "{place.topic}"\n'
            f'user = "{login["sasl_plain_username"]}"\npassword_file = "{password}"\n[http]\nport = {self.port}\n'
            f'[[http.sender]]\nname = "s"\nunits = ["U1"]\ntoken_sha256 = ["{digest_of(TOKEN).hex()}"]\n',
            encoding="utf-8",
        )
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        with self.file.with_suffix(".log").open("ab") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from deploy.cli import main; main()", "gateway", "run", str(self.file)],
                stdout=subprocess.DEVNULL,
                stderr=sink,
            )
        return self.process

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.start()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


class KeptWorker(threading.Thread):
    """A worker that is started again when it ends, as the keeper does: one may give up when its broker is killed."""

    def __init__(self, place: Place, folder: Path) -> None:
        super().__init__(daemon=True)
        self._place, self._folder = place, folder
        self._stopping = threading.Event()
        self.starts = 0

    @property
    def log(self) -> Path:
        return self._folder / f"worker-{self.starts}.log"

    def run(self) -> None:
        while not self._stopping.is_set():
            self.starts += 1
            with working(self._place, home=self._folder / "home", log=self.log, tick_s=5.0) as process:
                while process.poll() is None and not self._stopping.wait(0.2):
                    pass
            self._stopping.wait(1.0)

    def stop(self) -> None:
        self._stopping.set()
        self.join()


class Sender(threading.Thread):
    """Sends until it is stopped; what was not acknowledged it sends again, as a gateway must."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.url = f"http://127.0.0.1:{port}/readings"
        self.acknowledged = 0
        self.refused = 0
        self.stopping = threading.Event()
        self.began = int(time.time()) // 3600 * 3600 - 30 * 86_400

    def run(self) -> None:
        number = 0
        while not self.stopping.is_set():
            if self.post(self.readings(number)):
                self.acknowledged += METERS
                number += 1
                time.sleep(0.01)  # what is asked here is whether all comes, not how fast
            else:
                time.sleep(0.05)

    def readings(self, number: int) -> bytes:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.began + 60 * number))
        row = {"unit_code": "U1", "measured_at": at, "value": 1000 + number, "unit": "kWh"}
        return json.dumps([row | {"meter_no": f"M{i}"} for i in range(METERS)]).encode()

    def post(self, body: bytes) -> bool:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url, body, headers), timeout=10) as answer:
                return bool(answer.status == 202)
        except urllib.error.HTTPError as error:
            self.refused += error.code == 429
            error.close()
        except OSError:
            pass
        return False


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 8 MiB where we may mount one, else the folder itself."""
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, check=False
        ).returncode
    )
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(disk: Path, seconds: float) -> None:
    if not os.path.ismount(disk):
        return
    filler = disk / "filler"
    try:
        with filler.open("wb") as file:
            while True:
                file.write(bytes(65_536))
                file.flush()
    except OSError:
        pass
    time.sleep(seconds)
    filler.unlink()


def run(place: Place, folder: Path, *, kills: int, seed: int, stack: Stack | None) -> None:
    chance = random.Random(seed)
    with ExitStack() as ends:
        (folder / "ledger.csv").write_text(LEDGER, encoding="utf-8")
        load(place, folder / "ledger.csv")
        worker = KeptWorker(place, folder)
        worker.start()
        ends.callback(worker.stop)
        disk = ends.enter_context(small_disk(folder / "disk"))
        gateway = Gateway(folder, disk / "spool", place)
        ends.callback(gateway.stop)
        sender = Sender(gateway.port)
        sender.start()
        until(lambda: sender.acknowledged > 0, 120.0)
        for _ in range(kills):
            time.sleep(chance.uniform(0.2, 2.0))
            what = chance.random()
            if what < 0.2:
                fill(disk, chance.uniform(0.2, 2.0))
            elif what < 0.4 and stack is not None:
                stack.kill("kafka")
                time.sleep(chance.uniform(0.0, 3.0))
                stack.up(["kafka"])
            else:
                gateway.kill()
        before = sender.acknowledged
        until(lambda: sender.acknowledged > before + 5 * METERS, 120.0)
        sender.stopping.set()
        sender.join()
        sent = sender.acknowledged
        until(
            lambda: stored(place)[0] >= sent,
            400.0,
            lambda: standing(place, gateway, worker) | {"sent": sent},
        )
        time.sleep(2.0)
        # one batch may have been kept and not told of
        assert stored(place)[0] in (sent, sent + METERS)
        assert stored(place)[0] == stored(place)[1]
        line = (
            f"{kills} faults, {sent:,} readings acknowledged, {sender.refused} times refused, "
            f"the worker started {worker.starts} times: none lost, none doubled"
        )
        print(f"\n  {line}")  # noqa: T201 - whoever runs it looks on


def stored(place: Place) -> tuple[int, int]:
    with psycopg.connect(place.dsn) as connection:
        row = connection.execute(COUNTS.encode()).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def standing(place: Place, gateway: Gateway, worker: KeptWorker) -> dict[str, object]:
    """Where readings are that have not come: in the spool, in Kafka, or nowhere."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{gateway.port}/metrics", timeout=10) as page:
            lines = page.read().decode().splitlines()
    except OSError as error:
        lines = [f"metering_gateway {error}"]
    return {
        "stored": stored(place),
        "refused": refusals(place),
        "gateway": [line for line in lines if line.startswith(("metering_gateway_spool", "metering_gateway_kafka"))],
        "gateway ended": gateway.process.poll(),
        "worker starts": worker.starts,
        "worker said": worker.log.read_text(encoding="utf-8", errors="replace")[-2000:],
        "gateway said": gateway.file.with_suffix(".log").read_text(encoding="utf-8", errors="replace")[-2000:],
    }


def refusals(place: Place) -> list[tuple[object, ...]]:
    with psycopg.connect(place.dsn) as connection:
        return connection.execute(b"select reason, sum(readings) from rejected group by reason").fetchall()


def until(
    condition: Callable[[], object], timeout_s: float, state: Callable[[], object] = lambda: "not in time"
) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, state()
        time.sleep(0.1)


@pytest.mark.integration
@pytest.mark.timeout(1200)
def test_a_few_kills_lose_nothing_and_double_nothing(stack: Stack, tmp_path: Path) -> None:
    place = fresh_place(stack.settings, access=stack.access, dsn=stack.dsn, name="kills")
    run(place, tmp_path, kills=3, seed=3, stack=None)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_forty_faults_of_gateway_broker_and_disk(instance: Settings, tmp_path: Path) -> None:
    servers = Stack(instance)
    servers.up(("postgresql", "kafka"))
    place = fresh_place(instance, access=servers.access, dsn=servers.dsn, name="soak")
    run(place, tmp_path, kills=40, seed=40, stack=servers)
