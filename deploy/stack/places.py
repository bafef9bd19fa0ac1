"""Where an instance keeps its things, and the system user its servers run as.

PostgreSQL refuses to run as root. So root runs both servers as the system user ``meterwarden``; anybody else runs
them as himself.
"""

import contextlib
import fcntl
import grp
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.settings import Settings
from deploy.stack.errors import DiskShort, StackError, ToolMissing
from deploy.stack.processes import Account

__all__ = ["ACCOUNT", "DiskUse", "Places", "disk_use", "exclusive", "require_disk", "service_account", "tool"]

ACCOUNT: Final = "meterwarden"
_OWN: Final = 0o700
_THROUGH: Final = 0o711
"""Of folders that the servers' account passes through to its own: it sees no names in them."""
_PROGRAMS: Final = 0o755
"""Of the cache: programs that anybody may have, and nothing of an instance."""
_OTHERS: Final = stat.S_IRWXO
_SEARCH: Final = os.defpath + ":/usr/local/bin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders of one instance.

    Everything belongs to who runs `up`, but for each server's own data and log folder, which belong to its account.
    """

    home: Path
    cache: Path

    @classmethod
    def of(cls, settings: Settings) -> "Places":
        """The folders of the instance that the settings describe."""
        return cls(home=settings.home, cache=settings.cache)

    @property
    def account(self) -> Account | None:
        """Who the servers run as: a system user when we are root (made when missing), None for ourselves."""
        return service_account()

    @property
    def logs(self) -> Path:
        """Output of every part."""
        return self.home / "logs"

    @property
    def run(self) -> Path:
        """Records of running processes."""
        return self.home / "run"

    @property
    def conf(self) -> Path:
        """Configuration files, written at every start."""
        return self.home / "conf"

    def data(self, part: str) -> Path:
        """Data of a server."""
        return self.home / "data" / part

    def record(self, part: str) -> Path:
        """The record of a part's process."""
        return self.run / f"{part}.json"

    def log(self, part: str) -> Path:
        """What a part printed."""
        return self.logs / f"{part}.log"

    def own_logs(self, part: str) -> Path:
        """The folder that a server itself writes its log to."""
        return self.logs / part

    def make(self) -> None:
        """Make the folders that all parts share."""
        try:
            self._make_shared(self.home, _THROUGH)
            for folder in (self.logs, self.conf, self.home / "data"):
                self._make_shared(folder, _THROUGH)
                self._close(folder, _THROUGH)
            self._make_shared(self.run, _OWN)
            self._close(self.run, _OWN)
            self._make_shared(self.cache, _PROGRAMS)
        except OSError as error:
            raise StackError(
                f"cannot make the folder {error.filename}: {error.strerror}; set METERWARDEN_HOME"
            ) from None
        for folder, setting in ((self.home, "METERWARDEN_HOME"), (self.cache, "METERWARDEN_CACHE")):
            self._require_reach(folder, setting)

    def write_conf(self, name: str, content: str | bytes) -> Path:
        """Write a configuration file that the servers' account and we can read, wherever the checkout is."""
        path = self.conf / name
        path.unlink(missing_ok=True)  # one of an earlier version may be open to everybody
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            if self.account is not None:
                os.fchown(handle, -1, self.account.gid)
                os.fchmod(handle, 0o640)
            stream.write(content.encode() if isinstance(content, str) else content)
        return path

    def write_own_conf(self, name: str, text: str) -> Path:
        """Write a configuration file that has a password in it: for the servers' account and its owner alone."""
        path = self.conf / name
        new = path.with_name(f"{name}.new")
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        if self.account is not None:
            os.chown(new, self.account.uid, self.account.gid)
        new.replace(path)
        return path

    def make_own(self, folder: Path) -> Path:
        """Make a folder that only a server reads and writes."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.account is not None and folder.stat().st_uid != self.account.uid:
            os.chown(folder, self.account.uid, self.account.gid)
        return folder

    def secret(self, name: str) -> str:
        """A password of this instance, made at first use and readable by its owner alone."""
        path = self.home / "secrets" / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            handle = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w") as stream:
                stream.write(secrets.token_urlsafe(24) + "\n")
            os.link(path.with_suffix(".new"), path)  # never over one that exists
        path.with_suffix(".new").unlink(missing_ok=True)
        return self.known_secret(name)

    def new_secret(self, name: str) -> None:
        """Put a new password in the place of one, at once for whoever reads it."""
        path = self.home / "secrets" / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = path.with_suffix(".next")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as stream:
            stream.write(secrets.token_urlsafe(24) + "\n")
        new.replace(path)

    def known_secret(self, name: str) -> str:
        """A password made before.

        Raises `StackError` when there is none or it may not be read.
        """
        path = self.home / "secrets" / name
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise StackError(f"cannot read {path}: {error.strerror}; run `meterwarden up` as its owner first") from None

    def _make_shared(self, folder: Path, rights: int) -> None:
        """Make a folder that the servers' account passes through; for nobody but us when they run as ourselves."""
        if folder.is_dir():
            return
        missing = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True, mode=_OWN)
        if self.account is not None:
            for place in missing:
                place.chmod(_THROUGH)  # whatever the umask of root
            folder.chmod(rights)

    def _close(self, folder: Path, rights: int) -> None:
        """Take from everybody what an earlier version left open in a folder of ours."""
        with contextlib.suppress(PermissionError):  # somebody else's instance: what we may not change stays
            folder.chmod(rights if self.account is not None else _OWN)
            for file in folder.iterdir():
                if file.is_file() and not file.is_symlink() and file.stat().st_mode & _OTHERS:
                    file.chmod(file.stat().st_mode & ~_OTHERS)

    def _require_reach(self, folder: Path, setting: str) -> None:
        account = self.account
        if account is None:
            return
        for place in (folder, *folder.resolve().parents):
            facts = place.stat()
            allowed = (
                stat.S_IXUSR
                if facts.st_uid == account.uid
                else stat.S_IXGRP
                if facts.st_gid == account.gid
                else stat.S_IXOTH
            )
            if not facts.st_mode & allowed:
                raise StackError(
                    f"{folder} cannot be reached by the system user {account.name}, as whom root runs the "
                    f"servers, because of the rights of {place}: set {setting} to a folder elsewhere"
                )


def service_account() -> Account | None:
    """The account of the servers: a system user when we are root (made when missing), else None for ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        _make_account()
        entry = pwd.getpwnam(ACCOUNT)
    if entry.pw_uid == 0:
        raise StackError(f"the system user {ACCOUNT} is root; the servers need one that is not")
    return Account(name=ACCOUNT, uid=entry.pw_uid, gid=entry.pw_gid)


def _make_account() -> None:
    useradd = tool("useradd", "passwd")
    group = ["--gid", ACCOUNT] if _group_exists() else ["--user-group"]
    command = [useradd, "--system", *group, "--no-create-home", "--home-dir", "/nonexistent"]
    result = subprocess.run(
        [*command, "--shell", "/usr/sbin/nologin", ACCOUNT], capture_output=True, text=True, check=False
    )
    if result.returncode not in {0, 9}:  # 9: another process has made it meanwhile
        raise StackError(f"the system user {ACCOUNT} could not be made: {result.stderr.strip()}")


def _group_exists() -> bool:
    try:
        grp.getgrnam(ACCOUNT)
    except KeyError:
        return False
    return True


def tool(name: str, package: str) -> str:
    """The full path of a program of this machine.

    Raises `ToolMissing`, naming the package that has it.
    """
    found = shutil.which(name) or shutil.which(name, path=_SEARCH)
    if found is None:
        raise ToolMissing(f"the program {name} is missing: install the package {package} (`make setup` does)")
    return found


def require_disk(place: Path, floor_mb: int) -> None:
    """Refuse when a folder's disk has less room than asked.

    Raises `DiskShort`.
    """
    free_mb = shutil.disk_usage(place).free >> 20
    if free_mb < floor_mb:
        raise DiskShort(
            f"only {free_mb} MiB are free under {place}, {floor_mb} MiB are asked for: "
            "make room, set METERWARDEN_HOME elsewhere or lower METERWARDEN_DISK_FREE_MB"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUse:
    """What an instance takes of its disk, and what is left. [MiB]"""

    data_mb: int
    logs_mb: int
    free_mb: int


def disk_use(home: Path) -> DiskUse:
    """What an instance takes; what this user may not look into is not counted."""
    there = next(place for place in (home, *home.parents) if place.exists())
    return DiskUse(
        data_mb=_size(home / "data") >> 20,
        logs_mb=_size(home / "logs") >> 20,
        free_mb=shutil.disk_usage(there).free >> 20,
    )


def _size(folder: Path) -> int:
    """Bytes on the disk below a folder; files may come and go meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(Path(place) / name).st_blocks * 512
    return total


@contextlib.contextmanager
def held(path: Path) -> Iterator[bool]:
    """Whether a lock file could be had at once; it is held meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


@contextlib.contextmanager
def exclusive(path: Path, *, what: str, timeout_s: float) -> Iterator[None]:
    """Hold a lock file; the lock goes with the process, however it ends.

    Raises `StackError` when somebody else keeps it for longer than the time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + timeout_s
    with path.open("a") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise StackError(f"another process holds {path} ({what}) for more than {timeout_s:.0f} s") from None
                time.sleep(0.1)
        yield
