"""The gateway as a process: ``meterwarden gateway run FILE``, until SIGTERM; SIGHUP or a changed file reloads it."""

import logging
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from analytics.domain.errors import ConfigurationError
from deploy.settings import Settings
from ingest.gateway.access import GatewayRegistry, inbox_of
from ingest.gateway.config import GatewayConfig, KafkaTarget, load_config
from ingest.gateway.run import RunningGateway, Told
from ingest.gateway.spool import BLOCK, JSON
from ingest.gateway.status import write_status
from ingest.kafka.config import KafkaConfig
from ingest.kafka.publisher import Publisher
from ingest.metrics_page import MetricsPage
from ingest.wire import READINGS_TOPIC
from streams.store.access.gateways import Registry
from streams.store.postgres.connections import Connections

__all__ = ["kafka_of", "keep_running", "registry_of", "topics_of"]

log = logging.getLogger("metering.gateway")

_LOOK_S: Final = 5.0


def kafka_of(target: KafkaTarget, fallback: KafkaConfig | None) -> KafkaConfig:
    """How to reach Kafka: as the gateway's file says, else the instance's own.

    Raises
    ------
    ConfigurationError
        If neither is there.
    """
    if not target.bootstrap:
        if fallback is None:
            raise ConfigurationError("[kafka] bootstrap must be host:port, where no instance of this machine is meant")
        return fallback
    security: dict[str, str] = {}
    if target.user:
        assert target.password_file is not None, "checked"
        security = {
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": target.user,
            "sasl_plain_password": target.password_file.read_text(encoding="utf-8").strip(),
        }
    tls = target.tls or target.ca is not None
    security["security_protocol"] = ("SASL_" if target.user else "") + ("SSL" if tls else "PLAINTEXT")
    if target.ca is not None:
        security["ssl_cafile"] = str(target.ca)
    return KafkaConfig(bootstrap=target.bootstrap, security=security, delivery_timeout_s=60.0, bootstrap_timeout_s=10.0)


def topics_of(target: KafkaTarget, kafka: KafkaConfig) -> Mapping[int, str]:
    """Topic of each kind of message: readings, or the inbox of the user that Kafka knows."""
    name = target.topic or (inbox_of(target.user) if target.user else READINGS_TOPIC)
    return dict.fromkeys((BLOCK, JSON), kafka.topic(name))


def registry_of(config: GatewayConfig, settings: Settings) -> GatewayRegistry | None:
    """Who may send by HTTP: the database's registry, where the file names no senders of its own."""
    if config.http is None or config.http.senders:
        return None
    if settings.database.dsn is None:
        raise ConfigurationError(
            "[http] must have [[http.sender]] tables, or METERWARDEN_DATABASE a registry (`meterwarden gateways add`)"
        )
    return Registry(Connections(settings.database.dsn, size=1, name="meterwarden gateway"))


def keep_running(
    path: Path,
    *,
    kafka: KafkaConfig | None,
    settings: Settings,
    dry: bool = False,
    told: Told = lambda *_: None,
    stop: threading.Event | None = None,
) -> None:
    """Run the gateway of a file until it is stopped.

    Parameters
    ----------
    kafka : KafkaConfig or None
        The instance's own, for a file that names no other.
    """
    config = load_config(path)
    connect = None
    topics: Mapping[int, str] = {}
    if not dry:
        target = kafka_of(config.kafka, kafka)
        topics = topics_of(config.kafka, target)

        def connect() -> Publisher:
            return Publisher(target)

    gateway = RunningGateway(
        config, connect=connect, topics=topics, registry=registry_of(config, settings) if not dry else None,
        dry=dry, told=told, metrics_password=settings.workers.metrics_password,
    )  # fmt: skip
    stopping, again = stop or threading.Event(), threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        signal.signal(signal.SIGHUP, lambda *_: again.set())
    page = None
    if config.metrics_port:
        page = MetricsPage.open(
            gateway.metrics,
            host=settings.listen,
            port=config.metrics_port,
            password=settings.workers.metrics_password,
        )
    try:
        gateway.start()
        write_status(gateway)
        log.info("gateway %s runs: %d links, %d devices", config.id, len(config.links), len(config.devices))
        seen = _times(path, config)
        while not stopping.wait(_LOOK_S if not again.is_set() else 0.1):
            write_status(gateway)
            now = _times(path, gateway.config)
            if again.is_set() or now != seen:
                again.clear()
                seen = now
                _reload(gateway, path)
    finally:
        gateway.close()
        if page is not None:
            page.close()


def _reload(gateway: RunningGateway, path: Path) -> None:
    try:
        left = gateway.reload(load_config(path))
    except ConfigurationError as error:
        log.error("the file stays as it was read before: %s", error)  # noqa: TRY400 - the message says it
        return
    log.info("the file was read again%s", f"; only a new start takes {', '.join(left)} over" if left else "")


def _times(path: Path, config: GatewayConfig) -> tuple[int, ...]:
    return tuple(one.stat().st_mtime_ns if one.exists() else 0 for one in (path, *config.files))
