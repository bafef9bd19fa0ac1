"""What the authority sets on pages: silences, rules with their dry run, tokens, gateways, facts and papers."""

import re
from datetime import UTC, datetime, timedelta
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest
from docx import Document
from fastapi.testclient import TestClient

from deploy.api import ApiConfig, create_api
from ingest.gateway.access import digest_of
from streams.alerts.config import shipped_rules
from tests.deploy.commands.test_compliance import PLANT
from tests.deploy.web.office import Office

pytestmark = pytest.mark.integration
ZONE = ZoneInfo("Asia/Shanghai")


def test_work_is_planned_and_ended_early(office: Office) -> None:
    inspector = office.browser("li.na")
    until = datetime.now(ZONE) + timedelta(days=2)
    given = {"unit": "U1", "point": "P3", "kind": "gap", "ends_at": f"{until:%Y-%m-%dT%H:%M}", "reason": "停产检修"}
    assert office.act(inspector, "/silences", "/silences", **given).status_code == 303
    [(identity, ends_at, login)] = office.rows(
        "select s.id, s.ends_at, p.login from alert_silence s join person p on p.id = s.person_id"
    )
    assert (ends_at, login) == (until.replace(second=0, microsecond=0), "li.na")
    assert "停产检修" in office.browser("chief").get("/silences").text
    for wrong in (
        {"ends_at": "tomorrow"},
        {"reason": ""},
        {"kind": "noise"},
        {"unit": "U9"},
        {"ends_at": "2001-01-01"},
    ):
        refused = office.act(inspector, "/silences", "/silences", **given | wrong)
        assert refused.status_code in {404, 409}, wrong
    assert office.act(inspector, "/silences", f"/silences/{identity}/end").status_code == 303
    assert "停产检修" not in inspector.get("/silences").text


def test_rules_are_tried_before_they_are_in_force(office: Office) -> None:
    chief, inspector = office.browser("chief"), office.browser("li.na")
    rules = shipped_rules()
    tried = office.act(inspector, "/rules", "/rules/try", rules=rules.replace("\n", "\r\n"), days="30")
    assert tried.status_code == 200, tried.text
    assert re.search(r"\d+ 条检出与问题，消息数：\d+", tried.text)
    assert office.rows("select from alert_rules") == [], "nothing is in force by trying"
    faulty = office.act(chief, "/rules", "/rules", rules="[[rule]]\nname = 1", days="7")
    assert faulty.status_code == 422
    assert "name = 1" in faulty.text, "what was written is there to be mended"
    assert office.rows("select from alert_rules") == []
    assert office.act(inspector, "/rules", "/rules", rules=rules).status_code == 403
    assert office.act(chief, "/rules", "/rules", rules=rules + "# 大检修期间\r\n").status_code == 303
    [(body, by)] = office.rows("select body, loaded_by from alert_rules")
    assert (body.rstrip(), by) == ((rules + "# 大检修期间").rstrip(), "chief")
    assert office.act(chief, "/rules", "/rules/try", rules=rules, days="1000").status_code == 409


def test_a_token_is_shown_once_acts_and_ends(office: Office) -> None:
    chief = office.browser("chief")
    page = office.act(chief, "/people", "/people/li.na/token", days="30", label="手机").text
    [token] = re.findall(r'<p class="once">(mw_[\w-]+)</p>', page)
    assert token not in chief.get("/people").text
    headers = {"Authorization": f"Bearer {token}"}
    with TestClient(create_api(ApiConfig(dsn=office.dsn, secret=lambda: b"s" * 32))) as client:
        assert client.get("/me", headers=headers).json()["login"] == "li.na"
        assert office.act(chief, "/people", "/people/li.na/tokens/end").status_code == 303
        assert client.get("/me", headers=headers).status_code == 401
    assert office.act(chief, "/people", "/people/li.na/token", days="0").status_code == 409


def test_a_gateway_gets_a_token_another_one_and_none(office: Office) -> None:
    chief = office.browser("chief")
    added = office.act(chief, "/gateways", "/gateways", name="plant-1", units="U1，U77", note="一车间")
    [token] = re.findall(r'<p class="once">([^<]+)</p>', added.text)
    assert "U77" in added.text, "the ledger does not have it yet"
    assert token not in chief.get("/gateways").text

    def holding() -> set[bytes]:
        rows = office.rows(
            "select t.digest from gateway_token t join gateway g on g.id = t.gateway_id"
            " where g.name = 'plant-1' and t.expires_at > clock_timestamp()"
        )
        return {bytes(row[0]) for row in rows}

    assert holding() == {digest_of(token)}
    rotated = office.act(chief, "/gateways", "/gateways/plant-1/rotate", hours="2").text
    [second] = re.findall(r'<p class="once">([^<]+)</p>', rotated)
    assert holding() == {digest_of(token), digest_of(second)}, "the one before holds for two hours more"
    assert office.act(chief, "/gateways", "/gateways/plant-1/bind", all_units="yes").status_code == 303
    assert office.rows("select all_units from gateway where name = 'plant-1'") == [(True,)]
    assert office.act(chief, "/gateways", "/gateways/plant-1/end").status_code == 303
    assert holding() == set()
    assert office.act(chief, "/gateways", "/gateways", name="Bad Name", units="U1").status_code == 409
    assert office.act(chief, "/gateways", "/gateways", name="empty").status_code == 409
    assert office.act(chief, "/gateways", "/gateways/nobody/end").status_code == 409


def test_facts_are_checked_before_they_are_in_force(plant: Office) -> None:
    chief = plant.browser("chief")
    text = f'name = "变压器"\n[[unit]]\nunit_code = "{PLANT}"\ntransformer_kva = 2000\nsource = "供电合同"\n'
    assert chief.get("/facts/form.toml").text.startswith("# 企业事实录入样表")
    checked = plant.act(chief, "/facts", "/facts/check", text=text)
    assert (checked.status_code, "没有错误" in checked.text) == (200, True), checked.text
    assert plant.rows("select from standard_document where kind = 'facts' and name = '变压器'") == []
    faulty = plant.act(chief, "/facts", "/facts", text=text.replace("2000", '"large"'))
    assert (faulty.status_code, "transformer_kva" in faulty.text) == (422, True)
    other = plant.act(chief, "/facts", "/facts", text='[rules]\nname = "mine"\n')
    assert other.status_code == 422, "rules are loaded by command"
    file = {"file": ("facts.toml", text.encode())}
    assert plant.act(chief, "/facts", "/facts", files=file).status_code == 303
    [(source,)] = plant.rows("select source from standard_document where kind = 'facts' and name = '变压器'")
    assert source == "page, chief"


def test_an_order_is_made_and_downloaded(plant: Office) -> None:
    inspector, first = plant.browser("li.na"), plant.browser("first")
    page = f"/unit/reports?unit={PLANT}"
    due = datetime.now(UTC).date() + timedelta(days=20)
    facts = {"unit": PLANT, "kind": "order", "number": "计责〔2026〕7号", "due": str(due), "people": "李娜、王强"}
    answer = plant.act(inspector, page, "/unit/paper", **facts)
    assert answer.status_code == 200, answer.text
    text = "\n".join(one.text for one in Document(BytesIO(answer.content)).paragraphs)
    assert "责令限期改正通知书" in text
    assert "计责〔2026〕7号" in text
    late = plant.act(inspector, page, "/unit/paper", **facts | {"due": "2020-01-01"})
    assert (late.status_code, "due must lie after today" in late.text) == (409, True)
    assert plant.act(inspector, page, "/unit/paper", unit=PLANT, kind="fine").status_code == 409
    own = plant.act(first, "/unit/reports", "/unit/paper", kind="self-check")
    assert own.content.startswith(b"PK")
