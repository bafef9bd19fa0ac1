"""Panels as values, in Grafana's own vocabulary (schema 37, which 9.4 speaks and every later one reads).

A builder gives a `Panel` in both languages; `dashboards.render` places it and writes it down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from analytics.domain.words import Language, Phrase
from dashboards.text import GREY, NO_VALUE, NONE, NONE_WHERE_EMPTY, VALUES, Word, tint

__all__ = [
    "DATASOURCE",
    "DATASOURCE_UID",
    "NET",
    "PAGES",
    "Panel",
    "Step",
    "bars",
    "columns_of",
    "flow",
    "geomap",
    "lines",
    "note",
    "section",
    "stat",
    "strip",
    "table",
    "thresholds",
]

DATASOURCE_UID: Final = "meterwarden"
"""The same in every organization, so that the same board shows each its own rows."""
_CELLS: Final = 120
"""Of a strip: Grafana draws none where a cell has less than two pixels, and a phone has some 360."""
DATASOURCE: Final = {"type": "postgres", "uid": DATASOURCE_UID}

Json = dict[str, Any]

_NO_TILE: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAAC0lEQVR42mNgAAIAAAUAAen63NgAAAAASUVORK5CYII="
)
_NOT_TOLD: Final = {"legend": False, "tooltip": True, "viz": False}
PAGES: Final = "{{pages}}"
"""Where the web pages are, in Markdown; a line with it is left out where nobody said."""
NET: Final[Json] = {
    "color": {"fixedColor": "text", "mode": "fixed"},
    "custom.drawStyle": "line",
    "custom.fillOpacity": 0,
    "custom.lineWidth": 2,
    "custom.stacking": {"group": "A", "mode": "none"},
}
"""A line over bars: what is left when the bars below zero are taken from those above."""


_QUIET_ZERO: Final[Json] = {"options": {"0": {"color": GREY, "index": 98}}, "type": "value"}
"""A count of nothing is no alarm."""
_QUIET_NOTHING: Final[Json] = {
    "options": {"match": "null", "result": {"color": GREY, "index": 97}},
    "type": "special",
}
"""Nor is a number that is not known; else it has the colour of the lowest threshold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A threshold: the colour from this value on."""

    at: float | None
    color: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel before it has a place: what it shows, how large it is, and from which question."""

    kind: str
    title: Phrase
    description: Phrase
    width: int
    height: int
    query: str | None = None
    beside: str | None = None
    """A second question, of panels that draw two tables."""
    format: Literal["table", "time_series"] = "table"
    options: Json = field(default_factory=dict)
    defaults: Json = field(default_factory=dict)
    columns: Mapping[str, Json] = field(default_factory=dict)
    """More of a column's or series' properties, by its name in the SQL."""
    hidden: Mapping[Language, tuple[str, ...]] = field(default_factory=dict)
    """Columns of the SQL that a language does not show."""
    names: tuple[str, ...] = ()
    """All columns of the SQL, of tables whose large amounts are multiples in Chinese."""
    interval: str | None = None
    """Shortest interval that a point may stand for."""
    content: Phrase | None = None
    folded: bool = False
    """Of a section: whether what stands below it is shown only when somebody opens it."""
    cells: int | None = None
    """About how many intervals the range is cut into; else one a pixel."""


def section(title: Phrase, description: Phrase, *, folded: bool = False) -> Panel:
    """A line across the board, over the panels up to the next one."""
    return Panel(kind="row", title=title, description=description, width=24, height=1, folded=folded)


def note(title: Phrase, description: Phrase, content: Phrase, *, width: int, height: int) -> Panel:
    """Phrase in Markdown."""
    return Panel(kind="text", title=title, description=description, content=content, width=width, height=height)


def stat(
    title: Phrase, description: Phrase, query: str, *, width: int = 6, height: int = 4, unit: str = "short",
    columns: Mapping[str, Json] | None = None, steps: Sequence[Step] = (), decimals: int | None = None,
    stacked: bool = False,
) -> Panel:  # fmt: skip
    """Numbers of one row, each with its name; each in its own word's colour unless there are steps.

    `stacked` puts each on a line of its own: a time would be wrapped on a phone, or lie over its neighbour.
    """
    defaults: Json = {"unit": unit, "mappings": [_QUIET_ZERO, _QUIET_NOTHING], "thresholds": thresholds(steps)}
    defaults["color"] = {"mode": "thresholds"}
    if decimals is not None:
        defaults["decimals"] = decimals
    return Panel(
        kind="stat",
        title=title,
        description=description,
        width=width,
        height=height,
        query=query,
        options={
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "horizontal" if stacked else "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "/.*/", "values": False},
            "text": {"titleSize": 13, "valueSize": 26},  # else Grafana shrinks labels until nobody can read them
            "textMode": "value_and_name",
        },
        defaults=defaults,
        columns=columns or {},
    )


def table(
    title: Phrase, description: Phrase, query: str, *, width: int = 24, height: int = 8,
    columns: Mapping[str, Json] | None = None, hidden: Mapping[Language, tuple[str, ...]] | None = None,
    names: str = "",
) -> Panel:  # fmt: skip
    """Rows, with codes in words and a filter on the columns that rows are picked by."""
    return Panel(
        kind="table",
        title=title,
        description=description,
        width=width,
        height=height,
        query=query,
        options={
            "cellHeight": "sm",
            "frameIndex": 0,
            "showHeader": True,
        },
        defaults={
            "custom": {
                "align": "auto",
                "cellOptions": {"type": "auto"},
                "displayMode": "auto",  # what Grafana before 10 calls it
                "filterable": False,
                "inspect": False,
                "minWidth": 70,
            },
            "mappings": [],
            "thresholds": thresholds(()),
        },
        columns=columns or {},
        hidden=hidden or {},
        names=tuple(names.split()),
    )


def lines(
    title: Phrase, description: Phrase, query: str, *, width: int = 12, height: int = 8, unit: str = "short",
    interval: str | None = None, columns: Mapping[str, Json] | None = None, low: float | None = None,
    high: float | None = None, steps: Sequence[Step] = (), fill: int = 10,
) -> Panel:  # fmt: skip
    """Values over time. A line that stops has no data there: gaps are never bridged, and 0 is a line on the axis."""
    custom = _drawn("line", fill=fill)  # not in steps: Grafana draws the last step on to the end of the chart
    if low is not None and high is None:  # an amount, which may be less than nothing
        custom, low = custom | {"axisSoftMin": low}, None
    return _chart(title, description, query, width=width, height=height, unit=unit, interval=interval,
                  columns=columns, low=low, high=high, steps=steps, custom=custom)  # fmt: skip


def bars(
    title: Phrase, description: Phrase, query: str, *, width: int = 12, height: int = 8, unit: str = "short",
    interval: str | None = None, columns: Mapping[str, Json] | None = None, stacked: bool = True,
    summed: bool = True,
) -> Panel:  # fmt: skip
    """Amounts of days or hours beside or on top of each other; what was given away is below zero.

    With `summed` the legend says what each comes to over the time shown.
    """
    custom = _drawn("bars", fill=80) | {
        "axisSoftMin": 0,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
    }
    return _chart(title, description, query, width=width, height=height, unit=unit, interval=interval,
                  columns=columns, low=None, high=None, steps=(), custom=custom,
                  calcs=("sum",) if summed else ())  # fmt: skip


def columns_of(
    title: Phrase, description: Phrase, query: str, *, over: str, width: int = 12, height: int = 8,
    columns: Mapping[str, Json] | None = None,
) -> Panel:  # fmt: skip
    """Amounts of classes (the column `over`), each with its number."""
    return Panel(
        kind="barchart",
        title=title,
        description=description,
        width=width,
        height=height,
        query=query,
        options={
            "barRadius": 0,
            "barWidth": 0.9,
            "fullHighlight": False,
            "groupWidth": 0.8,
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
            "orientation": "auto",
            "showValue": "always",
            "stacking": "none",
            "text": {},
            "tooltip": {"mode": "multi", "sort": "none"},
            "xField": over,
            "xTickLabelRotation": 0,
            "xTickLabelSpacing": 60,  # labels that would lie over each other on a phone are left out
        },
        defaults={
            "color": {"mode": "palette-classic"},
            "custom": {"fillOpacity": 80, "gradientMode": "none", "lineWidth": 1},
            "decimals": 0,
            "mappings": [],
            "min": 0,
            "thresholds": thresholds(()),
            "unit": "none",
        },
        # Grafana 12 writes what is said of no value where it leaves a label out
        columns={**(columns or {}), over: {**(columns or {}).get(over, {}), "noValue": ""}},
    )


def strip(
    title: Phrase, description: Phrase, query: str, *, width: int = 24, height: int = 8, unit: str = "percent",
    interval: str = "1h", steps: Sequence[Step] = (), words: Mapping[str, Word] | None = None, legend: bool = False,
    columns: Mapping[str, Json] | None = None, color: str = "thresholds",
) -> Panel:  # fmt: skip
    """A cell for each interval and thing; a cell without data stays empty."""
    defaults: Json = {
        "color": {"mode": color},
        "custom": {"fillOpacity": 90, "lineWidth": 0},
        "mappings": [],
        "thresholds": thresholds(steps),
        "unit": unit,
    }
    if words:
        defaults["words"] = words
    return Panel(
        kind="status-history",
        title=title,
        description=description,
        width=width,
        height=height,
        query=query,
        format="time_series",
        options={
            "colWidth": 0.95,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": legend, "calcs": []},
            "rowHeight": 0.9,
            "showValue": "never",
            "tooltip": {"mode": "single", "sort": "none"},
        },
        defaults=defaults,
        columns=columns or {},
        interval=interval,
        cells=_CELLS,
    )


def flow(
    title: Phrase, description: Phrase, nodes: str, edges: str, *, width: int = 24, height: int = 18
) -> Panel:  # fmt: skip
    """Things and which feeds which; what they are called and their numbers are columns of the SQL."""
    return Panel(
        kind="nodeGraph",
        title=title,
        description=description,
        width=width,
        height=height,
        query=nodes,
        beside=edges,
    )


def geomap(
    title: Phrase, description: Phrase, query: str, *, width: int = 24, height: int = 14,
    columns: Mapping[str, Json] | None = None,
) -> Panel:  # fmt: skip
    """Things where they are, by longitude and latitude, in the colour of their state.

    Each base layer that Grafana knows fetches its tiles or style from the internet, and one that is not named is one of
    them; the base is therefore a tile layer of one transparent picture, until somebody gives it a service of tiles.
    """
    return Panel(
        kind="geomap",
        title=title,
        description=description,
        width=width,
        height=height,
        query=query,
        options={
            "basemap": {"config": {"attribution": "", "url": _NO_TILE}, "name": "", "type": "xyz"},
            "controls": {
                "mouseWheelZoom": False,  # else the board cannot be scrolled past it
                "showAttribution": False,
                "showDebug": False,
                "showScale": True,
                "showZoom": True,
            },
            "layers": [
                {
                    "config": {
                        "showLegend": False,
                        "style": {
                            "color": {"field": "state", "fixed": GREY},
                            "opacity": 0.9,
                            "size": {"fixed": 8, "max": 15, "min": 2},
                            "symbol": {"fixed": "img/icons/marker/circle.svg", "mode": "fixed"},
                            "text": {"field": "label", "fixed": "", "mode": "field"},
                            "textConfig": {
                                "fontSize": 12,
                                "offsetX": 12,
                                "offsetY": 0,
                                "textAlign": "left",
                                "textBaseline": "middle",
                            },
                        },
                    },
                    "location": {"latitude": "latitude", "longitude": "longitude", "mode": "coords"},
                    "name": title.en,
                    "tooltip": True,
                    "type": "markers",
                }
            ],
            "tooltip": {"mode": "details"},
            "view": {"allLayers": True, "id": "fit", "lat": 0, "lon": 0, "padding": 15, "zoom": 12},
        },
        defaults={"color": {"mode": "thresholds"}, "mappings": [], "thresholds": thresholds(())},
        columns={
            **{name: {"custom.hideFrom": _NOT_TOLD} for name in ("label", "longitude", "latitude", "unit_code")},
            **(columns or {}),
        },
    )


def _chart(
    title: Phrase, description: Phrase, query: str, *, width: int, height: int, unit: str, interval: str | None,
    columns: Mapping[str, Json] | None, low: float | None, high: float | None, steps: Sequence[Step], custom: Json,
    calcs: Sequence[str] = (),
) -> Panel:  # fmt: skip
    defaults: Json = {"color": {"mode": "palette-classic"}, "custom": custom, "mappings": [], "unit": unit}
    defaults["thresholds"] = thresholds(steps)
    if low is not None:
        defaults["min"] = low
    if high is not None:
        defaults["max"] = high
    if steps:
        custom["thresholdsStyle"] = {"mode": "line"}
    return Panel(
        kind="timeseries",
        title=title,
        description=description,
        width=width,
        height=height,
        query=query,
        format="time_series",
        options={
            "legend": {"calcs": [*calcs], "displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        defaults=defaults,
        columns=columns or {},
        interval=interval,
    )


def _drawn(style: str, *, fill: int) -> Json:
    return {
        "axisCenteredZero": False,
        "axisColorMode": "text",
        "axisLabel": "",
        "axisPlacement": "auto",
        "barAlignment": 1,
        "drawStyle": style,
        "fillOpacity": fill,
        "gradientMode": "none",
        "hideFrom": {"legend": False, "tooltip": False, "viz": False},
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "pointSize": 4,
        "scaleDistribution": {"type": "linear"},
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "none"},
        "thresholdsStyle": {"mode": "off"},
    }


def thresholds(steps: Sequence[Step]) -> Json:
    """Steps in Grafana's words; none leaves the colour of text."""
    found = steps or (Step(at=None, color="text"),)
    return {"mode": "absolute", "steps": [{"color": step.color, "value": step.at} for step in found]}


def mappings(column: str, language: Language) -> list[Json]:
    """The codes of a column in words, with a tint behind them where they have a colour."""
    words = {
        code: word._replace(color=tint(word.color)) if word.color else word
        for code, word in VALUES.get(column, {}).items()
    }
    return word_mappings(words, language, empty=NONE if column in NONE_WHERE_EMPTY else NO_VALUE)


def word_mappings(words: Mapping[str, Word], language: Language, *, empty: Phrase = NO_VALUE) -> list[Json]:
    """Words instead of codes, and words where there is nothing."""
    found: list[Json] = []
    if words:
        options = {}
        for index, (code, word) in enumerate(words.items()):
            result: Json = {"index": index, "text": word.of(language)}
            if word.color:
                result["color"] = word.color
            options[code] = result
        found.append({"options": options, "type": "value"})
    # not null+nan: Grafana counts every text that is no number as NaN, and so each code without a word
    found.append({"options": {"match": "null", "result": {"index": 99, "text": empty.of(language)}}, "type": "special"})
    return found
