"""Lines and sockets: bytes out, a frame back, one exchange at a time."""

import contextlib
import logging
import select
import socket
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeVar

import serial

from ingest.devices.faults import BadFrame, NoAnswer, OtherAnswer
from ingest.devices.frames import Format, first_frame, why_none
from ingest.devices.values import hex_of

__all__ = ["Link", "LinkConfig", "Transport"]

log = logging.getLogger("metering.gateway.links")

T = TypeVar("T")
S = TypeVar("S", bound="Tended")
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_MOST_BYTES: Final = 4096
_FLOWING_S: Final = 0.5  # extension of the time-out while bytes are arriving
_MOST_TIMES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkConfig:
    """A line or a socket.

    Attributes
    ----------
    timeout_s : float
        How long an answer may take to begin. [s]
    gap_s : float
        Silence kept between an answer and the next request. [s]
    url, user, password : str
        Of an OPC UA server.
    certificate, key, server_certificate : Path or None
        Messages to it are signed and encrypted with these (Basic256Sha256); None: neither.
    """

    name: str
    kind: Literal["serial", "tcp", "opcua"]
    port: str = ""
    host: str = ""
    tcp_port: int = 0
    baud: int = 2400
    bytesize: int = 8
    parity: str = "E"
    stopbits: float = 1
    timeout_s: float = 2.0
    gap_s: float = 0.05
    url: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    certificate: Path | None = None
    key: Path | None = None
    server_certificate: Path | None = None

    @property
    def where(self) -> str:
        """For people."""
        if self.kind == "opcua":
            return self.url
        return self.port if self.kind == "serial" else f"{self.host}:{self.tcp_port}"


class Transport(Protocol):
    """A byte transport: serial line or socket."""

    def write(self, data: bytes) -> None:
        """Send; OSError when the other side is gone."""

    def read(self, timeout_s: float) -> bytes:
        """Bytes received, empty on time-out; OSError when the other side is gone. [s]"""

    def discard(self) -> bytes:
        """Discard bytes left over from an earlier exchange."""

    def close(self) -> None:
        """Let it go."""


class _Tcp:
    def __init__(self, config: LinkConfig) -> None:
        self._socket = socket.create_connection((config.host, config.tcp_port), max(config.timeout_s, 1.0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, timeout_s: float) -> bytes:
        if not select.select([self._socket], [], [], max(timeout_s, 0.0))[0]:
            return b""
        data = self._socket.recv(_MOST_BYTES)
        if not data:
            raise ConnectionResetError("the other side closed the connection")
        return data

    def discard(self) -> bytes:
        data = b""
        while select.select([self._socket], [], [], 0.0)[0]:
            part = self._socket.recv(_MOST_BYTES)
            if not part:
                raise ConnectionResetError("the other side closed the connection")
            data += part
        return data

    def close(self) -> None:
        self._socket.close()


class _Serial:
    def __init__(self, config: LinkConfig) -> None:
        pseudo = str(Path(config.port).resolve()).startswith("/dev/pts/")
        try:
            self._line = serial.Serial(
                config.port,
                config.baud,
                bytesize=config.bytesize,
                parity="N" if pseudo else config.parity,  # it has none to set, and refuses at the second time
                stopbits=config.stopbits,
                timeout=0,
                exclusive=True,
            )
        except termios.error as error:  # which is no OSError
            settings = f"{config.baud} {config.bytesize}{config.parity}{config.stopbits:g}"
            raise OSError(f"the line must take {settings} ({error.args[-1]})") from error

    def write(self, data: bytes) -> None:
        self._line.write(data)
        self._line.flush()

    def read(self, timeout_s: float) -> bytes:
        if not select.select([self._line.fd], [], [], max(timeout_s, 0.0))[0]:
            return b""
        data = self._line.read(_MOST_BYTES)
        if not data:
            raise OSError("the line is gone")
        return bytes(data)

    def discard(self) -> bytes:
        data = b""
        while select.select([self._line.fd], [], [], 0.0)[0]:
            part = self._line.read(_MOST_BYTES)
            if not part:
                raise OSError("the line is gone")
            data += part
        return data

    def close(self) -> None:
        self._line.close()


class Tended(Protocol):
    """A conversation that lives as long as its connection, and is looked after between exchanges."""

    def tend(self) -> None:
        """Take what came and do what is due; OSError when the other side is gone."""


class _Traced:
    """A transport whose bytes are noted."""

    def __init__(self, transport: Transport, note: Callable[[str, bytes], None]) -> None:
        self._transport, self._note = transport, note
        self.discard, self.close = transport.discard, transport.close

    def write(self, data: bytes) -> None:
        self._note("→", data)
        self._transport.write(data)

    def read(self, timeout_s: float) -> bytes:
        data = self._transport.read(timeout_s)
        if data:
            self._note("←", data)
        return data


def _opened(config: LinkConfig) -> Transport:
    if config.kind == "opcua":
        return import_module("ingest.gateway.extras.opcua").Server(config)  # type: ignore[no-any-return]  # by its name
    return _Serial(config) if config.kind == "serial" else _Tcp(config)


class Link:
    """One line, used by one exchange at a time; opened when it is needed and again after it broke.

    Parameters
    ----------
    opened : callable
        Opens the transport; another one for tests.
    trace : callable, optional
        Gets a direction and the bytes of everything that goes over the line.
    """

    def __init__(
        self,
        config: LinkConfig,
        *,
        opened: Callable[[LinkConfig], Transport] = _opened,
        clock: Callable[[], float] = time.monotonic,
        trace: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self.config = config
        self._opened, self._clock, self._trace = opened, clock, trace
        self._transport: Transport | None = None
        self._conversation: Any = None
        self._lock = threading.Lock()
        self._quiet_until = 0.0
        self._open_at = 0.0
        self._pause_s = _FIRST_PAUSE_S
        self._why = ""
        self.stray_bytes = 0
        self.exchanges = 0

    def exchange(
        self,
        request: bytes,
        form: Format[T],
        accept: Callable[[T], bool] = lambda _: True,
        *,
        timeout_s: float | None = None,
    ) -> T:
        """Send a request and wait for a frame that is accepted.

        Parameters
        ----------
        accept : callable
            Whether a sound frame answers; False passes it over as echo, `OtherAnswer` as somebody else's.
        timeout_s : float, optional
            Instead of the link's. [s]

        Raises
        ------
        DeviceFault
            `NoAnswer` when nothing came or the line is gone, `BadFrame` when what came is no frame, `OtherAnswer` when
            only frames of others came.
        """
        with self._lock:
            transport = self._open()
            self.exchanges += 1
            try:
                self._keep_quiet()
                self.stray_bytes += len(transport.discard())
                self._note("→", request)
                transport.write(request)
                return self._answer(transport, form, accept, timeout_s or self.config.timeout_s)
            except OSError as error:
                self._broke(error)
                raise NoAnswer(f"link {self.config.name}: {self.config.where}: {error}") from error
            finally:
                self._quiet_until = self._clock() + self.config.gap_s

    def converse(self, begin: Callable[[Any], S], use: Callable[[S], T]) -> T:
        """Use a conversation that stays open with its connection; begun where there is none.

        Parameters
        ----------
        begin : callable
            Gets the transport: the bytes of a socket, or what a link of another kind opened.

        Raises
        ------
        DeviceFault
            `NoAnswer` when the other side is gone or does not begin; what `use` raises. After a `BadFrame` the
            connection is closed, since nothing that follows can be understood.
        """
        with self._lock:
            transport = self._open()
            self.exchanges += 1
            try:
                if self._conversation is None:
                    frames = self.config.kind == "tcp"
                    self._conversation = begin(_Traced(transport, self._note) if frames else transport)
                return use(self._conversation)
            except OSError as error:
                self._broke(error)
                raise NoAnswer(f"link {self.config.name}: {self.config.where}: {error}") from error
            except BadFrame:
                self._drop()
                raise

    def tend(self) -> None:
        """Look after a conversation that is open; call it every second or so."""
        with self._lock:
            if self._conversation is None:
                return
            try:
                self._conversation.tend()
            except (OSError, BadFrame) as error:
                self._broke(error)

    def close(self) -> None:
        """Let the line go."""
        with self._lock:
            self._drop()

    def _answer(self, transport: Transport, form: Format[T], accept: Callable[[T], bool], timeout_s: float) -> T:
        buffer = b""
        others: list[OtherAnswer] = []

        def ours(frame: T) -> bool:
            try:
                return accept(frame)
            except OtherAnswer as other:
                others.append(other)
                return False

        start = self._clock()
        deadline, last = start + timeout_s, start + _MOST_TIMES * timeout_s
        while (now := self._clock()) < deadline:
            data = transport.read(deadline - now)
            if not data:
                continue
            self._note("←", data)
            buffer = (buffer + data)[-_MOST_BYTES:]
            found = first_frame(buffer, form, ours)
            if found is not None:
                return found[0]
            deadline = min(max(deadline, self._clock() + _FLOWING_S), last)
        if others:
            raise others[-1]
        raise why_none(buffer, form)

    def _keep_quiet(self) -> None:
        wait_s = self._quiet_until - self._clock()
        if wait_s > 0:
            time.sleep(wait_s)

    def _open(self) -> Transport:
        if self._transport is not None:
            return self._transport
        if self._clock() < self._open_at:
            raise NoAnswer(f"link {self.config.name}: {self.config.where}: {self._why}")
        try:
            self._transport = self._opened(self.config)
        except (OSError, ValueError) as error:
            self._broke(error)
            raise NoAnswer(f"link {self.config.name}: {self.config.where} must be opened ({error})") from error
        self._pause_s, self._why = _FIRST_PAUSE_S, ""
        return self._transport

    def _broke(self, error: Exception) -> None:
        self._drop()
        self._why = str(error)
        self._open_at = self._clock() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        log.warning("link %s: %s: %s", self.config.name, self.config.where, error)

    def _drop(self) -> None:
        self._conversation = None
        if self._transport is not None:
            transport, self._transport = self._transport, None
            with contextlib.suppress(OSError):
                transport.close()

    def _note(self, direction: str, data: bytes) -> None:
        if self._trace is not None:
            self._trace(direction, data)
        log.debug("%s %s %s", self.config.name, direction, hex_of(data))
