"""What waits for its turn: order, size, patience, backpressure."""

import asyncio
import time

import pytest

from ingest.wire import Records
from streams.lanes.intake import Intake, Piece
from streams.source.fetch import Run


def records_at(*offsets: int) -> Records:
    """Records of eight bytes."""
    return Records.of([b"12345678"] * len(offsets), timestamps_us=[0] * len(offsets), offsets=offsets)


def run_of(first: int, count: int, *, start: int | None = None) -> Run:
    records = records_at(*range(first, first + count))
    return Run(records, first if start is None else start, first + count, time.monotonic())


class Valve:
    """Notes whether the consumer is throttled."""

    def __init__(self) -> None:
        self._closed = False

    def closed(self) -> bool:
        return self._closed

    def intake(self, limit: int = 1000) -> Intake:
        return Intake(limit=limit, throttle=lambda: self._turn(True), unthrottle=lambda: self._turn(False))

    def _turn(self, closed: bool) -> None:
        assert self._closed != closed, "said once"
        self._closed = closed


LONG_S = 600.0
AT_ONCE_S = 60.0
"""Below it nobody has waited the long time, however busy the machine is."""


def take(intake: Intake, *, size: int = 80, patience_s: float = 0.02, wait_s: float = LONG_S) -> Piece | None:
    return asyncio.run(intake.piece(size=size, patience_s=patience_s, until=time.monotonic() + wait_s))


def test_a_full_piece_comes_at_once_and_in_order() -> None:
    intake = Valve().intake()
    for first in (0, 5, 10):
        intake.put(run_of(first, 5), f"event {first}")
    began = time.monotonic()
    piece = take(intake, patience_s=LONG_S)
    assert piece is not None
    assert time.monotonic() - began < AT_ONCE_S
    assert (piece.start, piece.end) == (0, 10)
    assert [record.offset for record in piece.records] == list(range(10))
    assert piece.events == ("event 0", "event 5")


def test_a_small_piece_waits_no_longer_than_its_patience() -> None:
    intake = Valve().intake()
    intake.put(run_of(0, 1), "event")
    began = time.monotonic()
    piece = take(intake, patience_s=0.1)
    assert piece is not None
    assert 0.05 < time.monotonic() - began < AT_ONCE_S


def test_nothing_waits_until_the_deadline_and_gives_none() -> None:
    began = time.monotonic()
    assert take(Valve().intake(), wait_s=0.1) is None
    assert time.monotonic() - began >= 0.1


def test_what_fills_the_intake_is_not_waited_beyond() -> None:
    valve = Valve()
    intake = valve.intake(limit=100)
    intake.put(run_of(0, 20), "event")
    began = time.monotonic()
    piece = take(intake, size=10**6, patience_s=LONG_S)
    assert piece is not None
    assert time.monotonic() - began < AT_ONCE_S
    assert not valve.closed()


def test_one_run_larger_than_a_piece_comes_whole() -> None:
    intake = Valve().intake(limit=10**9)
    intake.put(run_of(0, 1000), "event")
    piece = take(intake)
    assert piece is not None
    assert len(piece.records) == 1000


def test_a_full_intake_throttles_and_lets_go_at_half() -> None:
    valve = Valve()
    intake = valve.intake(limit=100)
    intake.put(run_of(0, 10), "a")
    assert not valve.closed()
    intake.put(run_of(10, 10), "b")
    assert valve.closed()
    intake.put(run_of(20, 1), "c")
    take(intake)
    assert valve.closed(), "more than half is left"
    take(intake)
    assert not valve.closed()


@pytest.mark.parametrize("fence", [0, 3, 5, 9, 10, 12])
def test_below_a_fence_and_above_it_are_the_whole(fence: int) -> None:
    piece = Piece(records_at(2, 3, 4, 7, 9), 0, 10, 1.0, 0.5, 40, ("event",))
    below, rest = piece.below(fence)
    parts = [part for part in (below, rest) if part is not None]
    assert [record.offset for part in parts for record in part.records] == [2, 3, 4, 7, 9]
    assert all(record.offset < fence for record in (below.records if below else []))
    assert all(record.offset >= fence for record in (rest.records if rest else []))
    assert parts[0].start == 0
    assert parts[-1].end == 10
    assert sum((part.events for part in parts), ()) == ("event",), "acked once, with the last part"


def test_halves_join_without_a_hole() -> None:
    first, second = Piece(run_of(0, 7).records, 0, 9, 1.0, 0.5, 56, ("event",)).split(3)
    assert (first.start, first.end, second.start, second.end) == (0, 3, 3, 9)
    assert (first.events, second.events) == ((), ("event",))
