"""A real mosquitto of a test's own, with and without TLS; skipped loudly where it is not installed."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.stack.ports import free_ports

MOSQUITTO = shutil.which("mosquitto") or ("/usr/sbin/mosquitto" if Path("/usr/sbin/mosquitto").exists() else None)


def needs(*programs: str) -> None:
    """Skip, and say so, where a program is missing; `make tools` installs them as root."""
    missing = [one for one in programs if not (shutil.which(one) or Path(f"/usr/sbin/{one}").exists())]
    if missing:
        pytest.skip(f"NOT CHECKED against {', '.join(missing)}: not installed (make tools, as root)")


@dataclass(frozen=True)
class Certificate:
    certificate: Path
    key: Path


def certificate(folder: Path, *, holds: timedelta = timedelta(days=2), address: str = "127.0.0.1") -> Certificate:
    """A certificate for an address that vouches for itself, and holds for so long; less than 0: it is over."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + holds)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address(address))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    found = Certificate(folder / "certificate.pem", folder / "key.pem")
    found.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    found.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return found


@contextmanager
def mosquitto(folder: Path, *, tls: Certificate | None = None, inflight: int = 20, port: int = 0) -> Iterator[int]:
    """Run a broker; its port."""
    needs("mosquitto")
    assert MOSQUITTO is not None
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_ports(1)[0]
    lines = [
        f"listener {port} 127.0.0.1", "allow_anonymous true", f"max_inflight_messages {inflight}",
        "max_queued_messages 0", "persistence true", f"persistence_location {folder}/", "user root",
        "log_dest file " + str(folder / "log"),
    ]  # fmt: skip
    if tls is not None:
        lines += [f"certfile {tls.certificate}", f"keyfile {tls.key}"]
    (folder / "conf").write_text("\n".join(lines) + "\n")
    process = subprocess.Popen([MOSQUITTO, "-c", str(folder / "conf")])
    try:
        wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int, timeout_s: float = 60.0) -> None:
    """Wait until somebody listens."""
    end = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            assert time.monotonic() < end, f"nobody listens on {port}"
            time.sleep(0.02)
        else:
            return
