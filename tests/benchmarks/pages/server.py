"""The pages as a process of their own for the benchmark: ``python -m tests.benchmarks.pages.server DSN PORT``.

At its end (SIGTERM) it prints what people waited for a connection to the database, and its memory.
"""

import asyncio
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any, Literal

from deploy.web import PagesConfig, create_pages
from ingest.http import Attempts, serve


class Timed(asyncio.Semaphore):
    """Places whose waits are counted."""

    def __init__(self, places: int) -> None:
        super().__init__(places)
        self.waits_s: list[float] = []

    async def acquire(self) -> Literal[True]:
        """Wait for a place, and keep how long."""
        began = time.perf_counter()
        got = await super().acquire()
        self.waits_s.append(time.perf_counter() - began)
        return got


def main(dsn: str, port: int) -> None:
    """Serve until it is ended."""
    config = PagesConfig(dsn=dsn)
    app = create_pages(config, attempts=Attempts(burst=1000))
    pages: Any = app.app  # a FastAPI inside its guard
    pools: dict[str, Timed] = {}

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan" and not pools:
            for name in ("connections", "questions"):
                pools[name] = Timed(config.connections)
                getattr(pages.state, name)._free = pools[name]
        await app(scope, receive, send)

    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises it once more when it has ended
    serve(watched, port=port)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text("ascii").splitlines())
    waited = {name: _told(pool.waits_s) for name, pool in pools.items()}
    peak_mib = int(status["VmHWM"].split()[0]) / 1024
    print(json.dumps({"peak_mib": round(peak_mib), "waited_ms": waited}), flush=True)  # noqa: T201 - what it is for


def _told(waits_s: list[float]) -> dict[str, float]:
    """How often a connection was asked for, and how long that took. [ms]"""
    ranked = sorted(waits_s) or [0.0]
    at = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    found = {name: round(1e3 * ranked[int(share * (len(ranked) - 1))], 1) for name, share in at.items()}
    return {"count": len(waits_s), **found, "max": round(1e3 * ranked[-1], 1)}


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
