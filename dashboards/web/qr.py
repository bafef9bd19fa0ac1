"""QR codes as pictures in a page."""

from functools import lru_cache
from typing import Final

import segno
from markupsafe import Markup

__all__ = ["qr_code"]


_MASK: Final = 2
"""One of the eight; trying all of them takes four times as long, and any can be read."""


@lru_cache(2048)
def qr_code(text: str) -> Markup:
    """A code as SVG; a quarter of it may be soiled (level Q)."""
    made = segno.make(text, error="q", micro=False, mask=_MASK)
    return Markup(made.svg_inline(border=4, dark="#000", light="#fff", omitsize=True, title=text))  # noqa: S704 - paths alone
