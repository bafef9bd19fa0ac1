"""What an enterprise asks does not take longer for the meters of all others."""

from typing import Any

import psycopg
import pytest

from tests.dashboards.conftest import login

pytestmark = pytest.mark.integration
OTHERS = 20_000
MANY = """
insert into unit (code, name, version) select 'X' || n, 'others', 1 from generate_series(1, 200) n;
insert into metering_point (unit_id, code, parent_complete, level, carrier, direction, required, amount_unit)
select u.id, 'X' || n, false, 'equipment', 'electricity', 'in', true,
       (select code from measure_unit where symbol = 'kWh')
from unit u, generate_series(1, %(others)s / 200) n where u.code like 'X%%';
insert into meter (unit_id, meter_no, serial_no) select unit_id, code, '' from metering_point where code like 'X%%';
insert into register (unit_id, meter_id) select unit_id, id from meter where meter_no like 'X%%';
analyze unit, metering_point, meter, register;
"""
ASKED = {
    "point_hour": "select count(*) from point_hour where point_id = %(point)s and start > now() - interval '1 day'",
    "balance_list": "select count(*) from balance_list where point_id = %(point)s and start > now() - interval '1 day'",
    "reading": "select count(*) from readings(now() - interval '1 hour', now()) where register_id = %(point)s",
}


@pytest.fixture(scope="module")
def viewer(region: str) -> str:
    """The first unit's way in; two hundred others have twenty thousand meters after its own."""
    with psycopg.connect(region, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        for table in ("unit", "metering_point", "meter", "register"):  # the region gives ids by itself
            cursor.execute(f"select setval(pg_get_serial_sequence('{table}', 'id'), 10000)")
        cursor.execute(MANY, {"others": OTHERS})
    return login(region, 1)


@pytest.mark.parametrize("view", sorted(ASKED))
def test_own_keys_are_not_looked_for_among_those_of_others(viewer: str, view: str) -> None:
    with psycopg.connect(viewer) as connection, psycopg.ClientCursor(connection) as cursor:
        found = cursor.execute("explain (analyze, format json) " + ASKED[view], {"point": 1}).fetchone()
    assert found is not None
    looked_at = [node.get("Rows Removed by Filter", 0) for node in nodes(found[0][0]["Plan"])]
    assert max(looked_at) < OTHERS / 10, looked_at


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    below = plan.get("Plans", [])
    assert isinstance(below, list)
    return [plan, *(node for one in below for node in nodes(one))]
