"""Colours of charts, marks and large numbers: on boards, pages, reports and in messages' pictures.

Each has a contrast of 3 : 1 and more (WCAG 2.2, 1.4.11 and 1.4.3) on the light and dark panels of Grafana and of the
pages, so its relative luminance lies between 0.134 and 0.276. Within that they are as far apart as a search found for
eyes that see all colours, no red and no green alike: 9 and more in CIEDE2000 between any two. Colour is never the only
mark. `tests/dashboards/test_contrast.py` works all of it out anew.
"""

from typing import Final

__all__ = ["ALL", "BLUE", "GREEN", "GREY", "INK", "ORANGE", "PURPLE", "SKY", "VERMILION", "YELLOW", "tint"]

BLUE: Final = "#205EE2"
SKY: Final = "#4F97C0"
GREEN: Final = "#098C5E"
YELLOW: Final = "#6C6E02"
ORANGE: Final = "#DA7403"
VERMILION: Final = "#D73C35"
PURPLE: Final = "#A2487B"
GREY: Final = "#8F8F8F"
ALL: Final = (BLUE, SKY, GREEN, YELLOW, ORANGE, VERMILION, PURPLE, GREY)
INK: Final = "#24292F"
"""Of text and axes on white paper."""


def tint(color: str) -> str:
    """The colour behind small text.

    No one colour of text has 4.5 : 1 on light panels and on dark ones too. Under an alpha of 0.3 Grafana writes in the
    theme's own colour.

    Examples
    --------
    >>> tint("#098C5E")
    'rgba(9, 140, 94, 0.25)'
    """
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.25)"
