"""Readings in the browser: shown first, sent once, and an enterprise's own alone."""

from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from analytics.domain.ledger import build_ledger
from ingest.wire import READINGS_TOPIC
from streams.store.ledger import load_ledger
from tests.deploy.web.office import Office, inside
from tests.ledger_rows import columns_of, metered

pytestmark = pytest.mark.integration
HEAD = "unit_code,meter_no,measured_at,value,unit\n"
OWN = HEAD + "".join(f"U1,X1,2026-11-21T0{hour}:00:00+08:00,{100 + hour},kWh\n" for hour in range(8))


@pytest.fixture(scope="module", autouse=True)
def ledger(office: Office) -> None:
    """A meter of each unit that readings can be of."""
    rows = [metered("X", "X1", unit_code="U1"), metered("X", "SECRETB-X1", unit_code="SECRETB")]
    made, faults = build_ledger(columns_of(*rows))
    assert not faults
    report = inside(office.dsn, lambda connection: load_ledger(connection, made, "a test"))
    assert not report.faults


def file(text: str) -> dict[str, Any]:
    return {"file": ("读数.csv", text.encode())}


def sent(office: Office) -> int:
    """Messages on the topic."""
    config = office.app.state.config.kafka
    consumer = KafkaConsumer(**config.access.options())
    try:
        topic = config.topic(READINGS_TOPIC)
        places = [TopicPartition(topic, one) for one in consumer.partitions_for_topic(topic) or ()]
        return sum(consumer.end_offsets(places).values()) if places else 0
    finally:
        consumer.close()


def test_a_file_is_shown_first_and_sent_once(office: Office) -> None:
    first = office.browser("first")
    at = office.act(first, "/readings", "/readings", files=file(OWN)).headers["location"]
    page = first.get(at).text
    assert "8 条示值，其中 8 条可用" in page
    assert sent(office) == 0, "looking sends nothing"
    assert office.browser("second").get(at).status_code == 404
    assert office.act(first, at, f"{at}/send").status_code == 303
    assert sent(office) > 0
    assert office.rows("select readings, bad, sent_by from reading_file") == [(8, 0, "first")]
    messages = sent(office)
    assert office.act(first, "/readings", f"{at}/send").status_code == 409
    assert sent(office) == messages
    again = office.act(first, "/readings", "/readings", files=file(OWN)).headers["location"]
    assert "以前发送过" in first.get(again).text


def test_an_enterprise_sends_its_own_readings_alone(office: Office) -> None:
    first = office.browser("first")
    before = sent(office)
    foreign = HEAD + "SECRETB,SECRETB-X1,2026-11-21T08:15:00+08:00,7,kWh\n"
    for text in (foreign, OWN + foreign.splitlines()[1] + "\n", HEAD + ",SECRETB-X1,2026-11-21T08:15:00+08:00,7,kWh\n"):
        at = office.act(first, "/readings", "/readings", files=file(text)).headers["location"]
        page = first.get(at).text
        assert f'action="{at}/send"' not in page, text
        assert office.act(first, "/readings", f"{at}/send").status_code == 409
    assert sent(office) == before


def test_what_a_file_leaves_open_is_asked(office: Office) -> None:
    chief = office.browser("chief")
    open_dates = "表号,时间,示值,单位\n" + "".join(f"X1,0{day}/02/2026 08:00,{100 + day},kWh\n" for day in range(1, 9))
    at = office.act(chief, "/readings", "/readings", files=file(open_dates)).headers["location"]
    page = chief.get(at).text
    assert f'action="{at}/settle"' in page
    assert f'action="{at}/send"' not in page
    assert office.act(chief, at, f"{at}/settle", dates="day-first", unit_code="U1").status_code == 303
    assert "2026-02-01" in chief.get(at).text


def test_who_sends_nothing_is_refused(office: Office) -> None:
    assert office.browser("li.na").get("/readings").status_code == 403
    assert office.browser().post("/readings", files=file(OWN)).status_code == 401
