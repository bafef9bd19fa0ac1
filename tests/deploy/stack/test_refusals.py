"""What `up` refuses before anything is started, and whom `down` never touches."""

import dataclasses
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.settings import Settings
from deploy.stack import SERVERS, Stack, StackError
from deploy.stack.errors import DiskShort, PortTaken, ToolMissing
from deploy.stack.jars import java
from deploy.stack.places import Places, exclusive
from deploy.stack.processes import Process

pytestmark = pytest.mark.integration


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def nothing_runs(stack: Stack) -> bool:
    return not any(part.pids for part in stack.status())


@pytest.mark.parametrize(
    ("setting", "port_of"),
    [
        ("METERWARDEN_KAFKA_PORT", lambda settings: settings.kafka.port),
        ("METERWARDEN_KAFKA_CONTROLLER_PORT", lambda settings: settings.kafka.controller_port),
        ("METERWARDEN_DATABASE_PORT", lambda settings: settings.database.port),
    ],
)
def test_a_taken_port_is_refused_with_its_setting_and_its_holder(
    instance: Settings, setting: str, port_of: "object"
) -> None:
    assert callable(port_of)
    port = port_of(instance)
    stack = Stack(instance)
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(PortTaken, match=rf"port {port}.* process {os.getpid()} .*set {setting} "):
            stack.up(SERVERS)
        assert nothing_runs(stack)


def test_a_short_disk_is_refused(instance: Settings) -> None:
    stack = Stack(dataclasses.replace(instance, disk_free_mb=1 << 40))
    with pytest.raises(DiskShort, match=r"only \d+ MiB are free .* METERWARDEN_DISK_FREE_MB"):
        stack.up(SERVERS)
    assert nothing_runs(stack)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ('openjdk version "11.0.2" 2019-01-15', "is version 11"),
        ('java version "1.8.0_402"', "is version 8"),
        ("what do you want?", "is version unknown: what do you want"),
    ],
)
def test_a_java_that_is_too_old_is_refused(instance: Settings, tmp_path: Path, said: str, message: str) -> None:
    program = tmp_path / "java"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
    program.chmod(0o755)
    stack = Stack(dataclasses.replace(instance, java=str(program)))
    with pytest.raises(ToolMissing, match=rf"needs Java 17 or later.*{message}.*METERWARDEN_JAVA"):
        stack.up(SERVERS)
    assert nothing_runs(stack)


def test_a_java_that_is_not_there_is_refused() -> None:
    with pytest.raises(ToolMissing, match="cannot be started"):
        java("/nowhere/java")


def test_a_record_whose_pid_belongs_to_somebody_else_by_now_gets_nobody_signalled(
    instance: Settings, stranger: subprocess.Popen[bytes]
) -> None:
    places = Places.of(instance)
    places.make()
    now = Process.of(stranger.pid)
    assert now is not None
    stack = Stack(instance)
    for stale in (
        dataclasses.replace(now, started=now.started - 1),  # the pid was given anew
        dataclasses.replace(now, boot="another"),  # the machine was started anew
    ):
        for name in (*SERVERS, "worker-1"):
            stale.write(places.record(name))
        assert nothing_runs(stack)
        assert stack.kill("kafka") == []
        assert stack.down() == []
        assert stranger.poll() is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "started": 1, "boot": "b"}'])
def test_a_broken_record_counts_as_none(instance: Settings, content: str) -> None:
    places = Places.of(instance)
    places.make()
    places.record("kafka").write_text(content)
    assert nothing_runs(Stack(instance))


# without root the servers run as who starts them, who reaches what is theirs: there is nothing to refuse
@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the servers as somebody else")
def test_a_home_that_the_servers_cannot_reach_is_refused(instance: Settings) -> None:
    instance.home.chmod(0o700)
    with pytest.raises(StackError, match=r"cannot be reached by the system user meterwarden.* METERWARDEN_HOME"):
        Stack(dataclasses.replace(instance, home=instance.home / "inner")).up(SERVERS)


def test_a_lock_that_somebody_keeps_is_named(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "lock", what="a test", timeout_s=1.0),
        pytest.raises(StackError, match=r"lock \(a test\) for more than 0 s"),
        exclusive(tmp_path / "lock", what="a test", timeout_s=0.2),
    ):
        pass


def test_before_the_first_start_status_tells_and_the_address_is_unknown(instance: Settings) -> None:
    stack = Stack(instance)
    assert [part.detail for part in stack.status()][:2] == ["does not run", "does not run"]
    with pytest.raises(StackError, match="run `meterwarden up`"):
        _ = stack.dsn
    assert stack.down() == []
