"""The page of metrics and probes of the sender, the API and the web pages, as the database has it."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from analytics.domain.errors import MeterwardenError
from deploy.settings import Settings
from ingest.metrics_page import MetricsPage
from streams.store.postgres.connections import connected_blocking, trouble

__all__ = ["open_page"]

_MESSAGES: Final = """
select state, count(*)::float8, coalesce(extract(epoch from now() - min(created_at)), 0)::float8
from alert_message where state in ('waiting', 'sending', 'failed') group by state
"""


class _Outbox(Collector):
    """Messages of alerts that are not sent; nothing while the database does not answer."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def describe(self) -> list[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        count = GaugeMetricFamily("metering_messages_open", "Messages that are not sent.", labels=["state"])
        age = GaugeMetricFamily("metering_message_age_seconds", "Age of the oldest of them.", labels=["state"])
        try:
            with connected_blocking(self._dsn, "metrics", timeout_s=3) as connection:
                rows = connection.execute(_MESSAGES).fetchall()
        except MeterwardenError:
            return
        found = {state: (messages, oldest_s) for state, messages, oldest_s in rows}
        for state in ("waiting", "sending", "failed"):
            messages, oldest_s = found.get(state, (0.0, 0.0))
            count.add_metric([state], messages)
            age.add_metric([state], oldest_s)
        yield count
        yield age


def open_page(settings: Settings, *, offset: int) -> MetricsPage | None:
    """The page on the port of the settings plus `offset`; None where they ask for none.

    It is ready while the database answers, as whoever the service logs in as.
    """
    first, dsn = settings.alerts.metrics_port, settings.database.dsn
    if not first or dsn is None:
        return None
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    if offset == 0:
        registry.register(_Outbox(dsn))
    return MetricsPage.open(
        registry,
        host=settings.listen,
        port=first + offset,
        password=settings.workers.metrics_password,
        ready=lambda: _trouble(dsn),
    )


def _trouble(dsn: str) -> str:
    found = trouble(dsn, "probe", timeout_s=3)
    return f"the database does not answer: {found}" if found else ""
