"""The pages' pieces without a database: numbers as people write them, parameters instead of macros, charts, flows."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from analytics.domain.words import Language
from dashboards import text
from dashboards.boards import BOARDS
from dashboards.queries import names, query
from dashboards.web import work_words
from dashboards.web.asking import Span, statement
from dashboards.web.charts import chart
from dashboards.web.flow import flow
from dashboards.web.panels import table_of
from dashboards.web.places import places
from dashboards.web.values import cell, number
from dashboards.web.words import COLUMNS, PAGES

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 30, 4, tzinfo=UTC)
SPAN = Span(since=NOW - timedelta(hours=6), until=NOW)
HOUR = timedelta(hours=1)
POINT = next(board for board in BOARDS if board.name == "point")
HOURS = next(panel for panel in POINT.panels if panel.query == "point_hours")


@pytest.mark.parametrize("page", sorted(set(PAGES) - {"common"}))
def test_no_page_renames_what_is_on_every_one(page: str) -> None:
    menu = {"today", "units", "alerts", "cases", "reviews", "ledger", "readings", "people", "operations", "mine"}
    renamed = {key for key in menu & set(PAGES[page]) if PAGES[page][key] != PAGES["common"][key]}
    assert renamed == set(), "the menu says one thing on every page"


def test_a_column_of_pages_has_the_name_that_boards_give_it() -> None:
    own = {**COLUMNS, **work_words.COLUMNS}
    # of an alert any dials, on boards those around a jump; of a certificate who issued it, on boards who verified
    assert own.keys() & text.COLUMNS.keys() == {"body", "dial_after", "dial_before"}


@pytest.mark.parametrize("name", names())
def test_no_macro_and_no_variable_is_left_in_a_statement(name: str) -> None:
    text = statement(query(name))
    assert "$" not in text
    left = re.sub(r"%\((unit|point|carrier|since__|until__|step__|step_ms__)\)s|%%", "", text)
    assert "%" not in left, "a percent sign of the SQL is doubled for the driver"


def test_a_chart_is_at_most_some_hundred_points_and_never_finer_than_its_panel() -> None:
    assert SPAN.step(HOURS) == HOUR
    year = Span(since=NOW - timedelta(days=365), until=NOW)
    assert timedelta(hours=24) <= year.step(HOURS) <= timedelta(days=7)


def test_a_gap_is_a_gap_and_no_line_is_drawn_over_it() -> None:
    values = [1.0, 2.0, None, 4.0, 5.0, 6.0]
    rows = [{"time": SPAN.since + n * HOUR, "measured": value} for n, value in enumerate(values)]
    found = chart(HOURS, rows, span=SPAN, step=HOUR, language="zh", zone=ZONE)
    assert found.picture is not None
    lines = re.findall(r'<polyline points="([^"]+)"', found.picture)
    assert [len(line.split()) for line in lines] == [2, 3]
    assert [key.name for key in found.keys] == ["实测"]
    none = [{"time": SPAN.since + n * HOUR, "measured": None} for n in range(6)]
    assert chart(HOURS, none, span=SPAN, step=HOUR, language="zh", zone=ZONE).picture is None


def test_a_point_before_the_range_lies_on_its_edge() -> None:
    rows = [{"time": SPAN.since - HOUR / 2, "measured": 1.0}, {"time": SPAN.since + HOUR / 2, "measured": 2.0}]
    found = chart(HOURS, rows, span=SPAN, step=HOUR, language="en", zone=ZONE)
    assert found.picture is not None
    xs = [float(x) for x in re.findall(r"(\d+\.\d),", found.picture)]
    assert min(xs) == 58.0


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("completeness", 97.25, "97.2 %"),
        ("confidence", 0.98, "98.0 %"),
        ("bytes", 3 * 2**20, "3.0 MiB"),
        ("fence_age", 125, "2.1 分钟"),
        ("severity", "serious", "■ 严重"),
        ("case_number", None, "–"),
        ("tce", None, "无数据"),
        ("started_at", NOW, "2026-11-30 12:00"),
        ("late", True, "是"),
        ("year", 2026, "2026"),
        ("by_name", "authority", "主管部门"),
        ("alert", 12345, "12345"),
        ("required", 95.0, "95.0 %"),
        ("waiting_until", None, "–"),
        ("unit_name", "<b>", "<b>"),
    ],
)
def test_a_value_reads_as_people_write_it(column: str, value: object, text: str) -> None:
    assert cell(column, value, language="zh", zone=ZONE).text == text


def test_large_amounts_are_written_in_wan_in_chinese_alone() -> None:
    rows = [{"carrier": "electricity", "amount": 11_722_533.4, "unit": "kWh"}]

    def written(language: Language) -> list[str]:
        found = table_of(rows, language=language, zone=ZONE, href=lambda _column, _row: "")
        assert found is not None
        return [one.text for one in found.rows[0][1:]]

    assert written("zh") == ["1,172.3", "万 kWh"]
    assert written("en") == ["11,722,533.4", "kWh"]
    hours = [{"time": SPAN.since, "measured": 250_000.0}, {"time": SPAN.since + HOUR, "measured": 0.0}]
    for language, last, tick in (("zh", "0", "20 万"), ("en", "0", "200k")):
        found = chart(HOURS, hours, span=SPAN, step=HOUR, language=language, zone=ZONE)  # type: ignore[arg-type]
        assert found.picture is not None
        assert f">{tick}<" in found.picture
        assert found.keys[0].last == last


def test_units_are_drawn_where_they_are_and_the_worst_is_named_first() -> None:
    rows = [
        {"unit_code": "A&1", "unit_name": "<甲>", "state": "compliant", "longitude": 118.0, "latitude": 32.0},
        {"unit_code": "B", "unit_name": "乙", "state": "serious", "longitude": 118.0, "latitude": 32.001},
        {"unit_code": "C", "unit_name": "丙", "state": "unknown", "longitude": 119.0, "latitude": 33.0},
    ]
    found = places(rows, title="图", language="zh", href=lambda code: f"/unit?unit={code}")
    assert found is not None
    assert found.picture is not None
    (ax, ay), (bx, by), (cx, cy) = (
        (float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', found.picture)
    )
    assert ax == bx < cx
    assert cy < by < ay
    assert (cx - ax) / (ay - cy) == pytest.approx(math.cos(math.radians(32.5)), abs=0.001), "kilometres, not degrees"
    assert re.findall(r"<text[^>]*>([^<]*)</text>", found.picture)[:-1] == ["■ 乙", "? 丙"], "no name over another"
    assert "<title>&lt;甲&gt;: ✓ 符合</title>" in found.picture
    assert 'href="/unit?unit=A&amp;1"' in found.picture
    assert [(key.name, key.last) for key in found.keys] == [
        ("✓ 符合", "1"),
        ("■ 有严重不符合项", "1"),
        ("? 待人工核查", "1"),
    ]
    ruler = re.search(r'x1="([\d.]+)"[^>]*x2="([\d.]+)"[^>]*/><text[^>]*>(\d+) km', found.picture)
    assert ruler is not None
    assert (float(ruler[2]) - float(ruler[1])) / float(ruler[3]) == pytest.approx((ay - cy) / 111.2, rel=0.01)
    alone = places(rows[:1], title="图", language="en", href=str)
    assert alone is not None
    assert "<circle" in (alone.picture or "")
    assert places([], title="图", language="en", href=str) is None


def test_bars_begin_at_nothing() -> None:
    panel = next(one for board in BOARDS for one in board.panels if one.query == "unit_tce_days")
    rows = [{"time": SPAN.since + n * HOUR, "metric": "electricity", "tce": 5.5 + 0.1 * n} for n in range(4)]
    found = chart(panel, rows, span=SPAN, step=HOUR, language="zh", zone=ZONE)
    assert found.picture is not None
    assert ">0<" in found.picture, "else a tenth more looks like twice as much"


def test_what_is_small_is_not_nothing() -> None:
    assert number(0.0004, 1) == "0.0004"
    assert number(0.0, 1) == "0.0"
    assert number(-0.0004) == "-0.0004"


def test_a_flow_says_what_nobody_measured_and_where_children_are_more_than_their_parent() -> None:
    rows: list[dict[str, Any]] = [
        {"point": "P1", "parent_point": None, "name": "", "unit": "kWh", "amount": 100.0},
        {"point": "P2", "parent_point": "P1", "name": "车间<1>", "unit": "kWh", "amount": 60.0},
        {"point": "P3", "parent_point": "P1", "name": "", "unit": "kWh", "amount": None},
        {"point": "P4", "parent_point": "P2", "name": "", "unit": "kWh", "amount": 50.0},
        {"point": "P5", "parent_point": "P2", "name": "", "unit": "kWh", "amount": 20.0},
    ]
    found = flow(rows, title="电力", language="zh")
    assert [(key.name, key.last) for key in found.keys] == [
        ("损耗与未计量", "30 kWh"),
        ("下级合计大于上级", "P2 车间<1>"),
        ("无数据", "P3"),
    ]
    assert found.picture is not None
    assert "P2 车间&lt;1&gt; 70 kWh (70.0 %)" in found.picture
    assert flow([{**rows[0], "amount": None}], title="", language="zh").picture is None


def test_a_flow_of_hundreds_of_points_can_be_read() -> None:
    rows: list[dict[str, Any]] = [{"point": "P0", "parent_point": None, "name": "", "unit": "kWh", "amount": 5500.0}]
    amounts = {"P1": 4000.0, **{f"P{n}": 3.0 for n in range(2, 500)}, "P500": None}
    rows += [
        {"point": point, "parent_point": "P0", "name": "", "unit": "kWh", "amount": amount}
        for point, amount in amounts.items()
    ]
    found = flow(rows, title="电力", language="zh")
    assert found.picture is not None
    assert "其余 498 个计量点 1,494 kWh (27.2 %)" in found.picture, "those too low for a name are one bar"
    assert "P1 4,000 kWh (72.7 %)" in found.picture
    assert found.picture.count("<rect") < 10
    assert [key.last for key in found.keys] == ["6 kWh", "P500"], "nothing of it is lost"
    few = flow(rows[:10], title="电力", language="en")
    assert few.picture is not None
    assert "smaller ones" not in few.picture


def test_a_series_with_an_axis_of_its_own_is_not_flat_beside_larger_ones() -> None:
    panel = next(one for board in BOARDS for one in board.panels if one.query == "point_balance")
    rows = [{"time": SPAN.since + n * HOUR, "parent": 1000.0, "children": 970.0, "residual": 2.0 * n} for n in range(4)]
    found = chart(panel, rows, span=SPAN, step=HOUR, language="en", zone=ZONE)
    assert found.picture is not None
    assert found.keys[-1].last == "6.0 %"
    lines = re.findall(r'<polyline points="([^"]+)"', found.picture)
    heights = [[float(place.split(",")[1]) for place in line.split()] for line in lines]
    assert max(heights[-1]) - min(heights[-1]) > 30, "its own axis: as far as 10 %"
    assert re.search(r'text-anchor="start">-?10 %<', found.picture)
