"""Whether a Kafka answers and lets us in: one connection, one metadata request, no client left behind.

A client of kafka-python that cannot connect leaves threads and sockets behind, and waiting for a broker to come up
means not connecting many times.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ingest.kafka_access import KafkaAccess

if TYPE_CHECKING:
    from aiokafka.conn import AIOKafkaConnection

__all__ = ["Answer", "ask", "brokers"]

_CLIENT: Final = "metering.health"
_CLOSE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Answer:
    """How many brokers the first answering server knows to be alive; 0 where none answers, and why."""

    brokers: int = 0
    refusal: str = "does not answer"


def brokers(access: KafkaAccess, *, timeout_s: float = 3.0) -> int:
    """How many brokers the first answering server of a list knows to be alive; 0 when none answers."""
    return ask(access, timeout_s=timeout_s).brokers


def ask(access: KafkaAccess, *, timeout_s: float = 3.0) -> Answer:
    """Log in and ask each server after the other, until one knows of brokers."""
    answer = Answer()
    for server in access.servers:
        host, _, port = server.rpartition(":")
        answer = asyncio.run(_answer(access, host.strip("[]"), int(port), timeout_s))
        if answer.brokers > 0:
            break
    return answer


async def _answer(access: KafkaAccess, host: str, port: int, timeout_s: float) -> Answer:
    from aiokafka.errors import KafkaError, SaslAuthenticationFailed  # noqa: PLC0415 - slow to import, seldom needed

    try:
        return Answer(await asyncio.wait_for(_brokers(access, host, port), timeout_s))
    except SaslAuthenticationFailed as error:
        return Answer(refusal=f"refuses the login: {error}")
    except (KafkaError, OSError, TimeoutError, ValueError) as error:
        return Answer(refusal=f"does not answer: {error}" if str(error) else "does not answer")


async def _brokers(access: KafkaAccess, host: str, port: int) -> int:
    from aiokafka.conn import AIOKafkaConnection  # noqa: PLC0415 - likewise
    from aiokafka.protocol.metadata import MetadataRequest  # noqa: PLC0415

    connection = AIOKafkaConnection(host, port, client_id=_CLIENT, **access.login())
    try:
        await connection.connect()
        found = await connection.send(MetadataRequest([]))
    except OSError:  # there was no connection
        raise
    except BaseException:
        await _closed(connection)
        raise
    await _closed(connection)
    return len(found.brokers)


async def _closed(connection: "AIOKafkaConnection") -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(connection.close(), _CLOSE_S)
