"""Files that the guide gives people to copy are ones that work."""

import tomllib
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingest.gateway.config import load_config
from ingest.gateway.rows import Judge

GUIDES = Path(__file__).parents[3] / "deploy" / "guides"


def test_example_with_every_setting_is_a_sound_file() -> None:
    config = load_config(GUIDES / "gateway.toml")
    assert [device.protocol for device in config.devices] == ["dlt645-2007", "cjt188", "modbus-tcp"]
    assert len(config.mqtt[0].subscriptions) == 3
    assert tomllib.loads((GUIDES / "upload.toml").read_text(encoding="utf-8"))["item"][0]["points"] == {
        "P1": 1,
        "P2": 1,
    }


@pytest.mark.parametrize("name", ["telegraf-payload.json", "node-red-payload.json"])
def test_payload_as_documented_is_accepted(name: str) -> None:
    body = (GUIDES / "recipes" / name).read_bytes()
    judged = Judge(ZoneInfo("Asia/Shanghai")).message(body, units={"U1"}, now_us=0)
    assert (judged.accepted, judged.rejected) == (1, 0)


@pytest.mark.parametrize("command", ["curl", "mosquitto_pub"])
def test_readings_in_the_guide_are_accepted(command: str) -> None:
    text = (GUIDES / "gateway.md").read_text(encoding="utf-8")
    body = text[text.index(command) :].split("'")[1]
    judged = Judge(ZoneInfo("Asia/Shanghai")).message(body.encode(), units={"U1"}, now_us=0)
    assert (judged.accepted, judged.rejected) == (1, 0)
