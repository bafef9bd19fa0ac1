"""Whatever people may query says in the database itself what it is."""

import psycopg
import pytest

from deploy.descriptions import describe, descriptions

pytestmark = pytest.mark.integration

BARE = """
select n.nspname, c.relname, coalesce(a.attname, '(the view itself)')
from board.view v
join pg_class c on c.relname = v.view
join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('public', 'enterprise')
cross join lateral (
    select 0 as attnum, null::name as attname
    union all
    select b.attnum, b.attname from pg_attribute b where b.attrelid = c.oid and b.attnum > 0 and not b.attisdropped
) a
left join pg_description d on d.objoid = c.oid and d.classoid = 'pg_class'::regclass and d.objsubid = a.attnum
where coalesce(d.description, '') = ''
order by 1, 2, a.attnum
"""


def test_every_view_and_column_that_people_may_query_has_a_comment(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        bare = connection.execute(BARE).fetchall()
        assert not bare, f"deploy/migrations/comments.toml must describe each of these: {bare}"
        assert describe(connection) == 0, "it is said once"
        connection.execute("comment on column unit_day.tce is 'old'")
        assert describe(connection) == 1
        row = connection.execute("select col_description('enterprise.unit_day'::regclass, 10)").fetchone()
    assert row is not None
    assert row[0].startswith("Tonnes of coal equivalent")


def test_a_view_s_own_meaning_comes_before_the_common_one() -> None:
    known = descriptions()
    assert known.of("reading", "quality") != known.of("point_hour", "quality")
    assert known.of("nowhere", None) == known.of("reading", "nothing") == ""
