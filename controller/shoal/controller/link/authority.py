"""The controller's own certificate authority: names devices and signs their keys.

ECDSA on P-256 throughout. A signing request proves that the device holds its key; its subject is
ignored, since the controller alone names devices.
"""

import datetime as dt
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason

_AUTHORITY_LIFE = dt.timedelta(days=3650)
_DEVICE_LIFE = dt.timedelta(days=365)
_SKEW = dt.timedelta(minutes=5)  # a device's clock may be a little behind ours


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedKey:
    """A device's certificate, its serial number and the digest of the key in it."""

    certificate_pem: bytes
    serial: str
    key_sha256: str


class Authority:
    """A key and its self-signed certificate, kept in a folder of their own."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate

    @property
    def certificate_pem(self) -> bytes:
        """What devices keep to recognise the controller."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    @classmethod
    def open(cls, folder: Path) -> "Authority":
        """The authority in `folder`, made there on first use; the key is readable by us alone."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key_path, certificate_path = folder / "authority.key", folder / "authority.pem"
        if not certificate_path.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            _write_private(key_path, _key_pem(key))
            # Last: the certificate's presence says that both files are whole.
            _write_private(certificate_path, _pem(_self_signed(key)))
        loaded = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        return cls(loaded, x509.load_pem_x509_certificate(certificate_path.read_bytes()))

    def sign(self, csr_pem: bytes, device: str) -> SignedKey:
        """A client certificate for `device` over the key of the request.

        Raises:
            InvalidError: not a signing request, not signed by its own key, or another kind of key.
        """
        key = _requested_key(csr_pem)
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(device))
            .issuer_name(self._certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SKEW)
            .not_valid_after(now + _DEVICE_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return SignedKey(
            certificate_pem=_pem(certificate),
            serial=f"{certificate.serial_number:x}",
            key_sha256=key_sha256(csr_pem),
        )


def key_sha256(csr_pem: bytes) -> str:
    """The digest of the public key in a signing request.

    Raises:
        InvalidError: see `Authority.sign`.
    """
    encoded = _requested_key(csr_pem).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    state = hashes.Hash(hashes.SHA256())
    state.update(encoded)
    return state.finalize().hex()


def _requested_key(csr_pem: bytes) -> ec.EllipticCurvePublicKey:
    try:
        request = x509.load_pem_x509_csr(csr_pem)
        valid = request.is_signature_valid
        key = request.public_key()
    except (ValueError, InvalidSignature) as error:
        raise _invalid(f"the certificate signing request cannot be read: {error}") from None
    if not valid:
        raise _invalid("the certificate signing request is not signed by its own key")
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _invalid("the key of the certificate signing request is not ECDSA on P-256")
    return key


def _invalid(message: str) -> InvalidError:
    return InvalidError(Problem(reason=Reason.INVALID, message=message, field="csr_pem"))


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name("Shoal authority"))
        .issuer_name(_name("Shoal authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write_private(path: Path, data: bytes) -> None:
    """Whole or not at all, and never readable by others for a moment."""
    partial = path.with_name(f"{path.name}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
