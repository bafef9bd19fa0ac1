"""Units where they are, as a picture: a scale of kilometres, no background, nothing from elsewhere."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any, Final

from markupsafe import Markup

from analytics.domain.words import Language
from dashboards.text import GREY, NO_VALUE, VALUES, Word
from dashboards.web.charts import Chart, Key

__all__ = ["places"]

_WIDTH: Final = 960
_LOWEST, _HIGHEST = 240.0, 640.0
_EDGE: Final = 24
_NAMES: Final = 190
"""Room on the right for the name of the easternmost unit."""
_KM_A_DEGREE: Final = 111.2
"""Of latitude: the Earth's meridian, some 40,030 km, over 360."""
_LINE: Final = 15
_LETTER: Final = 12
_LEAST_KM: Final = 2.0
"""A region of one place is drawn as if it were so wide."""
_UNKNOWN: Final = Word(NO_VALUE, "?", GREY)


def places(
    rows: Sequence[Mapping[str, Any]], *, title: str, language: Language, href: Callable[[str], str]
) -> Chart | None:
    """The picture; None where no unit has a place.

    Degrees of longitude are drawn as long as they are at the region's middle latitude, so that a region of some hundred
    kilometres keeps its shape.

    Parameters
    ----------
    rows
        ``unit_code``, ``unit_name``, ``state``, ``longitude`` and ``latitude`` in degrees.
    title : str
        What a screen reader says of it.
    href : callable
        Address of a unit's page, by its code.
    """
    if not rows:
        return None
    across, up = [float(row["longitude"]) for row in rows], [float(row["latitude"]) for row in rows]
    middle = math.cos(math.radians((min(up) + max(up)) / 2))
    east = [_KM_A_DEGREE * middle * (one - min(across)) for one in across]
    north = [_KM_A_DEGREE * (one - min(up)) for one in up]
    wide, tall = max(*east, _LEAST_KM), max(*north, _LEAST_KM / 2)
    scale = min((_WIDTH - 2 * _EDGE - _NAMES) / wide, (_HIGHEST - 2 * _EDGE) / tall)
    height = max(_LOWEST, tall * scale + 2 * _EDGE + _LINE)
    spots = [(_EDGE + x * scale, _EDGE + (tall - y) * scale) for x, y in zip(east, north, strict=True)]
    named = _with_room(spots, [len(str(row["unit_name"])) for row in rows])
    words = [VALUES["state"].get(str(row["state"]), _UNKNOWN) for row in rows]
    parts = [
        _unit(row, word, spot, href(str(row["unit_code"])), language, named=place in named)
        for place, (row, word, spot) in enumerate(zip(rows, words, spots, strict=True))
    ]
    picture = Markup(  # noqa: S704 - every text in it went through escape
        f'<svg class="chart places" viewBox="0 0 {_WIDTH} {height:.0f}" role="group" aria-label="{escape(title)}">'
        f"{''.join(parts)}{''.join(_ruler(scale, height))}</svg>"
    )
    counts = {word: words.count(word) for word in VALUES["state"].values() if word in words}
    keys = [Key(word.of(language), word.color or GREY, str(count)) for word, count in counts.items()]
    return Chart(picture=picture, keys=keys)


def _unit(
    row: Mapping[str, Any], word: Word, spot: tuple[float, float], address: str, language: Language, *, named: bool
) -> str:
    (x, y), name = spot, str(row["unit_name"])
    label = f'<text x="{x + 10:.1f}" y="{y + 4:.1f}">{escape(f"{word.sign} {name}")}</text>' if named else ""
    return (
        f'<a href="{escape(address)}"><title>{escape(f"{name}: {word.of(language)}")}</title>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{word.color or GREY}"/>{label}</a>'
    )


def _with_room(spots: Sequence[tuple[float, float]], letters: Sequence[int]) -> frozenset[int]:
    """Which of them are named: the last ones first, since they are the worst, none over another's name."""
    taken: list[tuple[float, float, float]] = []
    named = []
    for place in range(len(spots) - 1, -1, -1):
        (x, y), end = spots[place], spots[place][0] + 24 + _LETTER * letters[place]
        if all(end < left or x > right or abs(y - line) >= _LINE for left, right, line in taken):
            taken.append((x, end, y))
            named.append(place)
    return frozenset(named)


def _ruler(scale: float, height: float) -> Iterator[str]:
    """A length of a round number of kilometres."""
    steps = [factor * 10**power for power in range(-1, 5) for factor in (1, 2, 5)]
    length = next((short for short, long in pairwise(steps) if long * scale > 160), steps[-1])
    y = height - 8
    yield f'<line class="ruler" x1="{_EDGE}" y1="{y:.1f}" x2="{_EDGE + length * scale:.1f}" y2="{y:.1f}"/>'
    yield f'<text x="{_EDGE + length * scale + 6:.1f}" y="{y + 4:.1f}">{length:g} km</text>'
