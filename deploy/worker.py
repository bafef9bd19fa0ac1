"""A stream worker as a process: ``python -m deploy.worker``.

It reads the settings, waits for Kafka and the database to be there, works until SIGTERM or SIGINT, and then finishes
the batch it is at, leaves its states behind and leaves the group. When Faust breaks it begins again by itself; nothing
is lost by that, for what counts is in the database.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence

from aiokafka.errors import KafkaError as AioKafkaError
from kafka.errors import KafkaError

from analytics.domain.errors import ConfigurationError, StoreUnavailable
from deploy.alerting import alert_config
from deploy.kafka_access import access_of
from deploy.operations.telemetry import telemetry_wanted
from deploy.private import keep_private
from deploy.settings import Settings, load
from ingest.gateway.access import INBOX
from ingest.standard_files import read_factors
from streams.app import WorkerApp, create_app
from streams.config import StreamsConfig
from streams.logs import LOG_BYTES, log_to
from streams.store.layers import LayersPolicy

__all__ = ["config_of", "main", "run", "share_the_interpreter", "spare_the_collector"]

log = logging.getLogger("metering.worker")

_STOP_S = 45.0
"""A clean stop that takes longer is given up: the fence makes an unclean one safe too."""
_CRASHED_STOP_S = 10.0
_NOT_THERE = (KafkaError, AioKafkaError, StoreUnavailable, OSError)
"""Servers that are away while a worker starts; the two Kafka libraries have an error tree each."""
_PAUSES_S = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Delays before a failed worker restarts: the first time, the second time … [s]"""
_SOUND_S = 120.0
"""After running this long without failure, a failure counts as the first. [s]"""


def config_of(settings: Settings, *, tag: str = "") -> StreamsConfig:
    """Configuration of a worker, built from the settings.

    Parameters
    ----------
    tag : str
        Number of this worker among those of its instance: part of its name, and says which port its metrics have.
        A worker without a number has none.
    """
    kafka, database, workers = settings.kafka, settings.database, settings.workers
    if kafka.bootstrap is None or database.dsn is None:
        raise ConfigurationError(
            "a worker needs METERWARDEN_KAFKA and METERWARDEN_DATABASE; `meterwarden up` sets both"
        )
    access = access_of(kafka)
    return StreamsConfig(
        bootstrap=access.bootstrap,
        security=access.security,
        dsn=database.dsn,
        partitions=kafka.partitions,
        inboxes=INBOX,
        layers=LayersPolicy(
            by_ledger=not database.chunk_h,
            pack_after_h=database.pack_after_h or None,
            retain_days=database.retain_days or None,
        ),
        factors=read_factors(),
        alerts=alert_config(settings),
        database_folder=folder if (folder := settings.home / "data" / "postgresql").is_dir() else None,
        worker=f"{socket.gethostname()}-{tag or os.getpid()}",
        zone=settings.zone,
        in_service=settings.in_service,
        batch_readings=workers.batch_readings,
        collect_s=workers.collect_s,
        session_s=float(workers.session_s),
        heartbeat_s=min(1.0, workers.session_s / 4),
        metrics_host=settings.listen,
        metrics_port=workers.metrics_port + int(tag) - 1 if workers.metrics_port and tag.isdigit() else 0,
        metrics_password=workers.metrics_password,
        telemetry=telemetry_wanted("worker"),
    )


def spare_the_collector() -> None:
    """Let Python look for cycles seldom: a fetch of single messages is 10,000 objects, and none of them is in one.

    Measured: parsing a record took 6.2 us with the usual thresholds, 1.2 us without.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)


def share_the_interpreter() -> None:
    """Let the event loop have the interpreter soon when it has something to do.

    It needs it some hundred times a second for an instant each; a thread that judges units or makes totals meanwhile
    may keep it for this long each time. [s]
    """
    sys.setswitchinterval(0.001)


async def run(config: StreamsConfig, stop: asyncio.Event) -> int:
    """Work until `stop` is set; the exit code."""
    spare_the_collector()
    share_the_interpreter()
    broken = 0
    while not stop.is_set():
        began = time.monotonic()
        error = await _work(config, stop)
        if error is None:
            break
        broken = 0 if time.monotonic() - began > _SOUND_S else broken
        pause_s = _PAUSES_S[min(broken, len(_PAUSES_S) - 1)]
        broken += 1
        log.error("Faust broke, it begins again in %.0f s: %r", pause_s, error)
        await _wait(stop, pause_s)
    return 0


async def _work(config: StreamsConfig, stop: asyncio.Event) -> BaseException | None:
    """Work until `stop` is set, or until Faust breaks: then what broke it."""
    app = await _started(config, stop)
    if app is None:
        return None
    broke = asyncio.ensure_future(_broke(app))
    told = asyncio.ensure_future(stop.wait())
    await asyncio.wait({broke, told}, return_when=asyncio.FIRST_COMPLETED)
    error = None if told.done() else app.crash_reason
    for task in (broke, told):
        task.cancel()
    limit_s = _STOP_S if error is None else _CRASHED_STOP_S
    try:
        await asyncio.wait_for(app.stop(), limit_s)
    except TimeoutError:
        log.warning("no clean stop within %.0f s", limit_s)
    except Exception:
        if error is None:
            raise
        log.exception("what broke could not be stopped cleanly")
    return error


async def _started(config: StreamsConfig, stop: asyncio.Event) -> WorkerApp | None:
    """An application that has started, as soon as Kafka is there."""
    while not stop.is_set():
        app = create_app(config)
        try:
            await app.start()
        except _NOT_THERE as error:
            log.warning("a server is not there yet: %s", error)
            await _discard(app)
            await _wait(stop, 2.0)
        else:
            return app
    return None


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _discard(app: WorkerApp) -> None:
    with contextlib.suppress(Exception):
        await asyncio.wait_for(app.stop(), 5.0)


async def _broke(app: WorkerApp) -> None:
    while app.crash_reason is None:  # noqa: ASYNC110 - Faust has no other public sign of it
        await asyncio.sleep(0.25)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a worker; an argument ``--instance=NAME#NUMBER`` only names it in a list of processes."""
    keep_private()
    arguments = sys.argv[1:] if arguments is None else arguments
    instance = next((text.partition("=")[2] for text in arguments if text.startswith("--instance=")), "")
    log_to(sys.stderr, limit_bytes=LOG_BYTES if instance else 0)
    try:
        config = config_of(load(), tag=instance.rpartition("#")[2])
    except ConfigurationError as error:
        log.error("%s", error)  # noqa: TRY400 - the message is all there is to it
        return 2
    return asyncio.run(_main(config))


async def _main(config: StreamsConfig) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return await run(config, stop)


if __name__ == "__main__":
    sys.exit(main())
