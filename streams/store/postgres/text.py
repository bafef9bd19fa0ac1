"""Text that PostgreSQL takes: strangers send us strings with zero characters and halves of surrogate pairs."""

import re

__all__ = ["LIMIT", "NAME_LIMIT", "storable"]

_REFUSED = re.compile("[\x00\ud800-\udfff]")

LIMIT = 2_000
"""Longer texts are cut: the bytes they came from are kept beside them. [characters]"""


NAME_LIMIT = 200
"""The same for names that are indexed. [characters]"""


def storable(text: str, limit: int = LIMIT) -> str:
    r"""`text` as it can be stored: nothing that UTF-8 or PostgreSQL refuses, not longer than `limit` characters.

    Examples
    --------
    >>> storable("a\x00b\ud800")
    'a\ufffdb\ufffd'
    """
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return _REFUSED.sub("\ufffd", short)
