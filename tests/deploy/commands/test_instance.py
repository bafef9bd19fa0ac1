"""`doctor` and `settings`: what is wrong with an instance, and how it is set."""

import json
import os
import socket
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.cli import cli
from deploy.kafka_access import access_of, environment_of
from deploy.settings import FIELDS, environment, load
from deploy.stack import Stack
from deploy.stack.places import Places
from deploy.stack.ports import free_ports
from deploy.stack.postgres_server import PostgresServer
from deploy.stack.processes import Process


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "Run":
    for name in [name for name in os.environ if name.startswith("METERWARDEN_")]:
        monkeypatch.delenv(name)
    return Run(monkeypatch, tmp_path)


class Run:
    """A shell with settings of its own."""

    def __init__(self, patch: pytest.MonkeyPatch, place: Path) -> None:
        self._patch = patch
        self.home = place / "home"
        kafka, controller, database, metrics = free_ports(4)
        self.set(HOME=self.home, KAFKA_PORT=kafka, KAFKA_CONTROLLER_PORT=controller, DATABASE_PORT=database)
        self.set(METRICS_PORT=metrics)

    def set(self, **values: object) -> None:
        for name, value in values.items():
            self._patch.setenv(f"METERWARDEN_{name}", str(value))

    def __call__(self, *words: object) -> Result:
        return CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)

    def checks(self, *words: str) -> dict[str, dict[str, str]]:
        return {one["check"]: one for one in json.loads(self("doctor", "--json", *words).output)}


def test_what_does_not_run_yet_is_told_with_what_to_do(run: Run) -> None:
    result = run("doctor", "--language", "zh")
    assert result.exit_code == 1
    assert "✗ Kafka：127.0.0.1:" in result.output
    assert "→ 运行 `meterwarden up` 启动" in result.output
    assert "✗ 数据库：尚未建立，或本用户无权读取其密码\n" in result.output
    checks = run.checks()
    assert (checks["java"]["state"], checks["disk"]["state"], checks["home"]["state"]) == ("good", "good", "good")
    assert (checks["kafka"]["state"], checks["database"]["state"]) == ("bad", "bad")
    assert not run.home.exists(), "it changes nothing"


def test_a_taken_port_a_full_disk_and_an_old_java_are_told(run: Run, tmp_path: Path) -> None:
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    run.set(JAVA=old, DISK_FREE_MB=1 << 40)
    with socket.create_server(("127.0.0.1", 0)) as server:
        run.set(DATABASE_PORT=server.getsockname()[1])
        checks = [one for one in json.loads(run("doctor", "--json").output) if one["state"] == "bad"]
    told = {one["check"]: one for one in checks}
    assert "needs Java 17 or later" in told["java"]["found"]
    assert "MiB free under" in told["disk"]["found"]
    assert f"taken by process {os.getpid()} " in told["port"]["found"]
    assert "set METERWARDEN_DATABASE_PORT to another port" in told["port"]["todo"]


def test_a_database_that_a_restore_put_aside_is_told_with_its_size(run: Run) -> None:
    assert "put_aside" not in run.checks()
    cluster = PostgresServer(load(), Places.of(load())).cluster
    aside = cluster.with_name(f"{cluster.name}.before-20261130T080000Z")
    (aside / "base").mkdir(parents=True)
    (aside / "base" / "1").write_bytes(bytes(3 << 20))
    told = run.checks()["put_aside"]
    assert told["state"] == "warning"
    assert told["found"] == f"{aside} takes 3 MiB, left by `meterwarden restore --replace`"
    assert "may be removed" in told["todo"]
    assert f"! 恢复前的旧数据库：{aside} 占用 3 MiB" in run("doctor", "--language", "zh").output


@contextmanager
def a_worker_runs(by_up: dict[str, str]) -> Iterator[None]:
    """A process that `up` started by these settings, as far as anybody can see."""
    settings = load()
    places = Places.of(settings)
    places.run.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
    with subprocess.Popen(command, env=os.environ | environment(settings) | by_up, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        process = Process.of(worker.pid)
        assert process is not None
        process.write(places.record("worker-1"))
        try:
            yield
        finally:
            worker.kill()


def test_an_existing_kafka_s_settings_are_compared_and_its_password_is_not_shown(run: Run) -> None:
    run.set(KAFKA="127.0.0.1:1", KAFKA_USER="me", KAFKA_PASSWORD="hunter2")
    with a_worker_runs(environment_of(access_of(load().kafka))):
        same = run.checks()["settings"]["found"]
        run.set(KAFKA="127.0.0.1:2", KAFKA_PASSWORD="hunter3")
        told = run.checks()["settings"]["found"]
    assert same == "those that the worker runs by"
    assert told == "differ from the running worker's: METERWARDEN_KAFKA is 127.0.0.1:2 here and 127.0.0.1:1 there"


def test_our_own_kafka_is_compared_with_the_one_that_a_worker_runs_by(run: Run) -> None:
    Places.of(load()).secret("kafka")
    port = load().kafka.port
    with a_worker_runs(environment_of(Stack(load()).kafka_access("worker"))):
        assert run.checks()["settings"]["found"] == "those that the worker runs by"
    with a_worker_runs({"METERWARDEN_KAFKA": "kafka.example:9092", "METERWARDEN_KAFKA_USER": "me"}):
        told = run.checks()["settings"]
    assert told["state"] == "warning"
    assert f"METERWARDEN_KAFKA is 127.0.0.1:{port} here and kafka.example:9092 there" in told["found"]
    assert "METERWARDEN_KAFKA_USER is meterwarden.worker here and me there" in told["found"]


def test_settings_that_differ_from_the_running_worker_s_are_named(run: Run) -> None:
    with a_worker_runs(
        {"METERWARDEN_KAFKA_SECURITY": "SASL_PLAINTEXT", "METERWARDEN_KAFKA_USER": "meterwarden.worker"}
    ):
        assert run.checks()["settings"]["found"] == "those that the worker runs by"
        run.set(COLLECT_S=3)
        told = run.checks()["settings"]
    assert told["state"] == "warning"
    assert "METERWARDEN_COLLECT_S is 3.0 here and 0.2 there" in told["found"]


@pytest.mark.integration
def test_servers_that_answer_are_told_with_their_versions(run: Run, stack: Stack, database: str) -> None:
    run.set(DATABASE=database)
    run.set(**{name.removeprefix("METERWARDEN_"): value for name, value in environment_of(stack.access).items()})
    result = run("doctor")
    assert result.exit_code == 0, result.output
    checks = run.checks()
    assert checks["kafka"]["found"] == f"answers at {stack.bootstrap}"
    assert "TimescaleDB 2" in checks["database"]["found"]
    assert checks["schema"]["found"] == "of this version"
    assert checks["database_clock"]["state"] == "good"


def test_settings_are_shown_with_where_they_were_set_and_no_secret(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('workers = 3\ndatabase = "postgresql://me:hunter2@db/x"\nkafka_port = 1\n')
    file.chmod(0o600)
    run.set(SETTINGS=file)
    rows = {one["setting"]: one for one in json.loads(run("settings", "show", "--json").output)}
    assert set(rows) == {spec.name for spec in FIELDS}
    assert (rows["METERWARDEN_WORKERS"]["value"], rows["METERWARDEN_WORKERS"]["from"]) == ("3", str(file))
    assert rows["METERWARDEN_KAFKA_PORT"]["from"] == "environment"
    assert rows["METERWARDEN_ZONE"]["from"] == "default"
    for words in (("show",), ("show", "--all"), ("show", "--json")):
        assert "hunter2" not in run("settings", *words).output


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_commented_file_says_what_is_in_force_and_can_be_used(run: Run, tmp_path: Path, language: str) -> None:
    run.set(WORKERS=3, DATABASE="postgresql://me:hunter2@db/x", ZONE="Asia/Urumqi")
    before = load()
    file = tmp_path / "settings.toml"
    assert run("settings", "template", file, "--language", language).exit_code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text(encoding="utf-8")
    assert "hunter2" not in text
    assert ("自带 Kafka 的端口" in text) == (language == "zh")
    assert all(spec.key in text for spec in FIELDS)
    assert tomllib.loads(text)["workers"] == 3
    from_file = load({"METERWARDEN_SETTINGS": str(file), "METERWARDEN_DATABASE": before.database.dsn or ""})
    assert from_file == before
    everything = "\n".join(line.removeprefix("# ") for line in text.splitlines() if " = " in line)
    assert set(tomllib.loads(everything)) == {spec.key for spec in FIELDS}, "each line holds once its # is taken away"
    assert run("settings", "template", file).exit_code == 1
