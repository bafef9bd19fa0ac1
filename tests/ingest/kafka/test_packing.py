from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingest.kafka.packing import Packed, Packer
from ingest.wire import Block, encode_rows
from tests.ingest.wire.messages import block_message, blocks, decode, message, rows


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def sent(packed: Sequence[Packed]) -> list[tuple[object, ...]]:
    """What the messages say, reading by reading."""
    found, faults = decode(*(one.message for one in packed))
    assert not faults
    assert [len(block) for block in found] == [one.readings for one in packed]
    assert [block.unit_code for block in found] == [one.unit_code for one in packed]
    return [row for block in found for row in rows(block)]


def some(n: int, unit_code: str = "9111") -> Block:
    (block,), _ = decode(block_message(n, unit_code))
    return block


@given(st.lists(blocks(), max_size=8), st.integers(1, 30), st.integers(1, 60))
def test_everything_comes_out_once_and_each_unit_in_order(
    given_blocks: list[tuple[str, dict[str, object]]], max_readings: int, max_waiting: int
) -> None:
    from ingest.wire import encode_block  # noqa: PLC0415

    found = [decode(encode_block(code, **columns))[0][0] for code, columns in given_blocks]  # type: ignore[arg-type]
    packer = Packer(max_readings=max_readings, max_waiting=max_waiting, clock=Clock())
    packed = [one for block in found for one in packer.add([block])] + list(packer.flush())
    assert all(0 < one.readings <= max_readings for one in packed)
    for unit_code in {block.unit_code for block in found}:
        of_unit = [one for one in packed if one.unit_code == unit_code]
        assert sent(of_unit) == [row for block in found if block.unit_code == unit_code for row in rows(block)]
    assert sum(one.readings for one in packed) == sum(map(len, found))


def test_message_is_given_when_it_is_full() -> None:
    packer = Packer(max_readings=100, clock=Clock())
    assert list(packer.add([some(99)])) == []
    assert [one.readings for one in packer.add([some(2)])] == [100, 1]
    assert list(packer.flush()) == []


def test_nothing_waits_longer_than_a_second() -> None:
    clock = Clock()
    packer = Packer(max_age_s=1.0, clock=clock)
    list(packer.add([some(1, "A")]))
    clock.now = 0.7
    assert list(packer.add([some(1, "B")])) == []
    clock.now = 1.1
    assert [one.unit_code for one in packer.add([])] == ["A"]
    clock.now = 1.8
    assert [one.unit_code for one in packer.add([])] == ["B"]


def test_units_together_do_not_hold_more_than_allowed() -> None:
    packer = Packer(max_readings=1000, max_waiting=250, clock=Clock())
    packed = [one for i in range(10) for one in packer.add([some(100, f"U{i}")])]
    assert sum(one.readings for one in packed) == 900


def test_dictionary_of_a_unit_is_the_same_once_all_its_meters_were_seen() -> None:
    packer = Packer(max_readings=4, clock=Clock())
    sent_blocks = [decode(*(message(meter_no=f"M-{(i + k) % 4}") for i in range(4)))[0][0] for k in range(5)]
    packed = [one for block in sent_blocks for one in packer.add([block])]
    assert len({decode(one.message)[0][0].meters for one in packed}) == 1


def test_message_of_few_readings_carries_only_the_meters_it_needs() -> None:
    packer = Packer(max_readings=1000, clock=Clock())
    (many,), _ = decode(*(message(meter_no=f"M-{i}") for i in range(1000)))
    assert [len(decode(one.message)[0][0].meters) for one in packer.add([many])] == [1000]
    list(packer.add([many.take(np.array([7, 9]))]))
    (last,) = packer.flush()
    assert decode(last.message)[0][0].meters.names == ("M-7", "M-9")


def test_more_units_of_measurement_than_a_message_can_state_make_more_messages() -> None:
    found, _ = decode(*(message(unit=f"u{i}") for i in range(600)))
    packer = Packer(clock=Clock())
    packed = [*packer.add([decode(encode_rows(block, slice(None)))[0][0] for block in found]), *packer.flush()]
    assert sorted(str(row[4]) for row in sent(packed)) == sorted(f"u{i}" for i in range(600))
