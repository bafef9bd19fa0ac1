"""Uploaded files are kept as they came, for a month, and within the room that each person has."""

from typing import Final

import psycopg

from analytics.domain.errors import MeterwardenError
from streams.alerts.people import rows

__all__ = ["ROOM", "make_room"]

ROOM: Final = 300 * 2**20
"""Bytes of files that are kept of a person at once: a disk is not filled by one who uploads again and again."""
_LOOKED_AT: Final = 20
"""Files kept of a person that were looked at and nothing came of."""
_PRUNED: Final = """
delete from sign_in.upload
where uploaded_at < now() - interval '31 days' or id in (
    select id from sign_in.upload
    where person_id = %(person)s and kind = %(kind)s and decided_at is null and submitted_at is null
    order by id desc offset %(kept)s
)
"""
_HELD: Final = "select coalesce(sum(octet_length(content)), 0) as bytes from sign_in.upload where person_id = %s"


class NoRoom(MeterwardenError):  # noqa: N818 - named after what is the matter
    """A file for which its person has no room left."""


async def make_room(connection: psycopg.AsyncConnection, person_id: int, kind: str, size: int) -> None:
    """Forget files that are old, and those beyond the newest few that nothing came of; raises `NoRoom`.

    Parameters
    ----------
    kind : str
        ``ledger`` or ``readings``.
    size : int
        Of the file that comes. [B]
    """
    await connection.execute(_PRUNED, {"person": person_id, "kind": kind, "kept": _LOOKED_AT - 1})
    [held] = await rows(connection, _HELD, (person_id,))
    if held["bytes"] + size > ROOM:
        raise NoRoom(
            f"the files of a person within 31 days must have at most {ROOM} bytes"
            f" (got {size} more beside {held['bytes']}); larger amounts go by `meterwarden ingest`"
        )
