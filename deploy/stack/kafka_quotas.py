"""What one gateway may take of a Kafka: bytes a second, time of its threads, room of its inbox."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import for_code
from kafka.protocol.admin import AlterClientQuotasRequest

from deploy.settings import KafkaSettings
from ingest.gateway.access import INBOX, INBOX_MESSAGE_BYTES, NAME, inbox_of

__all__ = ["Share", "give_share", "refresh_shares", "share_of"]

_KEPT_MS: Final = 7 * 86_400_000
_SMALLEST_SEGMENT: Final = 1 << 20
_AROUND: Final = 16 << 10  # key, headers and the batch that a message comes in
_Entry: Final = AlterClientQuotasRequest.EntryData


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What each gateway may take.

    Attributes
    ----------
    bytes_s : int
        Sent, before Kafka makes it wait. [byte/s]
    percent : int
        Time of one of Kafka's threads. [%]
    inbox_bytes : int
        Kept of what it sent. [byte]
    """

    bytes_s: int
    percent: int
    inbox_bytes: int

    def inbox(self, name: str) -> NewTopic:
        """The inbox of a gateway, to be made."""
        return NewTopic(inbox_of(name), 1, -1, topic_configs=self.inbox_configs())

    def inbox_configs(self) -> dict[str, str]:
        """How an inbox is kept."""
        return {
            "retention.ms": str(_KEPT_MS),
            "retention.bytes": str(self.inbox_bytes),
            "segment.bytes": str(
                max(self.inbox_bytes // 8, _SMALLEST_SEGMENT)
            ),  # whole segments go, the last one never
            "max.message.bytes": str(INBOX_MESSAGE_BYTES + _AROUND),
            "message.timestamp.type": "LogAppendTime",  # when it came is not the gateway's to say
        }


def share_of(kafka: KafkaSettings) -> Share:
    """The share that settings give each gateway."""
    return Share(bytes_s=kafka.gateway_kib_s << 10, percent=kafka.gateway_percent, inbox_bytes=kafka.inbox_mb << 20)


def give_share(admin: KafkaAdminClient, names: Collection[str], share: Share) -> None:
    """Hold gateways, whose inboxes are there, to a share.

    Raises `kafka.errors.KafkaError` where Kafka refuses.
    """
    if not names:
        return
    limits = {"producer_byte_rate": float(share.bytes_s), "request_percentage": float(share.percent)}
    ops = [_Entry.OpData(key=key, value=value, remove=False) for key, value in limits.items()]
    entries = [_Entry(entity=[_Entry.EntityData(entity_type="user", entity_name=name)], ops=ops) for name in names]
    answer = _ask(admin, AlterClientQuotasRequest(entries=entries, validate_only=False))
    for entry in answer.entries:
        if entry.error_code:
            raise for_code(entry.error_code)(entry.error_message)
    topics = [ConfigResource(ConfigResourceType.TOPIC, inbox_of(name), share.inbox_configs()) for name in names]
    # an inbox made a moment ago may not be known yet where it is asked for: it was made so
    admin.alter_configs(topics, raise_on_unknown=False, incremental=True)


def refresh_shares(admin: KafkaAdminClient, share: Share) -> None:
    """Hold all gateways that were let in before to a share."""
    topics = [topic.removeprefix(INBOX) for topic in admin.list_topics() if topic.startswith(INBOX)]
    give_share(admin, [name for name in topics if NAME.fullmatch(name)], share)


def _ask(admin: KafkaAdminClient, request: AlterClientQuotasRequest) -> Any:
    manager = admin._manager  # noqa: SLF001 - kafka-python knows the request, and has no method for it
    return manager.run(manager.send, request)
