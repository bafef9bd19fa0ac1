"""PostgreSQL 17 with TimescaleDB in a folder of its own, from Debian's packages, without root and without a compiler.

Debian 12 has neither, Debian 13 ("trixie") has both. So the packages of trixie are fetched with this machine's own
`apt-get` (its mirror, its proxy, its keyring; the signatures are checked as always), and unpacked with their whole
closure of libraries, the C library included. Every program becomes a small wrapper that starts it through the
closure's own loader, so that nothing of this machine's libraries is used or touched.

A prefix cannot be moved: the wrappers hold its path. It is built in its final place and counts once it is stamped.
"""

import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.stack.errors import StackError, ToolMissing
from deploy.stack.places import exclusive, tool

__all__ = ["SUITE", "VERSION", "Prefix", "prefix"]

SUITE: Final = "trixie"
VERSION: Final = "17"
_WANTED: Final = (f"postgresql-{VERSION}", f"postgresql-client-{VERSION}", f"postgresql-{VERSION}-timescaledb")
_KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# of the closure: the server, its client and extension, and shared libraries
_KEPT: Final = re.compile(
    rf"postgresql(-client)?-{VERSION}(-timescaledb)?|lib[a-z0-9.+-]+|zlib1g|openssl-provider-legacy"
)
# but not LLVM (a JIT worth 100 MB that we switch off), Perl, and what only installs and configures
_DROPPED: Final = re.compile(
    r"lib(llvm|z3|perl|json-perl|db5|gdbm|debconf|semanage|sepol|audit-common|pam-modules|c-bin|c-l10n|proc2)|lib.*-perl"
)
_LEFT_OUT: Final = (
    "./usr/share/doc",
    "./usr/share/man",
    "./usr/share/locale",
    "./usr/share/bug",
    f"./usr/lib/postgresql/{VERSION}/lib/bitcode",
    "*/llvmjit*.so",
)
# modules for languages whose interpreters we leave out
_NO_INTERPRETER: Final = re.compile(r"llvmjit|plperl|plpython|pltcl|hstore_pl|jsonb_pl|ltree_pl|bool_pl")
_ELF: Final = b"\x7fELF"
_WAIT_S: Final = 900.0


class Prefix:
    """A complete prefix: where its programs are."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin = root / "root/usr/lib/postgresql" / VERSION / "bin"
        self.share = root / "root/usr/share/postgresql" / VERSION

    @classmethod
    def of(cls, cache: Path) -> "Prefix":
        """The prefix of a cache folder, built or not."""
        return cls(cache.resolve() / f"postgresql-{VERSION}-{SUITE}")

    @property
    def complete(self) -> bool:
        """Whether it was built to the end, in this place."""
        stamp = self.root / ".complete"
        return stamp.exists() and stamp.read_text(encoding="utf-8").strip() == str(self.root)


def prefix(cache: Path, *, mirror: str | None = None) -> Prefix:
    """The prefix in a cache folder, built there when it is not (about 10 s, 110 MB).

    Two builders do not meet: the second waits and finds it built.

    Raises
    ------
    StackError
        If it cannot be built; nothing half-built counts.
    """
    built = Prefix.of(cache)
    if built.complete:
        return built
    with exclusive(cache / f".{built.root.name}.lock", what="building PostgreSQL", timeout_s=_WAIT_S):
        if not built.complete:
            shutil.rmtree(built.root, ignore_errors=True)
            for folder in (built.root, built.root / "root"):
                folder.mkdir(parents=True)
                folder.chmod(0o755)  # for the servers' account, whatever the umask
            _build(built, mirror or _mirror())
            stamp = built.root / ".complete"
            stamp.write_text(f"{built.root}\n", encoding="utf-8")
            stamp.chmod(0o644)
    return built


def _build(target: Prefix, mirror: str) -> None:
    if not _KEYRING.exists():
        raise ToolMissing(f"{_KEYRING} is missing: install the package debian-archive-keyring")
    root = target.root / "root"
    # apt splits some of its options at blanks, so it works where there are none
    with tempfile.TemporaryDirectory(prefix="meterwarden-apt-") as work:
        for package in _download(Path(work), mirror):
            _unpack(package, root)
    loader = _loader(root)
    for program in sorted(target.bin.iterdir()):
        _wrap(program, loader)
    _check_closure(target, loader)


def _mirror() -> str:
    """The Debian mirror of this machine's apt sources."""
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    codename = next(
        (line.partition("=")[2].strip('"') for line in release.splitlines() if "VERSION_CODENAME" in line), ""
    )
    listing = _run(
        [
            tool("apt-get", "apt"),
            "indextargets",
            "--format",
            "$(RELEASE) $(COMPONENT) $(REPO_URI)",
            "Created-By: Packages",
        ]
    )
    for line in listing.splitlines():
        suite, component, uri = line.split(maxsplit=2)
        if component == "main" and suite in {codename, "stable", SUITE}:
            return uri
    raise StackError(
        "the apt sources of this machine name no Debian mirror: set METERWARDEN_APT_MIRROR to one that has "
        f"the suite {SUITE}"
    )


def _download(work: Path, mirror: str) -> list[Path]:
    for folder in ("lists/partial", "cache/archives/partial", "debs"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()  # an empty one: the resolver gives the whole closure, whatever is installed here
    (work / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {mirror} {SUITE} main\n", encoding="utf-8")
    options = {
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State::lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache": work / "cache",
        "APT::Sandbox::User": "root",  # no change of user: the folders are ours
        "APT::Install-Recommends": "0",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    apt = [tool("apt-get", "apt"), *(part for name, value in options.items() for part in ("-o", f"{name}={value}"))]
    _run([*apt, "-qq", "update"])
    planned = [
        line.split()[1] for line in _run([*apt, "-s", "install", *_WANTED]).splitlines() if line.startswith("Inst ")
    ]
    kept = [name for name in planned if _KEPT.fullmatch(name) and not _DROPPED.match(name)]
    _run([*apt, "-qq", "download", *kept], where=work / "debs")
    return sorted((work / "debs").glob("*.deb"))


def _unpack(package: Path, root: Path) -> None:
    leave_out = [f"--exclude={pattern}" for pattern in _LEFT_OUT]
    with subprocess.Popen([tool("dpkg-deb", "dpkg"), "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as source:
        _run(
            [
                tool("tar", "tar"),
                "-x",
                "-C",
                str(root),
                "--keep-directory-symlink",
                "--no-same-owner",
                "-p",
                *leave_out,
            ],
            stdin=source,
        )
    if source.returncode != 0:
        raise StackError(f"the package {package.name} could not be read")


def _loader(root: Path) -> Path:
    loaders = sorted((root / "usr/lib").glob("*-linux-gnu*/ld-linux*.so.*"))
    if len(loaders) != 1:
        raise StackError(f"expected one loader of the C library below {root}/usr/lib (got {len(loaders)})")
    return loaders[0]


def _wrap(program: Path, loader: Path) -> None:
    if not program.is_file() or program.open("rb").read(4) != _ELF:
        return
    real = program.parent.parent / "real"
    real.mkdir(exist_ok=True)
    real.chmod(0o755)
    program.rename(real / program.name)
    words = [str(loader), "--inhibit-cache", "--argv0", str(program), "--library-path", str(loader.parent)]
    program.write_text(f'#!/bin/sh\nexec {shlex.join([*words, str(real / program.name)])} "$@"\n', encoding="utf-8")
    program.chmod(0o755)


def _check_closure(target: Prefix, loader: Path) -> None:
    """Every library that the programs and the server's modules need must lie inside the prefix."""
    modules = [module for module in (target.bin.parent / "lib").glob("*.so") if not _NO_INTERPRETER.search(module.name)]
    base = str(target.root / "root")
    for file in [*(target.bin.parent / "real").iterdir(), *modules]:
        listing = _run([str(loader), "--inhibit-cache", "--library-path", str(loader.parent), "--list", str(file)])
        outside = [line.strip() for line in listing.splitlines() if base not in line and "linux-vdso" not in line]
        outside = [line for line in outside if "statically linked" not in line]
        if outside:
            raise StackError(f"{file.name} needs libraries from outside its prefix: {', '.join(outside)}")


def _run(command: Sequence[str], *, where: Path | None = None, stdin: "subprocess.Popen[bytes] | None" = None) -> str:
    try:
        result = subprocess.run(
            command,
            stdin=stdin.stdout if stdin else subprocess.DEVNULL,
            capture_output=True,
            check=False,
            cwd=where,
        )
    except OSError as error:
        raise ToolMissing(f"{command[0]} cannot be started: {error.strerror}") from None
    if result.returncode != 0:
        said = result.stderr.decode(errors="replace").strip()[-1000:]
        raise StackError(
            f"PostgreSQL could not be built: {Path(command[0]).name} ended with {result.returncode}: {said}"
        )
    return result.stdout.decode(errors="replace")
