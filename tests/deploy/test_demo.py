"""The demo from its command to its last line, on a real Kafka, worker and TimescaleDB."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from rich.console import Console

from deploy.demo import demo, region_until
from deploy.region.model import US_PER_HOUR, US_PER_QUARTER
from deploy.stack import Stack

LINE = re.compile(r"demo: sent=(\d+) accepted=(\d+) rejected=(\d+) lost=(\d+) doubled=(\d+)")
NOW = 1_795_312_345_678_901


@pytest.mark.parametrize("minutes", [0, 7, 14, 15, 29, 44, 59])
def test_the_region_of_a_demo_ends_with_the_last_full_quarter_hour(minutes: int) -> None:
    now = NOW // US_PER_HOUR * US_PER_HOUR + minutes * 60_000_000
    region = region_until(now, days=1.0, units=1)
    assert region.start_us % US_PER_HOUR == 0
    assert 0 <= now - region.end_us - 60_000_000 < US_PER_QUARTER
    assert 24 * US_PER_HOUR <= region.end_us - region.start_us < 25 * US_PER_HOUR
    assert region.readings.received_at[region.readings.expected == 0].max() < now + 20 * US_PER_HOUR


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
    }


@pytest.mark.integration
def test_the_command_ends_with_the_account_and_success(stack: Stack) -> None:
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
    assert "not looked for yet" in told
    assert "WRONG" not in told
    assert "psql" in told


@pytest.mark.integration
def test_a_second_run_begins_anew_and_leaves_what_is_not_its_own(stack: Stack) -> None:
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        connection.execute("create table if not exists somebody_elses (value int)")
        connection.execute("insert into somebody_elses values (42)")
    for seed in (1, 2):
        said = Console(file=io.StringIO(), width=118)
        result = demo(stack.settings, console=said, seed=seed, days=1.0, units=2)
        assert result.ok, said.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO from above
        assert (result.account.lost, result.account.doubled) == (0, 0)
    with psycopg.connect(stack.dsn) as connection:
        assert connection.execute("select value from somebody_elses").fetchone() == (42,)
        names = {row[0] for row in connection.execute("select datname from pg_database").fetchall()}
    assert "meterwarden_demo" in names
    assert Path(stack.settings.home / "demo" / "ledger.xlsx").is_file()


@pytest.mark.integration
def test_a_lost_row_is_told_and_fails(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    from deploy import demo as module  # noqa: PLC0415
    from deploy.region.fetch import fetch_outcome  # noqa: PLC0415

    def fetch_less_one(dsn: str, region: object) -> object:
        with psycopg.connect(dsn) as connection:
            connection.execute(
                "delete from reading_hot where (register_id, measured_at) in "
                "(select register_id, measured_at from reading_hot limit 1)"
            )
        return fetch_outcome(dsn, region)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(module, "fetch_outcome", fetch_less_one)
    result = demo(stack.settings, console=Console(file=io.StringIO()), days=1.0, units=1)
    assert not result.ok
    assert result.account.lost == 1
