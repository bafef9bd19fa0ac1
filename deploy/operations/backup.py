"""A backup of an instance while it runs: the database as it is at one instant, fence and results together.

The copy of the embedded PostgreSQL is physical (`pg_basebackup`). A database of somebody else's is copied table by
table (`deploy.operations.tables`), for which its owner needs no more rights than for work.
"""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psycopg
from kafka.errors import KafkaError
from psycopg.conninfo import conninfo_to_dict

from analytics.domain.errors import MeterwardenError
from deploy.operations.archive import BASE, SECRETS, SUFFIX, Manifest, opened
from deploy.operations.tables import Copied, copy_out, snapshot
from deploy.settings import Settings, environment
from deploy.stack import Stack
from deploy.stack.places import Places
from deploy.stack.prefix import prefix
from ingest.wire import READINGS_TOPIC
from streams.source.broker import Broker
from streams.store.postgres.connections import connected_blocking

__all__ = ["back_up"]

_CHUNK: Final = 1 << 20
_SIZE: Final = "select sum(pg_database_size(oid))::int8 from pg_database"
_SLOT: Final = "select pg_create_physical_replication_slot(%s, true, true)"
_FACTS: Final = """
select current_setting('server_version'), (select extversion from pg_extension where extname = 'timescaledb'),
    (select array_agg(name order by number) from schema_migration)
"""
_NOTE: Final = "insert into backup_made (made_at, bytes, kept_s) values (%s, %s, %s)"
_FENCES: Final = "select topic, partition, next_offset from stream_fence order by topic, partition, assigned_at"
_KEPT_OUT: Final = ("_DATABASE", "_KAFKA", "_PASSWORD", "_SETTINGS")
"""Endings of settings that are addresses or passwords, which belong to the machine."""


def back_up(settings: Settings, folder: Path, *, report: Callable[[int, int], None]) -> tuple[Path, Manifest]:
    """Write a backup into a folder; its file, and what it is of.

    Parameters
    ----------
    report : callable
        Gets how much was read, and about how much there is, a few times a second. [byte]

    Raises
    ------
    MeterwardenError
        Where it does not run, or the backup cannot be written; then nothing is left of it.
    """
    stack = Stack(settings)
    kept_s = _kept_s(stack)
    with connected_blocking(stack.dsn, "backup") as connection:
        path, manifest = _copied(connection, settings, folder, kept_s, report)
        connection.execute(_NOTE, (manifest.made_at, path.stat().st_size, kept_s))
    return path, manifest


def _copied(
    connection: psycopg.Connection,
    settings: Settings,
    folder: Path,
    kept_s: float | None,
    report: Callable[[int, int], None],
) -> tuple[Path, Manifest]:
    stack, places = Stack(settings), Places.of(settings)
    with _written(folder) as path, opened(path) as writer:
        if settings.database.dsn is not None:
            with snapshot(connection):
                made_at = datetime.now(UTC)
                copied = copy_out(connection, writer, report)
                manifest = _manifest(connection, settings, made_at, kept_s, copied)
        else:
            slot = f"meterwarden_backup_{os.getpid()}"
            connection.execute(_SLOT, (slot,))  # what is written meanwhile is kept until it was copied
            with writer.file(BASE) as stream:
                for data in _base(settings, stack.dsn, total=_number(connection, _SIZE), report=report):
                    stream.write(data)
            manifest = _manifest(connection, settings, datetime.now(UTC), kept_s)
        for file in sorted((places.home / "secrets").glob("*")):
            if file.is_file() and file.suffix not in {".new", ".next"}:
                with writer.file(SECRETS + file.name) as stream:
                    stream.write(file.read_bytes())
        writer.finish(manifest)
    return path, manifest


@contextmanager
def _written(folder: Path) -> Iterator[Path]:
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}{SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield path
    except OSError as error:
        raise MeterwardenError(f"{path} cannot be written: {error.strerror or error}") from None


def _base(settings: Settings, dsn: str, *, total: int, report: Callable[[int, int], None]) -> Iterator[bytes]:
    """The tar that `pg_basebackup` writes, with the log of what was committed meanwhile and a manifest of its own."""
    program = prefix(settings.cache, mirror=settings.apt_mirror).bin / "pg_basebackup"
    parts = conninfo_to_dict(dsn)
    command = [
        str(program), "--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast", "--no-password",
        "--manifest-checksums=SHA256", f"--host={parts['host']}", f"--port={parts['port']}",
        f"--username={parts['user']}",
    ]  # fmt: skip
    environ = {"PATH": os.defpath, "LANG": "C.UTF-8", "PGPASSWORD": str(parts["password"])}
    read = 0
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env=environ
        ) as running,
    ):
        assert running.stdout is not None, "it is a pipe"
        try:
            while data := running.stdout.read(_CHUNK):
                read += len(data)
                report(read, max(total, read))
                yield data
        except BaseException:
            running.kill()
            raise
        if running.wait() != 0:
            said.seek(0)
            last = said.read().decode(errors="replace").strip().splitlines()[-1:] or ["it says nothing"]
            raise MeterwardenError(f"the database could not be copied: {last[0]}")
    report(read, read)


def _manifest(
    connection: psycopg.Connection,
    settings: Settings,
    made_at: datetime,
    kept_s: float | None,
    copied: Copied | None = None,
) -> Manifest:
    row = connection.execute(_FACTS).fetchone()
    assert row is not None, "such a query always has a row"
    fences: dict[str, dict[str, int]] = {}
    for topic, partition, offset in connection.execute(_FENCES):
        fences.setdefault(topic, {})[str(partition)] = offset  # the newest incarnation comes last
    shown = {name: value for name, value in environment(settings).items() if not name.endswith(_KEPT_OUT)}
    return Manifest(
        made_at=made_at,
        kept_s=kept_s,
        version=version("meterwarden"),
        postgresql=str(row[0]).split(maxsplit=1)[0],
        timescaledb=str(row[1]),
        migrations=tuple(row[2] or ()),
        fences=fences,
        settings=shown,
        tables=copied.tables if copied else (),
        sequences=copied.sequences if copied else {},
    )


def _number(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return 0 if row is None else int(row[0])


def _kept_s(stack: Stack) -> float | None:
    """How long Kafka keeps readings; None where it does not say, or keeps them for ever. [s]"""
    broker = Broker(stack.access, client="meterwarden-backup")
    try:
        return asyncio.run(broker.kept_s(READINGS_TOPIC))
    except (KafkaError, OSError):
        return None
    finally:
        broker.close()
