"""OPC UA: a driver that reads variables of a server, and the server that `gateway simulate` plays.

asyncua (LGPL-3.0) is not a part of the base package: ``pip install meterwarden[opcua]``. The driver reads and never
writes, calls no method and makes no subscription. A value of a bad or uncertain status is none.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np

from analytics.domain.errors import ConfigurationError
from ingest.devices.faults import DeviceFault, NoValue, Refused
from ingest.devices.point_lists import ListedPoint, read_points
from ingest.devices.values import Value
from ingest.gateway.drivers import DeviceConfig, Outcome
from ingest.gateway.links import Link, LinkConfig

try:
    import asyncua
    from asyncua import ua
    from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
    from asyncua.sync import ThreadLoop, ThreadLoopNotRunning
except ImportError:  # whoever wants it gets the error of `OpcUa`
    asyncua = None

__all__ = ["DRIVER", "OpcUa", "Server", "SimulatedServer"]

_REFUSED: Final = frozenset({"BadNodeIdUnknown", "BadNodeIdInvalid", "BadNotReadable", "BadUserAccessDenied"})
_NUMBERS: Final = frozenset(
    {"SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float", "Double"}
)


class Server:
    """A connection to a server, with an event loop of its own that keeps its session alive between rounds."""

    def __init__(self, config: LinkConfig) -> None:
        self._timeout_s = max(config.timeout_s, 1.0)
        self._loop = ThreadLoop(timeout=3 * self._timeout_s)
        self._loop.daemon = True
        self._loop.start()
        self._client: Any = None
        try:
            self._client = self._do(self._connected(config))
        except BaseException:
            self._loop.stop()
            raise

    async def _connected(self, config: LinkConfig) -> Any:
        client = asyncua.Client(config.url, timeout=self._timeout_s)
        client.name = client.description = "Meterwarden gateway"
        if config.user:
            client.set_user(config.user)
            client.set_password(config.password)
        if config.certificate is not None:
            await client.set_security(
                SecurityPolicyBasic256Sha256, str(config.certificate), str(config.key),
                server_certificate=str(config.server_certificate),
            )  # fmt: skip
        await client.connect()
        return client

    def read_values(self, nodes: Sequence[str]) -> list[Any]:
        """Data values of nodes, with both time stamps; OSError when the server is gone."""
        wanted = [
            ua.ReadValueId(NodeId=ua.NodeId.from_string(node), AttributeId=ua.AttributeIds.Value) for node in nodes
        ]
        asked = ua.ReadParameters(MaxAge=0, TimestampsToReturn=ua.TimestampsToReturn.Both, NodesToRead=wanted)
        return list(self._do(self._client.uaclient.read(asked)))

    def _do(self, work: Any) -> Any:
        """Result of a coroutine; what goes wrong with the connection or the session is an OSError."""
        try:
            return self._loop.post(work)
        except (TimeoutError, asyncio.CancelledError) as error:
            raise TimeoutError("an answer is required (got nothing in time)") from error
        except (ua.UaError, ThreadLoopNotRunning) as error:
            raise ConnectionError(str(error) or type(error).__name__) from error

    def tend(self) -> None:
        """Nothing: the client's own loop keeps the session."""

    def write(self, data: bytes) -> None:
        """Never used."""
        raise OSError(f"OPC UA has no line to write {len(data)} bytes to")

    def read(self, timeout_s: float) -> bytes:
        """Never used."""
        raise OSError(f"OPC UA has no line to read from for {timeout_s:g} s")

    def discard(self) -> bytes:
        """Nothing lies there."""
        return b""

    def close(self) -> None:
        """Close the session."""
        try:
            self._do(self._client.disconnect())
        finally:
            self._loop.stop()


def is_node(value: object) -> bool:
    """Whether a value of a list of points is the name of a node."""
    if not isinstance(value, str):
        return False
    try:
        ua.NodeId.from_string(value)
    except (ua.UaError, ValueError):
        return False
    return True


class OpcUa:
    """Variables of a server, by the user's list of points. The address is a name for people: the list says where."""

    def __init__(self, device: DeviceConfig, folder: Path | None = None) -> None:
        if asyncua is None:
            raise ConfigurationError(
                "protocol opcua must have the package asyncua: pip install 'meterwarden[opcua]' (got none)"
            )
        self._list = read_points(
            device.profile, folder, key="node", what="the name of a node, as ns=2;s=Meter1.Energy", is_place=is_node
        )
        self.points = self._list.wanted(device.points)
        self._sources: dict[str, datetime] = {}

    def read(self, link: Link) -> Outcome:
        """Read all nodes in one request."""
        nodes = [str(point.place) for point in self.points]
        found = link.converse(lambda server: server, lambda server: server.read_values(nodes))
        outcome = Outcome(source=self._list.source)
        for point, data in zip(self.points, found, strict=True):
            try:
                outcome.values.append(self._value(point, data))
            except DeviceFault as fault:
                outcome.faults.append(fault)
        if not outcome.values and outcome.faults:
            raise outcome.faults[0]
        return outcome

    def _value(self, point: ListedPoint, data: Any) -> Value:
        status = data.StatusCode
        if status is not None and not status.is_good():
            text = f"{point.name}: node {point.place} must have a good status (got {status.name})"
            raise Refused(text) if status.name in _REFUSED else NoValue(text)
        kind = data.Value.VariantType.name if data.Value is not None and data.Value.Value is not None else "nothing"
        if kind not in _NUMBERS or isinstance(data.Value.Value, list | tuple):
            raise NoValue(f"{point.name}: node {point.place} must hold a number (got {kind})")
        number = np.float32(data.Value.Value) if kind == "Float" else data.Value.Value
        if not np.isfinite(number):
            raise NoValue(f"{point.name}: a finite number is required (got {number})")
        return Value(
            point=point.name,
            register=point.register,
            value=Decimal(str(number)) * point.scale,  # str of a float is the shortest decimal that is this float
            unit=point.unit,
            at=self._time(point.name, data),
            raw=str(data.Value.Value).encode(),
        )

    def _time(self, name: str, data: Any) -> datetime | None:
        """When the value was taken.

        The source's time; where the value has not changed since the last reading it may stand still, and the server's
        says when it was last known to hold.
        """
        source = _utc(data.SourceTimestamp)
        if source is None or source != self._sources.get(name):
            if source is not None:
                self._sources[name] = source
            return source
        return max(source, _utc(data.ServerTimestamp) or source)


def _utc(at: datetime | None) -> datetime | None:
    if at is None or at.year < 1971:  # 1601 stands for none
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


class SimulatedServer:
    """A server on 127.0.0.1 that has the nodes of lists of points.

    Parameters
    ----------
    nodes : mapping of str to callable
        Name of a node → what it shows.
    """

    def __init__(self, port: int, nodes: Mapping[str, Callable[[], Decimal]]) -> None:
        self._loop = ThreadLoop(timeout=30)
        self._loop.daemon = True
        self._loop.start()
        self._server = self._loop.post(self._started(port, nodes))

    async def _started(self, port: int, nodes: Mapping[str, Callable[[], Decimal]]) -> Any:
        server = asyncua.Server()
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        highest = max((ua.NodeId.from_string(name).NamespaceIndex for name in nodes), default=0)
        for number in range(2, highest + 1):
            await server.register_namespace(f"urn:meterwarden:simulated:{number}")
        for name, shown in nodes.items():
            node = ua.NodeId.from_string(name)
            await server.nodes.objects.add_variable(node, name, 0.0)
            server.set_attribute_value_callback(node, _shows(shown))
        await server.start()
        return server

    def close(self) -> None:
        """End."""
        self._loop.post(self._server.stop())
        self._loop.stop()


def _shows(shown: Callable[[], Decimal]) -> Callable[[Any, Any], Any]:
    def data(_node: Any, _attribute: Any) -> Any:
        now = datetime.fromtimestamp(time.time(), UTC)
        return ua.DataValue(ua.Variant(float(shown()), ua.VariantType.Double), SourceTimestamp=now, ServerTimestamp=now)

    return data


DRIVER: Final = OpcUa
