"""Traffic of which every figure is known: what was sent, and what has to be stored, refused and summed up of it.

The registers of a `Site` rise by a known step, so every hour, day and total is known exactly. Blocks, JSON arrays and
single JSON messages are mixed; some readings come late, some come again, some come again with another value.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ingest.wire import Block, MeterList, encode_block, encode_readings_json
from tests.streams.site import BLOCK, JSON, Message, Site

__all__ = ["Traffic"]

HOUR_US = 3_600_000_000
_FURTHEST_TICKS = 3
"""A late reading comes so many ticks after its own at most."""


class One(NamedTuple):
    """One reading of the site: which unit's which meter, at which tick."""

    unit: int
    meter: int
    tick: int


@dataclass
class Traffic:
    """Messages of a site tick by tick, and the account of them.

    Attributes
    ----------
    late, repeated, conflicting : float
        Shares of the readings that come late, come again, come again with another value.
    """

    site: Site
    seed: int = 20261130
    late: float = 0.04
    repeated: float = 0.01
    conflicting: float = 0.005
    ticks: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    _held: dict[int, list[One]] = field(default_factory=dict)

    def next(self, ticks: int = 1) -> Iterator[Message]:
        """The messages of the next ticks."""
        for _ in range(ticks):
            yield from self._tick(self.ticks)
            self.ticks += 1

    def rest(self) -> Iterator[Message]:
        """What is still held back; after it nothing is missing."""
        for due in sorted(self._held):
            yield from self._arrays(self._held.pop(due))

    def again(self, first: int, ticks: int) -> Iterator[Message]:
        """Ticks that were sent before and are sent again, whole, as blocks."""
        for message in self.site.blocks(first, ticks):
            self.refused["duplicate"] += message.readings
            self.sent += message.readings
            yield message

    def _tick(self, tick: int) -> Iterator[Message]:
        dice = random.Random(f"{self.seed} {tick}")
        for due in [due for due in self._held if due <= tick]:
            yield from self._arrays(self._held.pop(due))
        for unit, code in enumerate(self.site.codes):
            chosen = np.array([dice.random() >= self.late for _ in range(self.site.meters)])
            for meter in np.flatnonzero(~chosen).tolist():
                due = tick + dice.randint(1, _FURTHEST_TICKS)
                self._held.setdefault(due, []).append(One(unit, meter, tick))
            here = np.flatnonzero(chosen)
            if here.size:
                yield from self._message((unit + tick) % 5, code, tick, here)
                yield from self._strays(dice, unit, tick, here)

    def _message(self, form: int, code: str, tick: int, meters: np.ndarray) -> Iterator[Message]:
        """Three of five as a block, one as a JSON array, one as single messages."""
        self.sent += len(meters)
        block = self._block(code, tick, meters)
        if form < 3:
            yield Message(code, _packed(block), BLOCK, len(meters))
        elif form == 3:
            yield Message(code, b"[" + b",".join(encode_readings_json(block)) + b"]", JSON, len(meters))
        else:
            yield from (Message(code, one, JSON, 1) for one in encode_readings_json(block))

    def _strays(self, dice: random.Random, unit: int, tick: int, here: np.ndarray) -> Iterator[Message]:
        code = self.site.codes[unit]
        for share, reason, add in ((self.repeated, "duplicate", 0.0), (self.conflicting, "conflict", 0.5)):
            some = np.array([meter for meter in here.tolist() if dice.random() < share], np.int64)
            if not some.size:
                continue
            block = self._block(code, tick, some, add=add)
            self.refused[reason] += len(some)
            self.sent += len(some)
            yield Message(code, _packed(block), BLOCK, len(some))

    def _arrays(self, held: Sequence[One]) -> Iterator[Message]:
        for unit, tick in sorted({(one.unit, one.tick) for one in held}):
            meters = np.array([one.meter for one in held if (one.unit, one.tick) == (unit, tick)], np.int64)
            code = self.site.codes[unit]
            self.sent += len(meters)
            parts = encode_readings_json(self._block(code, tick, meters))
            yield Message(code, b"[" + b",".join(parts) + b"]", JSON, len(meters))

    def _block(self, code: str, tick: int, meters: np.ndarray, *, add: float = 0.0) -> Block:
        whole = self.site.block(code, tick)
        block = whole.take(meters.astype(np.int64))
        if not add:
            return block
        return Block(**{**{name: getattr(block, name) for name in Block.__slots__}, "value": block.value + add})

    # -- what has to come of it --------------------------------------------------------------------------------------

    @property
    def accepted(self) -> int:
        """Readings that are stored, once each."""
        return self.site.units * self.site.meters * self.ticks

    @property
    def held(self) -> int:
        """Readings of the ticks until now that are still held back."""
        return sum(map(len, self._held.values()))

    @property
    def sum_of_values(self) -> float:
        """Sum of their values."""
        return sum(float(self.site.values(tick).sum()) for tick in range(self.ticks)) * self.site.units

    @property
    def hours(self) -> int:
        """Whole hours between the first reading and the last."""
        return (self.ticks - 1) * self.site.interval_us // HOUR_US

    def rate(self, meter: int) -> int:
        """What a meter counts in an hour. [kWh]"""
        return meter % 7 + 1

    @property
    def rates(self) -> int:
        """What all meters of a unit count in an hour. [kWh]"""
        return sum(self.rate(meter) for meter in range(self.site.meters))


def _packed(block: Block) -> bytes:
    return encode_block(
        block.unit_code,
        meters=MeterList.of(block.meters.names),
        meter=block.meter,
        measured_at=block.measured_at,
        value=block.value,
        units=block.units,
        received_at=int(block.measured_at[0]) + 1_000_000,
    )
