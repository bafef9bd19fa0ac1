"""Settings: the only reader of the environment.

Every setting has one name in the environment (``METERWARDEN_KAFKA_PORT``) and the same name without the prefix, in
lower case, in the optional TOML file that ``METERWARDEN_SETTINGS`` names (``kafka_port``). The environment beats the
file, the file beats the default. All bad fields are reported at once. The table in ``deploy/README.md`` lists them.
"""

import os
import pwd
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from operator import attrgetter
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from analytics.domain.accuracy import in_service_factors
from analytics.domain.errors import ConfigurationError
from analytics.domain.words import LANGUAGES, Language

__all__ = [
    "FIELDS",
    "PREFIX",
    "SECRET_PATHS",
    "AlertSettings",
    "DatabaseSettings",
    "Field",
    "GrafanaSettings",
    "KafkaSettings",
    "MachinesSettings",
    "PagesSettings",
    "Settings",
    "WorkerSettings",
    "environment",
    "load",
    "origins",
]

PREFIX: Final = "METERWARDEN_"

HEAP_BESIDE_GATEWAYS_MB: Final = 256
"""What our Kafka needs of its heap, two requests of our own of 72 MiB included, beside requests of gateways. [MiB]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """Where Kafka is, or how to run our own."""

    bootstrap: str | None = None
    """Servers that exist already, ``host:port,...``; None runs our own, which needs none of what follows here."""
    security: str | None = None
    """Kafka's ``security.protocol``; None goes by whether there is a user, and a certificate."""
    mechanism: str = "SCRAM-SHA-512"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None
    ca: Path | None = None
    """Who signs the servers' certificates; None trusts whom this machine trusts."""
    certificate: Path | None = None
    """Client certificate, for servers that require one."""
    key: Path | None = None
    port: int = 19092
    controller_port: int = 19093
    gateway_host: str = "127.0.0.1"
    """Where gateways reach it: the name or address that the certificate is for."""
    gateway_port: int = 0
    """Port of the listener for gateways; 0 disables."""
    gateway_certificate: Path | None = None
    gateway_key: Path | None = None
    gateway_kib_s: int = 4096
    gateway_percent: int = 50
    gateway_connections: int = 100
    inbox_mb: int = 2048
    partitions: int = 8
    heap_mb: int = 512
    flush_ms: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """Where the database is, or how to run our own."""

    dsn: str | None = field(default=None, repr=False)
    """A database that exists already (it may carry a password); None runs our own."""
    roles: str = "own"
    """``own``: each service logs in as a role of its own; ``same``: all of them as this user."""
    port: int = 15432
    buffers_mb: int = 512
    wal_mb: int = 4096
    chunk_h: int = 0
    """Length of a chunk of narrow readings; 0 goes by the ledger."""
    pack_after_h: int = 48
    """Age at which chunks are packed; 0 never packs. [h]"""
    retain_days: int = 0
    """Age at which readings are deleted; 0 keeps them for ever. [d]"""
    log_mb: int = 96
    """Size of the server's own logs together. [MiB]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """The stream workers that `up` starts."""

    count: int = 1
    metrics_port: int = 19464
    """Port of worker 1; worker n uses port + n - 1; 0 disables."""
    metrics_password: str | None = field(default=None, repr=False)
    """Password of all metrics pages, the gateway's included; None asks for none."""
    batch_readings: int = 100_000
    collect_s: float = 0.2
    session_s: int = 6
    """A worker that is not heard of for this long loses its partitions. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """Who tells of alerts, and where people answer."""

    channels: Path | None = None
    """The file of channels; None starts no sender."""
    api_port: int = 0
    """Port of the HTTP API; 0 disables."""
    api_url: str = ""
    board_url: str = ""
    metrics_port: int = 0
    """Port of the sender's metrics; the API uses port + 1, the web pages port + 2; 0 disables."""
    calendar: Path | None = None
    """Working days; None takes those that ship."""
    audit_days: int = 365
    """How long logins and refusals are kept. [d]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PagesSettings:
    """The web pages."""

    port: int = 18280
    """Port of the web pages; 0 disables."""
    host: str = "127.0.0.1"
    """Address that they listen on."""
    certificate: Path | None = None
    """PEM file; with it they speak https."""
    key: Path | None = None
    url: str = ""
    openid_issuer: str = ""
    openid_client: str = ""
    openid_secret: str | None = field(default=None, repr=False)
    openid_claim: str = "preferred_username"


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinesSettings:
    """How workers of other machines, and other regions, reach our Kafka and database."""

    host: str | None = None
    """Name or address of this machine that its certificate is for; None lets no other machine in."""
    certificate: Path | None = None
    key: Path | None = None
    kafka_port: int = 19095


@dataclass(frozen=True, slots=True, kw_only=True)
class GrafanaSettings:
    """The Grafana that the boards are put into; none of ours is run."""

    url: str | None = None
    user: str = "admin"
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set, checked."""

    home: Path
    cache: Path
    kafka: KafkaSettings = KafkaSettings()
    database: DatabaseSettings = DatabaseSettings()
    workers: WorkerSettings = WorkerSettings()
    alerts: AlertSettings = AlertSettings()
    pages: PagesSettings = PagesSettings()
    grafana: GrafanaSettings = GrafanaSettings()
    machines: MachinesSettings = MachinesSettings()
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    language: Language | None = None
    """Of everything that people read; None for papers in Chinese and what commands print in English."""
    in_service: str = ""
    """Maximum permissible error in service as a multiple of the class limit, by carrier."""
    java: str | None = None
    apt_mirror: str | None = None
    listen: str = "127.0.0.1"
    trusted_proxies: str = "127.0.0.1"
    """Addresses and networks of proxies whose word on a client's address and on TLS is taken, with commas between."""
    keeper: str = "on"
    disk_free_mb: int = 2048
    start_timeout_s: float = 120.0
    stop_timeout_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One setting: its name, where it goes, how it is read, and a sentence for the table."""

    name: str
    path: str
    parse: Callable[[str], Any]
    default: str
    meaning: str

    @property
    def key(self) -> str:
        """Its key in a settings file."""
        return self.name.removeprefix(PREFIX).lower()


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError(f"must be a whole number from {low} to {high}") from None
        if not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return parse


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e6:  # refuses NaN too
        raise ValueError("must be a number of seconds above 0")
    return value


def _path(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    if re.search(r"[,:\n\r\\\"'*]", text):  # separators of Java class paths, Kafka lists and configuration files
        raise ValueError("must be a path without , : * \\ quotes or line breaks")
    return path


def _servers(text: str) -> str:
    servers = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"[^\s:]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}", server) for server in servers):
        raise ValueError("must be host:port, or several with commas between")
    return ",".join(servers)


def _host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\]", text):
        raise ValueError("must be a host name or an address")
    return text


def _networks(text: str) -> str:
    parts = [part.strip() for part in text.split(",")]
    try:
        for part in parts:
            ip_network(part)
    except ValueError:
        raise ValueError("must be addresses or networks such as 10.0.0.0/8, with commas between") from None
    return ",".join(parts)


def _dsn(text: str) -> str:
    if not re.match(r"postgres(ql)?://", text):
        raise ValueError("must start with postgresql://")
    return text


def _web(text: str) -> str:
    if not re.match(r"https?://[^/\s]", text):
        raise ValueError("must start with http:// or https://")
    return text.rstrip("/")


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _choice(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text

    return parse


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be a time zone such as Asia/Shanghai") from None


_port = _whole(1024, 65535)


def _in_service(text: str) -> str:
    in_service_factors(text)
    return text


def _port_or_none(text: str) -> int:
    return 0 if text == "0" else _port(text)


FIELDS: Final[tuple[Field, ...]] = (
    Field(
        name="METERWARDEN_HOME",
        path="home",
        parse=_path,
        default="/var/lib/meterwarden for root, else $XDG_DATA_HOME/meterwarden",
        meaning="Where an instance keeps its data, logs, pid records and password.",
    ),
    Field(
        name="METERWARDEN_CACHE",
        path="cache",
        parse=_path,
        default="<home>/cache",
        meaning="Where the programs live (Kafka's jars, PostgreSQL); instances can share it.",
    ),
    Field(
        name="METERWARDEN_KAFKA",
        path="kafka.bootstrap",
        parse=_servers,
        default="",
        meaning="Kafka servers that exist already, host:port,...; then none is started.",
    ),
    Field(
        name="METERWARDEN_KAFKA_SECURITY",
        path="kafka.security",
        parse=_choice("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
        default="SASL_ with a user, SSL with a CA or certificate",
        meaning="How those servers are spoken to; SSL checks their certificate and host name.",
    ),
    Field(
        name="METERWARDEN_KAFKA_MECHANISM",
        path="kafka.mechanism",
        parse=_choice("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"),
        default="SCRAM-SHA-512",
        meaning="How the user proves its password to those servers.",
    ),
    Field(
        name="METERWARDEN_KAFKA_USER",
        path="kafka.user",
        parse=_text,
        default="",
        meaning="User at those servers; without it nobody logs in.",
    ),
    Field(
        name="METERWARDEN_KAFKA_PASSWORD",
        path="kafka.password",
        parse=_text,
        default="",
        meaning="Its password.",
    ),
    Field(
        name="METERWARDEN_KAFKA_PASSWORD_FILE",
        path="kafka.password_file",
        parse=_path,
        default="",
        meaning="File whose first line is its password, instead.",
    ),
    Field(
        name="METERWARDEN_KAFKA_CA",
        path="kafka.ca",
        parse=_path,
        default="the certificates that this machine trusts",
        meaning="PEM file of who signs the certificates of those servers.",
    ),
    Field(
        name="METERWARDEN_KAFKA_CERTIFICATE",
        path="kafka.certificate",
        parse=_path,
        default="",
        meaning="PEM file of a certificate of our own, where those servers ask for one.",
    ),
    Field(
        name="METERWARDEN_KAFKA_KEY",
        path="kafka.key",
        parse=_path,
        default="",
        meaning="PEM file of its key.",
    ),
    Field(
        name="METERWARDEN_KAFKA_PORT",
        path="kafka.port",
        parse=_port,
        default="19092",
        meaning="Port of our Kafka, on 127.0.0.1.",
    ),
    Field(
        name="METERWARDEN_KAFKA_CONTROLLER_PORT",
        path="kafka.controller_port",
        parse=_port,
        default="19093",
        meaning="Port of our Kafka's controller, on 127.0.0.1.",
    ),
    Field(
        name="METERWARDEN_KAFKA_GATEWAY_PORT",
        path="kafka.gateway_port",
        parse=_port_or_none,
        default="0",
        meaning="Port of our Kafka for gateways, by TLS, each with a login of its own; 0 for none.",
    ),
    Field(
        name="METERWARDEN_KAFKA_GATEWAY_HOST",
        path="kafka.gateway_host",
        parse=_host,
        default="127.0.0.1",
        meaning="Name or address of this machine by which gateways reach that port.",
    ),
    Field(
        name="METERWARDEN_KAFKA_GATEWAY_CERTIFICATE",
        path="kafka.gateway_certificate",
        parse=_path,
        default="",
        meaning="PEM file of the certificate of that port, with those that signed it.",
    ),
    Field(
        name="METERWARDEN_KAFKA_GATEWAY_KEY",
        path="kafka.gateway_key",
        parse=_path,
        default="",
        meaning="PEM file of its key (PKCS #8).",
    ),
    Field(
        name="METERWARDEN_KAFKA_GATEWAY_KIB_S",
        path="kafka.gateway_kib_s",
        parse=_whole(1, 1_048_576),
        default="4096",
        meaning="What each gateway may send by Kafka; one that sends faster is made to wait. [KiB/s]",
    ),
    Field(
        name="METERWARDEN_KAFKA_GATEWAY_PERCENT",
        path="kafka.gateway_percent",
        parse=_whole(1, 10_000),
        default="50",
        meaning="What each gateway may take of the time of one of Kafka's threads. [%]",
    ),
    Field(
        name="METERWARDEN_KAFKA_GATEWAY_CONNECTIONS",
        path="kafka.gateway_connections",
        parse=_whole(10, 10_000),
        default="100",
        meaning="Connections at that port, 1 MiB of heap each; half of them from one address, a tenth new in a second.",
    ),
    Field(
        name="METERWARDEN_KAFKA_INBOX_MB",
        path="kafka.inbox_mb",
        parse=_whole(16, 1_048_576),
        default="2048",
        meaning="Room of each gateway's inbox; above it what came first is dropped, whether or not it was read. [MiB]",
    ),
    Field(
        name="METERWARDEN_KAFKA_PARTITIONS",
        path="kafka.partitions",
        parse=_whole(1, 1024),
        default="8",
        meaning="Partitions of a new topic.",
    ),
    Field(
        name="METERWARDEN_KAFKA_HEAP_MB",
        path="kafka.heap_mb",
        parse=_whole(256, 65536),
        default="512",
        meaning="Heap of our Kafka. [MiB]",
    ),
    Field(
        name="METERWARDEN_KAFKA_FLUSH_MS",
        path="kafka.flush_ms",
        parse=_whole(10, 3_600_000),
        default="1000",
        meaning="How long a message may stay off the disk of our Kafka; what a power cut can lose. [ms]",
    ),
    Field(
        name="METERWARDEN_DATABASE",
        path="database.dsn",
        parse=_dsn,
        default="",
        meaning="A TimescaleDB database that exists already, postgresql://...; then none is started.",
    ),
    Field(
        name="METERWARDEN_DATABASE_ROLES",
        path="database.roles",
        parse=_choice("own", "same"),
        default="own",
        meaning="Worker, sender, API and provisioning log in as roles of their own (own), or as its owner (same).",
    ),
    Field(
        name="METERWARDEN_DATABASE_PORT",
        path="database.port",
        parse=_port,
        default="15432",
        meaning="Port of our PostgreSQL, on 127.0.0.1, and where other machines are let in.",
    ),
    Field(
        name="METERWARDEN_DATABASE_BUFFERS_MB",
        path="database.buffers_mb",
        parse=_whole(16, 1_048_576),
        default="512",
        meaning="shared_buffers of our PostgreSQL. [MiB]",
    ),
    Field(
        name="METERWARDEN_DATABASE_WAL_MB",
        path="database.wal_mb",
        parse=_whole(256, 1_048_576),
        default="4096",
        meaning="max_wal_size of our PostgreSQL. [MiB]",
    ),
    Field(
        name="METERWARDEN_CHUNK_H",
        path="database.chunk_h",
        parse=_whole(0, 168),
        default="0",
        meaning="Length of a chunk of new readings; 0 by the ledger: at most a day and 1.2 million readings. [h]",
    ),
    Field(
        name="METERWARDEN_PACK_AFTER_H",
        path="database.pack_after_h",
        parse=_whole(0, 87_600),
        default="48",
        meaning="Readings this old are packed to a fifth of their room or less; 0 never. [h]",
    ),
    Field(
        name="METERWARDEN_RETAIN_DAYS",
        path="database.retain_days",
        parse=_whole(0, 36_500),
        default="0",
        meaning="Readings this old are dropped, their consumption stays; 0 never. [d]",
    ),
    Field(
        name="METERWARDEN_DATABASE_LOG_MB",
        path="database.log_mb",
        parse=_whole(6, 65_536),
        default="96",
        meaning="Room of our PostgreSQL's own logs; above it the oldest go. [MiB]",
    ),
    Field(
        name="METERWARDEN_WORKERS",
        path="workers.count",
        parse=_whole(0, 256),
        default="1",
        meaning="Stream workers that `up` starts.",
    ),
    Field(
        name="METERWARDEN_METRICS_PORT",
        path="workers.metrics_port",
        parse=_port_or_none,
        default="19464",
        meaning="Port of the first worker's Prometheus page, on 127.0.0.1; the next worker has the next; 0 for none.",
    ),
    Field(
        name="METERWARDEN_METRICS_PASSWORD",
        path="workers.metrics_password",
        parse=_text,
        default="",
        meaning="What Prometheus must bring (`basic_auth`, any user name) to read a worker or a gateway.",
    ),
    Field(
        name="METERWARDEN_BATCH_READINGS",
        path="workers.batch_readings",
        parse=_whole(1, 10_000_000),
        default="100000",
        meaning="Readings after which a worker's transaction is full.",
    ),
    Field(
        name="METERWARDEN_COLLECT_S",
        path="workers.collect_s",
        parse=_seconds,
        default="0.2",
        meaning="How long a reading may wait for others to share its transaction. [s]",
    ),
    Field(
        name="METERWARDEN_SESSION_S",
        path="workers.session_s",
        parse=_whole(2, 300),
        default="6",
        meaning="A worker not heard of for so long loses its partitions; an existing Kafka must allow less than 6. [s]",
    ),
    Field(
        name="METERWARDEN_CHANNELS",
        path="alerts.channels",
        parse=_path,
        default="",
        meaning="File of the channels that alerts leave by, readable by its owner alone; then `up` starts a sender.",
    ),
    Field(
        name="METERWARDEN_API_PORT",
        path="alerts.api_port",
        parse=_port_or_none,
        default="0",
        meaning="Port of the HTTP API, on 127.0.0.1; 0 for none.",
    ),
    Field(
        name="METERWARDEN_ALERTS_METRICS_PORT",
        path="alerts.metrics_port",
        parse=_port_or_none,
        default="0",
        meaning="Port of the sender's page of metrics; the API has the next, the web pages the one after; 0 for none.",
    ),
    Field(
        name="METERWARDEN_API_URL",
        path="alerts.api_url",
        parse=_web,
        default="",
        meaning="Where people reach the API, https://...; without it messages carry no links to answer by.",
    ),
    Field(
        name="METERWARDEN_BOARD_URL",
        path="alerts.board_url",
        parse=_web,
        default="",
        meaning="What messages link to; {alert}, {unit}, {point}, {language}, {from} and {to} in it are filled in.",
    ),
    Field(
        name="METERWARDEN_CALENDAR",
        path="alerts.calendar",
        parse=_path,
        default="",
        meaning="TOML file of working days; without it the one that ships.",
    ),
    Field(
        name="METERWARDEN_AUDIT_DAYS",
        path="alerts.audit_days",
        parse=_whole(183, 36_500),
        default="365",
        meaning="How long the API keeps the log of logins and refusals, half a year at least. [d]",
    ),
    Field(
        name="METERWARDEN_PAGES_PORT",
        path="pages.port",
        parse=_port_or_none,
        default="18280",
        meaning="Port of the web pages; 0 for none. A demo's pages have the next one.",
    ),
    Field(
        name="METERWARDEN_PAGES_HOST",
        path="pages.host",
        parse=_host,
        default="127.0.0.1",
        meaning="Address of the web pages, 0.0.0.0 for all; others than 127.0.0.1 need a certificate or a proxy.",
    ),
    Field(
        name="METERWARDEN_PAGES_CERTIFICATE",
        path="pages.certificate",
        parse=_path,
        default="",
        meaning="PEM file of the web pages' certificate and what vouches for it; with it they speak https.",
    ),
    Field(
        name="METERWARDEN_PAGES_KEY",
        path="pages.key",
        parse=_path,
        default="",
        meaning="PEM file of that certificate's private key.",
    ),
    Field(
        name="METERWARDEN_PAGES_URL",
        path="pages.url",
        parse=_web,
        default="",
        meaning="Where people reach the pages, https://...; messages then link to their alert there.",
    ),
    Field(
        name="METERWARDEN_PAGES_OPENID",
        path="pages.openid_issuer",
        parse=_web,
        default="",
        meaning="Issuer of an OpenID Connect provider by which people may sign in, too; none without it.",
    ),
    Field(
        name="METERWARDEN_PAGES_OPENID_CLIENT",
        path="pages.openid_client",
        parse=_text,
        default="",
        meaning="What that provider calls these pages (client_id); it sends people back to …/sign-in/openid/back.",
    ),
    Field(
        name="METERWARDEN_PAGES_OPENID_SECRET",
        path="pages.openid_secret",
        parse=_text,
        default="",
        meaning="By what the pages prove it (client_secret).",
    ),
    Field(
        name="METERWARDEN_PAGES_OPENID_CLAIM",
        path="pages.openid_claim",
        parse=_text,
        default="preferred_username",
        meaning="What of a person's token is their login here: preferred_username, email, ...",
    ),
    Field(
        name="METERWARDEN_GRAFANA",
        path="grafana.url",
        parse=_web,
        default="",
        meaning="The Grafana that `meterwarden dashboards apply` puts the boards into, http://host:3000.",
    ),
    Field(
        name="METERWARDEN_GRAFANA_USER",
        path="grafana.user",
        parse=_text,
        default="admin",
        meaning="Its server administrator, who may make organizations.",
    ),
    Field(
        name="METERWARDEN_GRAFANA_PASSWORD",
        path="grafana.password",
        parse=_text,
        default="",
        meaning="The administrator's password.",
    ),
    Field(
        name="METERWARDEN_MACHINES_HOST",
        path="machines.host",
        parse=_host,
        default="",
        meaning="Name or address of this machine at which others' workers reach our Kafka and database, by TLS.",
    ),
    Field(
        name="METERWARDEN_MACHINES_CERTIFICATE",
        path="machines.certificate",
        parse=_path,
        default="",
        meaning="PEM file of the certificate for that name, with those that signed it.",
    ),
    Field(
        name="METERWARDEN_MACHINES_KEY",
        path="machines.key",
        parse=_path,
        default="",
        meaning="PEM file of its key (PKCS #8).",
    ),
    Field(
        name="METERWARDEN_MACHINES_KAFKA_PORT",
        path="machines.kafka_port",
        parse=_port,
        default="19095",
        meaning="Port of our Kafka for other machines; the database has its usual one for them.",
    ),
    Field(
        name="METERWARDEN_ZONE",
        path="zone",
        parse=_zone,
        default="Asia/Shanghai",
        meaning="Zone of times that come without an offset, and of local days.",
    ),
    Field(
        name="METERWARDEN_LANGUAGE",
        path="language",
        parse=_choice(*LANGUAGES),
        default="papers and pages zh, what commands print en",
        meaning="Language of papers, pages, tables and what commands print, zh or en; --language goes before it.",
    ),
    Field(
        name="METERWARDEN_IN_SERVICE",
        path="in_service",
        parse=_in_service,
        default="",
        meaning="What meters may be off in service, over the limit of their class: electricity=1,water=2 (known so).",
    ),
    Field(
        name="METERWARDEN_JAVA",
        path="java",
        parse=_text,
        default="$JAVA_HOME/bin/java, else java on the path",
        meaning="The java program, version 17 or later.",
    ),
    Field(
        name="METERWARDEN_APT_MIRROR",
        path="apt_mirror",
        parse=_text,
        default="the mirror in this machine's apt sources",
        meaning="Debian mirror that PostgreSQL and TimescaleDB are fetched from.",
    ),
    Field(
        name="METERWARDEN_LISTEN",
        path="listen",
        parse=_text,
        default="127.0.0.1",
        meaning="Address that the API and the pages of metrics listen on; another one needs a proxy before it.",
    ),
    Field(
        name="METERWARDEN_TRUSTED_PROXIES",
        path="trusted_proxies",
        parse=_networks,
        default="127.0.0.1",
        meaning="Proxies before the pages and the API, addresses or networks: who a client is, they are believed.",
    ),
    Field(
        name="METERWARDEN_KEEPER",
        path="keeper",
        parse=_choice("on", "off"),
        default="on",
        meaning="`up` leaves a process behind that starts parts again which ended (on), or something else does (off).",
    ),
    Field(
        name="METERWARDEN_DISK_FREE_MB",
        path="disk_free_mb",
        parse=_whole(0, 1 << 40),
        default="2048",
        meaning="`up` refuses to start with less room than this. [MiB]",
    ),
    Field(
        name="METERWARDEN_START_TIMEOUT_S",
        path="start_timeout_s",
        parse=_seconds,
        default="120",
        meaning="How long a part may take to become healthy. [s]",
    ),
    Field(
        name="METERWARDEN_STOP_TIMEOUT_S",
        path="stop_timeout_s",
        parse=_seconds,
        default="60",
        meaning="How long a part may take to stop cleanly before it is killed. [s]",
    ),
)


SECRET_PATHS: Final = frozenset(
    {"database.dsn", "kafka.password", "grafana.password", "workers.metrics_password", "pages.openid_secret"}
)
"""Settings whose values are shown to nobody."""


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings.

    Parameters
    ----------
    environ
        The environment; the process's own when None.

    Raises
    ------
    ConfigurationError
        Naming every bad field at once; a secret's value is never repeated.

    Examples
    --------
    >>> load({"METERWARDEN_HOME": "/srv/meters", "METERWARDEN_KAFKA_PORT": "29092"}).kafka.port
    29092
    """
    environ = os.environ if environ is None else environ
    faults: list[str] = []
    given = _from_file(environ.get(PREFIX + "SETTINGS", ""), faults) | _from_environment(environ, faults)
    values: dict[str, Any] = {}
    for spec in FIELDS:
        if spec.name not in given:
            continue
        source, text = given[spec.name]
        try:
            values[spec.path] = spec.parse(text)
        except ValueError as error:
            got = "a value that is not shown" if spec.path in SECRET_PATHS else repr(text)
            faults.append(f"{source} {error} (got {got})")
    faults += _of_kafka(values)
    faults += _of_gateways(values)
    faults += _of_pages(values)
    faults += _of_machines(values)
    if faults:
        raise ConfigurationError("settings: " + "; ".join(faults))
    return _build(values, environ)


_LOOPBACK: Final = re.compile(r"127\.[0-9.]+|localhost|\[::1\]")


def _of_pages(values: Mapping[str, Any]) -> Iterator[str]:
    """What does not go together of the pages' certificate, and of signing in by a provider."""
    if ("pages.certificate" in values) != ("pages.key" in values):
        yield "METERWARDEN_PAGES_CERTIFICATE and METERWARDEN_PAGES_KEY must come together"
    host = values.get("pages.host", "127.0.0.1")
    behind_proxy = str(values.get("pages.url", "")).startswith("https://") and "trusted_proxies" in values
    if not _LOOPBACK.fullmatch(host) and "pages.certificate" not in values and not behind_proxy:
        yield (
            f"METERWARDEN_PAGES_HOST must be 127.0.0.1 without METERWARDEN_PAGES_CERTIFICATE (got {host}), or a proxy "
            "with TLS stands before it: METERWARDEN_PAGES_URL=https://… and METERWARDEN_TRUSTED_PROXIES"
        )
    parts = ("openid_issuer", "openid_client", "openid_secret")
    given = [name for name in parts if f"pages.{name}" in values]
    if given and len(given) < len(parts):
        names = "METERWARDEN_PAGES_OPENID, METERWARDEN_PAGES_OPENID_CLIENT and METERWARDEN_PAGES_OPENID_SECRET"
        yield f"{names} must come together"


def _of_machines(values: Mapping[str, Any]) -> Iterator[str]:
    """What does not go together of the way in for other machines."""
    parts = ("host", "certificate", "key")
    given = [name for name in parts if f"machines.{name}" in values]
    if given and len(given) < len(parts):
        names = "METERWARDEN_MACHINES_HOST, METERWARDEN_MACHINES_CERTIFICATE and METERWARDEN_MACHINES_KEY"
        yield f"{names} must come together: other machines speak TLS"
    host = values.get("machines.host", "")
    if _LOOPBACK.fullmatch(host):
        yield f"METERWARDEN_MACHINES_HOST must be what other machines call this one (got {host})"


def _of_kafka(values: Mapping[str, Any]) -> Iterator[str]:
    """What does not go together of the way into a Kafka that exists."""

    def has(name: str) -> bool:
        return "kafka." + name in values

    def named(name: str) -> str:
        return f"{PREFIX}KAFKA_{name.upper()}"

    ways = [name for name in ("security", "user", "ca", "certificate") if has(name)]
    if ways and not has("bootstrap"):
        yield f"{named(ways[0])} is for a Kafka that exists: METERWARDEN_KAFKA must name its servers"
    passwords = has("password") + has("password_file")
    if passwords != has("user"):
        yield f"{named('user')} must come with one of {named('password')} and {named('password_file')}"
    for certificate, key in (("certificate", "key"), ("gateway_certificate", "gateway_key")):
        if has(key) != has(certificate):
            yield f"{named(certificate)} and {named(key)} must come together"
    security = values.get("kafka.security", "")
    if security and security.startswith("SASL") != has("user"):
        yield f"{named('security')} must be SASL_… with {named('user')} and only then (got {security})"
    if security and not security.endswith("SSL") and (has("ca") or has("certificate")):
        yield f"{named('security')} must end in SSL where certificates are named (got {security})"


def _of_gateways(values: Mapping[str, Any]) -> Iterator[str]:
    """What our Kafka's port for gateways lacks."""
    if not values.get("kafka.gateway_port"):
        return
    port, heap, most = (f"METERWARDEN_KAFKA_{name}" for name in ("GATEWAY_PORT", "HEAP_MB", "GATEWAY_CONNECTIONS"))
    if "kafka.gateway_certificate" not in values:
        yield f"{port} must come with METERWARDEN_KAFKA_GATEWAY_CERTIFICATE and _KEY: gateways speak TLS"
    default = KafkaSettings()
    heap_mb = values.get("kafka.heap_mb", default.heap_mb)
    connections = values.get("kafka.gateway_connections", default.gateway_connections)
    if heap_mb < HEAP_BESIDE_GATEWAYS_MB + connections:
        yield (
            f"{heap} must be at least {HEAP_BESIDE_GATEWAYS_MB} and {most}, each of which may hold 1 MiB "
            f"(got {heap_mb} with {connections})"
        )


def origins(environ: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Where each setting that is not the default was set: ``environment``, or the settings file."""
    environ = os.environ if environ is None else environ
    where = environ.get(PREFIX + "SETTINGS", "")
    ignored: list[str] = []  # `load` reports them
    of_file = dict.fromkeys(_from_file(where, ignored), where)
    return of_file | dict.fromkeys(_from_environment(environ, ignored), "environment")


def environment(settings: Settings) -> dict[str, str]:
    """The variables that make `load` give these settings again, for a process of ours; a password is among them."""
    values = {spec.name: attrgetter(spec.path)(settings) for spec in FIELDS}
    return {name: str(value) for name, value in values.items() if value is not None}


def _build(values: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    def group(name: str) -> dict[str, Any]:
        return {path.partition(".")[2]: value for path, value in values.items() if path.startswith(name + ".")}

    plain = {path: value for path, value in values.items() if "." not in path}
    plain.setdefault("home", _default_home(environ))
    plain.setdefault("cache", plain["home"] / "cache")
    plain.setdefault("java", _default_java(environ))
    return Settings(
        kafka=KafkaSettings(**group("kafka")),
        database=DatabaseSettings(**group("database")),
        workers=WorkerSettings(**group("workers")),
        alerts=AlertSettings(**group("alerts")),
        pages=PagesSettings(**group("pages")),
        machines=MachinesSettings(**group("machines")),
        grafana=GrafanaSettings(**group("grafana")),
        **plain,
    )


def _from_environment(environ: Mapping[str, str], faults: list[str]) -> dict[str, tuple[str, str]]:
    known = {spec.name for spec in FIELDS}
    given = {}
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name == PREFIX + "SETTINGS":
            continue
        if name not in known:
            faults.append(f"{name} is not a setting")
        elif text:  # set but empty counts as not set
            given[name] = (name, text)
    return given


def _from_file(where: str, faults: list[str]) -> dict[str, tuple[str, str]]:
    if not where:
        return {}
    try:
        table = tomllib.loads(Path(where).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        faults.append(f"{PREFIX}SETTINGS must name a readable TOML file (got {where!r}: {error})")
        return {}
    known = {spec.key: spec.name for spec in FIELDS}
    given = {}
    for key, value in table.items():
        if key not in known:
            faults.append(f"{key} in {where} is not a setting")
        elif isinstance(value, bool) or not isinstance(value, str | int | float):
            faults.append(f"{key} in {where} must be a text or a number (got a {type(value).__name__})")
        else:
            given[known[key]] = (f"{key} in {where}", str(value))
    return given


def _default_home(environ: Mapping[str, str]) -> Path:
    uid = os.geteuid()
    if uid == 0:
        return Path("/var/lib/meterwarden")
    own = environ.get("XDG_DATA_HOME") or ""
    if own.startswith("/"):
        return Path(own) / "meterwarden"
    return Path(environ.get("HOME") or pwd.getpwuid(uid).pw_dir) / ".local/share/meterwarden"


def _default_java(environ: Mapping[str, str]) -> str | None:
    home = environ.get("JAVA_HOME") or ""
    java = Path(home) / "bin" / "java"
    return str(java) if home and java.exists() else None
