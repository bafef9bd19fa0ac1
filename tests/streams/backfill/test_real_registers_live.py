"""The 46 real registers through the real Kafka, the real worker and the real database, held against a backfill."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest
from click.testing import CliRunner

from deploy.cli import cli
from deploy.region.session import Place, fresh_place, working
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


def called(*words: str | Path) -> str:
    result = CliRunner().invoke(cli, [*map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0, f"{words}: {result.output}"
    return result.output


@pytest.fixture
def place(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A database and topics of its own, in Spain, and a worker between them."""
    own = fresh_place(stack.settings, access=stack.access, dsn=stack.dsn, name="registers")
    monkeypatch.setenv("METERWARDEN_ZONE", ZONE.key)
    monkeypatch.setenv("METERWARDEN_DATABASE", own.dsn)
    monkeypatch.setenv("METERWARDEN_KAFKA", stack.bootstrap)
    for name in ("kafka_config", "sending"):
        monkeypatch.setattr(Stack, name, replace(own.kafka, zone=ZONE))
    with working(own, home=tmp_path, log=tmp_path / "worker.log", tick_s=1.0):
        yield own


def settled(dsn: str, sent: int, *, hours: int) -> None:
    """Wait until every reading is stored or rejected, and the clock has closed the last hours."""
    deadline = time.monotonic() + 300
    with psycopg.connect(dsn, autocommit=True) as connection:
        while time.monotonic() < deadline:
            (account,) = connection.execute(ACCOUNT).fetchall()
            (rows,) = connection.execute("select count(*) from consumption_hour").fetchall()
            if sum(account) >= sent and rows[0] >= hours:
                return
            time.sleep(0.2)
    pytest.fail(f"after five minutes {account} of {sent} readings and {rows[0]} of {hours} hours were there")


@pytest.mark.parametrize("part", ["six weeks of all", "fifteen months of some"])
def test_a_stream_of_real_registers_gives_what_a_backfill_gives(
    request: pytest.FixtureRequest, place: Place, tmp_path: Path, part: str
) -> None:
    """With the hour that the clocks gave twice; the second half comes first. All months of all take over a minute."""
    whole = registers(request)
    data = whole.between("2016-10-08", "2016-11-19") if part == "six weeks of all" else whole.sampled(12)
    ledger, readings = write_files(data, tmp_path)
    called("backfill", "--ledger", ledger, "--readings", *readings, "--out", tmp_path / "out")
    called("ledger", "load", ledger, "--zone", ZONE.key)
    assert f"ingest: sent={len(data.litres)} bad=0 unsent=0" in called("ingest", *readings)
    dsn = place.dsn
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
