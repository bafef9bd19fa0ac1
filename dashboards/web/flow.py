"""Energy flow diagram of a carrier: from the inputs over sub-units to equipment, with unmetered remainders.

Every point is a bar as high as its amount, its children lie beside it, and what they do not add up to is drawn grey:
losses and uses without a meter. Where they add up to more than their parent, that is shown; nothing is scaled away.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

from markupsafe import Markup

from analytics.domain.words import Language, Phrase
from dashboards.text import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION
from dashboards.web.charts import Chart, Key
from dashboards.web.values import number

__all__ = ["flow"]

_WIDTH: Final = 1280
_TOP: Final = 6
_BAR: Final = 12
_LEAF: Final = 19
_FEW: Final = 12
"""So many low bars are drawn beside each other; more become one."""
_LEAST: Final = 13
"""A bar that is lower has no room for its name; a pointer that rests on it says it."""
_COLORS: Final = (BLUE, SKY, GREEN, ORANGE, PURPLE)
_REST: Final = Phrase(zh="损耗与未计量", en="losses and unmetered")
_MORE: Final = Phrase(zh="下级合计大于上级", en="children add up to more than the parent")
_UNKNOWN: Final = Phrase(zh="无数据", en="no data")
_SMALLER: Final = Phrase(zh="其余 {} 个计量点", en="{} smaller ones")


@dataclass(slots=True)
class _Node:
    name: str
    amount: float | None
    children: list["_Node"] = field(default_factory=list)
    parts: float = 0.0
    """What its children add up to, as far as they are known."""
    size: float = 0.0
    """As high as it is drawn: its own amount, or its children's where they are more or it has none."""
    leaves: int = 1
    depth: int = 1

    def measured(self) -> "_Node":
        """Itself, with all below it measured, the largest first: once, since a picture asks for it at every bar."""
        for child in self.children:
            child.measured()
        self.children.sort(key=lambda child: -child.size)
        self.parts = sum(child.size for child in self.children)
        self.size = max(self.amount or 0.0, self.parts)
        self.leaves = sum(child.leaves for child in self.children) or 1
        self.depth = 1 + max((child.depth for child in self.children), default=0)
        return self

    def everyone(self) -> Iterator["_Node"]:
        yield self
        for child in self.children:
            yield from child.everyone()


def flow(rows: Sequence[Mapping[str, Any]], *, title: str, language: Language) -> Chart:
    """The picture; none where nothing is known.

    Parameters
    ----------
    rows
        ``point``, ``parent_point`` (None at the top), ``name``, ``unit`` and ``amount`` (None where there is no data).
    title : str
        What a screen reader says of it.
    """
    roots = _tree(rows)
    total = sum(root.size for root in roots)
    if total <= 0:
        return Chart(picture=None)
    unit = str(rows[0]["unit"])
    depth, leaves = max(root.depth for root in roots), sum(root.leaves for root in roots)
    drawing = _Drawing(
        scale=max(200.0, min(_LEAF * leaves, 900.0)) / total,
        column=(_WIDTH - 230) / max(depth - 1, 1) if depth > 1 else 0.0,
        total=total,
        unit=unit,
        language=language,
    )
    y = float(_TOP)
    for root in roots:
        drawing.put(root, 0, y)
        y += root.size * drawing.scale
    picture = Markup(  # noqa: S704 - every text in it went through escape
        f'<svg class="chart flow" viewBox="0 0 {_WIDTH} {y + _TOP:.0f}" role="img" aria-label="{escape(title)}">'
        f"{''.join(drawing.parts)}</svg>"
    )
    return Chart(picture=picture, keys=_keys(roots, unit, language))


def _tree(rows: Sequence[Mapping[str, Any]]) -> list[_Node]:
    nodes = {row["point"]: _Node(" ".join(filter(None, (row["point"], row["name"]))), row["amount"]) for row in rows}
    roots: list[_Node] = []
    for row in rows:
        above = nodes.get(row["parent_point"])
        (roots if above is None else above.children).append(nodes[row["point"]])
    return sorted((root.measured() for root in roots), key=lambda root: -root.size)


def _keys(roots: Sequence[_Node], unit: str, language: Language) -> list[Key]:
    everyone = [node for root in roots for node in root.everyone()]
    rest = sum(node.size - node.parts for node in everyone if node.children)
    keys = [Key(_REST.of(language), GREY, f"{number(rest, 0)} {unit}")]
    over = [node.name for node in everyone if node.children and node.amount is not None and node.parts > node.amount]
    if over:
        keys.append(Key(_MORE.of(language), VERMILION, ", ".join(over[:6])))
    silent = [node.name for node in everyone if node.amount is None]
    if silent:
        more = f" … ({len(silent)})" if len(silent) > 6 else ""
        keys.append(Key(_UNKNOWN.of(language), GREY, ", ".join(silent[:6]) + more))
    return keys


@dataclass(slots=True)
class _Drawing:
    scale: float
    column: float
    total: float
    unit: str
    language: Language
    parts: list[str] = field(default_factory=list)

    def put(self, node: _Node, depth: int, y: float) -> None:
        """A bar, its children's beside it, those too small for a name as one, and the rest."""
        over = node.amount is not None and node.children and node.parts > node.amount
        color = VERMILION if over else _COLORS[depth % len(_COLORS)]
        self._bar(node.name, node.size, depth, y, color, last=not node.children)
        at = y
        for child in self._folded(node.children):
            self._band(child.size, depth, at, _COLORS[(depth + 1) % len(_COLORS)])
            self.put(child, depth + 1, at)
            at += child.size * self.scale
        rest = node.size - node.parts
        if node.children and rest > 0:
            self._band(rest, depth, at, GREY)
            self._bar(_REST.of(self.language), rest, depth + 1, at, GREY, last=True)

    def _folded(self, children: Sequence[_Node]) -> Sequence[_Node]:
        """Children with those as one whose bars are too low for a name: hundreds of them would be a blur."""
        shown = [child for child in children if child.size * self.scale >= _LEAST]
        small = [child for child in children[len(shown) :] if child.size > 0]  # the largest come first
        if len(small) <= _FEW:
            return children
        total = sum(child.size for child in small)
        return [*shown, _Node(_SMALLER.of(self.language).format(len(small)), total, size=total)]

    def _bar(self, name: str, size: float, depth: int, y: float, color: str, *, last: bool) -> None:
        x, height = depth * self.column, size * self.scale
        share = f"{number(100 * size / self.total, 1)} %"
        said = f"{name} {number(size, 0)} {self.unit} ({share})"
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{_BAR}" height="{max(height - 0.8, 0.4):.1f}" fill="{color}">'
            f"<title>{escape(said)}</title></rect>"
        )
        if height >= _LEAST:
            room = int((230 if last else self.column) / 7.2)
            shown = said if len(said) <= room else f"{name[: max(room - len(share) - 1, 4)]} {share}"
            self.parts.append(f'<text x="{x + _BAR + 4:.1f}" y="{y + height / 2 + 4:.1f}">{escape(shown)}</text>')

    def _band(self, size: float, depth: int, y: float, color: str) -> None:
        self.parts.append(
            f'<rect class="band" x="{depth * self.column + _BAR:.1f}" y="{y:.1f}" width="{self.column - _BAR:.1f}"'
            f' height="{max(size * self.scale - 0.8, 0.4):.1f}" fill="{color}"/>'
        )
