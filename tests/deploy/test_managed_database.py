"""A managed database: its owner is no superuser, and the extension belongs to somebody else."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from deploy.migrate import migrate, pending
from deploy.roles import SERVICES, service_address
from deploy.stack import Stack

pytestmark = pytest.mark.integration

PASSWORD = "of the owner"


@pytest.fixture(scope="module")
def managed(stack: Stack) -> Iterator[tuple[str, str]]:
    """Addresses of a database as its superuser and as its owner."""
    name = f"managed_{uuid.uuid4().hex[:8]}"  # of the database and of who owns it
    above = stack.dsn.rpartition("/")[0] + f"/{name}"
    owner = f"postgresql://{name}:{PASSWORD.replace(' ', '%20')}@{above.rpartition('@')[2]}"
    role = sql.Identifier(name)
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("create role {} login createrole password {}").format(role, sql.Literal(PASSWORD)))
        # what other databases of this server have made there already must be theirs to give, as its administrator says
        kinds = "select rolname from pg_roles where rolname ~ '^meterwarden_' and not rolcanlogin"
        for (kind,) in connection.execute(kinds).fetchall():
            connection.execute(sql.SQL("grant {} to {} with admin option").format(sql.Identifier(kind), role))
        connection.execute(sql.SQL("create database {} owner {} template template0").format(role, role))
        with psycopg.connect(above, autocommit=True) as inside:
            inside.execute("set client_min_messages = warning")
            inside.execute("create extension timescaledb")
        try:
            yield above, owner
        finally:
            with psycopg.connect(above, autocommit=True) as inside:
                made = inside.execute("select rolname from pg_roles where rolname like %s", (f"{name}\\_%",)).fetchall()
            connection.execute(sql.SQL("drop database {} with (force)").format(role))
            for one in (*(sql.Identifier(row[0]) for row in made), role):
                connection.execute(sql.SQL("drop owned by {}").format(one))
                connection.execute(sql.SQL("drop role {}").format(one))


def test_its_owner_migrates_and_enrols_when_the_extension_is_closed(managed: tuple[str, str]) -> None:
    above, owner = managed
    applied = migrate(owner)
    assert applied
    assert pending(owner) == []
    with psycopg.connect(owner, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"everybody may execute .* routines") as refused:
            connection.execute("select board.enrol(null)")
        superuser = str(conninfo_to_dict(above)["user"])
        hint = refused.value.diag.message_hint or ""
        assert superuser in hint
        assert "call board.shut()" in hint
    with psycopg.connect(above, autocommit=True) as connection:
        connection.execute("call board.shut()")
    with psycopg.connect(owner, autocommit=True) as connection:
        row = connection.execute("select board.enrol(null)").fetchone()
        assert row is not None
        connection.execute(
            "with made as (insert into ledger_version (source, row_count, sha256, blob) "
            "values ('a test', 1, decode(repeat('00', 32), 'hex'), '') returning id) "
            "insert into unit (code, name, version) select 'U', 'Works', id from made"
        )
        assert connection.execute("select count(*) from enterprise.reading").fetchone() == (0,)
    assert migrate(owner) == []
    for service in SERVICES:
        with psycopg.connect(service_address(owner, service, secret="of the tests")) as connection:
            assert connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone() == (
                False,
            )
