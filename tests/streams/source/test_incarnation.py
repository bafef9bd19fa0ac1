"""The topic's id: asked once for all that wait, and never older than the question."""

import asyncio
import time
import uuid

from streams.source.broker import TopicFacts
from streams.source.incarnation import TopicGuard

OLD, NEW = TopicFacts(uuid.uuid4(), 8), TopicFacts(uuid.uuid4(), 8)


def test_all_that_wait_share_one_question() -> None:
    asked = 0

    async def ask() -> TopicFacts:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.05)
        return OLD

    async def scenario() -> list[TopicFacts]:
        guard, now = TopicGuard(ask), time.monotonic()
        return list(await asyncio.gather(*(guard.topic(after=now) for _ in range(10))))

    assert asyncio.run(scenario()) == [OLD] * 10
    assert asked == 1


def test_an_answer_from_before_the_fetch_does_not_count() -> None:
    answers = iter([OLD, NEW])

    async def ask() -> TopicFacts:
        return next(answers)

    async def scenario() -> tuple[TopicFacts, TopicFacts]:
        guard = TopicGuard(ask)
        first = await guard.topic(after=time.monotonic())
        await asyncio.sleep(0.01)
        return first, await guard.topic(after=time.monotonic())

    assert asyncio.run(scenario()) == (OLD, NEW)


def test_a_question_under_way_when_the_fetch_came_is_put_again() -> None:
    answers = [OLD, NEW]

    async def ask() -> TopicFacts:
        answer = answers.pop(0)
        await asyncio.sleep(0.1)
        return answer

    async def scenario() -> TopicFacts:
        guard = TopicGuard(ask)
        early = asyncio.ensure_future(guard.topic(after=time.monotonic()))
        await asyncio.sleep(0.05)
        late = await guard.topic(after=time.monotonic())
        assert await early == OLD
        return late

    assert asyncio.run(scenario()) == NEW


def test_a_broker_that_is_away_is_asked_again() -> None:
    attempts = 0

    async def ask() -> TopicFacts:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise ConnectionError("away")
        return OLD

    assert asyncio.run(TopicGuard(ask, retry_s=0.01).topic(after=time.monotonic())) == OLD
    assert attempts == 3
