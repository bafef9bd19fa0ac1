"""Who may do what in a Kafka of our own: nothing but what stands here, and its owner everything."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from kafka.errors import KafkaError

from deploy.kafka_access import Login, principal_of, user_of
from deploy.stack.errors import PartFailed
from deploy.stack.kafka_probe import ask
from deploy.stack.kafka_quotas import Share, refresh_shares
from deploy.stack.processes import until
from ingest.gateway.access import INBOX
from ingest.kafka_access import KafkaAccess
from ingest.wire import DETECTIONS_TOPIC, HOURS_TOPIC, READINGS_TOPIC, REJECTED_TOPIC
from streams.config import ADMISSION_GROUP, GROUP

__all__ = ["Right", "give_rights", "let_in_soon", "set_up_logins"]

log = logging.getLogger("metering.kafka")

_ITERATIONS: Final = 4096
"""The least that SCRAM allows: passwords here have 256 random bits, which no number of rounds makes harder to guess."""

_SOON_S: Final = 10.0

_READ, _WRITE, _CREATE = ACLOperation.READ, ACLOperation.WRITE, ACLOperation.CREATE
_TOPIC, _GROUP = ResourceType.TOPIC, ResourceType.GROUP


@dataclass(frozen=True, slots=True)
class Right:
    """One thing that a user may do with whatever is called so; reading and writing a topic include asking about it."""

    kind: ResourceType
    name: str
    operation: ACLOperation
    pattern: ACLResourcePatternType = ACLResourcePatternType.LITERAL

    @classmethod
    def to_write(cls, topic: str) -> "Right":
        """To send to a topic."""
        return cls(_TOPIC, topic, _WRITE)

    @classmethod
    def of(cls, acl: ACL) -> "Right":
        """The right that an ACL read from Kafka grants."""
        pattern = acl.resource_pattern
        return cls(pattern.resource_type, pattern.resource_name, acl.operation, pattern.pattern_type)

    def acl(self, principal: str) -> ACL:
        """The ACL that grants this right to a principal."""
        pattern = ResourcePattern(self.kind, self.name, self.pattern)
        return ACL(principal, "*", self.operation, ACLPermissionType.ALLOW, pattern)


# where a topic is gone the worker makes it anew; it passes on to another partition what was sent to a wrong one
RIGHTS: Final[Mapping[Login, Sequence[Right]]] = {
    "admin": (),
    "worker": (
        Right(_GROUP, GROUP, _READ),
        Right(_TOPIC, READINGS_TOPIC, _READ),
        # admission: reads every inbox, and moves what goes on in transactions
        Right(_TOPIC, INBOX, _READ, ACLResourcePatternType.PREFIXED),
        Right(_GROUP, ADMISSION_GROUP, _READ),
        Right(ResourceType.TRANSACTIONAL_ID, ADMISSION_GROUP, _WRITE),
        *(
            Right(_TOPIC, topic, operation)
            for topic in (READINGS_TOPIC, REJECTED_TOPIC, HOURS_TOPIC, DETECTIONS_TOPIC)
            for operation in (_WRITE, _CREATE)
        ),
    ),
    "ingest": (Right.to_write(READINGS_TOPIC),),
}


def set_up_logins(owner: KafkaAccess, logins: Mapping[Login, KafkaAccess], share: Share) -> None:
    """Let our services in with their passwords, and let each do its work; safe to repeat.

    Gateways that were let in before are held to the share that they have now.

    Parameters
    ----------
    owner : KafkaAccess
        Of one who may do everything.
    logins : mapping of login to KafkaAccess
        The way in that each shall have.
    share : Share
        What each gateway may take.

    Raises
    ------
    PartFailed
        If Kafka refuses, or does not let them in afterwards.
    """
    if all(ask(access).brokers for access in logins.values()):
        missing: list[KafkaAccess] = []
    else:
        missing = list(logins.values())
    try:
        with closing(KafkaAdminClient(**owner.options())) as admin:
            for login in logins:
                give_rights(admin, user_of(login), RIGHTS[login])
            _give_passwords(admin, missing)
            refresh_shares(admin, share)
    except KafkaError as error:
        raise PartFailed(f"the logins of our services could not be set up in Kafka (got {error})") from error
    for access in missing:
        if not let_in_soon(access):
            user = access.security["sasl_plain_username"]
            raise PartFailed(f"Kafka must let {user} in, whose password it took (got: it {ask(access).refusal})")


def let_in_soon(access: KafkaAccess) -> bool:
    """Whether Kafka lets a new login in: it takes a moment until it does; with the login go the rights given before."""
    return until(lambda: ask(access).brokers > 0, _SOON_S, pause_s=0.1)


def _give_passwords(admin: KafkaAdminClient, logins: Iterable[KafkaAccess]) -> None:
    wanted = [
        UserScramCredentialUpsertion(
            access.security["sasl_plain_username"],
            ScramMechanism.SCRAM_SHA_512,
            access.security["sasl_plain_password"].encode(),
            iterations=_ITERATIONS,
        )
        for access in logins
    ]
    if not wanted:
        return
    faults = {user: error for user, error in admin.alter_user_scram_credentials(wanted).items() if error}
    if faults:
        raise PartFailed(f"Kafka must take the passwords of our services (got {faults})")


def give_rights(admin: KafkaAdminClient, user: str, rights: Sequence[Right]) -> None:
    """Make the rights of a user exactly these."""
    principal = principal_of(user)
    anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    found, _ = admin.describe_acls(ACLFilter(principal, None, ACLOperation.ANY, ACLPermissionType.ANY, anything))
    known = {Right.of(acl) for acl in found}
    new = [right.acl(principal) for right in rights if right not in known]
    if new and (failed := admin.create_acls(new)["failed"]):
        raise PartFailed(f"Kafka must take the rights of {user} (got {failed})")
    over = [acl for acl in found if Right.of(acl) not in rights]
    if over:
        admin.delete_acls(over)
