"""What can be chosen at the top of boards."""

from analytics.domain.words import Phrase
from dashboards.boards.board import Variable

__all__ = ["CARRIER", "MEASURE", "POINT_CHOICE", "UNIT"]

UNIT = Variable(
    name="unit",
    label=Phrase(zh="用能单位", en="Unit"),
    description=Phrase(zh="看哪个用能单位", en="Which energy-using unit to look at"),
    query="choose_unit",
)
CARRIER = Variable(
    name="carrier",
    label=Phrase(zh="能源种类", en="Carrier"),
    description=Phrase(zh="逐时、逐日图显示的能源种类", en="The energy carrier of the charts by hour and day"),
    query="choose_carrier",
    words="carrier",
)
MEASURE = Variable(
    name="measure",
    label=Phrase(zh="计量单位", en="Unit of measurement"),
    description=Phrase(zh="计量点的计量单位", en="The point's unit of measurement"),
    query="choose_measure",
    hidden=True,
)
POINT_CHOICE = Variable(
    name="point",
    label=Phrase(zh="计量点", en="Point"),
    description=Phrase(zh="看哪个计量点", en="Which metering point to look at"),
    query="choose_point",
)
