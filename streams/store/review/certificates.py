"""Certificates in the database: entered all at once or not at all, withdrawn and never deleted, with their scans.

What a certificate says of how long a meter may be used is written to `verification` in the same transaction.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import psycopg

from analytics.domain.errors import RegistryError
from analytics.review.certificates import Certificate
from streams.store.postgres.reading import rows_of
from streams.store.review.attachments import LARGEST_FILE, media_type

__all__ = ["add_certificates", "attach_scan", "certificates", "due_meters", "read_scan", "withdraw"]

_LOCK: Final = "select pg_advisory_xact_lock(x'6d77000b'::int4)"
_UNITS: Final = "select code, id from unit where code = any(%s)"
_METERS: Final = "select unit_id, meter_no, id from meter where unit_id = any(%s)"
_ADD: Final = """
insert into certificate (unit_id, meter_no, kind, number, body, verified_on, conclusion, due, accuracy_class, note,
                         entered_by)
values (%(unit_id)s, %(meter_no)s, %(kind)s, %(number)s, %(body)s, %(verified_on)s, %(conclusion)s, %(due)s,
        %(accuracy_class)s, %(note)s, %(by)s)
on conflict (unit_id, meter_no, number, verified_on) where withdrawn_at is null do nothing
returning id
"""
_HOLDS: Final = """
insert into verification (meter_id, unit_id, verified_on, cycle_months, verification_due, certificate_id, failed)
select %(meter_id)s, %(unit_id)s, %(verified_on)s,
       case when extract(day from age(%(due)s::date + 1, %(verified_on)s::date)) = 0 then
           (extract(year from age(%(due)s::date + 1, %(verified_on)s::date)) * 12
            + extract(month from age(%(due)s::date + 1, %(verified_on)s::date)))::int4 end,
       case when %(failed)s then %(verified_on)s::date - 1 else %(due)s::date end, %(id)s, %(failed)s
on conflict (meter_id, verified_on, verification_due) do nothing
"""
_LIST: Final = """
select id, unit_code, meter_no, cycle, kind, number, body, verified_on, conclusion, due, accuracy_class, scan,
       entered_by
from certificate_list
where (%(unit)s::text is null or unit_code = %(unit)s) and (%(meter)s::text is null or meter_no = %(meter)s)
    and (%(every)s or cycle <= 2)
order by unit_code, meter_no, cycle limit 5000
"""
_DUE: Final = """
select s.unit_code, s.unit_name, s.meter_no, s.name, s.place, s.state, s.verification_due, s.days_left,
       coalesce(c.held, 0)::int4 as certificates, c.body
from verification_state s
left join (
    select unit_id, meter_no, count(*) as held, max(body) filter (where cycle = 1) as body
    from certificate_list group by unit_id, meter_no
) c on (c.unit_id, c.meter_no) = (s.unit_id, s.meter_no)
where (%(unit)s::text is null or s.unit_code = %(unit)s) and s.status <> 'out_of_use'
    and (s.verification_due is null or s.days_left < %(days)s)
order by s.days_left nulls last, s.unit_code, s.meter_no
"""
_WITHDRAW: Final = """
update certificate set withdrawn_by = %(by)s, withdrawn_at = clock_timestamp(), withdrawn_reason = %(reason)s
where id = %(id)s and withdrawn_at is null
"""
_STANDS: Final = """
update verification v set certificate_id = o.id
from certificate w join certificate o using (unit_id, meter_no, verified_on)
where w.id = %(id)s and v.certificate_id = w.id and o.withdrawn_at is null and v.failed = (o.conclusion = 'failed')
    and (v.failed or v.verification_due = o.due)
"""
_SCAN: Final = """
insert into certificate_scan (certificate_id, unit_id, name, media_type, sha256, content, entered_by)
select id, unit_id, %(name)s, %(type)s, %(sha256)s, %(content)s, %(by)s from certificate where id = %(id)s
on conflict do nothing
"""


async def add_certificates(
    connection: psycopg.AsyncConnection,
    entered: Sequence[Certificate],
    by: str,
    *,
    others: Collection[tuple[str, str]] = (),
    own: str | None = None,
) -> list[int]:
    """Enter certificates; their ids, 0 for one that is there already. In the caller's transaction.

    Parameters
    ----------
    entered : sequence of Certificate
        Checked by `analytics.review.certificates.faults_of`.
    by : str
        Who enters them.
    others : collection of (unit code, management number)
        Instruments that stand at no metering point (form B.7).
    own : str, optional
        Code of the unit whose person it is; certificates of other units are refused.

    Raises
    ------
    RegistryError
        With every unit and meter that is not known; nothing is entered.
    """
    await connection.execute(_LOCK)
    codes = sorted({one.unit_code for one in entered})
    units: dict[str, int] = dict(await (await connection.execute(_UNITS, (codes,))).fetchall())
    found = await (await connection.execute(_METERS, (list(units.values()),))).fetchall()
    meters = {(unit, number): meter for unit, number, meter in found}
    faults = []
    for one in entered:
        if one.unit_code not in units or own not in {None, one.unit_code}:
            faults.append(f"certificate {one.number}: unit_code must be one of the ledger (got {one.unit_code!r})")
        elif (units[one.unit_code], one.meter_no) not in meters and (one.unit_code, one.meter_no) not in others:
            wanted = f"meter_no must be one of the ledger of {one.unit_code}"
            faults.append(f"certificate {one.number}: {wanted} (got {one.meter_no!r})")
    if faults:
        raise RegistryError("\n".join(faults))
    return [await _add(connection, one, units[one.unit_code], meters, by) for one in entered]


async def _add(
    connection: psycopg.AsyncConnection, one: Certificate, unit: int, meters: Mapping[tuple[int, str], int], by: str
) -> int:
    row = await (await connection.execute(_ADD, {**asdict(one), "unit_id": unit, "by": by})).fetchone()
    if row is None:
        return 0
    meter, failed = meters.get((unit, one.meter_no)), one.conclusion == "failed"
    if meter is not None and (failed or one.due is not None):
        facts = {"meter_id": meter, "unit_id": unit, "id": row[0], "failed": failed}
        await connection.execute(_HOLDS, {**facts, "verified_on": one.verified_on, "due": one.due})
    return int(row[0])


async def attach_scan(connection: psycopg.AsyncConnection, identity: int, name: str, content: bytes, by: str) -> None:
    """Attach the scan of a certificate, which stays as it is; in the caller's transaction.

    Raises
    ------
    RegistryError
        For a file that is too large, or neither JPEG, PNG nor PDF by its first bytes; where there is no such
        certificate, and where it has another scan.
    """
    kind = media_type(content)
    if kind is None:
        raise RegistryError(f"{name!r} must be a JPEG, PNG or PDF file (got bytes that begin with {content[:8]!r})")
    if len(content) > LARGEST_FILE:
        raise RegistryError(f"{name!r} must have at most {LARGEST_FILE} bytes (got {len(content)})")
    digest = hashlib.sha256(content).digest()
    facts = {"id": identity, "name": name, "type": kind, "sha256": digest, "content": content, "by": by}
    if (await connection.execute(_SCAN, facts)).rowcount == 1:
        return
    query = "select sha256 from certificate_scan where certificate_id = %s"
    row = await (await connection.execute(query, (identity,))).fetchone()
    if row is None:
        raise RegistryError(f"a scan must be of a certificate that is there (got {identity})")
    if bytes(row[0]) != digest:
        raise RegistryError(f"certificate {identity} must have one scan (it has another: withdraw it, enter it again)")


async def withdraw(connection: psycopg.AsyncConnection, identity: int, by: str, reason: str) -> None:
    """Take back a certificate that was entered by mistake; it stays on file. In the caller's transaction.

    What it said of its meter stays where another certificate that stands says the same. Raises `RegistryError` where
    there is none that stands.
    """
    if not reason.strip():
        raise RegistryError("reason must be given (got nothing)")
    await connection.execute(_LOCK)
    taken = await connection.execute(_WITHDRAW, {"id": identity, "by": by, "reason": reason})
    if taken.rowcount != 1:
        raise RegistryError(f"a certificate must be one that stands (got {identity})")
    await connection.execute(_STANDS, {"id": identity})
    await connection.execute("delete from verification where certificate_id = %s", (identity,))


async def read_scan(connection: psycopg.AsyncConnection, identity: int) -> tuple[str, bytes]:
    """Name and content of a certificate's scan; raises `RegistryError` where it has none."""
    query = "select name, content from certificate_scan where certificate_id = %s"
    row = await (await connection.execute(query, (identity,))).fetchone()
    if row is None:
        raise RegistryError(f"a scan must be one that was attached (certificate {identity} has none)")
    return str(row[0]), bytes(row[1])


async def certificates(
    connection: psycopg.AsyncConnection, *, unit: str | None = None, meter: str | None = None, every: bool = False
) -> list[dict[str, Any]]:
    """Certificates that stand, the newest first by instrument: the last two of each, or every one."""
    return await rows_of(connection, _LIST, {"unit": unit, "meter": meter, "every": every})


async def due_meters(
    connection: psycopg.AsyncConnection, *, days: int, unit: str | None = None
) -> list[dict[str, Any]]:
    """Meters in use that are past their verification or will be within some days, or of which nothing is known."""
    return await rows_of(connection, _DUE, {"unit": unit, "days": days})
