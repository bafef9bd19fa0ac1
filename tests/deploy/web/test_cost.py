"""What energy cost by tariff period, from the facts that were entered to the page of who may see it."""

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

from dashboards.web.values import number
from tests.deploy.commands.test_compliance import GOLDEN, PLANT, called
from tests.deploy.web.office import Office

pytestmark = pytest.mark.integration
ZONE = ZoneInfo("Asia/Shanghai")
TODAY = datetime.now(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
FACTS = """name = "{name}"
[[tariff]]
unit_code = "{unit}"
carrier = "electricity"
from = "2026-01"
period = "峰时"
hours = ["08:00-11:00"]
price = 1.25
unit = "kWh"
currency = "元"
source = "合同"
[[tariff]]
unit_code = "{unit}"
carrier = "electricity"
from = "2026-01"
period = "其余"
hours = ["00:00-08:00", "11:00-23:00"]
price = 0.5
unit = "kWh"
currency = "元"
source = "合同"
"""
HOURS = """
with series as (
    insert into energy_series (unit_id, scope, name, sub_unit, carrier, unit)
    select id, 'unit', '', '', 'electricity', 'kWh' from unit where code = %(unit)s
    on conflict (unit_id, scope, sub_unit, name, carrier, unit) do update set unit = excluded.unit returning id, unit_id
)
insert into unit_energy_hour (start, amount, series_id, unit_id, completeness, measured, quality)
select t, 100 + extract(hour from t at time zone 'Asia/Shanghai'), id, unit_id, 1, 1, 0
from series, generate_series(%(first)s::timestamptz, %(last)s, interval '1 hour') t
"""


def test_what_was_used_is_priced_by_the_hour_of_the_local_day(plant: Office) -> None:
    chief, first = plant.browser("chief"), plant.browser("first")
    page = f"/unit/energy?unit={PLANT}&range=7d"
    assert "峰时" not in chief.get(page).text, "nothing was entered"
    begin, end = TODAY - timedelta(days=3), TODAY - timedelta(hours=1)
    with psycopg.connect(plant.dsn, autocommit=True) as connection:
        connection.execute(HOURS.encode(), {"unit": PLANT, "first": begin, "last": end})
    text = FACTS.format(unit=PLANT, name="电价")
    assert plant.act(chief, "/facts", "/facts", text=text).status_code == 303
    used = {hour: 3 * (100 + hour) for hour in range(24)}
    peak = sum(used[hour] for hour in range(8, 11))
    rest = sum(used[hour] for hour in range(23) if hour not in range(8, 11))
    for browser in (chief, first):
        shown = browser.get(page).text
        for amount in (peak, rest, used[23], 1.25 * peak, 0.5 * rest):
            assert f"{number(float(amount), 1)}<" in shown, amount
        share = 100 * 1.25 * peak / (1.25 * peak + 0.5 * rest)
        assert f"{number(share, 1)} %" in shown
        assert "未录入单价" in shown, "an hour without a price stands apart"
    other = plant.browser(plant.somebody("enterprise", _other(plant)))
    assert "峰时" not in other.get("/unit/energy").text


def test_prices_may_be_entered_before_the_ledger_has_their_unit(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        found = "select unit_id is not null, count(*) from tariff group by 1"
        assert called_with(database, FACTS.format(unit=PLANT, name="电价"))
        assert connection.execute(found.encode()).fetchall() == [(False, 2)]
        assert called("ledger", "load", GOLDEN / "ledger_plant.csv", dsn=database).exit_code == 0
        assert connection.execute(found.encode()).fetchall() == [(True, 2)]
        later = FACTS.format(unit=PLANT, name="电价").replace("1.25", "1.5").replace("2026-01", "2026-02")
        assert called_with(database, later)
        rows = connection.execute(b"select since::text, period, price from tariff_list order by 1, 3").fetchall()
        first, second = ("2026-01-01", "其余", 0.5), ("2026-02-01", "其余", 0.5)
        assert rows == [first, ("2026-01-01", "峰时", 1.25), second, ("2026-02-01", "峰时", 1.5)]


def called_with(dsn: str, text: str) -> bool:
    """Load facts; whether they are in force."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "facts.toml"
        file.write_text(text, encoding="utf-8")
        result = called("standard", "load", file, dsn=dsn)
    assert result.exit_code == 0, result.output
    return "loaded as number" in result.output


def _other(office: Office) -> str:
    office.rows(
        "insert into unit (code, name, version) select 'OTHER', 'Other', max(version) from unit"
        " on conflict do nothing returning id"
    )
    return "OTHER"
