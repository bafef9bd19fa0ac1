"""A log is compared with what was stored of it: the same, shorter, another, or without what lies far back."""

import asyncio

import numpy as np
import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from ingest.wire import Fetched, Records
from streams.lanes.log import Log, compare
from streams.lanes.marks import MARK, Marks, mark_of, with_mark
from streams.rows.layout import IncidentKind

HERE = TP("t", 0)


class Broker:
    """A log of one record an offset, as a broker gives it: from an offset on, some at a time."""

    def __init__(self, values: list[bytes], *, first: int = 0, epoch: int = 3) -> None:
        self.values, self.first, self.epoch = values, first, epoch
        self.asked = 0

    async def bounds(self, _tp: TP) -> tuple[int, int]:
        return self.first, len(self.values)

    async def at(self, _tp: TP, offset: int) -> Fetched | None:
        self.asked += 1
        if not self.first <= offset < len(self.values):
            return None
        part = self.values[offset : offset + 5]
        return Fetched(records_of(part, offset), offset + len(part), self.epoch, self.epoch)


def records_of(values: list[bytes], first: int) -> Records:
    offsets = list(range(first, first + len(values)))
    return Records.of(values, timestamps_us=[1000 * offset for offset in offsets], offsets=offsets)


def stored(values: list[bytes], every: int) -> Marks:
    """Marks of a log that was stored by transactions of so many records."""
    marks = np.zeros(0, MARK)
    for end in range(every, len(values) + 1, every):
        marks = with_mark(marks, mark_of(records_of(values[end - every : end], end - every)))
    return marks


def compared(now: Broker, was: list[bytes], every: int = 10) -> Log:
    marks = stored(was, every)
    fence = int(marks["offset"][-1]) + 1 if len(marks) else 0
    return asyncio.run(compare(now, HERE, fence=fence, marks=marks))


def values(name: str, count: int, first: int = 0) -> list[bytes]:
    return [b"%s %d" % (name.encode(), i) for i in range(first, first + count)]


def test_a_log_that_is_as_it_was_parts_nowhere_and_says_under_which_leader_it_goes_on() -> None:
    was = values("a", 100)
    log = compared(Broker([*was, b"more"], epoch=7), was)
    assert (log.parting, log.epoch) == (None, 7)


@given(
    length=st.integers(1, 400),
    kept=st.integers(0, 400),
    grown=st.integers(0, 400),
    every=st.integers(1, 40),
    dropped=st.integers(0, 400),
)
def test_a_cut_log_is_read_again_from_no_later_than_where_it_parts(
    length: int, kept: int, grown: int, every: int, dropped: int
) -> None:
    """Whatever grew since, and whatever Kafka forgot: nothing new is skipped, and little is read again."""
    length -= length % every
    kept = min(kept, length)
    was = values("a", length)
    now = was[:kept] + values("b", grown, kept)
    first = min(dropped, len(now))
    log = compared(Broker(now, first=first), was, every)
    if length in (0, kept) or (first >= length and len(now) >= length):
        assert log.parting is None
        return
    assert log.parting is not None
    assert log.parting.to <= max(kept, first)
    assert log.parting.until > log.parting.to - 1
    assert log.parting.until >= kept
    assert max(kept, first) - log.parting.to <= max((length - kept), every) + every
    assert (log.parting.marks["offset"] < log.parting.to).all()
    assert log.parting.kind is (IncidentKind.LOG_SHORTER if len(now) < length else IncidentKind.LOG_OTHER)


def test_a_fence_without_marks_of_an_older_version_is_known_by_its_end_alone() -> None:
    now = Broker(values("a", 50), first=5)
    sound = asyncio.run(compare(now, HERE, fence=50, marks=np.zeros(0, MARK)))
    short = asyncio.run(compare(now, HERE, fence=51, marks=np.zeros(0, MARK)))
    assert sound.parting is None
    assert short.parting is not None
    assert (short.parting.to, short.parting.until) == (5, 51)


def test_few_questions_find_where_a_long_log_parts() -> None:
    was = values("a", 20_000)
    now = Broker(was[:9_000] + values("b", 20_000))
    log = compared(now, was)
    assert log.parting is not None
    assert 0 < log.parting.to <= 9_000
    assert now.asked < 12


@pytest.mark.parametrize("same_time", [True, False])
def test_a_record_is_known_by_its_bytes_and_its_time(*, same_time: bool) -> None:
    mark = mark_of(records_of([b"x"], 4))
    other = Records.of([b"x"], timestamps_us=[4000 if same_time else 4001], offsets=[4])
    assert bool(mark[0] == mark_of(other)[0]) is same_time
