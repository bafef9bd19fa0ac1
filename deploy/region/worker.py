"""A worker for a region's own topics and database: ``python -m deploy.region.worker PREFIX TICK_S BALANCE_S``."""

import asyncio
import signal
import sys
from dataclasses import replace
from zoneinfo import ZoneInfo

from deploy.region.build import DEFAULT_ZONE
from deploy.settings import load
from deploy.worker import config_of, run
from ingest.wire import DETECTIONS_TOPIC, HOURS_TOPIC, READINGS_TOPIC, REJECTED_TOPIC
from streams.config import StreamsConfig
from streams.logs import log_to
from streams.store.layers import LayersPolicy

__all__ = ["main", "region_config"]


def region_config(config: StreamsConfig, *, prefix: str, tick_s: float, balance_s: float = 300.0) -> StreamsConfig:
    """The configuration of an ordinary worker, with topics and a group of its own.

    The region's zone, whatever the instance's is, and nothing of the month is dropped for its age.
    """
    return replace(
        config,
        zone=ZoneInfo(DEFAULT_ZONE),
        layers=LayersPolicy(),
        group=prefix + config.group,
        topic=prefix + READINGS_TOPIC,
        rejected_topic=prefix + REJECTED_TOPIC,
        hours_topic=prefix + HOURS_TOPIC,
        detections_topic=prefix + DETECTIONS_TOPIC,
        inboxes="",
        tick_s=tick_s,
        relay_s=0.5,
        balance_s=balance_s,
    )


def main(prefix: str, tick_s: float, balance_s: float) -> int:
    """Work until SIGTERM or SIGINT."""
    log_to(sys.stderr)
    config = region_config(config_of(load(), tag="demo"), prefix=prefix, tick_s=tick_s, balance_s=balance_s)
    return asyncio.run(_until_told(config))


async def _until_told(config: StreamsConfig) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return await run(config, stop)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
