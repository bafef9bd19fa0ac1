import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.errors import ConfigurationError
from ingest.gateway.mapping import Rules, Template, ValueRule, found, found_all


def made(rules: Rules, document: object, parts: dict[str, str] | None = None) -> list[dict[str, Any]]:
    return [json.loads(row) for row in rules.readings(json.dumps(document).encode(), parts or {}, 1_000_000)]


@pytest.mark.parametrize(
    ("path", "document", "value"),
    [
        ("$", 7, [7]),
        ("$.a.b", {"a": {"b": 1}}, [1]),
        ("$.a[1]", {"a": [1, 2]}, [2]),
        ("$['a b'].c", {"a b": {"c": 3}}, [3]),
        ("$.a[*].v", {"a": [{"v": 1}, {"x": 2}, {"v": None}]}, [1, None]),
        ("$.a[*]", {"a": {"x": 1, "y": 2}}, [1, 2]),
        ("$.a.b", {"a": [1]}, []),
        ("$.a[9]", {"a": []}, []),
    ],
)
def test_paths(path: str, document: object, value: list[object]) -> None:
    assert list(found_all(path, document)) == value


@pytest.mark.parametrize("path", ["$a", "$.", "$[x]", "$.a[", "$.a b[1"])
def test_paths_that_are_none_are_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="a path must be like"):
        found(path, {})


@pytest.mark.parametrize(
    ("template", "topic", "parts"),
    [
        ("m/{meter_no}", "m/M1", {"meter_no": "M1"}),
        ("m/{meter_no}", "m/M1/x", None),
        ("{unit_code}/{any}/{meter_no}/#", "U/x/M/a/b", {"unit_code": "U", "meter_no": "M"}),
        ("{unit_code}/{any}/{meter_no}/#", "U/x/M", {"unit_code": "U", "meter_no": "M"}),
        ("a.b/+", "axb/1", None),
        ("a.b/+", "a.b/1", {}),
    ],
)
def test_templates(template: str, topic: str, parts: dict[str, str] | None) -> None:
    assert Template(template).parts(topic) == parts


@pytest.mark.parametrize("template", ["", "a/#/b", "a/x{meter_no}", "{colour}/a", "a/b#"])
def test_templates_that_are_none_are_refused(template: str) -> None:
    with pytest.raises(ConfigurationError, match="a topic must be"):
        Template(template)


def test_one_document_becomes_a_reading_a_value() -> None:
    rules = Rules(
        unit_code="U1",
        meter_no="{meter_no}",
        measured_at="$.ts",
        time="ms",
        values=[
            ValueRule(path="$.energy", unit="kWh"),
            ValueRule(path="$.p.total", register="power", unit="kW"),
            ValueRule(path="$.missing", register="x", unit="kW"),
        ],
    )
    rows = made(rules, {"ts": 0, "energy": 1.25, "p": {"total": 3}}, {"meter_no": "M7"})
    at = {"unit_code": "U1", "meter_no": "M7", "measured_at": "1970-01-01T00:00:00+00:00"}
    assert rows == [
        at | {"value": 1.25, "unit": "kWh", "register": "main"},
        at | {"value": 3, "unit": "kW", "register": "power"},
    ]


def test_array_of_named_values_as_sparkplug_has_them_in_json() -> None:
    rules = Rules(
        unit_code="$.unit",
        meter_no="$.device",
        measured_at="$.timestamp",
        time="ms",
        rows="$.metrics[*]",
        name="$.name",
        values=[
            ValueRule(name="Energy", path="$.value", unit="kWh"),
            ValueRule(name="Power", path="$.value", register="power", unit="W"),
        ],
    )
    document = {
        "timestamp": 5000,
        "unit": "U1",
        "device": 17,
        "metrics": [
            {"name": "Energy", "timestamp": 1000, "value": 10},
            {"name": "Power", "value": 2},
            {"name": "Uptime", "value": 9},
        ],
    }
    rows = made(rules, document)
    assert [(row["register"], row["value"], row["measured_at"][17:19], row["meter_no"]) for row in rows] == [
        ("main", 10, "01", "17"),
        ("power", 2, "05", "17"),
    ]


def test_what_cannot_be_read_goes_on_as_it_is_to_be_refused() -> None:
    rules = Rules(unit_code="U1", meter_no="M1", measured_at="", values=[ValueRule(path="$.v", unit="kWh")])
    assert rules.readings(b"\xff?", {}, 0) == [b"\xff?"]
    assert rules.readings(b'{"w": 1}', {}, 0) == [b'"{\\"w\\": 1}"']
    assert made(rules, {"v": "x"})[0]["value"] == "x"
    assert Rules(unit_code="").readings(b"anything", {}, 0) == [b"anything"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_document_is_taken(document: object) -> None:
    rules = Rules(
        unit_code="$.u", meter_no="$.m", measured_at="$", time="s", rows="$[*]", values=[ValueRule(unit="kWh")]
    )
    for row in rules.readings(json.dumps(document).encode(), {}, 0):
        assert row
