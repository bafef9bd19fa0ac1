"""Side work gives way to readings, one piece at a time, and still gets on where readings are always late."""

import asyncio
import time

from streams.agents.courtesy import Courtesy

LONG_S = 60.0
"""A piece that took so long; nothing here takes nearly as long, on a busy machine either."""


class Street:
    """Traffic as a test says."""

    def __init__(self, *, starting: bool = False, late: bool = False) -> None:
        self.starting = starting
        self.is_late = late

    def late(self) -> bool:
        return self.is_late


async def piece(courtesy: Courtesy, took_s: float = 0.0) -> float:
    """How long a piece of work waited for its turn. [s]"""
    asked = time.monotonic()
    async with courtesy.turn():
        waited = time.monotonic() - asked
        await asyncio.sleep(took_s)
    return waited


def test_nothing_waits_while_readings_are_on_time() -> None:
    async def scenario() -> None:
        courtesy = Courtesy(Street())
        await piece(courtesy, 0.5)
        assert [await piece(courtesy) < 1.0 for _ in range(3)] == [True] * 3, "late, the first would wait for 2 s"

    asyncio.run(scenario())


def test_work_waits_until_readings_are_on_time_again() -> None:
    async def scenario() -> None:
        street = Street()
        courtesy = Courtesy(street)
        courtesy._took_s = LONG_S
        street.is_late = True
        waiting = asyncio.ensure_future(piece(courtesy))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        street.is_late = False
        assert 0.3 <= await waiting < LONG_S

    asyncio.run(scenario())


def test_where_readings_are_always_late_work_gets_a_fifth_of_the_time() -> None:
    async def scenario() -> None:
        courtesy = Courtesy(Street(late=True))
        await piece(courtesy, 0.2)
        assert 0.8 <= await piece(courtesy) < LONG_S, "and not for ever"

    asyncio.run(scenario())


def test_work_does_not_begin_while_partitions_are_taken_over() -> None:
    async def scenario() -> None:
        street = Street(starting=True)
        waiting = asyncio.ensure_future(piece(Courtesy(street)))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        street.starting = False
        assert await waiting >= 0.3

    asyncio.run(scenario())


def test_pieces_take_turns_and_a_broken_one_does_not_keep_it() -> None:
    order = []

    async def work(courtesy: Courtesy, name: str) -> None:
        async with courtesy.turn():
            order.append(name)
            await asyncio.sleep(0.01)
            order.append(name)
            raise ValueError(name)

    async def scenario() -> None:
        courtesy = Courtesy(Street())
        told = await asyncio.gather(*(work(courtesy, name) for name in "abc"), return_exceptions=True)
        assert [str(error) for error in told] == ["a", "b", "c"]

    asyncio.run(scenario())
    assert order == ["a", "a", "b", "b", "c", "c"]
