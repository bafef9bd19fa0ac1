"""Parsing of untrusted TOML: a single error type, in bounded time."""

import tomllib
from typing import Any, Final

__all__ = ["MOST_LETTERS", "parse_toml"]

MOST_LETTERS: Final = 8 * 2**20
"""A longer text is refused unread."""


def parse_toml(text: str) -> dict[str, Any]:
    """Table of a TOML text.

    Raises
    ------
    tomllib.TOMLDecodeError
        If it is no TOML, is longer than `MOST_LETTERS`, nests too deeply, or has a number of thousands of digits.

    Examples
    --------
    >>> parse_toml("a = 1")
    {'a': 1}
    """
    if len(text) > MOST_LETTERS:
        raise tomllib.TOMLDecodeError(f"must have at most {MOST_LETTERS} letters (got {len(text)})")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError("must not be nested so deeply") from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:  # a number beyond the digits that Python reads
        raise tomllib.TOMLDecodeError(f"must have numbers of a usual size (got: {str(error)[:80]})") from None
