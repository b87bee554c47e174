"""The cluster's certificates verify each other, are made once, and their keys are private."""

import ssl
from pathlib import Path

from cryptography import x509

from controlplane.apiserver.certs import ensure_authority, ensure_certificate, ensure_token


def test_a_server_certificate_is_signed_by_the_authority(tmp_path: Path) -> None:
    certificate, key = ensure_certificate(tmp_path, "apiserver", ["localhost", "127.0.0.1"])
    authority = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    signed = x509.load_pem_x509_certificate(certificate.read_bytes())
    signed.verify_directly_issued_by(authority)
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    names = signed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]


def test_keys_can_be_read_by_their_owner_only(tmp_path: Path) -> None:
    ensure_certificate(tmp_path, "client", organization="system:masters")
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("ca.key", "client.key")} == {0o600}


def test_a_second_start_keeps_the_authority(tmp_path: Path) -> None:
    first = ensure_authority(tmp_path).read_bytes()
    assert ensure_authority(tmp_path).read_bytes() == first


def test_a_token_is_made_once_and_private(tmp_path: Path) -> None:
    first = ensure_token(tmp_path / "agent.token")
    assert len(first) >= 32 and ensure_token(tmp_path / "agent.token") == first
    assert [path.name for path in tmp_path.iterdir()] == ["agent.token"]
    assert (tmp_path / "agent.token").stat().st_mode & 0o777 == 0o600
