"""Accuracy classes as certificates write them, and their order."""

import pytest

from analytics.domain.accuracy import AccuracyClassError, parse_accuracy_class


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0.2S", "0.2S"), ("0.5s", "0.5S"), ("0.5 S 级", "0.5S"), ("1.0", "1"), ("1", "1"), ("2.5级", "2.5"),
        ("Class 2", "2"), ("０.５Ｓ", "0.5S"), ("0.20", "0.2"), ("10", "10"), ("B级", "B"), ("Ⅲ", "III"), ("IV", "IV"),
    ],
)  # fmt: skip
def test_class_is_understood(text: str, written: str) -> None:
    assert str(parse_accuracy_class(text)) == written


@pytest.mark.parametrize("text", ["", "good", "0", "0.0S", "-1", "0.5X", "S", "1.0.0", "F", "0.5SS", "级"])
def test_what_is_no_class_is_refused(text: str) -> None:
    with pytest.raises(AccuracyClassError, match="is not known"):
        parse_accuracy_class(text)


def test_classes_stand_in_order_of_strictness() -> None:
    classes = [
        parse_accuracy_class(text) for text in ("0.1", "0.2S", "0.2", "0.3", "0.5S", "0.5", "1.0", "1.5", "2.0", "2.5")
    ]
    ranks = [each.rank for each in classes]
    assert ranks == sorted(set(ranks))
    for i, strict in enumerate(classes):
        for j, loose in enumerate(classes):
            assert strict.at_least_as_strict_as(loose) is (i <= j)


def test_classes_without_a_number_are_not_compared_with_numbers() -> None:
    letter, number = parse_accuracy_class("B"), parse_accuracy_class("1")
    assert letter.at_least_as_strict_as(number) is None
    assert number.at_least_as_strict_as(letter) is None
    assert letter.at_least_as_strict_as(letter) is True
    assert letter.rank == -1
