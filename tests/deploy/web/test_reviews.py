"""Reviews and self-checks on pages: from the plan to the re-check, and who may fill in and sign what."""

import re
from datetime import datetime, timedelta
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook

from analytics.review.draw import drawn
from tests.deploy.commands.test_compliance import PLANT
from tests.deploy.web.office import Office

pytestmark = pytest.mark.integration
PNG = b"\x89PNG\r\n\x1a\n a photo"
TODAY = datetime.now(ZoneInfo("Asia/Shanghai")).date()


def answers(fails: int = 0) -> dict[str, str]:
    """Every item of the sheet, the first ones found wrong."""
    items = {f"item_{n}": "fail" if n <= fails else "pass" for n in range(1, 53)}
    return items | {f"remark_{n}": f"现场查看 {n}" for n in range(1, 53)}


def test_from_the_plan_to_the_re_check(plant: Office) -> None:
    chief, inspector, first = (plant.browser(login) for login in ("chief", "li.na", "first"))
    planned = plant.act(chief, "/reviews", "/reviews", unit=PLANT, year=str(TODAY.year))
    at = planned.headers["location"]
    assert re.fullmatch(r"/reviews/\d+", at)
    assert "under way" in plant.act(chief, "/reviews", "/reviews", unit=PLANT, year=str(TODAY.year)).text
    early = plant.act(inspector, at, f"{at}/items", item_1="pass")
    assert early.status_code == 409, "nothing is recorded before the team is named"
    visit = str(TODAY - timedelta(days=1))
    team = {"leader": "王审查员", "members": "李审查员、赵审查员", "visited_on": visit}
    assert plant.act(inspector, at, f"{at}/open", **team).status_code == 303
    assert plant.act(inspector, at, f"{at}/papers", **{"paper_B.1": "yes"}).status_code == 303
    assert "items must all be recorded" in plant.act(inspector, at, f"{at}/conclude").text
    assert plant.act(inspector, at, f"{at}/items", **answers(fails=2)).status_code == 303
    for _ in range(2):  # a phone that heard no answer sends it again
        photo = plant.act(inspector, at, f"{at}/photos", item="2", files={"photo": ("铅封.png", PNG)})
        assert photo.headers["location"] == f"{at}#item-2"
    [(kept,)] = plant.rows("select id from review_photo where review_id = %s", int(at.rpartition("/")[2]))
    assert inspector.get(f"{at}/photos/{kept}").content == PNG
    assert plant.act(inspector, at, f"{at}/photos", item="53", files={"photo": ("x.png", PNG)}).status_code == 409
    assert plant.act(inspector, at, f"{at}/items", item_3="maybe").status_code == 409
    alone = plant.act(
        inspector, at, f"{at}/items", item_4="pass", remark_4="现场查看 4", remark_5="", remark_3="无结论"
    )
    assert (alone.status_code, "(3: 无结论)" in alone.text) == (409, True), "shown again, since it is not kept"
    book = load_workbook(BytesIO(inspector.get(f"{at}/sheet.xlsx").content))
    assert "现场查看 2" in {cell.value for row in book["现场审查表"].iter_rows() for cell in row}
    assert "现场查看 2" in inspector.get(at).text
    page = first.get(at).text
    assert "现场查看 2" not in page, "the enterprise reads nothing of it before the conclusion"
    assert first.get(f"{at}/photos/{kept}").status_code == 403
    assert first.get(f"{at}/visit").status_code == 403
    assert plant.act(inspector, at, f"{at}/conclude").status_code == 303
    found = plant.rows("select state, failed from review where id = %s", int(at.rpartition("/")[2]))
    assert found == [("correcting", 2)]
    page = first.get(at).text
    assert "现场查看 2" in page
    assert "现场查看 3" not in page
    assert plant.act(first, at, f"{at}/recheck", result="passed").status_code == 403
    assert plant.act(first, at, f"{at}/corrected", note="已整改").status_code == 303
    assert plant.act(inspector, at, f"{at}/recheck", result="perhaps").status_code == 409
    assert plant.act(inspector, at, f"{at}/recheck", result="failed").status_code == 303
    assert plant.act(inspector, at, f"{at}/hand_over").status_code == 409, "not without a reason"
    assert inspector.get(f"{at}/hand-over.docx").status_code == 404
    assert plant.act(inspector, at, f"{at}/hand_over", note="逾期未改正").status_code == 303
    assert inspector.get(f"{at}/hand-over.docx").content.startswith(b"PK")
    assert first.get(f"{at}/hand-over.docx").status_code == 403


def test_units_are_drawn_by_lot_and_the_year_is_summed_up(plant: Office) -> None:
    chief, inspector, first = (plant.browser(login) for login in ("chief", "li.na", "first"))
    given = {"year": "2034", "count": "1", "seed": "2034-01-05 公开摇号 17", "reason": "双随机"}
    assert plant.act(inspector, "/account", "/reviews/draw", **given).status_code == 403
    for wrong in ({"count": "0"}, {"count": "x"}, {"year": "34"}, {"count": "99999"}, {"grade": "no such"}):
        assert plant.act(chief, "/reviews", "/reviews/draw", **given | wrong).status_code == 409, wrong
    assert plant.rows("select from review where year = 2034") == []
    at = plant.act(chief, "/reviews", "/reviews/draw", **given).headers["location"]
    [(code, origin)] = plant.rows(
        "select u.code, r.origin from review r join unit u on u.id = r.unit_id where r.year = 2034"
    )
    assert origin == "draw"
    pool = [row[0] for row in plant.rows("select code from unit")]
    assert (code,) == drawn(pool, 1, given["seed"]), "anybody can repeat it"
    page = inspector.get(at).text
    assert "按种子复核，结果一致。" in page
    assert all(text in page for text in (code, given["seed"], "双随机"))
    assert at in inspector.get("/reviews").text
    assert inspector.get("/reviews/draws/999").status_code == 404
    book = load_workbook(BytesIO(inspector.get("/reviews/year.xlsx?year=2034").content))
    figures = {row[0].value: row[1].value for row in book["年度汇总"].iter_rows(max_col=2)}
    assert (figures["列入计划或抽中"], figures["其中随机抽查"]) == (1, 1)
    assert first.get("/reviews/year.xlsx?year=2034").status_code == 403
    assert first.get(at).status_code == 403


def test_an_enterprise_signs_its_own_self_check_and_begins_the_next_with_its_answers(plant: Office) -> None:
    first, inspector = plant.browser("first"), plant.browser("li.na")
    year = TODAY.year - 1
    at = plant.act(first, "/reviews", "/self-checks", year=str(year)).headers["location"]
    assert plant.act(inspector, at, f"{at}/items", **answers()).status_code == 403, "it is the enterprise's own"
    assert "items must all be recorded" in plant.act(first, at, f"{at}/sign").text
    assert plant.act(first, at, f"{at}/items", **answers(fails=1)).status_code == 303
    assert plant.act(inspector, "/account", f"{at}/sign").status_code == 403
    assert plant.act(first, at, f"{at}/sign").status_code == 303
    assert plant.act(first, "/account", f"{at}/items", item_1="pass").status_code == 409, "once signed it stays"
    again = plant.act(first, "/reviews", "/self-checks", year=str(TODAY.year)).headers["location"]
    assert f"（沿用 {year} 年）现场查看 1" in first.get(again).text
    assert "现场查看 1" in inspector.get(at).text
    [(number,)] = plant.rows("select count(*) from standard_document where source = 'self-check'")
    assert number == 1, "units are judged from it"


def test_the_page_of_a_visit_runs_its_own_scripts_alone(plant: Office) -> None:
    first = plant.browser("first")
    at = plant.act(first, "/reviews", "/self-checks", year=str(TODAY.year + 1)).headers["location"]
    answer = first.get(f"{at}/visit")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    [script] = re.findall(r'<script src="([^"]+)" defer></script>', answer.text)
    found = first.get(script)
    assert (found.status_code, found.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert "script-src" not in first.get(at).headers["content-security-policy"]
    assert "script-src 'self'" in first.get("/reviews/worker.js").headers["content-security-policy"]
