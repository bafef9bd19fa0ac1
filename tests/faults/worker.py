"""A worker as a process of the fault tests: ``python -m tests.faults.worker JSON``."""

import asyncio
import json
import logging
import signal
import sys
from typing import Any

import deploy.worker
import streams.lanes.batch
from deploy.worker import run
from ingest.standard_files import read_factors
from streams.app import WorkerApp, create_app
from streams.config import StreamsConfig
from streams.logs import log_to
from streams.steps.state import PartitionState
from streams.steps.step import StepResult, step

_tasks: set[asyncio.Future[None]] = set()

POISON = 666_666.0
"""A reading of this value breaks the step where the test asks for it."""


def breaking_step(state: PartitionState, blocks: Any) -> StepResult:
    """The step, which breaks after it has changed the state."""
    result = step(state, blocks)
    if any((block.value == POISON).any() for block in blocks):
        raise ZeroDivisionError("a step that nobody thought of")
    return result


def broken_step(_state: PartitionState, _blocks: Any) -> StepResult:
    """A step that takes nothing at all."""
    raise ZeroDivisionError("a step that is broken")


def crash_on_signal() -> None:
    """Break Faust itself whenever SIGUSR1 comes."""
    made: list[WorkerApp] = []

    def create(config: StreamsConfig) -> WorkerApp:
        made.append(create_app(config))
        return made[-1]

    def crash() -> None:
        _tasks.add(asyncio.ensure_future(made[-1].crash(RuntimeError("Faust met what nobody thought of"))))

    setattr(deploy.worker, "create_app", create)  # noqa: B010 - mypy wants it so
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, crash)


async def main(options: dict[str, Any]) -> int:
    crash_on_signal()
    if options.pop("broken", False):
        setattr(streams.lanes.batch, "step", broken_step)  # noqa: B010 - mypy wants it so
    if options.pop("poison", False):
        setattr(streams.lanes.batch, "step", breaking_step)  # noqa: B010 - mypy wants it so
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    return await run(StreamsConfig(**options, factors=read_factors()), stop)


if __name__ == "__main__":
    log_to(sys.stderr)
    logging.getLogger("aiokafka.consumer").setLevel(logging.INFO)
    sys.exit(asyncio.run(main(json.loads(sys.argv[1]))))
