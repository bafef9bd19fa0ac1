"""Every page for every role: what it shows, in both languages, how often it asks, and nothing of another enterprise."""

import asyncio
import re
from collections import Counter
from html import unescape
from html.parser import HTMLParser

import html5lib
import httpx
import pytest

from dashboards.web.rendering import texts
from dashboards.web.words import PAGES
from deploy.web import units
from deploy.web.asking import Remembered
from tests.dashboards.test_isolation import SECRET
from tests.deploy.web.office import HOST, PEOPLE, Office

pytestmark = pytest.mark.integration
MOST_QUESTIONS = 10
OPEN = {
    "/sign-in",
    "/invitation/{token}",
    "/assets/{name}",
    "/",
    "/reviews/worker.js",
    "/sign-in/openid",
    "/sign-in/openid/back",
}
LATER = {"/reviews/{review}/hand-over.docx"}
"""Of a review that is handed over: test_reviews.py."""
WORKING = "/reviews/{review}/visit"
VOID = {"input", "link", "meta", "br", "hr", "img", "rect", "line", "circle", "path", "polyline"}
WORDS_OF_CODE = re.compile(r">\s*[a-z]+(_[a-z0-9]+)+\s*<")
BOTH = {"staff", "inspector"}
ALL = {*BOTH, "enterprise"}
ROLES = {
    "/today": BOTH,
    "/units": BOTH,
    "/unit": ALL,
    "/unit/energy": ALL,
    "/unit/compliance": ALL,
    "/unit/meters": ALL,
    "/unit/certificates": ALL,
    "/unit/products": ALL,
    "/unit/labels": ALL,
    "/unit/reports": ALL,
    "/certificates/{certificate}/scan": ALL,
    "/report.html": ALL,
    "/report.xlsx": ALL,
    "/point": ALL,
    "/point/health": ALL,
    "/point/work": ALL,
    "/alerts": ALL,
    "/alerts/{alert}": ALL,
    "/cases": ALL,
    "/cases/{case}": ALL,
    "/cases/{case}/files/{file}": ALL,
    "/reviews": ALL,
    "/reviews/draws/{draw_id}": BOTH,
    "/reviews/year.xlsx": BOTH,
    "/reviews/{review}": ALL,
    "/reviews/{review}/visit": ALL,
    "/reviews/{review}/sheet.xlsx": ALL,
    "/reviews/{review}/photos/{photo}": ALL,
    "/ledger": {"staff", "enterprise"},
    "/ledger/{identity}": {"staff", "enterprise"},
    "/readings": {"staff", "enterprise"},
    "/readings/{identity}": {"staff", "enterprise"},
    "/operations": {"staff", "operator"},
    "/operations/store": {"staff", "operator"},
    "/people": {"staff"},
    "/gateways": {"staff"},
    "/facts": {"staff"},
    "/facts/form.toml": {"staff"},
    "/silences": BOTH,
    "/rules": BOTH,
    "/account": {*ALL, "operator"},
}
"""Who may open what; a route that is not here fails the tests."""


def paths_of(office: Office, unit: int, login: str = "first") -> dict[str, str]:
    """Every page with what it needs, of one unit; files of readings are their sender's alone."""
    [(code, point)] = office.rows(
        "select u.code, p.code from unit u join metering_point p on p.unit_id = u.id where u.id = %s"
        " order by p.id limit 1",
        unit,
    )
    [(alert,)] = office.rows("select min(id) from alert where unit_id = %s and point_id is not null", unit)
    [(case,)] = office.rows("select min(id) from case_file where unit_id = %s", unit)
    found = office.rows("select min(id) from case_attachment where case_id = %s", case)
    [(certificate,)] = office.rows("select min(certificate_id) from certificate_scan where unit_id = %s", unit)
    month = office.rows("select to_char(now(), 'YYYY-MM')")[0][0]
    [(upload,)] = office.rows("select min(id) from sign_in.upload where kind = 'ledger' and unit_id = %s", unit)
    [(reading,)] = office.rows(
        "select max(u.id) from sign_in.upload u join person p on p.id = u.person_id"
        " where p.login = %s and u.kind = 'readings'",
        login,
    )
    filled = {"alert": alert, "case": case, "file": found[0][0] or 1, "identity": upload, "certificate": certificate}
    [(filled["review"],)] = office.rows("select max(id) from review where unit_id = %s", unit)
    [(filled["photo"],)] = office.rows("select max(id) from review_photo where unit_id = %s", unit)
    [(filled["draw_id"],)] = office.rows("select max(id) from review_draw")
    query = {
        "/reviews/year.xlsx": "?year=2026",
        "/report.html": f"?unit={code}&month={month}",
        "/report.xlsx": f"?unit={code}&month={month}",
    }
    query |= {name: f"?unit={code}" for name in ROLES if name.startswith("/unit") and name != "/units"}
    query |= {name: f"?unit={code}&point={point}" for name in ROLES if name.startswith("/point")}
    own = {"/readings/{identity}": {"identity": reading or 1}}
    return {name: name.format(**filled | own.get(name, {})) + query.get(name, "") for name in ROLES}


@pytest.fixture(scope="module", autouse=True)
def attached(office: Office) -> None:
    """A case of each unit has a photo that the enterprise may see."""
    office.rows("""
        insert into case_attachment (case_id, unit_id, name, media_type, sha256, content, internal)
        select id, unit_id, case unit_id when 2 then 'SECRETB.png' else 'own.png' end, 'image/png',
               decode(repeat('00', 32), 'hex'),
               convert_to(case unit_id when 2 then 'SECRETB' else 'own' end, 'UTF8'), false
        from case_file returning id""")
    office.rows("""
        with kept as (
            insert into review (unit_id, year, origin, state, planned_by)
            select id, 2026, 'self_check', 'closed', 'chief' from unit returning id, unit_id
        ), said as (
            insert into review_item (review_id, unit_id, item, result, remark, recorded_by)
            select id, unit_id, 1, 'fail', case unit_id when 2 then 'SECRETB' else 'own' end, 'x' from kept
        )
        insert into review_photo (review_id, unit_id, item, name, media_type, sha256, content, taken_by)
        select id, unit_id, 1, case unit_id when 2 then 'SECRETB.png' else 'own.png' end, 'image/png',
               decode(repeat('00', 32), 'hex'),
               convert_to(case unit_id when 2 then 'SECRETB' else 'own' end, 'UTF8'), 'x'
        from kept returning id""")
    office.rows(
        "insert into review_draw (year, seed, pool, drawn, drawn_by)"
        " values (2026, '7', '{U1,SECRETB}', '{SECRETB}', 'chief') returning id"
    )
    office.rows("""
        with kept as (
            insert into certificate (unit_id, meter_no, kind, number, body, verified_on, conclusion, due, entered_by)
            select unit_id, min(meter_no), 'verification', case unit_id when 2 then 'SECRETB-1' else 'J-1' end,
                   case unit_id when 2 then 'SECRETB' else '市计量院' end, current_date - 10, 'qualified',
                   current_date + 300, 'chief'
            from meter group by unit_id returning id, unit_id
        )
        insert into certificate_scan (certificate_id, unit_id, name, media_type, sha256, content, entered_by)
        select id, unit_id, case unit_id when 2 then 'SECRETB.pdf' else 'own.pdf' end, 'application/pdf',
               decode(repeat('00', 32), 'hex'),
               convert_to(case unit_id when 2 then 'SECRETB' else 'own' end, 'UTF8'), 'chief'
        from kept returning certificate_id""")
    office.rows(
        "insert into sign_in.upload (kind, person_id, unit_id, name, content, sound)"
        " select 'ledger', p.id, p.unit_id, case p.unit_id when 2 then 'SECRETB.csv' else 'own.csv' end, %s, false"
        " from person p where p.role = 'enterprise' returning id",
        b"unit_code\nSECRETB\n",
    )
    office.rows(
        "insert into sign_in.upload (kind, person_id, unit_id, name, content, sound)"
        " select 'readings', p.id, p.unit_id, case p.unit_id when 2 then 'SECRETB.csv' else 'own.csv' end, %s, false"
        " from person p returning id",
        b"unit_code,meter_no,measured_at,value,unit\nU1,M1,2026-11-21T08:15:00+08:00,7,kWh\n",
    )


def routes(office: Office, method: str) -> set[str]:
    """Paths that take a method."""
    found = {path for path, methods in office.app.openapi()["paths"].items() if method in methods}
    assert found
    return found


def test_every_route_is_known_here(office: Office) -> None:
    assert routes(office, "get") - OPEN - LATER == set(ROLES)


@pytest.mark.parametrize("login", sorted(PEOPLE))
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_role_opens_its_own_pages_and_no_others(office: Office, login: str, language: str) -> None:
    browser = office.browser(login)
    browser.post("/language", data={"language": language})
    role = PEOPLE[login][0]
    for name, path in paths_of(office, 2 if login == "second" else 1, login).items():
        answer = browser.get(path)
        allowed = role in ROLES[name]
        if allowed and (
            name.startswith("/report") or name.endswith(("sheet.xlsx", "/products"))
        ):  # a world without a ledger's history has none: test_ledgers.py
            assert "must have the unit" in answer.text, (login, path, answer.status_code)
            continue
        assert answer.status_code == (200 if allowed else 403), (login, path, answer.status_code, answer.text[-900:])
        if answer.headers["content-type"].startswith("text/html") and name != "/report.html":
            sound(path, answer.text, language, scripts=int(allowed and name == WORKING))
        timing = answer.headers.get("server-timing", "")
        asked = re.search(r'questions;desc="(\d+)"', timing)
        assert asked is None or int(asked[1]) <= MOST_QUESTIONS, (path, timing)


def sound(path: str, text: str, language: str, *, scripts: int = 0) -> None:
    """A page is HTML without a fault, says no code, and one that is Chinese says no English of ours."""
    html5lib.HTMLParser(strict=True).parse(text)  # raises at the first thing that the standard calls a parse error
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == [], (path, reader.open)
    assert reader.ids == len(set(reader.named)), path
    if path != "/operations/store":  # where tables are named
        assert not WORDS_OF_CODE.search(text), (path, WORDS_OF_CODE.search(text))
    assert f'lang="{"zh-CN" if language == "zh" else "en"}"' in text
    assert "style=" not in text
    assert text.count("<script") == scripts
    if language == "zh":
        for heading in re.findall(r"<(?:th|dt|h1|h2|label|button)[^>]*>([^<]+)<", text):
            assert not re.fullmatch(r"[a-z][a-z ]+", heading.strip()), (path, heading)


class Reader(HTMLParser):
    """Counts what is open, and ids."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.named: list[str] = []
        self.ids = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids += 1
                self.named.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        last = self.open.pop()
        assert last == tag, f"</{tag}> closes <{last}> at {self.getpos()}"


def test_an_enterprise_finds_nothing_of_another_on_any_page(office: Office) -> None:
    browser = office.browser("first")
    theirs, own = paths_of(office, 2, "second"), paths_of(office, 1)
    assert SECRET.search(office.browser("chief").get(theirs["/point"]).text), "the secrets are there to be found"
    for name, roles in ROLES.items():
        if "enterprise" not in roles:
            continue
        answer = browser.get(theirs[name])
        assert not SECRET.search(told(answer.text)), name
        of_a_unit = theirs[name] != own[name]
        assert answer.status_code == (404 if of_a_unit else 200), (name, answer.status_code)
        assert not SECRET.search(told(browser.get(own[name]).text)), name


def told(text: str) -> str:
    """A page without what the asker said themselves."""
    return re.sub(r'name="back" value="[^"]*"', "", text)


def test_an_enterprise_acts_on_nothing_of_another(office: Office) -> None:
    browser = office.browser("first")
    [(alert, case)] = office.rows(
        "select min(a.id), min(c.id) from alert a join case_file c using (unit_id) where unit_id = 2"
    )
    before = counts(office)
    for path in (f"/alerts/{alert}/comment", f"/cases/{case}/comment", f"/cases/{case}/corrected"):
        assert office.act(browser, "/account", path, note="let me in").status_code == 404, path
    photo = {"file": ("photo.png", b"\x89PNG\r\n\x1a\n" + bytes(64))}
    assert office.act(browser, "/account", f"/cases/{case}/files", files=photo).status_code == 404
    [(certificate,)] = office.rows("select min(id) from certificate where unit_id = 2")
    for path in (f"/certificates/{certificate}/scan", f"/certificates/{certificate}/withdraw"):
        assert office.act(browser, "/account", path, note="let me in", files=photo_of("scan")).status_code == 404, path
    [(review,)] = office.rows("select max(id) from review where unit_id = 2")
    for path in ("items", "photos", "sign", "corrected"):
        files = photo_of("photo")
        answer = office.act(browser, "/account", f"/reviews/{review}/{path}", item_1="pass", item="1", files=files)
        assert answer.status_code == 404, path
    for path in ("/point/note", "/point/replacement"):
        facts = {"unit": "SECRETB", "point": "P1", "note": "x", "at": "2026-01-01T00:00", "meter_no": "M1"}
        assert office.act(browser, "/account", path, **facts).status_code == 404, path
    assert office.act(browser, "/account", "/point/difference", unit="U1", point="P1").status_code == 403
    for path in ("/reviews", "/reviews/draw", f"/reviews/{review}/conclude", f"/reviews/{review}/hand_over"):
        assert office.act(browser, "/account", path, unit="U1", year="2026", note="x").status_code == 403, path
    entered = office.act(browser, "/account", "/unit/certificates", unit="SECRETB", files=photo_of("scan"))
    assert entered.status_code == 404
    for path in (
        f"/alerts/{alert}/acknowledge",
        f"/alerts/{alert}/verdict",
        f"/alerts/{alert}/case",
        f"/cases/{case}/close",
    ):
        assert office.act(browser, "/account", path, note="let me in").status_code == 403, path
    for path in ("/silences", "/silences/1/end", "/rules", "/rules/try", "/facts", "/facts/check"):
        assert office.act(browser, "/account", path, reason="x", rules="x").status_code == 403, path
    for path in ("/gateways", "/gateways/g/bind", "/gateways/g/rotate", "/gateways/g/end"):
        assert office.act(browser, "/account", path, name="g").status_code == 403, path
    for path in ("/people/second/token", "/people/second/tokens/end"):
        assert office.act(browser, "/account", path, days="1").status_code == 403, path
    paper = {"unit": "SECRETB", "kind": "self-check"}
    assert office.act(browser, "/account", "/unit/paper", **paper).status_code == 404
    assert office.act(browser, "/account", "/unit/paper", unit="U1", kind="order").status_code == 403
    for path in ("/people", "/people/second/invite", "/people/second/end", "/people/sessions/1/end"):
        assert office.act(browser, "/account", path, login="x").status_code == 403, path
    assert counts(office) == before


def photo_of(name: str) -> dict[str, tuple[str, bytes]]:
    return {name: ("photo.png", b"\x89PNG\r\n\x1a\n" + bytes(64))}


def counts(office: Office) -> list[tuple[object, ...]]:
    tables = (
        "alert_event",
        "case_event",
        "case_file",
        "case_attachment",
        "person",
        "sign_in.invitation",
        "certificate",
        "certificate_scan",
        "review",
        "review_item",
        "review_photo",
        "review_event",
        "point_note",
        "ledger_version",
        "sign_in.upload",
        "verification",
        "alert_silence",
        "alert_rules",
        "standard_document",
        "gateway",
        "gateway_token",
        "api_token",
    )
    return [office.rows(f"select count(*) from {table}")[0] for table in tables]


def test_nothing_acts_by_get(office: Office) -> None:
    browser = office.browser("chief")
    before = counts(office)
    filled = {
        "alert": 1,
        "case": 1,
        "step": "close",
        "session_id": 1,
        "identity": 1,
        "login": "first",
        "token": "x",
        "file": 1,
        "certificate": 1,
        "review": 1,
        "draw_id": 1,
        "silence_id": 1,
        "name": "g",
    }
    for path in routes(office, "post") - routes(office, "get"):
        assert browser.get(path.format(**filled)).status_code in {404, 405, 422}, path
    assert counts(office) == before


def test_the_alerts_of_a_unit_lead_to_where_they_are_answered(office: Office) -> None:
    [(alert, case)] = office.rows(
        "select a.id, c.id from alert a join case_file c on c.alert_id = a.id"
        " where a.unit_id = 1 and a.state not in ('cleared', 'dropped') limit 1"
    )
    for login in ("chief", "first"):
        page = office.browser(login).get("/unit?unit=U1").text
        assert f'href="/alerts/{alert}"' in page
        assert f'href="/cases/{case}"' in page


@pytest.mark.parametrize("q", ["钢铁", "U1", "M3", "S3", "%", "_", "\\", "'; drop table unit; --", "\x00"])
def test_a_unit_is_found_by_name_code_meter_and_serial_number(office: Office, q: str) -> None:
    answer = office.browser("chief").get("/units", params={"q": q})
    assert answer.status_code == 200
    found = "/unit?unit=U1" in answer.text
    assert found == (q in {"钢铁", "U1", "M3", "S3", "\x00"}), "a NUL is nothing, and nothing finds all"


def test_the_code_of_a_label_opens_its_point_and_no_other_address_does(office: Office) -> None:
    chief = office.browser("chief")
    page = chief.get("/unit/labels?unit=U1&point=P3").text
    [said] = re.findall(r"<title>(http[^<]+)</title>", page)
    found = chief.get("/units", params={"q": unescape(said)})
    assert (found.status_code, found.headers["location"]) == (303, "/point?unit=U1&point=P3")
    for text in ("http://elsewhere.example/sign-out?unit=U1&point=P3", "javascript:/point?unit=U1&point=P3"):
        assert chief.get("/units", params={"q": text}).status_code == 200


def test_what_a_page_says_of_a_request_is_escaped(office: Office) -> None:
    browser = office.browser("chief")
    for path in ("/units?q=<script>alert(1)</script>", "/unit?unit=<script>alert(1)</script>", "/x/<script>"):
        assert "<script" not in browser.get(path).text
    assert "<script" not in browser.post("/sign-in", data={"login": "<script>", "password": "x"}).text


def test_both_languages_say_everything() -> None:
    for table in PAGES.values():
        for phrase in table.values():
            assert phrase.zh
            assert phrase.en
    assert texts("today", "zh")("title") == "今日待办"
    with pytest.raises(KeyError):
        texts("today", "zh")("a text that is not there")


def test_an_asset_is_named_after_its_content(office: Office) -> None:
    browser = office.browser()
    [path] = re.findall(r'href="(/assets/pages\.[0-9a-f]{12}\.css)"', browser.get("/sign-in").text)
    answer = browser.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in answer.headers["cache-control"]
    assert browser.get("/assets/pages.000000000000.css").status_code == 404
    assert browser.get("/assets/..%2f..%2fwords.py").status_code == 404


def test_labels_of_a_large_unit_come_in_pages_that_take_no_second(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "_LABELLED", 5)
    chief, seen = office.browser("chief"), []
    page, pages = "/unit/labels?unit=U1", 0
    while page:
        text = chief.get(page).text
        seen += re.findall(r"<p><b>([^<]+)</b>", text)
        later = re.search(r'<a href="([^"]+)">下一页</a>', text)
        page, pages = unescape(later[1]) if later else "", pages + 1
    [(points,)] = office.rows("select count(*) from metering_point where unit_id = 1")
    assert (len(seen), len(set(seen)), pages) == (points, points, -(-points // 5))
    assert "上一页" in chief.get("/unit/labels?unit=U1&page=2").text
    assert chief.get("/unit/labels?unit=U1&page=0").status_code == 422


def test_meters_overdue_are_counted_with_their_list_and_asked_once_for_all_staff(office: Office) -> None:
    office.app.state.remembered = Remembered()
    [(overdue,)] = office.rows("select sum(meters) from verification_count where state = 'overdue'")
    assert overdue
    answers = [office.browser(login).get("/today") for login in ("chief", "li.na")]
    asked = [int(re.search(r'desc="(\d+)"', one.headers["server-timing"])[1]) for one in answers]  # type: ignore[index]
    assert asked == [MOST_QUESTIONS, MOST_QUESTIONS - 1]
    for one in answers:
        leads = f'<a href="#today_overdue">{overdue:,}</a>'
        assert f'检定/校准超期器具</dt><dd class="warn">{leads}</dd>' in one.text
        assert 'id="today_overdue"' in one.text


def test_what_is_remembered_is_old_after_half_a_minute() -> None:
    now = [0.0]
    remembered = Remembered(lambda: now[0])
    assert remembered.rows("a") is None
    remembered.keep("a", [{"b": 1}])
    now[0] = 29.9
    assert remembered.rows("a") == [{"b": 1}]
    now[0] = 30.0
    assert remembered.rows("a") is None


def test_the_dial_of_a_long_range_is_drawn_of_its_last_days_and_says_so(office: Office) -> None:
    chief = office.browser("chief")
    assert "只画最近90天" in chief.get("/point?unit=U1&point=P2&range=365d").text
    assert "只画最近90天" not in chief.get("/point?unit=U1&point=P2&range=90d").text


def test_all_who_come_at_once_wait_and_nobody_is_sent_away(office: Office) -> None:
    """A region's people on a Monday morning: more requests than the database works on, from as many addresses."""
    cookies = dict(office.browser("chief").cookies)

    async def come(n: int) -> int:
        transport = httpx.ASGITransport(app=office.door.app, client=(f"192.0.2.{1 + n}", 1))
        async with httpx.AsyncClient(transport=transport, base_url=HOST, cookies=cookies) as browser:
            return (await browser.get("/cases")).status_code

    async def all_come() -> list[int]:
        return await asyncio.gather(*map(come, range(200)))

    assert office.door.portal is not None, "its application runs"
    assert Counter(office.door.portal.call(all_come)) == {200: 200}
