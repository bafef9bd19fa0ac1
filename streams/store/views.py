"""Names of the views that boards, reports and people read; their columns are documented where they are defined.

Amounts are in the unit that stands beside them, days are local days of the site's zone (but `READING`'s ``day``, which
is UTC and there to be filtered on), shares are from 0 to 1.
"""

from typing import Final

__all__ = [
    "COMPLIANCE_LIST",
    "COMPLIANCE_REGION",
    "DETECTION_LIST",
    "EQUIPPING_RATE_LIST",
    "FINDING_LIST",
    "LEDGER_METER",
    "LEDGER_POINT",
    "PIPELINE_BACKLOG",
    "PIPELINE_STATE",
    "POINT_DAY",
    "POINT_HOUR",
    "READING",
    "REJECTED_BY_REASON",
    "UNEXPLAINED_DIFFERENCE",
    "UNIT_COMPLETENESS",
    "UNIT_DAY",
    "UNIT_HOUR",
    "VERIFICATION_STATE",
    "VIEWS",
]

READING: Final = "reading"
"""Every accepted reading, whichever layer holds it."""
LEDGER_POINT: Final = "ledger_point"
"""Metering points and where they stand in the unit."""
LEDGER_METER: Final = "ledger_meter"
"""Installations with meter and last certificate."""
POINT_HOUR: Final = "point_hour"
"""Hourly consumption of metering points."""
POINT_DAY: Final = "point_day"
"""The same by local day."""
UNIT_HOUR: Final = "unit_hour"
"""Hourly totals of units, sub-units and main equipment by carrier."""
UNIT_DAY: Final = "unit_day"
"""The same by local day."""
UNIT_COMPLETENESS: Final = "unit_completeness"
"""How complete a unit's data is, by local day."""
DETECTION_LIST: Final = "detection_list"
"""Detections and events with the names of what they are about."""
UNEXPLAINED_DIFFERENCE: Final = "unexplained_difference"
"""What registers rose by and nobody could explain, beside the amounts, until a person has decided."""
REJECTED_BY_REASON: Final = "rejected_by_reason"
"""What was refused, by hour, unit and reason."""
PIPELINE_STATE: Final = "pipeline_state"
"""Where each partition stands."""
PIPELINE_BACKLOG: Final = "pipeline_backlog"
"""One row: what waits to be relayed or added up, and the ledger version."""
FINDING_LIST: Final = "finding_list"
"""What was found against the standards; a row without `closed_at` stands."""
COMPLIANCE_LIST: Final = "compliance_list"
"""How each unit stood on each day that it was judged for."""
COMPLIANCE_REGION: Final = "compliance_region"
"""The same for all units together, a row a day."""
EQUIPPING_RATE_LIST: Final = "equipping_rate_list"
"""Equipping rates by unit, day, carrier and level."""
VERIFICATION_STATE: Final = "verification_state"
"""Meters that stand somewhere now, and whether their verification holds."""

VIEWS: Final = (
    READING,
    LEDGER_POINT,
    LEDGER_METER,
    POINT_HOUR,
    POINT_DAY,
    UNIT_HOUR,
    UNIT_DAY,
    UNIT_COMPLETENESS,
    DETECTION_LIST,
    UNEXPLAINED_DIFFERENCE,
    REJECTED_BY_REASON,
    PIPELINE_STATE,
    PIPELINE_BACKLOG,
    FINDING_LIST,
    COMPLIANCE_LIST,
    COMPLIANCE_REGION,
    EQUIPPING_RATE_LIST,
    VERIFICATION_STATE,
)
"""All of them."""
