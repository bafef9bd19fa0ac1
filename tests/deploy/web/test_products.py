"""Energy for each unit of product on its page: what the report of the month says, without judging the unit."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from dashboards.reports.gathering import unit_products, unit_report
from dashboards.web.values import cell
from streams.store.postgres.connections import Connections
from tests.deploy.commands.test_compliance import PLANT, called
from tests.deploy.web.office import Office

pytestmark = pytest.mark.integration
ZONE = ZoneInfo("Asia/Shanghai")
DAY = datetime.now(ZONE).date().replace(day=1) - timedelta(days=1)
MONTH = f"{DAY:%Y-%m}"
FACTS = f"""
name = "产量"
[[output]]
unit_code = "{PLANT}"
product = "乙烯"
month = "{MONTH}"
amount = 1250
unit = "t"
source = "生产月报"
[[output]]
unit_code = "{PLANT}"
product = "丙烯"
month = "{MONTH}"
amount = 300
unit = "t"
source = "生产月报"
[[assignment]]
unit_code = "{PLANT}"
product = "乙烯"
from = "{MONTH}"
sub_units = ["一车间"]
points = ["P-E3"]
share = 50
source = "分摊方案"
[[assignment]]
unit_code = "{PLANT}"
product = "丙烯"
from = "{MONTH}"
share = 50
source = "分摊方案"
"""
SERIES = """
with unit_ as (select id from unit where code = %(unit)s), series as (
    insert into energy_series (unit_id, scope, name, sub_unit, carrier, unit)
    select id, 'unit', '', '', 'electricity', 'kWh' from unit_
    union all select id, 'sub_unit', '一车间', '', 'electricity', 'kWh' from unit_
    on conflict do nothing returning id, unit_id, scope
)
insert into unit_energy_day (day, amount, tce, series_id, unit_id, completeness, measured, quality)
select d::date, case scope when 'unit' then 9000 else 2000 end, null, id, unit_id, 1, 1, 0
from series, generate_series(date_trunc('month', %(day)s::date), %(day)s::date, interval '1 day') d;
"""
POINTS = """
insert into consumption_day (day, amount, point_id, unit_id, completeness, measured, quality)
select d::date, 700, p.id, p.unit_id, 1, 1, 0
from metering_point p join unit u on u.id = p.unit_id and u.code = %(unit)s,
     generate_series(date_trunc('month', %(day)s::date), %(day)s::date, interval '1 day') d
where p.code = 'P-E3'
"""


@pytest.fixture(scope="module")
def making(plant: Office, tmp_path_factory: pytest.TempPathFactory) -> Office:
    """The plant makes two products out of metered electricity."""
    facts = tmp_path_factory.mktemp("facts") / "facts.toml"
    facts.write_text(FACTS, encoding="utf-8")
    loaded = called("standard", "load", facts, dsn=plant.dsn)
    assert loaded.exit_code == 0, loaded.output
    with psycopg.connect(plant.dsn, autocommit=True) as connection:
        for statement in (SERIES, POINTS):
            connection.execute(statement.encode(), {"unit": PLANT, "day": DAY})
    return plant


def test_the_page_has_what_the_report_has(making: Office) -> None:
    report = unit_report(making.dsn, PLANT, MONTH, ZONE)
    assert len(report.products) == 2
    assert all(one.per_unit is not None and one.per_unit > 0 for one in report.products)

    async def asked() -> Any:
        connections = Connections(making.dsn, size=1)
        try:
            async with connections.connection() as connection:
                return await unit_products(connection, PLANT, MONTH, datetime.now(ZONE).date())
        finally:
            await connections.close()

    assert list(asyncio.run(asked())) == list(report.products)
    for login in ("chief", "first"):
        page = making.browser(login).get("/unit/products", params={"unit": PLANT, "month": MONTH})
        assert page.status_code == 200, page.text
        for one in report.products:
            assert one.per_unit is not None
            shown = cell("intensity", 1000 * one.per_unit, language="zh", zone=ZONE).text
            assert one.product in page.text
            assert shown in page.text, shown


def test_another_unit_s_products_are_not_shown(making: Office) -> None:
    foreign = making.browser(making.somebody("enterprise", _other(making)))
    answer = foreign.get("/unit/products", params={"unit": PLANT, "month": MONTH})
    assert (answer.status_code, "乙烯" in answer.text) == (404, False)


def _other(office: Office) -> str:
    """A unit beside the plant, with nothing in it."""
    office.rows(
        "insert into unit (code, name, version) select 'OTHER', 'Other', max(version) from unit"
        " on conflict do nothing returning id"
    )
    return "OTHER"
