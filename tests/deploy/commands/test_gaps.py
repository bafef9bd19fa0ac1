"""`gaps` and `self-check` as a person calls them."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from click.testing import Result

from tests.deploy.commands.test_compliance import called, today
from tests.streams.store.conftest import WORLD

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
SINCE, UNTIL = NOW - timedelta(days=2), NOW - timedelta(days=2) + timedelta(hours=3)
HOURS = """
insert into consumption_hour (start, amount, point_id, unit_id, completeness, measured, revision, quality)
select h, 7, 1, 1, 1, 1, 0, 0
from generate_series(%(now)s::timestamptz - interval '30 days', %(now)s::timestamptz, interval '1 hour') h
where h < %(since)s or h >= %(until)s
"""


def test_missing_hours_are_evaluated_beside_what_was_measured(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(WORLD.encode())
        connection.execute(HOURS, {"now": NOW, "since": SINCE, "until": UNTIL})

    def gaps(*words: str) -> Result:
        return called("gaps", *words, dsn=database)

    def fill(since: datetime, until: datetime, *more: str) -> Result:
        span = ("--from", since.isoformat(), "--to", until.isoformat())
        return gaps("fill", "--unit", "U1", "--point", "P1", *span, "--by", "王工", *more)

    assert fill(SINCE, UNTIL, "--method", "like_days").output == "evaluation 1 of P1: 21, waits for approval\n"
    assert "must be evaluated once" in fill(SINCE, UNTIL, "--method", "like_days").output
    assert (
        "must have no evidence (1 of P1 have)"
        in fill(SINCE, UNTIL + timedelta(hours=1), "--method", "like_days").output
    )
    assert "hours at the most" in fill(SINCE, UNTIL, "--method", "neighbours").output
    assert "--amount is of" in fill(SINCE, UNTIL, "--method", "manual").output
    assert "--procedure and --reliability" in fill(SINCE, UNTIL, "--method", "manual", "--amount", "3").output
    assert "must wait for approval and be of somebody else" in gaps("approve", "1", "--by", "王工").output
    assert gaps("approve", "1", "--by", "李工").exit_code == 0
    assert "approved" in gaps("list", "--unit", "U1").output
    with psycopg.connect(database) as connection:
        row = connection.execute("select sum(amount) from consumption_hour where point_id = 1").fetchone()
        assert row is not None
        before = row[0]
        assert before == 7 * (30 * 24 + 1 - 3)  # as it was measured
    assert gaps("withdraw", "1", "--reason", "找到抄表记录", "--by", "李工").exit_code == 0
    assert gaps("list", "--unit", "U1").output == "none\n"
    assert "找到抄表记录" not in gaps("list").output
    kept = ("--amount", "20", "--procedure", "按比对表", "--reliability", "比对表检定有效")
    assert fill(SINCE, UNTIL, "--method", "check_meter", *kept).exit_code == 0


def test_a_self_check_begins_with_last_years_answers(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(WORLD.encode())

    def check(*words: str) -> Result:
        return called("self-check", *words, dsn=database)

    def answer(identity: int, item: int, result: str = "pass") -> None:
        words = (
            "review",
            "record",
            str(identity),
            "--item",
            str(item),
            "--result",
            result,
            "--remark",
            "看过",
            "--by",
            "王工",
        )
        assert called(*words, dsn=database).exit_code == 0

    year = today().year
    assert check("open", "--unit", "U1", "--year", str(year - 1), "--by", "王工").output.endswith(
        "0 answers are those of the last one\n"
    )
    assert "items must all be recorded" in check("sign", "1", "--by", "王总").output
    with psycopg.connect(database) as connection:
        connection.execute(
            "insert into review_item (review_id, unit_id, item, result, remark, recorded_by) "
            "select 1, 1, i, 'pass', '看过', '王工' from generate_series(1, 52) i"
        )
    answer(1, 7, "fail")
    assert "basically meets, to be corrected, 1 do not conform" in check("sign", "1", "--by", "王总").output
    assert "U1" in check("due", "--year", str(year)).output
    opened = check("open", "--unit", "U1", "--by", "王工")
    assert opened.output == f"self-check 2 of {year}: 52 answers are those of the last one\n"
    with psycopg.connect(database) as connection:
        row = connection.execute("select result, remark from review_item where review_id = 2 and item = 7").fetchone()
    assert row == ("fail", f"（沿用 {year - 1} 年）看过")
    assert "must be the authority's" in called("review", "conclude", "2", "--by", "李", dsn=database).output
    answer(2, 7)
    assert check("sign", "2", "--by", "王总").exit_code == 0
    assert "U1" not in check("due").output
    listed = called("standard", "list", dsn=database).output
    assert f"self-check U1 {year}" in listed  # what units are judged from has it, too
    assert "closed" in check("list", "--unit", "U1").output
    assert called("review", "list", dsn=database).output == "none\n"  # no review of the authority's
