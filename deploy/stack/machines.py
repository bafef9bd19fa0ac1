"""The doors of our own Kafka and database for other machines: TLS, and our services' logins alone.

Kafka has a port of its own for them. It asks for a password by PLAIN, inside TLS, and knows the logins that are named
in its configuration: gateways, whose passwords Kafka keeps itself (SCRAM), get in by their own port only, where a
request of theirs has a bound. The database lets in by TLS, from elsewhere, services and the login of other regions;
its owner logs in on its own machine alone.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from deploy.roles import SERVICES
from deploy.settings import MachinesSettings, Settings
from deploy.stack.errors import StackError
from deploy.stack.kafka_listener import pem_store
from deploy.stack.places import Places
from deploy.stack.ports import require_bindable
from ingest.kafka_access import KafkaAccess

__all__ = ["LOGINS", "check", "database_door", "database_rules", "elsewhere", "kafka_address", "kafka_door"]

LOGINS: Final = ("worker", "ingest")
"""Who may log in to Kafka from another machine: workers, and what sends readings."""

_PLAIN: Final = "org.apache.kafka.common.security.plain.PlainLoginModule"
_NAMES: Final = "METERWARDEN_MACHINES_CERTIFICATE and _KEY"
_KEY: Final = "METERWARDEN_MACHINES_KEY"


def check(machines: MachinesSettings, *, port: int, setting: str) -> None:
    """Refuse a name that is none of this machine's, and certificates that cannot be used.

    Raises `StackError`.
    """
    if machines.host is None:
        return
    require_bindable(machines.host, port, setting=setting)
    pem_store(*_files(machines), names=_NAMES, key_name=_KEY)


def kafka_address(machines: MachinesSettings) -> str:
    """The listener, as Kafka names it; empty where no other machine is let in."""
    return f"MACHINES://{machines.host}:{machines.kafka_port}" if machines.host else ""


def kafka_door(machines: MachinesSettings, passwords: Mapping[str, str]) -> dict[str, str]:
    """Its part of Kafka's configuration; it holds passwords by user, and a key."""
    if machines.host is None:
        return {}
    known = "".join(f' user_{user}="{password}"' for user, password in passwords.items())
    store = pem_store(*_files(machines), names=_NAMES, key_name=_KEY)
    return {
        "listener.name.machines.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.machines.plain.sasl.jaas.config": f"{_PLAIN} required{known};",
        **{f"listener.name.machines.{name}": value for name, value in store.items()},
    }


def database_door(machines: MachinesSettings, places: Places) -> dict[str, object]:
    """Its part of PostgreSQL's configuration: where it listens, and the certificate, copied for its account."""
    if machines.host is None:
        return {"listen_addresses": "127.0.0.1", "ssl": "off"}
    certificate, key = (file.read_text(encoding="ascii") for file in _files(machines))
    return {
        "listen_addresses": f"127.0.0.1,{machines.host.strip('[]')}",
        "ssl": "on",
        "ssl_cert_file": places.write_conf("machines.crt", certificate),
        "ssl_key_file": places.write_own_conf("machines.key", key),
        "ssl_min_protocol_version": "TLSv1.2",
        # a machine that is gone without a word must not keep locks
        "tcp_keepalives_idle": 10,
        "tcp_keepalives_interval": 5,
        "tcp_keepalives_count": 3,
        "tcp_user_timeout": "30s",
    }


def database_rules(machines: MachinesSettings, own: Path, database: str) -> str:
    """Who gets in from where (`pg_hba.conf`): first `own`, the rules of this machine, then those for others."""
    lines = [f'include "{own}"']
    if machines.host is not None:
        logins = ",".join(f"{database}_login_{service}" for service in SERVICES if service != "boards")
        lines += [
            f"hostssl {database} {logins},{database}_region {anywhere} scram-sha-256"
            for anywhere in ("0.0.0.0/0", "::/0")
        ]
    return "\n".join(lines) + "\n"


def elsewhere(settings: Settings, kafka: KafkaAccess, address: str, *, ca: str) -> dict[str, str]:
    """Settings of workers on another machine; see `Stack.worker_elsewhere`."""
    machines = settings.machines
    url = urlsplit(address)
    place = f"{url.netloc.rpartition('@')[0]}@{machines.host}:{settings.database.port}"
    query = urlencode({"sslmode": "verify-full", "sslrootcert": ca}, quote_via=quote, safe="/")
    return {
        "METERWARDEN_KAFKA": f"{machines.host}:{machines.kafka_port}",
        "METERWARDEN_KAFKA_SECURITY": "SASL_SSL",
        "METERWARDEN_KAFKA_MECHANISM": "PLAIN",
        "METERWARDEN_KAFKA_USER": kafka.security["sasl_plain_username"],
        "METERWARDEN_KAFKA_PASSWORD": kafka.security["sasl_plain_password"],
        **({} if ca == "system" else {"METERWARDEN_KAFKA_CA": ca}),
        "METERWARDEN_KAFKA_PARTITIONS": str(settings.kafka.partitions),
        "METERWARDEN_DATABASE": urlunsplit(url._replace(netloc=place, query=query)),
        "METERWARDEN_DATABASE_ROLES": "same",
        "METERWARDEN_PAGES_PORT": "0",
        "METERWARDEN_ZONE": str(settings.zone),
        **({"METERWARDEN_IN_SERVICE": settings.in_service} if settings.in_service else {}),
    }


def _files(machines: MachinesSettings) -> tuple[Path, Path]:
    if machines.certificate is None or machines.key is None:
        raise StackError("METERWARDEN_MACHINES_HOST must come with a certificate and its key")
    for file in (machines.certificate, machines.key):
        try:
            file.read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            raise StackError(f"{_NAMES} must be PEM files that can be read (got {file}: {error})") from None
    return machines.certificate, machines.key
