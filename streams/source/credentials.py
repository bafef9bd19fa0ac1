"""Faust's form of the login that all other clients take from `ingest.kafka_access.KafkaAccess`."""

from faust import SASLCredentials, SSLCredentials
from faust.auth import Credentials

from ingest.kafka_access import KafkaAccess

__all__ = ["credentials_of"]


def credentials_of(access: KafkaAccess) -> Credentials | None:
    """What Faust logs in by; None for a Kafka that lets everybody in."""
    tls = access.tls()
    login = access.login()
    if "sasl_mechanism" in login:
        return SASLCredentials(
            username=login["sasl_plain_username"],
            password=login["sasl_plain_password"],
            mechanism=login["sasl_mechanism"],
            ssl_context=tls,
        )
    return None if tls is None else SSLCredentials(context=tls)
