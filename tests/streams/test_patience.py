"""Work that failed is tried again, by what every task of a worker goes round by."""

import asyncio
import logging

import pytest

from analytics.domain.errors import StoreUnavailable
from streams.patience import Backoff, in_rounds

LOG = logging.getLogger("metering.of these tests")


def test_a_round_that_fails_does_not_end_the_work(caplog: pytest.LogCaptureFixture) -> None:
    """A database that is away is a line, a fault of ours a traceback; both leave the rounds to go on."""
    rounds: list[int] = []
    tidied: list[object] = []

    async def work() -> None:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            raise StoreUnavailable("away")
        if len(rounds) == 2:
            raise ZeroDivisionError("ours")
        if len(rounds) == 4:
            raise asyncio.CancelledError

    async def tidy() -> None:
        tidied.append(len(rounds))

    with caplog.at_level(logging.DEBUG, LOG.name), pytest.raises(asyncio.CancelledError):
        asyncio.run(in_rounds(work, 0.0, "totals wait", log=LOG, failed=tidy))
    assert rounds == [0, 1, 2, 3]
    assert tidied == [1, 2], "after a round that failed, and no other"
    ours = [record for record in caplog.records if record.name == LOG.name]
    assert [(record.levelname, record.getMessage(), bool(record.exc_info)) for record in ours] == [
        ("WARNING", "totals wait: away", False),
        ("ERROR", "totals wait", True),
    ]


def test_the_pause_before_a_round_may_change(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def work() -> None:
        if len(slept) == 3:
            raise asyncio.CancelledError

    pauses = iter([1.0, 8.0, 2.0])
    with monkeypatch.context() as patch:
        patch.setattr("streams.patience.asyncio.sleep", sleep)
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(in_rounds(work, lambda: next(pauses), "relays wait", log=LOG))
    assert slept == [1.0, 8.0, 2.0]


def test_waits_double_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def scenario() -> list[float]:
        backoff = Backoff(0.5, 3.0)
        return [await backoff.wait() for _ in range(5)]

    with monkeypatch.context() as patch:
        patch.setattr("streams.patience.asyncio.sleep", sleep)
        waited = asyncio.run(scenario())
    assert waited == slept == [0.5, 1.0, 2.0, 3.0, 3.0]
