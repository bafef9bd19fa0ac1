"""Colours of what is read: WCAG 2.2's contrast (1.4.3), computed, on Grafana's light panels and on its dark ones."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from analytics.domain.words import LANGUAGES
from dashboards.boards import BOARDS
from dashboards.render import render
from dashboards.text import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, YELLOW, large

Rgb = tuple[float, float, float]
THEMES: dict[str, tuple[Rgb, Rgb]] = {
    "light": ((255, 255, 255), (32, 34, 38)),
    "dark": ((24, 27, 31), (247, 248, 250)),
}
"""Grafana's panels (background.primary), and what it writes on backgrounds of an alpha below 0.3."""
SMALL, LARGE = 4.5, 3.0
LARGE_PX = 24
"""WCAG: 18 pt."""


def parsed(color: str) -> tuple[Rgb, float]:
    """Colour and alpha."""
    if color == "transparent":
        return (0, 0, 0), 0.0
    found = re.fullmatch(r"rgba\((\d+), (\d+), (\d+), ([\d.]+)\)", color)
    if found is not None:
        return (float(found[1]), float(found[2]), float(found[3])), float(found[4])
    assert re.fullmatch(r"#[0-9A-F]{6}", color), color
    red, green, blue = (float(int(color[place : place + 2], 16)) for place in (1, 3, 5))
    return (red, green, blue), 1.0


def over(color: str, panel: Rgb) -> Rgb:
    """What is seen of a colour that lies on a panel."""
    (red, green, blue), alpha = parsed(color)
    mixed = [alpha * top + (1 - alpha) * below for top, below in zip((red, green, blue), panel, strict=True)]
    return mixed[0], mixed[1], mixed[2]


def luminance(color: Rgb) -> float:
    parts = [one / 255 for one in color]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Rgb, other: Rgb) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_measure_is_wcag_s() -> None:
    assert contrast((255, 255, 255), (0, 0, 0)) == pytest.approx(21)
    assert contrast((255, 255, 255), (119, 119, 119)) == pytest.approx(4.478, abs=1e-3)  # #777, its textbook example


def panels_of(board: Any, language: Any) -> Iterator[dict[str, Any]]:
    for panel in render(board, language)["panels"]:
        yield from (panel, *panel.get("panels", ()))


def colours(properties: dict[str, Any]) -> Iterator[str]:
    """Every colour that a value may take by its mappings, thresholds or for good; not the theme's own."""
    for mapping in properties.get("mappings", ()):
        results = mapping["options"].values() if mapping["type"] == "value" else [mapping["options"]["result"]]
        yield from (one["color"] for one in results if "color" in one)
    yield from (step["color"] for step in properties.get("thresholds", {}).get("steps", ()))
    if "fixedColor" in properties.get("color", {}):
        yield properties["color"]["fixedColor"]


def read_in(kind: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Properties of every column or number of a kind of panel, with where they are."""
    for board in BOARDS:
        for language in LANGUAGES:
            for panel in panels_of(board, language):
                if panel["type"] == kind:
                    config = panel["fieldConfig"]
                    given = [{one["id"]: one["value"] for one in each["properties"]} for each in config["overrides"]]
                    for properties in (config["defaults"], *given):
                        yield f"{board.name} {language} {panel['title']}", panel, properties


def test_words_in_tables_stand_on_tints_that_both_themes_can_write_on() -> None:
    seen = 0
    for where, _, properties in read_in("table"):
        options = properties.get("custom.cellOptions", {"type": "auto"})
        assert options["type"] != "color-text", f"{where}: no colour of small text fits both themes"
        if options["type"] != "color-background":
            assert set(colours(properties)) <= {"text"}, where
            continue
        assert options["mode"] == "basic", where  # the other one mixes its own colours
        found = list(colours(properties))
        assert "text" not in found, f"{where}: a cell without a colour of its own would be filled with the text's"
        for color in found:
            assert parsed(color)[1] < 0.3, (where, color)
            for theme, (panel, text) in THEMES.items():
                assert contrast(over(color, panel), text) >= SMALL, (where, color, theme)
                seen += 1
    assert seen > 200


def test_large_numbers_have_the_contrast_of_large_text() -> None:
    seen = 0
    for where, panel, properties in read_in("stat"):
        assert panel["options"]["text"]["valueSize"] >= LARGE_PX, where
        for color in colours(properties):
            if color == "text":
                continue
            for theme, (background, _) in THEMES.items():
                assert contrast(parsed(color)[0], background) >= LARGE, (where, color, theme)
                seen += 1
    assert seen > 50


@pytest.mark.parametrize("color", [BLUE, SKY, GREEN, YELLOW, ORANGE, VERMILION, PURPLE, GREY])
def test_every_colour_has_a_shade_for_large_text(color: str) -> None:
    assert all(contrast(parsed(large(color))[0], panel) >= LARGE for panel, _ in THEMES.values())
