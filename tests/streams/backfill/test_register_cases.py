"""Every register case beside the project, through the command."""

from pathlib import Path
from typing import Any

import pytest

from tests.cases.registers import FOLDER, answer_of, cases, judge

_HERE = (FOLDER / "registers.toml").is_file()


@pytest.mark.skipif(_HERE, reason="the cases are here")  # the other way round: it stands for those that are missing
def test_the_cases_are_missing() -> None:
    pytest.skip(f"REGISTER CASES NOT RUN: {FOLDER}/registers.toml is missing, so none of them was looked at")


@pytest.mark.parametrize("case", cases() if _HERE else [], ids=lambda case: case["name"])
def test_a_register_case_is_right(case: dict[str, Any], tmp_path: Path) -> None:
    reasons = judge(case, answer_of(case, tmp_path / "out"))
    assert not reasons, "\n".join([case["what"], *reasons[:8]])
