"""Opening the database: what every session has, and what an error means to who asked."""

import asyncio

import pytest
from psycopg.conninfo import make_conninfo

from analytics.domain.errors import StoreUnavailable
from streams.ports import StoreRejected
from streams.store.postgres.connections import Connections, connected, connected_blocking, trouble

pytestmark = pytest.mark.integration

SESSION = """
select current_setting('timezone'), current_setting('client_min_messages'), current_setting('application_name')
"""
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def test_every_door_gives_the_same_session(module_database: str) -> None:
    dsn = make_conninfo(module_database, options="-c timezone=Asia/Shanghai -c client_min_messages=debug1")
    found: list[object] = []

    async def look() -> None:
        for autocommit in (True, False):
            async with connected(dsn, "tests", autocommit=autocommit) as opened:
                found.append(await (await opened.execute(SESSION)).fetchone())
        connections = Connections(dsn, name="meterwarden tests")
        async with connections.connection() as kept:
            found.append(await (await kept.execute(SESSION)).fetchone())
        await connections.close()

    asyncio.run(look())
    for autocommit in (True, False):
        with connected_blocking(dsn, "tests", autocommit=autocommit) as blocking:
            found.append(blocking.execute(SESSION).fetchone())
    assert found == [("UTC", "warning", "meterwarden tests")] * 5


class EndedEarlyError(Exception):
    """What ends a transaction before its end."""


def test_one_transaction_is_all_or_nothing(module_database: str) -> None:
    async def insert(number: int, *, fails: bool) -> None:
        async with connected(module_database, "tests", autocommit=False) as connection:
            await connection.execute("insert into of_one_transaction values (%s)", (number,))
            if fails:
                raise EndedEarlyError

    def insert_blocking(number: int, *, fails: bool) -> None:
        with connected_blocking(module_database, "tests", autocommit=False) as connection:
            connection.execute("insert into of_one_transaction values (%s)", (number,))
            if fails:
                raise EndedEarlyError

    with connected_blocking(module_database, "tests") as owner:
        owner.execute("create table of_one_transaction (n int)")
        with pytest.raises(EndedEarlyError):
            asyncio.run(insert(1, fails=True))
        with pytest.raises(EndedEarlyError):
            insert_blocking(2, fails=True)
        asyncio.run(insert(3, fails=False))
        insert_blocking(4, fails=False)
        assert owner.execute("select n from of_one_transaction order by n").fetchall() == [(3,), (4,)]
        owner.execute("drop table of_one_transaction")


def test_errors_say_whether_trying_again_helps(module_database: str) -> None:
    def look(dsn: str) -> None:
        with connected_blocking(dsn, "tests") as connection:
            connection.execute("select * from no_such_table")

    async def look_async(dsn: str) -> None:
        async with connected(dsn, "tests") as connection:
            await connection.execute("select * from no_such_table")

    for kind, dsn, says in ((StoreUnavailable, NOWHERE, "must answer"), (StoreRejected, module_database, "42P01")):
        with pytest.raises(kind, match=says):
            look(dsn)
        with pytest.raises(kind, match=says):
            asyncio.run(look_async(dsn))


def test_a_database_in_trouble_says_why(module_database: str) -> None:
    assert trouble(module_database, "tests") == ""
    assert "Connection refused" in trouble(NOWHERE, "tests", timeout_s=3)
