"""Every topic, key and agent on one page.

::

    metering.readings ──► agent "metering.readings" ──► a lane for each partition ──► one transaction:
    (key: unit code)       (whole fetches, in order)     decode → step → rows          readings, hours, detections,
                                                                                       rejected rows, dirty marks, fence
                                                                                            │
    metering.rejected  ◄── relay: rejected rows not yet relayed ◄──────────────────────────┤
    metering.hours     ◄── totals: hours of dirty units, with revision ◄───────────────────┘
                           and their totals, in a transaction of their own
    metering.detections ◄─ relay: detections whose newest revision is not relayed yet

Nothing that counts is kept in Faust: no tables, no committed offsets. Position and results are one row's lock apart in
the database, and what goes out to topics goes out from there, at least once.
"""

from typing import Any

from faust.types import TP

from ingest.wire import DETECTIONS_TOPIC, HOURS_TOPIC, READINGS_TOPIC, REJECTED_TOPIC
from streams.source.consumer import BatchApp, RecordsSchema

__all__ = [
    "DETECTIONS_TOPIC",
    "HOURS_TOPIC",
    "READINGS_AGENT",
    "READINGS_TOPIC",
    "REJECTED_TOPIC",
    "TP",
    "readings_topic",
]

READINGS_AGENT = "metering.readings"


def readings_topic(app: BatchApp, name: str, *, partitions: int) -> Any:
    """The topic that the readings agent reads; its events carry a `streams.source.consumer.Run`."""
    return app.topic(name, schema=RecordsSchema(), partitions=partitions)
