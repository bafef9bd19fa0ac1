"""Pages on the state of the pipeline."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from deploy.web.answers import answer
from deploy.web.asking import asking, panels_of, span_of
from deploy.web.doors import Operator
from deploy.web.units import Range, ranges_of, tabs_of

__all__ = ["router"]

router = APIRouter()
_FLOW: Final = panels_of("operations", "ops_now", "ops_backlog", "ops_lag", "ops_rate", "ops_partitions", "ops_outbox")
_STORE: Final = panels_of(
    "operations", "ops_rejected", "ops_rejected_units", "ops_transaction", "ops_database_size", "ops_tables"
)
_LATE_S: Final = 300.0
"""A reading that is not stored for so long, or a worker that says nothing for so long, is not well. [s]"""


@router.get("/operations")
async def flow(request: Request, visit: Operator, span: Range = "") -> Response:
    """What waits, how fast it goes, and where each partition stands."""
    return await _shown(request, visit, span, "flow")


@router.get("/operations/store")
async def store(request: Request, visit: Operator, span: Range = "") -> Response:
    """What is refused, transactions, and the size of the database."""
    return await _shown(request, visit, span, "store")


async def _shown(request: Request, visit: Any, span: str, tab: str) -> Response:
    chosen, shown = span_of(span, "1d")
    async with asking(request, visit) as ask:
        verdict, tone = _verdict(await ask.of_board("ops_now"), await ask.of_board("ops_backlog"))
        panels = await ask.panels(_FLOW if tab == "flow" else _STORE, shown)
    path = "/operations" if tab == "flow" else "/operations/store"
    return answer(
        request,
        "operations",
        visit=visit,
        here="operations",
        verdict=verdict,
        tone=tone,
        tabs=tabs_of(visit, "operations", tab, {"flow": "/operations", "store": "/operations/store"}),
        ranges=ranges_of(visit, chosen, f"{path}?"),
        panels=panels,
    )


def _verdict(now: list[dict[str, Any]], backlog: list[dict[str, Any]]) -> tuple[str, str]:
    if not now:
        return "unknown", "unknown"
    late = (now[0]["fence_age"] or 0.0) > _LATE_S or (now[0]["sample_age"] or 0.0) > _LATE_S
    failed = bool(backlog and backlog[0].get("messages_failed"))
    return ("not_well", "bad") if late or failed else ("well", "good")
