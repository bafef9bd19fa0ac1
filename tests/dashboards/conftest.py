"""A small region in the database with the roles that boards read as."""

from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.dashboards.world import World, fill

PASSWORD = "one-for-the-tests"


def login(dsn: str, unit: int | None) -> str:
    """The address as which a unit's role (the staff's for None) logs in; the role is made."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute("select board.enrol(%s)", (unit,)).fetchone()
        assert row is not None
        connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(row[0]), sql.Literal(PASSWORD)))
    facts = {**conninfo_to_dict(dsn), "user": row[0], "password": PASSWORD}
    return make_conninfo(**facts)


@pytest.fixture(scope="module")
def region(module_database: str) -> str:
    """The address of a database with a small region in it."""
    fill(module_database, World(end=datetime.now(UTC).replace(minute=0, second=0, microsecond=0)))
    return module_database
