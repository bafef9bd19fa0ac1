"""The 46 real registers through the real Kafka, the real worker and the real database, held against a backfill."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psycopg
import pytest

from deploy.settings import Settings
from deploy.stack import Stack
from ingest.result_files import read_results
from tests.streams.backfill.daiad import ZONE, registers, write_files

pytestmark = pytest.mark.integration

ACCOUNT = "select (select count(*) from reading_hot), (select coalesce(sum(readings), 0)::int8 from rejected)"
REASONS = "select reason, sum(readings)::int8 from rejected group by reason"
HOURS = """
select u.code, p.code, extract(epoch from h.start)::int8 / 3600, round(h.amount * 1e6)::int8, h.completeness::float8,
       h.measured::float8, h.quality
from consumption_hour h join metering_point p on p.id = h.point_id join unit u on u.id = h.unit_id
order by 1, 2, 3
"""


def run(settings: Settings, *words: str) -> str:
    """A command of an installation with one worker."""
    own = {
        "METERWARDEN_HOME": settings.home,
        "METERWARDEN_CACHE": settings.cache,
        "METERWARDEN_KAFKA_PORT": settings.kafka.port,
        "METERWARDEN_KAFKA_CONTROLLER_PORT": settings.kafka.controller_port,
        "METERWARDEN_DATABASE_PORT": settings.database.port,
        "METERWARDEN_WORKERS": 1,
        "METERWARDEN_METRICS_PORT": 0,
        "METERWARDEN_DISK_FREE_MB": settings.disk_free_mb,
        "METERWARDEN_ZONE": ZONE.key,
    }
    environment = os.environ | {name: str(value) for name, value in own.items()}
    ran = subprocess.run(
        [sys.executable, "-c", "from deploy.cli import main; main()", *words],
        env=environment, capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip
    assert ran.returncode == 0, f"{words}: {ran.stdout}\n{ran.stderr}"
    return ran.stdout


def settled(dsn: str, sent: int, *, hours: int) -> None:
    """Wait until every reading is stored or rejected, and the clock has closed the last hours."""
    deadline = time.monotonic() + 300
    with psycopg.connect(dsn, autocommit=True) as connection:
        while time.monotonic() < deadline:
            (account,) = connection.execute(ACCOUNT).fetchall()
            (rows,) = connection.execute("select count(*) from consumption_hour").fetchall()
            if sum(account) >= sent and rows[0] >= hours:
                return
            time.sleep(1)
    pytest.fail(f"after five minutes {account} of {sent} readings and {rows[0]} of {hours} hours were there")


def test_a_stream_of_real_registers_gives_what_a_backfill_gives(
    request: pytest.FixtureRequest, instance: Settings, tmp_path: Path
) -> None:
    data = registers(request)
    ledger, readings = write_files(data, tmp_path)
    files = [str(path) for path in readings]
    run(instance, "backfill", "--ledger", str(ledger), "--readings", *files, "--out", str(tmp_path / "out"))
    run(instance, "up")
    run(instance, "ledger", "load", str(ledger), "--zone", ZONE.key)
    assert f"ingest: sent={len(data.litres)} bad=0 unsent=0" in run(instance, "ingest", *files)
    dsn = Stack(instance).dsn
    hours = read_results(tmp_path / "out", "consumption_hour")
    settled(dsn, len(data.litres), hours=len(hours["point"]))
    with psycopg.connect(dsn) as connection:
        stored, rejected = connection.execute(ACCOUNT).fetchall()[0]
        reasons: dict[str, int] = dict(connection.execute(REASONS).fetchall())
        live = connection.execute(HOURS).fetchall()
    assert stored + rejected == len(data.litres)
    assert reasons == {}
    expected = list(
        zip(
            hours["unit_code"].to_pylist(),
            hours["point"].to_pylist(),
            (hours["start"].to_numpy().astype("datetime64[h]").astype(np.int64)).tolist(),
            np.rint(hours["amount"].to_numpy() * 1e6).astype(np.int64).tolist(),
            *(hours[name].to_pylist() for name in ("completeness", "measured", "quality")),
            strict=True,
        )
    )
    differing = sorted(set(live) ^ set(expected))
    assert not differing, f"{len(differing)} rows differ, first {differing[:6]}"
    assert live == expected
