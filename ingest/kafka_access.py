"""Connection and authentication options for all Kafka clients, of either library."""

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from analytics.domain.errors import ConfigurationError

__all__ = ["KafkaAccess"]

_SECURITY: Final = ("security_protocol", "ssl_", "sasl_")


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """Servers, and the login by which they let a client in: whoever makes a client takes its options from here.

    Attributes
    ----------
    bootstrap : str
        Servers, ``host:port`` with commas between.
    security : mapping of str to str
        kafka-python's ``security_protocol``, ``ssl_…`` and ``sasl_…`` options, as they are; never shown.

    Examples
    --------
    >>> KafkaAccess("localhost:9092,localhost:9093").options()
    {'bootstrap_servers': ['localhost:9092', 'localhost:9093']}
    """

    bootstrap: str
    security: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        unknown = [name for name in self.security if not name.startswith(_SECURITY)]
        if unknown:
            raise ConfigurationError(f"security must be of {', '.join(_SECURITY)}… (got {', '.join(unknown)})")

    @property
    def servers(self) -> list[str]:
        """Each server by itself."""
        return [server.strip() for server in self.bootstrap.split(",")]

    def options(self) -> dict[str, Any]:
        """What a client of kafka-python is made with; it checks certificate and host name of the server itself."""
        if self.security.get("sasl_mechanism", "").startswith("SCRAM"):
            # it warns that without TLS the password could be read, which by SCRAM it cannot
            logging.getLogger("kafka.net.sasl.scram").setLevel(logging.ERROR)
        return {"bootstrap_servers": self.servers, **self.security}

    def login(self) -> dict[str, Any]:
        """What a connection of aiokafka is made with, beside its server."""
        options: dict[str, Any] = {k: v for k, v in self.security.items() if not k.startswith("ssl_")}
        if (context := self.tls()) is not None:
            options["ssl_context"] = context
        return options

    def aio_options(self) -> dict[str, Any]:
        """What a client of aiokafka is made with."""
        return {"bootstrap_servers": self.servers, **self.login()}

    def tls(self) -> ssl.SSLContext | None:
        """The TLS that its connections go through, with the server's certificate and host name checked; None without.

        Raises `ConfigurationError` where a file cannot be used.
        """
        if not self.security.get("security_protocol", "").endswith("SSL"):
            return None
        files = {name: self.security.get(f"ssl_{name}") for name in ("cafile", "certfile", "keyfile")}
        try:
            context = ssl.create_default_context(cafile=files["cafile"])
            if files["certfile"]:
                context.load_cert_chain(files["certfile"], files["keyfile"])
        except OSError as error:  # ssl.SSLError too
            named = ", ".join(file for file in files.values() if file)
            raise ConfigurationError(
                f"certificates and key of Kafka must be PEM files (got {named}: {error})"
            ) from None
        return context
