"""Visibility of alerts and cases to enterprises, by the definition that the database itself uses.

`board.view` names the columns of each view that enterprises do not see. The views of schema ``enterprise`` are made
from it, and so are the queries here.
"""

from collections.abc import Mapping
from typing import Any, Final

import psycopg

from analytics.domain.errors import ConfigurationError
from streams.alerts.people import Who, rows

__all__ = ["SharedViews"]

_COLUMNS: Final = """
select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attname = any (v.hidden) as hidden
from board.view v
join pg_class c on c.relname = v.view and c.relnamespace = 'public'::regnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where v.view = %s and v.shared order by a.attnum
"""


class SharedViews:
    """Views as a person may see them."""

    def __init__(self) -> None:
        self._as_shared: dict[str, str] = {}

    async def of(self, connection: psycopg.AsyncConnection, view: str, person: Who) -> str:
        """What to select from: the view, or for an enterprise its own unit's rows without what is hidden from it.

        Parameters
        ----------
        connection
        view : str
            A name of ours, never of a request.
        person : Who
        """
        if person.role != "enterprise":
            return view
        assert person.unit_id is not None, "the table says so"
        if view not in self._as_shared:
            found = await rows(connection, _COLUMNS, (view,))
            if not found:
                raise ConfigurationError(f"a view for enterprises must be in board.view as shared (got {view})")
            self._as_shared[view] = ", ".join(map(_column, found))
        columns = self._as_shared[view]
        return f"(select {columns} from {view} where unit_id = {int(person.unit_id)}) {view}"  # noqa: S608 - all ours


def _column(column: Mapping[str, Any]) -> str:
    name = column["name"].replace('"', '""')
    return f'null::{column["type"]} as "{name}"' if column["hidden"] else f'"{name}"'
