"""The boards by name, for links: a board does not import another."""

from analytics.domain.words import Phrase
from dashboards.boards.board import Place

__all__ = ["AT_ENTERPRISE", "AT_OPERATIONS", "AT_POINT", "AT_REGION"]

AT_REGION = Place(name="region", title=Phrase(zh="区域总览", en="Region"))
AT_ENTERPRISE = Place(name="enterprise", title=Phrase(zh="用能单位", en="Enterprise"))
AT_POINT = Place(name="point", title=Phrase(zh="计量点与器具", en="Metering point and meter"))
AT_OPERATIONS = Place(name="operations", title=Phrase(zh="系统运行", en="Operations"))
