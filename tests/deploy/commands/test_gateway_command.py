"""`meterwarden gateway`, as an engineer uses it who has nothing wired yet."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from analytics.domain.errors import ConfigurationError
from deploy.stack.ports import free_ports
from ingest.gateway.config import load_config
from ingest.gateway.links import LinkConfig
from ingest.gateway.run import RunningGateway
from ingest.gateway.simulate import SimulatedLink
from ingest.gateway.spool import BLOCK, Entry
from ingest.gateway.status import write_status

HEAD = '[gateway]\nid = "g"\nunit_code = "U1"\n[[link]]\nname = "bus"\ntimeout = "30s"\n'
METER = (
    '[[device]]\nlink = "bus"\nprotocol = "dlt645-2007"\naddress = "201709320072"\nmeter_no = "M1"\n'
    'points = ["energy_forward", "day_freeze_forward"]\n'
)


def gateway(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from deploy.cli import main; main()", "gateway", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_a_serial_line_that_is_not_there_is_made_and_read_with_every_digit(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f'{HEAD}kind = "serial"\nport = "/dev/is-not-there"\n{METER}', encoding="utf-8")
    config = load_config(file)
    far = SimulatedLink(config.links[0], config.devices, config.zone).start()
    try:
        assert far.where.startswith("/dev/")
        file.write_text(file.read_text(encoding="utf-8").replace("/dev/is-not-there", far.where), encoding="utf-8")
        for _ in range(2):  # a pseudo-terminal refuses parity at the second time
            told = gateway("read", str(file), "M1")
            assert told.returncode == 0, told.stderr
            first, second = (line.split() for line in told.stdout.splitlines() if line.startswith("main"))
            assert first[5].startswith("energy_forward"), "the running one and the frozen one keep their names"
            assert second[5].startswith("day_freeze_forward")
            raw = told.stdout.split("energy_forward [")[1].split("]")[0].split()
            digits = "".join(reversed(raw))
            assert float(first[1]) == int(digits) / 100
    finally:
        far.close()


def test_simulate_says_where_it_answers(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    file = tmp_path / "gateway.toml"
    file.write_text(f'{HEAD}host = "meter.invalid"\nport = {port}\n{METER}', encoding="utf-8")
    told = gateway("simulate", str(file), "--for", "0.2")
    assert f"bus answers on 127.0.0.1:{port} (to read it, write this instead of meter.invalid:{port})" in told.stderr


def test_a_port_that_is_taken_is_said_in_a_sentence(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    file = tmp_path / "gateway.toml"
    file.write_text(f'{HEAD}host = "127.0.0.1"\nport = {port}\n{METER}', encoding="utf-8")
    config = load_config(file)
    far = SimulatedLink(config.links[0], config.devices, config.zone).start()
    try:
        told = gateway("simulate", str(file), "--for", "0.2")
        assert told.returncode != 0
        assert f"link bus: port {port} must be free here" in told.stderr
        assert "Traceback" not in told.stderr
    finally:
        far.close()


def test_a_line_that_is_no_line_is_said(tmp_path: Path) -> None:
    file = tmp_path / "no-line"
    file.write_text("x", encoding="utf-8")
    config = LinkConfig(name="bus", kind="serial", port=str(file))
    before = set(threading.enumerate())
    with pytest.raises(ConfigurationError, match="must be free"):
        SimulatedLink(config, [], load_config(_empty(tmp_path)).zone)
    assert set(threading.enumerate()) <= before, "none is left running"


def _empty(folder: Path) -> Path:
    file = folder / "empty.toml"
    file.write_text('[gateway]\nid = "g"\n', encoding="utf-8")
    return file


def test_status_shows_the_spool_and_when_kafka_took_readings_last(tmp_path: Path) -> None:
    file = _empty(tmp_path)
    running = RunningGateway(load_config(file), connect=None, topics={})
    assert running.spool is not None
    try:
        running.spool.append([Entry("U1", BLOCK, b"x", 7, round((time.time() - 7200) * 1e6))])
        write_status(running)
        told = gateway("status", str(file))
    finally:
        running.close()
    assert told.returncode == 1
    assert "waiting=7 oldest=72" in told.stdout
    assert "delivered=never" in told.stdout
    assert told.stderr.splitlines() == ["the oldest reading has waited 2.0 h for Kafka"]
