"""Staff, instruments and stocks as they are entered for the review's forms, with all their faults at once."""

import tomllib
from datetime import date

import pytest

from analytics.domain.errors import ConfigurationError
from analytics.standards.facts import FACT_TABLES, load_facts
from tests.analytics.standards.conftest import SHIPPED

STOCK = {
    "unit_code": "U",
    "energy": "coal",
    "year": 2025,
    "unit": "t",
    "opening": 120,
    "purchased": 1000,
    "closing": 100,
    "source": "台账",
}


def test_a_year_s_coal() -> None:
    made = load_facts([{"stock": [{**STOCK, "supplied": 20, "consumed": 990}]}]).stocks["U", "coal", 2025]
    assert (made.used_up, made.consumed) == (1000.0, 990.0)


def test_what_comes_later_replaces_what_was_entered() -> None:
    facts = load_facts([{"stock": [STOCK]}, {"stock": [{**STOCK, "closing": 20}]}])
    assert [one.used_up for one in facts.stocks.values()] == [1100.0]


def test_faulty_forms_tell_all_their_faults() -> None:
    document = {
        "staff": [
            {"unit_code": "U", "name": "", "position": "keeper", "certificate_until": date(2026, 1, 1)},
            {"unit_code": "U", "name": "Li", "job": "keeper"},
        ],
        "instrument": [
            {
                "unit_code": "U",
                "kind": "toy",
                "own_no": "",
                "name": "x",
                "verified_on": date(2026, 1, 2),
                "verification_due": date(2026, 1, 1),
                "status": "lost",
            }
        ],
        "stock": [
            {**STOCK, "closing": 1121},
            {**STOCK, "unit": "kg", "year": 25, "opening": -1, "energy": "coal"},
        ],
    }
    with pytest.raises(ConfigurationError) as caught:
        load_facts([document])
    told = str(caught.value)
    for fault in (
        "[[staff]] number 1: name must not be empty",
        "number 1: certificate must name the one that certificate_until speaks of",
        "[[staff]] number 2: job is none of",
        "[[staff]] number 2: position must be text",
        "kind must be one of standard, portable, residual_heat, analysis (got 'toy')",
        "own_no must not be empty",
        "status must be one of qualified, limited, out_of_use (got 'lost')",
        "verification_due must not lie before verified_on",
        "[[stock]] number 1: opening + purchased + produced - supplied - closing must not be below 0 (it is -1)",
        "unit of coal must be one of t (got 'kg')",
        "year must be one such as 2025 (got 25)",
        "opening must be a number, 0 or more (got -1)",
    ):
        assert fault in told


def test_the_form_has_every_table_and_is_sound() -> None:
    document = tomllib.loads((SHIPPED / "facts_form.toml").read_text(encoding="utf-8"))
    assert set(document) == set(FACT_TABLES)
    facts = load_facts([document])
    assert facts.of("UNIT-CODE").converts is True
    assert len(facts.activities) == 2
    assert facts.stocks["UNIT-CODE", "coal", 2025].used_up == 1000.0
