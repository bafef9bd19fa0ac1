from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.wire import Block, MeterList
from streams.backfill.spool import Slice, Spool

UNITS = ("A", "B", "C")


def block_of(unit_code: str, readings: list[tuple[str, int, float, str]]) -> Block:
    meters = sorted({meter for meter, *_ in readings})
    units = sorted({unit for *_, unit in readings})
    n = len(readings)
    return Block(
        unit_code=unit_code,
        meters=MeterList.of(meters),
        meter=np.array([meters.index(meter) for meter, *_ in readings], np.uint16),
        measured_at=np.array([at for _, at, _, _ in readings], np.int64),
        value=np.array([value for _, _, value, _ in readings]),
        units=tuple(units),
        unit=np.array([units.index(unit) for *_, unit in readings], np.uint8),
        received_at=np.arange(n, dtype=np.int64),
        quality=np.arange(n, dtype=np.int16),
        message=np.arange(n, dtype=np.int32) + 2,
        position=np.zeros(n, np.int32),
    )


def readings_of(taken: Slice) -> list[tuple[str, str, int, float, str, int, int]]:
    out = []
    for block, file, row in zip(taken.blocks, taken.file, taken.row, strict=True):
        for i in range(len(block)):
            name, stated = block.meters.names[block.meter[i]], block.units[block.unit[i]]
            at, value = int(block.measured_at[i]), float(block.value[i])
            out.append((block.unit_code, name, at, value, stated, int(file[i]), int(row[i])))
    return out


READING = st.tuples(
    st.sampled_from(["M-1", "M-2", "M-2\x1freverse"]),
    st.integers(0, 30),
    st.floats(0, 9),
    st.sampled_from(["kWh", "m3"]),
)
BLOCKS = st.lists(
    st.tuples(st.sampled_from([*UNITS, "unknown"]), st.lists(READING, min_size=1, max_size=6)), max_size=8
)


def in_order(blocks: list[tuple[str, list[tuple[str, int, float, str]]]]) -> None:
    """Let times never fall, as in most files."""
    for place, (_, readings) in enumerate(blocks):
        readings.sort(key=lambda reading: reading[1])
        readings[:] = [(meter, at + 30 * place, value, unit) for meter, at, value, unit in readings]


@given(blocks=BLOCKS, buckets=st.integers(1, 5), size=st.integers(1, 20), ordered=st.booleans())
def test_every_reading_comes_back_once_in_time_order(
    tmp_path_factory: pytest.TempPathFactory,
    blocks: list[tuple[str, list[tuple[str, int, float, str]]]],
    buckets: int,
    size: int,
    ordered: bool,
) -> None:
    if ordered:
        in_order(blocks)
    sent = []
    with Spool(tmp_path_factory.mktemp("spool"), UNITS, buckets) as spool:
        for file, (unit_code, readings) in enumerate(blocks):
            spool.add(block_of(unit_code, readings), file=file)
            sent += [(unit_code, *reading, file, row + 2) for row, reading in enumerate(readings)]
        slices = [list(spool.slices(bucket, size)) for bucket in range(len(spool.runs))]
    back = [reading for of_bucket in slices for taken in of_bucket for reading in readings_of(taken)]
    assert sorted(back) == sorted(sent)
    for bucket, of_bucket in enumerate(slices):
        seen: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        newest = 0
        for taken in of_bucket:
            assert 0 < sum(len(block) for block in taken.blocks) <= size
            for unit_code, _, at, _, _, file, row in readings_of(taken):
                seen[unit_code].append((at, file, row))
                assert at >= newest
            newest = max(at for _, _, at, *_ in readings_of(taken))
        for unit_code, order in seen.items():
            assert order == sorted(order)
            home = len(spool.runs) - 1 if unit_code == "unknown" else UNITS.index(unit_code)
            assert home in spool.runs[bucket] or (unit_code == "unknown" and bucket == home)


def test_a_unit_that_states_hundreds_of_units_comes_in_several_blocks(tmp_path: Path) -> None:
    with Spool(tmp_path, UNITS, 1) as spool:
        for i in range(600):
            spool.add(block_of("A", [("M", i, float(i), f"unit {i}")]), file=i)
        (taken,) = spool.slices(0, 10_000)
    assert [len(block.units) for block in taken.blocks] == [256, 256, 88]
    assert sorted(file for *_, file, _ in readings_of(taken)) == list(range(600))


def test_without_units_everything_is_unknown(tmp_path: Path) -> None:
    with Spool(tmp_path, (), 7) as spool:
        spool.add(block_of("A", [("M", 1, 1.0, "kWh")]), file=0)
        assert [list(spool.slices(bucket, 10)) != [] for bucket in range(len(spool.runs))] == [False, True]
