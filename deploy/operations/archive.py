"""A backup as one file: the database's files, its secrets and settings, and a manifest with a checksum of each.

The file is a zip (64 bit) that can be written in one go and whose end is its list of contents, so one that was cut
short is known at once. It is readable by its owner alone.
"""

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from analytics.domain.errors import MeterwardenError

__all__ = [
    "BASE",
    "SECRETS",
    "SUFFIX",
    "BackupDamaged",
    "Manifest",
    "Writer",
    "checked",
    "files_of",
    "manifest_of",
    "opened",
    "reading",
]

BASE: Final = "base.tar"
SECRETS: Final = "secrets/"
SUFFIX: Final = ".meterwarden-backup"
_MANIFEST: Final = "manifest.json"
_FORMAT: Final = 1
_CHUNK: Final = 1 << 20


class BackupDamaged(MeterwardenError):  # noqa: N818 - named after what it is
    """The file is not what was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Contents of a backup.

    Attributes
    ----------
    made_at : datetime
        When its last byte of the database was read; what was committed later is not in it.
    kept_s : float or None
        How long Kafka keeps what was sent; a backup that is older cannot be brought up to now from Kafka. [s]
    version, postgresql, timescaledb : str
    migrations : tuple of str
        Names of the schema's steps.
    fences : mapping
        Where the fence of each partition stood, by topic.
    settings : mapping
        The settings by their variables; without passwords and addresses.
    sums : mapping
        SHA-256 of each file within.
    tables : tuple of str
        Of a backup of tables, in the order in which they are put back; empty where it is of the database's files.
    sequences : mapping
        Of a backup of tables: the last number that each sequence has given.
    """

    made_at: datetime
    kept_s: float | None
    version: str
    postgresql: str
    timescaledb: str
    migrations: tuple[str, ...]
    fences: Mapping[str, Mapping[str, int]]
    settings: Mapping[str, str]
    sums: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    sequences: Mapping[str, int] = field(default_factory=dict)
    format: int = _FORMAT


class _Written(Protocol):
    def write(self, data: bytes, /) -> int:
        """Write."""


class _Summed:
    """A stream whose checksum is made on the way."""

    def __init__(self, stream: _Written) -> None:
        self._stream = stream
        self.sum = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sum.update(data)
        return self._stream.write(data)


class Writer:
    """A backup that is being written; see `opened`."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._sums: dict[str, str] = {}

    @contextmanager
    def file(self, name: str) -> Iterator[_Written]:
        """Write one file."""
        with self._archive.open(name, "w", force_zip64=True) as stream:
            summed = _Summed(stream)
            yield summed
        self._sums[name] = summed.sum.hexdigest()

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, last."""
        facts = asdict(manifest) | {"made_at": manifest.made_at.isoformat(), "sums": self._sums}
        self._archive.writestr(_MANIFEST, json.dumps(facts, indent=2, ensure_ascii=False))


@contextmanager
def opened(path: Path) -> Iterator[Writer]:
    """Write a backup for its owner alone; it has its name once it is whole and on the disk, or is gone."""
    draft = path.with_name(f".{path.name}.part")
    handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "w+b") as stream:
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                yield Writer(archive)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def manifest_of(path: Path) -> Manifest:
    """What a file says it is of.

    Raises
    ------
    BackupDamaged
        Where it is no backup, was cut short, or has a manifest that cannot be read.
    """
    with reading(path) as archive:
        try:
            facts: dict[str, Any] = json.loads(archive.read(_MANIFEST))
            facts["made_at"] = datetime.fromisoformat(facts["made_at"])
            for name in ("migrations", "tables"):
                facts[name] = tuple(facts.get(name, ()))
            manifest = Manifest(**facts)
        except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
            raise BackupDamaged(f"{path} must hold a manifest that can be read ({error!r})") from None
        if manifest.format != _FORMAT:
            raise BackupDamaged(f"{path} must be of format {_FORMAT} (it is {manifest.format})")
        inside = {name for name in archive.namelist() if name != _MANIFEST}
        if inside != set(manifest.sums) or (BASE not in inside and not manifest.tables):
            wrong = sorted(inside ^ set(manifest.sums)) or [BASE]
            raise BackupDamaged(f"{path} must hold the files of its manifest (it differs in {', '.join(wrong)})")
    return manifest


def files_of(path: Path, manifest: Manifest) -> dict[str, bytes]:
    """The small files, checked."""
    with reading(path) as archive:
        found = {}
        for name in sorted(name for name in manifest.sums if name.startswith(SECRETS)):
            with checked(archive, path, manifest, name) as stream:
                found[name] = stream.read()
        return found


class _Checking:
    """A file within, whose checksum is compared at its end."""

    def __init__(self, stream: BinaryIO, path: Path, name: str, wanted: str) -> None:
        self._stream = stream
        self._what = f"{name} in {path}"
        self._wanted = wanted
        self._sum = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._stream.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise BackupDamaged(f"{self._what} cannot be read: {error}") from None
        self._sum.update(data)
        return data

    def end(self) -> None:
        while self.read(_CHUNK):
            pass
        if self._sum.hexdigest() != self._wanted:
            raise BackupDamaged(
                f"{self._what} must have the checksum {self._wanted[:12]}… (it has {self._sum.hexdigest()[:12]}…)"
            )


@contextmanager
def checked(archive: zipfile.ZipFile, path: Path, manifest: Manifest, name: str) -> Iterator[_Checking]:
    """Read a file within; what was read must be what was written, or `BackupDamaged` is raised at its end."""
    with archive.open(name) as stream:
        checking = _Checking(stream, path, name, manifest.sums[name])  # type: ignore[arg-type]  # IO[bytes] reads alike
        yield checking
        checking.end()


@contextmanager
def reading(path: Path) -> Iterator[zipfile.ZipFile]:
    """A file as the zip it is."""
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise MeterwardenError(f"{path} cannot be read: {error.strerror}") from None
    except zipfile.BadZipFile:
        raise BackupDamaged(f"{path} must be a whole backup (its end is missing, or it is none)") from None
    with archive:
        yield archive
