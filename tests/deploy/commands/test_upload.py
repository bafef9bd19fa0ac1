"""`meterwarden upload` from the hours in the database to a platform of our own; no real one was reachable."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.deploy.commands.test_compliance import called
from tests.ingest.upload.test_upload import CODE, UNIT, MockPlatform
from tests.streams.store.conftest import WORLD

pytestmark = pytest.mark.integration

ZONE = ZoneInfo("Asia/Shanghai")
HOURS = """
insert into consumption_hour (start, amount, point_id, unit_id, completeness, measured, revision, quality)
select h, 2, 1, 1, 1, 1, 0, 0
from generate_series(%s::timestamptz, %s::timestamptz - interval '1 hour', interval '1 hour') h
on conflict do nothing
"""


@pytest.fixture
def platform() -> Iterator[MockPlatform]:
    made = MockPlatform(newer=True)
    yield made
    made.close()


def noted(dsn: str) -> tuple[object, ...]:
    """What the page on operations finds."""
    with psycopg.connect(dsn) as connection:
        (row,) = connection.execute(
            "select unit_code, done_at is not null and done_at = tried_at, refused, waiting, corrected, answer"
            " from official_upload"
        ).fetchall()
    return tuple(row)


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZONE)


def test_hours_days_and_months_go_to_the_platform_and_what_comes_late_too(
    database: str, platform: MockPlatform, tmp_path: Path
) -> None:
    today = datetime.now(ZONE).date()
    this_month = today.replace(day=1)
    month = (this_month - timedelta(days=1)).replace(day=1)
    late = midnight(month + timedelta(days=9))
    days = (today - month).days

    def put(since: datetime, until: datetime) -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(HOURS, (since, until))

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(WORLD.encode())
        connection.execute("update unit set code = %s where id = 1", (UNIT,))
    put(midnight(month), late)
    put(late + timedelta(days=1), midnight(today))  # a day is missing: its gateway was off
    file = tmp_path / "upload.toml"
    file.write_text(
        f'[platform]\nprofile = "sm4"\nurl = "{platform.url}"\nregion = "530100"\nenterprise_code = "{UNIT}"\n'
        f'[[item]]\ncode = "{CODE}"\npoints = {{ P1 = 1 }}\nscope = 1\n',
        encoding="utf-8",
    )

    def run(*words: str) -> str:
        result = called("upload", "run", str(file), "--until", today.isoformat(), *words, dsn=database)
        assert result.exit_code == 0, result.output
        return result.output

    def sent(stat_type: str) -> dict[str, str]:
        return {start[:10]: value for (_, kind, start), value in platform.data.items() if kind == stat_type}

    told = run("--since", month.isoformat())
    assert re.search(rf"{CODE} days: {days - 1} of {days} \(.*, the first missing {late:%Y-%m-%d} 00:00", told)
    assert len(sent("1")) == days - 1
    assert f"{late:%Y-%m-%d}" not in sent("1"), "a gap is not 0"
    assert f"{month:%Y-%m-%d}" not in sent("2"), "nor is its month"
    run()
    put(late, late + timedelta(days=1))
    told = run()
    assert sent("1")[f"{late:%Y-%m-%d}"] == "48.00"
    assert sent("2")[f"{month:%Y-%m-%d}"] == f"{48 * (this_month - month).days}.00"
    assert "accepted=26" in told, "24 hours, their day and their month"
    assert "accepted=0 refused=0 waiting=0" in run()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("update consumption_hour set amount = 9 where start = %s", (late,))
    assert "corrected=3" in run()
    assert noted(database) == (UNIT, True, 0, 0, 3, "")
    shown = called("upload", "status", str(file), "--state", "corrected", dsn=database).output
    assert "55.00" in shown
    assert "48.00" in shown


def test_a_plan_tells_a_unit_that_is_not_in_the_ledger_and_claims_nothing_of_no_month(
    database: str, tmp_path: Path
) -> None:
    file = tmp_path / "upload.toml"
    file.write_text(
        f'[platform]\nprofile = "sm4"\nurl = "http://127.0.0.1:9"\nregion = "530100"\nenterprise_code = "{UNIT}"\n'
        f'[[item]]\ncode = "{CODE}"\npoints = {{ P1 = 1 }}\nscope = 1\n',
        encoding="utf-8",
    )
    words = ("upload", "plan", str(file), "--since", "2026-03-10", "--until", "2026-03-12")
    unknown = called(*words, dsn=database)
    assert unknown.exit_code == 2
    assert f"the ledger must have the unit (it has none with the code {UNIT})" in unknown.output
    assert "of 48" not in unknown.output
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(WORLD.encode())
        connection.execute("update unit set code = %s where id = 1", (UNIT,))
    known = called(*words, dsn=database)
    assert known.exit_code == 1
    assert "hours: 0 of 48 (0.0%)" in known.output
    assert "months: none is over in the span" in known.output
    file.write_text(file.read_text("utf-8").replace("{ P1 = 1 }", "{ P1 = 1, P7 = -1, P8 = 1 }"), "utf-8")
    strange = called(*words, dsn=database)
    assert strange.exit_code == 2
    assert f"the ledger must have the metering points that items name (unit {UNIT} has no P7, P8)" in strange.output
    assert "of 48" not in strange.output


def test_what_the_platform_refuses_is_shown_with_its_words(
    database: str, platform: MockPlatform, tmp_path: Path
) -> None:
    yesterday = midnight(datetime.now(ZONE).date() - timedelta(days=1))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(WORLD.encode())
        connection.execute("update unit set code = %s where id = 1", (UNIT,))
        connection.execute(HOURS, (yesterday, yesterday + timedelta(hours=2)))
    file = tmp_path / "upload.toml"
    file.write_text(
        f'[platform]\nprofile = "sm4"\nurl = "{platform.url}"\nregion = "530100"\nenterprise_code = "{UNIT}"\n'
        f'[[item]]\ncode = "{CODE}"\npoints = {{ P1 = 1 }}\nscope = 1\n',
        encoding="utf-8",
    )
    platform.refuses = lambda row: "数据超限" if str(row["statDate"]).endswith("01:00:00") else ""
    result = called("upload", "run", str(file), dsn=database)
    assert result.exit_code == 1
    assert "accepted=1 refused=1" in result.output
    assert "responseCode 1: 数据超限" in result.output
    assert noted(database) == (UNIT, False, 1, 0, 0, "responseCode 1: 数据超限")
    platform.fail = ["500"] * 9
    assert called("upload", "run", str(file), dsn=database).exit_code != 0
    unit, done, refused, *_, answer = noted(database)
    assert (unit, done, refused) == (UNIT, False, 1)
    assert "must answer with 200 (got 500)" in str(answer)
    shown = called("upload", "status", str(file), "--state", "refused", dsn=database).output
    assert f"{yesterday:%Y-%m-%d} 01:00:00" in shown
    assert "数据超限" in shown
