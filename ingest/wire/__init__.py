"""The wire: topics, and the messages on them. No I/O; any bytes give readings or faults, never an exception.

A message on `READINGS_TOPIC` is keyed by the energy-using unit's code and is one of

- a **block**: n readings of one unit as columns (`encode_block`), content type ``application/vnd.meterwarden.block``;
- **one JSON reading**, a **JSON array** of these, or ``{"unit_code": …, "readings": […]}``: ``application/json``.

The header ``content-type`` tells them apart, the first byte where it is missing. The header ``received-at-us`` may say
when the collector got the readings, for those that do not say it themselves; else the Kafka record's time is taken.
"""

from ingest.wire.block import (
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
from ingest.wire.block_format import encode_block, encode_rows
from ingest.wire.decode import decode_fetched, decode_records, warm_up
from ingest.wire.fetched import Fetched, WrongChecksum, records_of, unreadable
from ingest.wire.json_format import encode_readings_json
from ingest.wire.names import Names
from ingest.wire.partition import partition_of
from ingest.wire.records import Record, Records
from ingest.wire.rejected import Rejected, parse_rejected, rejected_headers

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
    "Fetched",
    "Headers",
    "MeterList",
    "Names",
    "Record",
    "Records",
    "Rejected",
    "WrongChecksum",
    "decode_fetched",
    "decode_records",
    "encode_block",
    "encode_readings_json",
    "encode_rows",
    "parse_rejected",
    "partition_of",
    "records_of",
    "rejected_headers",
    "shown",
    "unreadable",
    "warm_up",
]
