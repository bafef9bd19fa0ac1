"""How a process of ours gets into Kafka: what the settings say of one that exists, a login a service of our own."""

from typing import Final, Literal, get_args

from analytics.domain.errors import ConfigurationError
from deploy.roles import derived_password
from deploy.settings import KafkaSettings
from ingest.kafka_access import KafkaAccess

__all__ = ["LOGINS", "Login", "access_of", "environment_of", "principal_of", "scram", "service_access", "user_of"]

Login = Literal["admin", "worker", "ingest"]
"""Who logs in to a Kafka of our own: its owner, the workers, and what sends readings from this machine."""

LOGINS: Final[tuple[Login, ...]] = get_args(Login)
_OPTIONS: Final = {
    "METERWARDEN_KAFKA_SECURITY": "security_protocol",
    "METERWARDEN_KAFKA_MECHANISM": "sasl_mechanism",
    "METERWARDEN_KAFKA_USER": "sasl_plain_username",
    "METERWARDEN_KAFKA_PASSWORD": "sasl_plain_password",
    "METERWARDEN_KAFKA_CA": "ssl_cafile",
    "METERWARDEN_KAFKA_CERTIFICATE": "ssl_certfile",
    "METERWARDEN_KAFKA_KEY": "ssl_keyfile",
}


def access_of(kafka: KafkaSettings) -> KafkaAccess:
    """The way into the Kafka that settings name.

    Raises
    ------
    ConfigurationError
        If none is named, or the file of its password cannot be read.
    """
    if kafka.bootstrap is None:
        raise ConfigurationError("METERWARDEN_KAFKA must name servers, host:port (got none)")
    tls = kafka.ca is not None or kafka.certificate is not None
    protocol = kafka.security or ("SASL_" if kafka.user else "") + ("SSL" if tls else "PLAINTEXT")
    security = {} if protocol == "PLAINTEXT" else {"security_protocol": protocol}
    if kafka.user:
        security |= {
            "sasl_mechanism": kafka.mechanism,
            "sasl_plain_username": kafka.user,
            "sasl_plain_password": _password(kafka),
        }
    files = {"ssl_cafile": kafka.ca, "ssl_certfile": kafka.certificate, "ssl_keyfile": kafka.key}
    return KafkaAccess(kafka.bootstrap, security | {name: str(file) for name, file in files.items() if file})


def service_access(bootstrap: str, login: Login, *, secret: str) -> KafkaAccess:
    """The way into a Kafka of our own; the password follows from the instance's `secret`, as with the database."""
    user = user_of(login)
    return KafkaAccess(bootstrap, scram(user, derived_password(secret, user)))


def scram(user: str, password: str, *, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
    """Security options of a login by password on this machine."""
    return {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": mechanism,
        "sasl_plain_username": user,
        "sasl_plain_password": password,
    }


def user_of(login: str) -> str:
    """Kafka's name of one of our own logins; the dot keeps it apart from names of gateways."""
    return f"meterwarden.{login}"


def principal_of(user: str) -> str:
    """As rights name it."""
    return f"User:{user}"


def environment_of(access: KafkaAccess) -> dict[str, str]:
    """Settings that lead to this access, for a process of ours; a password is among them.

    Those that it does not need are empty, so that none of the parent's own is left.
    """
    said = {name: access.security.get(option, "") for name, option in _OPTIONS.items()}
    return {"METERWARDEN_KAFKA": access.bootstrap, "METERWARDEN_KAFKA_PASSWORD_FILE": ""} | said


def _password(kafka: KafkaSettings) -> str:
    if kafka.password_file is None:
        return kafka.password or ""
    try:
        lines = kafka.password_file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"METERWARDEN_KAFKA_PASSWORD_FILE must name a file that can be read (got {kafka.password_file}: {error})"
        ) from None
    if not lines or not lines[0]:
        raise ConfigurationError(f"the first line of {kafka.password_file} must be a password (got an empty line)")
    return lines[0]
