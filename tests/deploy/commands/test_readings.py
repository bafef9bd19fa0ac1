"""`readings export`: what was stored comes out as it was sent, in a file that can be sent again."""

import csv
import gzip
import io
import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest
from click.testing import CliRunner, Result

from deploy.cli import cli
from ingest.readings import open_readings
from tests.streams.store.conftest import peopled

pytestmark = pytest.mark.integration

READINGS = """
insert into reading_hot (measured_at, received_at, value, register_id, quality, unit)
select t, t + interval '2 s', 1000.125 + extract(epoch from t - timestamptz '2026-11-20 16:00Z') / 900, r.id, 0,
       (select code from measure_unit where symbol = 'kWh')
from register r cross join generate_series(timestamptz '2026-11-20 16:00Z', '2026-11-21 15:45Z', '15 min') t
"""


def export(dsn: str, *words: object) -> Result:
    environment = {"METERWARDEN_DATABASE": dsn}
    return CliRunner().invoke(cli, ["readings", "export", *map(str, words)], env=environment, catch_exceptions=False)


@pytest.fixture(scope="module")
def filled(module_database: str) -> str:
    dsn = peopled(module_database)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(READINGS)
    return dsn


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


DAY = ("--from", "2026-11-21", "--to", "2026-11-22")


def test_a_day_of_a_unit_comes_out_in_local_time_as_the_meter_said_it(filled: str, tmp_path: Path) -> None:
    out = tmp_path / "day.csv"
    result = export(filled, "--unit", "U1", *DAY, "--out", out)
    assert result.exit_code == 0, result.output
    found = rows(out.read_text(encoding="utf-8"))
    assert result.output == f"{out}: {len(found)} readings\n"
    assert {row["unit_code"] for row in found} == {"U1"}
    first = min(found, key=lambda row: row["measured_at"])
    assert (first["measured_at"], first["value"], first["unit"]) == (
        "2026-11-21T00:00:00.000000+08:00",
        "1000.125",
        "kWh",
    )
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with psycopg.connect(filled) as connection:
        row = connection.execute(
            "select count(*) from reading where unit_code = 'U1' and day between '2026-11-20' and '2026-11-21'"
        ).fetchone()
    assert row is not None
    assert len(found) == row[0] > 0


def test_what_comes_out_can_be_read_as_a_file_of_readings(filled: str, tmp_path: Path) -> None:
    out = tmp_path / "day.csv.gz"
    assert export(filled, *DAY, "--out", out).exit_code == 0
    found = rows(gzip.decompress(out.read_bytes()).decode())
    opened = open_readings(out, latest_us=2_000_000_000_000_000)
    parts = list(opened.parts(zone=ZoneInfo("Asia/Shanghai"), received_at=0))
    assert not [fault for part in parts for fault in part.faults]
    assert sum(part.readings for part in parts) == len(found)


def test_meters_and_points_narrow_it_and_the_end_is_not_in_it(filled: str) -> None:
    one = rows(export(filled, "--meter", "M1", *DAY, "--out", "-").stdout)
    assert {row["meter_no"] for row in one} == {"M1"}
    assert all(datetime.fromisoformat(row["measured_at"]) < datetime(2026, 11, 21, 16, tzinfo=UTC) for row in one)
    assert rows(export(filled, "--point", "NOWHERE", *DAY, "--out", "-").stdout) == []


def test_a_wrong_span_or_name_is_refused(filled: str, tmp_path: Path) -> None:
    assert "must be after" in export(filled, "--from", "2026-11-22", "--to", "2026-11-21", "--out", "-").output
    assert "must end in .csv" in export(filled, *DAY, "--out", tmp_path / "day.xlsx").output


def test_meters_of_which_only_unknown_registers_came_are_named(filled: str) -> None:
    with psycopg.connect(filled, autocommit=True) as connection:
        meters = connection.execute(
            "select m.id, m.unit_id, m.meter_no from meter m join installation i on i.meter_id = m.id "
            "order by m.id limit 3"
        ).fetchall()
        for (meter, unit, _), names in zip(meters, (["foo", "power"], ["power"], ["foo"]), strict=True):
            for name in names:
                connection.execute(
                    "with r as (insert into register (unit_id, meter_id, name) values (%s, %s, %s) returning id) "
                    "insert into reading_hot (measured_at, received_at, value, register_id, quality, unit) "
                    "select now(), now(), 1, id, 0, (select code from measure_unit where symbol = 'kWh') from r",
                    (unit, meter, name),
                )
        connection.execute(
            "insert into consumption_hour (start, amount, point_id, unit_id, completeness, measured, quality) "
            "select date_trunc('hour', now()), 1, i.point_id, i.unit_id, 1, 1, 0 from installation i "
            "where i.meter_id = %s",
            (meters[2][0],),
        )
    words = ["readings", "strange", "--json"]
    told = CliRunner().invoke(cli, words, env={"METERWARDEN_DATABASE": filled}, catch_exceptions=False)
    lines = [json.loads(line) for line in told.output.splitlines()]
    assert [(line["meter_no"], line["registers"]) for line in lines] == [(meters[0][2], "foo")]
