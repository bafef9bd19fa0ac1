"""Logins of gateways in Kafka: each may send to its own inbox, and do nothing else."""

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import Final

from kafka import KafkaAdminClient
from kafka.admin import ScramMechanism, UserScramCredentialDeletion, UserScramCredentialUpsertion
from kafka.errors import KafkaError, TopicAlreadyExistsError

from analytics.domain.errors import ConfigurationError
from deploy.roles import derived_password
from deploy.stack.kafka_quotas import Share, give_share
from deploy.stack.kafka_rights import Right, give_rights, let_in_soon
from ingest.gateway.access import inbox_of
from ingest.kafka_access import KafkaAccess
from streams.store.access.gateways import kafka_logins
from streams.store.postgres.connections import connected

__all__ = ["keep_out", "let_in", "let_in_again", "logins_of", "password_of"]

_NO_SUCH: Final = "does not exist"


def password_of(name: str, since: datetime, *, secret: str) -> str:
    """Password that a gateway was given at a time; it follows from the secret, so that it can be made again."""
    return derived_password(secret, f"gateway {name} {since.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}")


def logins_of(dsn: str) -> dict[str, datetime]:
    """Gateways that a database says have a login in Kafka, and since when."""

    async def read() -> dict[str, datetime]:
        async with connected(dsn, "up") as connection:
            return await kafka_logins(connection)

    return asyncio.run(read())


def let_in_again(owner: KafkaAccess, logins: Mapping[str, datetime], *, share: Share, secret: str) -> list[str]:
    """Let gateways in that were let in before and that this Kafka does not know: it is new, the registry is not.

    Parameters
    ----------
    logins : mapping of str to datetime
        When each was given its password, which is what it was.

    Returns
    -------
    list of str
        Those that it did not know.
    """
    if not logins:
        return []
    with closing(KafkaAdminClient(**owner.options())) as admin:
        found = admin.describe_user_scram_credentials(list(logins))
    missing = [name for name in logins if not found[name]["credential_infos"]]
    for name in missing:
        let_in(owner, name, share=share, known=True, password=password_of(name, logins[name], secret=secret))
    return missing


def let_in(owner: KafkaAccess, name: str, *, share: Share, known: bool = False, password: str = "") -> str:
    """Give a gateway an inbox and a login, or the login that it has a new password; the password, seen this once.

    Parameters
    ----------
    owner : KafkaAccess
        Of one who may make topics, logins, rights and quotas.
    share : Share
        What it may take of Kafka.
    known : bool
        Whether it was let in before: else a user of this name is somebody else's.
    password : str
        Empty for a random one.

    Raises
    ------
    ConfigurationError
        If Kafka does not allow that, or has a user of this name that is not this gateway.
    """
    password = password or secrets.token_urlsafe(32)
    try:
        with closing(KafkaAdminClient(**owner.options())) as admin:
            if not known and admin.describe_user_scram_credentials([name])[name]["credential_infos"]:
                raise ConfigurationError(
                    f"Kafka must have no other user of a gateway's name (it has one called {name})"
                )
            with suppress(TopicAlreadyExistsError):
                admin.create_topics([share.inbox(name)])
            give_share(admin, [name], share)
            give_rights(admin, name, [Right.to_write(inbox_of(name))])
            _alter(admin, UserScramCredentialUpsertion(name, ScramMechanism.SCRAM_SHA_512, password))
    except KafkaError as error:
        raise ConfigurationError(
            f"Kafka must let its owner make topics, logins, rights and quotas (got {error})"
        ) from error
    # where it is given its password, it gets in with it; an existing Kafka may have it come in by another address
    let_in_soon(KafkaAccess(owner.bootstrap, {**owner.security, **_login(name, password)}))
    return password


def keep_out(owner: KafkaAccess, name: str) -> None:
    """Take a gateway's login and rights away. What lies in its inbox is still admitted: it came while it might send.

    Raises
    ------
    ConfigurationError
        If Kafka does not allow that.
    """
    try:
        with closing(KafkaAdminClient(**owner.options())) as admin:
            give_rights(admin, name, [])  # a connection that is open can send nothing more
            _alter(admin, UserScramCredentialDeletion(name, ScramMechanism.SCRAM_SHA_512))
    except KafkaError as error:
        raise ConfigurationError(f"Kafka must let its owner take logins and rights away (got {error})") from error


def _login(name: str, password: str) -> dict[str, str]:
    return {"sasl_mechanism": "SCRAM-SHA-512", "sasl_plain_username": name, "sasl_plain_password": password}


def _alter(admin: KafkaAdminClient, change: UserScramCredentialUpsertion | UserScramCredentialDeletion) -> None:
    error = admin.alter_user_scram_credentials([change]).get(change.user)
    if error and not (isinstance(change, UserScramCredentialDeletion) and _NO_SUCH in error):
        raise ConfigurationError(f"Kafka must take the login of {change.user} (got {error})")
