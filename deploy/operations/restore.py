"""A backup put back: into an empty instance or database, or in place of what an instance holds. Kafka's log stays.

What Kafka holds above the restored fence is stored again by the workers, since fence and results are of one instant.
"""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final, cast

import psycopg

from analytics.domain.errors import ConfigurationError, MeterwardenError
from deploy.migrate import migrate, migrations, site_of
from deploy.operations.archive import (
    BASE,
    SECRETS,
    SUFFIX,
    BackupDamaged,
    Manifest,
    checked,
    files_of,
    manifest_of,
    reading,
)
from deploy.operations.tables import Copied, is_empty, put_in
from deploy.settings import Settings, environment
from deploy.stack import SERVERS, Stack
from deploy.stack.errors import StackError
from deploy.stack.places import Places, exclusive
from deploy.stack.postgres_server import ASIDE, PostgresServer
from deploy.stack.prefix import Prefix, prefix
from streams.store.postgres.connections import connected_blocking

__all__ = ["Restored", "newest", "put_back", "too_old"]

_CHECK_ALWAYS: Final = frozenset({"database_password", "database_roles"})
"""Secrets that belong to the database; others are put back where there are none."""
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """Result of a restore.

    Attributes
    ----------
    manifest : Manifest
    cluster : Path or None
        Where the database lies now; None for one of somebody else's.
    aside : Path or None
        Where what lay there before was put.
    settings : mapping
        Settings that differ from those of the backup: its value and ours.
    """

    manifest: Manifest
    cluster: Path | None
    aside: Path | None
    settings: Mapping[str, tuple[str, str]]


def newest(path: Path) -> Path:
    """A file, or the newest backup of a folder."""
    if not path.is_dir():
        return path
    found = sorted(path.glob(f"*{SUFFIX}"))
    if not found:
        raise MeterwardenError(f"{path} must hold a backup, a file that ends in {SUFFIX} (it holds none)")
    return found[-1]


def too_old(manifest: Manifest, now: datetime) -> timedelta | None:
    """By how much a backup is older than what Kafka keeps; None where it is not, or nobody knows."""
    if manifest.kept_s is None:
        return None
    over = now - manifest.made_at - timedelta(seconds=manifest.kept_s)
    return over if over > timedelta() else None


def put_back(
    settings: Settings, path: Path, *, replace: bool = False, report: Callable[[int], None] = lambda _read: None
) -> Restored:
    """Put a backup back; the instance must be down. Nothing is touched before all of the backup was read and checked.

    Parameters
    ----------
    replace : bool
        Whether a database that is there may be put aside.
    report : callable
        Gets how much was unpacked, a few times a second. [byte]

    Raises
    ------
    BackupDamaged
        Where the file is not what was written.
    ConfigurationError
        Where the backup is of the other kind of database, or of a newer version.
    StackError
        Where something runs, or a database is there that may not be replaced.
    """
    places = Places.of(settings)
    places.make()
    with exclusive(places.run / "lock", what="`meterwarden up` or `down`", timeout_s=10.0):
        _refuse_running(settings)
        manifest = manifest_of(path)
        small = files_of(path, manifest)
        if bool(manifest.tables) != (settings.database.dsn is not None):
            raise ConfigurationError(
                "a backup of tables must go into a database of METERWARDEN_DATABASE, one of files into the instance's "
                f"own (got one of {'tables' if manifest.tables else 'files'}; METERWARDEN_DATABASE is "
                f"{'set' if settings.database.dsn else 'not set'})"
            )
        if settings.database.dsn is not None:
            _put_tables(settings.database.dsn, settings, path, manifest, report)
            _write_secrets(places, small)
            return Restored(manifest=manifest, cluster=None, aside=None, settings=_others(manifest, settings))
        programs = prefix(settings.cache, mirror=settings.apt_mirror)
        _refuse_other_versions(manifest, programs)
        cluster = PostgresServer(settings, places).cluster
        if _holds_something(cluster) and not replace:
            raise StackError(f"{cluster} holds a database: add --replace to put it aside, and the backup in its place")
        draft = cluster.with_name(f"{cluster.name}.restored")
        with _unpacked(places, path, manifest, draft, report):
            _verify(programs, draft)
            aside = _exchange(cluster, draft)
        _write_secrets(places, small)
        (places.run / "postgresql.json").unlink(missing_ok=True)
    return Restored(manifest=manifest, cluster=cluster, aside=aside, settings=_others(manifest, settings))


def _put_tables(dsn: str, settings: Settings, path: Path, manifest: Manifest, report: Callable[[int], None]) -> None:
    """Copies of tables into a database that is there and holds nothing yet; the whole file is checked before."""
    ours = tuple(migration.name for migration in migrations())
    if manifest.migrations != ours:
        differing = ", ".join(sorted(set(ours) ^ set(manifest.migrations)))
        raise ConfigurationError(
            f"a backup of tables must be put back by the version that made it, {manifest.version}, and upgraded then "
            f"(they differ in {differing})"
        )
    with reading(path) as archive:
        for name in manifest.sums:
            with checked(archive, path, manifest, name):
                pass
    migrate(dsn, site=site_of(settings))
    copied = Copied(tables=manifest.tables, sequences=manifest.sequences)
    with connected_blocking(dsn, "restore") as connection:
        if not is_empty(connection):
            raise StackError(
                "the database of METERWARDEN_DATABASE must hold nothing yet: make a new one for the backup"
            )
        try:
            with reading(path) as archive:
                put_in(connection, copied, lambda name: checked(archive, path, manifest, name), report)
        except psycopg.Error as error:
            raise MeterwardenError(
                f"the backup could not be put into the database, which has to be made anew: {str(error).strip()}"
            ) from error


def _refuse_running(settings: Settings) -> None:
    servers = SERVERS if settings.database.dsn is not None else ()  # they stay: workers must not run
    running = [part.name for part in Stack(settings).status() if part.pids and part.name not in servers]
    if running:
        raise StackError(f"nothing of the instance may run ({', '.join(running)} does): run `meterwarden down` first")


def _refuse_other_versions(manifest: Manifest, programs: Prefix) -> None:
    unknown = sorted(set(manifest.migrations) - {migration.name for migration in migrations()})
    if unknown:
        raise ConfigurationError(
            f"the backup must not be of a newer version than this one (it has {unknown[-1]}, of {manifest.version})"
        )
    major = manifest.postgresql.partition(".")[0]
    library = programs.bin.parent / "lib" / f"timescaledb-{manifest.timescaledb}.so"
    if not (programs.root / f"root/usr/lib/postgresql/{major}").is_dir() or not library.exists():
        raise ConfigurationError(
            f"{programs.root} must hold PostgreSQL {major} with TimescaleDB {manifest.timescaledb}, as the backup does "
            "(it holds others): use the cache of the instance that it is of"
        )


def _holds_something(cluster: Path) -> bool:
    return cluster.is_dir() and any(cluster.iterdir())


@contextmanager
def _unpacked(
    places: Places, path: Path, manifest: Manifest, draft: Path, report: Callable[[int], None]
) -> Iterator[None]:
    """The database's files beside their place, whole and checked; gone again where something is wrong."""
    shutil.rmtree(draft, ignore_errors=True)
    try:
        places.make_own(draft)
        with reading(path) as archive, checked(archive, path, manifest, BASE) as stream:
            _unpack(cast("IO[bytes]", stream), path, draft, report)
        _hand_over(places, draft)
        yield
    except OSError as error:
        raise MeterwardenError(f"the backup cannot be unpacked to {draft}: {error.strerror}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _unpack(stream: IO[bytes], path: Path, draft: Path, report: Callable[[int], None]) -> None:
    read = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=_CHUNK) as tar:
            for member in tar:
                tar.extract(member, draft, filter="data")
                read += member.size
                report(read)
    except tarfile.TarError as error:
        raise BackupDamaged(f"{BASE} in {path} cannot be unpacked: {error}") from None


def _hand_over(places: Places, draft: Path) -> None:
    """Give the files to the server's account, their folders closed to others as PostgreSQL wants them."""
    account = places.account
    for folder, _, names in os.walk(draft):
        Path(folder).chmod(0o700)
        if account is not None:
            for name in (".", *names):
                os.lchown(Path(folder) / name, account.uid, account.gid)


def _verify(programs: Prefix, draft: Path) -> None:
    """PostgreSQL's own check of each file, and that the log it needs to become consistent is whole."""
    command = [str(programs.bin / "pg_verifybackup"), "--exit-on-error", "--quiet", str(draft)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.defpath})
    if result.returncode != 0:
        raise BackupDamaged(
            f"the database in the backup is not whole: {(result.stdout + result.stderr).strip()[-500:]}"
        )


def _exchange(cluster: Path, draft: Path) -> Path | None:
    aside = None
    if _holds_something(cluster):
        aside = cluster.with_name(f"{cluster.name}{ASIDE}{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        cluster.rename(aside)
    elif cluster.is_dir():
        cluster.rmdir()
    draft.rename(cluster)
    return aside


def _write_secrets(places: Places, small: Mapping[str, bytes]) -> None:
    folder = places.home / "secrets"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, content in small.items():
        file = folder / Path(name).name
        if not name.startswith(SECRETS) or (file.exists() and file.name not in _CHECK_ALWAYS):
            continue
        draft = file.with_suffix(".new")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        draft.replace(file)


def _others(manifest: Manifest, settings: Settings) -> dict[str, tuple[str, str]]:
    ours: dict[str, Any] = environment(settings)
    place = ("_PORT", "_HOME", "_CACHE", "_JAVA", "_MB", "_TIMEOUT_S", "_MIRROR")
    return {
        name: (value, ours.get(name, ""))
        for name, value in manifest.settings.items()
        if ours.get(name, "") != value and not name.endswith(place)
    }
