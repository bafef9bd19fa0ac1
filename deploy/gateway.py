"""The gateway as a process: ``meterwarden gateway run FILE``, until SIGTERM; SIGHUP or a changed file reloads it."""

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from analytics.domain.errors import ConfigurationError, MeterwardenError
from deploy.settings import Settings
from ingest.gateway.access import GatewayRegistry, inbox_of
from ingest.gateway.config import GatewayConfig, KafkaTarget, load_config
from ingest.gateway.run import RunningGateway, Told
from ingest.gateway.spool import BLOCK, JSON, STATUS
from ingest.gateway.status import spool_state, state_message, write_status
from ingest.kafka.config import KafkaConfig
from ingest.kafka.publisher import Publisher
from ingest.metrics_page import MetricsPage
from ingest.wire import READINGS_TOPIC
from streams.store.access.gateway_state import Sign, note
from streams.store.access.gateways import Registry
from streams.store.postgres.connections import Connections, connected

__all__ = ["kafka_of", "keep_running", "registry_of", "topics_of"]

log = logging.getLogger("metering.gateway")

_LOOK_S: Final = 5.0
_NOTE_S: Final = 60.0


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
    """Topic of each kind of message: readings, or the inbox of the user that Kafka knows.

    An inbox takes what a gateway tells of itself too; nobody would know whose it is in the topic of readings.
    """
    inbox = target.user and not target.topic
    name = target.topic or (inbox_of(target.user) if target.user else READINGS_TOPIC)
    return dict.fromkeys((BLOCK, JSON, STATUS) if inbox else (BLOCK, JSON), kafka.topic(name))


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
    dsn: str | None = None,
    dry: bool = False,
    told: Told = lambda *_: None,
    stop: threading.Event | None = None,
) -> None:
    """Run the gateway of a file until it is stopped.

    Parameters
    ----------
    kafka : KafkaConfig or None
        The instance's own, for a file that names no other.
    dsn : str or None
        The database beside it, which is told how it is where Kafka is not; None: nobody is.
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
        dry=dry, told=told, metrics_password=settings.workers.metrics_password, tell=state_message,
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
        _tell_first_round(gateway)
        seen = _times(path, config)
        notes = _Notes(gateway, dsn if not dry else None, itself=STATUS not in topics)
        while not stopping.wait(_LOOK_S if not again.is_set() else 0.1):
            write_status(gateway)
            notes.keep()
            now = _times(path, gateway.config)
            if again.is_set() or now != seen:
                again.clear()
                seen = now
                _reload(gateway, path)
    finally:
        write_status(gateway, ended=True)
        gateway.close()
        if page is not None:
            page.close()


class _Notes:
    """Tells the database how the gateway and its senders are, once a minute.

    Parameters
    ----------
    itself : bool
        Whether of the gateway too, and not of its senders alone.
    """

    def __init__(self, gateway: RunningGateway, dsn: str | None, *, itself: bool) -> None:
        self._gateway, self._dsn, self._itself = gateway, dsn, itself
        self._due_s = 0.0
        self._error = ""

    def keep(self) -> None:
        """Tell it where it is due; a database that is away is told the next time."""
        if self._dsn is None or time.monotonic() < self._due_s:
            return
        self._due_s = time.monotonic() + _NOTE_S
        try:
            asyncio.run(self._note(self._dsn))
        except (MeterwardenError, OSError) as error:
            if str(error) != self._error:
                log.warning("the state of the gateway is not in the database: %s", error)
            self._error = str(error)
        else:
            self._error = ""

    async def _note(self, dsn: str) -> None:
        gateway, now_s = self._gateway, time.time()
        signs = {name: Sign(delivered_us=at_us) for name, at_us in list(gateway.delivered.items())}
        if self._itself:
            sent_s = gateway.forwarder.sent_s if gateway.forwarder is not None else None
            sign = Sign(
                delivered_us=round(sent_s * 1e6) if sent_s is not None else None,
                told=spool_state(gateway, now_s=now_s),
            )
            signs[gateway.config.id] = sign.later(signs.get(gateway.config.id, Sign()))
        if not signs:
            return
        async with connected(dsn, "gateway", autocommit=False, timeout_s=5) as connection:
            await connection.execute("set local statement_timeout = '5s'")
            await note(connection, signs)


def _tell_first_round(gateway: RunningGateway) -> None:
    """When devices are read first: at multiples of their interval, so that nothing happens until then."""
    first = min(gateway.states(), key=lambda state: state.due_s, default=None)
    if first is not None:
        at, every_s = datetime.fromtimestamp(first.due_s, gateway.config.zone), first.config.interval_s
        log.info("the first round comes at %s, a multiple of the interval of %d s", f"{at:%H:%M:%S%z}", every_s)


def _reload(gateway: RunningGateway, path: Path) -> None:
    try:
        left = gateway.reload(load_config(path))
    except ConfigurationError as error:
        log.error("the file stays as it was read before: %s", error)  # noqa: TRY400 - the message says it
        return
    log.info("the file was read again%s", f"; only a new start takes {', '.join(left)} over" if left else "")


def _times(path: Path, config: GatewayConfig) -> tuple[int, ...]:
    return tuple(one.stat().st_mtime_ns if one.exists() else 0 for one in (path, *config.files))
