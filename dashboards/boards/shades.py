"""Colours by value that several boards share."""

from dashboards.panels import Step
from dashboards.text import BLUE, ORANGE, SKY, VERMILION

__all__ = ["COMPLETE"]

COMPLETE = (
    Step(at=None, color=VERMILION),
    Step(at=80, color=ORANGE),
    Step(at=95, color=SKY),
    Step(at=99, color=BLUE),
)
"""Shares of data, worst to best; distinguishable by eyes of any colour vision."""
