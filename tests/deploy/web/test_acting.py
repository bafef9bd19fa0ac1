"""What is done on pages: an alert to the closed case, people entered, and who may not."""

import re

import pytest

from tests.deploy.web.office import PASSWORD, Office

pytestmark = pytest.mark.integration
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


def test_from_the_alert_to_the_closed_case(office: Office) -> None:
    inspector, chief, first = (office.browser(login) for login in ("li.na", "chief", "first"))
    [(alert,)] = office.rows("select id from alert where unit_id = 1 and kind = 'scale'")
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
    [(verdict,)] = office.rows(
        "select v.verdict from meter_verdict v join alert_source s on s.source_id = v.detection_id"
        " where s.alert_id = %s",
        alert,
    ) or [("no source in this world",)]
    assert verdict in {"faulty", "no source in this world"}


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
    office.rows("update sign_in.account set administrator = false returning person_id")
    chief = office.browser("chief")
    assert chief.get("/people").status_code == 403
    assert office.act(chief, "/account", "/people", login="x", name="x", role="staff").status_code == 403
    office.rows(
        "update sign_in.account set administrator = true"
        " where person_id = (select id from person where login = 'chief') returning person_id"
    )
