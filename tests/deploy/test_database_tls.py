"""An existing database whose certificate is checked: what the settings' address says goes for every service."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from deploy.roles import service_address
from deploy.stack import Stack
from deploy.stack.places import service_account
from tests.ingest.gateway.brokers import certificate

pytestmark = pytest.mark.integration


@pytest.fixture
def authority(stack: Stack) -> Iterator[Path]:
    """The session's PostgreSQL speaks TLS; who signed its certificate."""
    tls = certificate(stack.settings.home / "postgresql tls")
    account = service_account()
    if account is not None:
        shutil.chown(tls.key, account.uid, account.gid)
    tls.key.chmod(0o600)
    wanted = {"ssl": "on", "ssl_cert_file": str(tls.certificate), "ssl_key_file": str(tls.key)}
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        try:
            for name, value in wanted.items():
                connection.execute(sql.SQL("alter system set {} = {}").format(sql.Identifier(name), value))
            connection.execute("select pg_reload_conf()")
            yield tls.certificate
        finally:
            for name in wanted:
                connection.execute(sql.SQL("alter system reset {}").format(sql.Identifier(name)))
            connection.execute("select pg_reload_conf()")


def test_every_service_checks_the_certificate_that_the_address_asks_for(
    database: str, authority: Path, tmp_path: Path
) -> None:
    owner = f"{database}?sslmode=verify-full&sslrootcert={quote(str(authority))}"
    stranger = quote(str(certificate(tmp_path).certificate))
    for address in (owner, service_address(owner, "worker", secret="x")):
        with psycopg.connect(address) as connection:
            assert connection.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchone() == (True,)
        with pytest.raises(psycopg.OperationalError, match=r"certificate verify failed"):
            psycopg.connect(address.rpartition("=")[0] + f"={stranger}")
        with pytest.raises(psycopg.OperationalError, match=r"does not match host name"):
            psycopg.connect(address.replace("@127.0.0.1", "@db.example") + "&hostaddr=127.0.0.1")
