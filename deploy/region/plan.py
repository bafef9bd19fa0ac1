"""The region's units and metering points, from the table ``region.toml``; nothing here depends on time."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from analytics.domain.units import default_unit
from deploy.region.model import Delivery, Loss, Point, Unit

__all__ = ["children_of", "plan_points", "plan_units"]

_LETTER = {
    "electricity": "E",
    "natural_gas": "G",
    "steam": "S",
    "hot_water": "H",
    "water": "W",
    "coal": "C",
    "recoverable_residual_energy": "R",
    "other": "A",
}


@cache
def _templates() -> tuple[Mapping[str, Any], ...]:
    text = resources.files("deploy.region").joinpath("region.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["unit"])


def plan_units(count: int) -> tuple[Unit, ...]:
    """The first `count` units; past the table's end it begins again, as another works of the same enterprise."""
    templates = _templates()
    units = []
    for index in range(count):
        template = templates[index % len(templates)]
        again = index // len(templates)
        name = template["name"] + (f"第{again + 1}厂" if again else "")
        code = f"91999900DEMO{index + 1:06d}"
        units.append(Unit(index, code, name, template["sector"], Delivery(template["delivery"])))
    return tuple(units)


def plan_points(seed: int, count: int) -> tuple[Point, ...]:
    """Metering points of the first `count` units, parents before children.

    What is random at a unit depends on `seed` and the unit alone: fewer units are the first of more.
    """
    points: list[Point] = []
    for index in range(count):
        for point in _unit_points(seed, index):
            shift = len(points) - point.index
            parent = point.parent + shift if point.parent >= 0 else -1
            points.append(replace(point, index=len(points), parent=parent))
    return tuple(points)


def _unit_points(seed: int, unit: int) -> list[Point]:
    template = _templates()[unit % len(_templates())]
    points: list[Point] = []
    serial: dict[str, int] = {}
    for network in template["network"]:
        _Network(seed, unit, template, network, serial).grow(points)
    return points


class _Network:
    """One carrier of one unit: incoming points, sub-units below them, equipment below those."""

    def __init__(
        self, seed: int, unit: int, template: Mapping[str, Any], network: Mapping[str, Any], serial: dict[str, int]
    ) -> None:
        self.seed, self.unit, self.template, self.network, self.serial = seed, unit, template, network, serial
        self.carrier = network["carrier"]

    def grow(self, points: list[Point]) -> None:
        letter = _LETTER[self.carrier]
        tops: list[int] = []
        for name, rated in self.network["incoming"]:
            self.serial[letter] = self.serial.get(letter, 0) + 1
            tops.append(len(points))
            code = f"{letter}{self.serial[letter]}"
            points.append(self._point(len(points), code, -1, "unit", name=name, rated=float(rated)))
        numbers = dict.fromkeys(tops, 0)
        for sub in self.network.get("sub", ()):
            top = tops[sub.get("from", 0)]
            numbers[top] += 1
            self._grow_sub(points, top, f"{points[top].code}-{numbers[top]:02d}", sub)
        for top in tops:
            self._close(points, top, complete=True)

    def _grow_sub(self, points: list[Point], top: int, code: str, sub: Mapping[str, Any]) -> None:
        place = len(points)
        name = f"{sub['name']}总表"
        points.append(self._point(place, code, top, "sub_unit", sub_unit=sub["name"], name=name, rated=0.0))
        for number, (equipment, rated, metered) in enumerate(sub["equipment"], 1):
            points.append(
                self._point(
                    len(points),
                    f"{code}-{number:02d}",
                    place,
                    "equipment",
                    sub_unit=sub["name"],
                    equipment=equipment,
                    name=equipment,
                    rated=float(rated),
                    metered=metered,
                )
            )
        self._close(points, place, complete=bool(sub.get("complete", False)), rest=float(sub.get("rest", 0.0)))

    def _close(self, points: list[Point], place: int, *, complete: bool, rest: float = 0.0) -> None:
        """Make `place` the sum of its children, its losses and what it uses past them."""
        children = [p for p in points if p.parent == place]
        if not children:
            own = rest or points[place].rated
            points[place] = replace(points[place], rated=own, own_rated=own)
            return
        below = sum(p.rated for p in children) + rest
        loss = self._loss(points[place], below)
        points[place] = replace(
            points[place],
            complete=complete and not rest and all(p.metered == "" for p in children),
            rated=below + float(loss.of(np.array([below]))[0]),
            own_rated=rest,
            loss=loss,
        )

    def _loss(self, point: Point, rated: float) -> Loss:
        rng = np.random.default_rng([self.seed, *point.stream, 1])
        if self.carrier == "electricity" and point.level == "unit":  # a transformer, iron and copper
            return Loss(rated * rng.uniform(0.001, 0.003), 0.0, rng.uniform(0.006, 0.015) / rated)
        if self.carrier == "electricity":  # cables
            return Loss(0.0, rng.uniform(0.0005, 0.002), rng.uniform(0.002, 0.008) / rated)
        if self.carrier in {"steam", "hot_water"}:  # traps and walls lose whether much flows or little
            return Loss(rated * rng.uniform(0.004, 0.012), rng.uniform(0.005, 0.015), 0.0)
        return Loss(0.0, rng.uniform(0.0, 0.012), 0.0)

    def _point(self, index: int, code: str, parent: int, level: str, **given: Any) -> Point:
        stream = (self.unit, index)
        rng = np.random.default_rng([self.seed, *stream, 0])
        base = float(np.clip(self.template["base"] + rng.uniform(-0.15, 0.1), 0.05, 0.95))
        load = float(np.clip(self.template["load"] * rng.uniform(0.75, 1.2), 0.1, 0.85))
        defaults: dict[str, Any] = {"sub_unit": "", "equipment": "", "metered": "", "own_rated": given["rated"]}
        return Point(
            index=index,
            unit=self.unit,
            code=code,
            parent=parent,
            complete=False,
            level=level,
            carrier=self.carrier,
            direction=self.network.get("direction", "in"),
            amount_unit=self.network.get("unit") or default_unit(self.carrier).symbol,
            base=base,
            load=load,
            loss=Loss(),
            stream=stream,
            **(defaults | given),
        )


def children_of(points: tuple[Point, ...]) -> Iterator[tuple[Point, list[int]]]:
    """Each point with its children's indices, children before parents."""
    below: dict[int, list[int]] = {}
    for point in points:
        below.setdefault(point.parent, []).append(point.index)
    for point in reversed(points):
        yield point, below.get(point.index, [])
