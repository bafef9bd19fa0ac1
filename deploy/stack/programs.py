"""The programs that the stack runs, fetched once into the cache that instances share.

``python -m deploy.stack`` fetches what is missing ahead of the first start.
"""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from analytics.domain.errors import MeterwardenError
from deploy.private import keep_private
from deploy.settings import Settings, load
from deploy.stack import jars as kafka
from deploy.stack import prefix as postgres
from deploy.stack.places import Places, require_disk

__all__ = ["fetch", "main"]

_NEEDED_MB = 600
"""Room for both while they are unpacked; 160 MB stay. [MiB]"""


def fetch(settings: Settings, *, say: Callable[[str], None]) -> None:
    """Fetch what is missing of the servers that the settings ask us to run, both at the same time.

    Raises `StackError` when something cannot be had.
    """
    places = Places.of(settings)
    places.make()
    work: list[Callable[[], object]] = []
    if settings.kafka.bootstrap is None and not kafka.complete(settings.cache):
        kafka.java(settings.java)
        say(f"fetching Kafka {kafka.VERSION} into {settings.cache}")
        work.append(lambda: kafka.jars(settings.cache))
    if settings.database.dsn is None and not postgres.Prefix.of(settings.cache).complete:
        say(f"fetching PostgreSQL {postgres.VERSION} with TimescaleDB into {settings.cache}")
        work.append(lambda: postgres.prefix(settings.cache, mirror=settings.apt_mirror))
    if not work:
        return
    require_disk(settings.cache, _NEEDED_MB)
    with ThreadPoolExecutor(len(work)) as pool:
        for done in [pool.submit(task) for task in work]:
            done.result()


def main() -> int:
    """Fetch what is missing, telling what it does."""
    keep_private()
    try:
        fetch(load(), say=lambda line: print(f"set-up: {line}", file=sys.stderr))  # noqa: T201 - a program
    except MeterwardenError as error:
        print(f"set-up: {error}", file=sys.stderr)  # noqa: T201 - a program
        return 2
    return 0
