"""Types of boards, and links between them."""

from dataclasses import dataclass, field

from analytics.domain.words import Language, Phrase
from dashboards.panels import Panel

__all__ = ["TO_PLACE", "TO_PLACE_HERE", "TO_POINT", "TO_POINT_HERE", "TO_UNIT", "Board", "Place", "Variable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """Something to choose at the top of a board."""

    name: str
    label: Phrase
    description: Phrase
    query: str
    every: bool = False
    """Whether several or all can be chosen."""
    words: str | None = None
    """The column whose words its codes are shown as; its question gives the code, what is said beside it, and its
    place."""
    hidden: bool = False
    """Whether it is no choice, but a fact that titles need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A board as others link to it."""

    name: str
    title: Phrase

    def uid(self, language: Language) -> str:
        """Its identity in Grafana, for ever."""
        return f"mw-{self.name}-{language}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Board(Place):
    """One board."""

    description: Phrase
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...] = ()
    annotations: str | None = None
    links: tuple[Place, ...] = field(default=())
    since: str = "now-7d"
    refresh: str = "1m"


TO_UNIT = {
    "link": (
        Phrase(zh="企业看板", en="the enterprise's board"),
        "/d/mw-enterprise-{language}?var-unit=${{__data.fields.unit_code:percentencode}}&${{__url_time_range}}",
    )
}
"""From a row to the board of its unit."""
TO_POINT = {
    "link": (
        Phrase(zh="计量点看板", en="the metering point's board"),
        (
            "/d/mw-point-{language}?var-unit=${{__data.fields.unit_code:percentencode}}"
            "&var-point=${{__data.fields.point:percentencode}}&${{__url_time_range}}"
        ),
    )
}
"""From a row that names its unit to the board of its point."""
TO_POINT_HERE = {
    "link": (
        Phrase(zh="计量点看板", en="the metering point's board"),
        (
            "/d/mw-point-{language}?${{unit:queryparam}}&var-point=${{__data.fields.point:percentencode}}"
            "&${{__url_time_range}}"
        ),
    )
}
"""The same on the board of one unit."""
_PLACE = Phrase(zh="对应的看板", en="its board")
TO_PLACE = {
    "link": (
        _PLACE,
        (
            "/d/mw-${{__data.fields.board}}-{language}?var-unit=${{__data.fields.unit_code:percentencode}}"
            "&var-point=${{__data.fields.point:percentencode}}&${{__url_time_range}}"
        ),
    )
}
"""From a row to the board that its column `board` names, since not every row is about one point."""
TO_PLACE_HERE = {
    "link": (
        _PLACE,
        (
            "/d/mw-${{__data.fields.board}}-{language}?${{unit:queryparam}}"
            "&var-point=${{__data.fields.point:percentencode}}&${{__url_time_range}}"
        ),
    )
}
"""The same on the board of one unit."""
