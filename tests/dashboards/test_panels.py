"""Every panel's SQL runs in the real database as each role that reads it, and gives what its panel needs."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from analytics.domain.words import LANGUAGES, Language
from dashboards.alert_rules import RULES
from dashboards.amounts import scaled_row, scaled_sql
from dashboards.boards import BOARDS, ENTERPRISE_BOARDS
from dashboards.panels import Panel
from dashboards.queries import names, purpose, query
from dashboards.render import least_width, render, spoken, width_of
from dashboards.text import COLUMNS, SERIES, VALUES
from tests.dashboards.conftest import login
from tests.dashboards.grafana import Range, expand

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC)
TWO_DAYS = Range(since=NOW - timedelta(days=2), until=NOW, interval=timedelta(hours=1))
FORTY_DAYS = Range(since=NOW - timedelta(days=40), until=NOW, interval=timedelta(days=1))
VARIABLES = {"unit": "U1", "carrier": "electricity", "point": "P2"}
PANELS = {name: panel for board in BOARDS for panel in board.panels for name in (panel.query, panel.beside) if name}
CHOICES = {variable.query for board in BOARDS for variable in board.variables}
ANNOTATIONS = {board.annotations for board in BOARDS if board.annotations}
OF_ENTERPRISES = (
    {name for board in ENTERPRISE_BOARDS for panel in board.panels for name in (panel.query, panel.beside) if name}
    | CHOICES
    | ANNOTATIONS
)
NUMBERS = {"int2", "int4", "int8", "float4", "float8", "numeric"}


@pytest.fixture(scope="module")
def staff(region: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(login(region, None), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def enterprise(region: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(login(region, 1), autocommit=True) as connection:
        yield connection


def asked(connection: psycopg.Connection, name: str, span: Range) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    """Columns with their types, and rows."""
    cursor = connection.execute(expand(query(name), span, VARIABLES).encode())
    assert cursor.description is not None
    types = connection.adapters.types
    found = {column.name: getattr(types.get(column.type_code), "name", "?") for column in cursor.description}
    assert len(found) == len(cursor.description), "two columns have one name"
    return found, cursor.fetchall()


def test_every_statement_belongs_to_something_and_says_what_it_gives() -> None:
    assert set(names()) == set(PANELS) | CHOICES | ANNOTATIONS | {rule.query for rule in RULES}
    for name in names():
        assert purpose(name).endswith(".")


@pytest.mark.parametrize("name", sorted(PANELS))
def test_a_panel_gets_rows_of_the_kind_it_draws(staff: psycopg.Connection, name: str) -> None:
    panel = PANELS[name]
    short, _ = asked(staff, name, TWO_DAYS)
    columns, rows = asked(staff, name, FORTY_DAYS)
    assert columns == short
    assert rows, "the region has something for every panel"
    check(panel, columns, rows)
    named: Mapping[str, Any] = COLUMNS if panel.kind in {"table", "geomap"} else SERIES
    metric = list(columns).index("metric") if "metric" in columns else None
    shown = set(columns) if metric is None else {row[metric] for row in rows}
    if "partition" not in query(name):
        shown -= {f"P{n}" for n in range(10)}  # codes of points in the region, and not of partitions
    assert shown & set(named) <= spoken(panel, named), "every column and series gets its name"


def test_what_a_meter_should_have_counted_follows_from_the_error_found(region: str, staff: psycopg.Connection) -> None:
    with psycopg.connect(region, autocommit=True) as owner:
        faults = owner.execute("""
            select u.code, p.code, d.started_at, coalesce(d.ended_at, now()), d.magnitude from detection d
            join metering_point p on p.id = d.point_id join unit u on u.id = d.unit_id
            where d.magnitude_unit = 'share' and d.state <> 'withdrawn' and d.started_at > now() - interval '16 days'
              and (select count(*) from detection e where e.point_id = d.point_id and e.magnitude_unit = 'share') = 1
        """).fetchall()
    assert faults, "the region has errors of a share"
    span = Range(since=NOW - timedelta(days=17), until=NOW, interval=timedelta(hours=1))
    seen = {True: 0, False: 0}
    for unit, point, since, until, error in faults:
        asked_of = {**VARIABLES, "unit": unit, "point": point}
        rows = staff.execute(expand(query("point_hours"), span, asked_of).encode()).fetchall()
        for at, measured, estimated, suspect, _revised, expected in rows:
            amount = next((one for one in (suspect, estimated, measured) if one is not None), None)
            under = at + timedelta(hours=1) > since and at < until and amount is not None
            assert expected == (pytest.approx(amount / (1 + error)) if under else None)
            seen[under] += 1
    assert min(seen.values()) > 0


@pytest.mark.parametrize("name", sorted(name for name, panel in PANELS.items() if panel.names))
def test_large_amounts_are_multiples_in_chinese_and_as_they_are_in_english(
    staff: psycopg.Connection, name: str
) -> None:
    columns, _ = asked(staff, name, FORTY_DAYS)
    assert tuple(columns) == PANELS[name].names
    [(board, panel)] = [(board, one) for board in BOARDS for one in board.panels if one.query == name]
    found = {}
    for language in LANGUAGES:
        [made] = [one for one in flat(render(board, language)["panels"]) if one["title"] == panel.title.of(language)]
        text = expand(made["targets"][0]["rawSql"], FORTY_DAYS, VARIABLES)
        with staff.cursor(row_factory=dict_row) as cursor:
            found[language] = cursor.execute(text.encode()).fetchall()
    assert [scaled_row(row) for row in found["en"]] == found["zh"]


def flat(panels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Panels with those of folded rows."""
    return [one for panel in panels for one in (panel, *panel.get("panels", ()))]


def test_a_multiple_is_the_same_by_sql_and_by_hand(staff: psycopg.Connection) -> None:
    rows = [
        ("a", 11_722_533.4, 90.0, "kWh"), ("b", -3.2e9, None, "kWh"), ("c", 99_999.9, -100_000.0, "t"),
        ("d", None, None, "t"), ("e", 5e6, 1.0, None), ("f", 5e6, 1.0, ""), ("g", 1e8, 0.0, "Nm³"),
    ]  # fmt: skip
    names = ("carrier", "amount", "last_year", "unit")
    values = ", ".join(["(%s::text, %s::float8, %s::float8, %s::text)"] * len(rows))
    text = scaled_sql(f"select * from (values {values}) v ({', '.join(names)}) order by carrier", names)
    with staff.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(text.encode(), [value for row in rows for value in row]).fetchall()
    assert found == [scaled_row(dict(zip(names, row, strict=True))) for row in rows]
    assert [(one["amount"], one["unit"]) for one in found] == [
        (pytest.approx(1172.25334), "万 kWh"), (-32.0, "亿 kWh"), (pytest.approx(9.99999), "万 t"), (None, "t"),
        (5e6, None), (5e6, ""), (1.0, "亿 Nm³"),
    ]  # fmt: skip


def check(panel: Panel, columns: dict[str, str], rows: list[tuple[Any, ...]]) -> None:
    if panel.format == "time_series":
        assert next(iter(columns.items())) == ("time", "timestamptz")
        times = [row[0] for row in rows]
        assert times == sorted(times)
        values = {name: kind for name, kind in columns.items() if name not in {"time", "metric"}}
        assert set(values.values()) <= NUMBERS
        assert columns.get("metric", "text") == "text"
        assert any(value is not None for row in rows for value in row[len(columns) - len(values) :])
        if "metric" not in columns:
            assert set(values) <= set(SERIES)
        elif panel.kind == "timeseries":
            assert len({(row[0], row[1]) for row in rows}) == len(rows), "one value a time and series"
    elif panel.kind == "stat":
        assert len(rows) == 1
        assert set(columns) <= set(SERIES)
    elif panel.kind == "nodeGraph":
        assert set(columns) in ({"id", "title", "mainstat", "secondarystat"}, {"id", "source", "target"})
    elif panel.kind == "barchart":
        assert panel.options["xField"] in columns
    else:
        assert set(columns) <= set(COLUMNS)
        for language in LANGUAGES:
            check_names(panel, columns, language)
        for column in set(columns) & set(VALUES) - {"tariff_period"}:  # its names are those that people entered
            place = list(columns).index(column)
            said = {row[place] for row in rows} - {None}
            assert said <= set(VALUES[column]), f"{column} has codes without words"


def check_names(panel: Panel, columns: dict[str, str], language: Language) -> None:
    """Grafana's matcher by name also takes what a column is called, so no column may be called like another's name."""
    shown = [column for column in columns if column not in panel.hidden.get(language, ())]
    called = {column: COLUMNS[column].of(language) for column in shown}
    assert len(set(called.values())) == len(called), called
    assert not [column for column, name in called.items() if name in columns and name != column], called


@pytest.mark.parametrize("name", sorted(OF_ENTERPRISES))
def test_an_enterprise_gets_the_same_answer_as_the_staff_about_itself(
    staff: psycopg.Connection, enterprise: psycopg.Connection, name: str
) -> None:
    if name == "choose_unit":
        assert [row[1] for row in asked(enterprise, name, FORTY_DAYS)[1]] == ["U1"]
        return
    columns, theirs = asked(enterprise, name, FORTY_DAYS)
    same, ours = asked(staff, name, FORTY_DAYS)
    assert columns == same
    kept = [i for i, column in enumerate(columns) if column not in {"by_name", "note"}]
    assert [[row[i] for i in kept] for row in theirs] == [[row[i] for i in kept] for row in ours]
    assert theirs


def test_an_enterprise_is_not_told_who_noted_what(enterprise: psycopg.Connection, staff: psycopg.Connection) -> None:
    columns, rows = asked(enterprise, "point_cases", FORTY_DAYS)
    at = [list(columns).index(column) for column in ("by_name", "note")]
    assert {row[i] for row in rows for i in at} == {None}
    assert {row[i] for row in asked(staff, "point_cases", FORTY_DAYS)[1] for i in at} != {None}


DESK = 1330
"""Room for the tables of a board on a screen of 1366 px. [px]"""
FIRST = {
    "region_todo": "since", "region_units": "completeness", "region_equipping": "units_failing",
    "region_faulty": "magnitude", "region_overdue": "due_90", "region_mandatory": "covered", "region_left_out": "unit",
    "unit_state": "findings",
    "unit_left_out": "unit", "unit_months": "change", "unit_parts": "share", "unit_cost": "cost",
    "unit_unexplained": "unexplained",
    "unit_findings": "point", "unit_clauses": "fail", "unit_equipping": "rate", "unit_alerts": "case_number",
    "unit_meters": "completeness", "point_facts": "place", "point_errors": "magnitude",
    "point_observability": "smallest_30d", "point_verifications": "verification_due", "point_cases": "verdict_on_site",
    "ops_attention": "how_many", "ops_rejected_units": "readings", "ops_partitions": "moved_ago",
    "ops_outbox": "oldest_at", "ops_tables": "bytes", "ops_detectors": "precision",
}  # fmt: skip
"""The last column of each table that must be seen without scrolling."""


@pytest.mark.parametrize("name", sorted(name for name, panel in PANELS.items() if panel.kind == "table"))
def test_what_matters_of_a_table_fits_a_small_screen(staff: psycopg.Connection, name: str) -> None:
    panel = PANELS[name]
    columns, _ = asked(staff, name, TWO_DAYS)
    for language in LANGUAGES:
        shown = [column for column in columns if column not in panel.hidden.get(language, ())]
        place = shown.index(FIRST[name])
        needed = sum(
            panel.columns.get(one, {}).get("custom.width") or width_of(one, language) or least_width(one, language)
            for one in shown[: place + 1]
        )
        assert needed <= DESK * panel.width / 24, (shown[: place + 1], language)


def test_no_data_is_no_value(staff: psycopg.Connection) -> None:
    """Point 4 says nothing for two days and unit 2 for ten hours: that is null, or no row, never 0."""
    silent = {**VARIABLES, "point": "P4"}
    rows = staff.execute(expand(query("point_hours"), TWO_DAYS, silent).encode()).fetchall()
    assert len(rows) >= 48
    assert {value for row in rows[1:] for value in row[1:]} == {None}
    row = staff.execute(expand(query("point_last"), TWO_DAYS, {**silent, "point": "nothing"}).encode()).fetchone()
    assert row is not None
    assert row[:3] == (None, None, None)
    rows = staff.execute(expand(query("unit_hours"), TWO_DAYS, {**VARIABLES, "unit": "U2"}).encode()).fetchall()
    assert sum(row[1] is None for row in rows) >= 11
    assert 0 not in {row[1] for row in rows}
    strip = staff.execute(expand(query("point_quality"), TWO_DAYS, silent).encode()).fetchall()
    assert {row[1] for row in strip[1:]} == {0}


HUGE = 1e9


@pytest.fixture
def changed(region: str) -> Iterator[psycopg.Connection]:
    """The region, with today's totals and a fault far above all others; taken back at the end."""
    with psycopg.connect(region) as connection:
        connection.execute("""
            insert into unit_energy_day (day, amount, tce, series_id, unit_id, completeness, measured, quality,
                                         factor_id)
            select local_day(now()), 1e9, 1e9, id, unit_id, 1, 1, 0, 1 from energy_series
            on conflict (series_id, day) do update set amount = 1e9, tce = 1e9
        """)
        connection.execute("""
            insert into detection (unit_id, point_id, meter_id, kind, started_at, detected_at, severity, state,
                                   magnitude, magnitude_unit, energy_affected)
            values (1, 2, 2, 'ratio', now(), now(), 'serious', 'open', -0.5, 'share', -1e9)
        """)
        yield connection
        connection.rollback()


def test_hours_under_a_fault_are_not_called_measured(changed: psycopg.Connection) -> None:
    """A meter that counts half of what flows gave “measured” all through it."""
    changed.execute("update detection set state = 'withdrawn' where energy_affected is distinct from -1e9")
    changed.execute(
        "update detection set started_at = now() - interval '1 day'"
        " where point_id = 2 and kind = 'ratio' and energy_affected = -1e9"
    )
    columns, rows = asked(changed, "point_quality", TWO_DAYS)
    assert list(columns) == ["time", "quality"]
    fault = NOW - timedelta(days=1)
    assert {quality for time, quality in rows if time >= fault + timedelta(hours=1)} <= {0, 3}
    assert 3 not in {quality for time, quality in rows if time < fault - timedelta(hours=1)}
    columns, rows = asked(changed, "point_hours", TWO_DAYS)
    place = {name: list(columns).index(name) for name in ("measured", "suspect", "expected")}
    under = [row for row in rows if row[0] >= fault + timedelta(hours=1)]
    assert {row[place["measured"]] for row in under} == {None}, "the line says what the strip says"
    assert sum(row[place["suspect"]] is not None for row in under) > 15
    before = [row for row in rows if row[0] < fault - timedelta(hours=1)]
    assert {row[place["suspect"]] for row in before} == {None}
    assert sum(row[place["measured"]] is not None for row in before) > 15


def test_what_is_to_be_done_today_is_named(changed: psycopg.Connection) -> None:
    before = [row[0] for row in asked(changed, "region_todo", TWO_DAYS)[1]]
    changed.execute("""
        insert into detection (unit_id, point_id, meter_id, kind, started_at, detected_at, severity, state)
        values (1, 2, 2, 'silence', now() - interval '900 days', now(), 'serious', 'open')
    """)
    columns, rows = asked(changed, "region_todo", TWO_DAYS)
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    silent = [row for row in found if row["todo"] == "silent"]
    assert (silent[0]["point"], silent[0]["board"], silent[0]["unit_code"]) == ("P2", "point", "U1")
    assert [row["todo"] for row in found if row["todo"] != "silent"] == [code for code in before if code != "silent"]
    overdue = [row["since"] for row in found if row["todo"] == "overdue"]
    assert overdue
    assert overdue == sorted(overdue)


def test_operations_says_that_all_is_well_or_what_is_not(changed: psycopg.Connection) -> None:
    changed.execute("delete from alert_message")
    changed.execute("delete from dirty_hour")
    changed.execute("update worker_samples set at = now() where at = (select max(at) from worker_samples)")
    changed.execute(
        "update partition_samples set at = now(), fence_age_s = 0 where at = (select max(at) from partition_samples)"
    )
    assert asked(changed, "ops_attention", TWO_DAYS)[1] == [("all_well", None, None)]
    changed.execute("delete from worker_samples")
    changed.execute(  # 1 GB a day for a week, and 12.5 days of it left
        "insert into worker_sample select now() - h * interval '1 hour', 'w', 30, 1, 0, 1, 0.1, 0, "
        "10^12 - h * 10^9 / 24, 12.5e9 from generate_series(0, 160) h"
    )
    assert asked(changed, "ops_attention", TWO_DAYS)[1] == [("disk_full_soon", None, 12)]
    [(free, growth, left)] = asked(changed, "ops_disk", TWO_DAYS)[1]
    assert (free, round(growth / 1e9, 3), round(left, 3)) == (12.5e9, 1.0, 12.5)
    changed.execute("update worker_samples set disk_free_bytes = 10^12")
    assert asked(changed, "ops_backup", TWO_DAYS)[1] == [(None, None, None)]
    changed.execute("insert into backup_made (made_at, bytes, kept_s) values (now() - interval '4 days', 1, 604800)")
    assert asked(changed, "ops_attention", TWO_DAYS)[1] == [("backup_late", 4 * 86_400.0, None)]
    changed.execute("insert into backup_made (made_at, bytes, kept_s) values (now() - interval '3 days', 5, 604800)")
    assert asked(changed, "ops_attention", TWO_DAYS)[1] == [("all_well", None, None)]
    [(made_at, age, size)] = asked(changed, "ops_backup", TWO_DAYS)[1]
    assert (age, size) == (3 * 86_400.0, 5)
    assert changed.execute("select %s = now() - interval '3 days'", (made_at,)).fetchone() == (True,)
    changed.execute("delete from worker_samples")
    (row,) = asked(changed, "ops_attention", TWO_DAYS)[1]
    assert row[0] == "no_sample"


def test_the_flow_leads_from_every_point_that_is_fed(staff: psycopg.Connection) -> None:
    nodes = {row[0] for row in asked(staff, "unit_flow_nodes", FORTY_DAYS)[1]}
    edges = asked(staff, "unit_flow_edges", FORTY_DAYS)[1]
    assert {end for _, source, target in edges for end in (source, target)} == nodes
    assert {source for _, source, _ in edges} == {"P1"}


@pytest.mark.parametrize(
    "name", ["unit_tce", "unit_parts", "unit_days_year", "unit_tce_days", "unit_months", "region_energy"]
)
def test_a_day_that_is_not_over_is_not_held_against_one_that_is(changed: psycopg.Connection, name: str) -> None:
    columns, rows = asked(changed, name, FORTY_DAYS)
    numbers = [row[i] for row in rows for i, kind in enumerate(columns.values()) if kind in NUMBERS]
    assert any(number is not None for number in numbers)
    assert all(number is None or number < HUGE for number in numbers)


def test_the_month_that_runs_is_held_against_the_same_days(staff: psycopg.Connection) -> None:
    columns, rows = asked(staff, "unit_months", FORTY_DAYS)
    found = {(row[0], row[1]): dict(zip(columns, row, strict=True)) for row in rows}
    (today,) = staff.execute("select local_day(now())").fetchone() or (None,)
    assert today is not None
    month = (today - timedelta(days=1)).strftime("%Y-%m")
    expected = staff.execute(
        "select sum(amount) from unit_day where unit_id = 1 and scope = 'unit' and carrier = 'electricity'"
        " and day >= date_trunc('month', %(day)s::date) - interval '1 year'"
        " and day <= %(day)s::date - interval '1 year'",
        {"day": today - timedelta(days=1)},
    ).fetchone()
    assert expected is not None
    assert found[month, "electricity"]["last_year"] == pytest.approx(expected[0])


def test_nothing_is_held_against_fewer_days(region: str) -> None:
    """A year before that was known for some of the days only is no year to compare with."""
    with psycopg.connect(region) as connection:
        connection.execute(
            "delete from unit_energy_day where day = local_day(now()) - interval '1 year' - interval '3 days'"
        )
        for name, column in (("unit_tce", "tce_last_year"), ("unit_parts", "last_year"), ("unit_months", "last_year")):
            columns, rows = asked(connection, name, FORTY_DAYS)
            place = list(columns).index(column)
            held = [row[place] for row in rows]
            if name == "unit_months":
                gone = connection.execute("select to_char(local_day(now()) - 3, 'YYYY-MM')").fetchone() or ("",)
                held = [row[place] for row in rows if row[0] == gone[0]]
            assert held
            assert set(held) == {None}, name
        connection.rollback()


def test_the_net_is_what_the_bars_leave(region: str) -> None:
    """Also where a carrier was given away: its bar is below zero."""
    with psycopg.connect(region) as connection:
        connection.execute(
            "update unit_energy_day set tce = -tce where series_id = "
            "(select min(id) from energy_series where unit_id = 1 and carrier = 'electricity')"
        )
        _, rows = asked(connection, "region_energy", FORTY_DAYS)
        connection.rollback()
    net = {time: tce for time, name, tce in rows if name == "net"}
    bars = dict.fromkeys(net, 0.0)
    for time, name, tce in rows:
        bars[time] += tce if name != "net" else 0.0
    assert net
    assert net == pytest.approx(bars)


@pytest.mark.parametrize(("name", "unit"), [("unit_hours", "U1"), ("point_hours", "U1"), ("unit_tce_hours", "U1")])
def test_an_amount_an_hour_does_not_follow_the_width_of_the_screen(
    staff: psycopg.Connection, name: str, unit: str
) -> None:
    """The same day on a wall and on a phone: the same mean."""
    begin = NOW.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
    means = []
    for hours in (1, 6):
        span = Range(since=begin, until=begin + timedelta(hours=23, minutes=59), interval=timedelta(hours=hours))
        sound = VARIABLES | {"unit": unit, "point": "P6"}  # P2 has a fault: nothing of it is called measured
        rows = staff.execute(expand(query(name), span, sound).encode()).fetchall()
        amounts = [row[-1] if name == "unit_tce_hours" else row[1] for row in rows if "tce_last_year" not in row]
        known = [amount for amount in amounts if amount is not None]
        means.append(sum(known) / len(known))
    assert means[0] == pytest.approx(means[1])


def test_carriers_without_a_factor_are_named(staff: psycopg.Connection, enterprise: psycopg.Connection) -> None:
    for connection, name in ((staff, "region_left_out"), (staff, "unit_left_out"), (enterprise, "unit_left_out")):
        columns, rows = asked(connection, name, FORTY_DAYS)
        assert list(columns) == ["carrier", "amount", "unit"]
        assert [row[0] for row in rows] == ["water"]


def test_the_hour_that_runs_is_not_held_against_a_point(staff: psycopg.Connection) -> None:
    span = Range(since=NOW - timedelta(days=2), until=NOW, interval=timedelta(hours=1))
    for point in ("P1", "P2"):
        row = staff.execute(expand(query("point_last"), span, VARIABLES | {"point": point}).encode()).fetchone()
        assert row is not None
        assert row[1] == pytest.approx(100)


def test_faults_are_sorted_by_how_much_they_touch_whichever_way(changed: psycopg.Connection) -> None:
    columns, rows = asked(changed, "region_faulty", TWO_DAYS)
    first = dict(zip(columns, rows[0], strict=True))
    assert (first["energy_affected"], first["magnitude"]) == (-HUGE, -50)
    assert first["tce_affected"] is not None
    touched = [
        abs(row[list(columns).index("tce_affected")]) for row in rows if row[list(columns).index("tce_affected")]
    ]
    assert touched == sorted(touched, reverse=True)


def test_a_carrier_is_offered_in_words_the_one_used_most_first(staff: psycopg.Connection) -> None:
    offered = {}
    for language in LANGUAGES:
        board = next(board for board in BOARDS if board.name == "enterprise")
        (text,) = (v["query"] for v in render(board, language)["templating"]["list"] if v["name"] == "carrier")
        offered[language] = staff.execute(expand(text, TWO_DAYS, VARIABLES).encode()).fetchall()
    assert offered["zh"] == [("电力 · kWh", "electricity"), ("水 · m3", "water")]
    assert offered["en"] == [("electricity · kWh", "electricity"), ("water · m3", "water")]


def test_no_balance_is_no_row(staff: psycopg.Connection) -> None:
    water = {**VARIABLES, "point": "P8"}
    assert staff.execute(expand(query("point_balance"), TWO_DAYS, water).encode()).fetchall() == []


def test_estimated_hours_are_a_series_of_their_own(staff: psycopg.Connection) -> None:
    span = Range(since=NOW - timedelta(days=6), until=NOW, interval=timedelta(hours=1))
    rows = staff.execute(expand(query("point_hours"), span, {**VARIABLES, "point": "P3"}).encode()).fetchall()
    estimated = [row for row in rows if row[2] is not None]
    assert len(estimated) == 24
    assert {row[1] for row in estimated} == {None}
    assert {row[4] for row in estimated} != {None}, "they were revised, too"


@pytest.mark.parametrize(
    "name", sorted(name for name in names() if "consumption_hour" in query(name) or "hour" in name)
)
def test_a_question_reads_only_the_chunks_of_its_time(staff: psycopg.Connection, name: str) -> None:
    text = expand(query(name), TWO_DAYS, VARIABLES)
    rows = staff.execute(f"explain (costs off) {text}".encode()).fetchall()
    chunks = {word for (line,) in rows for word in line.split() if word.startswith("_hyper_2_")}
    assert len(chunks) <= 2, chunks


@pytest.mark.parametrize("value", ["it's", "a\\b", "x' or '1'='1", "$__timeFrom", "{unit}", "单位"])
def test_a_value_chosen_is_only_ever_a_value(staff: psycopg.Connection, value: str) -> None:
    for name in sorted(OF_ENTERPRISES):
        staff.execute(expand(query(name), TWO_DAYS, dict.fromkeys(VARIABLES, value)).encode()).fetchall()


def test_what_is_made_is_not_cut_by_several_choices() -> None:
    assert expand("x in (${a:sqlstring})", TWO_DAYS, {"a": ["p", "q'r"]}) == "x in ('p','q''r')"
