"""The boards as JSON: as they are checked in, as Grafana's own models read them, and fit to be looked at."""

import json
import re
from itertools import combinations
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import (
    barchart,
    common,
    geomap,
    nodegraph,
    stat,
    statushistory,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.models.dashboard import Dashboard

from analytics.alerting.case import ACTIONS
from analytics.domain.colours import ALL
from analytics.domain.words import LANGUAGES, Phrase
from analytics.drift.observability import Question, Reason
from dashboards.alert_rules import RULES, rule_json
from dashboards.boards import BOARDS, ENTERPRISE_BOARDS
from dashboards.queries import query
from dashboards.render import GENERATED, SCHEMA, render, render_all
from dashboards.text import COLUMNS, GREY, SERIES, VALUES, Word

CORE = {"row", "stat", "table", "timeseries", "barchart", "status-history", "nodeGraph", "geomap", "text"}
OPTIONS: dict[str, Any] = {
    "stat": stat.Options,
    "table": table.Options,
    "timeseries": timeseries.Options,
    "barchart": barchart.Options,
    "nodeGraph": nodegraph.Options,
    "geomap": geomap.Options,
    "status-history": statushistory.Options,
    "text": text.Options,
}
CUSTOM: dict[str, Any] = {
    "table": common.TableFieldOptions,
    "timeseries": timeseries.FieldConfig,
    "barchart": barchart.FieldConfig,
    "status-history": statushistory.FieldConfig,
}
CASES = [(board, language) for board in BOARDS for language in LANGUAGES]
IDS = [f"{board.name}-{language}" for board, language in CASES]

every_board = pytest.mark.parametrize(("board", "language"), CASES, ids=IDS)


def rendered(board: Any, language: Any) -> dict[str, Any]:
    found = json.loads(json.dumps(render(board, language)))
    assert isinstance(found, dict)
    return found


def every(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Panels, also those below folded rows."""
    return [one for panel in found["panels"] for one in (panel, *panel.get("panels", ()))]


def test_what_is_checked_in_is_what_the_boards_say() -> None:
    there = {
        str(file.relative_to(GENERATED)): file.read_text(encoding="utf-8")
        for file in GENERATED.rglob("*")
        if file.is_file()
    }
    assert there == render_all(), "write them anew: python -m dashboards.render"


def test_uids_are_for_ever() -> None:
    """People keep links to them."""
    assert {board.uid(language) for board, language in CASES} == {
        "mw-region-zh", "mw-region-en", "mw-enterprise-zh", "mw-enterprise-en",
        "mw-point-zh", "mw-point-en", "mw-operations-zh", "mw-operations-en",
    }  # fmt: skip


@every_board
def test_grafanas_models_know_every_property(board: Any, language: Any) -> None:
    """What its published schema does not know would be lost on the way through its models."""
    found = rendered(board, language)
    again = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(found)))
    # what an annotation asks is its data source's own
    assert [path for path in lost(found, again, "") if not path.startswith(".annotations.list[0].target.")] == []
    for panel in every(found):
        if panel["type"] in OPTIONS:
            options = OPTIONS[panel["type"]].from_json(panel["options"])
            assert lost(panel["options"], json.loads(JSONEncoder().encode(options)), panel["type"]) == []
        if panel["type"] in CUSTOM:
            custom = panel["fieldConfig"]["defaults"].get("custom", {})
            model = CUSTOM[panel["type"]].from_json(custom)
            assert lost(custom, json.loads(JSONEncoder().encode(model)), panel["type"]) == []


def lost(wanted: Any, had: Any, path: str) -> list[str]:
    """Properties that did not come back."""
    if isinstance(wanted, dict):
        had = had if isinstance(had, dict) else {}
        return [
            fault
            for key, value in wanted.items()
            if value is not None
            for fault in (lost(value, had[key], f"{path}.{key}") if key in had else [f"{path}.{key}"])
        ]
    if isinstance(wanted, list):
        if not isinstance(had, list) or len(had) != len(wanted):
            return [path]
        return [fault for i, value in enumerate(wanted) for fault in lost(value, had[i], f"{path}[{i}]")]
    return [] if wanted == had else [path]


@every_board
def test_a_label_that_is_left_out_says_nothing(board: Any, language: Any) -> None:
    """Grafana 12 writes the words for no value in its place: “2027-01” under a heap of “no data” on a phone."""
    for panel in every(rendered(board, language)):
        if panel["type"] == "barchart":
            over = panel["options"]["xField"]
            [said] = [one for one in panel["fieldConfig"]["overrides"] if one["matcher"]["options"] == over]
            assert {"id": "noValue", "value": ""} in said["properties"]
            assert panel["options"]["xTickLabelSpacing"] > 0


@every_board
def test_labels_are_large_enough_zeros_are_quiet_and_sums_stand_in_legends(board: Any, language: Any) -> None:
    for panel in every(rendered(board, language)):
        if panel["type"] == "stat":
            assert panel["options"]["text"]["titleSize"] >= 12
            zero = [
                one["options"]["0"] for one in panel["fieldConfig"]["defaults"]["mappings"] if one["type"] == "value"
            ]
            assert [one["color"] for one in zero] == [GREY]
        if panel["type"] == "barchart":
            assert panel["options"].get("xTickLabelMaxLength", 100) >= 7, "else every label is “…”"
        if panel["title"] in {"综合能耗", "Energy used", "逐日综合能耗与上年"}:
            assert panel["options"]["legend"]["calcs"] == ["sum"]


@every_board
def test_a_map_asks_nobody_elsewhere(board: Any, language: Any) -> None:
    """Every base layer of Grafana's fetches from the internet, and so does one that is not named."""
    for panel in every(rendered(board, language)):
        if panel["type"] == "geomap":
            base = panel["options"]["basemap"]
            assert base["type"] == "xyz"
            assert base["config"]["url"].startswith("data:image/png;base64,")
            assert [layer["type"] for layer in panel["options"]["layers"]] == ["markers"]
    assert "http" not in re.sub(r"\{\{pages\}\}", "", json.dumps(rendered(board, language)))


@every_board
def test_a_board_is_fit_to_be_looked_at(board: Any, language: Any) -> None:
    found = rendered(board, language)
    panels = every(found)
    ids = [panel["id"] for panel in panels]
    assert len(set(ids)) == len(ids)
    assert found["description"]
    assert found["schemaVersion"] == SCHEMA
    for panel in panels:
        assert panel["type"] in CORE
        assert panel.get("description") or panel["type"] == "row", panel["title"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert place["w"] >= 6 or panel["type"] == "row"
    together = [[below["gridPos"] for below in panel["panels"]] for panel in panels if panel.get("panels")]
    together.append([panel["gridPos"] for panel in found["panels"]])
    for one, other in (pair for places in together for pair in combinations(places, 2)):
        apart = (
            one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        )  # fmt: skip
        assert apart, f"{one} lies over {other}"


@every_board
def test_nothing_is_not_zero(board: Any, language: Any) -> None:
    """Every panel has a word for no value, bridges no gap and counts nothing as 0."""
    for panel in every(rendered(board, language)):
        if panel["type"] in {"row", "text"}:
            continue
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["noValue"] == Phrase(zh="无数据", en="no data").of(language)
        assert defaults.get("custom", {}).get("spanNulls", False) is False
        assert "nullValueMode" not in defaults


@every_board
def test_a_code_without_a_word_is_shown_as_it_is(board: Any, language: Any) -> None:
    """Grafana takes every text for NaN, so that “null+nan” would call each unknown code “no data”."""
    matches = set(re.findall(r'"match": "([^"]*)"', json.dumps(render(board, language))))
    assert matches <= {"null"}


@every_board
def test_a_strip_has_room_for_its_cells_on_a_phone(board: Any, language: Any) -> None:
    """Grafana draws none where a cell has less than two pixels; it rounds intervals by half at most."""
    for panel in every(rendered(board, language)):
        if panel["type"] == "status-history":
            assert panel["maxDataPoints"] * 1.5 * 2 <= 360


def test_the_report_is_linked_where_the_pages_are_and_nowhere_else() -> None:
    [enterprise] = [board for board in BOARDS if board.name == "enterprise"]
    for language in LANGUAGES:
        texts = {
            pages: [
                one["options"]["content"]
                for one in every(render(enterprise, language, pages=pages))
                if one["type"] == "text"
            ]
            for pages in ("", "https://meters.example.org")
        }
        assert all("](" not in text and "{{" not in text for text in texts[""]), "no link that leads nowhere"
        [linked] = texts["https://meters.example.org"]
        asked = "unit=${unit:percentencode}&month=${__to:date:YYYY-MM}"
        assert f"(https://meters.example.org/report.xlsx?{asked})" in linked


@every_board
def test_colours_are_those_that_all_eyes_tell_apart(board: Any, language: Any) -> None:
    text_of_it = json.dumps(render(board, language))
    assert set(re.findall(r"#[0-9A-Fa-f]{6}\b", text_of_it)) <= set(ALL)
    assert not re.findall(r'"(?:red|green|yellow|orange|dark-red|semi-dark-\w+)"', text_of_it)


@every_board
def test_no_unit_is_one_that_grafana_writes_out_in_english(board: Any, language: Any) -> None:
    """“16 hour”, “44 minutes ago” and “rd/s” stood on Chinese boards."""
    units = re.findall(r'"unit", "value": "([^"]*)"|"unit": "([^"]*)"', json.dumps(render(board, language)))
    spoken = {unit for pair in units for unit in pair if unit}
    assert spoken
    assert not spoken & {"h", "m", "d", "dtdurations", "dateTimeFromNow", "rps", "wps", "ops", "reqps", "cps"}


def test_what_is_folded_away_takes_no_room() -> None:
    for board, language in CASES:
        found = rendered(board, language)
        bottom = 0
        for panel in found["panels"]:
            place = panel["gridPos"]
            assert place["y"] <= bottom, "a hole above it"
            bottom = max(bottom, place["y"] + place["h"])
            assert bool(panel.get("panels")) == panel.get("collapsed", False)
    assert any(panel.get("collapsed") for panel in rendered(*CASES[0])["panels"])


def test_marks_in_charts_speak_and_leave_strips_alone() -> None:
    (board,) = (board for board in BOARDS if board.annotations)
    strips = {panel["id"] for panel in every(rendered(board, "zh")) if panel["type"] == "status-history"}
    (mark,) = rendered(board, "zh")["annotations"]["list"]
    assert mark["filter"] == {"exclude": True, "ids": sorted(strips)}
    assert "停走" in mark["target"]["rawSql"]


def test_a_state_is_never_told_by_colour_alone() -> None:
    for words in VALUES.values():
        coloured = [word for word in words.values() if word.color]
        assert all(word.sign for word in coloured)


@every_board
def test_a_language_is_spoken_throughout(board: Any, language: Any) -> None:
    found = rendered(board, language)
    said = [found["title"], found["description"]]
    said += [panel[key] for panel in every(found) for key in ("title", "description") if key in panel]
    chinese = [bool(re.search(r"[\u4e00-\u9fff]", line)) for line in said]
    assert all(chinese) if language == "zh" else not any(chinese)


def test_every_word_is_there_in_both_languages() -> None:
    words = [*COLUMNS.values(), *(word.text for word in SERIES.values())]
    words += [word.text for table_ in VALUES.values() for word in table_.values()]
    assert all(word.zh and word.en for word in words)
    assert all(isinstance(word, Word) for word in SERIES.values())


@every_board
def test_links_lead_to_boards_that_are_there(board: Any, language: Any) -> None:
    known = {other.uid(spoken) for other in BOARDS for spoken in LANGUAGES}
    targets = set(re.findall(r"/d/(mw-[a-z-]+)", json.dumps(render(board, language))))
    assert targets <= known
    for panel in every(rendered(board, language)):  # rows lead to boards of the same language
        assert all(uid.endswith(language) for uid in re.findall(r"/d/(mw-[a-z-]+)", json.dumps(panel)))


def test_an_enterprise_has_no_panel_that_only_the_staff_can_fill() -> None:
    staff_only = ("compliance_region", "pipeline_", "outbox_state", "case_statistics", "_samples")
    for board in ENTERPRISE_BOARDS:
        for panel in board.panels:
            assert panel.query is None or not any(name in query(panel.query) for name in staff_only)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.uid))
def test_alert_rules_watch_the_pipeline_alone(rule: Any) -> None:
    found = rule_json(rule, "en", folder="meterwarden")
    spoken = found["data"][0]["model"]["rawSql"]
    assert not re.search(r"detection|finding|alert_list|point_hour|unit_", spoken)
    assert [step["refId"] for step in found["data"]] == ["A", found["condition"]]


def test_every_question_and_every_reason_that_it_cannot_be_answered_has_words() -> None:
    assert {reason.value for reason in Reason} <= set(VALUES["why"])
    assert {question.value for question in Question} <= set(VALUES["question"])


def test_every_step_of_a_case_has_words() -> None:
    assert {"open", *ACTIONS} <= set(VALUES["action"])
