"""Servers on one machine, workers on another too: the guide's own commands, who gets in, and a link that is cut."""

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.kafka_access import access_of, user_of
from deploy.regions import login
from deploy.settings import load as load_settings
from deploy.stack import Stack
from deploy.stack.kafka_probe import ask
from ingest.kafka_access import KafkaAccess
from ingest.wire import READINGS_TOPIC, partition_of
from tests.faults.harness import Arena
from tests.faults.machines import Machine, two_machines
from tests.faults.model import Traffic
from tests.ingest.gateway.brokers import certificate
from tests.streams.site import Site, load

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1500)]

GUIDE = Path(__file__).parents[2] / "deploy" / "guides" / "containers.md"
SITE = Site(units=8, meters=20, interval_us=15 * 60_000_000)
PARTITIONS = 6  # two for each worker
SOON_S = 300.0


def of_the_guide(number: int) -> str:
    """Commands of the guide for one of the machines."""
    part = GUIDE.read_text(encoding="utf-8").partition("## Several machines\n")[2].partition("\n## ")[0]
    commands: list[str] = re.findall(r"```sh\n(.*?)```", part, re.DOTALL)
    return commands[number]


@dataclass(frozen=True)
class Place:
    """Two machines of one instance; the second has workers alone."""

    first: Machine
    second: Machine
    folder: Path

    def environ(self, name: str, **more: str) -> dict[str, str]:
        foreign = {key: value for key, value in os.environ.items() if not key.startswith("METERWARDEN_")}
        small = {"KAFKA_HEAP_MB": "384", "DATABASE_BUFFERS_MB": "256", "DATABASE_WAL_MB": "1024", "DISK_FREE_MB": "512"}
        own = small | {"HOME": str(self.folder / name), "CACHE": str(load_settings().cache), "PAGES_PORT": "0"} | more
        path = f"{Path(sys.executable).parent}:{foreign['PATH']}"
        return foreign | {"PATH": path} | {f"METERWARDEN_{key}": value for key, value in own.items()}

    @property
    def of_first(self) -> dict[str, str]:
        return self.environ("first", KAFKA_PARTITIONS=str(PARTITIONS))

    @property
    def of_second(self) -> dict[str, str]:
        return self.environ("second", WORKERS="2")

    def by_guide(self, number: int, machine: Machine, environ: Mapping[str, str]) -> str:
        """Run the guide's commands with names and folders of here."""
        script = of_the_guide(number).replace("first.example", self.first.address)
        there, here = str(self.folder / "etc2"), str(self.folder / "etc")
        script = script.replace("second.example:/etc/meterwarden", there).replace("scp ", "cp ")
        return machine.shell(script.replace("/etc/meterwarden", there if number else here), environ)

    def status(self) -> dict[str, Any]:
        """Of the second machine."""
        script = f"set -a; . {self.folder}/etc2/meterwarden.env; set +a; meterwarden status --json || true"
        found: dict[str, Any] = json.loads(self.second.shell(script, self.of_second))
        return found

    def handed_over(self) -> dict[str, str]:
        """The settings that the first machine has handed over."""
        text = (self.folder / "etc2" / "meterwarden.env").read_text(encoding="utf-8")
        return dict(line.split("=", 1) for line in shlex.split(text))

    def stack(self) -> Stack:
        return Stack(load_settings({key: value for key, value in self.of_first.items() if "METERWARDEN" in key}))


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """Both machines, set up as the guide says."""
    folder = Path(tempfile.mkdtemp(prefix="meterwarden-machines-"))
    folder.chmod(0o711)
    try:
        with two_machines() as (first, second):
            there = Place(first, second, folder)
            (folder / "etc2").mkdir()
            made = certificate(folder / "etc", address=first.address)
            shutil.copy(made.certificate, folder / "etc" / "chain.pem")
            shutil.copy(made.certificate, folder / "etc" / "ca.pem")
            there.by_guide(0, first, there.of_first)
            handed = folder / "etc2" / "meterwarden.env"
            handed.write_text(handed.read_text().replace("/etc/meterwarden", str(folder / "etc2")))
            there.by_guide(1, second, there.of_second)
            yield there
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_the_second_machine_has_what_a_worker_needs_and_no_more(place: Place) -> None:
    handed = place.handed_over()
    assert (place.folder / "etc2" / "meterwarden.env").stat().st_mode & 0o077 == 0
    assert place.first.listens() == {"127.0.0.1", place.first.address}
    assert place.second.listens() == {"127.0.0.1"}
    status = place.status()
    well = {part["name"] for part in status["parts"] if part["healthy"]}
    assert well >= {"postgresql", "kafka", "workers", "keeper"}, status["parts"]
    place.second.inside(lambda: only_services_get_in(place, handed))


def test_another_region_is_seen_from_the_second_machine(place: Place) -> None:
    user, password = place.first.inside(lambda: login(place.stack().dsn))
    tls = f"sslmode=verify-full&sslrootcert={place.folder}/etc2/ca.pem"

    def units() -> int:
        address = f"postgresql://{user}:{password}@{place.first.address}:15432/meterwarden?{tls}"
        with psycopg.connect(address) as connection:
            (count,) = connection.execute("select count(*) from unit_list").fetchall()[0]
            return int(count)

    assert place.second.inside(units) >= 0


def only_services_get_in(place: Place, handed: Mapping[str, str]) -> None:
    """From the second machine."""
    kafka = access_of(load_settings({**handed, "METERWARDEN_HOME": "/nowhere"}).kafka)
    assert ask(kafka, timeout_s=SOON_S).brokers == 1
    plain = {key: value for key, value in kafka.security.items() if not key.startswith("ssl_")}
    admin = place.stack().kafka_access("admin").security["sasl_plain_password"]
    refused: list[dict[str, str]] = [
        {},
        plain | {"security_protocol": "SASL_PLAINTEXT"},
        plain,  # it does not know who signed the certificate
        {**kafka.security, "sasl_plain_password": "guessed"},
        {**kafka.security, "sasl_plain_username": user_of("admin"), "sasl_plain_password": admin},
        {**kafka.security, "sasl_mechanism": "SCRAM-SHA-512"},  # as gateways log in, at their own port
    ]
    for security in refused:
        assert ask(KafkaAccess(kafka.bootstrap, security)).brokers == 0, security
    worker = handed["METERWARDEN_DATABASE"]
    with psycopg.connect(worker) as connection:
        assert connection.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchone() == (True,)
    owner = place.stack().dsn.replace("127.0.0.1", place.first.address)
    for address, why in (
        (owner, "no pg_hba.conf entry"),
        (worker.partition("?")[0] + "?sslmode=disable", "no pg_hba.conf entry"),
        (worker.partition("?")[0] + "?sslmode=verify-full&sslrootcert=system", "certificate verify failed"),
    ):
        with pytest.raises(psycopg.OperationalError, match=why):
            psycopg.connect(address)


def test_a_cut_link_and_a_killed_worker_lose_and_double_nothing(place: Place) -> None:
    place.first.inside(lambda: survives(place))


def survives(place: Place) -> None:
    """From the first machine, where readings are sent."""
    stack = place.stack()
    asyncio.run(load(stack.dsn, SITE.ledger()))
    arena = Arena(stack.kafka_access("admin"), stack.dsn, READINGS_TOPIC, PARTITIONS, place.folder)
    here, there = {f"{place.first.name}-1"}, {f"{place.second.name}-{number}" for number in (1, 2)}
    live = arena.live(Traffic(SITE), pause_s=0.2)
    try:
        owned_by(arena, here | there)
        moved(arena)
        place.second.link("down")
        cut = time.monotonic()
        owned_by(arena, here)
        moved(arena)
        time.sleep(max(0.0, 20.0 - (time.monotonic() - cut)))
        place.second.link("up")
        owned_by(arena, here | there)
        moved(arena)
        (workers,) = (part for part in place.status()["parts"] if part["name"] == "workers")
        os.kill(workers["pids"][0], signal.SIGKILL)
        moved(arena)
        owned_by(arena, here | there)  # its keeper has started it again
        traffic = live.end()
    finally:
        live.abandon()
    arena.send(traffic.rest())
    arena.settle(SOON_S)
    arena.check(traffic)


def moved(arena: Arena) -> None:
    """Wait until each partition that readings go to has stored more."""
    before = arena.fences()
    used = {partition_of(code, PARTITIONS) for code in SITE.codes}
    arena.wait(lambda: all(arena.fences().get(one, 0) > before.get(one, 0) for one in used), SOON_S, arena.fences)


def owned_by(arena: Arena, workers: set[str]) -> None:
    """Wait until partitions belong to these workers, to each some, and to nobody else."""
    arena.wait(lambda: arena.owners() == workers, SOON_S, lambda: (arena.owners(), workers))
