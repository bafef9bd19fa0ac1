"""Configuration file of the gateway (TOML), validated as a whole: line, requirement and value of each fault.

``deploy/guides/gateway.toml`` is one with every setting and what it means.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from analytics.domain.errors import ConfigurationError
from analytics.domain.toml import parse_toml
from ingest.gateway.device_files import read_devices
from ingest.gateway.drivers import LINKS, DeviceConfig, driver_of
from ingest.gateway.http import HttpLimits
from ingest.gateway.links import LinkConfig
from ingest.gateway.mapping import Rules, Template, ValueRule, check_path
from ingest.gateway.mqtt import MqttConfig, Subscription
from ingest.gateway.toml_table import DURATION, SECONDS, Table

__all__ = ["GatewayConfig", "HttpConfig", "KafkaTarget", "StoreConfig", "load_config", "parse_config"]

_TABLES: Final = ("gateway", "store", "kafka", "http", "mqtt", "link", "device", "devices")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """Where messages are kept, and how many."""

    path: Path = Path("spool")
    keep_s: float = 180 * 86_400.0
    max_bytes: int = 20 * 2**30
    reserve_bytes: int = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaTarget:
    """Where messages go.

    Attributes
    ----------
    topic : str
        Empty: the topic of readings; where a user is named, that user's inbox.
    """

    bootstrap: str = ""
    topic: str = ""
    user: str = ""
    password_file: Path | None = None
    ca: Path | None = None
    tls: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """Intake by HTTP.

    Attributes
    ----------
    certificate, key : Path or None
        Of TLS; without them it listens on a loopback address only, behind a proxy.
    tokens : mapping of str to (frozenset of str)
        SHA-256 of a token → units, where there is no database to ask.
    """

    host: str = "127.0.0.1"
    port: int = 8443
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    limits: HttpLimits = field(default_factory=HttpLimits)
    senders: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """The validated configuration of a gateway."""

    id: str
    zone: ZoneInfo
    unit_code: str = ""
    interval_s: int = 900
    max_clock_error_s: float = 300.0
    metrics_port: int = 0
    profiles: Path | None = None
    store: StoreConfig = StoreConfig()
    kafka: KafkaTarget = KafkaTarget()
    http: HttpConfig | None = None
    mqtt: Sequence[MqttConfig] = ()
    links: Sequence[LinkConfig] = ()
    devices: Sequence[DeviceConfig] = ()
    files: Sequence[Path] = ()

    def devices_of(self, link: str) -> list[DeviceConfig]:
        """Devices on a link, in the order of the file."""
        return [device for device in self.devices if device.link == link]


def load_config(path: Path) -> GatewayConfig:
    """Configuration in a file; raises `ConfigurationError` naming every fault at once."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} must be a file in UTF-8 that can be read ({error})") from error
    return parse_config(text, path)


def parse_config(text: str, path: Path) -> GatewayConfig:
    """Configuration in a text; relative paths in it are beside `path`."""
    try:
        table = parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: TOML is required ({error})") from None
    return _Reader(text, path, table).read()


class _Reader:
    def __init__(self, text: str, path: Path, table: Mapping[str, Any]) -> None:
        self._text, self.path, self._table = text, path, table
        self.faults: list[str] = []

    def line(self, name: str, number: int) -> int:
        """Line that the n-th table of a name begins at."""
        found = [
            at
            for at, line in enumerate(self._text.splitlines(), 1)
            if re.match(rf"\s*\[\[?\s*{re.escape(name)}\s*\]\]?", line)
        ]
        return found[number] if number < len(found) else 1

    def read(self) -> GatewayConfig:
        self.faults += [f"{self.path.name}: [{name}] is no table here" for name in self._table if name not in _TABLES]
        head = self._one("gateway")
        name = head.text("id", required=True)
        zone = self._zone(head)
        unit_code = head.text("unit_code")
        interval_s = self._interval(head, 900)
        profiles = head.path("profiles")
        links = [self._link(table) for table in self._many("link")]
        devices, files = self._devices(unit_code, interval_s, [link.name for link in links], profiles)
        config = GatewayConfig(
            id=name,
            zone=zone,
            unit_code=unit_code,
            interval_s=interval_s,
            max_clock_error_s=head.seconds("max_clock_error", 300.0),
            metrics_port=head.whole("metrics_port", 0, 0, 65535),
            profiles=profiles,
            store=self._store(self._one("store")),
            kafka=self._kafka(self._one("kafka")),
            http=self._http(self._one("http")) if "http" in self._table else None,
            mqtt=[self._mqtt(table, unit_code, name) for table in self._many("mqtt")],
            links=links,
            devices=devices,
            files=files,
        )
        head.done()
        self._twice(links, devices)
        self._alone(links, devices)
        if self.faults:
            count = f"{len(self.faults)} faults" if len(self.faults) > 1 else "a fault"
            raise ConfigurationError(f"{count} in {self.path}:\n  " + "\n  ".join(self.faults))
        return config

    def _one(self, name: str) -> Table:
        value = self._table.get(name, {})
        if not isinstance(value, dict):
            self.faults.append(f"{self.path.name}: [{name}] must be one table")
            value = {}
        return self._table_of(name, 0, value)

    def _many(self, name: str) -> list[Table]:
        value = self._table.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.faults.append(f"{self.path.name}: [[{name}]] must be tables, with two brackets")
            return []
        return [self._table_of(name, number, one) for number, one in enumerate(value)]

    def _table_of(self, name: str, number: int, values: Mapping[str, Any]) -> Table:
        place = f"{self.path.name}:{self.line(name, number)}: [{name}]"
        return Table(place, self.path.parent, values, self.faults)

    def _zone(self, table: Table) -> ZoneInfo:
        name = table.text("zone", "Asia/Shanghai")
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            table.fault(f"zone must be a time zone such as Asia/Shanghai (got {name!r})")
            return ZoneInfo("UTC")

    def _interval(self, table: Table, default: int) -> int:
        seconds = table.seconds("interval", default)
        if not 1 <= seconds <= 86_400 or seconds != int(seconds):
            table.fault(f"interval must be whole seconds from 1s to 1d (got {seconds:g} s)")
            return default
        return int(seconds)

    def _store(self, table: Table) -> StoreConfig:
        given = StoreConfig(
            path=self.path.parent / table.text("path", "spool"),
            keep_s=table.seconds("keep", StoreConfig().keep_s),
            max_bytes=table.bytes("max", StoreConfig().max_bytes),
            reserve_bytes=table.bytes("reserve", StoreConfig().reserve_bytes),
        )
        table.done()
        return given

    def _kafka(self, table: Table) -> KafkaTarget:
        given = KafkaTarget(
            bootstrap=table.text("bootstrap"),
            topic=table.text("topic"),
            user=table.text("user"),
            password_file=table.existing("password_file"),
            ca=table.existing("ca"),
            tls=table.flag("tls"),
        )
        if given.user and given.password_file is None:
            table.fault("password_file must be a file, where there is a user (got nothing)")
        table.done()
        return given

    def _http(self, table: Table) -> HttpConfig:
        limits = HttpLimits(
            body_bytes=table.bytes("max_body", HttpLimits().body_bytes),
            readings_per_s=float(table.whole("readings_per_s", 0, 0, 10_000_000)),
        )
        given = HttpConfig(
            host=table.text("host", "127.0.0.1"),
            port=table.whole("port", 8443, 1, 65535),
            certificate=table.existing("certificate"),
            key=table.existing("key"),
            client_ca=table.existing("client_ca"),
            limits=limits,
            senders=self._senders(table),
        )
        if (given.certificate is None) != (given.key is None):
            table.fault("certificate and key must both be files")
        if given.certificate is None and given.host not in ("127.0.0.1", "::1", "localhost"):
            table.fault(f"certificate must be a file where others can reach it (got none, and host {given.host})")
        table.done()
        return given

    def _senders(self, table: Table) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        senders = {}
        for number, row in enumerate(table.tables("sender")):
            one = self._table_of("http.sender", number, row)
            name, units = one.text("name", required=True), one.texts("units") or ()
            hashes = one.texts("token_sha256") or ()
            if not units:
                one.fault("units must be a list of codes")
            if not hashes or not all(re.fullmatch(r"[0-9a-f]{64}", value) for value in hashes):
                one.fault("token_sha256 must be a list of 64 hexadecimal digits each (`meterwarden gateway token`)")
                hashes = ()
            senders[name] = (units, hashes)
            one.done()
        return senders

    def _mqtt(self, table: Table, unit_code: str, gateway: str) -> MqttConfig:
        subscriptions = [
            self._topic(self._table_of("mqtt.topic", number, row), unit_code)
            for number, row in enumerate(table.tables("topic"))
        ]
        if not subscriptions:
            table.fault("a table [[mqtt.topic]] is required")
        password = table.existing("password_file")
        tls = table.flag("tls")
        units = table.texts("units")
        version: Literal["5", "3.1.1"] = "3.1.1" if table.choice("version", ("5", "3.1.1"), "5") == "3.1.1" else "5"
        given = MqttConfig(
            host=table.text("host", required=True),
            port=table.whole("port", 8883 if tls else 1883, 1, 65535),
            client_id=table.text("client_id", f"meterwarden-{gateway}"),
            version=version,
            username=table.text("user"),
            password=_secret(password),
            tls=tls,
            ca=table.existing("ca"),
            certificate=table.existing("certificate"),
            key=table.existing("key"),
            keepalive_s=int(table.seconds("keepalive", 30.0)),
            units=frozenset(units) if units is not None else frozenset({unit_code} if unit_code else ()),
            fallback_unit=unit_code,
            subscriptions=[one for one in subscriptions if one is not None],
        )
        if not given.units:
            table.fault("units must be a list of codes, where [gateway] has no unit_code")
        table.done()
        return given

    def _topic(self, table: Table, unit_code: str) -> Subscription | None:
        template = table.checked("topic", Template, table.text("topic", required=True))
        values = [
            self._value(self._table_of("mqtt.topic.value", number, row))
            for number, row in enumerate(table.tables("value"))
        ]
        paths = {
            key: table.checked(key, check_path, table.text(key, default)) or ""
            for key, default in (
                ("unit_code", unit_code), ("meter_no", "{meter_no}"), ("measured_at", "$.measured_at"), ("rows", "$"),
                ("name", ""),
            )
        }  # fmt: skip
        time: Any = table.choice("time", ("iso", "s", "ms", "us"), "iso")
        table.done()
        return Subscription(template=template, rules=Rules(**paths, time=time, values=values)) if template else None

    def _value(self, table: Table) -> ValueRule:
        rule = ValueRule(
            path=table.checked("path", check_path, table.text("path", "$")) or "$",
            register=table.text("register", "main"),
            unit=table.text("unit", required=True),
            name=table.text("name"),
        )
        table.done()
        return rule

    def _link(self, table: Table) -> LinkConfig:
        kind: Any = table.choice("kind", ("serial", "tcp", "opcua"), "tcp")
        serial = kind == "serial"
        if kind == "opcua":
            return self._opcua(table)
        given = LinkConfig(
            name=table.text("name", required=True),
            kind=kind,
            port=table.text("port", required=True) if serial else "",
            host=table.text("host", required=True) if not serial else "",
            tcp_port=table.whole("port", 0, 1, 65535) if not serial else 0,
            baud=table.whole("baud", 2400, 50, 4_000_000),
            bytesize=table.whole("bytesize", 8, 7, 8),
            parity=table.choice("parity", ("N", "E", "O"), "E"),
            stopbits=table.whole("stopbits", 1, 1, 2),
            timeout_s=table.seconds("timeout", 2.0),
            gap_s=table.seconds("gap", 0.05 if serial else 0.001),
        )
        if not serial and not given.tcp_port:
            table.fault("port must be a whole number from 1 to 65535")
        table.done()
        return given

    def _opcua(self, table: Table) -> LinkConfig:
        given = LinkConfig(
            name=table.text("name", required=True),
            kind="opcua",
            url=table.text("url", required=True),
            user=table.text("user"),
            password=_secret(table.existing("password_file")),
            certificate=table.existing("certificate"),
            key=table.existing("key"),
            server_certificate=table.existing("server_certificate"),
            timeout_s=table.seconds("timeout", 4.0),
        )
        if given.url and not re.fullmatch(r"opc\.tcp://[^/\s]+:\d{1,5}(/\S*)?", given.url):
            table.fault(f"url must be opc.tcp://host:port/path (got {given.url!r})")
        if len({given.certificate is None, given.key is None, given.server_certificate is None}) > 1:
            table.fault("certificate, key and server_certificate must all be files, or none of them")
        table.done()
        return given

    def _devices(
        self, unit_code: str, interval_s: int, links: Sequence[str], profiles: Path | None
    ) -> tuple[list[DeviceConfig], list[Path]]:
        rows = [(table.place, self._device_row(table)) for table in self._many("device")]
        files: list[Path] = []
        listed = self._one("devices")
        for name in listed.texts("files") or ():
            path = self.path.parent / name
            files.append(path)
            try:
                rows += [(f"{path.name}: row {number}", row) for number, row in read_devices(path)]
            except ConfigurationError as error:
                self.faults.append(str(error))
        listed.done()
        devices = [self._device(place, row, unit_code, interval_s, links, profiles) for place, row in rows]
        return [device for device in devices if device is not None], files

    def _device_row(self, table: Table) -> dict[str, Any]:
        row: dict[str, Any] = {
            key: table.text(key) for key in ("link", "protocol", "profile", "meter_no", "unit_code", "place")
        }
        address = table.raw("address")
        if isinstance(address, bool) or not isinstance(address, str | int):
            table.fault(f"address must be a number or a text (got {'nothing' if address is None else repr(address)})")
        row["address"] = str(address)
        row["points"] = table.texts("points")
        row["interval"] = table.text("interval")
        registers = table.get("registers", dict, {}, "a table of points and registers")
        row["registers"] = {str(point): str(register) for point, register in registers.items()}
        table.done()
        return row

    def _device(
        self,
        place: str,
        row: Mapping[str, Any],
        unit_code: str,
        interval_s: int,
        links: Sequence[str],
        profiles: Path | None,
    ) -> DeviceConfig | None:
        before = len(self.faults)
        link = row["link"] or (links[0] if len(links) == 1 else "")
        if link not in links:
            self.faults.append(
                f"{place} link must be one of {', '.join(links) or 'the [[link]] tables'} (got {link!r})"
            )
        if not row["meter_no"]:
            self.faults.append(f"{place} meter_no must be a text, the number in the ledger (got nothing)")
        unit = row.get("unit_code") or unit_code
        if not unit:
            self.faults.append(f"{place} unit_code must be a text, here or in [gateway] (got nothing)")
        interval = row.get("interval") or ""
        if interval:
            found = DURATION.fullmatch(interval)
            seconds = float(found[1]) * SECONDS[found[2]] if found else 0.0
            if not 1 <= seconds <= 86_400 or seconds != int(seconds):
                self.faults.append(f"{place} interval must be whole seconds from 1s to 1d (got {interval!r})")
            interval_s = int(seconds) or interval_s
        config = DeviceConfig(
            link=link,
            protocol=row["protocol"],
            address=row["address"],
            meter_no=row["meter_no"],
            unit_code=unit,
            profile=row.get("profile") or "",
            points=row.get("points"),
            interval_s=interval_s,
            registers=row.get("registers") or {},
            place=place,
        )
        try:
            driver_of(config, profiles)
        except (ConfigurationError, ValueError) as error:
            self.faults.append(f"{place} {error}")
        return config if len(self.faults) == before else None

    def _twice(self, links: Sequence[LinkConfig], devices: Sequence[DeviceConfig]) -> None:
        names = [link.name for link in links]
        self.faults += [
            f"{self.path.name}: link {name} must be there once" for name in sorted(set(names)) if names.count(name) > 1
        ]
        places: dict[tuple[str, ...], str] = {}
        for device in devices:
            for what, key in (
                ("address", (device.link, device.protocol, _number(device.address))),
                ("meter_no", (device.unit_code, device.meter_no)),
            ):
                other = places.setdefault((what, *key), device.place)
                if other != device.place:
                    self.faults.append(f"{device.place} {what} {key[-1]} is that of {other} already")

    def _alone(self, links: Sequence[LinkConfig], devices: Sequence[DeviceConfig]) -> None:
        """Protocols that hold a conversation have a link of the right kind, and nothing else on it."""
        for link in links:
            here = [device for device in devices if device.link == link.name]
            spoken = {device.protocol for device in here}
            for device in here:
                kind = LINKS.get(device.protocol)
                if kind is not None and (kind != link.kind or len(spoken) > 1):
                    self.faults.append(
                        f"{device.place} link must be of kind {kind} with devices of {device.protocol} alone "
                        f"(got {link.kind} with {', '.join(sorted(spoken))})"
                    )


def _number(address: str) -> str:
    """A slave's number as one text, so that 03 is 3; longer ones have their digits."""
    return str(int(address)) if address.isdecimal() and len(address) <= 3 else address


def _secret(path: Path | None) -> str:
    if path is None or not path.is_file():
        return ""
    return path.read_text(encoding="utf-8").strip()
