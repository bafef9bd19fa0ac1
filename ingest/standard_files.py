"""Files that say what is judged by: those that ship, and those that a person loads."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from analytics.domain.errors import ConfigurationError
from analytics.standards.documents import Document, Shipped, Standards, document_of, standards_of

__all__ = ["parse_standard", "read_standard", "shipped_standards", "standards_from"]


def shipped_standards() -> Shipped:
    """The files of this package."""
    return Shipped(
        edition=_shipped("gb17167_2006.toml"),
        rules=_shipped("supervision.toml"),
        factors=_shipped("gbt2589_2020.toml"),
        review=_shipped("jjf1356_2012.toml"),
        water=_shipped("gb24789_2009.toml"),
    )


def _shipped(name: str) -> Mapping[str, object]:
    return tomllib.loads(files("analytics.standards").joinpath(name).read_text(encoding="utf-8"))


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
        return document_of(tomllib.loads(text), source=source)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source} must be TOML: {error}") from error


def standards_from(loaded: Sequence[Document] = ()) -> Standards:
    """What is judged by: what ships, and what was loaded over it in this order; raises as `standards_of` does."""
    return standards_of(shipped_standards(), loaded)
