"""What FastAPI tells OpenTelemetry of our requests, where somebody collects it.

FastAPI makes the spans and metrics itself. Nothing is made, and no SDK is loaded, without an address to send them to
(``OTEL_EXPORTER_OTLP_ENDPOINT``); what else is set by ``OTEL_…`` is OpenTelemetry's own. Paths that are a right to act
are left out whole: a link in a message, an invitation, the way back from a provider of sign-ins. So are logs, which
would hold what people have typed.
"""

from collections.abc import MutableMapping
from typing import Any, Final

from fastapi.telemetry import TelemetryConfig

__all__ = ["telemetry"]

_RIGHTS_TO_ACT: Final = ("/act/", "/invitation/", "/sign-in/openid")
"""Of any door of ours: whoever types a link at another one has not given it away."""


def telemetry() -> TelemetryConfig:
    """FastAPI's settings.

    Examples
    --------
    >>> telemetry()["exclude"]({"path": "/act/token-of-a-link"})
    True
    """
    return TelemetryConfig(auto_configure=True, logs=False, operation_spans=False, exclude=_is_a_right_to_act)


def _is_a_right_to_act(scope: MutableMapping[str, Any]) -> bool:
    return str(scope.get("path", "")).startswith(_RIGHTS_TO_ACT)
