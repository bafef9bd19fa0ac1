"""Detection of file types by content: text, workbook, parquet, compressed or not; refusals state what would help."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from analytics.domain.errors import MeterwardenError

__all__ = ["DAMAGED", "Content", "Kind", "UnreadableFile", "contents"]

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_PACKED: tuple[tuple[bytes, str], ...] = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"))
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"7z\xbc\xaf\x27\x1c", "a .7z archive (pack it as .zip)"),
    (b"Rar!", "a .rar archive (pack it as .zip)"),
    (b"%PDF", "a PDF page (export the table as .xlsx or .csv)"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
_MAX_MEMBERS = 10_000
_NO_TABLES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".ico", ".db", ".ini", ".lnk"})
"""Pictures, and what a system keeps in its folders."""
DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
"""Exceptions raised on reading truncated or corrupted files."""


class UnreadableFile(MeterwardenError):  # noqa: N818 - named after what it is about
    """A file that cannot be used as it is; nothing of it was read in, and the message says what would help.

    Attributes
    ----------
    zh : str
        The message in Chinese, empty where there is none.
    """

    def __init__(self, message: str, *, zh: str = "") -> None:
        super().__init__(message)
        self.zh = zh


class Kind(Enum):
    """Type of a file's content."""

    TEXT = "text"
    JSON = "json"
    PARQUET = "parquet"
    WORKBOOK = "workbook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One file, or one member of an archive.

    Attributes
    ----------
    name : str
        File name; of a member, archive and member.
    stem : str
        Name without folders and endings.
    kind : Kind
    size : int
        Of the file on disk. [byte]
    opened : callable
        Opens it at its beginning, unpacked.
    told : callable
        Share of the file on disk that the last opened stream has read, 0 to 1.
    """

    name: str
    stem: str
    kind: Kind
    size: int
    opened: Callable[[], BinaryIO]
    told: Callable[[], float]


class _Inside(io.RawIOBase):
    """What is unpacked from other streams, closed together with them."""

    def __init__(self, inner: BinaryIO, *around: BinaryIO | zipfile.ZipFile) -> None:
        self._inner, self._around = inner, around

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._inner.read(size)

    def __next__(self) -> bytes:
        line = self._inner.readline()
        if not line:
            raise StopIteration
        return line

    def readline(self, size: int | None = -1) -> bytes:
        return self._inner.readline(-1 if size is None else size)

    def seekable(self) -> bool:
        return self._inner.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._inner.seek(offset, whence)

    def tell(self) -> int:
        return self._inner.tell()

    def close(self) -> None:
        self._inner.close()
        for one in self._around:
            one.close()
        super().close()


class _Source:
    """Bytes on disk or in memory, with the progress of the last opened stream."""

    def __init__(self, source: Path | bytes, name: str) -> None:
        self._source = source
        self.name = name
        self.size = max(len(source) if isinstance(source, bytes) else source.stat().st_size, 1)
        self._last: BinaryIO | None = None

    def opened(self) -> BinaryIO:
        self._last = io.BytesIO(self._source) if isinstance(self._source, bytes) else self._source.open("rb")
        return self._last

    def told(self) -> float:
        if self._last is None or self._last.closed:
            return 1.0
        return min(self._last.tell() / self.size, 1.0)


def contents(source: Path | bytes, name: str | None = None) -> list[Content]:
    """What a file holds: itself, or the members of an archive that may hold tables.

    Parameters
    ----------
    source : Path or bytes
        The file, or what was uploaded.
    name : str, optional
        What it is called; the name of the path without it.

    Raises
    ------
    UnreadableFile
        If it is of a kind that is not read, damaged, or an archive of nothing.
    OSError
        If it cannot be opened.
    """
    called = name or (source.name if isinstance(source, Path) else "upload")
    held = _Source(source, called)
    with held.opened() as file:
        head = file.read(4096)
    packed = next((kind for mark, kind in _PACKED if head.startswith(mark)), None)
    if packed is not None:
        return [_unpacked(held, packed)]
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(held)
    return [_plain(held, head)]


def _content(held: _Source, kind: Kind, opened: Callable[[], BinaryIO], inner: str = "") -> Content:
    name = f"{held.name}: {inner}" if inner else held.name
    return Content(name=name, stem=_stem(inner or held.name), kind=kind, size=held.size, opened=opened, told=held.told)


def _stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name.split(".")[0]


def _plain(held: _Source, head: bytes) -> Content:
    return _content(held, _kind(head, held.name, held.opened), held.opened)


def _unpacked(held: _Source, packed: str) -> Content:
    def opened() -> BinaryIO:
        raw = held.opened()
        inner = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}[packed](raw)  # type: ignore[operator]
        return _Inside(inner, raw)  # type: ignore[return-value]  # all three read alike

    try:
        with opened() as file:
            head = file.read(4096)
    except DAMAGED as error:
        raise UnreadableFile(f"{held.name}: must be a whole file (got {error})") from error
    return _content(held, _kind(head, held.name, opened), opened)


def _zipped(held: _Source) -> list[Content]:
    try:
        with held.opened() as raw, zipfile.ZipFile(raw) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            names = {one.filename for one in members}
            locked = any(one.flag_bits & 1 for one in members)
    except (zipfile.BadZipFile, OSError) as error:
        raise UnreadableFile(f"{held.name}: must be a whole archive or workbook (got {error})") from error
    if names & {"xl/workbook.xml", "xl/workbook.bin", "content.xml"}:
        return [_content(held, Kind.WORKBOOK, held.opened)]
    if locked:
        raise UnreadableFile(f"{held.name}: must be an archive without a password (got one with)")
    if len(members) > _MAX_MEMBERS:
        raise UnreadableFile(f"{held.name}: must hold at most {_MAX_MEMBERS} files (got {len(members)})")
    found = [_member(held, one.filename) for one in members if _counts(one.filename)]
    if not found:
        raise UnreadableFile(f"{held.name}: must hold a file of readings (got an archive with none)")
    return found


def _counts(name: str) -> bool:
    path = PurePosixPath(name)
    return (
        not path.name.startswith((".", "~$")) and "__MACOSX" not in path.parts and path.suffix.lower() not in _NO_TABLES
    )


def _member(held: _Source, inner: str) -> Content:
    def opened() -> BinaryIO:
        raw = held.opened()
        archive = zipfile.ZipFile(raw)
        return _Inside(archive.open(inner), archive, raw)  # type: ignore[arg-type,return-value]  # reads like a file

    try:
        with opened() as file:
            head = file.read(4096)
    except (*DAMAGED, NotImplementedError) as error:  # the latter: a method that zipfile has not, as Windows' Deflate64
        raise UnreadableFile(f"{held.name}: {inner} must be readable (got {error})") from error
    shown = inner if inner.isascii() else _mended(inner)
    if inner.lower().endswith(".zip") and head.startswith(b"PK"):
        raise UnreadableFile(
            f"{held.name}: must hold tables (got another archive in it, {shown}: unpack it first; "
            f"压缩包内又有压缩包，请先解压)"
        )
    return _content(held, _kind(head, f"{held.name}: {shown}", opened), opened, shown)


def _mended(name: str) -> str:
    """Name of a member that a Chinese Windows wrote: its bytes are GBK, which the archive does not say."""
    try:
        return name.encode("cp437").decode("gb18030")
    except UnicodeError:
        return name


def _kind(head: bytes, name: str, opened: Callable[[], BinaryIO]) -> Kind:
    if head.startswith(b"PAR1"):
        return Kind.PARQUET
    if head.startswith(b"PK\x03\x04"):
        return Kind.WORKBOOK
    if head.startswith(_OLE):
        raise UnreadableFile(f"{name}: {_old_workbook(opened)}")
    foreign = next((what for mark, what in _FOREIGN if head.startswith(mark)), None)
    if foreign is not None:
        raise UnreadableFile(f"{name}: must be a table such as .csv or .xlsx (got {foreign})")
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    lower = text[:512].lower()
    if lower.startswith((b"<html", b"<!doctype", b"<table", b"<?xml", b"<meta", b"<style")) or b"<table" in lower:
        raise UnreadableFile(
            f"{name}: must be an .xlsx workbook or a .csv file (got a web page, whatever its name ends in: "
            f"open it in a spreadsheet and save it as .xlsx; 请用表格软件打开后另存为 .xlsx)"
        )
    of_lines = name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson"))
    return Kind.JSON if of_lines or text[:1] in {b"{", b"["} else Kind.TEXT


def _old_workbook(opened: Callable[[], BinaryIO]) -> str:
    with opened() as file:
        if _ENCRYPTED in file.read(1 << 20):
            return "must be a workbook without a password (got one with: 请取消密码后另存)"
    return (
        "must be an .xlsx workbook or a .csv file (got an old .xls workbook: open it in a spreadsheet and save it as "
        ".xlsx; 旧版 .xls 工作簿，请另存为 .xlsx)"
    )
