"""The door of our own Kafka for gateways: a port of its own, TLS, a login for each, and a bound for each request.

Kafka takes a request's stated size from the room that all requests share (``queued.max.request.bytes``), whoever states
it. So each connection of a gateway may state `GATEWAY_REQUEST_BYTES`, which a class of ours looks at before Kafka does,
and the room is larger than all connections of gateways can fill (decision 0020).
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.settings import KafkaSettings
from deploy.stack.errors import StackError

__all__ = ["GATEWAY_REQUEST_BYTES", "SCRAM_MODULE", "GatewayListener", "gateway_listener", "pem_store"]

SCRAM_MODULE: Final = "org.apache.kafka.common.security.scram.ScramLoginModule"
_NAME: Final = "GATEWAYS"
GATEWAY_REQUEST_BYTES: Final = (1 << 20) - 16
"""Largest request of a connection: as an object it fills a region of Java's heap; a byte more takes two. [byte]"""

_ANY: Final = 2**31 - 1
_FACTORY: Final = "meterwarden.kafka.GatewayEngineFactory"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayListener:
    """Its part of Kafka's configuration; `properties` may hold a key."""

    address: str
    properties: Mapping[str, str]
    request_bytes: int
    """What requests of all its connections can take together. [byte]"""


def gateway_listener(kafka: KafkaSettings) -> GatewayListener:
    """The listener that settings ask for.

    Raises
    ------
    StackError
        If its certificate and key cannot be used.
    """
    certificate, key = kafka.gateway_certificate, kafka.gateway_key
    if certificate is None or key is None:
        raise StackError("METERWARDEN_KAFKA_GATEWAY_PORT must come with a certificate and its key")
    properties = {
        "listener.name.gateways.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.gateways.scram-sha-512.sasl.jaas.config": f"{SCRAM_MODULE} required;",
        "listener.name.gateways.ssl.engine.factory.class": _FACTORY,
        "meterwarden.gateways.request.bytes": str(GATEWAY_REQUEST_BYTES),
        "listener.name.gateways.max.connections": str(kafka.gateway_connections),
        "listener.name.gateways.max.connection.creation.rate": str(kafka.gateway_connections // 10),
        "max.connections.per.ip": str(kafka.gateway_connections // 2),
        "max.connections.per.ip.overrides": f"127.0.0.1:{_ANY}",
    }
    store = pem_store(
        certificate,
        key,
        names="METERWARDEN_KAFKA_GATEWAY_CERTIFICATE and _KEY",
        key_name="METERWARDEN_KAFKA_GATEWAY_KEY",
    )
    properties |= {f"listener.name.gateways.{name}": value for name, value in store.items()}
    return GatewayListener(
        address=f"{_NAME}://{kafka.gateway_host}:{kafka.gateway_port}",
        properties=properties,
        request_bytes=kafka.gateway_connections << 20,
    )


def pem_store(certificate: Path, key: Path, *, names: str, key_name: str) -> Mapping[str, str]:
    """Certificate and key as Kafka's configuration takes them, without the listener's prefix.

    Parameters
    ----------
    names, key_name : str
        Settings that an error names: both, and that of the key.

    Raises
    ------
    StackError
        If the two cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")  # never asks at the terminal
        texts = [file.read_text(encoding="ascii") for file in (certificate, key)]
    except (OSError, ValueError) as error:
        raise StackError(
            f"{names} must be PEM files of a certificate and its key, "
            f"which no password protects (got {certificate}, {key}: {error})"
        ) from None
    if "-----BEGIN PRIVATE KEY-----" not in texts[1]:
        raise StackError(
            f"{key_name} must be of PKCS #8, as Kafka reads it (got {key}): "
            f"`openssl pkcs8 -topk8 -nocrypt -in {key}` writes it so"
        )
    chain, secret = (text.strip().replace("\n", "\\n") for text in texts)
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": chain,
        "ssl.keystore.key": secret,
    }
