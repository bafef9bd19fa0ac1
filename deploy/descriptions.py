"""Views and columns describe themselves: comments in the database, out of one file by the name of a column.

They are put there after every migration, also on views that a later one brings; what says so already is left alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import psycopg
from psycopg import sql

from analytics.domain.toml import parse_toml

__all__ = ["Descriptions", "describe", "descriptions"]

_FILE: Final = "comments.toml"
_VIEWS: Final = """
select n.nspname, c.relname, a.attname, coalesce(d.description, '')
from board.view v
join pg_class c on c.relname = v.view
join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('public', 'enterprise')
cross join lateral (
    select 0 as attnum, null::name as attname
    union all
    select b.attnum, b.attname from pg_attribute b where b.attrelid = c.oid and b.attnum > 0 and not b.attisdropped
) a
left join pg_description d on d.objoid = c.oid and d.classoid = 'pg_class'::regclass and d.objsubid = a.attnum
"""
_THERE: Final = "select to_regclass('board.view') is not null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptions:
    """What views and columns are.

    Attributes
    ----------
    views : mapping of view to text
    columns : mapping of column to text
        Wherever it stands.
    own : mapping of view to mapping of column to text
        Where a column of the name means something else.
    """

    views: Mapping[str, str]
    columns: Mapping[str, str]
    own: Mapping[str, Mapping[str, str]]

    def of(self, view: str, column: str | None) -> str:
        """Description of a view or one of its columns; empty if there is none."""
        if column is None:
            return self.views.get(view, "")
        return self.own.get(view, {}).get(column) or self.columns.get(column, "")


def descriptions() -> Descriptions:
    """Those of the file that ships."""
    tables = parse_toml(files("deploy.migrations").joinpath(_FILE).read_text(encoding="utf-8"))
    view, column, own = (tables.get(name, {}) for name in ("view", "column", "column_of"))
    assert isinstance(view, dict)
    assert isinstance(column, dict)
    assert isinstance(own, dict)
    return Descriptions(views=view, columns=column, own=own)


def describe(connection: psycopg.Connection) -> int:
    """Put into the database what is not there yet; how many comments that were."""
    row = connection.execute(_THERE).fetchone()
    if row is None or not row[0]:
        return 0  # before the migration that brings the list of views
    known, said = descriptions(), 0
    for schema, view, column, present in connection.execute(_VIEWS).fetchall():
        text = known.of(view, column)
        if not text or text == present:
            continue
        what = sql.SQL("view {}") if column is None else sql.SQL("column {}")
        names = (schema, view) if column is None else (schema, view, column)
        connection.execute(
            sql.SQL("comment on {} is {}").format(what.format(sql.Identifier(*names)), sql.Literal(text))
        )
        said += 1
    return said
