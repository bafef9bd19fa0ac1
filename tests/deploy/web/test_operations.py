"""The page on operations says how each gateway is."""

import psycopg
import pytest

from tests.deploy.web.office import Office

pytestmark = pytest.mark.integration

NOTED = """
insert into gateway_state (name, delivered_at, told_at, waiting_readings, waiting_bytes, max_bytes, oldest_at, fault)
values ('boiler-house', now() - interval '9 hours', now() - interval '8 hours', 4321, 30, 100,
        now() - interval '10 hours', 'Kafka: no broker'),
       ('press-shop', now(), now(), 0, 1, 100, null, '')
"""


def test_a_gateway_that_has_not_delivered_stands_out(office: Office) -> None:
    night = office.browser("night")
    with psycopg.connect(office.dsn, autocommit=True) as connection:
        connection.execute(NOTED)
        try:
            text = night.get("/operations").text
            day = office.browser("li.na").get("/today").text
            night.post("/language", data={"language": "en"})
            english = night.get("/operations").text
        finally:
            connection.execute("delete from gateway_state")
            night.post("/language", data={"language": "zh"})
    assert "boiler-house" not in night.get("/operations").text
    assert "boiler-house" in day
    assert "未正常送达的网关" in day
    assert "press-shop" not in day, "what is well is not to be looked at"
    assert "未正常送达的网关" not in office.browser("li.na").get("/today").text
    row = text.split("boiler-house", 1)[1].split("</tr>", 1)[0]
    for said in ("长时间无送达", "4,321", "10.0 小时", "30.0 %", "Kafka: no broker", 'class="bad'):
        assert said in row, said
    other = text.split("press-shop", 1)[1].split("</tr>", 1)[0]
    assert "正常" in other
    assert 'class="bad' not in other
    assert "NOTHING DELIVERED" in english
    assert "readings that wait" in english
