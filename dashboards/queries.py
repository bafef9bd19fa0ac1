"""The boards' SQL: one named file a question in ``dashboards/sql``, over the views of `streams.store.views`.

A role's search path says which rows the names mean: the staff's all, an enterprise's its own.
"""

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

__all__ = ["names", "purpose", "query"]


@cache
def names() -> tuple[str, ...]:
    """All of them, sorted."""
    return tuple(sorted(file.name.removesuffix(".sql") for file in _folder().iterdir() if file.name.endswith(".sql")))


@cache
def query(name: str) -> str:
    """The text of one, without the line that says what it gives."""
    return "\n".join(_lines(name)[1:])


def purpose(name: str) -> str:
    """The line that says what it gives."""
    return _lines(name)[0].removeprefix("-- ")


def _lines(name: str) -> list[str]:
    lines = (_folder() / f"{name}.sql").read_text("utf-8").strip().splitlines()
    if not lines[0].startswith("-- "):
        raise ValueError(f"dashboards/sql/{name}.sql must begin with a line that says what it gives (got {lines[0]!r})")
    return lines


def _folder() -> Traversable:
    return files("dashboards") / "sql"
