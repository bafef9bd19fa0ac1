"""What can be the address of one person."""

import re
from typing import Final

__all__ = ["is_one_address"]

_ONE: Final = re.compile(r"[^\s,;<>\"'\x00-\x1f\x7f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]{1,254}")


def is_one_address(text: str) -> bool:
    """Whether a text can be one address, a telephone number or a user's name, and not several.

    Examples
    --------
    >>> [is_one_address(text) for text in ("li.na@example.org", "13800000000", "a@x,b@y", "a@x b@y", "")]
    [True, True, False, False, False]
    """
    return _ONE.fullmatch(text) is not None
