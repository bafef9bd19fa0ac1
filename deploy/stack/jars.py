"""Apache Kafka's jars in a folder of their own, fetched by Maven and checked against the sums kept beside the pom."""

import hashlib
import io
import re
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from deploy.stack.errors import StackError, ToolMissing
from deploy.stack.places import exclusive, tool

__all__ = ["CLASSES", "JAVA_NEEDED", "RESOURCES", "VERSION", "check", "complete", "jars", "java", "own_jar"]

RESOURCES: Final = Path(__file__).parent / "kafka"
CLASSES: Final = RESOURCES / "classes"
JAVA_NEEDED: Final = 17
_SUMS: Final = (RESOURCES / "jars.sha256").read_bytes()
VERSION: Final = re.findall(rb"kafka-server-([0-9.]+)\.jar", _SUMS)[0].decode()
_PLUGIN: Final = "3.8.1"
_WAIT_S: Final = 900.0


def jars(cache: Path) -> Path:
    """The folder of jars in a cache folder, filled when it is not (some 20 s, 45 MB).

    Two builders do not meet: the second waits and finds them there.

    Raises
    ------
    StackError
        If Maven cannot get them or a sum differs; nothing half-fetched counts.
    """
    folder = _folder(cache)
    if complete(cache):
        return folder
    with exclusive(cache / f".{folder.name}.lock", what="fetching Kafka", timeout_s=_WAIT_S):
        if not complete(cache):
            shutil.rmtree(folder, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix="kafka-", dir=cache) as work:
                fetched = Path(work) / "jars"
                _fetch(Path(work), fetched)
                check(fetched)
                (fetched / ".complete").write_bytes(_stamp())
                for jar in fetched.iterdir():
                    jar.chmod(0o644)  # for the servers' account, whatever the umask
                fetched.chmod(0o755)
                fetched.rename(folder)
    return folder


def own_jar() -> bytes:
    """A jar of our own classes, to go before the others.

    It holds snappy that believes no length of a chunk that its bytes cannot hold, and the door of gateways. The sources
    lie beside `CLASSES`, compiled by ``javac --release 11 -g:none``: where Kafka runs is no compiler.
    """
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as jar:
        for file in sorted(CLASSES.rglob("*.class")):
            jar.writestr(file.relative_to(CLASSES).as_posix(), file.read_bytes())
    return made.getvalue()


def java(setting: str | None) -> str:
    """The java program to use.

    Raises
    ------
    ToolMissing
        If there is none, or it is older than Kafka needs.
    """
    program = setting or tool("java", "openjdk-17-jre-headless")
    try:
        result = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise ToolMissing(f"{program} cannot be started ({error.strerror}): set METERWARDEN_JAVA") from None
    said = re.search(r'version "(?:1\.)?(\d+)', result.stderr + result.stdout)
    if said is None or int(said[1]) < JAVA_NEEDED:
        version = said[1] if said else f"unknown: {(result.stderr or result.stdout).strip()[:200]}"
        raise ToolMissing(
            f"Kafka {VERSION} needs Java {JAVA_NEEDED} or later, {program} is version {version}: "
            "install openjdk-17-jre-headless or set METERWARDEN_JAVA"
        )
    return program


def _stamp() -> bytes:
    return hashlib.sha256(_SUMS).hexdigest().encode()


def complete(cache: Path) -> bool:
    """Whether a cache folder has the jars, all of them and these."""
    stamp = _folder(cache) / ".complete"
    return stamp.exists() and stamp.read_bytes() == _stamp()


def _folder(cache: Path) -> Path:
    return cache / f"kafka-{VERSION}-{_stamp()[:8].decode()}"  # beside that of another version of ours, which may run


def _fetch(work: Path, into: Path) -> None:
    shutil.copy(RESOURCES / "pom.xml", work)  # the checkout may be read-only
    command = [
        tool("mvn", "maven"),
        "--batch-mode",
        "--quiet",
        "--strict-checksums",
        f"-Dmaven.repo.local={work / 'repository'}",  # gone afterwards: nobody's home is touched
        f"-DoutputDirectory={into}",
        "-DincludeScope=runtime",
        "-Dmaven.wagon.http.retryHandler.count=3",
        f"org.apache.maven.plugins:maven-dependency-plugin:{_PLUGIN}:copy-dependencies",
    ]
    result = subprocess.run(command, cwd=work, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        said = "\n".join(line for line in result.stdout.splitlines() if "ERROR" in line).replace("\x1b[0m", "")[:1000]
        raise StackError(f"Maven could not fetch Kafka {VERSION}: {said or result.stderr[-1000:]}")


def check(folder: Path) -> None:
    """Refuse jars that are not those of the sums beside the pom, with a `StackError` that names them."""
    wanted = {}
    for line in _SUMS.decode().splitlines():
        digest, name = line.split()
        wanted[name] = digest
    got = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in folder.glob("*.jar")}
    differing = sorted(name for name in wanted.keys() | got.keys() if wanted.get(name) != got.get(name))
    if differing:
        raise StackError(f"the jars of Kafka {VERSION} are not those of jars.sha256: {', '.join(differing)}")
