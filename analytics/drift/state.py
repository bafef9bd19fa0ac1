"""State of the balances between two calls of `advance`, and its serialisation."""

import copy
import dataclasses
import json
import zlib
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from analytics.domain.errors import MeterwardenError
from analytics.drift._batch import Batch, Standing, batch_sizes
from analytics.drift._levels import Twins, twins
from analytics.drift._sums import Bank, DaySums
from analytics.drift.groups import SEPARATOR, SOURCE, BalanceGroups
from analytics.drift.rules import BalanceRules

__all__ = ["NO_HOUR", "BalanceState", "StateMismatch"]

NO_HOUR = -(2**40)
"""Before any hour."""
_MAGIC, _BLIND, _STEPS, _WHOLE = b"MWB4", b"MWB3", b"MWB2", b"MWB1"
"""Magic numbers of the serialised formats, the current one first; older ones are still read: without re-estimation of
suspected meters, without reclassification of steps, and with full symmetric matrices."""
_SUMS = tuple(field.name for field in dataclasses.fields(DaySums))


class StateMismatch(MeterwardenError):  # noqa: N818 - named after what happened
    """Serialised state of other groups: start with `BalanceState.empty`, or `carry` the groups in common."""


@dataclass(slots=True, kw_only=True, eq=False)
class BalanceState:
    """Sufficient statistics, open detections and calibration of balances; `engine.advance` changes it in place.

    All groups of one state go through the same hours, so keep one state for each set of groups whose hours close
    together: live, one for each energy-using unit. What comes out does not depend on how groups are put together.

    Attributes
    ----------
    groups : BalanceGroups
    rules : BalanceRules
    batches : list of Batch
        Groups by size.
    levels : Twins
        Meters that stand in two of the balances.
    last_hour : int
        Newest hour seen. [h since 1970-01-01 UTC]
    closed_day : int
        Newest day that closed. [d since 1970-01-01 UTC]
    """

    groups: BalanceGroups
    rules: BalanceRules
    batches: list[Batch]
    levels: Twins
    last_hour: int = NO_HOUR
    closed_day: int = NO_HOUR

    @classmethod
    def empty(cls, groups: BalanceGroups, rules: BalanceRules | None = None) -> Self:
        """State in which no hour was seen."""
        rules = rules or BalanceRules()
        places = batch_sizes(groups.sizes)
        batches = [Batch.empty(groups, np.flatnonzero(places == n), int(n), rules) for n in np.unique(places).tolist()]
        return cls(groups=groups, rules=rules, batches=batches, levels=twins(groups, batches) if rules.levels else {})

    def to_bytes(self) -> bytes:
        """Everything, so that `from_bytes` goes on bit by bit the same."""
        parts: list[bytes] = []

        def kept(array: np.ndarray[Any, Any]) -> dict[str, Any]:
            parts.append(_shuffled(array))
            return {"shape": array.shape, "type": array.dtype.str}

        def sums(block: DaySums) -> dict[str, Any]:
            lower = np.tril_indices(block.a.shape[1])
            return {"a": kept(block.a[:, *lower])} | {name: kept(getattr(block, name)) for name in _SUMS if name != "a"}

        head = {
            "groups": self.groups.fingerprint.hex(),
            "last_hour": self.last_hour,
            "closed_day": self.closed_day,
            "batches": [
                {
                    "numbers": {name: kept(array) for name, array in batch.numbers.items()},
                    "base": sums(batch.bank.base),
                    "base_until": batch.bank.base_until,
                    "first": batch.bank.first,
                    "days": batch.bank.days,
                    "blocks": [sums(block) for block in batch.bank.blocks],
                    "standing": [dataclasses.asdict(standing) for standing in batch.standing],
                }
                for batch in self.batches
            ],
        }
        text = json.dumps(head).encode()
        return _MAGIC + len(text).to_bytes(8, "little") + zlib.compress(text + b"".join(parts), 1)

    @classmethod
    def from_bytes(cls, data: bytes, groups: BalanceGroups, rules: BalanceRules | None = None) -> Self:
        """State as `to_bytes` left it.

        Raises
        ------
        StateMismatch
            If the bytes are of another format or of other groups.
        """
        state = cls.empty(groups, rules)
        whole = data[:4] == _WHOLE
        if data[:4] not in {_MAGIC, _BLIND, _STEPS, _WHOLE}:
            raise StateMismatch(f"a balance's state must begin with {_MAGIC!r} (got {data[:4]!r})")
        plain = zlib.decompress(data[12:])
        length = int.from_bytes(data[4:12], "little")
        head = json.loads(plain[:length])
        if head["groups"] != groups.fingerprint.hex():
            raise StateMismatch(
                f"a balance's state must be of the {len(groups)} groups it is opened with (it is of others)"
            )
        at = length

        def array(described: dict[str, Any]) -> Any:
            nonlocal at
            kind = np.dtype(described["type"])
            count = int(np.prod(described["shape"], dtype=np.int64))
            size = count * kind.itemsize
            flat = np.frombuffer(plain, kind, count, at) if whole else _unshuffled(plain[at : at + size], kind)
            at += size
            return flat.reshape(described["shape"]).copy()

        def sums(described: dict[str, Any]) -> DaySums:
            found = {name: array(described[name]) for name in _SUMS}
            p = found["b"].shape[1]
            lower = np.tril_indices(p)
            half = found["a"][:, *lower] if whole else found["a"]
            found["a"] = np.empty((len(half), p, p), half.dtype)
            found["a"][:, *lower] = half
            found["a"][:, *lower[::-1]] = half
            return DaySums(**found)

        for batch, kept in zip(state.batches, head["batches"], strict=True):
            batch.numbers |= {name: array(described) for name, described in kept["numbers"].items()}
            batch.bank = Bank(
                base=sums(kept["base"]),
                base_until=kept["base_until"],
                first=kept["first"],
                days=kept["days"],
                blocks=[sums(block) for block in kept["blocks"]],
            )
            batch.standing = [
                Standing(
                    **(
                        {"first": one["size"], "alarm": one["which"] >= 0}
                        | one
                        | {"candidates": [tuple(c) for c in one["candidates"]]}
                    )
                )
                for one in kept["standing"]
            ]
        state.last_hour, state.closed_day = head["last_hour"], head["closed_day"]
        return state

    def copy(self) -> Self:
        """A state of its own, to go back to where a step has to be undone."""
        batches = [dataclasses.replace(batch, numbers=dict(batch.numbers)) for batch in self.batches]
        for batch in batches:
            batch.numbers = {name: array.copy() for name, array in batch.numbers.items()}
            batch.bank = copy.deepcopy(batch.bank)
            batch.standing = copy.deepcopy(batch.standing)
        return dataclasses.replace(self, batches=batches)

    def carry(self, groups: BalanceGroups) -> Self:
        """State for a changed ledger: groups with the same key go on, others begin anew.

        Kept detections, statistics and calibration move; indices become those of `groups`. A detection in a group that
        has other meters now is held until its meter is looked at or replaced: the new group knows no other gain of it.
        """
        fresh = type(self).empty(groups, self.rules)
        fresh.last_hour, fresh.closed_day = self.last_hour, self.closed_day
        old = {
            self.groups.keys[group]: (batch, row)
            for batch in self.batches
            for row, group in enumerate(batch.group.tolist())
        }
        for batch in fresh.batches:
            pairs = [
                (row, *old[groups.keys[group]])
                for row, group in enumerate(batch.group.tolist())
                if groups.keys[group] in old
            ]
            _carry(batch, pairs)
        self._hold(fresh)
        return fresh

    def _hold(self, fresh: Self) -> None:
        """Move the detections of groups that are no more to where their meters are now."""
        known = set(fresh.groups.keys)
        place: dict[tuple[str, str], tuple[Batch, int, int]] = {}
        for batch in fresh.batches:
            for row, group in enumerate(batch.group.tolist()):
                in_unit, *of_group = fresh.groups.keys[group].replace(SOURCE, "").split(SEPARATOR)
                place |= {(in_unit, code): (batch, row, which) for which, code in enumerate(of_group[1:])}
                place.setdefault((in_unit, "".join(of_group[:1])), (batch, row, batch.mask.shape[1]))
        for batch in self.batches:
            for one in batch.standing:
                key = self.groups.keys[batch.group[one.row]]
                unit, *codes = key.replace(SOURCE, "").split(SEPARATOR)
                parent = not 0 <= one.which < batch.mask.shape[1]
                found = place.get((unit, codes[0 if parent else 1 + one.which])) if codes and key not in known else None
                if found is not None and (one.which >= 0 or found[2] == found[0].mask.shape[1]):
                    found[0].standing.append(_held(one, found[1], found[2] if one.which >= 0 else -1))


def _held(standing: Standing, row: int, which: int) -> Standing:
    return dataclasses.replace(
        standing, row=row, which=which, weights=[], candidates=[], since_day=-1, settled=standing.which < 0
    )


def _shuffled(array: np.ndarray[Any, Any]) -> bytes:
    """Byte-shuffle: bytes of equal significance side by side, which compresses far better."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(np.uint8).reshape(-1, array.itemsize).T.tobytes()


def _unshuffled(data: bytes, kind: np.dtype[Any]) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(kind.itemsize, -1).T).reshape(-1).view(kind)


def _carry(batch: Batch, pairs: list[tuple[int, Batch, int]]) -> None:
    """Copy rows of old batches, which have the same places because a key names the children."""
    if not pairs:
        return
    source = pairs[0][1].bank
    g, p = batch.bank.base.b.shape
    batch.bank.base_until = source.base_until
    batch.bank.first, batch.bank.days = list(source.first), list(source.days)
    batch.bank.blocks = [_like(block, g, p) for block in source.blocks]
    for row, before, old in pairs:
        for name, array in batch.numbers.items():
            array[row] = before.numbers[name][old]
        for mine, theirs in zip(
            [batch.bank.base, *batch.bank.blocks], [before.bank.base, *before.bank.blocks], strict=True
        ):
            for name in _SUMS:
                getattr(mine, name)[row] = getattr(theirs, name)[old]
        batch.standing += [dataclasses.replace(s, row=row) for s in before.standing if s.row == old]


def _like(block: DaySums, g: int, p: int) -> DaySums:
    shapes = {"a": (g, p, p), "b": (g, p), "c": (g,), "n": (g,), "q": (g, p), "e": (g, block.e.shape[1])}
    return DaySums(**{name: np.zeros(shapes[name], getattr(block, name).dtype) for name in _SUMS})
