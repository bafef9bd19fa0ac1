"""A ledger in the browser: faults shown, the difference before anything is loaded, an enterprise's own approved."""

from pathlib import Path
from typing import Any

import pytest

from deploy.web import keeping
from ingest.ledgers.writing import write_ledger_template
from tests.deploy.web.office import Office

pytestmark = pytest.mark.integration
HEADER = (
    "unit_code,unit_name,point,level,sub_unit,carrier,meter_no,serial_no,name,measure_unit,multiplier,installed_from,"
    "accuracy_class,status"
)
SOUND = HEADER + "\nN1,新用能单位,P1,unit,,electricity,N1-1,SN1,电能表,kWh,{multiplier},2026-01-01,0.5S,qualified\n"


def file(text: str, name: str = "台账.csv") -> dict[str, Any]:
    return {"file": (name, text.encode())}


def test_what_is_wrong_is_shown_and_nothing_is_loaded(office: Office) -> None:
    chief = office.browser("chief")
    before = office.rows("select count(*) from ledger_version")
    bad = SOUND.format(multiplier="many")
    at = office.act(chief, "/ledger", "/ledger", files=file(bad)).headers["location"]
    page = chief.get(at).text
    assert "many" in page
    assert f'action="{at}/load"' not in page
    assert office.act(chief, at, f"{at}/load", version="1").status_code == 409
    assert office.rows("select count(*) from ledger_version") == before


def test_the_difference_is_shown_before_it_is_loaded(office: Office) -> None:
    chief = office.browser("chief")
    at = office.act(chief, "/ledger", "/ledger", files=file(SOUND.format(multiplier="1"))).headers["location"]
    page = chief.get(at).text
    assert "新增 1 条" in page
    assert office.rows("select 1 from unit where code = 'N1'") == [], "looking loads nothing"
    stale = office.act(chief, at, f"{at}/load", version="0")
    assert (stale.status_code, "look at the difference again" in stale.text) == (409, True)
    version = page.split('name="version" value="')[1].split('"', 1)[0]
    assert office.act(chief, at, f"{at}/load", version=version).status_code == 303
    assert office.rows("select name from unit where code = 'N1'") == [("新用能单位",)]
    assert office.act(chief, at, f"{at}/load", version=version).status_code == 409, "once"
    again = office.act(chief, "/ledger", "/ledger", files=file(SOUND.format(multiplier="40"))).headers["location"]
    assert "倍率" in chief.get(again).text, "a change of what is in force"
    assert "chief" in chief.get("/ledger").text
    month = office.rows("select to_char(now(), 'YYYY-MM')")[0][0]
    report = chief.get(f"/report.xlsx?unit=N1&month={month}")
    assert (report.status_code, report.content[:2]) == (200, b"PK")
    assert "新用能单位" in chief.get(f"/report.html?unit=N1&month={month}").text
    assert office.browser("first").get(f"/report.html?unit=N1&month={month}").status_code == 404


def test_a_list_without_levels_takes_the_one_that_is_chosen(office: Office) -> None:
    chief = office.browser("chief")
    rows = "计量点编号,能源种类,管理编号,器具名称,计量单位\nJD-01,电力,DB-001,三相电能表,kWh\n"
    known = {"unit_code": "N3", "unit_name": "无级别用能单位", "installed_from": "2025-12-01"}
    asked = office.act(chief, "/ledger", "/ledger", files=file(rows), **known).headers["location"]
    assert "计量级别" in chief.get(asked).text
    assert f'action="{asked}/load"' not in chief.get(asked).text
    chosen = office.act(chief, "/ledger", "/ledger", files=file(rows), level="unit", **known).headers["location"]
    assert f'action="{chosen}/load"' in chief.get(chosen).text
    wrong = office.act(chief, "/ledger", "/ledger", files=file(rows), level="attic", **known).headers["location"]
    assert "attic" in chief.get(wrong).text
    assert f'action="{wrong}/load"' not in chief.get(wrong).text


def test_an_enterprise_submits_and_the_staff_decides(office: Office) -> None:
    first, second, chief = (office.browser(login) for login in ("first", "second", "chief"))
    foreign = office.act(first, "/ledger", "/ledger", files=file(SOUND.format(multiplier="1"))).headers["location"]
    page = first.get(foreign).text
    assert "N1" in page
    assert f'action="{foreign}/submit"' not in page, "another unit's rows are not its to state"
    assert office.act(first, foreign, f"{foreign}/submit").status_code == 409
    own = HEADER + "\nU1,第1钢铁厂,P99,unit,,water,M99,S99,水表,m3,1,2026-01-01,2.5,qualified\n"
    at = office.act(first, "/ledger", "/ledger", files=file(own)).headers["location"]
    assert second.get(at).status_code == 404
    assert office.act(first, at, f"{at}/load", version="1").status_code == 403
    if f'action="{at}/submit"' in first.get(at).text:
        assert office.act(first, at, f"{at}/submit").status_code == 303
        assert "待审核" in chief.get("/ledger").text
    assert office.act(chief, at, f"{at}/refuse", note="请补充检定日期").status_code == 303
    assert "请补充检定日期" in first.get(at).text


def test_a_file_that_is_none_is_refused_with_the_reason(office: Office, tmp_path: Path) -> None:
    chief = office.browser("chief")
    broken = {"file": ("a.xlsx", b"PK\x03\x04 not a workbook")}
    at = office.act(chief, "/ledger", "/ledger", files=broken).headers["location"]
    assert "有误之处" in chief.get(at).text
    assert office.act(chief, at, f"{at}/load", version="1").status_code == 409
    form = tmp_path / "form.xlsx"
    write_ledger_template(form)
    empty = office.act(chief, "/ledger", "/ledger", files={"file": ("form.xlsx", form.read_bytes())})
    assert empty.status_code in {303, 409}
    assert chief.post("/ledger", files=file("x")).status_code == 403
    assert office.browser().post("/ledger", files=file("x")).status_code == 401, "before the body is read"
    assert office.act(office.browser("li.na"), "/account", "/ledger", files=file("x")).status_code == 403


def test_a_person_has_room_for_so_many_files(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    login = office.somebody("staff")
    browser = office.browser(login)
    kept = "select count(*) from sign_in.upload u join person p on p.id = u.person_id where p.login = %s"
    for _ in range(23):
        assert office.act(browser, "/ledger", "/ledger", files=file("x")).status_code == 303
    assert office.rows(kept, login) == [(20,)], "what nothing came of is forgotten"
    monkeypatch.setattr(keeping, "ROOM", 1000)
    full = office.act(browser, "/ledger", "/ledger", files=file("x" * 2000))
    assert (full.status_code, "1000" in full.text) == (409, True)
    assert office.act(browser, "/ledger", "/ledger", files=file("x" * 10)).status_code == 303
    office.rows(
        "update sign_in.upload u set decided_at = now(), decision = 'loaded', content = %s from person p"
        " where p.id = u.person_id and p.login = %s returning u.id",
        bytes(990),
        login,
    )
    assert office.act(browser, "/ledger", "/ledger", files=file("x" * 20)).status_code == 409, "what was loaded counts"
