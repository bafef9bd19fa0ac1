"""The demo from its command to its last line, on a real Kafka, worker and TimescaleDB."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from kafka import KafkaAdminClient
from rich.console import Console

from analytics.domain.errors import ConfigurationError
from analytics.domain.instants import US_PER_HOUR
from deploy.demo import demo, region_until
from deploy.region import Region
from deploy.region.fetch import fetch_outcome
from deploy.region.model import US_PER_QUARTER
from deploy.region.outcome import Outcome
from deploy.region.session import fresh_place
from deploy.stack import Stack, StackError
from deploy.stack.places import exclusive
from deploy.stack.ports import free_ports
from tests.conftest import private_settings

LINE = re.compile(r"demo: sent=(\d+) accepted=(\d+) rejected=(\d+) lost=(\d+) doubled=(\d+)")
NOW = 1_795_312_345_678_901


def test_a_home_that_is_not_there_yet_is_one_that_the_servers_reach(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo's lock is the first file of a fresh instance; made under our umask, its folder shut the servers out."""
    settings = private_settings(home / "fresh")
    reached: list[int] = []
    monkeypatch.setattr("deploy.demo._demo", lambda *_, **__: reached.append(settings.home.stat().st_mode & 0o777))
    umask = os.umask(0o077)
    try:
        demo(settings, console=Console(file=io.StringIO()))
    finally:
        os.umask(umask)
    assert reached == [0o711 if os.geteuid() == 0 else 0o700]


@pytest.mark.parametrize("minutes", [0, 7, 14, 15, 29, 44, 59])
def test_the_region_of_a_demo_ends_now(minutes: int) -> None:
    now = NOW // US_PER_HOUR * US_PER_HOUR + minutes * 60_000_000
    region = region_until(now, days=1.0, units=2)
    assert region.start_us % US_PER_HOUR == 0
    assert 0 <= region.end_us - now < US_PER_QUARTER
    assert 24 * US_PER_HOUR <= now - region.start_us < 25 * US_PER_HOUR
    for unit in range(2):
        newest = region.readings.received_at[region.readings.unit == unit].max()
        assert now - 6 * 60_000_000 < newest <= now


@pytest.fixture
def shown(stack: Stack) -> Iterator[Stack]:
    """The session's stack, on which a demo may show its region: its pages run on, and end with the test."""
    yield stack
    stack.down(("pages",))


def _environment(stack: Stack) -> dict[str, str]:
    settings = stack.settings
    return {
        **os.environ,
        "METERWARDEN_HOME": str(settings.home),
        "METERWARDEN_CACHE": str(settings.cache),
        "METERWARDEN_KAFKA_PORT": str(settings.kafka.port),
        "METERWARDEN_KAFKA_CONTROLLER_PORT": str(settings.kafka.controller_port),
        "METERWARDEN_DATABASE_PORT": str(settings.database.port),
        "METERWARDEN_DISK_FREE_MB": str(settings.disk_free_mb),
        "METERWARDEN_KEEPER": settings.keeper,
        "METERWARDEN_PAGES_PORT": str(free_ports(1)[0] - 1),  # the demo's pages have the next one
    }


@pytest.mark.integration
def test_the_command_ends_with_the_account_and_success(shown: Stack) -> None:
    stack = shown
    command = [sys.executable, "-c", "from deploy.cli import main; main()", "demo", "--days", "2", "--units", "8"]
    done = subprocess.run(command, env=_environment(stack), capture_output=True, text=True, timeout=500, check=False)
    said = done.stdout.strip().splitlines()
    found = LINE.fullmatch(said[-1])
    assert found is not None, done.stdout + done.stderr
    sent, accepted, rejected, lost, doubled = map(int, found.groups())
    assert done.returncode == 0, done.stdout + done.stderr
    assert sent == accepted + rejected > 40_000
    assert rejected > 200
    assert lost == doubled == 0
    told = "\n".join(said)
    assert "云澜北辰特钢有限公司" in told
    assert "needs a balance over weeks" in told.replace("│", "").replace("\n", " ")
    assert re.search(r"W003: put in gain_step -4\.0% since \S+; found gain_step -[34]\.\d%", told), told
    assert re.search(r"W006: put in gain_drift \+3\.0% since \S+; found gain_(drift|step) \+[1-3]\.\d%", told), told
    assert "WRONG" not in told
    assert "psql" in told
    [link] = re.findall(r"http://127\.0\.0\.1:\d+/invitation/[\w-]+", told)
    with httpx.Client() as browser:
        password = {"password": "a look at the demo", "again": "a look at the demo"}
        start = browser.post(link, data=password).headers["location"]
        page = browser.get(httpx.URL(link).join(start), follow_redirects=True)
    assert page.status_code == 200
    assert "今日待办" in page.text, "the region can be looked at when the command is over"


def _fetch_less_one(dsn: str, region: Region) -> Outcome:
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "delete from reading_hot where (register_id, measured_at) in "
            "(select register_id, measured_at from reading_hot limit 1)"
        )
    return fetch_outcome(dsn, region)


@pytest.mark.integration
def test_a_second_run_begins_anew_touches_nothing_else_and_tells_a_lost_row(
    shown: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = shown
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        connection.execute("create table if not exists somebody_elses (value int)")
        connection.execute("insert into somebody_elses values (42)")
    said = io.StringIO()
    first = demo(stack.settings, console=Console(file=said, width=118), seed=1, days=1.0, units=2)
    assert first.ok, said.getvalue()
    assert (first.account.lost, first.account.doubled) == (0, 0)
    monkeypatch.setattr("deploy.demo.fetch_outcome", _fetch_less_one)
    second = demo(stack.settings, console=Console(file=said, width=118), seed=2, days=1.0, units=2)
    assert not second.ok
    assert (second.account.lost, second.account.doubled) == (1, 0)
    assert second.account.accepted + second.account.rejected == second.account.sent - 1
    with psycopg.connect(stack.dsn) as connection:
        assert connection.execute("select value from somebody_elses").fetchone() == (42,)
        names = {row[0] for row in connection.execute("select datname from pg_database").fetchall()}
    assert "meterwarden_demo" in names
    topics = {name for name in _topics(stack) if name.startswith("demo-")}
    assert len({name.partition(".")[0] for name in topics}) == 1  # those of the first run are gone
    assert (stack.settings.home / "demo" / "ledger.xlsx").is_file()


def _topics(stack: Stack) -> set[str]:
    admin = KafkaAdminClient(**stack.access.options())
    try:
        return set(admin.list_topics())
    finally:
        admin.close()


@pytest.mark.integration
def test_two_demos_of_one_instance_do_not_run_at_once(stack: Stack) -> None:
    with (
        exclusive(stack.settings.home / "run" / "demo.lock", what="this test", timeout_s=0.0),
        pytest.raises(StackError, match="demo"),
    ):
        demo(stack.settings, console=Console(file=io.StringIO()), days=1.0, units=1)


@pytest.mark.integration
def test_who_may_not_make_databases_is_told_so(stack: Stack) -> None:
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        connection.execute("create role humble login password 'x'")
        try:
            connection.execute("grant connect on database meterwarden to humble")  # else there is nobody to be told
            address = stack.dsn.rpartition("@")[2]
            with pytest.raises(ConfigurationError, match="must be allowed to make the database"):
                fresh_place(stack.settings, access=stack.access, dsn=f"postgresql://humble:x@{address}", name="humble")
        finally:
            connection.execute("revoke connect on database meterwarden from humble")
            connection.execute("drop role humble")
