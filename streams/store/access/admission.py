"""What admission asks of the database and leaves there: which units a gateway may send, and what was refused."""

from collections.abc import Mapping, Sequence
from typing import Final

from ingest.gateway.access import Gateway
from streams.rows.layout import RejectedRow, TopicPartition
from streams.store import rejected
from streams.store.access import gateway_state
from streams.store.access.gateways import read_bindings
from streams.store.postgres.connections import Connections

__all__ = ["AdmissionStore"]

_REFUSED: Final = """
select kafka_offset, position from rejected where topic_id = %s and partition = %s and kafka_offset >= %s
"""


class AdmissionStore:
    """The registry without tokens, and the rejected readings of inboxes.

    Parameters
    ----------
    connections : Connections
        Whose sessions begin with `streams.store.rejected.TEMPORARY`.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def gateways(self) -> Mapping[str, Gateway]:
        """All gateways by name."""
        async with self._connections.connection() as connection, connection.transaction():
            return await read_bindings(connection)

    async def refused(self, inbox: TopicPartition, since: int) -> set[tuple[int, int]]:
        """Offset and position of what was refused of an inbox from an offset on."""
        async with self._connections.connection() as connection, connection.transaction():
            cursor = await connection.execute(_REFUSED, (inbox.topic_id, inbox.partition, since))
            return {(int(offset), int(position)) for offset, position in await cursor.fetchall()}

    async def refuse(self, refused: Mapping[TopicPartition, Sequence[RejectedRow]]) -> int:
        """Keep what was refused, once; how many rows are new."""
        new = 0
        async with self._connections.connection() as connection, connection.transaction():
            for inbox, rows in refused.items():
                await rejected.clear(connection)
                new += await rejected.insert(connection, inbox, rows)
        return new

    async def note(self, signs: Mapping[str, gateway_state.Sign]) -> None:
        """Keep what came of gateways."""
        if not signs:
            return
        async with self._connections.connection() as connection, connection.transaction():
            await gateway_state.note(connection, signs)
