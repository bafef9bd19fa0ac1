"""Pages as HTML: templates and texts in, text out. No script runs but on the page of a visit; every asset is ours."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from analytics.domain.words import Language
from dashboards.web.values import Cell
from dashboards.web.words import PAGES

__all__ = ["POLICY", "WORKING_POLICY", "asset", "asset_path", "page", "question", "script", "texts"]

POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content security policy of the pages: no script at all."""
WORKING_POLICY: Final = f"{POLICY}; script-src 'self'; connect-src 'self'; worker-src 'self'"
"""Of the one page that works without a net: its own two scripts alone, no inline one."""
_TYPES: Final = {"css": "text/css; charset=utf-8", "svg": "image/svg+xml", "js": "text/javascript; charset=utf-8"}


def texts(name: str, language: Language) -> Callable[[str], str]:
    """Texts of a page and of all pages, by their names."""
    table = {**PAGES["common"], **PAGES.get(name, {})}

    def text(key: str) -> str:
        return table[key].of(language)

    return text


def page(name: str, *, language: Language, words: str, **facts: Any) -> str:
    """A page by its template's name, with the texts of `words`."""
    template = _environment().get_template(f"{name}.html")
    return template.render(t=texts(words, language), language=language, asset_path=asset_path, page_name=name, **facts)


def _cells(row: Sequence[Cell], headings: Sequence[tuple[str, bool]] = ()) -> Markup:
    """Cells of a row, in a fifth of the time that a macro takes: tables have thousands of them.

    With headings each cell carries its own, which a phone shows before it.
    """
    names = [name for name, _ in headings] or [""] * len(row)
    pairs = zip(row, names, strict=True)
    made = "".join([_td(cell.text, cell.tone, cell.right, cell.href, name) for cell, name in pairs])
    return Markup(made)  # noqa: S704 - every text in it went through escape; tones are ours


@lru_cache(8192)
def _td(text: str, tone: str, right: bool, href: str, name: str) -> str:
    shown: str = escape(text)
    if href:
        shown = f'<a href="{escape(href)}">{shown}</a>'
    named = f' data-name="{escape(name)}"' if name else ""
    return f'<td class="{tone}{" right" if right else ""}"{named}>{shown}</td>'


@cache
def question(name: str) -> str:
    """Text of one of the pages' own questions, without the line that says what it gives."""
    lines = (files("dashboards.web") / "sql" / f"{name}.sql").read_text("utf-8").strip().splitlines()
    if not lines[0].startswith("-- "):
        raise ValueError(f"a question must begin with a line that says what it gives (got {name}: {lines[0]!r})")
    return "\n".join(lines[1:])


def asset_path(name: str) -> str:
    """Where an asset is fetched, with a digest of its content in its name."""
    stem, _, kind = name.rpartition(".")
    return f"/assets/{stem}.{_digest(name)}.{kind}"


def script(name: str) -> bytes:
    """A script that is asked for under a path of its own."""
    return (files("dashboards.web") / "assets" / name).read_bytes()


def asset(path: str) -> tuple[bytes, str] | None:
    """Content and media type of what `asset_path` names; None for anything else."""
    return _assets().get(path)


@cache
def _assets() -> Mapping[str, tuple[bytes, str]]:
    folder = files("dashboards.web") / "assets"
    found = {}
    for file in folder.iterdir():
        kind = file.name.rpartition(".")[2]
        if kind in _TYPES:
            found[asset_path(file.name)] = file.read_bytes(), _TYPES[kind]
    return found


@cache
def _digest(name: str) -> str:
    content = (files("dashboards.web") / "assets" / name).read_bytes()
    return hashlib.sha256(content).hexdigest()[:12]


@cache
def _environment() -> Environment:
    folder = files("dashboards.web") / "templates"
    made = Environment(
        loader=FunctionLoader(lambda name: (folder / name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["cells_of"] = _cells
    return made
