"""QR codes as pictures in a page."""

import segno
from markupsafe import Markup

__all__ = ["qr_code"]


def qr_code(text: str) -> Markup:
    """A code as SVG; a quarter of it may be soiled (level Q)."""
    made = segno.make(text, error="q", micro=False)
    return Markup(made.svg_inline(border=4, dark="#000", light="#fff", omitsize=True, title=text))  # noqa: S704 - paths alone
