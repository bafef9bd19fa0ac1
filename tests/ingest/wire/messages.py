"""Messages for the tests of the wire: sound ones, and every way we know to spoil them."""

import json
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ingest.wire import MAX_MESSAGE_BYTES, Block, Fault, Headers, MeterList, decode_records, encode_block

SHANGHAI = ZoneInfo("Asia/Shanghai")
T0 = 1_763_000_000_000_000  # some instant of 2025 [us]


def decode(
    *values: bytes | None, headers: Sequence[Headers | None] | None = None, max_bytes: int = MAX_MESSAGE_BYTES
) -> tuple[list[Block], list[Fault]]:
    times = [T0 + i for i in range(len(values))]
    return decode_records(values, headers=headers, timestamps_us=times, zone=SHANGHAI, max_bytes=max_bytes)


def total(blocks: list[Block], faults: list[Fault]) -> int:
    return sum(map(len, blocks)) + sum(fault.readings for fault in faults)


def reading(**changes: object) -> dict[str, object]:
    sound = {
        "unit_code": "9111",
        "meter_no": "M-1",
        "measured_at": "2026-11-21T08:15:00+08:00",
        "value": 1.5,
        "unit": "kWh",
    }
    return {name: value for name, value in (sound | changes).items() if value is not ...}


def message(**changes: object) -> bytes:
    return json.dumps(reading(**changes)).encode()


def block_message(n: int = 3, unit_code: str = "9111", **changes: Any) -> bytes:
    columns: dict[str, Any] = {
        "meters": MeterList.of(["M-1", "M-2"]),
        "meter": np.arange(n) % 2,
        "measured_at": T0 + np.arange(n),
        "value": np.arange(n) + 0.5,
        "units": ["kWh", "m3"],
        "unit": np.arange(n) % 2,
    }
    columns.update(changes)
    return encode_block(unit_code, **columns)


def rows(block: Block) -> list[tuple[object, ...]]:
    """What a block says, reading by reading, whatever its dictionaries."""
    names = block.meters.names
    return [
        (block.unit_code, names[m], t, v, block.units[u], r, q)
        for m, t, v, u, r, q in zip(
            block.meter.tolist(),
            block.measured_at.tolist(),
            block.value.tolist(),
            block.unit.tolist(),
            block.received_at.tolist(),
            block.quality.tolist(),
            strict=True,
        )
    ]


texts = st.text(st.characters(exclude_characters="\x00\x1f", exclude_categories=["Cs"]), min_size=1, max_size=6)
finite = st.floats(allow_nan=False, allow_infinity=False)
instants = st.integers(-(2**62), 2**62)


@st.composite
def blocks(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Arguments of `encode_block`."""
    n = draw(st.integers(1, 20))
    names = draw(st.lists(texts, min_size=1, max_size=5))
    units = draw(st.lists(texts, min_size=1, max_size=4))

    def column(elements: st.SearchStrategy[Any], dtype: str) -> NDArray[Any]:
        return np.array(draw(st.lists(elements, min_size=n, max_size=n)), dtype)

    return draw(texts), {
        "meters": MeterList.of(names),
        "meter": column(st.integers(0, len(names) - 1), "i4"),
        "measured_at": column(instants, "i8"),
        "value": column(finite, "f8"),
        "units": units,
        "unit": draw(st.sampled_from([None, column(st.integers(0, len(units) - 1), "u1")])),
        "received_at": draw(st.sampled_from([None, draw(instants), column(instants, "i8")])),
        "quality": draw(st.sampled_from([None, column(st.integers(0, 0x1FF), "i2")])),
    }


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()  # json.dumps writes NaN and Infinity
    | st.text(max_size=5)
    | st.sampled_from(["2026-11-21T08:15:00Z", "2026-11-21 08:15", 10**400, -0.0, "\x00", "a\x1fb", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
members = ("unit_code", "meter_no", "measured_at", "value", "unit", "register", "quality", "received_at", "readings")


@st.composite
def odd_readings(draw: st.DrawFn) -> dict[str, object]:
    """A reading with some members missing, or of any shape."""
    changes = draw(st.dictionaries(st.sampled_from(members), json_values | st.just(...), max_size=2))
    return reading(**changes)


@st.composite
def any_messages(draw: st.DrawFn) -> bytes:
    """Anything somebody could put on the topic, mostly close to a sound message."""
    kind = draw(st.integers(0, 6))
    if kind == 0:
        return draw(st.binary(max_size=60))
    if kind <= 2:
        unit_code, columns = draw(blocks())
        sound = encode_block(unit_code, **columns)
    elif kind == 3:
        sound = json.dumps(draw(odd_readings())).encode()
    elif kind == 4:
        sound = json.dumps(draw(st.lists(odd_readings() | json_values, max_size=4))).encode()
    else:
        readings = draw(st.lists(odd_readings(), max_size=3))
        sound = json.dumps({"unit_code": draw(json_values | st.just("9111")), "readings": readings}).encode()
    if draw(st.booleans()):
        return sound
    spoilt = bytearray(sound)
    for at, byte in draw(st.lists(st.tuples(st.integers(0, len(sound)), st.integers(0, 255)), max_size=3)):
        spoilt[at : at + 1] = bytes([byte])
    return bytes(spoilt[: draw(st.integers(0, len(spoilt)))]) if draw(st.booleans()) else bytes(spoilt)
