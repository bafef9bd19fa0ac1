"""The image without an engine: ``make image`` builds what the Dockerfile says in a root of debootstrap, and runs it.

::

    python -m tests.deploy.operations.clean_root [--keep FOLDER]   # as root, with debootstrap and package registries

Each instruction of the Dockerfile is done in a chroot, its base image being Debian of the same release with its own
Python. Then each entry point runs as the image's user on a read-only file system, with the tmpfs and volumes of
`compose.yaml`, in a network namespace that has nothing but its own loopback, beside a Kafka and a TimescaleDB: readings
are sent and stored, every probe is asked, and each service is stopped. It ends with a table; an engine's own doings
(layers, cgroups, its network) are not tried.
"""

import argparse
import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.settings import load as load_settings
from deploy.stack import Stack
from ingest.wire import READINGS_TOPIC
from tests.faults.harness import Arena
from tests.faults.machines import Machine
from tests.faults.model import Traffic
from tests.ingest.gateway.brokers import certificate
from tests.streams.site import Site, load

ROOT: Final = Path(__file__).parents[3]
DOCKERFILE: Final = ROOT / "deploy" / "container" / "Dockerfile"
SITE: Final = Site(units=4, meters=10, interval_us=15 * 60_000_000)
DEVICES: Final = ("null", "zero", "random", "urandom")
PASSED_ON: Final = ("PIP_", "UV_", "SSL_CERT", "http", "HTTP", "no_proxy", "NO_PROXY")


@dataclass
class Stage:
    """One stage of the Dockerfile, as far as it was built."""

    root: Path
    folder: str = "/"
    environ: dict[str, str] = field(default_factory=dict)
    user: str = "0"
    said: dict[str, list[str]] = field(default_factory=dict)
    """``ENTRYPOINT``, ``CMD`` and ``HEALTHCHECK``."""

    def run(self, command: str) -> None:
        """Run shell commands in it, as root, with the machine's network."""
        passed = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
        environ = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root"} | passed | self.environ
        script = "mount -t proc proc {0}/proc && mount --rbind /dev {0}/dev && exec chroot {0} sh -euc {1}".format(
            shlex.quote(str(self.root)), shlex.quote(f"cd {self.folder}; {command}")
        )
        subprocess.run(["unshare", "--mount", "sh", "-euc", script], env=environ, check=True)

    def inside(self, path: str) -> Path:
        """A path of the image on this machine."""
        return self.root / (Path(self.folder) / path).relative_to("/")


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Instructions of a Dockerfile.

    >>> list(instructions("# a\\nRUN a \\\\\\n  b\\nUSER 1\\n"))
    [('RUN', 'a    b'), ('USER', '1')]
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        yield word, rest.strip()


def build(folder: Path) -> Stage:
    """Do what the Dockerfile says; its last stage."""
    stages: dict[str, Stage] = {}
    stage = Stage(folder)
    for word, rest in instructions(DOCKERFILE.read_text(encoding="utf-8")):
        began = time.monotonic()
        if word == "FROM":
            image, _, name = rest.partition(" AS ")
            stage = stages[name or "last"] = Stage(base(folder, image, name or "last"))
        elif word == "WORKDIR":
            stage.folder = rest
            stage.inside(".").mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            copy(stage, stages, shlex.split(rest))
        elif word == "RUN":
            stage.run(rest)
        elif word == "ENV":
            stage.environ |= dict(one.split("=", 1) for one in shlex.split(rest))
        elif word == "USER":
            stage.user = rest
        elif word in {"ENTRYPOINT", "CMD", "HEALTHCHECK"}:
            stage.said[word] = json.loads(rest[rest.index("[") :])
        elif word not in {"VOLUME", "EXPOSE"}:
            # an instruction that the Dockerfile has got since then: passing over it would show another image
            raise NotImplementedError(f"{word} {rest}")
        told(f"{word} {rest[:70]}", f"{time.monotonic() - began:.0f} s")
    return stage


def base(folder: Path, image: str, name: str) -> Path:
    """A root for a stage: Debian of the release that the image's name ends in, and its Python."""
    release = image.rpartition("-")[2]
    plain, root = folder / release, folder / name
    if not (plain / "usr/local/bin/python").is_symlink():
        packages = "--include=python3,python3-venv,ca-certificates"
        subprocess.run(["debootstrap", "--variant=minbase", packages, release, str(plain)], check=True)
        (plain / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(["cp", "-a", str(plain), str(root)], check=True)
    for file in ("etc/resolv.conf", "etc/pip.conf", "etc/ssl/certs/ca-certificates.crt"):
        if Path("/", file).exists():
            shutil.copy(Path("/", file), root / file)
    return root


def copy(stage: Stage, stages: Mapping[str, Stage], words: list[str]) -> None:
    """Of the checkout only what git knows or would take in, as `.dockerignore` cannot say it better."""
    source = ROOT
    if words[0].startswith("--from="):
        source = stages[words.pop(0).partition("=")[2]].root
    *names, target = words
    into = stage.inside(target)
    for name in names:
        there = source / name.lstrip("/")
        if there.is_dir():
            ignore = shutil.ignore_patterns("__pycache__") if source == ROOT else None
            shutil.copytree(there, into, symlinks=True, dirs_exist_ok=True, ignore=ignore)
        else:
            place = into / there.name if target.endswith("/") else into
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(there, place)


@dataclass
class Container:
    """A service of the image that runs."""

    name: str
    stage: Stage
    machine: Machine
    environ: Mapping[str, str]
    folder: Path
    """What is kept of it: a volume."""
    process: "subprocess.Popen[bytes] | None" = None

    def start(self, *words: str, mounts: Mapping[Path, str] | None = None) -> "Container":
        with (self.folder / f"{self.name}.log").open("ab") as sink:
            self.process = subprocess.Popen(self._command(words, mounts or {}), stdout=sink, stderr=sink)
        return self

    def once(self, *words: str) -> str:
        """Run a command to its end; what it prints."""
        result = subprocess.run(self._command(words, {}), capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{words}: {result.stdout}{result.stderr}"
        return result.stdout

    def stop(self) -> int:
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in children or [str(self.process.pid)]:
            os.kill(int(pid), signal.SIGTERM)
        return self.process.wait(90)

    def _command(self, words: Sequence[str], mounts: Mapping[Path, str]) -> list[str]:
        """As an engine would: read only but for tmpfs and volume, its own processes, no right to more."""
        root = shlex.quote(str(self.stage.root))
        volume = self.folder / "volume"
        volume.mkdir(exist_ok=True)
        os.chown(volume, 10001, 10001)
        steps = [
            f"mount --bind {root} {root}",
            f"mount -t proc proc {root}/proc",
            f"mount -t tmpfs -o mode=1777 tmpfs {root}/tmp",
            f"mount -t tmpfs -o uid=10001,gid=10001 tmpfs {root}/var/cache/meterwarden",
            f"mount --bind {shlex.quote(str(volume))} {root}/var/lib/meterwarden",
            f"mount -t tmpfs tmpfs {root}/dev",
            *(f"touch {root}/dev/{one} && mount --bind /dev/{one} {root}/dev/{one}" for one in DEVICES),
        ]
        if mounts:
            steps.append(f"mount -t tmpfs tmpfs {root}/mnt")
        for file, name in mounts.items():
            there = f"{root}/mnt/{name}"
            steps += [f"touch {there}", f"mount --bind {shlex.quote(str(file))} {there}"]
        steps.append(f"mount -o remount,ro,bind {root}")
        environ = shlex.join([f"{name}={value}" for name, value in {**self.stage.environ, **self.environ}.items()])
        program = shlex.join([*self.stage.said["ENTRYPOINT"], *words])
        drop = f"--reuid={self.stage.user} --regid={self.stage.user} --clear-groups --no-new-privs --bounding-set=-all"
        steps.append(f"exec chroot {root} /usr/bin/setpriv {drop} /usr/bin/env -i {environ} {program}")
        script = " && ".join(steps)
        named = ["ip", "netns", "exec", self.machine.name, "unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return [*named, "sh", "-euc", script]


@contextmanager
def alone() -> Iterator[Machine]:
    """A network namespace with nothing but its own loopback."""
    machine = Machine(f"mw-image-{os.getpid()}", "127.0.0.1")
    subprocess.run(["ip", "netns", "add", machine.name], check=True)
    try:
        subprocess.run(["ip", "-n", machine.name, "link", "set", "lo", "up"], check=True)
        yield machine
    finally:
        machine.end()


def run(stage: Stage, folder: Path, machine: Machine) -> None:
    """All services beside servers of ours; called on the machine."""
    home = folder / "home"
    own = {"HOME": str(home), "CACHE": str(load_settings().cache), "KEEPER": "off", "DISK_FREE_MB": "512"}
    small = {"KAFKA_HEAP_MB": "384", "DATABASE_BUFFERS_MB": "128", "DATABASE_WAL_MB": "1024"}
    stack = Stack(load_settings({f"METERWARDEN_{name}": value for name, value in (own | small).items()}))
    stack.up(("kafka", "postgresql"))
    security = stack.access.security
    environ = {
        "METERWARDEN_KAFKA": stack.bootstrap,
        "METERWARDEN_KAFKA_SECURITY": security["security_protocol"],
        "METERWARDEN_KAFKA_USER": security["sasl_plain_username"],
        "METERWARDEN_KAFKA_PASSWORD": security["sasl_plain_password"],
        "METERWARDEN_DATABASE": stack.dsn,
        "METERWARDEN_DATABASE_ROLES": "same",
        "METERWARDEN_KAFKA_PARTITIONS": "4",
    }

    def container(name: str, **more: str) -> Container:
        return Container(name, stage, machine, environ | {f"METERWARDEN_{k}": v for k, v in more.items()}, folder)

    began = time.monotonic()
    container("migrate").once("migrate")
    told("migrate", f"ends with 0 after {time.monotonic() - began:.0f} s")
    asyncio.run(load(stack.dsn, SITE.ledger()))
    worker = container("worker").start("worker")
    probes(worker, 19464, "worker")
    pages = container(
        "pages", PAGES_HOST="0.0.0.0", PAGES_URL="https://x.example", TRUSTED_PROXIES="127.0.0.0/8",
        ALERTS_METRICS_PORT="19474",
    ).start("pages")  # fmt: skip
    probes(pages, 19476, "pages")
    told("pages", f"GET / gives {asked('http://127.0.0.1:18280/')[0]}")
    api = container("api", API_PORT="19480", ALERTS_METRICS_PORT="19474").start("api")
    probes(api, 19475, "api")
    with proxy(folder, api="127.0.0.1:19480") as said:
        told("proxy", said)
    told("api", f"GET /openapi.json gives {asked('http://127.0.0.1:19480/openapi.json')[0]}")
    sender = container("sender", ALERTS_METRICS_PORT="19474")
    sender.environ = {**sender.environ, "CHANNELS_FROM": "/mnt/channels.toml"}
    sender.start("sender", mounts={written(folder / "channels.toml", CHANNELS): "channels.toml"})
    probes(sender, 19474, "sender")
    gateway = container("gateway").start(
        "gateway", "run", "/mnt/gateway.toml",
        mounts={written(folder / "gateway.toml", GATEWAY): "gateway.toml"},
    )  # fmt: skip
    probes(gateway, 19490, "gateway", ready=False)

    traffic = Traffic(SITE)
    arena = Arena(stack.access, stack.dsn, READINGS_TOPIC, 4, folder)
    arena.send(traffic.next(30))
    arena.send(traffic.rest())
    arena.settle(300)
    arena.check(traffic)
    told("worker", f"{traffic.sent} readings sent, stored or refused exactly")
    for one in (worker, pages, api, sender, gateway):
        told(one.name, f"SIGTERM ends it with {one.stop()}")
    stack.down()


@contextmanager
def proxy(folder: Path, **services: str) -> Iterator[str]:
    """The proxy of `compose.yaml`, where nginx is installed; what is seen through it."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        yield "NOT TRIED: nginx is not installed"
        return
    made = certificate(folder / "etc")
    text = (DOCKERFILE.parent / "proxy.conf").read_text(encoding="utf-8")
    names = {"pages": "127.0.0.1:18280", "api": "127.0.0.1:19480", "grafana": "127.0.0.1:3000"} | services
    for name, address in names.items():  # there is no resolver of an engine here
        text = re.sub(rf"http://{name}:\d+", f"http://{address}", text)
    text = text.replace("resolver 127.0.0.11 valid=10s;", "")
    text = text.replace("/etc/nginx/certificate.pem", str(made.certificate)).replace(
        "/etc/nginx/key.pem", str(made.key)
    )
    conf = written(folder / "etc" / "nginx.conf", f"daemon off; pid {folder}/etc/nginx.pid;\n{text}")
    with subprocess.Popen([program, "-c", str(conf), "-e", str(folder / "etc" / "nginx.log")]) as process:
        try:
            seen: list[str] = []
            trusted = ssl.create_default_context(cafile=made.certificate)

            def through() -> bool:
                seen[:] = [f"{port} gives {https(f'https://127.0.0.1:{port}/', trusted)}" for port in (443, 8443, 3443)]
                return "HSTS" in seen[0]

            wait(through, "the pages behind the proxy")
            yield "; ".join(seen)
        finally:
            process.terminate()


def https(url: str, trusted: ssl.SSLContext) -> str:
    """Status of an answer, and whether who gave it knows that it went out by TLS."""
    try:
        with urllib.request.urlopen(url, timeout=10, context=trusted) as answer:
            return f"{answer.status}{' with HSTS' if answer.headers['Strict-Transport-Security'] else ''}"
    except urllib.error.HTTPError as error:
        return f"{error.code}{' with HSTS' if error.headers['Strict-Transport-Security'] else ''}"
    except OSError as error:
        return str(error)


CHANNELS: Final = '[hook]\nurl = "json://127.0.0.1:9/in"\n'
GATEWAY: Final = (
    '[gateway]\nid = "image"\nmetrics_port = 19490\n[store]\npath = "/var/lib/meterwarden/spool"\n'
    '[kafka]\nbootstrap = "127.0.0.1:19092"\n'
)


def written(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    file.chmod(0o644)
    return file


def probes(container: Container, port: int, name: str, *, ready: bool = True) -> None:
    """Wait until a service is well, ask its page, and run the image's own check of health."""
    began = time.monotonic()
    found: list[str] = []

    def well() -> bool:
        assert container.process is not None
        log = (container.folder / f"{name}.log").read_text(errors="replace")
        assert container.process.poll() is None, f"{name} ended: {log[-3000:]}"
        found[:] = [str(asked(f"http://127.0.0.1:{port}{path}")[0]) for path in ("/healthz", "/readyz", "/metrics")]
        return found == ["200", "200", "200"] or (not ready and found[0] == "200")

    wait(well, name)
    took = time.monotonic() - began
    checked = Container("probe", container.stage, container.machine, {"PROBE_PORT": str(port)}, container.folder)
    checked.once(*container.stage.said["HEALTHCHECK"][1:])
    told(name, f"healthz, readyz, metrics {' '.join(found)} after {took:.0f} s; HEALTHCHECK passes")


def wait(true: Callable[[], bool], what: str, timeout_s: float = 180.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s:.0f} s"
        time.sleep(0.5)


def asked(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except OSError as error:
        return 0, str(error)


def told(what: str, how: str) -> None:
    sys.stdout.write(f"{what:<72} {how}\n")
    sys.stdout.flush()


def size_mb(folder: Path) -> int:
    shown = subprocess.run(["du", "-sm", "-x", str(folder)], capture_output=True, text=True, check=True)
    return int(re.match(r"\d+", shown.stdout)[0])  # type: ignore[index]


def main() -> None:
    """Build and run."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--keep", type=Path, help="Folder to build in, kept; Debian's part of it is used again.")
    parser.add_argument("--built", action="store_true", help="Run what was built there before.")
    options = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise SystemExit("NOT CHECKED: the image is built by root with debootstrap (apt-get install debootstrap)")
    folder = options.keep or Path(tempfile.mkdtemp(prefix="meterwarden-image-", dir="/var/tmp"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    work = Path(tempfile.mkdtemp(prefix="meterwarden-image-"))
    work.chmod(0o711)
    try:
        stage = read_back(folder) if options.built else build(folder)
        plain = size_mb(folder / "bookworm")
        told("size", f"{size_mb(stage.root)} MB, {plain} MB of it Debian and Python")
        with alone() as machine:
            machine.inside(lambda: run(stage, work, machine))
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def read_back(folder: Path) -> Stage:
    """The last stage of what was built before."""
    stage = Stage(folder / "last")
    for word, rest in instructions(DOCKERFILE.read_text(encoding="utf-8")):
        if word == "ENV":
            stage.environ |= dict(one.split("=", 1) for one in shlex.split(rest))
        elif word == "USER":
            stage.user = rest
        elif word in {"ENTRYPOINT", "CMD", "HEALTHCHECK"}:
            stage.said[word] = json.loads(rest[rest.index("[") :])
    return stage


if __name__ == "__main__":
    main()
