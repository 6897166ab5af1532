"""Join tokens as the store keeps them: kind `Token`, no namespace, named by the token's SHA-256.

The API writes them, enrolment spends them; neither keeps the token itself.
"""

import hashlib
import secrets
from dataclasses import dataclass

KIND = "Token"
AUTO, MANUAL = "auto", "manual"  # whether devices are approved by the token or by an operator


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinToken:
    """The right to enrol `uses` more devices until `expires_ms`, with these labels.

    Devices land in `namespace`; `approve` is `auto` or `manual`. Times are UTC milliseconds since
    the epoch.
    """

    expires_ms: int
    uses: int
    labels: dict[str, str]
    namespace: str = "default"
    approve: str = AUTO


def new_token() -> str:
    """256 bits of chance, safe in a shell and a URL."""
    return secrets.token_urlsafe(32)


def record_name(token: str) -> str:
    """The name under which the store keeps a token: what is stored cannot be used to join."""
    return hashlib.sha256(token.encode()).hexdigest()
