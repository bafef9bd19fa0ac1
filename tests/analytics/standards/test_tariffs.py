"""Prices by hours of the day: what is refused, and which hours a period has."""

import tomllib

import pytest

from analytics.domain.errors import ConfigurationError
from analytics.standards.facts import Facts, load_facts
from analytics.standards.facts.tariffs import whole_sets

ROW = """
[[tariff]]
unit_code = "U1"
carrier = "electricity"
from = "2026-01"
period = "{period}"
hours = {hours}
price = {price}
unit = "kWh"
currency = "元"
source = "合同"
"""


def facts_of(*rows: tuple[str, str, float], more: str = "") -> Facts:
    text = "".join(ROW.format(period=period, hours=hours, price=price) for period, hours, price in rows)
    return load_facts([tomllib.loads(text + more)])


def test_each_hour_has_one_price_and_the_rest_has_one_too() -> None:
    facts = facts_of(("峰", '["08:00-11:00", "17:00-22:00"]', 1.1), ("谷", '["23:00-07:00"]', 0.3), ("平", "[]", 0.6))
    hours = {key[3]: [hour for hour in range(24) if mask >> hour & 1] for key, _, mask in whole_sets(facts.tariffs)}
    assert hours == {
        "峰": [8, 9, 10, 17, 18, 19, 20, 21],
        "谷": [0, 1, 2, 3, 4, 5, 6, 23],
        "平": [7, 11, 12, 13, 14, 15, 16, 22],
    }


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("峰", '["08:00-11:00"]', 1.0), ("谷", '["10:00-12:00"]', 0.3)], "an hour must belong to one period (谷 has"),
        ([("峰", "[]", 1.0), ("谷", "[]", 0.3)], "one period alone may be without hours"),
        ([("峰", '["08:30-11:00"]', 1.0)], "hours must be of full hours"),
        ([("峰", '["08:00-08:00"]', 1.0)], "hours must be of full hours"),
        ([("峰", '["25:00-26:00"]', 1.0)], "hours must be of full hours"),
    ],
)
def test_what_cannot_be_is_told(rows: list[tuple[str, str, float]], said: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        facts_of(*rows)
    assert said in str(told.value)


def test_a_price_is_of_a_unit_in_which_the_carrier_is_totalled() -> None:
    wrong = ROW.format(period="峰", hours="[]", price=1).replace('"kWh"', '"MWh"')
    with pytest.raises(ConfigurationError, match=r"unit of electricity must be one of kWh \(got 'MWh'\)"):
        load_facts([tomllib.loads(wrong)])


def test_another_set_begins_with_its_month() -> None:
    later = ROW.format(period="平", hours="[]", price=0.7).replace("2026-01", "2026-07")
    facts = facts_of(("峰", '["08:00-11:00"]', 1.1), ("平", "[]", 0.6), more=later)
    assert sorted((key[2], key[3]) for key, _, _ in whole_sets(facts.tariffs)) == [
        ("2026-01", "峰"),
        ("2026-01", "平"),
        ("2026-07", "平"),
    ]
    assert next(mask for key, _, mask in whole_sets(facts.tariffs) if key[2] == "2026-07") == (1 << 24) - 1
