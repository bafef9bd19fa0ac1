"""Hostile TOML is refused quickly and by one error."""

import time
import tomllib

import pytest

from analytics.domain.toml import MOST_LETTERS, parse_toml


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 60_000,
        "a = " + "{a=" * 60_000,
        "a = 1" + "0" * 5_000_000,
        "a = " + "[1, " * 900 + "x",
        "#" * (MOST_LETTERS + 1),
        "a = ",
    ],
    ids=["arrays", "tables", "digits", "broken", "long", "nothing"],
)
def test_hostile_text_is_refused_quickly_and_by_one_error(text: str) -> None:
    began = time.process_time()
    with pytest.raises(tomllib.TOMLDecodeError):
        parse_toml(text)
    assert time.process_time() - began < 2


def test_a_sound_text_is_read() -> None:
    assert parse_toml("[a.b]\nc = [1, 2]") == {"a": {"b": {"c": [1, 2]}}}
