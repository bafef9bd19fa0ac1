"""Messages on the topic of rejected readings: the original bytes, and headers that say why they were refused."""

from collections.abc import Mapping
from dataclasses import dataclass

from analytics.domain.quality import RejectReason
from ingest.wire.block import RECEIVED_AT, Headers, shown

__all__ = ["Rejected", "parse_rejected", "rejected_headers"]

_TEXT_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Why one message, or some readings of it, were refused, and where they came from.

    Attributes
    ----------
    reason : RejectReason
        Why.
    required, got : str
        What must be there, and what came instead.
    source_topic, source_partition, source_offset
        The Kafka record it came in.
    position : int
        Ordinal of the (first) reading in that record, -1 for the whole record.
    readings : int
        Readings refused with it.
    identity : str
        The same for each copy of this rejection on the topic, so that a reader can tell repeats.
    received_at : int or None
        When the readings were received first, so that a replay keeps it. [us since 1970-01-01 UTC]
    payload : bytes
        The original bytes, or a block or JSON array of just these readings: fit to be sent again.
    """

    reason: RejectReason
    required: str
    got: str
    source_topic: str
    source_partition: int
    source_offset: int
    position: int
    readings: int
    identity: str
    received_at: int | None
    payload: bytes


def rejected_headers(
    *,
    reason: RejectReason,
    required: str,
    got: str,
    source_topic: str,
    source_partition: int,
    source_offset: int,
    position: int,
    readings: int,
    identity: str,
    received_at: int | None = None,
) -> list[tuple[str, bytes]]:
    """Headers of a message on the topic of rejected readings; all are text.

    Examples
    --------
    >>> headers = rejected_headers(
    ...     reason=RejectReason.BAD_TIME, required="a time", got="noon", source_topic="metering.readings",
    ...     source_partition=3, source_offset=42, position=-1, readings=1, identity="3:42:-1",
    ... )
    >>> parse_rejected(headers, b"{}").reason.name
    'BAD_TIME'
    """
    texts = {
        "reason": reason.name.lower(),
        "required": shown(required, _TEXT_LIMIT),
        "got": shown(got, _TEXT_LIMIT),
        "source_topic": source_topic,
        "source_partition": str(source_partition),
        "source_offset": str(source_offset),
        "position": str(position),
        "readings": str(readings),
        "identity": identity,
    }
    if received_at is not None:
        texts[RECEIVED_AT] = str(received_at)
    return [(name, text.encode()) for name, text in texts.items()]


def parse_rejected(headers: Headers, value: bytes) -> Rejected:
    """Read a rejection back; ValueError, naming the header, for a message that is none of ours."""
    texts = {name: (raw or b"").decode("utf-8", "backslashreplace") for name, raw in headers}
    try:
        reason = RejectReason[texts.get("reason", "").upper()]
    except KeyError:
        raise ValueError(f"header reason must be a known reason (got {texts.get('reason', 'none')!r})") from None
    return Rejected(
        reason=reason,
        required=texts.get("required", ""),
        got=texts.get("got", ""),
        source_topic=texts.get("source_topic", ""),
        source_partition=_number(texts, "source_partition"),
        source_offset=_number(texts, "source_offset"),
        position=_number(texts, "position"),
        readings=_number(texts, "readings"),
        identity=texts.get("identity", ""),
        received_at=_number(texts, RECEIVED_AT) if RECEIVED_AT in texts else None,
        payload=value,
    )


def _number(texts: Mapping[str, str], name: str) -> int:
    try:
        return int(texts[name])
    except (KeyError, ValueError):
        raise ValueError(f"header {name} must be a whole number (got {texts.get(name, 'none')!r})") from None
