from pathlib import Path

import numpy as np
import pytest

from analytics.domain.errors import ConfigurationError
from ingest.standard_files import read_factors


def test_an_entered_file_makes_natural_gas_known(tmp_path: Path) -> None:
    file = tmp_path / "factors.toml"
    file.write_text(
        '[[factor]]\ncarrier = "natural_gas"\nper = "Nm3"\nkgce = 1.2143\n'
        'source = "供气合同 2026"\nvalid_from = 2026-01-01\n',
        encoding="utf-8",
    )
    series = read_factors(file).series("natural_gas", "Nm3")
    np.testing.assert_array_equal(series.tce_per_unit, [np.nan, 0.0012143])
    assert "供气合同 2026" in series.text[1]


@pytest.mark.parametrize(
    ("content", "why"), [(b"[[factor", "must be TOML"), (b"\xff\xfe", "must be TOML"), (b"x = 1", "only")]
)
def test_a_file_that_is_no_factor_file_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "factors.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=why):
        read_factors(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml cannot be read"):
        read_factors(tmp_path / "nowhere.toml")
