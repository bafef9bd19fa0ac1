"""Colours of what is read and drawn: WCAG 2.2's contrast (1.4.3, 1.4.11) and what eyes tell apart, all computed."""

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.domain import colours
from analytics.domain.words import LANGUAGES
from dashboards.boards import BOARDS
from dashboards.render import render

Rgb = tuple[float, float, float]
THEMES: dict[str, tuple[Rgb, Rgb]] = {
    "light": ((255, 255, 255), (32, 34, 38)),
    "dark": ((24, 27, 31), (247, 248, 250)),
}
"""Grafana's panels (background.primary), and what it writes on backgrounds of an alpha below 0.3."""
ROOT = Path(__file__).parents[2]
PAGES_CSS = (ROOT / "dashboards/web/assets/pages.css").read_text("utf-8")
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


def colours_of(properties: dict[str, Any]) -> Iterator[str]:
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
            assert set(colours_of(properties)) <= {"text"}, where
            continue
        assert options["mode"] == "basic", where  # the other one mixes its own colours
        found = list(colours_of(properties))
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
        for color in colours_of(properties):
            if color == "text":
                continue
            for theme, (background, _) in THEMES.items():
                assert contrast(parsed(color)[0], background) >= LARGE, (where, color, theme)
                seen += 1
    assert seen > 50


def of_pages(dark: bool) -> dict[str, Rgb]:
    """The pages' own colours, by their names in the style sheet."""
    light, dark_ = re.findall(r":root \{(.*?)\}", PAGES_CSS, flags=re.DOTALL)[:2]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", light))
    found |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", dark_)) if dark else {}
    long = {
        name: "#" + "".join(2 * one for one in text[1:]) if len(text) == 4 else text for name, text in found.items()
    }
    return {name: parsed(text.upper())[0] for name, text in long.items()}


BACKGROUNDS = {
    **{f"boards, {theme}": panel for theme, (panel, _) in THEMES.items()},
    **{f"pages, {name}, {dark=}": of_pages(dark)[name] for dark in (False, True) for name in ("paper", "panel")},
}


@pytest.mark.parametrize("color", colours.ALL)
def test_every_colour_can_be_seen_on_light_and_on_dark(color: str) -> None:
    seen = {where: contrast(parsed(color)[0], background) for where, background in BACKGROUNDS.items()}
    assert len(seen) == 6
    assert min(seen.values()) >= LARGE, seen


def test_charts_take_their_colours_from_one_home() -> None:
    sources = [*ROOT.glob("dashboards/**/*.py"), *ROOT.glob("streams/alerts/*.py"), *ROOT.glob("deploy/web/*.py")]
    assert len(sources) > 60
    own = {path.name: set(re.findall(r"[\"'](#[0-9A-Fa-f]{6})\b", path.read_text("utf-8"))) for path in sources}
    grounds = {name: found for name, found in own.items() if found}
    for name, found in grounds.items():  # of areas that lie behind something, never of what says something itself
        assert all(contrast(parsed(one.upper())[0], (255, 255, 255)) < 1.5 for one in found), (name, found)
    report = (ROOT / "dashboards/reports/templates/style.css").read_text("utf-8")
    borders = re.findall(r"border-color: (#[0-9A-Fa-f]{6})", report)
    assert len(borders) == 3
    assert set(borders) <= set(colours.ALL)


@pytest.mark.parametrize("kind", ["timeseries", "barchart", "status-history", "piechart", "heatmap", "geomap"])
def test_whatever_charts_draw_is_of_these_colours(kind: str) -> None:
    found = {color for _, _, properties in read_in(kind) for color in colours_of(properties)}
    assert {one for one in found if one.startswith("#")} <= set(colours.ALL)


def test_words_on_pages_can_be_read() -> None:
    for dark in (False, True):
        named = of_pages(dark)
        for word in ("ink", "soft", "link", "bad", "warn", "good", "note"):
            for ground in ("paper", "panel"):
                assert contrast(named[word], named[ground]) >= SMALL, (dark, word, ground)
        assert contrast(named["on-accent"], named["accent"]) >= SMALL, dark


EYES: dict[str, NDArray[np.float64]] = {
    "all colours": np.eye(3),
    "no red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "no green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
"""What eyes make of linear RGB: Machado, Oliveira and Fernandes 2009, wholly without one kind of cone."""
APART = 9.0
"""CIEDE2000 between any two, whatever the eyes; Okabe and Ito's own, which are not all seen on white, come to 7.9."""


def lab(color: Rgb, eyes: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE L*a*b* (D65) of a colour as these eyes have it."""
    parts = np.array(color) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    ratio = to_xyz @ np.clip(eyes @ linear, 0, 1) / to_xyz.sum(axis=1)
    x, y, z = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def ciede2000(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Difference of two colours in L*a*b* (CIE 142-2001; Sharma, Wu and Dalal 2005)."""
    mean = (np.hypot(one[1], one[2]) + np.hypot(other[1], other[2])) / 2
    g = 0.5 * (1 - np.sqrt(mean**7 / (mean**7 + 25**7)))
    (c1, h1), (c2, h2) = (
        (np.hypot(a * (1 + g), b), np.degrees(np.arctan2(b, a * (1 + g))) % 360)
        for a, b in ((one[1], one[2]), (other[1], other[2]))
    )
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    dl, dc, dh = other[0] - one[0], c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)
    light, chroma = (one[0] + other[0]) / 2, (c1 + c2) / 2
    hue = (h1 + turn / 2) % 360 if c1 * c2 else h1 + h2
    t = 1 + sum(
        k * np.cos(np.radians(n * hue + shift))
        for k, n, shift in ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.2, 4, -63))
    )
    sl = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    turned = 2 * np.sqrt(chroma**7 / (chroma**7 + 25**7)) * np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    dl, dc, dh = dl / sl, dc / sc, dh / sh
    return float(np.sqrt(dl**2 + dc**2 + dh**2 - turned * dc * dh))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.5, 0.0), (61.0, -5.0, 29.0), 22.8977),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ],
)
def test_the_difference_is_ciede2000_s(one: Rgb, other: Rgb, expected: float) -> None:
    assert ciede2000(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-4)  # Sharma's table 1


@pytest.mark.parametrize("eyes", EYES)
def test_any_two_colours_are_told_apart_by_eyes_of_any_kind(eyes: str) -> None:
    seen = {
        (one, other): ciede2000(*(lab(parsed(color)[0], EYES[eyes]) for color in (one, other)))
        for one, other in combinations(colours.ALL, 2)
    }
    assert len(seen) == 28
    closest = min(seen, key=lambda pair: seen[pair])
    assert seen[closest] >= APART, (closest, seen[closest])
