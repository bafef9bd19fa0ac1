"""Figure B.2: the network of collection points (能源计量采集点网络图), drawn from the ledger as it stands on a day.

Three columns, the levels of table 3; a line joins a point to the one whose flow it is part of. A filled box has a meter
in use, an empty one has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
from markupsafe import Markup

from analytics.domain.colours import GREY, INK
from analytics.domain.words import Phrase
from analytics.standards.scene import Scene
from analytics.standards.words import carrier_name
from dashboards.reports.pictures import BAD, GOOD, svg

__all__ = ["Node", "network", "nodes_of"]

_MOST: Final = 400
"""Points drawn at the most; a larger network is drawn without its equipment level, which is counted instead."""
_WIDTH: Final = 960
_ROW: Final = 30
_BOX: Final = 230
_COLUMNS: Final = (10, 365, 720)
_TOP: Final = 46
_LETTERS: Final = 30
_HEADS: Final = (
    Phrase(zh="进出用能单位", en="unit level"),
    Phrase(zh="进出主要次级用能单位", en="sub-unit level"),
    Phrase(zh="主要用能设备", en="equipment level"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A collection point.

    Attributes
    ----------
    parent : int
        Index of the point whose flow it is part of, -1 for none.
    level : int
        0 to 2.
    meter_no : str
        Empty where none stands.
    """

    code: str
    where: str
    carrier: str
    level: int
    parent: int
    meter_no: str
    in_use: bool


def nodes_of(scene: Scene, unit: int = 0) -> Sequence[Node]:
    """Points of a unit, each below the one above it, in the order of the ledger."""
    ledger = scene.ledger
    start, end = ledger.unit_point_start[unit : unit + 2].tolist()
    in_use = scene.in_use
    made = [
        Node(
            code=ledger.point_codes[p],
            where=ledger.point_equipment[p] or ledger.point_sub_unit[p],
            carrier=ledger.point_carrier[p],
            level=int(ledger.point_level[p]),
            parent=int(ledger.point_parent[p]) - start if ledger.point_parent[p] >= 0 else -1,
            meter_no=scene.meter_no(p),
            in_use=bool(in_use[p]),
        )
        for p in range(start, end)
    ]
    order = _in_order(made)
    place = {old: new for new, old in enumerate(order)}
    return [
        Node(
            code=one.code,
            where=one.where,
            carrier=one.carrier,
            level=one.level,
            parent=place.get(one.parent, -1),
            meter_no=one.meter_no,
            in_use=one.in_use,
        )
        for one in (made[old] for old in order)
    ]


def _in_order(nodes: Sequence[Node]) -> list[int]:
    """Depth first, energy by energy, so that lines cross as little as can be."""
    below: dict[int, list[int]] = {}
    for place, node in enumerate(nodes):
        below.setdefault(node.parent, []).append(place)
    order: list[int] = []
    rest = sorted(below.get(-1, []), key=lambda place: (nodes[place].carrier, nodes[place].level, place), reverse=True)
    while rest:
        place = rest.pop()
        order.append(place)
        rest += reversed(below.get(place, []))
    return order


def network(nodes: Sequence[Node], language: str) -> Markup:
    """The figure, as SVG.

    Parameters
    ----------
    nodes : sequence of Node
        As `nodes_of` gives them.
    language : str
        ``zh`` or ``en``.
    """
    shown = [place for place, node in enumerate(nodes) if len(nodes) <= _MOST or node.level < 2]
    left_out = len(nodes) - len(shown)
    row = {place: i for i, place in enumerate(shown)}
    height = _TOP + _ROW * len(shown) + 34
    parts = [
        f"<text x='{x}' y='22' font-size='14' font-weight='600' fill='{INK}'>{escape(head.of(language))}</text>"
        for x, head in zip(_COLUMNS, _HEADS, strict=True)
    ]
    parts += [_line(nodes, place, row) for place in shown if nodes[place].parent in row]
    parts += [_box(nodes[place], row[place], language) for place in shown]
    used = sum(node.in_use for node in nodes)
    said = Phrase(
        zh=f"实心框为有在用器具的采集点（{used} 个），空心框为未安装或停用（{len(nodes) - used} 个）",
        en=f"a filled box has a meter in use ({used}), an empty one has none ({len(nodes) - used})",
    )
    more = Phrase(zh=f"；另有设备级采集点 {left_out} 个未画出", en=f"; {left_out} points of equipment are not drawn")
    note = said.of(language) + (more.of(language) if left_out else "")
    parts.append(f"<text x='10' y='{height - 10}' font-size='12' fill='{GREY}'>{escape(note)}</text>")
    title = Phrase(zh="图 B.2 能源计量采集点网络图", en="figure B.2: network of collection points")
    return svg(_WIDTH, height, parts, title.of(language))


def _middle(place: int) -> float:
    return _TOP + _ROW * place + (_ROW - 6) / 2


def _line(nodes: Sequence[Node], place: int, row: dict[int, int]) -> str:
    node, above = nodes[place], nodes[nodes[place].parent]
    x0, y0 = _COLUMNS[above.level] + _BOX, _middle(row[node.parent])
    x1, y1 = _COLUMNS[node.level], _middle(row[place])
    if above.level >= node.level:  # a point of the same level: the line goes down on its left
        x0 = _COLUMNS[above.level] + 6
        return f"<path d='M{x0} {y0 + 12}V{y1}H{x1}' fill='none' stroke='{GREY}'/>"
    bend = x1 - 18
    return f"<path d='M{x0} {y0}H{bend}V{y1}H{x1}' fill='none' stroke='{GREY}'/>"


def _box(node: Node, place: int, language: str) -> str:
    x, y = _COLUMNS[node.level], _TOP + _ROW * place
    colour = GOOD if node.in_use else BAD
    fill = "#edf4fa" if node.in_use else "#ffffff"
    names = [node.code, node.where, carrier_name(node.carrier).of(language), node.meter_no]
    text = " · ".join(filter(None, names))
    wide = np.cumsum([2 if ord(letter) > 0x2E80 else 1 for letter in text])
    if len(text) and wide[-1] > _LETTERS + 4:
        text = text[: int(np.searchsorted(wide, _LETTERS))] + "…"
    dash = "" if node.in_use else " stroke-dasharray='4 3'"
    whole = escape(" · ".join(filter(None, names)))
    return (
        f"<g><title>{whole}</title><rect x='{x}' y='{y}' width='{_BOX}' height='{_ROW - 6}' rx='3' fill='{fill}' "
        f"stroke='{colour}'{dash}/><text x='{x + 7}' y='{y + 16}' font-size='12' fill='{INK}'>{escape(text)}</text></g>"
    )
