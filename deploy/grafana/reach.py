"""How Grafana's data source reaches the database: over a network only with a checked certificate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from analytics.domain.errors import ConfigurationError
from deploy.grafana.wanted import Connection

__all__ = ["reach"]

_NEAR: Final = {"127.0.0.1", "localhost", "::1", "[::1]"}
_CHECKED: Final = {"verify-ca", "verify-full"}


def reach(asked: Mapping[str, Any], *, database: str, at: str) -> Connection:
    """The connection of a data source.

    Parameters
    ----------
    asked : mapping
        How we reach the database, by names of libpq.
    database : str
    at : str
        Where Grafana finds the server, HOST:PORT.

    Raises
    ------
    ConfigurationError
        If `at` is no address, or the authority's certificate cannot be read.
    """
    host, _, port = at.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigurationError(f"--database-at must be HOST:PORT (got {at!r})")
    # over a network the certificate is checked, whatever is enough for ourselves
    sslmode = str(asked.get("sslmode") or "disable") if host in _NEAR else "verify-full"
    root = asked.get("sslrootcert") if sslmode in _CHECKED else None
    return Connection(
        host=host,
        port=int(port),
        database=database,
        sslmode=sslmode,
        root_certificate=None if root in {None, "system"} else _certificate(Path(str(root))),
    )


def _certificate(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"sslrootcert of METERWARDEN_DATABASE must be a PEM file (got {file}: {error})"
        ) from None
