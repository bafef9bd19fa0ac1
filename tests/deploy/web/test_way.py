"""An alert on the pages from its message to the closed case, on an alert that was really raised."""

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from deploy.roles import service_address
from deploy.web import PagesConfig, create_pages
from ingest.http import Attempts
from tests.deploy.web.office import HOST, Office, enter
from tests.streams.alerts.place import detect, raised, settled

pytestmark = pytest.mark.integration
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture
def office(module_database: str) -> Iterator[Office]:
    dsn = settled(module_database)
    detect(dsn, 1)
    raised(dsn)
    enter(dsn, {"chief": ("staff", ""), "li.na": ("inspector", ""), "first": ("enterprise", "U1")})
    app = create_pages(
        PagesConfig(dsn=service_address(dsn, "api", secret="of these tests")), attempts=Attempts(burst=1000)
    )
    with TestClient(app, base_url=HOST, follow_redirects=False) as door:
        yield Office(dsn, app.app, door)  # type: ignore[arg-type]  # a FastAPI inside its guard


def test_from_the_alert_to_the_closed_case(office: Office) -> None:
    inspector, chief, first = (office.browser(login) for login in ("li.na", "chief", "first"))
    [(alert,)] = office.rows("select id from alert")
    at = f"/alerts/{alert}"
    assert "确认" in inspector.get(at).text
    assert office.act(inspector, at, f"{at}/acknowledge", note="我去看").status_code == 303
    assert office.rows("select state from alert where id = %s", alert) == [("acknowledged",)]
    answer = office.act(inspector, at, f"{at}/verdict", verdict="faulty", note="计度器卡死", shared="yes")
    case = answer.headers["location"]
    assert re.fullmatch(r"/cases/\d+", case)
    assert office.act(inspector, case, f"{case}/files", files={"file": ("现场.png", PNG)}).status_code == 303
    refused = office.act(inspector, case, f"{case}/files", files={"file": ("virus.exe", b"MZ")})
    assert refused.status_code == 409
    assert office.act(chief, case, f"{case}/order", days="20").status_code == 303
    page = first.get(case).text
    assert "计度器卡死" in page, "a note that is shared"
    assert "我去看" not in first.get(at).text, "and one that is not"
    assert "现场.png" not in page
    assert office.act(first, case, f"{case}/corrected", note="已换表").status_code == 303
    assert office.act(first, case, f"{case}/pass").status_code == 403, "an enterprise does not check itself"
    assert office.act(inspector, case, f"{case}/pass", energy_recovered="120.5").status_code == 303
    identity = int(case.rpartition("/")[2])
    assert office.rows("select state, energy_recovered from case_file where id = %s", identity) == [("closed", 120.5)]
    assert office.rows("select verdict, found_by from meter_verdict") == [("faulty", "Li.Na")], (
        "it goes back to meter health"
    )
