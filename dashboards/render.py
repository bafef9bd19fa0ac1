"""Boards as Grafana's JSON: panels get places and ids, names and words of one language, and the text of their SQL.

The JSON is the same on every machine. It is checked in under ``dashboards/generated`` and compared by a test; write it
anew with ``python -m dashboards.render``.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from analytics.domain.words import LANGUAGES, Language, Phrase
from dashboards.amounts import scaled_sql
from dashboards.boards import BOARDS, Board, Variable
from dashboards.panels import DATASOURCE, PAGES, Json, Panel, Step, mappings, thresholds, word_mappings
from dashboards.queries import query
from dashboards.text import COLUMNS, NO_VALUE, NONE, NONE_WHERE_EMPTY, ORANGE, PURPLE, SERIES, VALUES, Word, tint

__all__ = ["GENERATED", "least_width", "render", "render_all", "spoken", "text_of", "width_of"]

GENERATED: Final = Path(__file__).parent / "generated"
SCHEMA: Final = 37  # of Grafana 9.4; later ones migrate it as they load it
WIDTH: Final = 24

_UNITS: Final = {
    "percent": (
        "cost_share completeness rate rate_margin share change precision estimated_share smallest_30d smallest_90d"
    ),
    "percentunit": "confidence spool_used",
    "bytes": "bytes snapshot_bytes database_size disk_free disk_growth backup_size",
    "kwatt": "demand demand_mean",
    "dthms": "waits_for moved_ago backup_age fence_age sample_age stale_age oldest_waiting",
    "s": "transaction_time",
    "locale": (
        "cost price amount last_year unexplained learnt_rate dial_before dial_after energy_affected "
        "energy_affected_low energy_affected_high rows_about"
    ),
    "suffix:h": "hours_typical hours_worst",
    "none": "multiplier partition next_offset ledger_version cycle_months attempts",
}
_INSTANTS: Final = (
    "started_at ended_at opened_at raised_at since at as_of last_at moved_at snapshot_at oldest_at last_sent_at "
    "waiting_until last_backup"
)
UNITS: Final = {column: unit for unit, columns in _UNITS.items() for column in columns.split()} | {
    **dict.fromkeys(_INSTANTS.split(), "time:YYYY-MM-DD HH:mm"),  # else with milliseconds, which nobody reads
    "installed_from": "time:YYYY-MM-DD",
}
"""Grafana's unit of a column, by its name in the SQL; none whose name Grafana writes out in English."""

_TENTHS: Final = (
    "cost amount last_year tce tce_last_year tce_year tce_affected energy_affected energy_affected_low "
    "energy_affected_high rate_margin change magnitude unexplained"
)
DECIMALS: Final = {"rows_about": 0} | dict.fromkeys(_TENTHS.split(), 1)
"""Digits after the point of a column of tables."""

_COUNTS: Final = "alerts overdue serious findings due_30 due_90 unknown units_failing undecided person fail"
QUIET: Final = frozenset(_COUNTS.split())
"""Columns of counts whose zeros say that nothing is to be done."""

WIDTHS: Final[dict[str, int | tuple[int, int]]] = {
    **dict.fromkeys(_INSTANTS.split(), 145),
    **dict.fromkeys(("severity", "grade", "clause", "month"), 95),
    **dict.fromkeys(("judged_for", "verification_due", "verified_on", "due_on", "installed_from"), 105),
    "fault": (118, 150),
    "verification": (166, 150),
    "verdict_on_site": (118, 138),
    "case_state": (190, 185),
    "body": 140,
    "table_name": 170,
    **dict.fromkeys(("verdict", "state"), (150, 205)),
    "todo": (180, 215),
    "attention": 260,
    "what": 300,
    "what_en": 340,
    "level": 170,
    "point": 105,
    "carrier": (120, 140),
    "kind": 185,
    "magnitude_unit": (85, 115),
    "question": 118,
    "observable": (90, 120),
    "tariff_period": (115, 145),
    "reason": 140,
    **dict.fromkeys(("fault_kind", "note"), (130, 170)),
    "unit_code": 192,
    "unit_name": 230,
    "edition": 325,
    "required_zh": 300,
    "found_zh": 200,
    "next_step_zh": 360,
    "found": 260,
    "next_step_en": 420,
    "title_zh": 300,
    "title_en": 300,
    "missing": 220,
    "why": 330,
    "topic": 180,
    "last_error": 260,
}
"""Columns of tables whose words would be cut off in an even share of the room, in both languages or in each. [px]"""

_FILTERED: Final = (
    "unit_name unit_code point parent_point meter_no place model body sub_unit name month clause topic worker channel "
    "next_step_zh next_step_en currency unit by_name number case_number grade edition"
)
_LEAST: Final = 70
"""Of a column. [px]"""
_OF_AMOUNTS: Final = 105
"""For 11,722,533.4: a number whose first digits are cut off reads as another one. [px]"""
FILTERED: Final = frozenset(_FILTERED.split()) | VALUES.keys()
"""Columns of tables that rows are picked by; a filter at every heading would leave no room for its words."""

_ROWS: Final = frozenset({"table", "geomap"})
"""Kinds of panels whose columns are facts of a row, not series."""
_LANGUAGE_LINK: Final = Phrase(zh="English", en="中文")


def render_all() -> dict[str, str]:
    """Every board in every language, as text by its path below `GENERATED`."""
    return {
        f"{language}/{board.name}.json": text_of(render(board, language)) for language in LANGUAGES for board in BOARDS
    }


def text_of(board: Json) -> str:
    """JSON as it is checked in."""
    return json.dumps(board, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def render(board: Board, language: Language, *, pages: str = "") -> Json:
    """One board in one language.

    Parameters
    ----------
    pages : str
        Address of the web pages, which texts link to; '' for no link.
    """
    return {
        "annotations": {"list": [_annotation(board, language)] if board.annotations else []},
        "description": board.description.of(language),
        "editable": False,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "id": None,
        "links": list(_links(board, language)),
        "liveNow": False,
        "panels": _panels(board, language, pages),
        "refresh": board.refresh,
        "schemaVersion": SCHEMA,
        "tags": ["meterwarden", language],
        "templating": {"list": [_variable(variable, language) for variable in board.variables]},
        "time": {"from": board.since, "to": "now"},
        "timepicker": {},
        "timezone": "",
        "title": board.title.of(language),
        "uid": board.uid(language),
        "version": 1,
        "weekStart": "monday",
    }


def _panels(board: Board, language: Language, pages: str) -> list[Json]:
    """All of them in their places; what stands below a folded row is inside it, as Grafana has it."""
    found: list[Json] = []
    into = found
    hidden = 0  # lines below folded rows, which take no room until they are opened
    folded_from: int | None = None
    for panel, place in _placed(board):
        if panel.kind == "row":
            if folded_from is not None:
                hidden, folded_from = hidden + place["y"] - folded_from, None
            if panel.folded:
                folded_from = place["y"] + panel.height
        made = _panel(panel, place, language, pages)
        made["gridPos"] = {**place, "y": place["y"] - hidden}
        if panel.kind == "row":
            into = made["panels"] if panel.folded else found
            found.append(made)
        else:
            into.append(made)
    return found


def _placed(board: Board) -> Iterator[tuple[Panel, Json]]:
    """Panels from left to right in lines as high as their highest; a row begins a line of its own."""
    x = y = tallest = 0
    for panel in board.panels:
        if x + panel.width > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        yield panel, {"h": panel.height, "w": panel.width, "x": x, "y": y}
        x, tallest = x + panel.width, max(tallest, panel.height)


def _identity(place: Json) -> int:
    """A panel's number: its place, so that it stays when others come and go below."""
    number: int = place["y"] * WIDTH + place["x"] + 1
    return number


def _panel(panel: Panel, place: Json, language: Language, pages: str) -> Json:
    base: Json = {
        "id": _identity(place),
        "title": panel.title.of(language),
        "description": panel.description.of(language),
        "gridPos": place,
        "type": panel.kind,
    }
    if panel.kind == "row":
        base.pop("description")  # a row has none
        return {**base, "collapsed": panel.folded, "panels": []}
    if panel.kind == "text":
        content = panel.content.of(language) if panel.content else ""
        lines = (line.replace(PAGES, pages) for line in content.splitlines() if pages or PAGES not in line)
        return {**base, "options": {"mode": "markdown", "content": "\n".join(lines).strip()}}
    assert panel.query is not None, "every other panel asks something"
    found = {
        **base,
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": _defaults(panel, language), "overrides": list(_overrides(panel, language))},
        "options": panel.options,
        "targets": [_asked(panel, panel.query, language)]
        + ([{**_target(panel.beside, panel.format), "refId": "B"}] if panel.beside else []),
        "transparent": False,
    }
    if panel.interval:
        found["interval"] = panel.interval
    if panel.cells:
        found["maxDataPoints"] = panel.cells
    return found


def _asked(panel: Panel, name: str, language: Language) -> Json:
    target = _target(name, panel.format, panel.names if language == "zh" else ())
    return {**target, "rawSql": _labelled(target["rawSql"])} if panel.kind == "geomap" else target


def _labelled(asked: str) -> str:
    """A question of things with a state, and what a map writes beside each: its sign and its name."""
    signs = ", ".join(f"('{code}', '{word.sign}')" for code, word in VALUES["state"].items())
    return (
        f"select q.*, concat_ws(' ', s.sign, q.unit_name) as label\nfrom (\n{asked}\n) q\n"
        f"left join (values {signs}) s (code, sign) on s.code = q.state"
    )


def _target(name: str, form: str, names: Sequence[str] = ()) -> Json:
    return {
        "datasource": DATASOURCE,
        "editorMode": "code",
        "format": form,
        "rawQuery": True,
        "rawSql": scaled_sql(query(name), names) if names else query(name),
        "refId": "A",
    }


def _defaults(panel: Panel, language: Language) -> Json:
    defaults = {**panel.defaults, "noValue": NO_VALUE.of(language)}
    if language == "zh" and defaults.get("unit") == "short":
        defaults["unit"] = "locale"  # Grafana's "short" says K, Mil and Bil
    words = defaults.pop("words", None)
    if words is not None:
        defaults["mappings"] = word_mappings(words, language)
        defaults["color"] = {"mode": "fixed"}  # the words have their own, and the legend then tells them
    return defaults


def _overrides(panel: Panel, language: Language) -> Iterator[Json]:
    """Names, words and units of the columns that the panel's SQL speaks of."""
    names: dict[str, Any] = dict(COLUMNS) if panel.kind in _ROWS else dict(SERIES)
    for column in sorted({*spoken(panel, names), *panel.columns}):
        properties = list(_properties(panel, column, language))
        if properties:
            yield {"matcher": {"id": "byName", "options": column}, "properties": properties}


def spoken(panel: Panel, names: Mapping[str, Any]) -> set[str]:
    """Which of the columns or series that have names a panel's SQL speaks of.

    More than it gives is no harm; that none is missing is asked of the database in the tests.
    """
    text = query(panel.query or "")
    found = {name for name in names if re.search(rf"\b{name}\b", text)}
    if panel.kind != "table":
        for column in ("carrier", "kind", "reason"):
            if f"{column} as metric" in text:
                found |= set(VALUES[column])
        if "partition) as metric" in text:
            found |= {name for name in names if re.fullmatch(r"P\d", name)}
    return found


def _properties(panel: Panel, column: str, language: Language) -> Iterator[Json]:
    given = dict(panel.columns.get(column, {}))
    if column in panel.hidden.get(language, ()):
        yield {"id": "custom.hidden", "value": True}  # before Grafana 12.2
        yield {"id": "custom.hideFrom.viz", "value": True}  # since
        return
    name: Phrase | Word | None = COLUMNS.get(column) if panel.kind in _ROWS else SERIES.get(column)
    if name is not None:
        yield {"id": "displayName", "value": name.of(language)}
    if isinstance(name, Word) and name.color and "color" not in given:
        yield {"id": "color", "value": {"mode": "fixed", "fixedColor": name.color}}
    tables_own = UNITS.get(column) == "locale" and panel.kind != "table"  # charts keep one unit, so one axis
    if column in UNITS and "unit" not in given and not tables_own:
        yield {"id": "unit", "value": UNITS[column]}
    if panel.kind == "table":
        yield from _cells(column, language, given)
    if panel.kind == "geomap" and column in VALUES:
        yield {"id": "mappings", "value": word_mappings(VALUES[column], language)}
    link = given.pop("link", None)
    if link is not None:
        yield {"id": "links", "value": [{"title": link[0].of(language), "url": link[1].format(language=language)}]}
    for key, value in given.items():
        yield {"id": key, "value": value}


def width_of(column: str, language: Language) -> int | None:
    """How wide a column of tables is in a language; None for an even share. [px]"""
    width = WIDTHS.get(column)
    if width is None:
        return None
    return max(width[LANGUAGES.index(language)] if isinstance(width, tuple) else width, least_width(column, language))


def least_width(column: str, language: Language) -> int:
    """Room for a column's heading, of which no word is broken and no Chinese one wrapped. [px]

    Grafana measures how high a row of headings must be by Latin letters, and cuts Chinese ones that need another line.
    """
    name = COLUMNS[column].of(language) if column in COLUMNS else column
    longest = name if language == "zh" else max(name.split(), key=len)
    letters = sum(14 if unicodedata.east_asian_width(letter) in "WF" else 9 for letter in longest)
    figures = _OF_AMOUNTS if UNITS.get(column) == "locale" or column in _TENTHS.split() else _LEAST
    return max(letters + 16 + (22 if column in FILTERED else 0), figures)


def _cells(column: str, language: Language, given: Mapping[str, Any]) -> Iterator[Json]:
    """How a column of a table is written, where its panel does not say."""
    if column in DECIMALS and "decimals" not in given:
        yield {"id": "decimals", "value": DECIMALS[column]}
    if "custom.width" not in given:
        width = width_of(column, language)
        yield {
            "id": "custom.minWidth" if width is None else "custom.width",
            "value": width or least_width(column, language),
        }
    if column in FILTERED:
        yield {"id": "custom.filterable", "value": True}
    if language == "en" and " " in COLUMNS.get(column, NONE).en:
        yield {"id": "custom.wrapHeaderText", "value": True}  # since Grafana 12
    if column in NONE_WHERE_EMPTY:
        yield {"id": "noValue", "value": NONE.of(language)}
    if column in QUIET:
        yield from _tinted(_SOME)
    if column in VALUES:
        yield {"id": "mappings", "value": mappings(column, language)}
        if any(word.color for word in VALUES[column].values()):
            yield from _tinted(())


_SOME: Final = (Step(at=1, color=tint(ORANGE)),)


def _tinted(steps: Sequence[Step]) -> Iterator[Json]:
    """Cells on a tint of their own, those without one on none."""
    yield {"id": "thresholds", "value": thresholds((Step(at=None, color="transparent"), *steps))}
    yield {"id": "color", "value": {"mode": "thresholds"}}
    yield {"id": "custom.displayMode", "value": "color-background-solid"}  # before Grafana 10
    yield {"id": "custom.cellOptions", "value": {"type": "color-background", "mode": "basic"}}  # since


def _variable(variable: Variable, language: Language) -> Json:
    return {
        "datasource": DATASOURCE,
        "description": variable.description.of(language),
        "hide": 2 if variable.hidden else 0,
        "includeAll": variable.every,
        "label": variable.label.of(language),
        "multi": variable.every,
        "name": variable.name,
        "options": [],
        "query": _choices(variable, language),
        "refresh": 1,
        "regex": "",
        "skipUrlSync": variable.hidden,
        "sort": 0,
        "type": "query",
    }


def _choices(variable: Variable, language: Language) -> str:
    """The question that gives them; codes are shown as words, with what stands beside them."""
    asked = query(variable.query)
    if variable.words is None:
        return asked
    words = ", ".join(f"('{code}', '{word.of(language)}')" for code, word in VALUES[variable.words].items())
    return (
        "select concat_ws(' · ', coalesce(w.word, c.code), c.beside) as __text, c.code as __value\n"
        f"from (\n{asked}\n) c (code, beside, place)\n"
        f"left join (values {words}) w (code, word) on w.code = c.code\norder by c.place"
    )


def _annotation(board: Board, language: Language) -> Json:
    assert board.annotations is not None
    strips = [_identity(place) for panel, place in _placed(board) if panel.kind == "status-history"]
    return {
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "filter": {"exclude": True, "ids": strips},  # a strip tells by colour what a mark would cover
        "iconColor": PURPLE,
        "name": Phrase(zh="检出", en="detections").of(language),
        "target": {
            **_target(board.annotations, "table"),
            "rawSql": _marks(board.annotations, language),
            "refId": "Anno",
        },
    }


def _marks(name: str, language: Language) -> str:
    """The question that gives the marks, each with its kind in words and what it rests on."""
    words = ", ".join(f"('{code}', '{word.of(language)}')" for code, word in VALUES["kind"].items())
    what, colon = ("a.what", "：") if language == "zh" else ("a.what_en", ": ")
    return (
        f"select a.time, a.\"timeEnd\", concat_ws('{colon}', coalesce(w.word, a.code), nullif({what}, '')) as text\n"
        f"from (\n{query(name)}\n) a\nleft join (values {words}) w (code, word) on w.code = a.code\norder by a.time"
    )


def _links(board: Board, language: Language) -> Iterator[Json]:
    common: Json = {"asDropdown": False, "includeVars": True, "keepTime": True, "targetBlank": False}
    for other in board.links:
        yield {
            **common, "icon": "dashboard", "tags": [], "title": other.title.of(language), "tooltip": "", "type": "link",
            "url": f"/d/{other.uid(language)}",
        }  # fmt: skip
    twin: Language = "en" if language == "zh" else "zh"
    yield {
        **common, "icon": "external link", "tags": [], "title": _LANGUAGE_LINK.of(language), "tooltip": "",
        "type": "link", "url": f"/d/{board.uid(twin)}",
    }  # fmt: skip


def _write() -> None:
    for path, text in render_all().items():
        place = GENERATED / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _write()
