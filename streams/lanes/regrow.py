"""More partitions: the units of a topic spread anew, their states moved, in one transaction.

A unit's partition is its code's hash among their number, so where Kafka has more of them most units move. Until they
are moved here, workers refuse the topic. What still lies in a former partition is passed on to the unit's own one.
"""

import logging
from collections.abc import Callable
from uuid import UUID

from analytics.domain.errors import ConfigurationError
from streams.lanes.restore import bring_up, gather, open_snapshot
from streams.lanes.workshop import Workshop
from streams.store.partitions import TimescaleStore

__all__ = ["regrow"]

log = logging.getLogger("metering.regrow")


async def regrow(
    shop: Workshop, store: TimescaleStore, topic: str, topic_id: UUID, partitions: int, say: Callable[[str], None]
) -> int:
    """Spread the units of a topic over so many partitions; over how many they were spread before.

    All or nothing: where it breaks off, everything is as it was.

    Parameters
    ----------
    say : callable
        Gets a line at each step.
    """
    async with store.regrowing(topic, topic_id) as moving:
        if partitions < moving.partitions:
            raise ConfigurationError(f"partitions can only grow: must be above {moving.partitions} (got {partitions})")
        if partitions == moving.partitions:
            return moving.partitions
        states = []
        for one in moving.left:
            stored, state = await open_snapshot(shop, one)
            count = await bring_up(shop, state, stored, one.partition)
            states.append(state)
            say(f"partition {one.partition.partition}: state of {len(state.points)} points, {count} readings since")
        version = max((one.snapshot.ledger_version for one in moving.left), default=0)
        for number in range(partitions) if states else ():
            stored = await shop.ledger(version, number, partitions)
            made = await shop.in_thread(gather, states, stored, shop, number, partitions)
            await moving.take(number, version, await shop.in_thread(made.to_bytes))
            say(f"partition {number} of {partitions}: {len(made.points)} points")
        await moving.lay(partitions, f"units moved from {moving.partitions} to {partitions} partitions")
        return moving.partitions
