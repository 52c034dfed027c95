"""Certificates: the system's are trusted or the given file's, and nothing else."""

from __future__ import annotations

import ipaddress
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from pilotage.adapters.argocd import ArgoCD
from pilotage.adapters.argocd.stream import ApplicationStream
from pilotage.core.application import CannotSee
from tests.contract.argocd_replay import body
from tests.contract.argocd_server import Told, serving

TOKEN = SecretStr("eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.dG9rZW4")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that only signs itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "argocd.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("tls") / "argocd.pem"
    path.write_bytes(made.public_bytes(pem) + private)
    return path


@pytest.fixture
def told(certificate: Path) -> Iterator[Told]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(Told(), context) as told:
        yield told


def test_a_certificate_that_nobody_vouches_for_is_not_talked_to(told: Told) -> None:
    with ArgoCD("main", told.url, TOKEN) as client:
        seen = client.version()
    assert isinstance(seen, CannotSee)
    assert told.asked == []


def test_a_given_authority_is_trusted(told: Told, certificate: Path) -> None:
    told.body = body("version")
    with ArgoCD("main", told.url, TOKEN, ca=str(certificate)) as client:
        assert client.version() == "v3.5.1"


def test_verification_can_be_turned_off_for_a_laboratory(told: Told) -> None:
    told.body = body("version")
    with ArgoCD("main", told.url, TOKEN, verify=False) as client:
        assert client.version() == "v3.5.1"


def test_a_stop_is_noticed_at_once_under_tls_too(told: Told, certificate: Path) -> None:
    asked, done, stop = threading.Event(), threading.Event(), threading.Event()

    def silent(_: BaseHTTPRequestHandler) -> None:
        asked.set()
        done.wait(10)

    told.answer = silent
    stream = ApplicationStream("main", told.url, TOKEN, ca=str(certificate))
    thread = threading.Thread(target=stream.run, args=(lambda _: None, stop))
    thread.start()
    assert asked.wait(5)
    began = time.monotonic()
    stop.set()
    thread.join(timeout=5)
    assert not thread.is_alive()
    assert time.monotonic() - began < 4
    done.set()
