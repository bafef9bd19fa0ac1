"""What a gateway says of itself, and what is wrong with that."""

import time
from pathlib import Path
from typing import Any

import pytest

from analytics.domain.errors import ConfigurationError
from deploy.stack.ports import free_ports
from ingest.gateway.config import GatewayConfig, parse_config
from ingest.gateway.run import RunningGateway
from ingest.gateway.simulate import SimulatedLink
from ingest.gateway.spool import BLOCK, Entry
from ingest.gateway.status import faults_of, read_status, status_of, write_status


def config_of(folder: Path) -> GatewayConfig:
    dead, alive = free_ports(2)
    lines = ['[gateway]\nid = "g"\nunit_code = "U1"\ninterval = "1s"\n[store]\npath = "spool"\n']
    for name, port, meter in (("dead", dead, 1), ("alive", alive, 2)):
        lines.append(
            f'[[link]]\nname = "{name}"\nhost = "127.0.0.1"\nport = {port}\ntimeout = "300ms"\n[[device]]\n'
            f'link = "{name}"\nprotocol = "dlt645-2007"\naddress = "00000000000{meter}"\nmeter_no = "M{meter}"\n'
        )
    return parse_config("".join(lines), folder / "gateway.toml")


def test_a_gateway_says_which_meter_is_silent_and_why(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    with pytest.raises(ConfigurationError, match="has not run here"):
        read_status(config)
    far = SimulatedLink(config.links[1], config.devices_of("alive"), config.zone).start()
    gateway = RunningGateway(config, connect=None, topics={}, tick_s=0.1)
    gateway.start()
    try:
        end = time.monotonic() + 60
        while {state.status for state in gateway.states()} != {"ok", "no_answer"}:
            assert time.monotonic() < end
            time.sleep(0.1)
        write_status(gateway)
    finally:
        gateway.close()
        far.close()
    found = read_status(config)
    (fault,) = faults_of(found, now_s=time.time())
    assert fault.startswith("meter M1 on dead: no_answer link dead: 127.0.0.1:")
    assert found["spool"]["readings"] >= 2
    stale = faults_of(found, now_s=time.time() + 100)
    assert stale[0].startswith("it does not run: its last status is 1")


def test_a_spool_that_waits_is_said(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    gateway = RunningGateway(config, connect=None, topics={})
    assert gateway.spool is not None
    now_s = time.time()
    gateway.spool.append([Entry("U1", BLOCK, b"x", 7, round((now_s - 7200) * 1e6))])
    status = status_of(gateway, now_s=now_s)
    gateway.close()
    assert faults_of(status, now_s=now_s) == ["the oldest reading has waited 2.0 h for Kafka"]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"spool": {"bytes": 90, "max_bytes": 100}}, "the spool is 90% full"),
        ({"spool": {"dropped_readings": 3}}, "3 readings were given up"),
        ({"kafka": {"error": "no broker"}}, "Kafka: no broker"),
        ({"ended": True}, "it was stopped at 1970-01-01 00:16 UTC"),
        ({"mqtt": [{"host": "b:1883", "error": "refused"}]}, "MQTT b:1883: refused"),
    ],
)
def test_what_is_wrong_is_said(part: dict[str, Any], said: str) -> None:
    assert faults_of({"at": 1000.0} | part, now_s=1001.0) == [said]
