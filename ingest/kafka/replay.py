"""A rejected message sent again as it came."""

from ingest.kafka.publisher import Publisher
from ingest.wire import CONTENT_TYPE, CONTENT_TYPE_BLOCK, CONTENT_TYPE_JSON, RECEIVED_AT

__all__ = ["send_again"]

_BLOCK_MARK = range(0x90, 0xA0)


def send_again(
    publisher: Publisher, topic: str, payload: bytes, *, unit_code: str | None, readings: int, received_at: int
) -> None:
    """Publish a rejected payload to the topic of readings.

    Usually with the time at which it was received first, so that a reading from the future does not become a sound one
    by waiting. A reading that was accepted in the meantime is marked as a duplicate.

    Parameters
    ----------
    received_at : int
        [us since 1970-01-01 UTC]
    """
    kind = CONTENT_TYPE_BLOCK if payload[:1] and payload[0] in _BLOCK_MARK else CONTENT_TYPE_JSON
    headers = [(CONTENT_TYPE, kind.encode()), (RECEIVED_AT, str(max(received_at, 0)).encode())]
    publisher.send(topic, payload, key=unit_code or "", headers=headers, readings=readings)
