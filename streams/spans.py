"""Spans of what a worker stores, for OpenTelemetry; there is none of this, and no SDK, where nobody collects them."""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

__all__ = ["Spans", "spans_to_collector"]


class Spans:
    """One span a transaction: from when its oldest reading was fetched until it was committed."""

    def __init__(self, tracer: "Tracer") -> None:
        self._tracer = tracer

    def stored(
        self, partition: int, start: int, end: int, *, readings: int, rejected: int, took_s: float, computed_s: float
    ) -> None:
        """Tell of offsets [start, end) of a partition that are stored now.

        Parameters
        ----------
        took_s : float
            Since the oldest of them was fetched. [s]
        computed_s : float
            Of it, decoding and the steps. [s]
        """
        now = time.time_ns()
        attributes: dict[str, str | int | float] = {
            "messaging.system": "kafka",
            "messaging.destination.partition.id": str(partition),
            "messaging.kafka.offset": start,
            "metering.offsets": end - start,
            "metering.readings": readings,
            "metering.rejected": rejected,
            "metering.computed_s": computed_s,
        }
        span = self._tracer.start_span("store readings", start_time=now - int(took_s * 1e9), attributes=attributes)
        span.end(now)


def spans_to_collector() -> Spans:
    """Spans that go where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says, in batches and from a thread of their own.

    Raises `ImportError` where OpenTelemetry's SDK is not installed.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - likewise
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - likewise

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Spans(provider.get_tracer("meterwarden"))
