"""Factors to coal equivalent from files: the edition that ships, and what was entered beside it."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from analytics.coal import FactorTable, load_factors
from analytics.domain.errors import ConfigurationError

__all__ = ["read_factors"]


def read_factors(*entered: Path) -> FactorTable:
    """Factors of GB/T 2589-2020, and those of TOML files with ``[[factor]]`` tables.

    Raises
    ------
    ConfigurationError
        If a file cannot be read, or with every fault of what it says.

    Examples
    --------
    >>> read_factors().series("electricity", "kWh").text[1]
    'electricity_equivalent 0.1229 kgce/kWh; GB/T 2589-2020; seen in two or more sources'
    """
    shipped = files("analytics.standards").joinpath("gbt2589_2020.toml").read_text(encoding="utf-8")
    return load_factors(tomllib.loads(shipped), *(_read(path) for path in entered))


def _read(path: Path) -> Mapping[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"factor file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"factor file {path} must be TOML in UTF-8: {error}") from error
