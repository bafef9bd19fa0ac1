"""Sender and API as parts of an instance: started where they are asked for, and found again."""

import dataclasses
from pathlib import Path

import httpx
import pytest

from analytics.domain.errors import ConfigurationError
from deploy.settings import AlertSettings, Settings
from deploy.stack import PartStatus, Stack
from deploy.stack.ports import free_ports
from deploy.stack.processes import until

PARTS = ("postgresql", "alerts")


def part(stack: Stack) -> PartStatus:
    return next(part for part in stack.status() if part.name == "alerts")


@pytest.mark.integration
def test_sender_and_api_start_where_they_are_asked_for(instance: Settings, tmp_path: Path) -> None:
    plain = Stack(instance)
    assert plain.up(PARTS) == ["postgresql"]
    assert (part(plain).healthy, part(plain).detail) == (True, "not asked for")
    channels = tmp_path / "channels.toml"
    channels.write_text('[hook]\nurl = "json://127.0.0.1:9/secret-0815"\n')
    channels.chmod(0o600)
    [port] = free_ports(1)
    asked = AlertSettings(channels=channels, api_port=port)
    stack = Stack(dataclasses.replace(instance, alerts=asked))
    assert stack.up(PARTS) == ["alerts"]
    assert (part(stack).healthy, len(part(stack).pids)) == (True, 2)
    assert httpx.get(f"http://127.0.0.1:{port}/openapi.json").status_code == 200
    assert len(stack.kill("alerts")) == 2
    assert until(lambda: not part(stack).healthy, 60.0)
    assert stack.up(PARTS) == ["alerts"]
    logs = "".join(path.read_text() for path in (instance.home / "logs").glob("sender*.log"))
    assert "secret-0815" not in logs
    assert plain.up(PARTS) == []
    assert part(stack).pids == (), "asked for no longer"


def test_a_channels_file_that_others_may_read_is_refused_at_start(instance: Settings, tmp_path: Path) -> None:
    channels = tmp_path / "channels.toml"
    channels.write_text('[hook]\nurl = "json://127.0.0.1:9/secret-0815"\n')
    channels.chmod(0o644)
    database = dataclasses.replace(instance.database, dsn="postgresql://nobody@127.0.0.1:1/none")
    stack = Stack(dataclasses.replace(instance, database=database, alerts=AlertSettings(channels=channels)))
    with pytest.raises(ConfigurationError, match="must be readable by its owner alone"):
        stack.up(("alerts",))
