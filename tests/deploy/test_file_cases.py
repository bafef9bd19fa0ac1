from pathlib import Path
from typing import Any

import pytest

from tests.cases.files import FOLDER, cases, file_answer, judge

_LISTED = FOLDER / "files.toml"
_CASES = cases() if _LISTED.exists() else []


def test_the_cases_are_there() -> None:
    if not _CASES:
        pytest.skip(f"CASES NOT TRIED: {_LISTED} is missing; it stands beside the project")
    assert len(_CASES) >= 60


@pytest.mark.parametrize("case", _CASES, ids=[case["name"] for case in _CASES])
def test_files_as_people_have_them(case: dict[str, Any], tmp_path: Path) -> None:
    assert not judge(case, file_answer(case, tmp_path / "out"))
