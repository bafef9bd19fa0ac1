"""Messages as mail: HTML beside the text, with what is named in bold and links to click."""

import re
from html import escape
from typing import Final

__all__ = ["html_of"]

_LINK: Final = re.compile(r"https?://[^\s<>\"]+")
_NAMED: Final = re.compile(r"([^：:]{1,30})(：|: )(.+)", re.DOTALL)
_STYLE: Final = (
    "font-family:sans-serif;font-size:15px;line-height:1.5;color:#1f2328;max-width:42em;overflow-wrap:anywhere"
)


def html_of(title: str, body: str) -> str:
    r"""A message as HTML, with nothing fetched from anywhere.

    Examples
    --------
    >>> html_of("T", "证据：5 < 7").partition("<p>")[2]
    '<b>证据：</b>5 &lt; 7</p>\n</div>'
    """
    lines = "\n".join(_line(one) for one in body.splitlines() if one.strip())
    return f'<div style="{_STYLE}">\n<h2 style="font-size:18px">{escape(title)}</h2>\n{lines}\n</div>'


def _line(text: str) -> str:
    found = _NAMED.fullmatch(text)
    if found is None or _LINK.match(text) or text.startswith("- "):
        return f"<p>{_linked(text)}</p>"
    mark = found[2].rstrip()
    return f"<p><b>{escape(found[1])}{mark}</b>{' ' if mark == ':' else ''}{_linked(found[3])}</p>"


def _linked(text: str) -> str:
    parts: list[str] = []
    last = 0
    for found in _LINK.finditer(text):
        address = escape(found[0])
        parts += [escape(text[last : found.start()]), f'<a href="{address}">{address}</a>']
        last = found.end()
    return "".join([*parts, escape(text[last:])])
