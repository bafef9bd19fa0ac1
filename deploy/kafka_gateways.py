"""Logins of gateways in Kafka: each may send to its own inbox, and do nothing else."""

import secrets
from contextlib import closing, suppress
from typing import Final

from kafka import KafkaAdminClient
from kafka.admin import NewTopic, ScramMechanism, UserScramCredentialDeletion, UserScramCredentialUpsertion
from kafka.errors import KafkaError, TopicAlreadyExistsError

from analytics.domain.errors import ConfigurationError
from deploy.stack.kafka_rights import Right, give_rights, let_in_soon
from ingest.gateway.access import inbox_of
from ingest.kafka_access import KafkaAccess
from ingest.wire import MAX_MESSAGE_BYTES

__all__ = ["keep_out", "let_in"]

_KEPT_MS: Final = 7 * 86_400_000
_NO_SUCH: Final = "does not exist"


def let_in(owner: KafkaAccess, name: str, *, known: bool = False) -> str:
    """Give a gateway an inbox and a login, or the login that it has a new password; the password, seen this once.

    Parameters
    ----------
    owner : KafkaAccess
        Of one who may make topics, logins and rights.
    known : bool
        Whether it was let in before: else a user of this name is somebody else's.

    Raises
    ------
    ConfigurationError
        If Kafka does not allow that, or has a user of this name that is not this gateway.
    """
    password = secrets.token_urlsafe(32)
    inbox = NewTopic(
        inbox_of(name),
        1,
        -1,
        topic_configs={
            "retention.ms": str(_KEPT_MS),
            "max.message.bytes": str(MAX_MESSAGE_BYTES),
            "message.timestamp.type": "LogAppendTime",  # when it came is not the gateway's to say
        },
    )
    try:
        with closing(KafkaAdminClient(**owner.options())) as admin:
            if not known and admin.describe_user_scram_credentials([name])[name]["credential_infos"]:
                raise ConfigurationError(
                    f"Kafka must have no other user of a gateway's name (it has one called {name})"
                )
            with suppress(TopicAlreadyExistsError):
                admin.create_topics([inbox])
            give_rights(admin, name, [Right.to_write(inbox_of(name))])
            _alter(admin, UserScramCredentialUpsertion(name, ScramMechanism.SCRAM_SHA_512, password))
    except KafkaError as error:
        raise ConfigurationError(f"Kafka must let its owner make topics, logins and rights (got {error})") from error
    # where it is told its password, it gets in with it; an existing Kafka may have it come in by another address
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
