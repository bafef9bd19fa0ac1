"""Certificates on pages: entered with the scan, there once, read by whose they are, taken back by who entered them."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.deploy.web.office import Office

pytestmark = pytest.mark.integration
PDF = b"%PDF-1.7 a scan"
TODAY = datetime.now(UTC).date()
AT = "/unit/certificates"
ONE = {
    "unit": "U1",
    "meter_no": "M2",
    "kind": "verification",
    "number": "J-2026-7",
    "body": "市计量院",
    "verified_on": str(TODAY - timedelta(days=3)),
    "conclusion": "qualified",
    "due": str(TODAY + timedelta(days=700)),
}


def test_an_enterprise_enters_a_certificate_with_its_scan(office: Office) -> None:
    first, chief = office.browser("first"), office.browser("chief")
    answer = office.act(first, AT, AT, **ONE, files={"scan": ("证书.pdf", PDF)})
    assert (answer.status_code, answer.headers["location"]) == (303, "/unit/certificates?unit=U1&done=entered")
    [(identity, by)] = office.rows("select id, entered_by from certificate where number = 'J-2026-7'")
    assert by == "first"
    held = office.rows("select verification_due from verification where certificate_id = %s", identity)
    assert [str(row[0]) for row in held] == [ONE["due"]]
    page = first.get(AT).text
    assert "J-2026-7" in page
    scan = first.get(f"/certificates/{identity}/scan")
    assert (scan.content, scan.headers["content-type"]) == (PDF, "application/pdf")
    again = office.act(first, AT, AT, **ONE)
    assert again.headers["location"].endswith("done=there"), "entered once"
    assert office.act(office.browser("li.na"), "/account", AT, **ONE).status_code == 403, "an inspector enters none"
    assert office.act(first, AT, f"/certificates/{identity}/withdraw").status_code == 409, "not without a reason"
    assert office.act(first, AT, f"/certificates/{identity}/withdraw", note="录错").status_code == 303
    assert "J-2026-7" not in chief.get(f"{AT}?unit=U1").text
    assert office.rows("select withdrawn_by from certificate where id = %s", identity) == [("first",)]


def test_an_enterprise_takes_back_what_its_own_people_entered_alone(office: Office) -> None:
    chief, first = office.browser("chief"), office.browser("first")
    other = {"number": "J-9", "verified_on": str(TODAY - timedelta(days=40))}
    assert office.act(chief, f"{AT}?unit=U1", AT, **ONE | other).status_code == 303
    [(identity,)] = office.rows("select id from certificate where number = 'J-9'")
    assert office.act(first, AT, f"/certificates/{identity}/withdraw", note="x").status_code == 403
    later = office.act(first, AT, f"/certificates/{identity}/scan", files={"scan": ("a.pdf", PDF)})
    assert later.status_code == 303
    another = office.act(first, AT, f"/certificates/{identity}/scan", files={"scan": ("b.pdf", PDF + b"!")})
    assert another.status_code == 409, "a scan stays as it is"


@pytest.mark.parametrize("conclusion", ["qualified", "failed"])
def test_a_wrong_number_is_put_right_and_the_meter_keeps_its_term(office: Office, conclusion: str) -> None:
    chief = office.browser("chief")
    page, on = f"{AT}?unit=U1", str(TODAY - timedelta(days=60 if conclusion == "failed" else 50))
    query = "select id from certificate where number = %s and conclusion = %s"
    held = "select v.certificate_id, v.failed from verification v join meter m on m.id = v.meter_id"
    held += " where m.meter_no = 'M2' and v.verified_on = %s"
    ids = []
    for number in ("J-21", "J-12"):
        facts = ONE | {"number": number, "verified_on": on, "conclusion": conclusion}
        if conclusion == "failed":
            facts["due"] = ""
        assert office.act(chief, page, AT, **facts).status_code == 303
        ids += [row[0] for row in office.rows(query, number, conclusion)]
    wrong, right = ids
    assert office.rows(held, on) == [(wrong, conclusion == "failed")]
    assert office.act(chief, page, f"/certificates/{wrong}/withdraw", note="编号录错").status_code == 303
    assert office.rows(held, on) == [(right, conclusion == "failed")]
    assert office.act(chief, page, f"/certificates/{right}/withdraw", note="录错").status_code == 303
    assert office.rows(held, on) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"meter_no": "M99"}, "meter_no must be one of the ledger of U1"),
        ({"verified_on": str(TODAY + timedelta(days=9)), "due": ""}, "verified_on must not be later than today"),
        ({"due": ""}, "due must be given for a verification"),
        ({"due": "yesterday"}, "a day must be YYYY-MM-DD"),
        ({"kind": "guess"}, "kind and conclusion must be of"),
        ({"accuracy_class": "very good"}, "accuracy_class"),
    ],
)
def test_a_faulty_certificate_is_told_and_not_entered(office: Office, wrong: dict[str, str], said: str) -> None:
    answer = office.act(office.browser("first"), AT, AT, **ONE | {"number": "J-0"} | wrong)
    assert (answer.status_code, said in answer.text) == (409, True), answer.text
    assert office.rows("select from certificate where number = 'J-0'") == []


def test_a_scan_that_is_none_enters_nothing(office: Office) -> None:
    first = office.browser("first")
    answer = office.act(first, AT, AT, **ONE | {"number": "J-5"}, files={"scan": ("virus.exe", b"MZ")})
    assert answer.status_code == 409
    assert office.rows("select from certificate where number = 'J-5'") == []
