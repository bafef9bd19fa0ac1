"""What an enterprise's role can find out about others' values without being shown any: the counters of plans.

A probe is a pair of conditions on a column that are the same for one's own rows, and for rows of another enterprise
are not. Whatever the server shows of how it worked, rows and rows removed at each node of a plan above all, must then
be the same for both. Where it is not, the column tells.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql

__all__ = ["PLANS", "Column", "Probe", "View", "columns", "counters", "estimates", "probes", "tells", "views"]

PLANS: Final[Mapping[str, Sequence[str]]] = {
    "as planned": (),
    "no nested loops": ("enable_nestloop",),
    "no hash joins": ("enable_hashjoin",),
    "no hash or merge joins": ("enable_hashjoin", "enable_mergejoin", "enable_memoize"),
    "no bitmaps": ("enable_bitmapscan",),
    "bitmaps alone": ("enable_seqscan", "enable_indexscan", "enable_indexonlyscan"),
    "no indexes": ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"),
    "indexes alone": ("enable_seqscan", "enable_bitmapscan"),
}
"""Settings that a viewer may switch off, by what is then left."""

_COUNTED: Final = (
    "Actual Rows",
    "Actual Loops",
    "Rows Removed by Filter",
    "Rows Removed by Join Filter",
    "Rows Removed by Index Recheck",
    "Exact Heap Blocks",
    "Lossy Heap Blocks",
    "Heap Fetches",
)
_TWIN: Final = {
    "text": "{v} || '~'", "int2": "({v} + 1000)::int2", "int4": "{v} + 100000000", "int8": "{v} + 100000000000",
    "float4": "({v} + 12345.5)::float4", "float8": "{v} + 0.0001220703125", "numeric": "{v} + 0.000001",
    "date": "{v} + 40000", "timestamptz": "{v} + interval '1 microsecond'",
}  # fmt: skip
"""A value that no row has, beside one that a row has, by type."""
_COLUMNS: Final = """
select c.relname, a.attname, t.typname
from pg_class c join pg_attribute a on a.attrelid = c.oid join pg_type t on t.oid = a.atttypid
where c.relnamespace = 'enterprise'::regnamespace and c.relkind = 'v' and a.attnum > 0 and not a.attisdropped
order by 1, a.attnum
"""
_BY_CODE: Final = "unit_code = (select code from public.unit where id = {})"
_FACTS: Final = """
select b.view, coalesce(b.open, '{}'), coalesce(b.hidden, '{}'),
       (select coalesce(array_agg(a.attname::text), '{}') from pg_attribute a
        where a.attrelid = to_regclass('public.' || quote_ident(b.view)) and a.attnum > 0 and not a.attisdropped)
from board.view b
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that an enterprise's role may read."""

    view: str
    name: str
    type: str

    def __str__(self) -> str:
        return f"{self.view}.{self.name}"


@dataclass(frozen=True, slots=True)
class Probe:
    """Two conditions that differ in rows of others alone; `inner` where one's own rows are not the same either."""

    column: Column
    here: str
    there: str
    inner: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """What the server knows of a view of schema `enterprise`.

    Attributes
    ----------
    columns : list of Column
    closed : frozenset of str
        Columns that are compared above the barrier only.
    shown : frozenset of str
        Columns that the view of the same name in `public` has, and that enterprises see values of.
    whose : str
        Condition on rows of a unit, whose id goes into the braces.
    """

    columns: list[Column]
    closed: frozenset[str]
    shown: frozenset[str]
    whose: str


def views(owner: psycopg.Connection) -> dict[str, View]:
    """All views of schema `enterprise`."""
    facts = {
        view: (frozenset(open_), frozenset(hidden), frozenset(below))
        for view, open_, hidden, below in owner.execute(_FACTS).fetchall()
    }
    found: dict[str, list[Column]] = {}
    for row in owner.execute(_COLUMNS).fetchall():
        found.setdefault(row[0], []).append(Column(*row))
    return {
        view: View(
            its,
            frozenset(column.name for column in its) - facts[view][0],
            facts[view][2] - facts[view][1],
            "unit_id = {}"
            if "unit_id" in facts[view][2]
            else "unit_code = (select code from public.unit where id = {})",
        )
        for view, its in found.items()
    }


def columns(owner: psycopg.Connection) -> list[Column]:
    """All columns of all views of schema `enterprise`."""
    return [column for view in views(owner).values() for column in view.columns]


def probes(owner: psycopg.Connection, *, mine: int, other: int) -> dict[Column, list[Probe]]:
    """The probes of each column, with values that rows of `other` have and none of `mine`.

    Parameters
    ----------
    owner
        Who may read everything.
    mine, other
        Ids of two units.
    """
    found: dict[Column, list[Probe]] = {}
    for view in views(owner).values():
        foreign = _foreign(owner, view, mine=mine, other=other)
        for column in view.columns:
            found[column] = [
                *_inner(column, closed=column.name in view.closed),
                *(probe for value in foreign.get(column.name, ()) for probe in _compared(owner, column, value)),
            ]
    return found


def _inner(column: Column, *, closed: bool) -> Iterator[Probe]:
    """One's own rows are not the same either, and for an open column they are counted below."""
    name = f'v."{column.name}"'
    if closed and column.type == "bool":
        yield Probe(column, f"{name} is true", f"{name} is not true", inner=True)
    if closed:
        yield Probe(column, f"{name} is null", f"{name} is not null", inner=True)


def _compared(owner: psycopg.Connection, column: Column, value: str) -> Iterator[Probe]:
    name = f'v."{column.name}"'
    v = sql.Literal(value).as_string(owner) + f"::{column.type}"
    twin = _TWIN[column.type].format(v=v)
    twin = f"{sql.Literal(_scalar(owner, f'select ({twin})::text')).as_string(owner)}::{column.type}"
    yield Probe(column, f"{name} = {v}", f"{name} = {twin}")
    yield Probe(column, f"{name} >= {v}", f"{name} > {v}")
    yield Probe(column, f"{name} = (select {v})", f"{name} = (select {twin})")


def _foreign(owner: psycopg.Connection, view: View, *, mine: int, other: int) -> dict[str, list[str]]:
    """Some values of each column that rows of `other` have and none of `mine`.

    Of readings from each layer they are kept in. The view is read once for all its columns.
    """
    name = view.columns[0].view
    layers = ("stored_at is null or day < current_date - 1", "day >= current_date") if name == "reading" else ("true",)
    found: dict[str, list[str]] = {}
    asked = [column.name for column in view.columns if column.name in view.shown and column.type in _TWIN]
    for layer in layers if asked else ():
        values = ", ".join(
            f'(select t."{column}" from theirs t where t."{column}" is not null and t."{column}" not in '
            f'(select o."{column}" from ours o where o."{column}" is not null) order by md5(t."{column}") limit 1)'
            for column in asked
        )
        texts = ", ".join(f'"{column}"::text' for column in asked)
        query = (
            f'with ours as materialized (select {texts} from public."{name}" where {view.whose.format(mine)}), '
            f'theirs as materialized (select {texts} from public."{name}" where {view.whose.format(other)} '
            f"and ({layer})) select {values}"
        )
        row = owner.execute(query.encode()).fetchone()
        assert row is not None
        for column, value in zip(asked, row, strict=True):
            if value is not None and value not in found.get(column, ()):
                found.setdefault(column, []).append(value)
    return found


def _scalar(connection: psycopg.Connection, query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return None if row is None else row[0]


def tells(viewer: psycopg.Connection, probe: Probe, off: Sequence[str], *, schema: str = "enterprise") -> str | None:
    """What differs between the two, None where nothing does; with these settings switched off."""
    with viewer.transaction():
        for setting in off:
            viewer.execute(f"set local {setting} = off".encode())
        here = counters(viewer, _question(schema, probe.column, probe.here))
        there = counters(viewer, _question(schema, probe.column, probe.there))
    if probe.inner:
        here, there = _below(here), _below(there)
    return None if here == there else f"{probe.here}: {_difference(here, there)}"


def _question(schema: str, column: Column, condition: str) -> str:
    return f'select count(*) from {schema}."{column.view}" v where {condition}'


def counters(viewer: psycopg.Connection, question: str) -> list[tuple[Any, ...]]:
    """What `explain analyze` counts, node by node: type, depth, rows and rows removed."""
    plan = _explain(viewer, "analyze, costs off, timing off, summary off, buffers off", question)
    return [(depth, node["Node Type"], *(node.get(key) for key in _COUNTED)) for depth, node in _nodes(plan["Plan"])]


def estimates(viewer: psycopg.Connection, question: str) -> list[tuple[Any, ...]]:
    """Rows that the planner expects, node by node."""
    plan = _explain(viewer, "costs on", question)
    return [(depth, node["Node Type"], node["Plan Rows"]) for depth, node in _nodes(plan["Plan"])]


def _explain(viewer: psycopg.Connection, options: str, question: str) -> dict[str, Any]:
    row = viewer.execute(f"explain ({options}, format json) {question}".encode()).fetchone()
    assert row is not None
    found: dict[str, Any] = (row[0] if isinstance(row[0], list) else json.loads(row[0]))[0]
    return found


def _nodes(plan: dict[str, Any], depth: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    yield depth, plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child, depth + 1)


def _below(counted: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """What is below the outer condition: it may count one's own rows."""
    first = next((at for at, node in enumerate(counted) if node[1] == "Subquery Scan"), 0)
    return counted[first + 1 :]


def _difference(here: list[tuple[Any, ...]], there: list[tuple[Any, ...]]) -> str:
    return next((f"{a} against {b}" for a, b in zip(here, there, strict=False) if a != b), "other nodes")
