"""The boards by name, for links: a board does not import another."""

from dashboards.boards.board import Place
from dashboards.text import Text

__all__ = ["AT_ENTERPRISE", "AT_OPERATIONS", "AT_POINT", "AT_REGION"]

AT_REGION = Place(name="region", title=Text("区域总览", "Region"))
AT_ENTERPRISE = Place(name="enterprise", title=Text("用能单位", "Enterprise"))
AT_POINT = Place(name="point", title=Text("计量点与器具", "Metering point and meter"))
AT_OPERATIONS = Place(name="operations", title=Text("系统运行", "Operations"))
