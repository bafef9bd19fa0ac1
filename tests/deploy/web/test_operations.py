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


UPLOADED = """
insert into official_upload (unit_code, platform, first_at, tried_at, done_at, refused, waiting, answer)
select unit, 'platform.example', now() - first, now(), now() - done, refused, waiting, answer
from (values ('U1', interval '9 days', interval '3 days', 7, 0, 'responseCode 1: 数据超限'),
             ('U2', '9 days', '0 days', 0, 0, ''), ('U3', '3 days', null, 0, 5, 'no answer'),
             ('U4', '1 day', null, 0, 5, 'no answer')) t (unit, first, done, refused, waiting, answer)
"""


def test_an_upload_that_is_refused_or_late_stands_out(office: Office) -> None:
    night = office.browser("night")
    assert "向官方平台上传" not in night.get("/operations").text
    with psycopg.connect(office.dsn, autocommit=True) as connection:
        connection.execute(UPLOADED.encode())
        try:
            text = night.get("/operations").text
            day = office.browser("li.na").get("/today").text
        finally:
            connection.execute("delete from official_upload")
    rows = [row.split("</tr>", 1)[0] for row in text.split("向官方平台上传</h2>", 1)[1].split("<tr>")[2:6]]
    for row, said in zip(rows, ("有数据被拒", "正常", "两日未全部确认", "正常"), strict=True):
        assert said in row
    assert "数据超限" in rows[0]
    assert 'class="bad' not in rows[1]
    late = [row.split("</tr>", 1)[0] for row in day.split("迟到或被拒的官方平台上传</h2>", 1)[1].split("<tr>")[2:]]
    assert ["有数据被拒" in late[0], "两日未全部确认" in late[1]] == [True, True]
    assert "迟到或被拒" not in office.browser("li.na").get("/today").text


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
