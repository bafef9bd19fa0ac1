"""The agent that reads: it hands every fetched run to its partition's lane, and never lets an exception out.

Faust acks and loses the event of an agent that raises, so nothing may be raised here; and it must not wait, for one
partition's trouble is none of the others'. Waiting, order and backpressure are the lanes' business.
"""

import logging
from typing import Any

from streams.lanes.lanes import Lanes
from streams.source.consumer import BatchApp
from streams.source.topology import READINGS_AGENT

__all__ = ["register"]

log = logging.getLogger("metering.readings")


def register(app: BatchApp, topic: Any, lanes: Lanes) -> None:
    """Join the lanes to the topic of readings."""

    async def readings(stream: Any) -> None:
        async for event in stream.noack().events():
            try:
                lanes.offer(event)
            except Exception:
                log.exception("partition %d: a run was not taken in", event.message.partition)
                app.consumer.reposition(event.message.tp)

    app.agent(topic, name=READINGS_AGENT)(readings)
