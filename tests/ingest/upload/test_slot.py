from collections.abc import Callable
from datetime import datetime, time, timedelta

import pytest

from analytics.domain.errors import ConfigurationError, TransientError
from ingest.upload.slot import keep_uploading, next_slot, slot_of

NIGHT = datetime(2026, 11, 30, 22, 0)  # noqa: DTZ001 - local time of the site


class Site:
    """A clock that waiting moves, and a platform that answers as it is told."""

    def __init__(self, answers: list[bool | Exception], *, until: datetime) -> None:
        self.at, self.answers, self.until = NIGHT, answers, until
        self.tried: list[datetime] = []

    def now(self) -> datetime:
        return self.at

    def wait(self, seconds: float) -> bool:
        assert seconds <= 3600
        self.at += timedelta(seconds=seconds)
        return self.at >= self.until

    def once(self) -> bool:
        self.tried.append(self.at)
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, Exception):
            raise answer
        return answer

    def run(self, slot: Callable[[], time | None]) -> list[str]:
        keep_uploading(self.once, slot, now=self.now, wait=self.wait)
        return [f"{at:%d %H:%M}" for at in self.tried]


def test_every_day_at_the_slot() -> None:
    site = Site([], until=NIGHT + timedelta(days=3))
    assert site.run(lambda: time(1, 38)) == ["01 01:38", "02 01:38", "03 01:38"]


def test_again_with_growing_pauses_until_all_is_acknowledged() -> None:
    site = Site([*[TransientError("away")] * 3, False], until=NIGHT + timedelta(days=1))
    assert site.run(lambda: time(1, 38)) == ["01 01:38", "01 01:39", "01 01:41", "01 01:45", "01 01:53"]


def test_a_platform_that_is_away_for_days_is_asked_once_an_hour() -> None:
    site = Site([TransientError("away")] * 200, until=NIGHT + timedelta(days=2))
    tried = site.run(lambda: time(1, 38))
    assert 40 <= len(tried) <= 52
    assert tried[-1].startswith("02")


def test_a_slot_that_is_not_known_is_asked_for_at_once() -> None:
    site = Site([], until=NIGHT + timedelta(days=1))
    assert site.run(lambda: time(1, 38) if site.tried else None) == ["30 22:00", "01 01:38"]


def test_a_platform_that_gives_no_slot_is_said() -> None:
    site = Site([], until=NIGHT + timedelta(days=1))
    with pytest.raises(ConfigurationError, match="slot must be in"):
        site.run(lambda: None)


def test_the_slot_of_today_is_not_taken_twice() -> None:
    assert next_slot(time(22, 0), NIGHT) == NIGHT + timedelta(days=1)
    assert next_slot(time(22, 1), NIGHT) == NIGHT + timedelta(minutes=1)


@pytest.mark.parametrize("text", ["", "25:00", "1:60", "01:38:00+08:00", "noon"])
def test_what_is_no_slot_is_said(text: str) -> None:
    with pytest.raises(ConfigurationError, match="a time such as"):
        slot_of(text)
