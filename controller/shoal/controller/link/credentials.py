"""Per-device secrets and the one form in which they are kept.

The form is mosquitto's `$7$<iterations>$<salt>$<hash>` (PBKDF2 with SHA-512, base64), so that one
stored hash serves gRPC, the embedded broker and mosquitto's password file. A secret has 256 bits of
chance: stretching adds nothing against guessing, so the iterations are mosquitto's own default.
"""

import base64
import hashlib
import hmac
import secrets

_ITERATIONS = 101
_SALT_BYTES = 12
_HASH_BYTES = 64
_SCHEME = "7"


def new_secret() -> str:
    """256 bits of chance as text."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """The form that is stored."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = _stretch(secret, salt, _ITERATIONS)
    parts = (_SCHEME, str(_ITERATIONS), _text(salt), _text(digest))
    return "".join(f"${part}" for part in parts)


def matches(secret: str, stored: str) -> bool:
    """Whether `secret` is the one behind `stored`, in constant time.

    Raises:
        ValueError: `stored` is not in the form above.
    """
    _, scheme, iterations, salt, digest = stored.split("$")
    if scheme != _SCHEME:
        raise ValueError(f"the scheme of a stored secret must be {_SCHEME}, not {scheme}")
    found = _stretch(secret, base64.b64decode(salt), int(iterations))
    return hmac.compare_digest(found, base64.b64decode(digest))


def _stretch(secret: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, iterations, _HASH_BYTES)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
