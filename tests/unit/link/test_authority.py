"""The controller's authority and the form of stored secrets."""

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from shoal.contract.problem import InvalidError
from shoal.controller.link import credentials
from shoal.controller.link.authority import Authority, key_sha256
from tests.unit.link.signing import a_signing_request


def test_the_authority_outlives_a_restart_and_keeps_its_key_to_itself(tmp_path: Path) -> None:
    first = Authority.open(tmp_path / "ca")
    assert Authority.open(tmp_path / "ca").certificate_pem == first.certificate_pem
    assert (tmp_path / "ca" / "authority.key").stat().st_mode & 0o077 == 0
    request = a_signing_request()
    signed = first.sign(request, "dev-a")
    certificate = x509.load_pem_x509_certificate(signed.certificate_pem)
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(first.certificate_pem))
    assert signed.key_sha256 == key_sha256(request)
    assert f"{certificate.serial_number:x}" == signed.serial


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()]
)
def test_other_kinds_of_keys_are_refused(key: Any) -> None:
    with pytest.raises(InvalidError, match="not ECDSA on P-256"):
        key_sha256(a_signing_request(key))


def test_a_request_not_signed_by_its_own_key_is_refused() -> None:
    request = x509.load_pem_x509_csr(a_signing_request())
    broken = bytearray(request.public_bytes(serialization.Encoding.DER))
    broken[-1] ^= 1
    pem = x509.load_der_x509_csr(bytes(broken)).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(InvalidError, match="signing request"):
        key_sha256(pem)
    with pytest.raises(InvalidError, match="cannot be read"):
        key_sha256(b"junk")


def test_a_stored_secret_is_mosquittos_own_form() -> None:
    secret = credentials.new_secret()
    stored = credentials.hash_secret(secret)
    assert stored.startswith("$7$101$")
    assert credentials.matches(secret, stored)
    assert not credentials.matches(f"{secret}x", stored)
    assert credentials.hash_secret(secret) != stored
    with pytest.raises(ValueError, match="must be 7"):
        credentials.matches(secret, stored.replace("$7$", "$6$", 1))
