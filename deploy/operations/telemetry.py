"""Whether a process tells OpenTelemetry what it does, by the variables of OpenTelemetry itself."""

import importlib.util
import logging
import os

__all__ = ["telemetry_wanted"]

log = logging.getLogger("metering.telemetry")


def telemetry_wanted(service: str) -> bool:
    """Whether spans have somewhere to go; gives the process its name among services where nobody else has.

    Where the SDK is missing it says so once, and the answer is no.
    """
    endpoint = any(os.environ.get(f"OTEL_EXPORTER_OTLP_{of}ENDPOINT") for of in ("", "TRACES_"))
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if not endpoint or disabled or os.environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return False
    if importlib.util.find_spec("opentelemetry.sdk") is None:
        log.warning("OTEL_EXPORTER_OTLP_ENDPOINT is set, but its SDK is not installed: pip install 'meterwarden[otel]'")
        return False
    os.environ.setdefault("OTEL_SERVICE_NAME", f"meterwarden-{service}")
    return True
