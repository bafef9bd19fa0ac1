"""How a running gateway is, in a small file beside its spool, for ``meterwarden gateway status`` and other programs.

Written anew every few seconds, so that a file that is old says that nobody runs.
"""

import contextlib
import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from analytics.domain.errors import ConfigurationError
from ingest.gateway.config import GatewayConfig
from ingest.gateway.run import RunningGateway
from ingest.gateway.told import SpoolState

__all__ = ["STALE_S", "faults_of", "read_status", "spool_state", "state_message", "status_of", "write_status"]

STALE_S: Final = 60.0
"""A status that is older says that the gateway does not run. [s]"""
_OLD_S: Final = 3600.0
_FULL: Final = 0.8


def _place(config: GatewayConfig) -> Path:
    return config.store.path.with_name(config.store.path.name + "-status.json")


def status_of(gateway: RunningGateway, *, now_s: float) -> dict[str, Any]:
    """How it is: spool, Kafka, brokers, devices."""
    status: dict[str, Any] = {"at": now_s, "pid": os.getpid(), "id": gateway.config.id}
    if gateway.spool is not None:
        stats = gateway.spool.stats()
        status["spool"] = {
            "readings": stats.readings,
            "bytes": stats.bytes,
            "max_bytes": gateway.config.store.max_bytes,
            "oldest_s": max(0.0, now_s - stats.oldest_us / 1e6) if stats.oldest_us is not None else 0.0,
            "dropped_readings": stats.dropped_readings,
        }
    if gateway.forwarder is not None:
        forwarder = gateway.forwarder
        status["kafka"] = {
            "error": forwarder.error,
            "sent_readings": forwarder.sent_readings,
            "sent_at": forwarder.sent_s,
        }
    status["mqtt"] = [{"host": one.host, "error": one.error} for one in gateway.mqtt]
    status["devices"] = [
        {
            "meter_no": state.config.meter_no,
            "link": state.config.link,
            "status": state.status or "not read yet",
            "since": state.since_us / 1e6,
            "detail": state.detail,
        }
        for state in gateway.states()
    ]
    return status


def spool_state(gateway: RunningGateway, *, now_s: float) -> SpoolState:
    """What it tells of itself on the way to Kafka."""
    now_us = round(now_s * 1e6)
    if gateway.spool is None:
        return SpoolState(at_us=now_us)
    stats = gateway.spool.stats()
    return SpoolState(
        at_us=now_us,
        readings=stats.readings,
        stored_bytes=stats.bytes,
        max_bytes=gateway.config.store.max_bytes,
        oldest_us=stats.oldest_us,
        dropped_readings=stats.dropped_readings,
        fault="; ".join(faults_of(status_of(gateway, now_s=now_s), now_s=now_s)),
    )


def state_message(gateway: RunningGateway) -> bytes:
    """What it tells of itself now, as a message."""
    return spool_state(gateway, now_s=time.time()).encode()


def write_status(gateway: RunningGateway, *, now_s: float | None = None, ended: bool = False) -> None:
    """Write it; nothing is said where the disk is full, for then an old one tells enough.

    Parameters
    ----------
    ended : bool
        Whether the gateway is about to end.
    """
    if gateway.spool is None:
        return
    place = _place(gateway.config)
    with contextlib.suppress(OSError):
        new = place.with_suffix(".new")
        status = status_of(gateway, now_s=now_s or time.time()) | {"ended": ended}
        new.write_text(json.dumps(status, ensure_ascii=False), encoding="utf-8")
        new.replace(place)


def read_status(config: GatewayConfig) -> Mapping[str, Any]:
    """What the gateway of a configuration wrote last; ConfigurationError where there is nothing."""
    place = _place(config)
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{place} must be there: the gateway has not run here ({error})") from None
    if not isinstance(found, dict):
        raise ConfigurationError(f"{place} must be a status of a gateway (got something else)")
    return found


def faults_of(status: Mapping[str, Any], *, now_s: float) -> list[str]:
    """What is wrong, a sentence each; none where all is well."""
    faults = []
    age_s = now_s - float(status.get("at", 0.0))
    if status.get("ended"):
        faults.append(f"it was stopped at {datetime.fromtimestamp(status['at'], UTC):%Y-%m-%d %H:%M} UTC")
    elif age_s > STALE_S:
        faults.append(f"it does not run: its last status is {age_s:.0f} s old")
    spool = status.get("spool", {})
    if spool.get("oldest_s", 0.0) > _OLD_S:
        faults.append(f"the oldest reading has waited {spool['oldest_s'] / 3600:.1f} h for Kafka")
    if spool.get("bytes", 0) > _FULL * spool.get("max_bytes", float("inf")):
        faults.append(f"the spool is {spool['bytes'] / spool['max_bytes']:.0%} full")
    if spool.get("dropped_readings"):
        faults.append(f"{spool['dropped_readings']} readings were given up")
    if status.get("kafka", {}).get("error"):
        faults.append(f"Kafka: {status['kafka']['error']}")
    faults += [f"MQTT {one['host']}: {one['error']}" for one in status.get("mqtt", ()) if one["error"]]
    faults += [
        f"meter {one['meter_no']} on {one['link']}: {one['status']} {one['detail']}"
        for one in status.get("devices", ())
        if one["status"] not in ("ok", "not read yet")
    ]
    return faults
