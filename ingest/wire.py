"""The wire: topics, and the messages on them. No I/O; any bytes give readings or faults, never an exception.

A message on `READINGS_TOPIC` is keyed by the energy-using unit's code and is one of

- a **block**: n readings of one unit as columns (`encode_block`), content type ``application/vnd.meterwarden.block``;
- **one JSON reading**, a **JSON array** of these, or ``{"unit_code": …, "readings": […]}``: ``application/json``.

The header ``content-type`` tells them apart, the first byte where it is missing. The header ``received-at-us`` may say
when the collector got the readings, for those that do not say it themselves; else the Kafka record's time is taken.
"""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from ingest.wire_types import (
    CONTENT_TYPE,
    CONTENT_TYPE_BLOCK,
    CONTENT_TYPE_JSON,
    DETECTIONS_TOPIC,
    HOURS_TOPIC,
    MAX_MESSAGE_BYTES,
    READINGS_TOPIC,
    RECEIVED_AT,
    REJECTED_TOPIC,
    Block,
    Fault,
    Headers,
    MeterList,
    shown,
)

__all__ = [
    "CONTENT_TYPE",
    "CONTENT_TYPE_BLOCK",
    "CONTENT_TYPE_JSON",
    "DETECTIONS_TOPIC",
    "HOURS_TOPIC",
    "MAX_MESSAGE_BYTES",
    "READINGS_TOPIC",
    "RECEIVED_AT",
    "REJECTED_TOPIC",
    "Block",
    "Fault",
    "Headers",
    "MeterList",
    "decode_records",
    "encode_block",
    "encode_readings_json",
    "encode_rows",
    "shown",
]


def encode_block(
    unit_code: str,
    *,
    meters: MeterList,
    meter: NDArray[np.integer],
    measured_at: NDArray[np.int64],
    value: NDArray[np.float64],
    units: Sequence[str],
    unit: NDArray[np.integer] | None = None,
    received_at: int | NDArray[np.int64] | None = None,
    quality: NDArray[np.integer] | None = None,
) -> bytes:
    """Message with n readings of one unit."""
    raise NotImplementedError  # first version of the signatures; the code follows


def encode_rows(block: Block, rows: "NDArray[np.intp] | NDArray[np.bool_]") -> bytes:
    """Block message of some rows of a decoded block: the payload of readings rejected out of it, fit for replay."""
    raise NotImplementedError


def encode_readings_json(block: Block, rows: "slice | NDArray[np.intp] | NDArray[np.bool_]") -> list[bytes]:
    """One JSON message for each of some rows of a block, times in UTC."""
    raise NotImplementedError


def decode_records(
    values: Sequence[bytes | None],
    *,
    headers: Sequence[Headers | None] | None = None,
    timestamps_us: Sequence[int] | NDArray[np.int64],
    zone: ZoneInfo,
    max_bytes: int = MAX_MESSAGE_BYTES,
) -> tuple[list[Block], list[Fault]]:
    """Readings of a batch of Kafka records, in order, and the faults of what could not be read."""
    raise NotImplementedError
