"""What is done at a point: notes and who reads them, a word on a difference, a replacement up to the loaded ledger."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.deploy.commands.test_compliance import PLANT
from tests.deploy.web.office import Office

pytestmark = pytest.mark.integration
AT = f"/point/work?unit={PLANT}&point=P-E0"
OF = {"unit": PLANT, "point": "P-E0"}


def test_a_note_is_read_by_whom_it_is_for(plant: Office) -> None:
    inspector, first = plant.browser("li.na"), plant.browser("first")
    assert plant.act(inspector, AT, "/point/note", **OF, note="铅封可疑").status_code == 303
    assert plant.act(inspector, AT, "/point/note", **OF, note="请配合检查", shared="yes").status_code == 303
    assert plant.act(first, AT, "/point/note", **OF, note="已安排").status_code == 303
    ours, theirs = inspector.get(AT).text, first.get(AT).text
    assert all(note in ours for note in ("铅封可疑", "请配合检查", "已安排"))
    assert [note in theirs for note in ("铅封可疑", "请配合检查", "已安排")] == [False, True, True]
    assert plant.act(first, AT, "/point/note", unit=PLANT, point="nowhere", note="x").status_code == 404


def test_a_replacement_is_looked_at_submitted_and_loaded(plant: Office) -> None:
    chief, first = plant.browser("chief"), plant.browser("first")
    given = {"at": "2026-03-01T10:00", "last_reading": "7001.5", "first_reading": "2", "meter_no": "M-E0N"}
    answer = plant.act(first, AT, "/point/replacement", **OF, **given, serial_no="SN-9")
    ledger = answer.headers["location"]
    assert re.fullmatch(r"/ledger/\d+", ledger), answer.text
    page = first.get(ledger).text
    assert "M-E0N" in page
    assert "没有错误" in page
    assert plant.act(first, ledger, f"{ledger}/submit").status_code == 303
    version = re.search(r'name="version" value="(\d+)"', chief.get(ledger).text)
    assert version is not None, "the staff may load it"
    assert plant.act(chief, ledger, f"{ledger}/load", version=version[1]).status_code == 303
    found = plant.rows(
        "select m.meter_no, i.installed_from at time zone 'Asia/Shanghai', i.first_reading, i.last_reading"
        " from installation i join meter m on m.id = i.meter_id join metering_point p on p.id = i.point_id"
        " where p.code = 'P-E0' and i.unit_id = (select id from unit where code = %s) order by i.installed_from",
        PLANT,
    )
    assert [(row[0], row[3]) for row in found] == [("M-E0", 7001.5), ("M-E0N", None)]
    assert (found[1][1], found[1][2]) == (datetime(2026, 3, 1, 10, 0), 2.0)  # noqa: DTZ001 - local, as it was asked
    wrong = plant.act(first, AT, "/point/replacement", **OF, **given | {"at": "2099-01-01T00:00"})
    assert (wrong.status_code, "must have been" in wrong.text) == (409, True)
    assert plant.act(plant.browser("li.na"), AT, "/point/replacement", **OF, **given).status_code == 403


def test_a_word_on_a_difference_goes_into_the_ledger(plant: Office) -> None:
    chief = plant.browser("chief")
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    plant.rows(
        "insert into detection (unit_id, point_id, meter_id, kind, started_at, detected_at, evidence)"
        ' select p.unit_id, p.id, m.id, \'jump\', %s, %s, \'{"before": 10, "at": 100, "unexplained": 90000}\''
        " from metering_point p join meter m on m.unit_id = p.unit_id and m.meter_no = 'M-S1' where p.code = 'P-S1'"
        " returning id",
        at,
        at,
    )
    here, of = f"/point/work?unit={PLANT}&point=P-S1", {"unit": PLANT, "point": "P-S1"}
    [which] = re.findall(r'name="which" value="([^"]+)"', chief.get(here).text)
    assert "must be one of count, leave, undo" in plant.act(chief, here, "/point/difference", **of, which=which).text
    facts = {**of, "which": which, "word": "count", "note": "换班漏抄"}
    stranger = plant.act(chief, here, "/point/difference", **{**facts, "point": "P-E0"})
    assert stranger.status_code == 404, "a meter of another point"
    answer = plant.act(chief, here, "/point/difference", **facts)
    assert answer.status_code == 303, answer.text
    [(source, by)] = plant.rows("select source, loaded_by from ledger_version where starts_with(source, 'difference')")
    assert ("counted by chief: 换班漏抄" in source, by) == (True, "chief")
    again = plant.act(chief, here, "/point/difference", **facts)
    assert again.status_code == 409, "decided once"
    page = chief.get(here).text
    assert page.count("换班漏抄") == 1, "what was decided is there, with who and why"
    back = {**of, "which": which, "word": "undo", "note": "抄表记录已补"}
    assert plant.act(plant.browser("li.na"), here, "/point/difference", **back).status_code == 403
    assert "换班漏抄" not in plant.browser("first").get(here).text, "what the authority says among itself"
    assert plant.act(chief, here, "/point/difference", **back).status_code == 303
    versions = plant.rows("select source from ledger_version where starts_with(source, 'difference') order by id")
    assert [row[0].rpartition(" chief: ")[2] for row in versions] == ["换班漏抄", "抄表记录已补"]
    page = chief.get(here).text
    assert "已撤回" in page
    assert 'value="undo"' not in page, "nothing is left to take back"
    assert plant.act(chief, here, "/point/difference", **back).status_code == 409
