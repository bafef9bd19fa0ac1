"""A person's word on a difference that nobody could explain, as a version of the ledger."""

import json
from datetime import datetime
from typing import Final, NamedTuple

import psycopg

from analytics.domain.errors import RegistryError
from analytics.domain.ledger import Ledger, LedgerRows
from analytics.domain.ledger.decision import decided, undecided
from streams.store.ledger import LoadReport, Origin, load_ledger, read_ledger

__all__ = ["Decision", "decide", "decisions"]

_DECIDED: Final = "select loaded_at, source from ledger_version where starts_with(source, %s) order by id"
_UNDONE: Final = "undone by "


class Decision(NamedTuple):
    """What was decided last of a difference.

    Attributes
    ----------
    at : datetime
        When the dial was first read after the jump.
    what : str
        Who decided what, and why.
    loaded_at : datetime
    """

    meter_no: str
    at: datetime
    what: str
    loaded_at: datetime

    @property
    def stands(self) -> bool:
        """Whether it can be taken back."""
        return not self.what.startswith(_UNDONE)


_JUMP: Final = """
select (d.evidence ->> 'before')::float8, (d.evidence ->> 'at')::float8
from detection d
join unit u on u.id = d.unit_id
join meter m on m.id = d.meter_id
where d.kind = 'jump' and d.state <> 'withdrawn' and d.unexplained > 0
    and u.code = %s and m.meter_no = %s and d.started_at = %s
"""


async def decisions(connection: psycopg.AsyncConnection, unit_code: str) -> list[Decision]:
    """The last word on each difference of a unit, the newest first."""
    begin = f"difference {_named(unit_code)[:-1]}, "
    last: dict[tuple[str, datetime], Decision] = {}
    for loaded_at, source in await (await connection.execute(_DECIDED, (begin,))).fetchall():
        (_, meter_no), end = json.JSONDecoder().raw_decode(source, len("difference "))
        text, _, what = source[end + 1 :].partition(" ")
        one = Decision(meter_no, datetime.fromisoformat(text), what, loaded_at)
        last.pop((meter_no, one.at), None)
        last[meter_no, one.at] = one
    return list(reversed(last.values()))


def _named(*words: str) -> str:
    return json.dumps(words, ensure_ascii=False)


async def decide(
    connection: psycopg.AsyncConnection,
    unit_code: str,
    meter_no: str,
    at: datetime,
    what: str,
    *,
    count: bool | None,
    by: str = "",
) -> LoadReport:
    """Count a difference as used, leave it out, or (None) take back what was decided.

    Parameters
    ----------
    at : datetime
        When the dial was first read after the jump.
    what : str
        Who decided what, and why; kept with the ledger.

    Raises
    ------
    RegistryError
        If no such difference waits.
    ConfigurationError
        If it cannot be taken back, for nothing was decided.
    """
    stored = await read_ledger(connection, None, lambda code: code == unit_code)
    at_us = round(at.timestamp()) * 1_000_000
    if count is None:
        rows: LedgerRows = undecided(stored.ledger.rows, unit_code=unit_code, meter_no=meter_no, at_us=at_us)
    else:
        row = await (await connection.execute(_JUMP, (unit_code, meter_no, at))).fetchone()
        if row is None:
            raise RegistryError(
                f"a difference of {unit_code} {meter_no} at {at:%Y-%m-%d %H:%M:%S} must be listed (got none)"
            )
        before, after = float(row[0]), float(row[1])
        rows = decided(
            stored.ledger.rows, unit_code=unit_code, meter_no=meter_no, at_us=at_us, before=before, after=after,
            count=count,
        )  # fmt: skip
    source = f"difference {_named(unit_code, meter_no)} {at.isoformat()} {what}"
    origin = Origin(by=by, over=stored.version)
    return await load_ledger(connection, Ledger.from_rows(rows), source, correct=count is None, origin=origin)
