"""Report on registers without a declared full scale or rate in a ledger."""

from typing import Final

import numpy as np

from analytics.domain.ledger import OPEN_END, Ledger
from analytics.domain.words import Phrase

__all__ = ["bounds"]

_NAMED: Final = 5


def bounds(ledger: Ledger) -> list[Phrase]:
    """Which meters have no bound, and what a bound gives that readings cannot."""
    made = ledger.installations
    there = made.installed_to == OPEN_END
    bare = there & np.isnan(made.max_rate)
    found = []
    if bare.any():
        count, of = int(bare.sum()), int(there.sum())
        named = ", ".join(ledger.meter_nos[m] for m in made.meter[bare][:_NAMED].tolist()) + (
            ", …" if count > _NAMED else ""
        )
        found.append(
            Phrase(
                zh=f"{of} 台计量器具中有 {count} 台未填最大速率（{named}）："
                "由各自的历史读数学习，超出的增量须经后续读数确认",
                en=f"no max_rate for {count} of {of} meters ({named}): the highest rate is learnt from their own "
                "readings, and a rise beyond it waits for the next ones",
            )
        )
    turns = there & (made.max_rate * (made.interval_us / 3.6e9) >= made.full_scale)
    found += [
        Phrase(
            zh=f"{ledger.meter_nos[made.meter[i]]} 在两次读数之间可能过零不止一次：消费量只能确定到整圈",
            en=f"meter {ledger.meter_nos[made.meter[i]]} may pass its full_scale more than once between two readings: "
            "its totals are known but for whole turns of the dial",
        )
        for i in np.flatnonzero(turns)[:_NAMED].tolist()
    ]
    return found
