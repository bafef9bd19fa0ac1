"""What can be chosen at the top of boards."""

from dashboards.boards.board import Variable
from dashboards.text import Text

__all__ = ["CARRIER", "MEASURE", "POINT_CHOICE", "UNIT"]

UNIT = Variable(
    name="unit",
    label=Text("用能单位", "Unit"),
    description=Text("看哪个用能单位", "Which energy-using unit to look at"),
    query="choose_unit",
)
CARRIER = Variable(
    name="carrier",
    label=Text("能源种类", "Carrier"),
    description=Text("逐时、逐日图显示的能源种类", "The energy carrier of the charts by hour and day"),
    query="choose_carrier",
    words="carrier",
)
MEASURE = Variable(
    name="measure",
    label=Text("计量单位", "Unit of measurement"),
    description=Text("计量点的计量单位", "The point's unit of measurement"),
    query="choose_measure",
    hidden=True,
)
POINT_CHOICE = Variable(
    name="point",
    label=Text("计量点", "Point"),
    description=Text("看哪个计量点", "Which metering point to look at"),
    query="choose_point",
)
