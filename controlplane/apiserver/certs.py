"""What the cluster's parts show each other: certificates of an authority made at the first start, and bearer tokens.

Files of the data directory: `ca.crt`, `ca.key`, NAME.crt and NAME.key for each certificate, and a file per token. Keys and
tokens are 0600. What exists is used as it is, so whoever starts first makes it: the control plane or the agent.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

YEARS = timedelta(days=3650)
EARLIER = timedelta(days=1)  # than they are made: a clock may be set back, by a time zone for example
AGENT_CLIENT = "apiserver-agent-client"  # the one whom agents let in


def ensure_authority(folder: Path) -> Path:
    """The authority's certificate file; made if it is not there."""
    certificate = folder / "ca.crt"
    if not certificate.exists():
        key, subject = ec.generate_private_key(ec.SECP256R1()), _name("naru-ca")
        builder = _builder(subject, subject, key).add_extension(x509.BasicConstraints(True, None), critical=True)
        usage = x509.KeyUsage(True, False, True, False, False, True, True, False, False)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(usage, critical=True).add_extension(identifier, critical=False)
        _write(folder / "ca.key", _private(key), 0o600)
        _write(certificate, builder.sign(key, SHA256()).public_bytes(Encoding.PEM), 0o644)
    return certificate


def ensure_certificate(folder: Path, name: str, hosts: Sequence[str] = (), organization: str = "") -> tuple[Path, Path]:
    """NAME.crt and NAME.key signed by the authority, made if missing: for a server at `hosts`, and for a client."""
    certificate, key_file = folder / f"{name}.crt", folder / f"{name}.key"
    if not certificate.exists():
        authority = x509.load_pem_x509_certificate(ensure_authority(folder).read_bytes())
        signer = load_pem_private_key((folder / "ca.key").read_bytes(), None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(name, organization), authority.subject, key)
        builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(issued_by, critical=False)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_host(h) for h in hosts]), critical=False)
        _write(key_file, _private(key), 0o600)
        _write(certificate, builder.sign(signer, SHA256()).public_bytes(Encoding.PEM), 0o644)
    return certificate, key_file


def ensure_signing_key(folder: Path) -> ec.EllipticCurvePrivateKey:
    """The key that signs tokens of ServiceAccounts, in service-account.key."""
    path = folder / "service-account.key"
    if not path.exists():
        _write(path, _private(ec.generate_private_key(ec.SECP256R1())), 0o600)
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def ensure_token(path: Path) -> str:
    """The bearer token in a file; made if it is not there, whole or not at all."""
    with contextlib.suppress(FileExistsError):
        if not path.exists():
            made = path.with_suffix(f".{os.getpid()}")
            _write(made, secrets.token_urlsafe(32).encode(), 0o600)
            try:
                path.hardlink_to(made)
            finally:
                made.unlink()
    return path.read_text().strip()


def ensure_agent_client(folder: Path) -> tuple[Path, Path]:
    """The certificate with which the API server enters agents."""
    return ensure_certificate(folder, AGENT_CLIENT, organization="system:masters")


def _name(common: str, organization: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - EARLIER).not_valid_after(now + YEARS)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def ensure_agent(folder: Path, node: str) -> str:
    """What a node's agent shows: the certificate `agent`, and the token in agent.token, which is returned."""
    ensure_certificate(folder, "agent", (node, "127.0.0.1"), "system:nodes")
    return ensure_token(folder / "agent.token")
