"""Files of standards, rules and factors: those shipped, and those that a person loads."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from analytics.domain.errors import ConfigurationError
from analytics.domain.toml import parse_toml
from analytics.standards.coal import FactorTable, load_factors
from analytics.standards.documents import Document, Shipped, Standards, document_of, standards_of

__all__ = ["parse_standard", "read_factors", "read_standard", "shipped_standards", "standards_from"]


def shipped_standards() -> Shipped:
    """The files of this package."""
    return Shipped(
        edition=_shipped("gb17167_2006.toml"),
        rules=_shipped("supervision.toml"),
        factors=_shipped("gbt2589_2020.toml"),
        review=_shipped("jjf1356_2012.toml"),
        water=_shipped("water/gb24789_2009.toml"),
    )


def _shipped(name: str) -> Mapping[str, object]:
    return parse_toml(files("analytics.standards").joinpath(name).read_text(encoding="utf-8"))


def read_standard(path: Path) -> tuple[Document, str]:
    """A file as a document, and its text.

    Raises
    ------
    ConfigurationError
        If it cannot be read, is no TOML, or tells no kind.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} must be in UTF-8: {error}") from error
    return parse_standard(text, source=path.name), text


def parse_standard(text: str, *, source: str) -> Document:
    """Text of a file as a document; raises `ConfigurationError` as `read_standard` does."""
    try:
        return document_of(parse_toml(text), source=source)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source} must be TOML: {error}") from error


def standards_from(loaded: Sequence[Document] = ()) -> Standards:
    """Standards in force: those shipped with those loaded over them in this order; raises as `standards_of` does."""
    return standards_of(shipped_standards(), loaded)


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
    return load_factors(parse_toml(shipped), *(_read(path) for path in entered))


def _read(path: Path) -> Mapping[str, object]:
    try:
        return parse_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"factor file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"factor file {path} must be TOML in UTF-8: {error}") from error
