"""Documents of standards and rules in the database: as loaded, the latest of each kind and name in force."""

import hashlib
from collections.abc import Mapping
from typing import Final

import psycopg

from analytics.standards.documents import Document, Standards
from analytics.standards.facts.tariffs import Tariff, TariffKey, whole_sets
from ingest.standard_files import parse_standard, standards_from
from streams.store.factors import convert_past

__all__ = ["StoredDocument", "load_document", "newest_document", "read_documents", "read_standards"]

_LOCK: Final = "select pg_advisory_xact_lock(x'6d770007'::int4)"
_NEWEST: Final = "select coalesce(max(id), 0) from standard_document"
_ALL: Final = "select id, kind, name, source, content, loaded_at::text from standard_document order by id"
_SAME: Final = """
select sha256 = %s from standard_document where kind = %s and name = %s order by id desc limit 1
"""
_INSERT: Final = """
insert into standard_document (kind, name, source, content, sha256) values (%s, %s, %s, %s, %s) returning id
"""

_TARIFF: Final = """
insert into tariff (unit_code, unit_id, carrier, since, period, hours, price, unit, currency, source)
values (%s, (select id from unit where code = %s), %s, %s::date, %s, %s, %s, %s, %s, %s)
"""


class StoredDocument:
    """A document and when it came."""

    __slots__ = ("document", "loaded_at", "number", "source")

    def __init__(self, *, number: int, document: Document, source: str, loaded_at: str) -> None:
        self.number = number
        self.document = document
        self.source = source
        self.loaded_at = loaded_at


async def newest_document(connection: psycopg.AsyncConnection) -> int:
    """Number of the document loaded last, 0 for none."""
    row = await (await connection.execute(_NEWEST)).fetchone()
    assert row is not None, "an aggregate always has a row"
    return int(row[0])


async def read_documents(connection: psycopg.AsyncConnection) -> tuple[StoredDocument, ...]:
    """All documents in the order in which they were loaded."""
    cursor = await connection.execute(_ALL)
    return tuple(
        StoredDocument(
            number=number, document=parse_standard(content, source=source), source=source, loaded_at=loaded_at
        )
        for number, _, _, source, content, loaded_at in await cursor.fetchall()
    )


async def read_standards(connection: psycopg.AsyncConnection) -> Standards:
    """Standards and rules in force."""
    return standards_from([one.document for one in await read_documents(connection)])


async def load_document(connection: psycopg.AsyncConnection, document: Document, text: str, source: str) -> int:
    """Put a document in force; its number, 0 where the one in force says the same.

    Factors convert what was totalled before them as well; tariffs go into a table, for what is asked by SQL.

    Raises
    ------
    ConfigurationError
        With every fault, also of what it does together with the others; nothing is loaded.
    """
    async with connection.transaction():
        await connection.execute(_LOCK)
        known = [one.document for one in await read_documents(connection)]
        judged = standards_from([*known, document])
        digest = hashlib.sha256(text.encode()).digest()
        row = await (await connection.execute(_SAME, (digest, document.kind, document.name))).fetchone()
        if row is not None and row[0]:
            return 0
        cursor = await connection.execute(_INSERT, (document.kind, document.name, source, text, digest))
        made = await cursor.fetchone()
        assert made is not None, "returning gives a row"
        if document.kind == "facts":
            await _keep_tariffs(connection, judged.facts.tariffs)
        if document.kind == "factors":
            await convert_past(connection, standards_from(known).factors, judged.factors)
        return int(made[0])


async def _keep_tariffs(connection: psycopg.AsyncConnection, tariffs: Mapping[TariffKey, Tariff]) -> None:
    await connection.execute("delete from tariff")
    rows = [
        (code, code, carrier, f"{since}-01", period, hours, one.price, one.unit, one.currency, one.source)
        for (code, carrier, since, period), one, hours in whole_sets(tariffs)
    ]
    async with connection.cursor() as cursor:
        await cursor.executemany(_TARIFF, rows)
