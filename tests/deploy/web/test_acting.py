"""What is done on pages: steps that lack something, people entered, and who may not."""

import re
from collections.abc import Iterator

import psycopg
import pytest
from fastapi.testclient import TestClient

from deploy.api import ApiConfig, create_api
from deploy.web import PagesConfig, create_pages
from deploy.web.asking import Remembered
from ingest.http import Attempts
from streams.alerts.people import new_token, person_of
from tests.deploy.web.office import HOST, PASSWORD, Office, inside

pytestmark = pytest.mark.integration
_FINDING = """
insert into finding (unit_id, edition, clause, mandatory, level, carrier, required, found, required_zh, found_zh,
                     verdict, severity, next_step_zh, next_step_en, as_of, opened_at, rule)
values (%s, 'GB 17167-2006', '4.3.8', true, 'unit', 'electricity', 'class 0.5 or better', 'class 1', '不低于 0.5 级',
        '1 级', 'fail', 'serious', '更换器具。', 'Replace it.', '2026-11-01', '2026-11-01+00', 'accuracy') returning id
"""
_REGISTERS = """
insert into register (unit_id, meter_id, name) values (1, %s, 'Zaehlerstand'), (1, %s, 'power') returning id
"""
_READINGS = """
insert into reading_hot (measured_at, received_at, value, register_id, quality, unit)
select now() - interval '1 hour', now(), 1.0, r, 0, (select min(code) from measure_unit) from unnest(%s::int4[]) r
"""
_RESTS_ON = """
insert into alert_source (source, source_id, alert_id, unit_id, standing, started_at)
values ('finding', %s, %s, %s, true, '2026-11-01+00') returning 1
"""


def test_a_step_that_lacks_something_says_what(office: Office) -> None:
    inspector = office.browser("li.na")
    [(alert,)] = office.rows("select id from alert where unit_id = 1 and kind = 'silence'")
    at = f"/alerts/{alert}"
    case = office.act(inspector, at, f"{at}/case").headers["location"]
    assert office.act(inspector, at, f"{at}/case").headers["location"] == case, "one case an alert"
    answer = office.act(inspector, case, f"{case}/verdict", found_on="yesterday", verdict="faulty")
    assert answer.status_code == 409
    assert "a day must be YYYY-MM-DD" in answer.text
    answer = office.act(inspector, case, f"{case}/pass")
    assert (answer.status_code, "must be given one of" in answer.text) == (409, True)
    assert office.act(inspector, case, f"{case}/open").status_code == 404
    assert office.act(inspector, case, f"{case}/dispatch", assignee="first").status_code == 409, "not an inspector"


def test_an_alert_shows_what_it_rests_on_to_who_may_see_it(office: Office) -> None:
    [(alert, unit)] = office.rows("select id, unit_id from alert where unit_id = 1 and kind = 'silence'")
    [(finding,)] = office.rows(_FINDING, unit)
    office.rows(_RESTS_ON, finding, alert, unit)
    try:
        told = "GB 17167-2006 4.3.8；要求：不低于 0.5 级；实际：1 级"
        for login in ("li.na", "first"):
            browser = office.browser(login)
            browser.post("/language", data={"language": "zh"})
            page = browser.get(f"/alerts/{alert}").text
            assert told in page, login
            assert "更换器具。" in page
            assert "建议：" in page
        assert office.browser("second").get(f"/alerts/{alert}").status_code == 404
    finally:
        office.rows("delete from alert_source where source = 'finding' and source_id = %s returning 1", finding)
        office.rows("delete from finding where id = %s returning 1", finding)


@pytest.fixture
def uncounted(office: Office) -> Iterator[str]:
    """Number of a meter of U1 that sent an energy under an unknown name and its power, and nothing else."""
    with psycopg.connect(office.dsn, autocommit=True) as connection:
        row = connection.execute(
            "select i.point_id, i.meter_id, m.meter_no from installation i join meter m on m.id = i.meter_id "
            "where i.unit_id = 1 order by i.point_id limit 1"
        ).fetchone()
        assert row is not None
        point, meter, number = row
        connection.execute("create table kept_days as select * from consumption_day where point_id = %s", (point,))
        connection.execute("delete from consumption_day where point_id = %s", (point,))
        made = connection.execute(_REGISTERS, (meter, meter)).fetchall()
        connection.execute(_READINGS, ([one for (one,) in made],))
        office.app.state.remembered = Remembered()  # of half a minute ago
        yield number
        office.app.state.remembered = Remembered()
        connection.execute("delete from reading_hot where register_id = any(%s)", ([one for (one,) in made],))
        connection.execute("delete from register where id = any(%s)", ([one for (one,) in made],))
        connection.execute("insert into consumption_day select * from kept_days")
        connection.execute("drop table kept_days")


def test_a_meter_of_which_only_unknown_registers_came_is_named(office: Office, uncounted: str) -> None:
    staff, own, other = (office.browser(login) for login in ("chief", "first", "second"))
    for browser, page in ((staff, "/units"), (staff, "/unit/meters?unit=U1"), (own, "/unit/meters")):
        browser.post("/language", data={"language": "en"})
        shown = browser.get(page).text
        assert "nothing is counted" in shown, page
        assert "Zaehlerstand" in shown
        assert "Zaehlerstand, power" not in shown, "which is known, and no energy"
        assert uncounted in shown
    assert "Zaehlerstand" not in other.get("/unit/meters").text


def test_an_administrator_enters_people_and_ends_them(office: Office) -> None:
    chief = office.browser("chief")
    facts = {"login": "wu.wei", "name": "吴伟", "role": "enterprise", "unit": "U1", "language": "zh"}
    page = office.act(chief, "/people", "/people", **facts).text
    [link] = re.findall(r"http://testserver(/invitation/[\w-]+)", page)
    browser = office.browser()
    assert browser.post(link, data={"password": PASSWORD, "again": PASSWORD}).status_code == 303
    assert browser.get("/unit").status_code == 200
    assert "wu.wei" in chief.get("/people").text
    assert office.act(chief, "/people", "/people/wu.wei/end").status_code == 303
    assert browser.get("/unit").status_code == 303
    assert office.act(chief, "/people", "/people/chief/end").status_code == 404, "nobody locks themselves out"
    wrong = office.act(chief, "/people", "/people", login="x", name="x", role="enterprise", unit="nowhere")
    assert wrong.status_code == 404


def test_staff_that_is_no_administrator_enters_nobody(office: Office) -> None:
    staff = office.browser(office.somebody("staff"))
    assert staff.get("/people").status_code == 403
    assert office.act(staff, "/account", "/people", login="x", name="x", role="staff").status_code == 403
    assert office.rows("select from person where login = 'x'") == []


def test_an_operator_is_no_authority_by_a_token_either(office: Office) -> None:
    async def work(connection: psycopg.AsyncConnection) -> str:
        return await new_token(connection, (await person_of(connection, login="night")).id)

    headers = {"Authorization": f"Bearer {inside(office.dsn, work)}"}
    with TestClient(create_api(ApiConfig(dsn=office.dsn, secret=lambda: b"s" * 32))) as client:
        assert client.get("/alerts", headers=headers).status_code == 403
        assert client.get("/cases", headers=headers).status_code == 403


def test_pages_that_write_and_ask_do_not_wait_for_each_other(office: Office) -> None:
    [(case,)] = office.rows("select min(id) from case_file where unit_id = 1")
    config = PagesConfig(dsn=office.app.state.config.dsn, connections=1)
    with TestClient(create_pages(config, attempts=Attempts(burst=1000)), base_url=HOST, follow_redirects=False) as door:
        assert door.post("/sign-in", data={"login": "chief", "password": PASSWORD}).status_code == 303
        assert door.get(f"/cases/{case}").status_code == 200, "it holds one connection, and asks by another"
