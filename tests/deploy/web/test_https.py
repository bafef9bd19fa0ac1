"""Pages that speak https themselves: with a certificate of an authority of our own, which alone is trusted."""

import dataclasses
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.roles import service_address
from deploy.settings import PagesSettings, Settings
from deploy.stack.errors import StackError
from deploy.stack.pages import Pages
from deploy.stack.places import Places
from deploy.stack.ports import free_ports
from tests.deploy.web.office import PASSWORD, Office

pytestmark = pytest.mark.integration


def authority_and_server(folder: Path) -> tuple[Path, Path, Path]:
    """Files of an authority's certificate, and of a server's certificate by it with its key."""
    now = datetime.now(UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("Our authority", "pages")]
    made = []
    for place, (key, name) in enumerate(zip(keys, names, strict=True)):
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(names[0])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=place == 0, path_length=None), critical=True)
        )
        if place:
            names_of = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names_of), critical=False)
        made.append(builder.sign(keys[0], hashes.SHA256()))
    files = folder / "authority.pem", folder / "pages.pem", folder / "pages.key"
    for file, one in zip(files, made, strict=False):
        file.write_bytes(one.public_bytes(serialization.Encoding.PEM))
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    files[2].write_bytes(keys[1].private_bytes(pem, pkcs8, serialization.NoEncryption()))
    return files


def pages_of(office: Office, instance: Settings, pages: PagesSettings) -> Pages:
    """The part of the stack, over the region of these tests."""
    settings = dataclasses.replace(instance, pages=pages)
    dsn = service_address(office.dsn, "api", secret="of these tests")
    places = Places.of(settings)
    places.make()
    return Pages(settings, places, address=lambda: dsn, port=pages.port)


def test_the_pages_speak_https_to_who_trusts_their_authority(
    office: Office, instance: Settings, tmp_path: Path
) -> None:
    authority, certificate, key = authority_and_server(tmp_path)
    [port] = free_ports(1)
    pages = pages_of(office, instance, PagesSettings(port=port, host="0.0.0.0", certificate=certificate, key=key))
    assert pages.url == f"https://127.0.0.1:{port}"
    pages.check()
    assert pages.start()
    try:
        pages.ready()
        assert pages.status().healthy
        trusting = ssl.create_default_context(cafile=str(authority))
        with httpx.Client(base_url=pages.url, verify=trusting, timeout=60) as browser:
            answer = browser.post("/sign-in", data={"login": "chief", "password": PASSWORD})
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
            assert answer.headers["set-cookie"].startswith("__Host-mw_session=")
            assert browser.get("/today").status_code == 200
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"), httpx.Client() as stranger:
            stranger.get(f"{pages.url}/sign-in")
        with pytest.raises(httpx.TransportError), httpx.Client() as plain:
            plain.get(f"http://127.0.0.1:{port}/sign-in")
    finally:
        pages.stop()


def test_a_certificate_that_cannot_be_used_is_said_before_anything_starts(
    office: Office, instance: Settings, tmp_path: Path
) -> None:
    _, certificate, key = authority_and_server(tmp_path)
    key.write_bytes(b"no key")
    [port] = free_ports(1)
    pages = pages_of(office, instance, PagesSettings(port=port, certificate=certificate, key=key))
    with pytest.raises(StackError, match="METERWARDEN_PAGES_CERTIFICATE and _KEY must be PEM files"):
        pages.check()
