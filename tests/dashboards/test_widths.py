"""Room of tables' columns for what stands in them, measured in a real Chromium in Grafana's sizes and fonts."""

import json
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from analytics.domain.words import LANGUAGES, Language
from dashboards.boards import BOARDS
from dashboards.render import FILTERED, UNITS, least_width, render, width_of
from dashboards.text import COLUMNS, VALUES
from deploy.api import links
from streams.alerts.mail import html_of
from tests.deploy.web.test_browser import FLAGS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(  # a browser is a tool of tests that the product needs not
        CHROMIUM is None, reason="NO WIDTH WAS MEASURED IN A BROWSER: no chromium here (apt-get install chromium)"
    ),
]
FONT = 'px Inter, Helvetica, Arial, "Noto Sans CJK SC", sans-serif'
PADDING, FILTER = 13, 22
"""Of a cell, both sides and its border; a heading's filter beside its words. [px]"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS), env=dict(os.environ))
        yield chromium.new_page()
        chromium.close()


def measured(page: Page, texts: list[str], *, weight: int) -> dict[str, float]:
    """Widths as drawn. [px]"""
    found: dict[str, float] = page.evaluate(
        """([texts, font]) => {
            const brush = document.createElement('canvas').getContext('2d');
            brush.font = font;
            return Object.fromEntries(texts.map(text => [text, brush.measureText(text).width]));
        }""",
        [texts, f"{weight} 14{FONT}"],
    )
    return found


def columns(language: Language) -> dict[str, int]:
    """Every column of every table, by its name in the SQL, with the least room that it has."""
    found: dict[str, int] = {}
    for board in BOARDS:
        for outer in render(board, language)["panels"]:
            for panel in (outer, *outer.get("panels", ())):
                if panel["type"] != "table":
                    continue
                for one in panel["fieldConfig"]["overrides"]:
                    given: dict[str, Any] = {each["id"]: each["value"] for each in one["properties"]}
                    if not given.get("custom.hidden"):
                        name = one["matcher"]["options"]
                        room: int = given.get("custom.width") or given["custom.minWidth"]
                        found[name] = min(found.get(name, 10_000), room)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_heading_is_cut(page: Page, language: Language) -> None:
    found = columns(language)
    assert len(found) > 80
    headings = {name: COLUMNS[name].of(language) for name in found if name in COLUMNS}
    parts = {name: [text] if language == "zh" else text.split() for name, text in headings.items()}
    width = measured(page, [part for each in parts.values() for part in each], weight=500)
    cut = {
        headings[name]: (round(max(width[part] for part in each)), found[name])
        for name, each in parts.items()
        if max(width[part] for part in each) + PADDING + (FILTER if name in FILTERED else 0) > found[name] + 1
    }
    assert cut == {}, "Grafana cuts a Chinese heading that needs another line"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sign_with_its_word_no_time_and_no_amount_is_cut(page: Page, language: Language) -> None:
    found = columns(language)
    texts = {
        name: [word.of(language) for word in VALUES[name].values() if word.sign and word.color]
        for name in found
        if name in VALUES
    }
    texts |= {name: ["2026-12-01 11:00"] for name in found if UNITS.get(name, "").endswith("HH:mm")}
    texts |= {name: ["11,722,533.4"] for name in found if UNITS.get(name) == "locale"}
    texts |= {
        name: ["2026-12-01"] for name in ("judged_for", "verification_due", "verified_on", "due_on") if name in found
    }
    assert len(texts) > 30
    width = measured(page, sorted({text for each in texts.values() for text in each}), weight=400)
    cut = {
        (name, text): (round(width[text]), found[name])
        for name, each in texts.items()
        for text in each
        if width[text] + PADDING > found[name] + 1
    }
    assert cut == {}, json.dumps({str(key): value for key, value in cut.items()}, ensure_ascii=False)


def test_a_column_is_never_narrower_than_its_heading() -> None:
    for language in LANGUAGES:
        assert all((width_of(name, language) or 10_000) >= least_width(name, language) for name in COLUMNS)


@pytest.mark.parametrize("paper", ["mail", "used link"])
def test_a_letter_and_a_used_link_are_no_wider_than_a_phone(page: Page, paper: str) -> None:
    address = f"https://meters.example.org/act/{'x' * 120}"
    alert = {"title_zh": "第1钢铁厂 P2 计量偏差突变", "title_en": address}
    mail = html_of("【严重】第1钢铁厂 P2 M2 停走", f"单位：第1钢铁厂\n确认: {address}\n- {address}")
    page.set_viewport_size({"width": 390, "height": 800})
    page.set_content(mail if paper == "mail" else bytes(links._page(links._about(alert)).body).decode())
    assert page.evaluate("document.documentElement.scrollWidth") == 390
